#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "../core/detail/eigen.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "aggregate.hpp"
#include "detail/point_folds.hpp"
#include "detail/require_scores.hpp"
#include "window_grid.hpp"

// One score per point (time step) from windows that overlap. Every point from the start of the first window
// to the end of the last has one; the first and the last points are held by fewer windows. A point's score
// depends on the windows that hold it and on nothing after them, to the last bit. A tail window
// (`WindowOptions::tail_window`) scores only the points that no regular window holds.
namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

inline std::vector<double> point_scores_from_steps(const WindowGrid& windows,
                                                   const Eigen::Ref<const Matrix<double>>& step_errors,
                                                   Aggregate aggregate) {
  if (step_errors.rows() != windows.windows || step_errors.cols() != windows.length) {
    fail("point scores", {windows.windows, " windows x ", windows.length, " steps of errors"},
         {step_errors.rows(), " x ", step_errors.cols()});
  }
  for (Index step = 0; step < step_errors.cols(); ++step) {
    for (Index window = 0; window < step_errors.rows(); ++window) {
      if (is_nan(step_errors(window, step)) || step_errors(window, step) < 0.0) {
        fail("point scores", "errors >= 0",
             {step_errors(window, step), " at window ", window, ", step ", step});
      }
    }
  }
  if (aggregate == Aggregate::median) {
    return median_point_scores(windows, [&](Index window, Index step) { return step_errors(window, step); });
  }
  return fold_point_scores(windows, step_errors, aggregate);
}

}  // namespace detail

/// Each window's error first (one number per window, as from `mean_squared_errors`), then aggregated over the
/// windows that hold the point. Result k belongs to time step windows.start(0) + k. O(points) for mean, max
/// and min; O(points * length / stride) for the median; memory O(points). Throws when the numbers do not
/// match the windows, an error is negative or NaN, or the stride leaves points between the windows.
[[nodiscard]] inline std::vector<double> point_scores(const WindowGrid& windows,
                                                      std::span<const double> window_errors,
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
/// A template, since a matrix is also a range of numbers to some standard libraries, and so fits the span
/// above.
template <typename Errors>
  requires(Errors::ColsAtCompileTime != 1)
[[nodiscard]] std::vector<double> point_scores(const WindowGrid& windows,
                                               const Eigen::MatrixBase<Errors>& step_errors,
                                               Aggregate aggregate) {
  return detail::point_scores_from_steps(windows, step_errors.derived(), aggregate);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
