#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/error.hpp"
#include "../scores/detail/require_scores.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// What `Factor` multiplies.
enum class Statistic { max, mean, median };

/// factor * the largest, mean or median calibration score.
class Factor {
 public:
  static constexpr const char* name = "factor";
  Factor(double factor, Statistic statistic) : factor_(factor), statistic_(statistic) {
    if (!(factor > 0.0) || std::isinf(factor)) {
      detail::fail("threshold::factor", "a finite factor > 0", {factor});
    }
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::factor");
    return factor_ * value_of(calibration);
  }
  std::string description() const {
    const char* const statistics[] = {"max", "mean", "median"};
    return detail::number_text(factor_) + " x " + statistics[static_cast<std::size_t>(statistic_)];
  }
  double factor() const { return factor_; }
  Statistic statistic() const { return statistic_; }

 private:
  double value_of(std::span<const double> calibration) const {
    if (statistic_ == Statistic::mean) return detail::mean_of(calibration);
    std::vector<double> scores(calibration.begin(), calibration.end());
    return statistic_ == Statistic::median ? detail::median_of(scores)
                                           : *std::max_element(scores.begin(), scores.end());
  }

  double factor_;
  Statistic statistic_;
};

/// factor * the largest calibration score.
class MaxFactor {
 public:
  static constexpr const char* name = "max_factor";
  explicit MaxFactor(double factor) : factor_(factor) {
    if (!(factor > 0.0) || std::isinf(factor)) {
      detail::fail("threshold::max_factor", "a finite factor > 0", {factor});
    }
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::max_factor");
    return factor_ * *std::max_element(calibration.begin(), calibration.end());
  }
  std::string description() const { return detail::number_text(factor_) + " x max"; }
  double factor() const { return factor_; }

 private:
  double factor_;
};

inline Factor factor(double factor, Statistic statistic) { return {factor, statistic}; }
inline MaxFactor max_factor(double factor) { return MaxFactor(factor); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
