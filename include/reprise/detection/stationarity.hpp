#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <ostream>
#include <vector>

#include "../core/sequences.hpp"
#include "../core/series.hpp"
#include "../core/text.hpp"
#include "detail/autocorrelation.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What of a series is not as it was at its start, so that a later stretch need not be either.
struct Stationarity {
  /// Its autocorrelation (mean over the features) is still a tenth or more after a 25th of its length: it
  /// wanders, rises or falls, or holds fewer than about six of its own cycles.
  bool remembers_long = false;
  /// Features whose level, or spread, in the last third is another one than in the first.
  std::vector<Index> other_level{};
  std::vector<Index> other_spread{};
  /// How many times as large the errors of windows are that are held against what is far away in time alone
  /// (`far_error` of recurrence.hpp). `Detector` fills it in; `check_stationarity` leaves it at 1.
  double far_error = 1.0;

  /// One of 72 stationary series of the benchmark's generator, with 1,000 and 3,000 rows, is above it, and
  /// series that hold only a few of their own cycles may be. Chosen with these in view.
  static constexpr double most_far_error = 1.35;
  bool changes_with_time() const { return far_error > most_far_error; }
  bool is_stationary() const {
    return !remembers_long && other_level.empty() && other_spread.empty() && !changes_with_time();
  }

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [remembers_long, other_level, other_spread, far_error] = self;
    visit("remembers_long", remembers_long);
    visit("other_level", other_level);
    visit("other_spread", other_spread);
    visit("far_error", far_error);
  }
  friend bool operator==(const Stationarity&, const Stationarity&) = default;
};

/// A line for each thing that speaks against it; nothing where there is none.
inline std::ostream& operator<<(std::ostream& out, const Stationarity& found) {
  if (found.remembers_long) {
    out << "the series wanders, rises or falls, or holds only a few of its cycles: more rows, or its "
           "differences, may help\n";
  }
  for (const Index feature : found.other_level)
    out << "feature " << feature << " has another level at the end than at the start\n";
  for (const Index feature : found.other_spread)
    out << "feature " << feature << " varies more or less at the end than at the start\n";
  if (found.changes_with_time()) {
    out << "it changes as time goes on: held against what lies a quarter of the series away, errors are "
        << detail::number_text(found.far_error, 2)
        << " times as large as against what is nearer, and those of a later series will be too\n";
  }
  return out;
}

namespace detail {

/// Whether the last four of twelve numbers differ from the first four: by more than `least`, and by more than
/// five standard errors of that difference, taken from how much the numbers vary within either four.
inline bool ends_differ(const std::array<double, 12>& values, double least) {
  const auto mean = [&](std::size_t first) {
    double sum = 0.0;
    for (std::size_t i = first; i < first + 4; ++i) sum += values[i] / 4.0;
    return sum;
  };
  const double start = mean(0), end = mean(8);
  double squares = 0.0;
  for (std::size_t i = 0; i < 4; ++i) {
    squares += (values[i] - start) * (values[i] - start) + (values[8 + i] - end) * (values[8 + i] - end);
  }
  // Of 6 degrees of freedom; each mean is one of four.
  const double error = std::sqrt(squares / 6.0 / 2.0);
  return std::abs(end - start) > std::max(least, 5.0 * error);
}

}  // namespace detail

/// Looks at a series with mean 0 and variance 1 in each feature, or constant 0: a row for each of at least 24
/// time steps. By chance about one feature in a hundred is named. What changes otherwise, such as a period
/// that drifts, it does not see.
[[nodiscard]] inline Stationarity check_stationarity(const Matrix<double>& scaled) {
  constexpr Index parts = 12;
  const Index rows = scaled.rows(), size = rows / parts;
  if (size < 2) detail::fail("check_stationarity", {"at least ", 2 * parts, " time steps"}, {rows});
  Stationarity found;
  const Index most = rows / 25;
  found.remembers_long = most > 1 && detail::correlation_time(scaled, most) >= most;
  for (Index f = 0; f < scaled.cols(); ++f) {
    std::array<double, parts> levels{}, spreads{};
    for (Index part = 0; part < parts; ++part) {
      double sum = 0.0, squares = 0.0;
      for (Index t = part * size; t < (part + 1) * size; ++t) {
        sum += scaled(t, f);
        squares += scaled(t, f) * scaled(t, f);
      }
      const double mean = sum / static_cast<double>(size);
      const double variance = squares / static_cast<double>(size) - mean * mean;
      levels[static_cast<std::size_t>(part)] = mean;
      spreads[static_cast<std::size_t>(part)] = 0.5 * std::log(std::max(variance, 1e-9));
    }
    if (detail::ends_differ(levels, 0.25)) found.other_level.push_back(f);
    if (detail::ends_differ(spreads, std::log(1.25))) found.other_spread.push_back(f);
  }
  return found;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
