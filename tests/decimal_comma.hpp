#pragma once

#include <doctest/doctest.h>

#include <clocale>
#include <cstdlib>
#include <fstream>
#include <locale>
#include <string>

#include "temporary_directory.hpp"

namespace test {

/// For C's functions, and `std::locale::global` too if asked for: a locale of its own that writes 1.234,5 for
/// 1234.5, or another character in place of the comma, for the life of this object. It is made by glibc's
/// `localedef`, so that nothing need be installed; elsewhere `is_there` is false and a message says so.
class DecimalComma {
 public:
  /// `point`: its Unicode number, such as 002C for the comma; 066B (Arabic) takes two bytes.
  explicit DecimalComma(const std::string& point = "002C", bool everywhere = false)
      : before_(std::setlocale(LC_ALL, nullptr)) {
    std::ofstream(directory_ / "source") << "LC_NUMERIC\ndecimal_point \"<U" << point
                                         << ">\"\nthousands_sep \"<U002E>\"\ngrouping 3;3\nEND LC_NUMERIC\n";
    std::ofstream(directory_ / "map")
        << "<code_set_name> UTF-8\n<comment_char> %\n<escape_char> /\n<mb_cur_min> 1\n<mb_cur_max> 2\n"
           "CHARMAP\n<U0000>..<U007F> /x00 ASCII\n<U066B> /xd9/xab POINT\nEND CHARMAP\n";
    const std::string at = directory_.path.string();
    // glibc remembers a locale by its name and folder.
    const std::string name = "reprise_" + point;
    const std::string command = "localedef --quiet -c -i '" + at + "/source' -f '" + at + "/map' '" + at +
                                "/" + name + "' 2>/dev/null";
    // It complains of what is missing, and does its work.
    if (std::system(command.c_str()) < 0 || setenv("LOCPATH", at.c_str(), 1) != 0) return;
    is_there = std::setlocale(LC_ALL, name.c_str()) != nullptr;
    if (is_there && everywhere) global_ = std::locale::global(std::locale(name));
    if (!is_there) MESSAGE("no locale with a decimal comma could be made");
  }
  DecimalComma(const DecimalComma&) = delete;
  DecimalComma& operator=(const DecimalComma&) = delete;
  ~DecimalComma() {
    std::locale::global(global_);
    std::setlocale(LC_ALL, before_.c_str());
    unsetenv("LOCPATH");
  }

  bool is_there = false;

 private:
  TemporaryDirectory directory_;
  std::string before_;
  std::locale global_;
};

/// What streams that are imbued with it write: 1.234,5.
struct CommaPunctuation : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

}  // namespace test
