#pragma once

#include <limits>

#include "../../core/sequences.hpp"
#include "../../data/scalers.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Fits the scaler to a training series. What may be a fault code is left out: the value before it stands in
/// its place, in `series` too. Reports on the series as it was.
inline SeriesReport fit_without_suspects(StandardScaler& scaler, Matrix<double>& series) {
  scaler.fit(series);
  SeriesReport report = scaler.report();
  if (report.suspect_values > 0) {
    hold_suspects(series, std::numeric_limits<double>::epsilon());
    scaler.fit(series);
  }
  return report;
}

/// Values further than 10,000 standard deviations from the training mean count as that far.
inline Matrix<double> clipped(const Matrix<double>& scaled) { return scaled.cwiseMax(-1e4).cwiseMin(1e4); }

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
