#pragma once

#include <cmath>

#include "../core/sequences.hpp"
#include "detail/point_folds.hpp"
#include "detail/window_source.hpp"
#include "window_grid.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

enum class ErrorSign {
  /// x - y.
  signed_,
  /// |x - y|.
  absolute
};

/// (windows * steps) x features, a window's steps in order: the errors of every step of every window. For
/// windows that do not overlap, as in the paper, a row for each point.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Matrix<double> error_vectors(const Input& input, const Reconstruction& reconstruction,
                                           ErrorSign sign = ErrorSign::absolute) {
  const SequenceShape shape = detail::point_shape(input);
  Matrix<double> result(detail::window_count(input) * shape.steps, shape.features);
  detail::for_each_error(input, reconstruction, [&](Index window, Index step, Index feature, double error) {
    result(window * shape.steps + step, feature) = sign == ErrorSign::absolute ? std::abs(error) : error;
  });
  return result;
}

/// points x features: a point's error vector is the mean of its errors over all windows that hold it (of
/// their absolute values where `sign` says so). `grid` says where the windows lie.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Matrix<double> point_error_vectors(const WindowGrid& grid, const Input& input,
                                                 const Reconstruction& reconstruction,
                                                 ErrorSign sign = ErrorSign::absolute) {
  const SequenceShape shape = detail::point_shape(input);
  if (detail::window_count(input) != grid.windows || shape.steps != grid.length) {
    detail::fail("point_error_vectors", {grid.windows, " windows of ", grid.length, " steps"},
                 {detail::window_count(input), " of ", shape.steps});
  }
  const detail::WindowRanges ranges(grid);
  Matrix<double> result = Matrix<double>::Zero(grid.points, shape.features);
  detail::for_each_error(input, reconstruction, [&](Index window, Index step, Index feature, double error) {
    const Index point = ranges.start(window) + step;
    const detail::WindowRange range = ranges(point);
    if (window < range.first || window > range.last) return;  // a tail window over points that others hold
    const auto count = static_cast<double>(range.last - range.first + 1);
    result(point, feature) += (sign == ErrorSign::absolute ? std::abs(error) : error) / count;
  });
  return result;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
