#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "../core/sequences.hpp"
#include "../core/text.hpp"
#include "../data/series_report.hpp"
#include "block_calibration.hpp"
#include "nearest_in_series.hpp"
#include "stationarity.hpp"
#include "time_report.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What a detector's fit came to.
struct DetectorReport {
  Index rows = 0;
  Index features = 0;
  /// Of the windows, in points, ascending; each is looked at in each view.
  std::vector<Index> lengths{};
  std::vector<View> views{};
  /// The share of LSTM autoencoders in a score, and the lengths of their windows.
  double networks = 0.0;
  std::vector<Index> network_lengths{};
  /// Points that lie between a training window and those it is compared with: how far the series remembers.
  Index gap = 0;
  /// Rows that tell how large errors usually are, the first ones, and rows after them that calibrate.
  Index scale_rows = 0;
  Index calibration_rows = 0;
  /// Blocks that these make, and points in each: the longest window.
  Index blocks = 0;
  Index block = 0;
  /// The threshold in force, in the unit of the members' mean z.
  BlockThreshold threshold{};
  /// The lowest rate of false alarms that can be promised.
  double least_rate = 0.0;
  /// What was strange about the training series.
  SeriesReport series{};
  /// What speaks against the promise: the training series itself changes.
  Stationarity stationarity{};
  /// What the time stamps tell, where there were some.
  TimeReport time{};

  /// How many false alarms a day are expected at most; 0 where the interval between rows is not known.
  double false_alarms_a_day() const { return threshold.rate * time.rows_a_day() / 1000.0; }

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [rows, features, lengths, views, networks, network_lengths, gap, scale_rows, calibration_rows,
           blocks, block, threshold, least_rate, series, stationarity, time] = self;
    visit("rows", rows);
    visit("features", features);
    visit("lengths", lengths);
    visit("views", views);
    visit("networks", networks);
    visit("network_lengths", network_lengths);
    visit("gap", gap);
    visit("scale_rows", scale_rows);
    visit("calibration_rows", calibration_rows);
    visit("blocks", blocks);
    visit("block", block);
    visit("threshold", threshold);
    visit("least_rate", least_rate);
    visit("series", series);
    visit("stationarity", stationarity);
    visit("time", time);
  }
  friend bool operator==(const DetectorReport&, const DetectorReport&) = default;
};

/// In words.
inline std::ostream& operator<<(std::ostream& out, const DetectorReport& report) {
  const auto list = [&](const auto& items, auto text) {
    for (std::size_t i = 0; i < items.size(); ++i) out << (i > 0 ? ", " : "") << text(items[i]);
  };
  const auto rounded = [](double value) { return detail::number_text(value, 3); };
  out << "trained on " << std::to_string(report.rows) << " rows of " << std::to_string(report.features)
      << (report.features == 1 ? " feature" : " features")
      << ", which a file of this detector holds\nwindows of ";
  list(report.lengths, [](Index length) { return std::to_string(length); });
  out << " points, ";
  list(report.views, [](View view) { return to_string(view); });
  out << "; a training window is compared with those " << std::to_string(report.gap)
      << " points or more away from it\n";
  if (!report.network_lengths.empty()) {
    out << "LSTM autoencoders of windows of ";
    list(report.network_lengths, [](Index length) { return std::to_string(length); });
    out << " points have " << rounded(100.0 * report.networks) << " % of the score\n";
  }
  out << "false alarms: ";
  if (report.threshold.status == CalibrationStatus::none) {
    out << "none can be promised below " << rounded(report.least_rate)
        << " in 1,000 points, so there are no verdicts; more rows would help\n";
  } else {
    out << to_string(report.threshold.status) << ", "
        << (report.threshold.status == CalibrationStatus::estimated ? "about " : "at most ")
        << rounded(report.threshold.rate) << " in 1,000 points on average, counted in "
        << std::to_string(report.blocks) << " blocks of " << std::to_string(report.block) << " points";
    if (report.threshold.status == CalibrationStatus::widened) {
      out << "; fewer, such as the usual 1, cannot be promised with so few rows";
    }
    if (report.time.is_known()) {
      const double a_day = report.false_alarms_a_day();
      out << "\nthat is " << rounded(a_day) << " a day";
      if (a_day < 1.0) out << ", or one in " << rounded(1.0 / a_day) << " days";
    }
    out << "\nin 95 of 100 such fits no more than " << rounded(report.threshold.rate_in_95_percent)
        << "; this supposes that what comes is like what was trained on\n";
  }
  if (!report.stationarity.is_stationary() && report.threshold.status != CalibrationStatus::none)
    out << "but the training series itself changes, so expect more false alarms than that:\n";
  return out << report.stationarity << report.time << report.series;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
