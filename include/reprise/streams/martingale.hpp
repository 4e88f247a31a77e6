#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../thresholds/detail/smoothing.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Bets against the uniformity of a stream of p-values: M = product of epsilon p^(epsilon - 1), an alarm
/// where M >= 1 / alpha (Vovk, Nouretdinov and Gammerman 2003). A stream of normal values raises an alarm
/// ever with a probability of at most alpha, where its p-values are smoothed and each is against the
/// calibration scores *and all earlier scores* (`OnlinePValues`). Against a fixed calibration set it is a
/// heuristic: that set's luck adds up, and far more than a fraction alpha of normal streams raise an alarm.
class PowerMartingale {
 public:
  struct Step {
    /// log M; M itself would overflow.
    double log_value = 0.0;
    bool is_alarm = false;
    /// False for a p-value outside (0, 1], which changes nothing.
    bool is_valid = true;
  };

  /// `epsilon` in (0, 1): the smaller, the more is bet on small p-values.
  explicit PowerMartingale(double alpha, double epsilon = 0.9)
      : epsilon_(epsilon), log_limit_(-std::log(alpha)) {
    if (!(detail::is_finite(alpha) && alpha > 0.0 && alpha < 1.0)) {
      detail::fail("power martingale", "alpha in (0, 1)", {alpha});
    }
    if (!(detail::is_finite(epsilon) && epsilon > 0.0 && epsilon < 1.0)) {
      detail::fail("power martingale", "epsilon in (0, 1)", {epsilon});
    }
  }
  Step step(double p_value) noexcept {
    const bool is_valid = detail::is_finite(p_value) && p_value > 0.0 && p_value <= 1.0;
    if (is_valid) log_value_ += std::log(epsilon_) + (epsilon_ - 1.0) * std::log(p_value);
    return {log_value_, log_value_ >= log_limit_, is_valid};
  }
  double log_value() const { return log_value_; }
  /// Starts again at M = 1, as after an alarm that was seen to.
  void reset() { log_value_ = 0.0; }

 private:
  double epsilon_;
  double log_limit_;
  double log_value_ = 0.0;
};

/// Smoothed p-values of a stream, each against the calibration scores and all earlier scores: independent and
/// uniform while the stream is exchangeable. Keeps every score: memory and time per step grow with the
/// stream.
class OnlinePValues {
 public:
  explicit OnlinePValues(std::span<const double> calibration, std::uint64_t seed = 0)
      : sorted_(calibration.begin(), calibration.end()), seed_(seed) {
    for (std::size_t i = 0; i < calibration.size(); ++i) {
      if (!(detail::is_finite(calibration[i]) && calibration[i] >= 0.0)) {
        detail::fail("online p-values", "finite calibration scores >= 0", {calibration[i], " at index ", i});
      }
    }
    std::sort(sorted_.begin(), sorted_.end());
  }
  /// Throws on a score that is negative or NaN.
  double step(double score) {
    if (detail::is_nan(score) || score < 0.0) detail::fail("online p-values", "a score >= 0", {score});
    const auto [first, last] = std::equal_range(sorted_.begin(), sorted_.end(), score);
    const auto above = static_cast<double>(sorted_.end() - last);
    const double u = detail::smoothing_uniform(seed_, steps_++);
    const double p =
        (above + u * (1.0 + static_cast<double>(last - first))) / (1.0 + static_cast<double>(sorted_.size()));
    sorted_.insert(last, score);
    return p;
  }

 private:
  std::vector<double> sorted_;
  std::uint64_t seed_;
  std::uint64_t steps_ = 0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
