#pragma once

#include "../../core/sequences.hpp"
#include "../../core/series.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A row for each step, a column for each feature.
template <SeriesLike S>
Matrix<double> series_matrix(const S& series) {
  if constexpr (EigenSeries<S>) {
    return SeriesView(eigen_series(series).eval()).matrix();
  } else {
    return SeriesView(series).matrix();
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
