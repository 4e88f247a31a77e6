#pragma once

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "finite.hpp"
#include "version.hpp"

// The one way in which the library writes a number: in messages, tables, summaries and CSV files. The text
// does not depend on the locale, in which a program may have asked for a decimal comma.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What printf wrote, with a point where the locale has another character, or several.
[[gnu::noinline]] inline std::string with_point(const char* text) {
  std::string result;
  bool has_point = false;
  for (const char* c = text; *c != '\0'; ++c) {
    const bool is_usual = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || *c == '-' || *c == '+';
    if (is_usual || !has_point) result += is_usual ? *c : '.';
    if (!is_usual) has_point = true;
  }
  return result;
}

/// What printf(format, precision, value) writes in the C locale.
[[gnu::noinline]] inline std::string printed(const char* format, int precision, double value) {
  char text[400];  // the largest double has 309 digits before its point
  std::snprintf(text, sizeof text, format, precision, value);
  return with_point(text);
}

/// The shortest text by trying ever more digits, for standard libraries that lack std::to_chars for floating
/// point.
template <typename Real>
[[gnu::noinline]] std::string shortest_by_trial(Real value) {
  const auto number = static_cast<double>(value);
  if (!is_finite(number)) return printed("%.*g", 6, number);
  int digits = 1;
  char text[40];
  for (; digits < 17; ++digits) {
    // Written and read in the same locale, whichever that is.
    std::snprintf(text, sizeof text, "%.*e", digits - 1, number);
    if (static_cast<Real>(std::strtod(text, nullptr)) == value) break;
  }
  const double size = std::abs(number);
  if (size != 0.0 && (size < 1e-4 || size >= 1e16)) return printed("%.*e", digits - 1, number);
  // After rounding to that many digits, so that 9.99 with one digit left counts as 10.
  std::snprintf(text, sizeof text, "%.*e", digits - 1, number);
  const auto* exponent = text;
  while (*exponent != 'e') ++exponent;
  const int decimals = digits - 1 - std::atoi(exponent + 1);
  return printed("%.*f", decimals > 0 ? decimals : 0, number);
}

template <typename Real>
[[gnu::noinline]] std::string shortest_text(Real value) {
  if (is_nan(value)) return "nan";
#if defined(__cpp_lib_to_chars) && !defined(REPRISE_PLAIN_TEXT)
  const Real size = std::abs(value);
  const bool is_plain = size == Real(0) || (size >= Real(1e-4) && size < Real(1e16));
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value,
                                 is_plain ? std::chars_format::fixed : std::chars_format::scientific);
  return std::string(text, end.ptr);
#else
  return shortest_by_trial(value);
#endif
}

/// As few digits as tell the value from any other of its type; 1e-09 for what is below 0.0001, 1e+16 from
/// there on, else without an exponent.
inline std::string number_text(double value) { return shortest_text(value); }
inline std::string number_text(float value) { return shortest_text(value); }
/// Rounded to so many digits, for tables; without zeros at the end.
inline std::string number_text(double value, int digits) { return printed("%.*g", digits, value); }
/// Rounded to so many digits behind the point, zeros included.
inline std::string fixed_text(double value, int decimals) { return printed("%.*f", decimals, value); }

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
