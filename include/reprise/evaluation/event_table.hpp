#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "../core/finite.hpp"
#include "../core/index_range.hpp"
#include "../core/sequences.hpp"
#include "labels.hpp"

// How good events are where the truth is known.
namespace reprise {
inline namespace REPRISE_ABI {

/// The runs of 1 among labels.
[[nodiscard]] inline std::vector<IndexRange> labelled_ranges(const Labels& labels) {
  std::vector<IndexRange> ranges;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!labels[i]) continue;
    const auto index = static_cast<Index>(i);
    if (ranges.empty() || ranges.back().end != index) ranges.push_back({index, index});
    ++ranges.back().end;
  }
  return ranges;
}

/// Events against labelled ranges. A range is found where an event shares a point with it; an event that
/// shares a point with no range is false.
struct EventTable {
  Index ranges = 0;
  Index found_ranges = 0;
  Index events = 0;
  Index false_events = 0;

  /// Of the labelled ranges, the share found.
  double recall() const {
    if (ranges == 0) detail::fail("event recall", "at least one labelled range", "none");
    return static_cast<double>(found_ranges) / static_cast<double>(ranges);
  }
  /// Of the events, the share that is not false; 0 where there are none.
  double precision() const {
    return events == 0 ? 0.0 : static_cast<double>(events - false_events) / static_cast<double>(events);
  }
  /// (1 + beta^2) P R / (beta^2 P + R), 0 where both are.
  double f_beta(double beta) const {
    if (!(detail::is_finite(beta) && beta > 0.0)) {
      detail::fail("event f_beta", "a finite beta > 0", {beta});
    }
    const double p = precision();
    const double r = recall();
    return p + r == 0.0 ? 0.0 : (1.0 + beta * beta) * p * r / (beta * beta * p + r);
  }
  double f1() const { return f_beta(1.0); }
};

namespace detail {

template <typename Range>
void require_ranges(std::span<const Range> ranges, const char* what) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const bool in_order = i == 0 || ranges[i - 1].end <= ranges[i].start;
    if (ranges[i].start < 0 || ranges[i].end <= ranges[i].start || !in_order) {
      fail("event_table", {what, " that are not empty, in order, without overlap"},
           {"[", ranges[i].start, ", ", ranges[i].end, ") at index ", i});
    }
  }
}

}  // namespace detail

/// `Range` has a start and an end: `Event`, as `find_events` gives them, or `IndexRange`.
template <typename Range>
[[nodiscard]] EventTable event_table(std::span<const Range> events, std::span<const IndexRange> labelled) {
  detail::require_ranges(events, "events");
  detail::require_ranges(labelled, "labelled ranges");
  EventTable table;
  table.ranges = static_cast<Index>(labelled.size());
  table.events = static_cast<Index>(events.size());
  const auto count_touched = [](const auto& ranges, const auto& others) {
    Index touched = 0;
    auto other = others.begin();
    for (const auto& range : ranges) {
      while (other != others.end() && other->end <= range.start) ++other;
      if (other != others.end() && other->start < range.end) ++touched;
    }
    return touched;
  };
  table.found_ranges = count_touched(labelled, events);
  table.false_events = table.events - count_touched(events, labelled);
  return table;
}
template <typename Range>
[[nodiscard]] EventTable event_table(const std::vector<Range>& events, std::span<const IndexRange> labelled) {
  return event_table(std::span<const Range>(events), labelled);
}
template <typename Range>
[[nodiscard]] EventTable event_table(const std::vector<Range>& events, const Labels& labels) {
  const std::vector<IndexRange> ranges = labelled_ranges(labels);
  return event_table(std::span<const Range>(events), std::span<const IndexRange>(ranges));
}

}  // namespace REPRISE_ABI
}  // namespace reprise
