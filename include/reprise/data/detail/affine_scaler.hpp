#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "../../core/error.hpp"
#include "../../core/finite.hpp"
#include "../../core/sequences.hpp"
#include "../../core/series.hpp"
#include "../series_report.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A feature's smallest and largest value, mean, and standard deviation (divided by n).
struct FeatureMoments {
  double low = 0.0;
  double high = 0.0;
  double mean = 0.0;
  double deviation = 0.0;
};
/// By sums of (x - low) / (high - low), which neither overflow nor vanish, however large or small the values.
inline FeatureMoments moments_of(const std::vector<double>& values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  FeatureMoments result{*least, *most, *least, 0.0};
  const double range = result.high - result.low;
  if (!(is_finite(range) && range > 0.0)) return result;
  const auto n = static_cast<double>(values.size());
  double sum = 0.0;
  for (const double x : values) sum += (x - result.low) / range;
  result.mean = result.low + sum / n * range;
  double squares = 0.0;
  for (const double x : values) {
    const double deviation = (x - result.mean) / range;
    squares += deviation * deviation;
  }
  result.deviation = std::sqrt(squares / n) * range;
  return result;
}

/// x becomes (x - offset) / scale.
struct OffsetAndScale {
  double offset = 0.0;
  double scale = 1.0;
};

/// In standard deviations, the range of a normal distribution between two quantiles, 0 < low < high < 1; its
/// values below 0 and beyond 1 are those of one in ten thousand.
inline double normal_range(double low, double high) {
  const auto quantile = [](double p) {
    double below = -10.0, above = 10.0;
    for (int i = 0; i < 60; ++i) {
      const double z = 0.5 * (below + above);
      (0.5 * std::erfc(-z / std::sqrt(2.0)) < p ? below : above) = z;
    }
    return above;
  };
  return quantile(std::min(high, 0.9999)) - quantile(std::max(low, 1e-4));
}

/// y = low + (x - offset) / scale * width, feature by feature. `Derived::measure(values, moments,
/// epsilon)` says how offset and scale come from a feature that is not constant, with a scale of 0 where it
/// is constant but for a few values; it may reorder the values. `epsilon` as in `is_constant`.
template <typename Derived>
class AffineScaler {
 public:
  /// Learns from a series with at least one step; forgets what it learned before. Throws on NaN or infinity,
  /// with its place, and then stays as it was. An Eigen row vector is one feature, as a column is.
  template <SeriesLike S>
  Derived& fit(const S& series) {
    return fit(SeriesView(series));
  }
  Derived& fit(const SeriesView& series) {
    learn(series);
    return static_cast<Derived&>(*this);
  }

  /// The series in scaled units, in its own form. Throws before `fit`, for another number of features, on NaN
  /// or infinity. An Eigen row vector is one feature, or one step of several features where the scaler has
  /// several.
  template <SeriesLike S>
  [[nodiscard]] auto transform(const S& series) const {
    return map(series, "transform",
               [this](double x, std::size_t f) { return low_ + (x - offsets_[f]) / scales_[f] * width_; });
  }
  /// Scaled values in the units of the series that was fitted. Throws as `transform` does.
  template <SeriesLike S>
  [[nodiscard]] auto inverse_transform(const S& series) const {
    return map(series, "inverse_transform",
               [this](double y, std::size_t f) { return offsets_[f] + (y - low_) / width_ * scales_[f]; });
  }

  [[nodiscard]] bool is_fitted() const { return !offsets_.empty(); }
  /// Number of features fitted; 0 before.
  Index features() const { return static_cast<Index>(offsets_.size()); }
  /// What was strange about the series that was fitted.
  const SeriesReport& report() const { return report_; }

 protected:
  AffineScaler() = default;
  AffineScaler(double low, double width, double zero_scale)
      : low_(low), width_(width), zero_scale_(zero_scale) {
    if (!(is_finite(zero_scale) && zero_scale > 0.0)) {
      fail(Derived::name, "a finite zero_scale > 0", {zero_scale});
    }
  }

  /// As if a series had been fitted that has these. Names are for messages.
  void set(std::vector<double> offsets, std::vector<double> scales, const char* call, const char* offset_name,
           const char* scale_name) {
    const auto require_finite = [&](const std::vector<double>& values, const char* what, bool positive) {
      for (const double value : values) {
        if (is_finite(value) && (!positive || value > 0.0)) continue;
        fail(place(call), {"finite ", what, positive ? " > 0" : ""}, {value});
      }
    };
    if (offsets.empty() || offsets.size() != scales.size()) {
      fail(place(call), {"as many ", offset_name, " as ", scale_name, ", at least one"},
           {offsets.size(), " and ", scales.size()});
    }
    require_finite(offsets, offset_name, false);
    require_finite(scales, scale_name, true);
    offsets_ = std::move(offsets);
    scales_ = std::move(scales);
    report_ = {};
  }

  std::vector<double> offsets_;
  std::vector<double> scales_;
  double low_ = 0.0;
  double width_ = 1.0;
  double zero_scale_ = 1.0;

 private:
  static std::string place(const char* call) { return std::string(Derived::name) + ": " + call; }

  static double checked(double value, Index step, Index feature, const char* call) {
    if (!is_finite(value)) {
      fail(place(call), "finite values", {value, " at step ", step, ", feature ", feature});
    }
    return value;
  }

  void learn(const SeriesView& series) {
    const Index steps = series.steps(), features = series.features();
    if (steps <= 0 || features <= 0) {
      fail(place("fit"), "a series of at least one step and one feature",
           {steps, " steps x ", features, " features"});
    }
    SeriesReport report;
    std::vector<double> offsets, scales;
    std::vector<double> values(static_cast<std::size_t>(steps)), sorted;
    for (Index f = 0; f < features; ++f) {
      for (Index t = 0; t < steps; ++t)
        values[static_cast<std::size_t>(t)] = checked(series(t, f), t, f, "fit");
      const FeatureMoments moments = moments_of(values);
      if (is_infinite(moments.high - moments.low)) {
        fail(place("fit"), "a feature whose range is a number", {"an overflow in feature ", f});
      }
      sorted = values;
      OffsetAndScale found;
      if (is_constant(values.size(), moments.low, moments.high, moments.mean, moments.deviation,
                      series.epsilon())) {
        found = constant(moments, f, report);
      } else {
        report_suspects(values, f, suspect_limits(sorted, series.epsilon()), report);
        found = static_cast<const Derived&>(*this).measure(sorted, moments, series.epsilon());
        if (found.scale == 0.0) found.scale = magnitude_of(found.offset);
      }
      offsets.push_back(found.offset);
      scales.push_back(found.scale);
    }
    offsets_ = std::move(offsets);
    scales_ = std::move(scales);
    report_ = std::move(report);
  }
  /// One that is exactly constant inverts to exactly its value.
  OffsetAndScale constant(const FeatureMoments& moments, Index feature, SeriesReport& report) const {
    report.constant_features.push_back(feature);
    if (moments.mean == 0.0) report.zero_features.push_back(feature);
    return {moments.mean, magnitude_of(moments.mean)};
  }
  double magnitude_of(double value) const { return value == 0.0 ? zero_scale_ : std::abs(value); }

  template <SeriesLike S, typename Map>
  auto map(const S& series, const char* call, Map value) const {
    using To = StoredValue<S>;
    const auto at = [&](double x, Index step, Index feature) {
      return static_cast<To>(value(checked(x, step, feature, call), static_cast<std::size_t>(feature)));
    };
    if constexpr (EigenSeries<S>) {
      const auto& matrix = eigen_series(series);
      // Of one feature each column of a row vector is a step.
      const bool is_one_row = is_row_vector<S>() && features() == 1;
      require_features(is_one_row ? matrix.rows() : matrix.cols(), call);
      Matrix<To> result(matrix.rows(), matrix.cols());
      for (Index j = 0; j < matrix.cols(); ++j) {
        for (Index i = 0; i < matrix.rows(); ++i) {
          const auto x = static_cast<double>(matrix(i, j));
          result(i, j) = is_one_row ? at(x, j, 0) : at(x, i, j);
        }
      }
      return result;
    } else if constexpr (NumberRange<S>) {
      require_features(1, call);
      std::vector<To> result(std::size(series));
      for (std::size_t t = 0; t < result.size(); ++t) {
        result[t] = at(static_cast<double>(std::data(series)[t]), static_cast<Index>(t), 0);
      }
      return result;
    } else {
      const SeriesView view(series);
      require_features(view.features(), call);
      std::vector<std::vector<To>> result(static_cast<std::size_t>(view.steps()));
      for (Index t = 0; t < view.steps(); ++t) {
        for (Index f = 0; f < view.features(); ++f)
          result[static_cast<std::size_t>(t)].push_back(at(view(t, f), t, f));
      }
      return result;
    }
  }
  void require_features(Index features, const char* call) const {
    if (!is_fitted()) fail(place(call), "fit() before it", "a scaler that was not fitted");
    if (features != this->features()) {
      fail(place(call), {this->features(), " features"}, {features});
    }
  }

  SeriesReport report_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
