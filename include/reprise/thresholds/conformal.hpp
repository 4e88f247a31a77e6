#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../core/text.hpp"
#include "../scores/detail/require_scores.hpp"
#include "detail/rule.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// Flags the scores whose conformal p-value is at most alpha: a normal score is flagged with a probability of
/// at most alpha, where it and the calibration scores are exchangeable. Needs n >= 1 / alpha - 1 scores.
class Conformal {
 public:
  static constexpr const char* kind = "conformal";
  static constexpr const char* name = kind;
  explicit Conformal(double alpha) : alpha_(alpha) { check(); }
  /// The k-th largest score, k the largest number with k / (n + 1) <= alpha.
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::conformal");
    const auto n = static_cast<double>(calibration.size());
    double k = std::floor(alpha_ * (n + 1.0));
    if ((k + 1.0) / (n + 1.0) <= alpha_) ++k;  // 0.29 * 100 is a little less than 29 in binary
    if (k < 1.0) {
      detail::fail(
          "threshold::conformal",
          {"at least ", std::ceil(1.0 / alpha_ - 1.0 - 1e-9), " calibration scores for alpha = ", alpha_},
          {calibration.size()});
    }
    std::vector<double> scores(calibration.begin(), calibration.end());
    const auto at = scores.end() - static_cast<std::ptrdiff_t>(std::min(k, n));
    std::nth_element(scores.begin(), at, scores.end());
    return *at;
  }
  std::string description() const { return "conformal " + detail::number_text(alpha_); }
  double alpha() const { return alpha_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("alpha", self.alpha_);
  }

 private:
  friend detail::RuleReader;
  Conformal() = default;
  void check() const {
    if (!(detail::is_finite(alpha_) && alpha_ > 0.0 && alpha_ < 1.0)) {
      detail::fail("threshold::conformal", "alpha in (0, 1)", {alpha_});
    }
  }

  double alpha_ = 0.0;
};

inline Conformal conformal(double alpha) { return Conformal(alpha); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
