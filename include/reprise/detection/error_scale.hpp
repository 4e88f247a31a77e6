#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../core/text.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How large an error usually is, so that errors of different methods and window lengths can be added up:
///
///     z(e) = (l(e) - median of l) / max(.05, .95-quantile of l - median of l),   l(e) = log(e / usual + .01)
///
/// with `usual` the median error, at least 1e-9, and the two quantiles over the errors that `fit` was given.
/// The usual error has z = 0, and one that only a twentieth of errors exceeds z = 1. The .01 keeps an error
/// of 0, an exact repetition, from being infinitely unusual; the .05 keeps errors that hardly vary from
/// making every other one so.
class ErrorScale {
 public:
  ErrorScale() = default;
  /// Errors >= 0 of normal points that the method was not trained on; they should not be among those that
  /// calibrate a threshold on z. Throws where there is none, or one is negative or NaN.
  static ErrorScale fit(std::span<const double> errors) {
    if (errors.empty()) detail::fail("error scale", "at least one error", "none");
    for (const double error : errors) {
      if (detail::is_nan(error) || error < 0.0) detail::fail("error scale", "errors >= 0", {error});
    }
    std::vector<double> sorted(errors.begin(), errors.end());
    ErrorScale scale;
    scale.usual_ = std::max(detail::median_of(sorted), 1e-9);
    for (double& error : sorted) error = std::log(error / scale.usual_ + floor);
    scale.center_ = detail::median_of(sorted);
    scale.spread_ = std::max(0.05, detail::quantile_of(sorted, 0.95) - scale.center_);
    return scale;
  }

  double z(double error) const { return (std::log(error / usual_ + floor) - center_) / spread_; }
  /// The median error.
  double usual() const { return usual_; }

  /// Refuses what `fit` cannot have made.
  void validate() const {
    for (const double value : {usual_, spread_}) {
      if (!(value > 0.0 && detail::is_finite(value)))
        detail::fail("error scale", "finite sizes > 0", {value});
    }
    if (!detail::is_finite(center_)) detail::fail("error scale", "a finite center", {center_});
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("usual", self.usual_);
    visit("center", self.center_);
    visit("spread", self.spread_);
  }

 private:
  static constexpr double floor = 0.01;
  double usual_ = 1.0;
  double center_ = 0.0;
  double spread_ = 1.0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
