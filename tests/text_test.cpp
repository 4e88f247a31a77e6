#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

#include <reprise/core/error.hpp>
#include <reprise/core/text.hpp>

#include "decimal_comma.hpp"
#include "errors.hpp"

using reprise::detail::fixed_text;
using reprise::detail::number_text;
using reprise::detail::shortest_by_trial;

TEST_CASE("text: a number has as few digits as tell it from any other") {
  CHECK(number_text(-1e-9) == "-1e-09");
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(0.1F) == "0.1");
  CHECK(number_text(0.1 + 0.2) == "0.30000000000000004");
  CHECK(number_text(0.0) == "0");
  CHECK(number_text(-0.0) == "-0");
  CHECK(number_text(1.5) == "1.5");
  CHECK(number_text(500000.0) == "500000");
  CHECK(number_text(1e-4) == "0.0001");
  CHECK(number_text(9.9e-5) == "9.9e-05");
  CHECK(number_text(1e15) == "1000000000000000");
  CHECK(number_text(1e16) == "1e+16");
  CHECK(number_text(1.25e300) == "1.25e+300");
  CHECK(number_text(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(number_text(-std::numeric_limits<double>::infinity()) == "-inf");
  CHECK(number_text(-std::numeric_limits<double>::quiet_NaN()) == "nan");
}

TEST_CASE("text: numbers of all sizes are read back as the same value, with or without std::to_chars") {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> exponents(-40.0, 38.0);
  std::uniform_real_distribution<double> factors(-1.0, 1.0);
  for (int i = 0; i < 2000; ++i) {
    const double value = factors(random) * std::pow(10.0, exponents(random));
    CHECK(std::strtod(number_text(value).c_str(), nullptr) == value);
    CHECK(shortest_by_trial(value) == number_text(value));
    const auto narrow = static_cast<float>(value);
    CHECK(std::strtof(number_text(narrow).c_str(), nullptr) == narrow);
    CHECK(shortest_by_trial(narrow) == number_text(narrow));
  }
  for (const double value : {0.0, -0.0, 1.0, 9.99, 99.5, 1e-4, 1e16, 123456789012345678.0, 5e-324, 1.7e308}) {
    CHECK(shortest_by_trial(value) == number_text(value));
  }
}

TEST_CASE("text: tables round to a number of digits") {
  CHECK(number_text(2.0 / 3.0, 3) == "0.667");
  CHECK(number_text(0.5, 6) == "0.5");
  CHECK(fixed_text(0.5, 4) == "0.5000");
  CHECK(fixed_text(124.256, 2) == "124.26");
}

TEST_CASE("text: a decimal comma in the locale changes nothing") {
  CHECK(reprise::detail::with_point("-1,5e-09") == "-1.5e-09");
  CHECK(reprise::detail::with_point("0\xD9\xAB"
                                    "25") == "0.25");
  const test::DecimalComma comma;
  CHECK(number_text(0.25) == "0.25");
  CHECK(shortest_by_trial(0.25) == "0.25");
  CHECK(number_text(0.25, 3) == "0.25");
  CHECK(fixed_text(0.25, 2) == "0.25");
}

TEST_CASE("text: a message shows numbers as they are") {
  const auto message = [](auto number) {
    return test::error_of([&] { reprise::detail::fail("place", "more", {number}); });
  };
  CHECK(message(-1e-9) == "place: expected more, got -1e-09");
  CHECK(message(0.1F) == "place: expected more, got 0.1");
  CHECK(message(-7) == "place: expected more, got -7");
}
