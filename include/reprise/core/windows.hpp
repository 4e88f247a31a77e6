#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "sequences.hpp"
#include "visit.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct WindowOptions {
  /// Time steps in a window.
  Index length = 1;
  /// Time steps from the start of a window to the start of the next.
  Index stride = 1;
  /// Where the stride leaves steps at the end of the series that no window holds: one more window that ends
  /// at the last step.
  bool tail_window = false;
  /// Neighbouring time steps of the series that one step of the network holds: a long window becomes few
  /// steps. Where the length is no multiple of it, the last patch is padded with zeros, which neither loss
  /// nor errors see.
  Index patch = 1;
};

class Windows;

namespace detail {

/// A series of n time steps, each with `features` values side by side.
struct Series {
  std::variant<std::vector<float>, std::vector<double>> values;
  Index features = 1;

  Index steps() const {
    return detail::visit([](const auto& v) { return static_cast<Index>(v.size()); }, values) / features;
  }
};

Windows make_windows(Series series, const WindowOptions& options);

}  // namespace detail

/// Windows over one shared series: offsets, not copies. A `Windows` owns its share of the series, so the
/// vector it was made from may go. Its type does not depend on the element type of the series.
///
/// It speaks of points, the time steps of the series. Only `shape` and `gather` speak of the steps of the
/// network: patches of p points with F features each. Row k * F + f of a step is feature f of the patch's
/// point k.
class Windows {
 public:
  /// Number of windows.
  Index size() const { return count_; }
  /// Points in each window.
  Index length() const { return length_; }
  Index stride() const { return stride_; }
  Index features() const { return series_->features; }
  /// Points in a patch.
  Index patch() const { return patch_; }
  /// What a network sees: ceil(length / patch) steps of features * patch values.
  SequenceShape shape() const { return {features() * patch_, (length_ + patch_ - 1) / patch_}; }
  /// Values of the last step that are no padding.
  Index last_step_features() const { return features() * ((length_ - 1) % patch_ + 1); }
  /// The same windows with single points for steps.
  Windows points() const {
    Windows result = *this;
    result.patch_ = 1;
    return result;
  }
  /// The time step of the series at which window i starts.
  Index start(Index window) const { return std::min(first_start_ + window * stride_, last_start_); }
  /// Whether the last window starts less than a stride after the one before it.
  bool has_tail_window() const { return first_start_ + (count_ - 1) * stride_ != last_start_; }
  /// Time steps in the whole series below.
  Index series_steps() const { return series_->steps(); }

  /// The value of the series at a time step, whatever window holds it.
  double series_value(Index step, Index feature) const {
    return detail::visit([&](const auto& v) { return static_cast<double>(v[offset(step, feature)]); },
                         series_->values);
  }
  double operator()(Index window, Index step, Index feature) const {
    return series_value(start(window) + step, feature);
  }

  /// Windows [first, first + count).
  Windows subset(Index first, Index count) const {
    if (first < 0 || count <= 0 || count > count_ - first) {
      detail::fail("windows: subset", {"a non-empty range within ", count_, " windows"},
                   {"[", first, ", ", first + count, ")"});
    }
    Windows result = *this;
    result.first_start_ = start(first);
    result.last_start_ = start(first + count - 1);
    result.count_ = count;
    return result;
  }

  /// The first floor(size * fraction) windows, and of the rest those that share no value with them. Throws
  /// when either part would be empty.
  std::pair<Windows, Windows> split(double fraction) const {
    const bool possible = fraction > 0.0 && fraction < 1.0;  // NaN is not
    const auto first = possible ? static_cast<Index>(std::floor(static_cast<double>(count_) * fraction)) : 0;
    const Index overlapping = (length_ - 1) / stride_;
    const Index second = first + overlapping;
    if (first <= 0 || second >= count_ || start(second) < start(first - 1) + length_) {
      detail::fail("windows: split",
                   {"a fraction that leaves windows on both sides (of ", count_, ", with ", overlapping,
                    " left out between)"},
                   {fraction});
    }
    return {subset(0, first), subset(second, count_ - second)};
  }

  /// Copies the windows with the given numbers into a batch, converting to its scalar.
  template <typename Scalar>
  void gather(std::span<const Index> windows, SequenceView<Scalar> batch) const {
    if (batch.shape() != shape() || batch.batch != static_cast<Index>(windows.size())) {
      detail::fail("windows: gather", {"a batch of ", windows.size(), " of ", to_string(shape())},
                   {batch.batch, " of ", to_string(batch.shape())});
    }
    for (const Index window : windows) {
      if (window < 0 || window >= count_) {
        detail::fail("windows: gather", {"window numbers below ", count_}, {window});
      }
    }
    detail::visit(
        [&](const auto& values) {
          for (Index t = 0; t < batch.steps; ++t) {
            Scalar* to = batch.data + t * batch.batch * batch.features;
            const Index count = t + 1 < batch.steps ? batch.features : last_step_features();
            for (const Index window : windows) {
              const auto* from = values.data() + offset(start(window) + t * patch_, 0);
              for (Index f = 0; f < count; ++f) *to++ = static_cast<Scalar>(from[f]);
              for (Index f = count; f < batch.features; ++f) *to++ = Scalar(0);
            }
          }
        },
        series_->values);
  }

 private:
  friend Windows detail::make_windows(detail::Series series, const WindowOptions& options);
  Windows() = default;

  std::size_t offset(Index step, Index feature) const {
    return static_cast<std::size_t>(step * series_->features + feature);
  }

  std::shared_ptr<const detail::Series> series_;
  Index length_ = 0;
  Index stride_ = 1;
  Index patch_ = 1;
  Index first_start_ = 0;
  Index last_start_ = 0;
  Index count_ = 0;
};

inline Windows detail::make_windows(detail::Series series, const WindowOptions& options) {
  detail::require_positive(options.length, "sliding_windows", "length");
  detail::require_positive(options.stride, "sliding_windows", "stride");
  detail::require_positive(options.patch, "sliding_windows", "patch");
  if (options.patch > options.length) {
    detail::fail("sliding_windows", {"a patch of at most the window's ", options.length, " steps"},
                 {options.patch});
  }
  detail::require_positive(series.features, "sliding_windows", "number of features");
  const Index steps = series.steps();
  if (steps < options.length) {
    detail::fail("sliding_windows", {"a series of at least ", options.length, " steps"}, {steps, " steps"});
  }
  detail::visit(
      [&](const auto& values) {
        const auto bad = std::find_if(values.begin(), values.end(), [](auto v) { return !std::isfinite(v); });
        if (bad != values.end()) {
          const Index place = static_cast<Index>(bad - values.begin());
          detail::fail("sliding_windows", "finite values",
                       {*bad, " at step ", place / series.features, ", feature ", place % series.features});
        }
      },
      series.values);
  Windows windows;
  windows.length_ = options.length;
  windows.stride_ = options.stride;
  windows.patch_ = options.patch;
  windows.count_ = (steps - options.length) / options.stride + 1;
  windows.last_start_ = (windows.count_ - 1) * options.stride;
  if (options.tail_window && windows.last_start_ + options.length < steps) {
    windows.last_start_ = steps - options.length;
    ++windows.count_;
  }
  windows.series_ = std::make_shared<const detail::Series>(std::move(series));
  return windows;
}

/// All windows of `length` steps, `stride` apart, over a series with one feature. The vector is moved where
/// it is a temporary, else copied once: n values, not n * length. Throws when the series is shorter than one
/// window, or names the place of the first NaN or infinity.
inline Windows sliding_windows(std::vector<float> series, const WindowOptions& options) {
  return detail::make_windows({std::move(series), 1}, options);
}
inline Windows sliding_windows(std::vector<double> series, const WindowOptions& options) {
  return detail::make_windows({std::move(series), 1}, options);
}
template <typename T, std::size_t Extent>
  requires std::is_arithmetic_v<T>
Windows sliding_windows(std::span<T, Extent> series, const WindowOptions& options) {
  using Stored = std::conditional_t<std::is_same_v<std::remove_const_t<T>, float>, float, double>;
  return detail::make_windows({std::vector<Stored>(series.begin(), series.end()), 1}, options);
}
template <std::integral T>
Windows sliding_windows(const std::vector<T>& series, const WindowOptions& options) {
  return sliding_windows(std::span<const T>(series), options);
}

/// The same over an Eigen matrix (or vector) with one row per time step and one column per feature.
template <typename Derived>
Windows sliding_windows(const Eigen::DenseBase<Derived>& series, const WindowOptions& options) {
  using Stored = std::conditional_t<std::same_as<typename Derived::Scalar, float>, float, double>;
  std::vector<Stored> values(static_cast<std::size_t>(series.size()));
  Eigen::Map<Matrix<Stored>>(values.data(), series.cols(), series.rows()) =
      series.derived().template cast<Stored>().transpose();
  return detail::make_windows({std::move(values), series.cols()}, options);
}

namespace detail {

/// From patches to the points they hold, without the padding.
template <typename Scalar>
void unpatch(SequenceView<const Scalar> patches, SequenceView<Scalar> points) {
  const Index F = points.features, patch = patches.features / F;
  for (Index t = 0; t < points.steps; ++t) {
    for (Index b = 0; b < points.batch; ++b) {
      std::copy_n(patches.step_data(t / patch) + b * patches.features + t % patch * F, F,
                  points.step_data(t) + b * F);
    }
  }
}

}  // namespace detail

/// A network's reconstruction of windows with patches, point by point: features x windows x length.
template <typename Scalar>
Sequences<Scalar> points_of(const Windows& windows, const Sequences<Scalar>& reconstruction) {
  if (reconstruction.shape() != windows.shape() || reconstruction.batch() != windows.size()) {
    detail::fail("points_of", {windows.size(), " windows of ", to_string(windows.shape())},
                 {reconstruction.batch(), " of ", to_string(reconstruction.shape())});
  }
  Sequences<Scalar> result(windows.features(), windows.size(), windows.length());
  detail::unpatch(reconstruction.view(), result.view());
  return result;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
