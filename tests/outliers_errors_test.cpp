#include <doctest/doctest.h>

#include <limits>
#include <reprise/scores/errors.hpp>
#include <reprise/scores/window_array.hpp>
#include <string>
#include <vector>

#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

/// 3 windows of 2 steps, 2 apart by one, of the series (1, 10), (2, 20), (3, 30), (4, 40).
Windows two_features() {
  Matrix<double> series(4, 2);
  series << 1, 10, 2, 20, 3, 30, 4, 40;
  return sliding_windows(series, {.length = 2});
}

/// The same with the errors (x - y) below added: windows x steps x features.
const double errors[3][2][2] = {{{1, -2}, {0, 3}}, {{0.5, 0}, {0, 0}}, {{-4, 1}, {2, -1}}};

template <typename Scalar>
Sequences<Scalar> reconstruction_of(const Windows& windows) {
  Sequences<Scalar> result({.samples = windows.size(), .steps = windows.length(), .features = 2});
  for (Index w = 0; w < 3; ++w) {
    for (Index t = 0; t < 2; ++t) {
      for (Index f = 0; f < 2; ++f) result(w, t, f) = static_cast<Scalar>(windows(w, t, f) - errors[w][t][f]);
    }
  }
  return result;
}

}  // namespace

TEST_CASE("errors: per window, step and feature, worked out by hand") {
  const Windows windows = two_features();
  const auto y = reconstruction_of<float>(windows);  // all values are exact in float

  CHECK(mean_squared_errors(windows, y) == std::vector<double>{14.0 / 4, 0.25 / 4, 22.0 / 4});
  CHECK(mean_absolute_errors(windows, y) == std::vector<double>{6.0 / 4, 0.5 / 4, 8.0 / 4});

  Matrix<double> squared_steps(3, 2), absolute_steps(3, 2), squared_features(3, 2), absolute_features(3, 2);
  squared_steps << 5.0 / 2, 9.0 / 2, 0.125, 0, 17.0 / 2, 5.0 / 2;
  absolute_steps << 1.5, 1.5, 0.25, 0, 2.5, 1.5;
  squared_features << 0.5, 13.0 / 2, 0.125, 0, 10, 1;
  absolute_features << 0.5, 2.5, 0.25, 0, 3, 1;
  CHECK(mean_squared_errors_per_step(windows, y) == squared_steps);
  CHECK(mean_absolute_errors_per_step(windows, y) == absolute_steps);
  CHECK(mean_squared_errors_per_feature(windows, y) == squared_features);
  CHECK(mean_absolute_errors_per_feature(windows, y) == absolute_features);
}

TEST_CASE("errors: windows, sequences and another library's arrays give the same") {
  const Windows windows = two_features();
  const auto y = reconstruction_of<double>(windows);
  Sequences<float> x({.samples = 3, .steps = 2, .features = 2});
  std::vector<float> x_array;
  std::vector<double> y_array;
  for (Index w = 0; w < 3; ++w) {
    for (Index t = 0; t < 2; ++t) {
      for (Index f = 0; f < 2; ++f) {
        x(w, t, f) = static_cast<float>(windows(w, t, f));
        x_array.push_back(x(w, t, f));
        y_array.push_back(y(w, t, f));
      }
    }
  }
  const auto expected = mean_squared_errors(windows, y);
  CHECK(mean_squared_errors(x, y) == expected);
  const SequenceShape shape{.steps = 2, .features = 2};
  CHECK(mean_squared_errors(window_array(x_array, shape), window_array(y_array, shape)) == expected);
  CHECK(mean_squared_errors(windows, window_array(y_array, shape)) == expected);
  const std::vector<float> too_few(11);
  CHECK_THROWS_AS(window_array(too_few, shape), Error);
  // Sizes whose product is 0 modulo 2^64.
  CHECK_THROWS_WITH_AS(
      window_array(too_few, SequenceShape{.steps = Index{1} << 32, .features = Index{1} << 32}),
      "window array: expected a window whose values an index can count, got 4294967296 steps x 4294967296 "
      "features",
      Error);
}

TEST_CASE("errors: more windows than are read at a time") {
  std::vector<double> series(300);
  for (std::size_t i = 0; i < series.size(); ++i) series[i] = static_cast<double>(i * i % 71);
  const Windows windows = sliding_windows(series, {.length = 5, .stride = 2});
  REQUIRE(windows.size() == 148);
  Sequences<double> y({.samples = windows.size(), .steps = 5, .features = 1});
  for (Index w = 0; w < windows.size(); ++w) {
    for (Index t = 0; t < 5; ++t) y(w, t, 0) = static_cast<double>((3 * w + t) % 50);
  }
  const auto found = mean_squared_errors(windows, y);
  const auto steps = mean_absolute_errors_per_step(windows, y);
  for (Index w = 0; w < windows.size(); ++w) {
    double sum = 0;
    for (Index t = 0; t < 5; ++t) {
      const double e = series[static_cast<std::size_t>(2 * w + t)] - y(w, t, 0);
      sum += e * e;
      CHECK(steps(w, t) == std::abs(e));
    }
    CHECK(found[static_cast<std::size_t>(w)] == Approx(sum / 5).epsilon(1e-14));
  }
}

TEST_CASE("errors: float values are subtracted as doubles") {
  // In float 16777216 + 1 is 16777216; in double the difference is 1.
  const std::vector<double> x{16777217.0};
  const std::vector<float> y{16777216.0f};
  const SequenceShape shape{.steps = 1, .features = 1};
  CHECK(mean_squared_errors(window_array(x, shape), window_array(y, shape)) == std::vector<double>{1.0});
}

TEST_CASE("errors: what does not fit says what was expected and what came") {
  const Windows windows = two_features();
  const std::string count = error_of([&] {
    return mean_squared_errors(windows, Sequences<float>({.samples = 4, .steps = 2, .features = 2}));
  });
  CHECK(contains(count, "3 windows of 2 steps x 2 features"));
  CHECK(contains(count, "got 4 windows"));
  const std::string shape = error_of([&] {
    return mean_squared_errors(windows, Sequences<float>({.samples = 3, .steps = 2, .features = 1}));
  });
  CHECK(contains(shape, "got 3 windows of 2 steps x 1 features"));
}

TEST_CASE("errors: a reconstruction that is not finite is named with its place") {
  const Windows windows = sliding_windows(std::vector<double>(102, 1.0), {.length = 3});
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
    Sequences<double> y({.samples = 100, .steps = 3, .features = 1});
    y.values().setZero();
    y(70, 2, 0) = bad;
    y(71, 0, 0) = bad;  // earlier in time-major memory, later as a window
    const std::string message = error_of([&] { return mean_absolute_errors(windows, y); });
    CHECK(contains(message, "reconstruction"));
    CHECK(contains(message, "window 70, step 2, feature 0"));
  }
}
