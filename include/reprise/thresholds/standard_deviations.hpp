#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "../core/detail/statistics.hpp"
#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../scores/detail/require_scores.hpp"
#include "detail/rule.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// mean + k * standard deviation (divided by n).
class StandardDeviations {
 public:
  static constexpr const char* kind = "standard_deviations";
  static constexpr const char* name = kind;
  explicit StandardDeviations(double k) : k_(k) { check(); }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::standard_deviations");
    const auto [low, high] = std::minmax_element(calibration.begin(), calibration.end());
    if (*low == *high && k_ > 0.0) {
      detail::fail("threshold::standard_deviations", "calibration scores that differ",
                   {"constant scores of ", *low});
    }
    return detail::mean_of(calibration) + k_ * detail::standard_deviation_of(calibration);
  }
  std::string description() const { return "mean + " + detail::number_text(k_) + " sd"; }
  double k() const { return k_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("k", self.k_);
  }

 private:
  friend detail::RuleReader;
  StandardDeviations() = default;
  void check() const {
    if (!(detail::is_finite(k_) && k_ >= 0.0)) {
      detail::fail("threshold::standard_deviations", "a finite k >= 0", {k_});
    }
  }

  double k_ = 0.0;
};

inline StandardDeviations standard_deviations(double k) { return StandardDeviations(k); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
