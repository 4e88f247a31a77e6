#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "../core/sequences.hpp"
#include "labels.hpp"
#include "statistics.hpp"

// How good scores and decisions are where the truth is known: of points, of windows (a score and a label
// each), and of events (ranges). Scores may be any numbers but NaN, infinity included; higher is stranger.
namespace reprise {
inline namespace REPRISE_ABI {

/// Decisions against labels. The ratios follow scikit-learn; one that has no meaning for lack of a class
/// throws.
struct ConfusionTable {
  Index true_positives = 0;
  Index false_positives = 0;
  Index true_negatives = 0;
  Index false_negatives = 0;

  /// Of what was flagged, the share that is an outlier; 0 where nothing was flagged.
  double precision() const {
    const Index flagged = true_positives + false_positives;
    return flagged == 0 ? 0.0 : static_cast<double>(true_positives) / static_cast<double>(flagged);
  }
  /// Of the outliers, the share that was flagged.
  double recall() const {
    const Index outliers = true_positives + false_negatives;
    if (outliers == 0) detail::fail("recall", "at least one labelled outlier", "none");
    return static_cast<double>(true_positives) / static_cast<double>(outliers);
  }
  /// Of the normal ones, the share that was flagged.
  double false_alarm_rate() const {
    const Index normals = false_positives + true_negatives;
    if (normals == 0) detail::fail("false_alarm_rate", "at least one normal label", "none");
    return static_cast<double>(false_positives) / static_cast<double>(normals);
  }
  /// (1 + beta^2) P R / (beta^2 P + R); recall counts beta times as much as precision. 0 where nothing that
  /// was flagged is an outlier.
  double f_beta(double beta) const {
    if (!(beta > 0.0) || std::isinf(beta)) {
      detail::fail("f_beta", "a finite beta > 0", {beta});
    }
    const double outliers = static_cast<double>(true_positives + false_negatives);
    if (outliers == 0.0) detail::fail("f_beta", "at least one labelled outlier", "none");
    const double found = static_cast<double>(true_positives);
    // The same, without 0 / 0: with P = tp / flagged and R = tp / outliers.
    const double flagged = static_cast<double>(true_positives + false_positives);
    return (1.0 + beta * beta) * found / (beta * beta * outliers + flagged);
  }
  double f1() const { return f_beta(1.0); }

  friend bool operator==(const ConfusionTable&, const ConfusionTable&) = default;
};

/// Of decisions (1: flagged) that were made one way or another.
inline ConfusionTable confusion_table(const Labels& flagged, const Labels& labels) {
  detail::require_as_many(flagged.size(), labels, "confusion_table", "decisions");
  ConfusionTable table;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (flagged[i]) {
      ++(labels[i] ? table.true_positives : table.false_positives);
    } else {
      ++(labels[i] ? table.false_negatives : table.true_negatives);
    }
  }
  return table;
}

namespace detail {

inline void require_no_nan(std::span<const double> scores, const Text& place) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) fail(place, "scores", {"nan at index ", i});
  }
}

/// Visits the table of each threshold from the strictest: `visit(lowest score flagged, table)`, where all
/// scores from that one up are flagged.
template <typename Visit>
void for_each_cut(std::span<const double> scores, const Labels& labels, const Text& place, Visit visit) {
  require_as_many(scores.size(), labels, place, "scores");
  require_no_nan(scores, place);
  require_both_classes(labels, place);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  ConfusionTable table;
  table.false_negatives = labels.outliers();
  table.true_negatives = labels.normals();
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (labels[order[i]]) {
      ++table.true_positives;
      --table.false_negatives;
    } else {
      ++table.false_positives;
      --table.true_negatives;
    }
    const bool tied = i + 1 < order.size() && scores[order[i + 1]] == scores[order[i]];
    if (!tied) visit(scores[order[i]], table);
  }
}

}  // namespace detail

/// Of scores held against a threshold: what lies strictly above it is flagged.
inline ConfusionTable confusion_table(std::span<const double> scores, double threshold,
                                      const Labels& labels) {
  detail::require_as_many(scores.size(), labels, "confusion_table", "scores");
  detail::require_no_nan(scores, "confusion_table");
  if (std::isnan(threshold)) detail::fail("confusion_table", "a threshold", "nan");
  std::vector<bool> flagged(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) flagged[i] = scores[i] > threshold;
  return confusion_table(Labels(flagged), labels);
}

/// Area under the curve of recall over false-alarm rate: the probability that an outlier scores higher than
/// a normal one, ties counting half. Throws where the labels are of one class only.
inline double roc_auc(std::span<const double> scores, const Labels& labels) {
  // In halves of a pair, so that the sum is of whole numbers.
  double pairs = 0.0;
  ConfusionTable before;
  detail::for_each_cut(scores, labels, "roc_auc", [&](double, const ConfusionTable& table) {
    const auto width = static_cast<double>(table.false_positives - before.false_positives);
    pairs += width * static_cast<double>(table.true_positives + before.true_positives);
    before = table;
  });
  return pairs / 2.0 / static_cast<double>(labels.outliers()) / static_cast<double>(labels.normals());
}

/// Area under the curve of precision over recall, as average precision: the sum over thresholds of precision
/// times the recall gained, without interpolation. Throws where the labels are of one class only.
inline double average_precision(std::span<const double> scores, const Labels& labels) {
  double sum = 0.0;
  Index found = 0;
  detail::for_each_cut(scores, labels, "average_precision", [&](double, const ConfusionTable& table) {
    sum += static_cast<double>(table.true_positives - found) * table.precision();
    found = table.true_positives;
  });
  return sum / static_cast<double>(labels.outliers());
}

/// The threshold that serves labelled scores best.
struct BestThreshold {
  /// One of the scores, or just below the smallest where it is best to flag all; an outlier is strictly
  /// above.
  double threshold = 0.0;
  /// The largest F_beta.
  double f_beta = 0.0;
  /// The decisions at that threshold.
  ConfusionTable table;
};

/// The largest F_beta that a threshold can reach, the largest such threshold if there are several. Throws
/// where the labels are of one class only.
inline BestThreshold best_f_beta(std::span<const double> scores, const Labels& labels, double beta) {
  BestThreshold best;
  ConfusionTable pending;
  bool is_pending = false;
  // A cut's threshold is the next score below it.
  const auto offer = [&](double threshold) {
    const double value = pending.f_beta(beta);
    if (value > best.f_beta) best = {threshold, value, pending};
  };
  double lowest = 0.0;
  detail::for_each_cut(scores, labels, "best_f_beta", [&](double score, const ConfusionTable& table) {
    if (is_pending) offer(score);
    pending = table;
    is_pending = true;
    lowest = score;
  });
  offer(std::nextafter(lowest, -std::numeric_limits<double>::infinity()));
  return best;
}
inline BestThreshold best_f1(std::span<const double> scores, const Labels& labels) {
  return best_f_beta(scores, labels, 1.0);
}

/// The points of [start, end), end excluded.
struct IndexRange {
  Index start = 0;
  Index end = 0;
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

/// The runs of 1 among labels.
inline std::vector<IndexRange> labelled_ranges(const Labels& labels) {
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
    if (!(beta > 0.0) || std::isinf(beta)) {
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
EventTable event_table(std::span<const Range> events, std::span<const IndexRange> labelled) {
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
EventTable event_table(const std::vector<Range>& events, std::span<const IndexRange> labelled) {
  return event_table(std::span<const Range>(events), labelled);
}
template <typename Range>
EventTable event_table(const std::vector<Range>& events, const Labels& labels) {
  const std::vector<IndexRange> ranges = labelled_ranges(labels);
  return event_table(std::span<const Range>(events), std::span<const IndexRange>(ranges));
}

}  // namespace REPRISE_ABI
}  // namespace reprise
