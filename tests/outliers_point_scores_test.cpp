#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/core/windows.hpp>
#include <reprise/scores/point_scores.hpp>
#include <reprise/scores/window_grid.hpp>
#include <string>
#include <vector>

#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

const Aggregate aggregates[] = {Aggregate::mean, Aggregate::median, Aggregate::max, Aggregate::min};

double aggregate(std::vector<double> values, Aggregate how) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  switch (how) {
    case Aggregate::max: return values.back();
    case Aggregate::min: return values.front();
    case Aggregate::median: return (values[(n - 1) / 2] + values[n / 2]) / 2;
    default: break;
  }
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(n);
}

/// Straight from the definition: asks every window of every point.
template <typename ErrorAt>
std::vector<double> by_definition(const Windows& windows, ErrorAt error, Aggregate how) {
  const Index first = windows.start(0);
  const Index end = windows.start(windows.size() - 1) + windows.length();
  const Index regular = windows.size() - (windows.has_tail_window() ? 1 : 0);
  std::vector<double> scores;
  for (Index point = first; point < end; ++point) {
    std::vector<double> held;
    for (Index w = 0; w < windows.size(); ++w) {
      const Index step = point - windows.start(w);
      if (step >= 0 && step < windows.length() && (w < regular || held.empty()))
        held.push_back(error(w, step));
    }
    scores.push_back(aggregate(held, how));
  }
  return scores;
}

std::vector<double> random_errors(Index count, std::uint32_t key) {
  RandomStream random(7, Purpose::other, key);
  std::vector<double> errors(static_cast<std::size_t>(count));
  for (double& error : errors) error = random.uniform();
  return errors;
}

Matrix<double> random_step_errors(Index windows, Index steps, std::uint32_t key) {
  const auto values = random_errors(windows * steps, key);
  return Eigen::Map<const Matrix<double>>(values.data(), windows, steps);
}

Windows windows_over(Index steps, const WindowOptions& options) {
  return sliding_windows(std::vector<double>(static_cast<std::size_t>(steps)), options);
}

}  // namespace

TEST_CASE("point scores: worked out by hand") {
  // Windows {0 1 2}, {1 2 3}, {2 3 4} with the errors 6, 3, 9.
  const Windows windows = windows_over(5, {.length = 3});
  const std::vector<double> errors{6, 3, 9};
  CHECK(point_scores(windows, errors, Aggregate::mean) == std::vector<double>{6, 4.5, 6, 6, 9});
  CHECK(point_scores(windows, errors, Aggregate::median) == std::vector<double>{6, 4.5, 6, 6, 9});
  CHECK(point_scores(windows, errors, Aggregate::max) == std::vector<double>{6, 6, 9, 9, 9});
  CHECK(point_scores(windows, errors, Aggregate::min) == std::vector<double>{6, 3, 3, 3, 9});

  Matrix<double> steps(3, 3);
  steps << 1, 2, 3,  //
      4, 5, 6,       //
      7, 8, 12;
  CHECK(point_scores(windows, steps, Aggregate::mean) == std::vector<double>{1, 3, 5, 7, 12});
  CHECK(point_scores(windows, steps, Aggregate::max) == std::vector<double>{1, 4, 7, 8, 12});
  CHECK(point_scores(windows, steps, Aggregate::min) == std::vector<double>{1, 2, 3, 6, 12});
  CHECK(point_scores(windows, steps, Aggregate::median) == std::vector<double>{1, 3, 5, 7, 12});
}

TEST_CASE("point scores: as by definition, for many lengths, strides and ends") {
  for (const Index length : {1, 2, 3, 5, 8}) {
    for (Index stride = 1; stride <= length; ++stride) {
      for (Index steps = length; steps < length + 23; ++steps) {
        for (const bool tail : {false, true}) {
          const Windows windows =
              windows_over(steps, {.length = length, .stride = stride, .tail_window = tail});
          CAPTURE(length);
          CAPTURE(stride);
          CAPTURE(steps);
          CAPTURE(tail);
          const auto errors = random_errors(windows.size(), static_cast<std::uint32_t>(steps));
          const auto step_errors =
              random_step_errors(windows.size(), length, static_cast<std::uint32_t>(steps));
          for (const Aggregate how : aggregates) {
            const auto found = point_scores(windows, errors, how);
            const auto expected = by_definition(
                windows, [&](Index w, Index) { return errors[static_cast<std::size_t>(w)]; }, how);
            const auto found_steps = point_scores(windows, step_errors, how);
            const auto expected_steps = by_definition(
                windows, [&](Index w, Index t) { return step_errors(w, t); }, how);
            REQUIRE(found.size() == expected.size());
            REQUIRE(found_steps.size() == expected.size());
            if (tail) REQUIRE(static_cast<Index>(found.size()) == steps);
            for (std::size_t i = 0; i < found.size(); ++i) {
              REQUIRE(found[i] == Approx(expected[i]).epsilon(1e-14));
              REQUIRE(found_steps[i] == Approx(expected_steps[i]).epsilon(1e-14));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("point scores: unchanged to the last bit by what comes after the windows that hold the point") {
  for (const Index length : {1, 4, 7}) {
    for (Index stride = 1; stride <= length; ++stride) {
      const Index most = 40;
      const auto errors = random_errors(most, 3);
      const auto step_errors = random_step_errors(most, length, 4);
      for (const Aggregate how : aggregates) {
        const auto longest =
            point_scores(WindowGrid({.windows = most, .length = length, .stride = stride}), errors, how);
        const auto longest_steps =
            point_scores(WindowGrid({.windows = most, .length = length, .stride = stride}), step_errors, how);
        for (Index count = 1; count < most; ++count) {
          const WindowGrid grid({.windows = count, .length = length, .stride = stride});
          const auto some = point_scores(grid, std::span(errors).first(static_cast<std::size_t>(count)), how);
          const auto some_steps = point_scores(grid, step_errors.topRows(count), how);
          // The next window starts at count * stride.
          for (Index point = 0; point < std::min(count * stride, grid.points); ++point) {
            const auto i = static_cast<std::size_t>(point);
            REQUIRE(some[i] == longest[i]);
            REQUIRE(some_steps[i] == longest_steps[i]);
          }
        }
      }
    }
  }
}

TEST_CASE("point scores: a large error leaves no trace beyond its windows") {
  std::vector<double> errors(30, 0.1);
  errors[5] = 1e20;
  const auto scores = point_scores(WindowGrid({.windows = 30, .length = 4}), errors, Aggregate::mean);
  CHECK(scores[5] == Approx(2.5e19));
  CHECK(scores[8] == Approx(2.5e19));
  CHECK(scores[9] == Approx(0.1).epsilon(1e-14));
  CHECK(scores[4] == Approx(0.1).epsilon(1e-14));

  errors[5] = std::numeric_limits<double>::infinity();
  for (const Aggregate how : aggregates) {
    for (const double score : point_scores(WindowGrid({.windows = 30, .length = 4}), errors, how))
      CHECK_FALSE(std::isnan(score));
  }
}

TEST_CASE("point scores: the tail window scores only what no other window holds") {
  // Windows start at 0, 3, 6; the series ends at 11, so that one more window starts at 7.
  const Windows windows = windows_over(11, {.length = 4, .stride = 3, .tail_window = true});
  REQUIRE(windows.size() == 4);
  REQUIRE(windows.start(3) == 7);
  const auto scores = point_scores(windows, std::vector<double>{1, 2, 3, 100}, Aggregate::max);
  CHECK(scores == std::vector<double>{1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 100});
  // The same without a Windows.
  CHECK(point_scores(WindowGrid({.windows = 4, .length = 4, .stride = 3, .points = 11}),
                     std::vector<double>{1, 2, 3, 100}, Aggregate::max) == scores);

  Matrix<double> steps = Matrix<double>::Constant(4, 4, 1.0);
  steps.row(3) << 50, 60, 70, 80;
  CHECK(point_scores(windows, steps, Aggregate::max).back() == 80);
  CHECK(point_scores(windows, steps, Aggregate::max)[9] == 1);

  // No tail window where the regular ones reach the end.
  CHECK_FALSE(windows_over(10, {.length = 4, .stride = 3, .tail_window = true}).has_tail_window());
  CHECK(windows_over(4, {.length = 4, .stride = 3, .tail_window = true}).size() == 1);
}

TEST_CASE("point scores: of a part of the windows, the tail included") {
  const Windows windows = windows_over(11, {.length = 4, .stride = 3, .tail_window = true});
  const Windows last_two = windows.subset(2, 2);
  CHECK(last_two.start(0) == 6);
  CHECK(last_two.start(1) == 7);
  CHECK(last_two.has_tail_window());
  CHECK(point_scores(last_two, std::vector<double>{1, 2}, Aggregate::mean) ==
        std::vector<double>{1, 1, 1, 1, 2});
  CHECK_FALSE(windows.subset(0, 3).has_tail_window());
  const Windows tail = windows.subset(3, 1);
  CHECK(tail.start(0) == 7);
  CHECK(point_scores(tail, std::vector<double>{2}, Aggregate::mean) == std::vector<double>(4, 2));
}

TEST_CASE("windows: a split never leaves a tail window that overlaps the first part") {
  // Starts 0, 4, 8 and the tail at 9; windows of 6. Of the first 2 the last ends at 10, so only 10 and later
  // may follow.
  const Windows windows = windows_over(15, {.length = 6, .stride = 4, .tail_window = true});
  REQUIRE(windows.size() == 4);
  REQUIRE(windows.start(3) == 9);
  CHECK_THROWS_AS(windows.split(0.5), Error);
  const auto [first, second] = windows.split(0.25);
  CHECK(first.start(0) + 6 <= second.start(0));
}

TEST_CASE("windows: the tail window is gathered as it is read") {
  const Windows windows = sliding_windows(std::vector<double>{0, 1, 2, 3, 4, 5, 6},
                                          {.length = 3, .stride = 3, .tail_window = true});
  REQUIRE(windows.size() == 3);
  Sequences<float> batch({.samples = 3, .steps = 3, .features = 1});
  const std::vector<Index> numbers{0, 1, 2};
  windows.gather(std::span<const Index>(numbers), batch.view());
  CHECK(batch(2, 0, 0) == 4);
  CHECK(batch(2, 2, 0) == 6);
  CHECK(windows(2, 2, 0) == 6);
}

TEST_CASE("point scores: wrong use") {
  const Windows windows = windows_over(10, {.length = 4});
  const std::string count =
      error_of([&] { return point_scores(windows, std::vector<double>(6), Aggregate::max); });
  CHECK(contains(count, "7 window errors"));
  CHECK(contains(count, "got 6"));
  CHECK(contains(error_of([&] { return point_scores(windows, Matrix<double>::Zero(7, 3), Aggregate::max); }),
                 "7 windows x 4 steps"));
  std::vector<double> errors(7);
  errors[4] = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(error_of([&] { return point_scores(windows, errors, Aggregate::max); }), "nan at index 4"));
  Matrix<double> steps = Matrix<double>::Zero(7, 4);
  steps(5, 2) = -1;
  CHECK(contains(error_of([&] { return point_scores(windows, steps, Aggregate::mean); }),
                 "-1 at window 5, step 2"));
  CHECK(contains(error_of([&] { WindowGrid(windows_over(10, {.length = 2, .stride = 3})); }), "stride 3"));
  CHECK_THROWS_AS(WindowGrid({.windows = 3, .length = 4, .stride = 2, .points = 9}), Error);
  CHECK_THROWS_AS(WindowGrid({.windows = 3, .length = 4, .stride = 2, .points = 6}), Error);
  CHECK_NOTHROW(WindowGrid({.windows = 3, .length = 4, .stride = 2, .points = 7}));
  CHECK_THROWS_AS(WindowGrid({.windows = 0, .length = 4}), Error);
  // The product does not fit; the product does, and with the length it does not.
  constexpr Index large = Index{1} << 62;
  CHECK_THROWS_WITH_AS(WindowGrid({.windows = large, .length = 4, .stride = 4}),
                       "point scores: expected windows whose points an index can count, got "
                       "4611686018427387904 windows with stride 4",
                       Error);
  CHECK_THROWS_AS(WindowGrid({.windows = 2, .length = large, .stride = large}), Error);
}
