#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "../core/sequences.hpp"
#include "../core/windows.hpp"
#include "aggregate.hpp"
#include "statistics.hpp"

// One score per point (time step) from windows that overlap. Every point from the start of the first window
// to the end of the last has one; the first and the last points are held by fewer windows. A point's score
// depends on the windows that hold it and on nothing after them, to the last bit. A tail window
// (`WindowOptions::tail_window`) scores only the points that no regular window holds.
namespace reprise {
inline namespace REPRISE_ABI {

/// Where windows lie, for those who have no `Windows`: window i starts at point i * stride.
struct WindowGrid {
  Index windows = 0;
  Index length = 1;
  Index stride = 1;
  /// From the start of the first window to the end of the last. 0: (windows - 1) * stride + length. Less than
  /// that: the last window is a tail window and ends at the last of these points.
  Index points = 0;

  WindowGrid() = default;
  WindowGrid(Index windows_, Index length_, Index stride_ = 1, Index points_ = 0)
      : windows(windows_), length(length_), stride(stride_), points(points_) {
    detail::require_positive(windows, "point scores", "number of windows");
    detail::require_positive(length, "point scores", "length");
    detail::require_positive(stride, "point scores", "stride");
    if (stride > length) {
      detail::fail("point scores", {"windows that leave no point out: stride <= length ", length},
                   {"stride ", stride});
    }
    const Index most = (windows - 1) * stride + length;
    if (points == 0) points = most;
    const Index least = windows == 1 ? most : most - stride + 1;
    if (points < least || points > most) {
      detail::fail("point scores", {least, " to ", most, " points under the windows"}, {points});
    }
  }
  /// Implicit: point k is time step windows.start(0) + k of the series.
  WindowGrid(const Windows& source)
      : WindowGrid(source.size(), source.length(), source.stride(),
                   source.start(source.size() - 1) + source.length() - source.start(0)) {}
};

namespace detail {

/// The windows [first, last] that score a point.
struct WindowRange {
  Index first;
  Index last;
  friend bool operator==(const WindowRange&, const WindowRange&) = default;
};

class WindowRanges {
 public:
  explicit WindowRanges(const WindowGrid& grid) : grid_(grid) {
    const bool has_tail = grid.points != (grid.windows - 1) * grid.stride + grid.length;
    regular_ = grid.windows - (has_tail ? 1 : 0);
    regular_points_ = (regular_ - 1) * grid.stride + grid.length;
  }
  WindowRange operator()(Index point) const {
    if (point >= regular_points_) return {grid_.windows - 1, grid_.windows - 1};
    const Index past = point - grid_.length;  // the last start that is too early
    return {past < 0 ? 0 : past / grid_.stride + 1, std::min(point / grid_.stride, regular_ - 1)};
  }
  Index start(Index window) const { return std::min(window * grid_.stride, grid_.points - grid_.length); }
  Index regular_windows() const { return regular_; }
  /// The most windows that hold one point.
  Index widest() const { return (grid_.length + grid_.stride - 1) / grid_.stride; }

 private:
  WindowGrid grid_;
  Index regular_ = 0;
  Index regular_points_ = 0;
};

/// Folds ranges of at most `widest` neighbouring values in constant time each: values are cut into blocks of
/// that many, folded from each block's start and from each block's end, and a range is the end of one block
/// and the start of the next (van Herk 1992, Gil and Werman 1993). Nothing is ever taken out of a fold again,
/// so a sum keeps no rounding of a large value that has passed.
template <typename Fold>
class RangeFold {
 public:
  RangeFold(std::span<const double> values, Index widest, Fold fold)
      : block_(widest), fold_(fold), from_start_(values.begin(), values.end()), to_end_(from_start_) {
    const auto block = static_cast<std::size_t>(widest);
    for (std::size_t i = 1; i < values.size(); ++i) {
      if (i % block != 0) from_start_[i] = fold(from_start_[i - 1], values[i]);
    }
    for (std::size_t i = values.size() - 1; i-- > 0;) {
      if ((i + 1) % block != 0) to_end_[i] = fold(values[i], to_end_[i + 1]);
    }
  }
  /// The range has `widest` values or one less, or begins or ends where the values do.
  double operator()(const WindowRange& range) const {
    const double start = from_start_[static_cast<std::size_t>(range.last)];
    if (range.first % block_ == 0) return start;
    const double end = to_end_[static_cast<std::size_t>(range.first)];
    return range.first / block_ == range.last / block_ ? end : fold_(end, start);
  }

 private:
  Index block_;
  Fold fold_;
  std::vector<double> from_start_;
  std::vector<double> to_end_;
};

struct Add {
  double operator()(double a, double b) const { return a + b; }
};
struct Larger {
  double operator()(double a, double b) const { return std::max(a, b); }
};
struct Smaller {
  double operator()(double a, double b) const { return std::min(a, b); }
};

template <typename Fold>
std::vector<double> folded_point_scores(const WindowGrid& grid, std::span<const double> errors, Fold fold,
                                        bool is_mean) {
  const WindowRanges ranges(grid);
  const RangeFold<Fold> folded(errors.first(static_cast<std::size_t>(ranges.regular_windows())),
                               ranges.widest(), fold);
  std::vector<double> scores(static_cast<std::size_t>(grid.points));
  for (Index point = 0; point < grid.points; ++point) {
    const WindowRange range = ranges(point);
    const bool in_tail = range.first >= ranges.regular_windows();
    const double value = in_tail ? errors.back() : folded(range);
    const auto count = static_cast<double>(range.last - range.first + 1);
    scores[static_cast<std::size_t>(point)] = is_mean ? value / count : value;
  }
  return scores;
}

/// One fold over all values, each of which belongs to one point.
template <typename Fold>
std::vector<double> folded_point_scores(const WindowGrid& grid,
                                        const Eigen::Ref<const Matrix<double>>& errors, Fold fold,
                                        bool is_mean) {
  const WindowRanges ranges(grid);
  std::vector<double> scores(static_cast<std::size_t>(grid.points));
  for (Index point = 0; point < grid.points; ++point) {
    const WindowRange range = ranges(point);
    double value = errors(range.first, point - ranges.start(range.first));
    for (Index w = range.first + 1; w <= range.last; ++w)
      value = fold(value, errors(w, point - ranges.start(w)));
    const auto count = static_cast<double>(range.last - range.first + 1);
    scores[static_cast<std::size_t>(point)] = is_mean ? value / count : value;
  }
  return scores;
}

/// error(window, step of the window)
template <typename ErrorAt>
std::vector<double> median_point_scores(const WindowGrid& grid, ErrorAt error) {
  const WindowRanges ranges(grid);
  std::vector<double> held;
  std::vector<double> scores(static_cast<std::size_t>(grid.points));
  for (Index point = 0; point < grid.points; ++point) {
    const WindowRange range = ranges(point);
    held.clear();
    for (Index w = range.first; w <= range.last; ++w) held.push_back(error(w, point - ranges.start(w)));
    scores[static_cast<std::size_t>(point)] = median_of(held);
  }
  return scores;
}

template <typename Errors>
std::vector<double> fold_point_scores(const WindowGrid& grid, const Errors& errors, Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::max: return folded_point_scores(grid, errors, Larger{}, false);
    case Aggregate::min: return folded_point_scores(grid, errors, Smaller{}, false);
    case Aggregate::mean: return folded_point_scores(grid, errors, Add{}, true);
    // A sum would be smaller for the first and last points, which fewer windows hold.
    default: fail("point scores", "mean, median, max or min over the windows", "another aggregate");
  }
}

}  // namespace detail

/// Each window's error first (one number per window, as from `mean_squared_errors`), then aggregated over the
/// windows that hold the point. Result k belongs to time step windows.start(0) + k. O(points) for mean, max
/// and min; O(points * length / stride) for the median; memory O(points). Throws when the numbers do not
/// match the windows, an error is negative or NaN, or the stride leaves points between the windows.
inline std::vector<double> point_scores(const WindowGrid& windows, std::span<const double> window_errors,
                                        Aggregate aggregate) {
  if (static_cast<Index>(window_errors.size()) != windows.windows) {
    detail::fail("point scores", {windows.windows, " window errors"}, {window_errors.size()});
  }
  detail::require_scores(window_errors, "point scores");
  if (aggregate == Aggregate::median) {
    return detail::median_point_scores(
        windows, [&](Index window, Index) { return window_errors[static_cast<std::size_t>(window)]; });
  }
  return detail::fold_point_scores(windows, window_errors, aggregate);
}

/// The point's own errors first (windows x steps, as from `mean_squared_errors_per_step`), then aggregated
/// over the windows that hold the point. O(windows * length), memory O(points). Throws as above.
inline std::vector<double> point_scores(const WindowGrid& windows,
                                        const Eigen::Ref<const Matrix<double>>& step_errors,
                                        Aggregate aggregate) {
  if (step_errors.rows() != windows.windows || step_errors.cols() != windows.length) {
    detail::fail("point scores", {windows.windows, " windows x ", windows.length, " steps of errors"},
                 {step_errors.rows(), " x ", step_errors.cols()});
  }
  for (Index step = 0; step < step_errors.cols(); ++step) {
    for (Index window = 0; window < step_errors.rows(); ++window) {
      if (!(step_errors(window, step) >= 0.0)) {
        detail::fail("point scores", "errors >= 0",
                     {step_errors(window, step), " at window ", window, ", step ", step});
      }
    }
  }
  if (aggregate == Aggregate::median) {
    return detail::median_point_scores(windows,
                                       [&](Index window, Index step) { return step_errors(window, step); });
  }
  return detail::fold_point_scores(windows, step_errors, aggregate);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
