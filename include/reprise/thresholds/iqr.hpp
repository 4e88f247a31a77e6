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

/// Q3 + k * (Q3 - Q1), the quartiles by linear interpolation (NumPy's default).
class Iqr {
 public:
  static constexpr const char* kind = "iqr";
  static constexpr const char* name = kind;
  explicit Iqr(double k) : k_(k) { check(); }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::iqr");
    std::vector<double> scores(calibration.begin(), calibration.end());
    const double low = detail::quantile_of(scores, 0.25);
    const double high = detail::quantile_of(scores, 0.75);
    if (low == high && k_ > 0.0) {
      detail::fail("threshold::iqr", "calibration scores whose middle half differ",
                   {"an interquartile range of 0 at ", low});
    }
    return high + k_ * (high - low);
  }
  std::string description() const { return "Q3 + " + detail::number_text(k_) + " IQR"; }
  double k() const { return k_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("k", self.k_);
  }

 private:
  friend detail::RuleReader;
  Iqr() = default;
  void check() const {
    if (!(detail::is_finite(k_) && k_ >= 0.0)) detail::fail("threshold::iqr", "a finite k >= 0", {k_});
  }

  double k_ = 0.0;
};

inline Iqr iqr(double k) { return Iqr(k); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
