#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "../../core/detail/eigen.hpp"
#include "../../core/detail/statistics.hpp"
#include "../../core/sequences.hpp"
#include "../aggregate.hpp"
#include "../window_grid.hpp"

// How the errors of the windows that hold a point become one number.
namespace reprise {
inline namespace REPRISE_ABI {
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

/// Takes the errors of windows (each windows x steps) in their order and folds them point by point.
class PointFold {
 public:
  PointFold(const WindowGrid& grid, Aggregate aggregate)
      : ranges_(grid), aggregate_(aggregate), scores_(static_cast<std::size_t>(grid.points)) {
    if (aggregate == Aggregate::median) open_.resize(static_cast<std::size_t>(grid.length));
  }
  void add(Index window, Index step, double error) {
    const Index point = ranges_.start(window) + step;
    const WindowRange range = ranges_(point);
    if (window < range.first || window > range.last) return;  // a tail window over points that others hold
    double& score = scores_[static_cast<std::size_t>(point)];
    if (aggregate_ == Aggregate::median) {
      // Points that are open at once lie in one window, so that their slots differ.
      auto& held = open_[static_cast<std::size_t>(point) % open_.size()];
      if (window == range.first) held.clear();
      held.push_back(error);
      if (window == range.last) score = median_of(held);
      return;
    }
    score = window == range.first ? error : fold(score, error);
    if (window == range.last && aggregate_ == Aggregate::mean) {
      score /= static_cast<double>(range.last - range.first + 1);
    }
  }
  std::vector<double> scores() && { return std::move(scores_); }

 private:
  double fold(double a, double b) const {
    switch (aggregate_) {
      case Aggregate::max: return std::max(a, b);
      case Aggregate::min: return std::min(a, b);
      default: return a + b;
    }
  }

  WindowRanges ranges_;
  Aggregate aggregate_;
  std::vector<double> scores_;
  std::vector<std::vector<double>> open_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
