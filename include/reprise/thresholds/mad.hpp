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

/// median + k * 1.4826 * median absolute deviation; the factor makes it a standard deviation where scores are
/// normal.
class Mad {
 public:
  static constexpr const char* kind = "mad";
  static constexpr const char* name = kind;
  explicit Mad(double k) : k_(k) { check(); }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::mad");
    std::vector<double> scores(calibration.begin(), calibration.end());
    const double median = detail::median_of(scores);
    for (double& score : scores) score = std::abs(score - median);
    const double deviation = detail::median_of(scores);
    if (deviation == 0.0 && k_ > 0.0) {
      detail::fail("threshold::mad", "calibration scores less than half of which are equal",
                   {"a median absolute deviation of 0 around ", median});
    }
    return median + k_ * 1.4826 * deviation;
  }
  std::string description() const { return "median + " + detail::number_text(k_) + " MAD"; }
  double k() const { return k_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("k", self.k_);
  }

 private:
  friend detail::RuleReader;
  Mad() = default;
  void check() const {
    if (!(detail::is_finite(k_) && k_ >= 0.0)) detail::fail("threshold::mad", "a finite k >= 0", {k_});
  }

  double k_ = 0.0;
};

inline Mad mad(double k) { return Mad(k); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
