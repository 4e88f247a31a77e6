#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "detail/visit.hpp"
#include "finite.hpp"
#include "sequences.hpp"
#include "series.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct WindowOptions {
  /// Time steps in a window. Must be given.
  Index length = 0;
  /// Time steps from the start of a window to the start of the next.
  Index stride = 1;
  /// Where the stride leaves steps at the end of the series that no window holds: one more window that ends
  /// at the last step.
  bool tail_window = false;
  /// Neighbouring time steps of the series that one step of the network holds: a long window becomes few
  /// steps. Where the length is no multiple of it, the last patch is padded with zeros, which neither loss
  /// nor errors see.
  Index patch = 1;
  /// Time steps after a window that a network shall predict from it, whatever the patch; 0 where it shall
  /// reproduce the window itself. Each window keeps room for them at the end of the series.
  Index horizon = 0;
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

Windows make_windows(std::shared_ptr<const Series> series, const WindowOptions& options);
template <typename Value>
Windows make_windows(std::vector<Value> values, Index features, const WindowOptions& options);

}  // namespace detail

/// Windows over one shared series: offsets, not copies. A `Windows` owns its share of the series, so the
/// vector it was made from may go. Its type does not depend on the element type of the series.
///
/// It speaks of points, the time steps of the series. Only `shape` and `gather` speak of the steps of the
/// network: patches of p points with F features each. Row k * F + f of a step is feature f of the patch's
/// point k.
///
/// To a network's training it is a `DataSource`: what goes in is the windows, and what shall come out is the
/// windows again or, where there is a horizon, what follows them.
class Windows {
 public:
  // A move is a copy, so that what was moved from can still be used.
  Windows(const Windows&) = default;
  Windows& operator=(const Windows&) = default;

  /// Number of windows.
  Index size() const { return count_; }
  /// Points in each window.
  Index length() const { return length_; }
  Index stride() const { return stride_; }
  Index features() const { return series_->features; }
  /// Points in a patch.
  Index patch() const { return patch_; }
  /// Points after each window that belong to it as what is to be predicted.
  Index horizon() const { return horizon_; }
  /// What a network sees: ceil(length / patch) steps of features * patch values.
  SequenceShape shape() const {
    return {.steps = (length_ + patch_ - 1) / patch_, .features = features() * patch_};
  }
  /// Values of the last step that are no padding.
  Index last_step_features() const { return features() * ((length_ - 1) % patch_ + 1); }
  /// The same windows with single points for steps.
  [[nodiscard]] Windows points() const {
    Windows result = *this;
    result.patch_ = 1;
    return result;
  }
  /// What follows the windows, as windows of their own: `horizon` points that begin where the window ends.
  /// Throws where the horizon is 0.
  [[nodiscard]] Windows following() const {
    detail::require_positive(horizon_, "windows: following", "horizon");
    Windows result = points();
    result.first_start_ += length_;
    result.last_start_ += length_;
    result.length_ = horizon_;
    result.horizon_ = 0;
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
    eigen_assert(step >= 0 && step < series_steps() && feature >= 0 && feature < features());
    return detail::visit([&](const auto& v) { return static_cast<double>(v[offset(step, feature)]); },
                         series_->values);
  }
  /// Each index is asserted where Eigen's are, that is unless NDEBUG is defined.
  double operator()(Index window, Index step, Index feature) const {
    eigen_assert(window >= 0 && window < count_ && step >= 0 && step < length_);
    return series_value(start(window) + step, feature);
  }

  /// Windows [first, first + count).
  [[nodiscard]] Windows subset(Index first, Index count) const {
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

  /// The first floor(size * fraction) windows, and of the rest those that share no value with them, where the
  /// horizon of a window counts as a part of it. Throws when either part would be empty.
  [[nodiscard]] std::pair<Windows, Windows> split(double fraction) const {
    const bool possible = detail::is_finite(fraction) && fraction > 0.0 && fraction < 1.0;
    const auto first = possible ? static_cast<Index>(std::floor(static_cast<double>(count_) * fraction)) : 0;
    const Index extent = length_ + horizon_;
    const Index overlapping = (extent - 1) / stride_;
    const Index second = first + overlapping;
    if (first <= 0 || second >= count_ || start(second) < start(first - 1) + extent) {
      detail::fail("windows: split",
                   {"a fraction that leaves windows on both sides (of ", count_, ", with ", overlapping,
                    " left out between)"},
                   {fraction});
    }
    return {subset(0, first), subset(second, count_ - second)};
  }

  // ---- What a network shall learn, see training/source.hpp ----
  SequenceShape input_shape() const { return shape(); }
  SequenceShape target_shape() const {
    return horizon_ > 0 ? SequenceShape{.steps = horizon_, .features = features()} : shape();
  }
  bool targets_are_inputs() const { return horizon_ == 0; }
  Index target_last_step_features() const { return horizon_ > 0 ? features() : last_step_features(); }
  template <typename Scalar>
  void gather(std::span<const Index> windows, SequenceView<Scalar> inputs,
              SequenceView<Scalar> targets) const {
    gather(windows, inputs);
    if (targets.data != nullptr) (horizon_ > 0 ? following() : *this).gather(windows, targets);
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
            Scalar* to = batch.step_data(t);
            for (const Index window : windows) {
              copy_step(values, window, t, batch.features, t + 1 == batch.steps, to);
              to += batch.features;
            }
          }
        },
        series_->values);
  }
  /// Copies one window into a column of a batch of the same shape; for those that gather from several series.
  template <typename Scalar>
  void gather_one(Index window, SequenceView<Scalar> batch, Index column) const {
    detail::visit(
        [&](const auto& values) {
          for (Index t = 0; t < batch.steps; ++t) {
            copy_step(values, window, t, batch.features, t + 1 == batch.steps,
                      batch.step_data(t) + column * batch.features);
          }
        },
        series_->values);
  }

 private:
  friend Windows detail::make_windows(std::shared_ptr<const detail::Series> series,
                                      const WindowOptions& options);
  Windows() = default;

  /// Step t of the network: so many features, of which those that pad the last step are zero.
  template <typename Value, typename Scalar>
  void copy_step(const std::vector<Value>& values, Index window, Index t, Index features, bool is_last,
                 Scalar* to) const {
    const Value* const from = values.data() + offset(start(window) + t * patch_, 0);
    const Index count = is_last ? last_step_features() : features;
    for (Index f = 0; f < count; ++f) to[f] = static_cast<Scalar>(from[f]);
    for (Index f = count; f < features; ++f) to[f] = Scalar(0);
  }
  std::size_t offset(Index step, Index feature) const {
    return static_cast<std::size_t>(step * series_->features + feature);
  }

  std::shared_ptr<const detail::Series> series_;
  Index length_ = 0;
  Index stride_ = 1;
  Index patch_ = 1;
  Index horizon_ = 0;
  Index first_start_ = 0;
  Index last_start_ = 0;
  Index count_ = 0;
};

inline Windows detail::make_windows(std::shared_ptr<const detail::Series> shared,
                                    const WindowOptions& options) {
  const detail::Series& series = *shared;
  if (options.length <= 0) {
    detail::fail("sliding_windows", "a window length of at least 1 step, which must be given",
                 {options.length});
  }
  detail::require_positive(options.stride, "sliding_windows", "stride");
  detail::require_positive(options.patch, "sliding_windows", "patch");
  if (options.patch > options.length) {
    detail::fail("sliding_windows", {"a patch of at most the window's ", options.length, " steps"},
                 {options.patch});
  }
  if (options.horizon < 0) detail::fail("sliding_windows", "horizon >= 0", {options.horizon});
  detail::require_positive(series.features, "sliding_windows", "number of features");
  const Index steps = series.steps();
  if (steps < options.length || options.horizon > steps - options.length) {
    const auto needed =
        static_cast<std::uint64_t>(options.length) + static_cast<std::uint64_t>(options.horizon);
    detail::fail("sliding_windows", {"a series of at least ", needed, " steps"}, {steps, " steps"});
  }
  const Index extent = options.length + options.horizon;  // of the series that one window needs
  detail::visit(
      [&](const auto& values) {
        const auto bad =
            std::find_if(values.begin(), values.end(), [](auto v) { return !detail::is_finite(v); });
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
  windows.horizon_ = options.horizon;
  windows.count_ = (steps - extent) / options.stride + 1;
  windows.last_start_ = (windows.count_ - 1) * options.stride;
  if (options.tail_window && windows.last_start_ + extent < steps) {
    windows.last_start_ = steps - extent;
    ++windows.count_;
  }
  windows.series_ = std::move(shared);
  return windows;
}
template <typename Value>
Windows detail::make_windows(std::vector<Value> values, Index features, const WindowOptions& options) {
  return make_windows(std::shared_ptr<const Series>(new Series{std::move(values), features}), options);
}

/// All windows of `length` steps, `stride` apart, over a series with one feature. The vector is moved where
/// it is a temporary, else copied once: n values, not n * length. Throws when the series is shorter than one
/// window and its horizon, or names the place of the first NaN or infinity.
[[nodiscard]] inline Windows sliding_windows(std::vector<float> series, const WindowOptions& options) {
  return detail::make_windows(std::move(series), 1, options);
}
[[nodiscard]] inline Windows sliding_windows(std::vector<double> series, const WindowOptions& options) {
  return detail::make_windows(std::move(series), 1, options);
}
/// The same over any other series (core/series.hpp): integers, spans, arrays, Eigen matrices with a row for
/// each time step.
template <SeriesLike S>
[[nodiscard]] Windows sliding_windows(const S& series, const WindowOptions& options) {
  using Stored = detail::StoredValue<S>;
  const auto read = [&](const SeriesView& view) {
    return detail::make_windows(view.template values<Stored>(), view.features(), options);
  };
  if constexpr (detail::EigenSeries<S>) {
    return read(detail::eigen_series(series).eval());  // of an expression there may be no single values
  } else {
    return read(series);
  }
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

/// A network's reconstruction of windows with patches, point by point: windows x length x features.
template <typename Scalar>
[[nodiscard]] Sequences<Scalar> points_of(const Windows& windows, const Sequences<Scalar>& reconstruction) {
  if (reconstruction.shape() != windows.shape() || reconstruction.batch() != windows.size()) {
    detail::fail("points_of", {windows.size(), " windows of ", to_string(windows.shape())},
                 {reconstruction.batch(), " of ", to_string(reconstruction.shape())});
  }
  Sequences<Scalar> result(
      {.samples = windows.size(), .steps = windows.length(), .features = windows.features()});
  detail::unpatch(reconstruction.view(), result.view());
  return result;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
