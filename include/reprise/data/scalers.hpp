#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "../core/error.hpp"
#include "../core/sequences.hpp"

// Scalers learn one affine map per feature from a series and apply it to others, and back. A series is a
// vector or span of float, double or integers (one feature), or an Eigen matrix with one row per time step
// and one column per feature. What comes back has the same form; integers become double. All is computed in
// double.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

template <typename T>
concept SeriesValue = (std::integral<T> || std::floating_point<T>)&&!std::same_as<T, bool>;

/// float stays float, all else becomes double.
template <typename T>
using Scaled = std::conditional_t<std::same_as<T, float>, float, double>;

/// y = low + (x - offset) / scale * width, feature by feature. `Derived` says how offset and scale come from
/// a feature.
template <typename Derived>
class AffineScaler {
 public:
  /// Learns from a series with at least one step; forgets what it learned before. Throws on NaN or infinity,
  /// with its place, and then stays as it was.
  template <SeriesValue T>
  Derived& fit(std::span<const T> series) {
    return fit_features(1, static_cast<Index>(series.size()), at(series));
  }
  template <SeriesValue T>
  Derived& fit(const std::vector<T>& series) {
    return fit(std::span<const T>(series));
  }
  template <typename Matrix_>
  Derived& fit(const Eigen::DenseBase<Matrix_>& series) {
    return fit_features(series.cols(), series.rows(), at(series.derived()));
  }

  /// The series in scaled units. Throws before `fit`, for another number of features, on NaN or infinity.
  template <SeriesValue T>
  std::vector<Scaled<T>> transform(std::span<const T> series) const {
    return map_values(series, "transform", forward());
  }
  template <SeriesValue T>
  std::vector<Scaled<T>> transform(const std::vector<T>& series) const {
    return transform(std::span<const T>(series));
  }
  template <typename Matrix_>
  Matrix<Scaled<typename Matrix_::Scalar>> transform(const Eigen::DenseBase<Matrix_>& series) const {
    return map_matrix(series.derived(), "transform", forward());
  }

  /// Scaled values in the units of the series that was fitted. Throws as `transform` does.
  template <SeriesValue T>
  std::vector<Scaled<T>> inverse_transform(std::span<const T> series) const {
    return map_values(series, "inverse_transform", backward());
  }
  template <SeriesValue T>
  std::vector<Scaled<T>> inverse_transform(const std::vector<T>& series) const {
    return inverse_transform(std::span<const T>(series));
  }
  template <typename Matrix_>
  Matrix<Scaled<typename Matrix_::Scalar>> inverse_transform(const Eigen::DenseBase<Matrix_>& series) const {
    return map_matrix(series.derived(), "inverse_transform", backward());
  }

  bool is_fitted() const { return !offsets_.empty(); }
  /// Number of features fitted; 0 before.
  Index features() const { return static_cast<Index>(offsets_.size()); }

 protected:
  AffineScaler() = default;
  AffineScaler(double low, double width) : low_(low), width_(width) {}

  /// As if a series had been fitted that has these. Names are for messages.
  void set(std::vector<double> offsets, std::vector<double> scales, const char* call, const char* offset_name,
           const char* scale_name) {
    const auto require_finite = [&](const std::vector<double>& values, const char* what, double above) {
      for (const double value : values) {
        if (std::isfinite(value) && value > above) continue;
        fail(place(call), {"finite ", what, above == 0.0 ? " > 0" : ""}, {value});
      }
    };
    if (offsets.empty() || offsets.size() != scales.size()) {
      fail(place(call), {"as many ", offset_name, " as ", scale_name, ", at least one"},
           {offsets.size(), " and ", scales.size()});
    }
    require_finite(offsets, offset_name, -std::numeric_limits<double>::infinity());
    require_finite(scales, scale_name, 0.0);
    offsets_ = std::move(offsets);
    scales_ = std::move(scales);
  }

  std::vector<double> offsets_;
  std::vector<double> scales_;

 private:
  static std::string place(const char* call) { return std::string(Derived::name) + ": " + call; }

  template <typename T>
  static auto at(std::span<const T> series) {
    return
        [series](Index step, Index) { return static_cast<double>(series[static_cast<std::size_t>(step)]); };
  }
  template <typename Matrix_>
  static auto at(const Matrix_& series) {
    return [&series](Index step, Index feature) { return static_cast<double>(series(step, feature)); };
  }
  auto forward() const {
    return [this](double x, std::size_t f) { return low_ + (x - offsets_[f]) / scales_[f] * width_; };
  }
  auto backward() const {
    return [this](double y, std::size_t f) { return offsets_[f] + (y - low_) / width_ * scales_[f]; };
  }

  static double checked(double value, Index step, Index feature, const char* call) {
    if (!std::isfinite(value)) {
      fail(place(call), "finite values", {value, " at step ", step, ", feature ", feature});
    }
    return value;
  }

  /// value(step, feature)
  template <typename Value>
  Derived& fit_features(Index features, Index steps, Value value) {
    if (steps <= 0 || features <= 0) {
      fail(place("fit"), "a series of at least one step and one feature",
           {steps, " steps x ", features, " features"});
    }
    std::vector<double> offsets;
    std::vector<double> scales;
    for (Index f = 0; f < features; ++f) {
      double low = std::numeric_limits<double>::infinity();
      double high = -low;
      for (Index t = 0; t < steps; ++t) {
        const double x = checked(value(t, f), t, f, "fit");
        low = std::min(low, x);
        high = std::max(high, x);
      }
      if (std::isinf(high - low)) {
        fail(place("fit"), "a feature whose range is a number", {"an overflow in feature ", f});
      }
      // A constant feature becomes constant, and inverts to exactly its value.
      offsets.push_back(low == high ? low : Derived::offset(low, high, steps, f, value));
      scales.push_back(low == high ? 1.0 : Derived::scale(low, high, steps, f, value));
    }
    offsets_ = std::move(offsets);
    scales_ = std::move(scales);
    return static_cast<Derived&>(*this);
  }

  void require_features(Index features, const char* call) const {
    if (!is_fitted()) fail(place(call), "fit() before it", "a scaler that was not fitted");
    if (features != this->features()) {
      fail(place(call), {this->features(), " features"}, {features});
    }
  }
  template <typename T, typename Map>
  std::vector<Scaled<T>> map_values(std::span<const T> series, const char* call, Map map) const {
    require_features(1, call);
    std::vector<Scaled<T>> result(series.size());
    for (std::size_t t = 0; t < series.size(); ++t) {
      const double x = checked(static_cast<double>(series[t]), static_cast<Index>(t), 0, call);
      result[t] = static_cast<Scaled<T>>(map(x, 0));
    }
    return result;
  }
  template <typename Matrix_, typename Map>
  Matrix<Scaled<typename Matrix_::Scalar>> map_matrix(const Matrix_& series, const char* call,
                                                      Map map) const {
    using To = Scaled<typename Matrix_::Scalar>;
    require_features(series.cols(), call);
    Matrix<To> result(series.rows(), series.cols());
    for (Index f = 0; f < series.cols(); ++f) {
      for (Index t = 0; t < series.rows(); ++t) {
        const double x = checked(static_cast<double>(series(t, f)), t, f, call);
        result(t, f) = static_cast<To>(map(x, static_cast<std::size_t>(f)));
      }
    }
    return result;
  }

  double low_ = 0.0;
  double width_ = 1.0;
};

}  // namespace detail

/// (x - mean) / standard deviation (divided by n), feature by feature. A constant feature becomes 0.
class StandardScaler : public detail::AffineScaler<StandardScaler> {
 public:
  static constexpr const char* name = "StandardScaler";

  /// One of each for every feature, as another program has learned them (scikit-learn's mean_ and scale_; 1
  /// for a constant feature). Throws when they are not as many, not finite, or a deviation is not > 0.
  static StandardScaler from_moments(std::vector<double> means, std::vector<double> standard_deviations) {
    StandardScaler scaler;
    scaler.set(std::move(means), std::move(standard_deviations), "from_moments", "means",
               "standard deviations");
    return scaler;
  }

  const std::vector<double>& means() const { return offsets_; }
  /// 1 for a constant feature.
  const std::vector<double>& standard_deviations() const { return scales_; }

 private:
  friend detail::AffineScaler<StandardScaler>;

  // Sums of (x - low) / (high - low), which neither overflow nor vanish, however large or small the values.
  template <typename Value>
  static double offset(double low, double high, Index steps, Index feature, Value value) {
    double sum = 0.0;
    for (Index t = 0; t < steps; ++t) sum += (value(t, feature) - low) / (high - low);
    return low + sum / static_cast<double>(steps) * (high - low);
  }
  template <typename Value>
  static double scale(double low, double high, Index steps, Index feature, Value value) {
    const double mean = offset(low, high, steps, feature, value);
    double sum = 0.0;
    for (Index t = 0; t < steps; ++t) {
      const double deviation = (value(t, feature) - mean) / (high - low);
      sum += deviation * deviation;
    }
    return std::sqrt(sum / static_cast<double>(steps)) * (high - low);
  }
};

struct MinMaxOptions {
  /// What the smallest value fitted becomes.
  double low = 0.0;
  /// What the largest value fitted becomes.
  double high = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [low, high] = self;
    visit("low", low);
    visit("high", high);
  }
  friend bool operator==(const MinMaxOptions&, const MinMaxOptions&) = default;
};

/// Maps the range of each feature to [low, high]; values outside the range that was fitted lie outside that.
/// A constant feature becomes low.
class MinMaxScaler : public detail::AffineScaler<MinMaxScaler> {
 public:
  static constexpr const char* name = "MinMaxScaler";

  explicit MinMaxScaler(const MinMaxOptions& options = {})
      : detail::AffineScaler<MinMaxScaler>(options.low, options.high - options.low), options_(options) {
    if (!std::isfinite(options.high - options.low) || !(options.high > options.low)) {
      detail::fail(name, "finite low < high", {options.low, " and ", options.high});
    }
  }

  /// One of each for every feature, as another program has learned them (scikit-learn's data_min_ and
  /// data_range_; 1 for a constant feature). Throws when they are not as many, not finite, or a range is not
  /// > 0.
  static MinMaxScaler from_ranges(std::vector<double> minimums, std::vector<double> ranges,
                                  const MinMaxOptions& options = {}) {
    MinMaxScaler scaler(options);
    scaler.set(std::move(minimums), std::move(ranges), "from_ranges", "minimums", "ranges");
    return scaler;
  }

  const MinMaxOptions& options() const { return options_; }
  const std::vector<double>& minimums() const { return offsets_; }
  /// Maximum - minimum; 1 for a constant feature.
  const std::vector<double>& ranges() const { return scales_; }

 private:
  friend detail::AffineScaler<MinMaxScaler>;

  template <typename Value>
  static double offset(double low, double, Index, Index, Value) {
    return low;
  }
  template <typename Value>
  static double scale(double low, double high, Index, Index, Value) {
    return high - low;
  }

  MinMaxOptions options_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
