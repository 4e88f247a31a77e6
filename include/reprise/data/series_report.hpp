#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/sequences.hpp"
#include "../core/series.hpp"
#include "../core/text.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What is strange about a series that a scaler or a detector was fitted to. Nothing of it stops a fit.
struct SeriesReport {
  /// One value that lies so far from the rest of its feature that it may be a fault code, such as -9999.
  struct Value {
    Index step = 0;
    Index feature = 0;
    double value = 0.0;

    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      auto& [step, feature, value] = self;
      visit("step", step);
      visit("feature", feature);
      visit("value", value);
    }
    friend bool operator==(const Value&, const Value&) = default;
  };
  /// Features that do not vary, but for rounding.
  std::vector<Index> constant_features{};
  /// Those of them that are 0, of which no scale can be told.
  std::vector<Index> zero_features{};
  /// How many values are suspect: further from their feature's median than 50 times the range that holds nine
  /// tenths of its values or, where these are one value but for rounding, than 50 times that value. Where
  /// that is 0, none is suspect.
  Index suspect_values = 0;
  /// The first ten of them in each feature.
  std::vector<Value> suspects{};

  bool is_empty() const { return constant_features.empty() && suspect_values == 0; }

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [constant_features, zero_features, suspect_values, suspects] = self;
    visit("constant_features", constant_features);
    visit("zero_features", zero_features);
    visit("suspect_values", suspect_values);
    visit("suspects", suspects);
  }
  friend bool operator==(const SeriesReport&, const SeriesReport&) = default;
};

/// A line for each thing that is strange; nothing where there is none.
inline std::ostream& operator<<(std::ostream& out, const SeriesReport& report) {
  for (const Index feature : report.constant_features) {
    const bool is_zero = std::find(report.zero_features.begin(), report.zero_features.end(), feature) !=
                         report.zero_features.end();
    out << "feature " << std::to_string(feature) << (is_zero ? " is 0 throughout\n" : " is constant\n");
  }
  if (report.suspect_values > 0) out << std::to_string(report.suspect_values) << " suspect values:\n";
  for (const SeriesReport::Value& suspect : report.suspects) {
    out << "  " << detail::number_text(suspect.value) << " at step " << std::to_string(suspect.step)
        << ", feature " << std::to_string(suspect.feature) << '\n';
  }
  return out;
}

namespace detail {

/// Whether values from `low` to `high` with this mean and standard deviation are one value but for rounding:
/// the deviation is what n roundings of the mean may come to, as scikit-learn's scalers have it, or all
/// values are neighbours in the type that they come from, in which numbers near 1 lie `epsilon` apart.
inline bool is_constant(std::size_t count, double low, double high, double mean, double deviation,
                        double epsilon) {
  constexpr double precision = std::numeric_limits<double>::epsilon();
  const double roundings = static_cast<double>(count) * precision;
  if (deviation * std::sqrt(std::max(0.0, 1.0 - roundings)) <= roundings * std::abs(mean)) return true;
  return epsilon > precision && high - low < 2.0 * epsilon * std::min(std::abs(low), std::abs(high));
}
/// The same for the range between two quantiles of `count` values around `median`.
inline bool is_rounding(double range, std::size_t count, double median, double epsilon) {
  constexpr double precision = std::numeric_limits<double>::epsilon();
  const double roundings = static_cast<double>(count) * precision;
  return range <= std::max(roundings, epsilon > precision ? 2.0 * epsilon : 0.0) * std::abs(median);
}

/// Values outside [low, high] are suspect.
struct SuspectLimits {
  double low = std::numeric_limits<double>::lowest();
  double high = std::numeric_limits<double>::max();
  bool contain(double value) const { return value >= low && value <= high; }
};
/// Not empty; reorders. `epsilon` as in `is_constant`. Where nine tenths of the values are the same they have
/// no range to go by, and their magnitude is taken for it.
inline SuspectLimits suspect_limits(std::span<double> values, double epsilon) {
  constexpr double ranges = 50.0;
  const double median = median_of(values);
  double range = quantile_of(values, 0.95) - quantile_of(values, 0.05);
  if (is_rounding(range, values.size(), median, epsilon)) range = std::abs(median);
  if (range == 0.0) return {};
  return {median - ranges * range, median + ranges * range};
}

inline void report_suspects(std::span<const double> values, Index feature, const SuspectLimits& limits,
                            SeriesReport& report) {
  constexpr Index named = 10;
  Index found = 0;
  for (std::size_t t = 0; t < values.size(); ++t) {
    if (limits.contain(values[t])) continue;
    if (++found <= named) report.suspects.push_back({static_cast<Index>(t), feature, values[t]});
  }
  report.suspect_values += found;
}

/// Puts in the place of each suspect value the last one of its feature that is not, or the first one where
/// there is none before it. All are finite; `epsilon` as in `is_constant`.
inline void hold_suspects(Matrix<double>& series, double epsilon) {
  std::vector<double> values(static_cast<std::size_t>(series.rows()));
  for (Index f = 0; f < series.cols(); ++f) {
    std::copy(series.col(f).begin(), series.col(f).end(), values.begin());
    const SuspectLimits limits = suspect_limits(values, epsilon);
    Index first = 0;
    while (first < series.rows() && !limits.contain(series(first, f))) ++first;
    if (first == series.rows()) continue;
    double held = series(first, f);
    for (Index t = 0; t < series.rows(); ++t) {
      if (!limits.contain(series(t, f))) series(t, f) = held;
      held = series(t, f);
    }
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
