#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "../../core/finite.hpp"
#include "../../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Autocorrelation at lags 0 to `lags`, mean over the features; all 0 where no feature varies. `scaled` has
/// mean 0 and variance 1 in each feature (or is constant 0), a row a time step.
template <typename Scalar>
std::vector<double> autocorrelation(const Matrix<Scalar>& scaled, Index lags) {
  std::vector<double> result(static_cast<std::size_t>(lags) + 1, 0.0);
  const double power = scaled.squaredNorm() / static_cast<double>(scaled.rows());
  if (is_nan(power) || power <= 0.0) return result;
  for (Index lag = 0; lag <= lags; ++lag) {
    const Index pairs = scaled.rows() - lag;
    const double sum = scaled.topRows(pairs).cwiseProduct(scaled.bottomRows(pairs)).sum();
    result[static_cast<std::size_t>(lag)] = sum / static_cast<double>(pairs) / power;
  }
  return result;
}

/// How far a series remembers: the first lag at which its autocorrelation is below a tenth, and at least 1;
/// `most` where there is none up to there. Of a series that repeats itself this is about a quarter of its
/// period.
inline Index correlation_time(const Matrix<double>& scaled, Index most) {
  const std::vector<double> values = autocorrelation(scaled, most);
  for (Index lag = 1; lag < most; ++lag) {
    if (values[static_cast<std::size_t>(lag)] < 0.1) return lag;
  }
  return std::max<Index>(1, most);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
