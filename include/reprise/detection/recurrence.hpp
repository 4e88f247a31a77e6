#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "../core/sequences.hpp"
#include "nearest_in_series.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How many times as large the error of a window is (geometric mean over the windows of 24 points) where it
/// is held against those alone that start at least a quarter of the series away from it, as where it is held
/// against all that start `gap` points or more behind its end or before its start. About 1 where what was
/// comes again. A later series lies as far away as the former; where they are less alike than what is near,
/// it changes as time goes on, and errors on what comes are larger than those that calibrate. 1 where the
/// series is too short to tell. `scaled`: mean 0 and variance 1 in each feature, or constant 0.
inline double far_error(const Matrix<double>& scaled, Index gap, int threads = 1) {
  constexpr Index length = 24;
  // Next to this, in units of the training variance, an error is none.
  constexpr double least = 1e-4;
  const Index near_zone = length + gap, far_zone = scaled.rows() / 4;
  if (far_zone <= near_zone || scaled.rows() < 2 * far_zone + length - 1) return 1.0;
  const NearestInSeries nearest(scaled, length);
  const std::vector<double> of_near = nearest.held_out_errors(near_zone, threads).raw;
  const std::vector<double> of_far = nearest.held_out_errors(far_zone, threads).raw;
  double sum = 0.0;
  for (std::size_t i = 0; i < of_near.size(); ++i)
    sum += std::log((of_far[i] + least) / (of_near[i] + least));
  return std::exp(sum / static_cast<double>(of_near.size()));
}

}  // namespace REPRISE_ABI
}  // namespace reprise
