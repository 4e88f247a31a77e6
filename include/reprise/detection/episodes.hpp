#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "../core/error.hpp"
#include "../core/sequences.hpp"
#include "../core/text.hpp"
#include "block_calibration.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What one feature has to do with an episode: in the window of it that is strangest, and in the training
/// window that is most like that one.
struct EpisodeFeature {
  Index feature = 0;
  /// Of the difference between the two windows, counted in what is usual for the feature; of all features 1.
  double share = 0.0;
  /// Where the feature differs most, what it is there, and what it is in the training window.
  Index step = 0;
  double observed = 0.0;
  double expected = 0.0;
};

/// What a person counts as one alarm: the points of [start, end), of which the first and the last are above
/// the threshold, and no longer quiet lies between two that are than one longest window.
struct Episode {
  Index start = 0;
  Index end = 0;
  /// Where the highest score is, the first if there are several.
  Index peak = 0;
  /// The score there; 1 is the threshold.
  double score = 0.0;
  /// Of the calibrating blocks and a new normal one, the share that comes as high: the least p-value of the
  /// blocks that the episode touches.
  double p_value = 1.0;
  /// The rate, in false episodes in 1,000 points, at which it would just have been an alarm. It is no lower
  /// than the lowest that the calibration can tell.
  double rate = 0.0;
  /// The one with the largest share first; empty where no nearest window was asked.
  std::vector<EpisodeFeature> features{};

  /// How far the score is above the threshold, in logarithms: how many times further above the usual than
  /// that is which only a twentieth of normal points exceeds, on average over what makes the score.
  double severity() const { return std::log(score); }
  Index length() const { return end - start; }
};

inline std::ostream& operator<<(std::ostream& out, const Episode& episode) {
  return out << "points " << std::to_string(episode.start) << " to " << std::to_string(episode.end - 1)
             << ", highest at " << std::to_string(episode.peak) << ": score "
             << detail::number_text(episode.score, 3) << ", p " << detail::number_text(episode.p_value, 2)
             << ", an alarm from " << detail::number_text(episode.rate, 2)
             << " false alarms in 1,000 points on";
}

/// Runs of scores above `threshold`, with up to `quiet` points at or below it inside; without p-values.
[[nodiscard]] inline std::vector<Episode> find_episodes(std::span<const double> scores, double threshold,
                                                        Index quiet) {
  if (quiet < 0) detail::fail("find_episodes", "quiet >= 0", {quiet});
  std::vector<Episode> episodes;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!(scores[i] > threshold)) continue;
    const auto point = static_cast<Index>(i);
    if (episodes.empty() || point - episodes.back().end > quiet) {
      episodes.push_back({.start = point, .end = point, .peak = point, .score = scores[i]});
    }
    Episode& last = episodes.back();
    last.end = point + 1;
    if (scores[i] > last.score) {
      last.score = scores[i];
      last.peak = point;
    }
  }
  return episodes;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
