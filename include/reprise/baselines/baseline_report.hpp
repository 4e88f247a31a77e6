#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/sequences.hpp"
#include "../core/windows.hpp"
#include "../evaluation/labels.hpp"
#include "../evaluation/metrics.hpp"
#include "../scores/detail/require_scores.hpp"
#include "../scores/in_blocks.hpp"
#include "nearest_window.hpp"
#include "pca.hpp"
#include "simple.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The window scores of one method. Those of two methods compare where both are mean squared errors.
struct MethodScores {
  std::string method;
  /// Of normal windows that were not trained on.
  std::vector<double> held_out;
  /// Of the windows to judge; empty: none.
  std::vector<double> test{};
};

/// A model beside methods that need no training to speak of.
struct BaselineTable {
  struct Row {
    std::string method;
    /// Mean over the held-out normal windows.
    double error = 0.0;
    /// That error divided by the model's: below 1, the method fits normal windows better than the model.
    double ratio = 1.0;
    /// Of the test windows' scores, where they have labels.
    std::optional<double> roc_auc{};
    /// Why a method has no numbers.
    std::string refusal{};
  };
  /// The model first.
  std::vector<Row> rows;
  Index held_out_windows = 0;
  Index test_windows = 0;
};

inline std::ostream& operator<<(std::ostream& out, const BaselineTable& table) {
  std::size_t width = 6;
  for (const auto& row : table.rows) width = std::max(width, row.method.size());
  const auto right = [&](const std::string& text, std::size_t wide) {
    out << std::string(wide > text.size() ? wide - text.size() : 0, ' ') << text;
  };
  const auto left = [&](const std::string& text) { out << text << std::string(width - text.size(), ' '); };
  left("method");
  right("normal error", 14);
  right("of the model's", 16);
  right("ROC-AUC", 10);
  out << '\n';
  for (const auto& row : table.rows) {
    left(row.method);
    if (row.refusal.empty()) {
      right(detail::number_text(row.error, 6), 14);
      right(detail::number_text(row.ratio, 3), 16);
      right(row.roc_auc ? detail::fixed_text(*row.roc_auc, 4) : "-", 10);
    } else {
      out << "  " << row.refusal;
    }
    out << '\n';
  }
  return out << std::to_string(table.held_out_windows) << " held-out normal windows, "
             << std::to_string(table.test_windows) << " test windows\n";
}

namespace detail {

inline BaselineTable::Row baseline_row(const MethodScores& scores, const MethodScores& model,
                                       const Labels& labels) {
  const std::string place = "baseline_report: " + scores.method;
  require_calibration_scores(scores.held_out, place);
  require_scores(scores.test, place);
  if (scores.held_out.size() != model.held_out.size() || scores.test.size() != model.test.size()) {
    fail(place,
         {"scores of the model's ", model.held_out.size(), " held-out and ", model.test.size(),
          " test windows"},
         {scores.held_out.size(), " and ", scores.test.size()});
  }
  BaselineTable::Row row;
  row.method = scores.method;
  row.error = mean_of(scores.held_out);
  const double models = mean_of(model.held_out);
  // A model without an error is as good as another without one, and infinitely better than the rest.
  row.ratio = models > 0.0       ? row.error / models
              : row.error == 0.0 ? 1.0
                                 : std::numeric_limits<double>::infinity();
  if (labels.size() > 0) row.roc_auc = roc_auc(scores.test, labels);
  return row;
}

}  // namespace detail

/// Scores that were worked out elsewhere, side by side. Each method's are of the same windows as the model's;
/// `labels` are of the test windows, of both classes, or none. Throws where numbers do not match.
[[nodiscard]] inline BaselineTable baseline_report(const MethodScores& model,
                                                   const std::vector<MethodScores>& baselines,
                                                   const Labels& labels = {}) {
  BaselineTable table;
  table.held_out_windows = static_cast<Index>(model.held_out.size());
  table.test_windows = static_cast<Index>(model.test.size());
  table.rows.push_back(detail::baseline_row(model, model, labels));
  for (const auto& baseline : baselines) table.rows.push_back(detail::baseline_row(baseline, model, labels));
  return table;
}

struct BaselineReportOptions {
  PcaBaselineOptions pca{};
  NearestWindowOptions nearest{};
};

/// Fits every baseline of this room to the training windows and holds it against the model's mean squared
/// errors of the same held-out and test windows. A baseline that cannot do with the training windows has its
/// reason for a row.
[[nodiscard]] inline BaselineTable baseline_report(const MethodScores& model, const Windows& training,
                                                   const Windows& held_out,
                                                   const std::optional<Windows>& test = {},
                                                   const Labels& labels = {},
                                                   const BaselineReportOptions& options = {}) {
  if (static_cast<Index>(model.held_out.size()) != held_out.size() ||
      static_cast<Index>(model.test.size()) != (test ? test->size() : 0)) {
    detail::fail("baseline_report",
                 {"a score of the model for each of ", held_out.size(), " held-out and ",
                  test ? test->size() : 0, " test windows"},
                 {model.held_out.size(), " and ", model.test.size()});
  }
  BaselineTable table = baseline_report(model, {}, labels);
  const auto add = [&](auto baseline, const auto& score) {
    MethodScores scores{baseline.name, {}, {}};
    try {
      baseline.fit(training);
    } catch (const Error& error) {
      table.rows.push_back({.method = scores.method, .refusal = error.what()});
      return;
    }
    scores.held_out = score(baseline, held_out);
    if (test) scores.test = score(baseline, *test);
    table.rows.push_back(detail::baseline_row(scores, model, labels));
  };
  const auto by_reconstruction = [](const auto& baseline, const Windows& windows) {
    return window_scores_in_blocks(windows, baseline);
  };
  add(MeanWindowBaseline(), by_reconstruction);
  add(PersistenceBaseline(), by_reconstruction);
  add(PcaBaseline(options.pca), by_reconstruction);
  add(NearestWindowBaseline(options.nearest),
      [](const auto& baseline, const Windows& windows) { return baseline.scores(windows); });
  return table;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
