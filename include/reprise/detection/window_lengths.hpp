#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "../baselines/pca.hpp"
#include "../core/detail/eigen.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../core/series.hpp"
#include "../core/windows.hpp"
#include "../data/scalers.hpp"
#include "../scores/in_blocks.hpp"
#include "detail/autocorrelation.hpp"
#include "detail/series_matrix.hpp"

// How long the windows of a series should be, from a normal stretch of it alone.
namespace reprise {
inline namespace REPRISE_ABI {

struct WindowLengthOptions {
  /// The length that is long enough for a series in which longer windows have nothing more to say.
  Index shortest = 48;
  /// No window is longer.
  Index longest = 288;
  /// Where principal components leave more than this share of the variance of windows of the shortest length
  /// unexplained, there is little shape to learn, and longer windows only dilute what is short.
  double noise = 0.1;
  /// Where they leave less than this, a short window shows the smallest deviation already, and longer ones
  /// only blur where it was.
  double exact = 5e-4;
};

/// What `choose_window_lengths` found.
struct WindowLengths {
  /// In points, ascending: half of the longest that the rule allows, and that.
  std::vector<Index> lengths;
  /// In points; 0: none was found.
  Index period = 0;
  /// Share of the variance of windows of the shortest length that principal components, fitted to other
  /// windows, leave unexplained.
  std::optional<double> unexplained{};
};

inline std::ostream& operator<<(std::ostream& out, const WindowLengths& choice) {
  out << "T = ";
  for (std::size_t i = 0; i < choice.lengths.size(); ++i)
    out << (i > 0 ? ", " : "") << std::to_string(choice.lengths[i]);
  if (!choice.unexplained) return out;  // nothing was measured
  out << "; period " << (choice.period > 0 ? std::to_string(choice.period) : "none") << ", unexplained "
      << detail::number_text(*choice.unexplained, 2);
  return out;
}

namespace detail {

/// A normal series is cut twice: a first part to learn from and the rest to check on, and the other way
/// round.
struct HalvesOfSeries {
  Index learned = 0;  // points
  Index checked = 0;
};
inline HalvesOfSeries cut(Index points) {
  const auto learned = static_cast<Index>(std::floor(0.7 * static_cast<double>(points)));
  return {learned, points - learned};
}

/// The most principal components that windows of so many values are given: those of the default network's
/// code, but few enough to leave something unexplained.
inline Index components_for(Index values, Index windows) {
  return std::max<Index>(1, std::min({Index{16}, values * 2 / 3, windows - 1}));
}
/// Windows with more values than this have no principal components: time grows with the cube.
inline constexpr Index most_values_for_pca = 1024;

/// The smallest lag whose peak of the autocorrelation comes near the highest one; 0 where that is below one
/// half. Only peaks after the first zero count, so that the slow fall of a smooth series has none.
inline Index period_of(const std::vector<double>& autocorrelation) {
  constexpr double least = 0.5;
  constexpr double near_highest = 0.95;
  std::size_t lag = 1;
  while (lag < autocorrelation.size() && autocorrelation[lag] > 0.0) ++lag;
  const std::size_t first = lag;
  std::vector<std::size_t> peaks;
  double highest = 0.0;
  for (; lag + 1 < autocorrelation.size(); ++lag) {
    const double here = autocorrelation[lag];
    if (lag == first || here < autocorrelation[lag - 1] || here <= autocorrelation[lag + 1]) continue;
    peaks.push_back(lag);
    highest = std::max(highest, here);
  }
  if (highest < least) return 0;
  for (const std::size_t peak : peaks) {
    if (autocorrelation[peak] >= near_highest * highest) return static_cast<Index>(peak);
  }
  return 0;
}

/// Of windows of `length` points, the share of variance that the principal components of one part of the
/// series leave unexplained in the other; the mean of both directions. 0 where nothing varies.
template <typename Scalar>
double unexplained_share(const Matrix<Scalar>& scaled, Index length) {
  const HalvesOfSeries parts = cut(scaled.rows());
  const double power = scaled.squaredNorm() / static_cast<double>(scaled.size());
  if (is_nan(power) || power <= 0.0) return 0.0;
  double sum = 0.0;
  for (const bool first : {true, false}) {
    const auto learned = first ? scaled.topRows(parts.learned) : scaled.bottomRows(parts.learned);
    const auto checked = first ? scaled.bottomRows(parts.checked) : scaled.topRows(parts.checked);
    const Windows windows = sliding_windows(learned, {.length = length});
    PcaBaseline pca({.components = components_for(length * scaled.cols(), windows.size())});
    pca.fit(windows);
    const auto errors = window_scores_in_blocks(sliding_windows(checked, {.length = length}), pca);
    for (const double error : errors) sum += error / static_cast<double>(errors.size());
  }
  return 0.5 * sum / power;
}

inline constexpr Index least_points_to_train = 40;

inline void require_valid(const WindowLengthOptions& options) {
  if (options.shortest < 4 || options.shortest > options.longest) {
    fail("window lengths", "4 <= shortest <= longest", {options.shortest, " and ", options.longest});
  }
  if (is_nan(options.noise) || options.noise < 0.0) fail("window lengths", "noise >= 0", {options.noise});
  if (is_nan(options.exact) || options.exact < 0.0) fail("window lengths", "exact >= 0", {options.exact});
}

template <typename Scalar>
WindowLengths choose_lengths(const Matrix<Scalar>& scaled, const WindowLengthOptions& options) {
  require_valid(options);
  const Index points = scaled.rows();
  if (points < least_points_to_train) {
    fail("window lengths", {"a training series of at least ", least_points_to_train, " steps"}, {points});
  }
  // What is checked must hold a window.
  const Index most = cut(points).checked;
  const Index shortest = std::min(options.shortest, most);
  const Index measured = std::clamp<Index>(most_values_for_pca / scaled.cols(), 2, shortest);
  WindowLengths result;
  result.unexplained = unexplained_share(scaled, measured);
  result.period = period_of(autocorrelation(scaled, std::min(points / 2, 4 * options.longest)));
  Index length = std::min(options.longest, most);
  if (result.unexplained > options.noise || result.unexplained < options.exact) {
    length = shortest;
  } else if (result.period >= options.shortest) {
    length = std::min(length, result.period);
  }
  result.lengths = {length / 2, length};
  return result;
}

}  // namespace detail

/// Window lengths for an autoencoder, or for any other score of windows, from a normal stretch of a series
/// (a vector or span, or an Eigen matrix with a row for each time step) of at least 40 steps. The longest
/// window is
///   - `longest`, or the period where one of at least `shortest` stands out in the autocorrelation: what
///     repeats is known after one period, and longer windows blur where it fails to;
///   - `shortest`, where windows of that length are mere noise or completely determined;
///   - never more than three tenths of the series, so that windows can be held out.
/// The other is half of it: sharper, and less to go by. Throws on NaN or infinity, or too short a series.
///
/// What the series cannot tell is how long its anomalies will be. Those much shorter than the windows are
/// found, but their neighbourhood of a window's length scores high with them; give lengths where that
/// matters.
template <typename Series>
WindowLengths choose_window_lengths(const Series& training, const WindowLengthOptions& options = {}) {
  const Matrix<double> series = detail::series_matrix(training);
  return detail::choose_lengths(StandardScaler().fit(series).transform(series), options);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
