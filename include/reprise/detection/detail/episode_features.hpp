#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "../../core/detail/statistics.hpp"
#include "../../core/sequences.hpp"
#include "../episodes.hpp"
#include "../nearest_in_series.hpp"

// In which features a window differs from the training window that is most like it. Some features are harder
// to meet than others, whatever happens; so each difference is counted in what is usual for its feature.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A window of a series beside one of the training series, feature by feature.
class WindowPair {
 public:
  WindowPair(const Matrix<double>& series, Index window, const Matrix<double>& training, Index other,
             Index length, View view)
      : series_(series), training_(training), window_(window), other_(other), length_(length), view_(view) {}

  /// What the training window has in the place of time step `window + k`; a shape stands at the level of the
  /// window that it is held against.
  double expected(Index k, Index feature) const { return training_(other_ + k, feature) + lift(feature); }
  /// Mean squared difference.
  double difference(Index feature) const {
    const auto own = series_.col(feature).segment(window_, length_).array();
    const auto other = training_.col(feature).segment(other_, length_).array();
    return (own - other - lift(feature)).square().mean();
  }
  /// Where the feature differs most.
  Index strangest(Index feature) const {
    Index most = 0;
    for (Index k = 1; k < length_; ++k) {
      if (distance(k, feature) > distance(most, feature)) most = k;
    }
    return most;
  }

 private:
  double distance(Index k, Index feature) const {
    return std::abs(series_(window_ + k, feature) - expected(k, feature));
  }
  double lift(Index feature) const {
    if (view_ == View::raw) return 0.0;
    return series_.col(feature).segment(window_, length_).mean() -
           training_.col(feature).segment(other_, length_).mean();
  }

  const Matrix<double>& series_;
  const Matrix<double>& training_;
  Index window_, other_, length_;
  View view_;
};

/// The usual difference of each feature: the median over 10 to 100 training windows, evenly spread and fewer
/// where the series is long, each held against the most alike that starts `zone` points away. A feature of
/// which every window was met exactly has a thousandth of what the others have on average.
inline std::vector<double> usual_differences(const NearestInSeries& nearest, View view, Index zone) {
  const Matrix<double>& training = nearest.training();
  if (training.cols() == 1) return {1.0};
  const Index windows = training.rows() - nearest.length() + 1;
  const double work = static_cast<double>(training.size()) * static_cast<double>(nearest.length());
  const Index count = std::min(windows, static_cast<Index>(std::clamp(2e8 / work, 10.0, 100.0)));
  std::vector<std::vector<double>> differences(static_cast<std::size_t>(training.cols()));
  for (Index i = 0; i < count; ++i) {
    const Index window = i * windows / count;
    const WindowPair pair(training, window, training, nearest.nearest_to(training, window, view, zone),
                          nearest.length(), view);
    for (Index f = 0; f < training.cols(); ++f)
      differences[static_cast<std::size_t>(f)].push_back(pair.difference(f));
  }
  std::vector<double> usual;
  usual.reserve(differences.size());
  for (std::vector<double>& of_feature : differences) usual.push_back(median_of(of_feature));
  const double least = std::max(1e-9, 1e-3 * mean_of(usual));
  for (double& value : usual) value = std::max(value, least);
  return usual;
}

/// In what a window differs from the training window that is nearest to it, the feature with the largest
/// share first. `usual`: of each feature. Observed and expected values are those of the series handed in.
inline std::vector<EpisodeFeature> features_of(const NearestInSeries& nearest, const Matrix<double>& series,
                                               Index window, View view, std::span<const double> usual) {
  const WindowPair pair(series, window, nearest.training(), nearest.nearest_to(series, window, view),
                        nearest.length(), view);
  std::vector<EpisodeFeature> features;
  double sum = 0.0;
  for (Index f = 0; f < series.cols(); ++f) {
    const Index k = pair.strangest(f);
    const double share = pair.difference(f) / usual[static_cast<std::size_t>(f)];
    features.push_back({f, share, window + k, series(window + k, f), pair.expected(k, f)});
    sum += share;
  }
  for (EpisodeFeature& feature : features)
    feature.share = sum > 0.0 ? feature.share / sum : 1.0 / static_cast<double>(features.size());
  std::stable_sort(features.begin(), features.end(),
                   [](const EpisodeFeature& a, const EpisodeFeature& b) { return a.share > b.share; });
  return features;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
