#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/sequences.hpp"
#include "../core/text.hpp"
#include "detail/autocorrelation.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What the time stamps of a training series tell.
struct TimeReport {
  /// Seconds from a row to the next, the usual ones; 0 where there are no time stamps.
  double interval = 0.0;
  /// From the first row to the last, in days.
  double days = 0.0;
  /// Places where more than one and a half intervals lie between two rows.
  Index gaps = 0;
  /// Whether the hours of a day, the days of a week, resemble those of the next.
  bool is_daily = false;
  bool is_weekly = false;

  bool is_known() const { return interval > 0.0; }
  /// Rows in a day; 0 where that is not known.
  double rows_a_day() const { return is_known() ? 86400.0 / interval : 0.0; }

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [interval, days, gaps, is_daily, is_weekly] = self;
    visit("interval", interval);
    visit("days", days);
    visit("gaps", gaps);
    visit("is_daily", is_daily);
    visit("is_weekly", is_weekly);
  }
  friend bool operator==(const TimeReport&, const TimeReport&) = default;
};

namespace detail {

/// "10 minutes"
inline std::string duration_text(double seconds) {
  const auto text = [](double value, const char* unit) {
    return number_text(value, 3) + " " + unit + (value == 1.0 ? "" : "s");
  };
  if (seconds < 60.0) return text(seconds, "second");
  if (seconds < 3600.0) return text(seconds / 60.0, "minute");
  return seconds < 86400.0 ? text(seconds / 3600.0, "hour") : text(seconds / 86400.0, "day");
}

/// Whether a series has a rhythm of so many rows: its autocorrelation after them is .3 at least. And it has
/// no shorter one that comes back after them too: for each of `parts`, were a part of the period the rhythm,
/// the autocorrelation would be as high after each number of parts; it is to be .1 lower after some.
inline bool has_rhythm(const std::vector<double>& correlation, double rows,
                       std::initializer_list<int> parts) {
  const auto after = [&](double lag) { return correlation[static_cast<std::size_t>(std::lround(lag))]; };
  if (after(rows) < 0.3) return false;
  for (const int count : parts) {
    double lowest = 1.0;
    for (int part = 1; part < count; ++part) lowest = std::min(lowest, after(rows * part / count));
    if (after(rows) < lowest + 0.1) return false;
  }
  return true;
}

}  // namespace detail

/// `scaled`: the series, as `check_stationarity` takes it. A rhythm is looked for where the series holds it
/// twice at least, and has 8 rows a day or more; `times` are ascending, one for each row.
[[nodiscard]] inline TimeReport check_times(const std::vector<double>& times, const Matrix<double>& scaled) {
  TimeReport report;
  if (times.size() < 2) return report;
  std::vector<double> steps(times.size() - 1);
  for (std::size_t t = 0; t < steps.size(); ++t) steps[t] = times[t + 1] - times[t];
  report.interval = detail::median_of(steps);
  report.days = (times.back() - times.front() + report.interval) / 86400.0;
  report.gaps =
      std::count_if(steps.begin(), steps.end(), [&](double step) { return step > 1.5 * report.interval; });
  // Rows stand for times only where none is missing, or few.
  const double day = report.rows_a_day();
  if (day < 8.0 || report.gaps > static_cast<Index>(times.size() / 100)) return report;
  const auto rows = static_cast<double>(scaled.rows());
  if (rows < 2.0 * day) return report;
  const bool may_be_weekly = rows >= 14.0 * day;
  const auto lags = static_cast<Index>(std::lround(may_be_weekly ? 7.0 * day : day));
  const auto correlation = detail::autocorrelation(scaled, lags);
  report.is_daily = detail::has_rhythm(correlation, day, {2, 3, 5, 7});
  report.is_weekly = may_be_weekly && detail::has_rhythm(correlation, 7.0 * day, {7});
  return report;
}

/// Nothing where there are no time stamps.
inline std::ostream& operator<<(std::ostream& out, const TimeReport& report) {
  if (!report.is_known()) return out;
  const std::string days = detail::number_text(report.days, 3) + " days";
  out << "time stamps: a row every " << detail::duration_text(report.interval) << " for " << days;
  if (report.gaps > 0)
    out << "; in " << std::to_string(report.gaps) << " places rows are missing, and are taken for neighbours";
  out << '\n';
  if (report.is_daily || report.is_weekly) {
    out << "it has a rhythm of "
        << (report.is_weekly ? (report.is_daily ? "days and weeks" : "weeks") : "days") << '\n';
  }
  if (report.days < 2.0) {
    out << "fewer than two days: what changes with the hour of the day is not known yet\n";
  } else if (report.is_daily && report.days < 14.0) {
    out << "fewer than two weeks: whether weekends are other than weekdays is not known yet\n";
  }
  return out;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
