#pragma once

#include <cstddef>

#include "finite.hpp"
#include "version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A message without memory from the heap, for programs without exceptions. A number that is not whole is cut
/// after three decimals.
class FixedText {
 public:
  FixedText& operator+=(const char* text) {
    for (; *text != '\0' && size_ + 1 < sizeof text_; ++text) text_[size_++] = *text;
    return *this;
  }
  const char* text() const { return text_; }

  friend void add_number(FixedText& text, unsigned long long number) { text.add_digits(number, 1); }
  friend void add_number(FixedText& text, long long number) {
    if (number < 0) text += "-";
    const auto bits = static_cast<unsigned long long>(number);
    text.add_digits(number < 0 ? 0 - bits : bits, 1);
  }
  friend void add_number(FixedText& text, double number) {
    if (!(is_finite(number) && number > -1e9 && number < 1e9)) {
      text += is_nan(number) ? "nan" : number < 0 ? "a number below -1e9" : "a number above 1e9";
      return;
    }
    const double size = number < 0 ? -number : number;
    const auto thousandths = static_cast<unsigned long long>(size * 1000);
    if (number < 0) text += "-";
    text.add_digits(thousandths / 1000, 1);
    text += ".";
    text.add_digits(thousandths % 1000, 3);
  }
  friend void add_number(FixedText& text, float number) { add_number(text, static_cast<double>(number)); }

 private:
  void add_digits(unsigned long long number, int least) {
    char digits[24] = {};
    int first = 23;
    for (; number != 0 || 23 - first < least; number /= 10)
      digits[--first] = static_cast<char>('0' + number % 10);
    *this += digits + first;
  }

  char text_[192] = {};
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
