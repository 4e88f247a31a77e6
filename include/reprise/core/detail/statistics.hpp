#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>

#include "../version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// The middle value, or the mean of the two middle ones. Not empty; reorders.
inline double median_of(std::span<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

/// The q-quantile by linear interpolation at position q * (n - 1) of the sorted values, NumPy's default. Not
/// empty, finite; reorders.
inline double quantile_of(std::span<double> values, double q) {
  const double position = q * static_cast<double>(values.size() - 1);
  const double below = std::floor(position);
  const auto lower = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), lower, values.end());
  if (position == below) return *lower;
  return std::lerp(*lower, *std::min_element(lower + 1, values.end()), position - below);
}

inline double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Divided by n, not n - 1.
inline double standard_deviation_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double sum = 0.0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
