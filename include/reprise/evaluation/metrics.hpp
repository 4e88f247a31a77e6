#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "labels.hpp"

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
    if (!(detail::is_finite(beta) && beta > 0.0)) {
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
[[nodiscard]] inline ConfusionTable confusion_table(const Labels& flagged, const Labels& labels) {
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
    if (is_nan(scores[i])) fail(place, "scores", {"nan at index ", i});
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
[[nodiscard]] inline ConfusionTable confusion_table(std::span<const double> scores, double threshold,
                                                    const Labels& labels) {
  detail::require_as_many(scores.size(), labels, "confusion_table", "scores");
  detail::require_no_nan(scores, "confusion_table");
  if (detail::is_nan(threshold)) detail::fail("confusion_table", "a threshold", "nan");
  std::vector<bool> flagged(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) flagged[i] = scores[i] > threshold;
  return confusion_table(Labels(flagged), labels);
}

/// Area under the curve of recall over false-alarm rate: the probability that an outlier scores higher than
/// a normal one, ties counting half. Throws where the labels are of one class only.
[[nodiscard]] inline double roc_auc(std::span<const double> scores, const Labels& labels) {
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
[[nodiscard]] inline double average_precision(std::span<const double> scores, const Labels& labels) {
  double sum = 0.0;
  Index found = 0;
  detail::for_each_cut(scores, labels, "average_precision", [&](double, const ConfusionTable& table) {
    sum += static_cast<double>(table.true_positives - found) * table.precision();
    found = table.true_positives;
  });
  return sum / static_cast<double>(labels.outliers());
}

/// The decisions where every score from `lowest` up is flagged.
struct CurvePoint {
  double lowest = 0.0;
  ConfusionTable table;
};

/// What each threshold would do, the strictest first: a point for each score that differs. Precision over
/// recall of its points is the precision-recall curve, recall over false-alarm rate the ROC curve. Throws
/// where the labels are of one class only.
inline std::vector<CurvePoint> threshold_curve(std::span<const double> scores, const Labels& labels) {
  std::vector<CurvePoint> curve;
  detail::for_each_cut(scores, labels, "threshold_curve", [&](double lowest, const ConfusionTable& table) {
    curve.push_back({lowest, table});
  });
  return curve;
}

/// The threshold that serves labelled scores best.
struct BestThreshold {
  /// One of the scores, or just below the smallest where it is best to flag all; an outlier is strictly
  /// above, so that a score of minus infinity never is one.
  double threshold = 0.0;
  /// The largest F_beta.
  double f_beta = 0.0;
  /// The decisions at that threshold.
  ConfusionTable table;
};

/// The largest F_beta that a threshold can reach, the largest such threshold if there are several. Throws
/// where the labels are of one class only.
[[nodiscard]] inline BestThreshold best_f_beta(std::span<const double> scores, const Labels& labels,
                                               double beta) {
  BestThreshold best;
  best.table.false_negatives = labels.outliers();
  best.table.true_negatives = labels.normals();
  ConfusionTable pending;
  bool is_pending = false;
  // A cut's threshold is the next score below it.
  const auto offer = [&](double threshold) {
    const double value = pending.f_beta(beta);
    if (value > best.f_beta) best = {threshold, value, pending};
  };
  double lowest = 0.0;
  detail::for_each_cut(scores, labels, "best_f_beta", [&](double score, const ConfusionTable& table) {
    if (is_pending) {
      offer(score);
    } else {
      best.threshold = score;  // at the highest score nothing is flagged
    }
    pending = table;
    is_pending = true;
    lowest = score;
  });
  // No threshold flags a score of minus infinity.
  constexpr double bottom = -std::numeric_limits<double>::infinity();
  if (detail::is_finite(lowest) || lowest > 0.0) offer(std::nextafter(lowest, bottom));
  return best;
}
[[nodiscard]] inline BestThreshold best_f1(std::span<const double> scores, const Labels& labels) {
  return best_f_beta(scores, labels, 1.0);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
