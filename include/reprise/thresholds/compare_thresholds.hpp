#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "../core/sequences.hpp"
#include "../core/text.hpp"
#include "../scores/detail/require_scores.hpp"
#include "p_values.hpp"
#include "pot_tail.hpp"
#include "thresholds.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What each rule makes of the same scores.
struct ThresholdTable {
  struct Row {
    std::string rule;
    /// None where the rule cannot do with the calibration scores; `refusal` says why.
    std::optional<double> threshold{};
    Index flagged = 0;
    /// How many of 1,000 normal scores this threshold leads to expect above it: 1,000 (1 + #{s_i >
    /// threshold}) / (n + 1) of n calibration scores; beyond the largest, where that is as low as counting
    /// goes, extrapolated by a tail if one can be fitted.
    double false_alarms_per_1000 = 0.0;
    std::string refusal{};
    /// `Threshold::doubt`: why the rule may not keep its promise here.
    std::string doubt{};
  };
  std::vector<Row> rows;
  Index calibration_scores = 0;
  Index scores = 0;
};

inline std::ostream& operator<<(std::ostream& out, const ThresholdTable& table) {
  std::size_t width = 4;
  for (const auto& row : table.rows) width = std::max(width, row.rule.size());
  const auto column = [&](const std::string& text, std::size_t wide, bool left) {
    const std::string space(wide > text.size() ? wide - text.size() : 0, ' ');
    out << (left ? text + space : space + text);
  };
  column("rule", width, true);
  column("threshold", 14, false);
  column("flagged", 10, false);
  column("false alarms per 1,000", 25, false);
  out << '\n';
  for (const auto& row : table.rows) {
    column(row.rule, width, true);
    if (row.threshold) {
      column(detail::number_text(*row.threshold, 6), 14, false);
      column(std::to_string(row.flagged), 10, false);
      column(detail::number_text(row.false_alarms_per_1000, 3), 25, false);
      if (!row.doubt.empty()) out << "  " << row.doubt;
    } else {
      out << "  " << row.refusal;
    }
    out << '\n';
  }
  return out << std::to_string(table.scores) << " scores, " << std::to_string(table.calibration_scores)
             << " calibration scores\n";
}

/// The rules that a comparison has unless others are named.
[[nodiscard]] inline std::vector<Threshold> common_thresholds() {
  return {threshold::quantile(0.95),  threshold::quantile(0.99),  threshold::standard_deviations(3),
          threshold::mad(5),          threshold::iqr(1.5),        threshold::iqr(3),
          threshold::max_factor(1),   threshold::conformal(0.05), default_threshold(),
          threshold::conformal(0.01), threshold::pot(1e-3)};
}

/// Fits each rule to the calibration scores and holds the scores against it.
[[nodiscard]] inline ThresholdTable compare_thresholds(
    std::span<const double> calibration, std::span<const double> scores,
    const std::vector<Threshold>& rules = common_thresholds()) {
  detail::require_calibration_scores(calibration, "compare_thresholds");
  detail::require_scores(scores, "compare_thresholds");
  const ConformalPValues p(calibration);
  const std::vector<double>& sorted = p.calibration_scores();
  std::optional<PotTail> tail;
  for (const double level : {0.98, 0.95, 0.9}) {
    try {
      tail = fit_pot_tail(calibration, level);
      break;
    } catch (const Error&) {  // too few excesses: a lower level, or none
    }
  }
  ThresholdTable table;
  table.calibration_scores = static_cast<Index>(calibration.size());
  table.scores = static_cast<Index>(scores.size());
  for (const Threshold& rule : rules) {
    ThresholdTable::Row row;
    row.rule = rule.description();
    try {
      const double limit = rule.fit(sorted);
      row.threshold = limit;
      row.doubt = rule.doubt(sorted);
      row.flagged = std::count_if(scores.begin(), scores.end(), [&](double s) { return s > limit; });
      // That of a score just above the threshold.
      const double above = std::max(0.0, std::nextafter(limit, 2.0 * std::abs(limit) + 1.0));
      row.false_alarms_per_1000 = 1000.0 * (tail ? p.extrapolated(above, *tail) : p.plain(above));
    } catch (const Error& error) {
      row.refusal = error.what();
    }
    table.rows.push_back(row);
  }
  return table;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
