#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "../core/sequences.hpp"
#include "outlier_scorer.hpp"
#include "verdict.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct EventOptions {
  /// Runs of outliers with at most this many points between them are one event.
  Index max_gap = 0;
  /// k of n: an outlier counts only where some `among` neighbouring points that hold it have at least
  /// `required` outliers.
  Index required = 1;
  Index among = 1;
  /// Shorter events, gaps inside included, are dropped.
  Index min_length = 1;
  /// Outliers among this many points after the end of an event are ignored; one that lasts longer starts anew
  /// behind them, if what is left of it is at least `min_length` long.
  Index cool_down = 0;
};

/// A run of outliers. It starts and ends with one: the points of [start, end), end excluded.
struct Event {
  Index start = 0;
  Index end = 0;
  /// Where the highest score is (the first, if there are several).
  Index peak = 0;
  /// The highest score.
  double score = 0.0;
  /// That of the peak, where p-values were given. It is one point's: the chance that some point of many comes
  /// as high is larger.
  std::optional<double> p_value{};

  Index length() const { return end - start; }
};

namespace detail {

inline void require_event_options(const EventOptions& options) {
  const auto refuse = [](const detail::Text& expected, Index got) { fail("find_events", expected, {got}); };
  if (options.max_gap < 0) refuse("max_gap >= 0", options.max_gap);
  if (options.required < 1) refuse("required >= 1", options.required);
  if (options.among < options.required) {
    refuse({"among >= required = ", options.required}, options.among);
  }
  if (options.min_length < 1) refuse("min_length >= 1", options.min_length);
  if (options.cool_down < 0) refuse("cool_down >= 0", options.cool_down);
}

/// The positions of the outliers that count.
inline std::vector<std::size_t> outliers_that_count(std::span<const Verdict> verdicts,
                                                    const EventOptions& options) {
  std::vector<std::size_t> outliers;
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (i > 0 && verdicts[i].index <= verdicts[i - 1].index) {
      fail("find_events", "verdicts with ascending indices",
           {verdicts[i].index, " after ", verdicts[i - 1].index});
    }
    if (verdicts[i].is_outlier) outliers.push_back(i);
  }
  const auto required = static_cast<std::size_t>(options.required);
  std::vector<std::size_t> counting;
  std::size_t next = 0;  // the first outlier that is not in `counting`
  for (std::size_t last = required - 1; last < outliers.size(); ++last) {
    const std::size_t first = last - (required - 1);
    if (verdicts[outliers[last]].index - verdicts[outliers[first]].index >= options.among) continue;
    for (next = std::max(next, first); next <= last; ++next) counting.push_back(outliers[next]);
  }
  return counting;
}

}  // namespace detail

/// The events among verdicts in the order of their index (`OutlierScorer::score` gives them so), in order.
/// Start, end and peak are indices of verdicts. `p_values`: none, or one for each verdict.
[[nodiscard]] inline std::vector<Event> find_events(std::span<const Verdict> verdicts,
                                                    const EventOptions& options = {},
                                                    std::span<const double> p_values = {}) {
  detail::require_event_options(options);
  if (!p_values.empty() && p_values.size() != verdicts.size()) {
    detail::fail("find_events", {"a p-value for each of ", verdicts.size(), " verdicts"}, {p_values.size()});
  }
  const std::vector<std::size_t> outliers = detail::outliers_that_count(verdicts, options);
  const auto index = [&](std::size_t i) { return verdicts[outliers[i]].index; };
  std::vector<Event> events;
  for (std::size_t first = 0, end = 0; first < outliers.size(); first = end) {
    end = first + 1;
    while (end < outliers.size() && index(end) - index(end - 1) <= options.max_gap + 1) ++end;
    if (index(end - 1) - index(first) + 1 < options.min_length) continue;
    if (!events.empty()) {
      while (first < end && index(first) - events.back().end < options.cool_down) ++first;
      if (first == end || index(end - 1) - index(first) + 1 < options.min_length) continue;
    }
    std::size_t peak = outliers[first];
    for (std::size_t i = first; i < end; ++i) {
      if (verdicts[outliers[i]].score > verdicts[peak].score) peak = outliers[i];
    }
    events.push_back({index(first), index(end - 1) + 1, verdicts[peak].index, verdicts[peak].score, {}});
    if (!p_values.empty()) events.back().p_value = p_values[peak];
  }
  return events;
}

/// The events among scores held against a threshold; start, end and peak are positions in `scores`.
[[nodiscard]] inline std::vector<Event> find_events(std::span<const double> scores, double threshold,
                                                    const EventOptions& options = {},
                                                    std::span<const double> p_values = {}) {
  return find_events(OutlierScorer(threshold::manual(threshold)).score(scores), options, p_values);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
