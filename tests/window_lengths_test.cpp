#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <reprise/core/random.hpp>
#include <reprise/detection/window_lengths.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;
using Lengths = std::vector<Index>;

/// Two harmonics of a period, and noise of this standard deviation.
std::vector<double> periodic(Index steps, double period, double noise, std::uint32_t key = 1) {
  RandomStream random(5, Purpose::other, key);
  std::vector<double> values;
  for (Index t = 0; t < steps; ++t) {
    const double phase = 2.0 * std::numbers::pi * static_cast<double>(t) / period;
    values.push_back(20.0 + std::sin(phase) + 0.8 * std::cos(2.0 * phase) + noise * random.normal());
  }
  return values;
}

std::vector<double> noise(Index steps) {
  RandomStream random(6, Purpose::other);
  std::vector<double> values;
  for (Index t = 0; t < steps; ++t) values.push_back(random.normal());
  return values;
}

TEST_CASE("window lengths: the period is found, and half of it goes with it") {
  for (const Index period : {60, 97, 130}) {
    CAPTURE(period);
    const WindowLengths choice = choose_window_lengths(periodic(1200, static_cast<double>(period), 0.2));
    CHECK(std::abs(choice.period - period) <= 1);
    CHECK(choice.lengths == Lengths{choice.period / 2, choice.period});
    CHECK(choice.unexplained > 5e-4);
    CHECK(choice.unexplained < 0.1);
  }
}

TEST_CASE("window lengths: a period that is short, or longer than any window, does not bound them") {
  const WindowLengths texture = choose_window_lengths(periodic(1200, 12.0, 0.2));
  CHECK(texture.period == 12);
  CHECK(texture.lengths == Lengths{144, 288});
  const WindowLengths slow = choose_window_lengths(periodic(1400, 350.0, 0.2));
  CHECK(std::abs(slow.period - 350) <= 2);
  CHECK(slow.lengths == Lengths{144, 288});
}

TEST_CASE("window lengths: a week of unlike days has the period of the week") {
  // Every seventh day is much lower than the others.
  std::vector<double> values = periodic(1680, 24.0, 0.1);
  for (std::size_t t = 0; t < values.size(); ++t) {
    if (t / 24 % 7 == 6) values[t] = 20.0 + 0.1 * (values[t] - 20.0) - 2.0;
  }
  CHECK(choose_window_lengths(values).period == 168);
}

TEST_CASE("window lengths: noise, and what a short window determines, want the shortest") {
  const WindowLengths random = choose_window_lengths(noise(1000));
  CHECK(random.unexplained > 0.3);
  CHECK(random.period == 0);
  CHECK(random.lengths == Lengths{24, 48});
  const WindowLengths exact = choose_window_lengths(periodic(1200, 97.0, 1e-3));
  CHECK(exact.unexplained < 5e-4);
  CHECK(exact.lengths == Lengths{24, 48});
  const WindowLengths constant = choose_window_lengths(std::vector<double>(500, 3.0));
  CHECK(constant.unexplained == 0.0);
  CHECK(constant.period == 0);
  CHECK(constant.lengths == Lengths{24, 48});
}

TEST_CASE("window lengths: at most three tenths of a short series") {
  CHECK(choose_window_lengths(periodic(200, 97.0, 0.2)).lengths.back() <= 60);
  CHECK(choose_window_lengths(noise(40)).lengths == Lengths{6, 12});
}

TEST_CASE("window lengths: scale, offset and a constant feature change nothing") {
  const std::vector<double> values = periodic(1000, 97.0, 0.2);
  Matrix<double> wide(1000, 2);
  for (Index t = 0; t < 1000; ++t) {
    wide(t, 0) = 7.0;
    wide(t, 1) = 1e6 * values[static_cast<std::size_t>(t)] - 3e8;
  }
  const WindowLengths one = choose_window_lengths(values);
  const WindowLengths two = choose_window_lengths(wide);
  CHECK(two.lengths == one.lengths);
  CHECK(two.period == one.period);
  CHECK(two.unexplained.value() == Approx(one.unexplained.value()).epsilon(1e-6));
}

TEST_CASE("window lengths: the unexplained share of noise is that of the components left out") {
  // 16 of 48 directions of white noise, fitted to other windows, hold about a third of it.
  CHECK(choose_window_lengths(noise(6000)).unexplained.value() == Approx(2.0 / 3.0).epsilon(0.03));
}

TEST_CASE("window lengths: autocorrelation by hand") {
  Matrix<double> values(4, 1);
  values << 1, -1, 1, -1;
  CHECK(detail::autocorrelation(values, 2) == std::vector<double>{1.0, -1.0, 1.0});
  CHECK(detail::period_of({1.0, 0.2, -0.5, 0.1, 0.84, 0.1, -0.4, 0.9, 0.3}) == 7);  // 0.84 < 0.95 * 0.9
  CHECK(detail::period_of({1.0, 0.2, -0.5, 0.1, 0.88, 0.1, -0.4, 0.9, 0.3}) == 4);
  CHECK(detail::period_of({1.0, 0.2, -0.5, 0.1, 0.49, 0.1}) == 0);
  CHECK(detail::period_of({1.0, 0.9, 0.95, 0.9, 0.8, 0.7}) == 0);  // no peak after a zero
}

TEST_CASE("window lengths: refused") {
  CHECK(contains(error_of([] { choose_window_lengths(noise(39)); }), "at least 40 steps, got 39"));
  std::vector<double> values = noise(100);
  CHECK(contains(error_of([&] { choose_window_lengths(values, {.shortest = 60, .longest = 50}); }),
                 "shortest <= longest, got 60 and 50"));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(error_of([&] { choose_window_lengths(values, {.noise = nan}); }), "noise >= 0"));
  CHECK(contains(error_of([&] { choose_window_lengths(values, {.exact = -1.0}); }), "exact >= 0"));
  values[7] = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(error_of([&] { choose_window_lengths(values); }), "at step 7"));
}

TEST_CASE("window lengths: printed") {
  std::ostringstream text;
  text << WindowLengths{{24, 48}, 0, 0.0125};
  CHECK(text.str() == "T = 24, 48; period none, unexplained 0.013");
  std::ostringstream given;
  given << WindowLengths{.lengths = {7}};
  CHECK(given.str() == "T = 7");
}

}  // namespace
