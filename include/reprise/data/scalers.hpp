#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "../core/fields.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../core/series.hpp"
#include "detail/affine_scaler.hpp"

// Scalers learn one affine map per feature from a series and apply it to others, and back. What comes back
// has the form of the series (core/series.hpp says what a series may be); integers become double. All is
// computed in double.
//
// A feature that is constant but for rounding has no spread to be divided by. It is divided by its own
// magnitude, so that a later change counts the same whatever the feature's unit: where 2.5 becomes 5, and
// where 0.0025 becomes 0.005. A feature that is 0 throughout has no magnitude either: it is divided by the
// option `zero_scale`. `report()` names both, and values that may be fault codes.
namespace reprise {
inline namespace REPRISE_ABI {

struct StandardOptions {
  /// What a feature that is 0 throughout is divided by.
  double zero_scale = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [zero_scale] = self;
    visit("zero_scale", zero_scale, 1.0);
  }
  friend bool operator==(const StandardOptions&, const StandardOptions&) = default;
};

/// (x - mean) / standard deviation (divided by n), feature by feature. A constant feature becomes 0.
class StandardScaler : public detail::AffineScaler<StandardScaler> {
 public:
  static constexpr const char* name = "StandardScaler";

  explicit StandardScaler(const StandardOptions& options = {})
      : detail::AffineScaler<StandardScaler>(0.0, 1.0, options.zero_scale), options_(options) {}

  /// One of each for every feature, as another program has learned them (scikit-learn's mean_ and scale_).
  /// Throws when they are not as many, not finite, or a deviation is not > 0.
  static StandardScaler from_moments(std::vector<double> means, std::vector<double> standard_deviations,
                                     const StandardOptions& options = {}) {
    StandardScaler scaler(options);
    scaler.set(std::move(means), std::move(standard_deviations), "from_moments", "means",
               "standard deviations");
    return scaler;
  }

  const StandardOptions& options() const { return options_; }
  const std::vector<double>& means() const { return offsets_; }
  /// For a constant feature what it is divided by instead.
  const std::vector<double>& standard_deviations() const { return scales_; }

 private:
  friend detail::AffineScaler<StandardScaler>;

  detail::OffsetAndScale measure(std::vector<double>&, const detail::FeatureMoments& moments, double) const {
    return {moments.mean, moments.deviation};
  }

  StandardOptions options_;
};

struct MinMaxOptions {
  /// What the smallest value fitted becomes.
  double low = 0.0;
  /// What the largest value fitted becomes.
  double high = 1.0;
  /// What a feature that is 0 throughout is divided by.
  double zero_scale = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [low, high, zero_scale] = self;
    visit("low", low);
    visit("high", high);
    visit("zero_scale", zero_scale, 1.0);
  }
  friend bool operator==(const MinMaxOptions&, const MinMaxOptions&) = default;
};

/// Maps the range of each feature to [low, high]; values outside the range that was fitted lie outside that.
/// A constant feature becomes low.
class MinMaxScaler : public detail::AffineScaler<MinMaxScaler> {
 public:
  static constexpr const char* name = "MinMaxScaler";

  explicit MinMaxScaler(const MinMaxOptions& options = {})
      : detail::AffineScaler<MinMaxScaler>(options.low, options.high - options.low, options.zero_scale),
        options_(options) {
    if (!(detail::is_finite(options.low) && detail::is_finite(options.high) &&
          detail::is_finite(options.high - options.low) && options.high > options.low)) {
      detail::fail(name, "finite low < high", {options.low, " and ", options.high});
    }
  }
  /// One of each for every feature, as another program has learned them (scikit-learn's data_min_ and
  /// data_range_). Throws when they are not as many, not finite, or a range is not > 0.
  static MinMaxScaler from_ranges(std::vector<double> minimums, std::vector<double> ranges,
                                  const MinMaxOptions& options = {}) {
    MinMaxScaler scaler(options);
    scaler.set(std::move(minimums), std::move(ranges), "from_ranges", "minimums", "ranges");
    return scaler;
  }

  const MinMaxOptions& options() const { return options_; }
  const std::vector<double>& minimums() const { return offsets_; }
  /// Maximum - minimum; for a constant feature what it is divided by instead.
  const std::vector<double>& ranges() const { return scales_; }

 private:
  friend detail::AffineScaler<MinMaxScaler>;

  detail::OffsetAndScale measure(std::vector<double>&, const detail::FeatureMoments& moments, double) const {
    return {moments.low, moments.high - moments.low};
  }

  MinMaxOptions options_;
};

struct RobustOptions {
  /// The range from this quantile of a feature to `high` is what it is divided by.
  double low = 0.25;
  double high = 0.75;
  /// Divide by what would be the standard deviation of a normal distribution with that range. The quantiles
  /// must then not lie both within one ten thousandth of the same end.
  bool unit_variance = false;
  /// What a feature that is 0 throughout is divided by.
  double zero_scale = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [low, high, unit_variance, zero_scale] = self;
    visit("low", low);
    visit("high", high);
    visit("unit_variance", unit_variance);
    visit("zero_scale", zero_scale, 1.0);
  }
  friend bool operator==(const RobustOptions&, const RobustOptions&) = default;
};

/// (x - median) / range between two quantiles, feature by feature, as scikit-learn's RobustScaler: a few
/// values of any size, such as fault codes, hardly change it. Where the range is 0 but for rounding, since
/// most values are the same, wider quantiles are taken, in the end the smallest and the largest value, of
/// those that are not suspect (see `SeriesReport`). Where these are all the same, they are a constant
/// feature.
class RobustScaler : public detail::AffineScaler<RobustScaler> {
 public:
  static constexpr const char* name = "RobustScaler";

  explicit RobustScaler(const RobustOptions& options = {})
      : detail::AffineScaler<RobustScaler>(0.0, 1.0, options.zero_scale), options_(options) {
    check();
  }
  /// One of each for every feature, as another program has learned them (scikit-learn's center_ and scale_).
  /// Throws when they are not as many, not finite, or a range is not > 0.
  static RobustScaler from_ranges(std::vector<double> medians, std::vector<double> ranges,
                                  const RobustOptions& options = {}) {
    RobustScaler scaler(options);
    scaler.set(std::move(medians), std::move(ranges), "from_ranges", "medians", "ranges");
    return scaler;
  }

  const RobustOptions& options() const { return options_; }
  const std::vector<double>& medians() const { return offsets_; }
  /// What each feature is divided by.
  const std::vector<double>& ranges() const { return scales_; }

 private:
  friend detail::AffineScaler<RobustScaler>;

  void check() const {
    if (!(detail::is_finite(options_.low) && detail::is_finite(options_.high) && options_.low >= 0.0 &&
          options_.low < options_.high && options_.high <= 1.0)) {
      detail::fail(name, "quantiles 0 <= low < high <= 1", {options_.low, " and ", options_.high});
    }
    if (options_.unit_variance && detail::normal_range(options_.low, options_.high) <= 0.0) {
      detail::fail(name, "quantiles for unit_variance that are not both below 0.0001 or both above 0.9999",
                   {options_.low, " and ", options_.high});
    }
  }
  detail::OffsetAndScale measure(std::vector<double>& values, const detail::FeatureMoments&,
                                 double epsilon) const {
    const double median = detail::median_of(values);
    const std::size_t count = values.size();
    bool has_suspects = true;
    for (double low = options_.low, high = options_.high;;) {
      const double range = detail::quantile_of(values, high) - detail::quantile_of(values, low);
      if (!detail::is_rounding(range, count, median, epsilon))
        return {median, options_.unit_variance ? range / detail::normal_range(low, high) : range};
      if (has_suspects) {
        const detail::SuspectLimits limits = detail::suspect_limits(values, epsilon);
        std::erase_if(values, [&](double value) { return !limits.contain(value); });
        has_suspects = false;
        continue;
      }
      if (low == 0.0 && high == 1.0) return {median, 0.0};
      // Half way to the ends, each time; the ends themselves before rounding keeps them away.
      low = low < 1e-4 ? 0.0 : 0.5 * low;
      high = high > 1.0 - 1e-4 ? 1.0 : 0.5 * (1.0 + high);
    }
  }

  RobustOptions options_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
