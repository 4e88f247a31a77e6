#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "error.hpp"
#include "finite.hpp"
#include "text.hpp"

// Time stamps as ISO 8601 writes them, and as seconds since 1970-01-01 00:00, leap seconds not counted.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Days from 1970-01-01 to a date of the Gregorian calendar, before 1970 less than 0. Years are counted from
/// March, so that the leap day is the last of its year: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", days_from_civil.
inline std::int64_t days_from_date(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}
inline bool is_leap_year(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }
inline int days_in_month(std::int64_t year, int month) {
  if (month == 2) return is_leap_year(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// Reads a time stamp from its first character to its last.
class TimeReader {
 public:
  explicit TimeReader(std::string_view text) : text_(text) {}

  double seconds() {
    const int year = digits(4, 9999);
    take('-');
    const int month = digits(2, 12);
    take('-');
    const int day = digits(2, 31);
    if (month < 1 || day < 1 || day > days_in_month(year, month)) refuse();
    double result = 86400.0 * static_cast<double>(days_from_date(year, month, day));
    if (at_ == text_.size()) return result;
    if (next() != 'T' && next() != ' ') refuse();
    ++at_;
    result += 3600.0 * digits(2, 23);
    take(':');
    result += 60.0 * digits(2, 59);
    if (next() == ':') result += seconds_of_minute();
    result -= zone();
    if (at_ != text_.size()) refuse();
    return result;
  }

 private:
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void take(char expected) {
    if (next() != expected) refuse();
    ++at_;
  }
  int digits(int count, int most) {
    int value = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      if (next() < '0' || next() > '9') refuse();
      value = 10 * value + (next() - '0');
    }
    if (value > most) refuse();
    return value;
  }
  double seconds_of_minute() {
    ++at_;
    double result = digits(2, 59);
    if (next() != '.' && next() != ',') return result;
    ++at_;
    if (next() < '0' || next() > '9') refuse();
    for (double unit = 0.1; next() >= '0' && next() <= '9'; unit /= 10.0, ++at_)
      result += unit * (next() - '0');
    return result;
  }
  /// In seconds east of Greenwich.
  double zone() {
    if (next() == 'Z') ++at_;
    if (next() != '+' && next() != '-') return 0.0;
    const double sign = next() == '+' ? 1.0 : -1.0;
    ++at_;
    const double hours = 3600.0 * digits(2, 23);
    if (next() == ':') ++at_;
    return sign * (hours + 60.0 * digits(2, 59));
  }
  [[noreturn]] void refuse() const {
    fail("time stamp", "one such as 2026-01-31, 2026-01-31 23:59 or 2026-01-31T23:59:59.5+01:00",
         {"\"", std::string(text_.substr(0, 40)), "\""});
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace detail

/// Seconds since 1970-01-01 00:00 of a time stamp: a date, or a date, a T or a space, and a time to the
/// minute or the second, with or without its fraction. With a zone (Z, +01:00) in universal time; without
/// one, as it stands. Throws on anything else.
[[nodiscard]] inline double seconds_of(std::string_view stamp) { return detail::TimeReader(stamp).seconds(); }

/// The time stamp of so many seconds since 1970-01-01 00:00, to the minute, or to the second where that is
/// no whole minute: 2026-01-31 23:59.
[[nodiscard]] inline std::string time_text(double seconds) {
  if (!(detail::is_finite(seconds) && std::abs(seconds) < 1e11))
    detail::fail("time_text", "seconds between -1e11 and 1e11", {seconds});
  const auto whole = static_cast<std::int64_t>(std::floor(seconds + 0.5));
  std::int64_t days = whole / 86400, rest = whole % 86400;
  if (rest < 0) {
    --days;
    rest += 86400;
  }
  // A guess that is at most a year late, since a year has 365.2425 days on average; then the month.
  auto year = 1970 + static_cast<std::int64_t>(std::floor(static_cast<double>(days) / 365.2425)) + 1;
  while (detail::days_from_date(year, 1, 1) > days) --year;
  int month = 12;
  while (detail::days_from_date(year, month, 1) > days) --month;
  const std::int64_t day = days - detail::days_from_date(year, month, 1) + 1;
  const auto two = [](std::int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  std::string text = std::to_string(year) + "-" + two(month) + "-" + two(day) + " " + two(rest / 3600) + ":" +
                     two(rest / 60 % 60);
  return rest % 60 == 0 ? text : text + ":" + two(rest % 60);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
