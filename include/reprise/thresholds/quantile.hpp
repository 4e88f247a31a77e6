#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../scores/detail/require_scores.hpp"
#include "detail/rule.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// The q-quantile, by linear interpolation (NumPy's default). Needs n (1 - q) >= 1 scores, for else no
/// calibration score is expected above it and its place is a guess.
class Quantile {
 public:
  static constexpr const char* kind = "quantile";
  static constexpr const char* name = kind;
  explicit Quantile(double q) : q_(q) { check(); }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::quantile");
    // 10 * (1 - 0.9) is a little less than 1 in binary.
    const double needed = std::ceil((1.0 - 1e-9) / (1.0 - q_));
    if (static_cast<double>(calibration.size()) < needed) {
      detail::fail("threshold::quantile", {"at least ", needed, " calibration scores for q = ", q_},
                   {calibration.size()});
    }
    std::vector<double> scores(calibration.begin(), calibration.end());
    return detail::quantile_of(scores, q_);
  }
  std::string description() const { return "quantile " + detail::number_text(q_); }
  double q() const { return q_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("q", self.q_);
  }

 private:
  friend detail::RuleReader;
  Quantile() = default;
  void check() const {
    if (!(detail::is_finite(q_) && q_ >= 0.0 && q_ < 1.0)) {
      detail::fail("threshold::quantile", "q in [0, 1) (max_factor(1) is the largest score)", {q_});
    }
  }

  double q_ = 0.0;
};

inline Quantile quantile(double q) { return Quantile(q); }
/// The share of the calibration scores, in (0, 1], that may lie above the threshold: the quantile 1 - share.
inline Quantile contamination(double share) {
  if (!(detail::is_finite(share) && share > 0.0 && share <= 1.0)) {
    detail::fail("threshold::contamination", "a share in (0, 1]", {share});
  }
  return Quantile(1.0 - share);
}

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
