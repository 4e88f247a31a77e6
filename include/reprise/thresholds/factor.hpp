#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../scores/detail/require_scores.hpp"
#include "detail/rule.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// What `Factor` multiplies.
enum class Statistic { max, mean, median };
constexpr std::array<std::string_view, 3> enumerator_names(Statistic) { return {"max", "mean", "median"}; }

/// factor * the largest, mean or median calibration score.
class Factor {
 public:
  static constexpr const char* kind = "factor";
  static constexpr const char* name = kind;
  Factor(double factor, Statistic statistic) : factor_(factor), statistic_(statistic) { check(); }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::factor");
    return factor_ * value_of(calibration);
  }
  std::string description() const {
    return detail::number_text(factor_) + " x " +
           std::string(enumerator_names(statistic_)[static_cast<std::size_t>(statistic_)]);
  }
  double factor() const { return factor_; }
  Statistic statistic() const { return statistic_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("factor", self.factor_);
    visit("statistic", self.statistic_);
  }

 private:
  friend detail::RuleReader;
  Factor() = default;
  void check() const {
    if (!(detail::is_finite(factor_) && factor_ > 0.0)) {
      detail::fail("threshold::factor", "a finite factor > 0", {factor_});
    }
  }
  double value_of(std::span<const double> calibration) const {
    if (statistic_ == Statistic::mean) return detail::mean_of(calibration);
    std::vector<double> scores(calibration.begin(), calibration.end());
    return statistic_ == Statistic::median ? detail::median_of(scores)
                                           : *std::max_element(scores.begin(), scores.end());
  }

  double factor_ = 0.0;
  Statistic statistic_ = Statistic::max;
};

/// factor * the largest calibration score.
class MaxFactor {
 public:
  static constexpr const char* kind = "max_factor";
  static constexpr const char* name = kind;
  explicit MaxFactor(double factor) : factor_(factor) { check(); }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::max_factor");
    return factor_ * *std::max_element(calibration.begin(), calibration.end());
  }
  std::string description() const { return detail::number_text(factor_) + " x max"; }
  double factor() const { return factor_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("factor", self.factor_);
  }

 private:
  friend detail::RuleReader;
  MaxFactor() = default;
  void check() const {
    if (!(detail::is_finite(factor_) && factor_ > 0.0)) {
      detail::fail("threshold::max_factor", "a finite factor > 0", {factor_});
    }
  }

  double factor_ = 0.0;
};

inline Factor factor(double factor, Statistic statistic) { return {factor, statistic}; }
inline MaxFactor max_factor(double factor) { return MaxFactor(factor); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
