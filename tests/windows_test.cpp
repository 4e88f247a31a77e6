#include "gradient_check.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include <reprise/core/windows.hpp>

namespace {

using reprise::Index;
using reprise::Sequences;
using reprise::sliding_windows;
using reprise::Windows;
using test::contains;
using test::error_of;

std::vector<double> count_to(Index n) {
  std::vector<double> series(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < series.size(); ++i) series[i] = static_cast<double>(i);
  return series;
}

/// The steps of the series that the windows hold.
std::set<Index> steps_of(const Windows& windows) {
  std::set<Index> steps;
  for (Index w = 0; w < windows.size(); ++w) {
    for (Index t = 0; t < windows.length(); ++t) steps.insert(windows.start(w) + t);
  }
  return steps;
}

TEST_CASE("windows start a stride apart and all lie within the series") {
  for (Index n = 1; n <= 12; ++n) {
    for (Index length = 1; length <= n; ++length) {
      for (Index stride = 1; stride <= 5; ++stride) {
        CAPTURE(n);
        CAPTURE(length);
        CAPTURE(stride);
        const Windows windows = sliding_windows(count_to(n), {.length = length, .stride = stride});
        Index count = 0;
        for (Index start = 0; start + length <= n; start += stride, ++count) {
          REQUIRE(count < windows.size());
          CHECK(windows.start(count) == start);
          for (Index t = 0; t < length; ++t) CHECK(windows(count, t, 0) == static_cast<double>(start + t));
        }
        CHECK(windows.size() == count);
        CHECK(windows.length() == length);
        CHECK(windows.stride() == stride);
        CHECK(windows.features() == 1);
        CHECK(windows.series_steps() == n);
        CHECK_FALSE(windows.has_tail_window());
      }
    }
  }
}

TEST_CASE("a tail window holds the steps that the stride left over") {
  for (Index n = 1; n <= 12; ++n) {
    for (Index length = 1; length <= n; ++length) {
      for (Index stride = 1; stride <= 5; ++stride) {
        CAPTURE(n);
        CAPTURE(length);
        CAPTURE(stride);
        const Windows plain = sliding_windows(count_to(n), {.length = length, .stride = stride});
        const Windows tailed =
            sliding_windows(count_to(n), {.length = length, .stride = stride, .tail_window = true});
        const bool left_over = plain.start(plain.size() - 1) + length < n;
        CHECK(tailed.size() == plain.size() + (left_over ? 1 : 0));
        CHECK(tailed.has_tail_window() == (left_over && (n - length) % stride != 0));
        CHECK(tailed.start(tailed.size() - 1) == n - length);
        for (Index w = 0; w < plain.size(); ++w) CHECK(tailed.start(w) == plain.start(w));
      }
    }
  }
}

TEST_CASE("a series may be a vector, a span or a matrix, of any number type") {
  const auto check = [](const Windows& windows) {
    CHECK(windows.size() == 3);
    CHECK(windows.shape() == reprise::SequenceShape{.steps = 2, .features = 1});
    for (Index w = 0; w < 3; ++w) {
      for (Index t = 0; t < 2; ++t) CHECK(windows(w, t, 0) == static_cast<double>(w + t + 5));
    }
  };
  const std::vector<float> floats = {5, 6, 7, 8};
  const std::vector<double> doubles = {5, 6, 7, 8};
  const std::vector<int> ints = {5, 6, 7, 8};
  const std::vector<std::int64_t> longs = {5, 6, 7, 8};
  const std::vector<unsigned char> bytes = {5, 6, 7, 8};
  std::vector<float> writable = floats;
  check(sliding_windows(floats, {.length = 2}));
  check(sliding_windows(doubles, {.length = 2}));
  check(sliding_windows(ints, {.length = 2}));
  check(sliding_windows(longs, {.length = 2}));
  check(sliding_windows(bytes, {.length = 2}));
  check(sliding_windows(std::span<const float>(floats), {.length = 2}));
  check(sliding_windows(std::span<const double>(doubles), {.length = 2}));
  check(sliding_windows(std::span<const int>(ints), {.length = 2}));
  check(sliding_windows(std::span(writable), {.length = 2}));
  check(sliding_windows(std::span<const int, 4>(ints), {.length = 2}));
  check(sliding_windows(Eigen::Vector4f(5, 6, 7, 8), {.length = 2}));
  check(sliding_windows(Eigen::Vector4d(5, 6, 7, 8), {.length = 2}));
  check(sliding_windows(Eigen::Vector4i(5, 6, 7, 8), {.length = 2}));
  check(sliding_windows(Eigen::Array4d(5, 6, 7, 8), {.length = 2}));
  check(sliding_windows(Eigen::Map<const Eigen::VectorXd>(doubles.data(), 4), {.length = 2}));
}

TEST_CASE("a matrix has a row for each time step and a column for each feature, in either storage order") {
  Eigen::Matrix<double, 4, 2> columns;
  columns << 1, 10, 2, 20, 3, 30, 4, 40;
  const Eigen::Matrix<double, 4, 2, Eigen::RowMajor> rows = columns;
  const auto check = [](const Windows& windows) {
    CHECK(windows.features() == 2);
    CHECK(windows.size() == 2);
    CHECK(windows(1, 0, 0) == 2);
    CHECK(windows(1, 0, 1) == 20);
    CHECK(windows(1, 2, 1) == 40);
    CHECK(windows.series_value(2, 1) == 30);
  };
  check(sliding_windows(columns, {.length = 3}));
  check(sliding_windows(rows, {.length = 3}));
  check(sliding_windows(columns.cast<float>(), {.length = 3}));
  check(sliding_windows(columns.cast<int>(), {.length = 3}));
  check(sliding_windows(Eigen::MatrixXd(columns).topRows(4), {.length = 3}));
}

TEST_CASE("a temporary series is safe, and copies of its windows share it") {
  const auto make = [] {
    const Windows all = sliding_windows(std::vector<double>{1, 2, 3, 4, 5}, {.length = 2});
    return all.subset(1, 3);
  };
  const Windows windows = make();
  const Windows copy = windows;
  CHECK(copy.size() == 3);
  CHECK(copy(0, 0, 0) == 2);
  CHECK(copy(2, 1, 0) == 5);
}

TEST_CASE("a vector that is handed over is not copied") {
  std::vector<float> series(1000, 1.f);
  series[3] = 7;
  float* const values = series.data();
  const Windows windows = sliding_windows(std::move(series), {.length = 4});
  // Only while the windows still read the very same memory does a change made there show.
  CHECK(windows(0, 3, 0) == 7);
  values[3] = 8;
  CHECK(windows(0, 3, 0) == 8);

  std::vector<float> kept(10, 1.f);
  const Windows of_copy = sliding_windows(kept, {.length = 4});
  kept[3] = 9;
  CHECK(of_copy(0, 3, 0) == 1);
}

TEST_CASE("a split shares no value, loses no more than it must, and never leaves a side empty") {
  int splits = 0, refusals = 0;
  for (Index n = 1; n <= 14; ++n) {
    for (Index length = 1; length <= std::min<Index>(n, 6); ++length) {
      for (Index stride = 1; stride <= 4; ++stride) {
        for (const bool tail_window : {false, true}) {
          const Windows all =
              sliding_windows(count_to(n), {.length = length, .stride = stride, .tail_window = tail_window});
          for (const double fraction : {.01, .1, .25, .5, .7, .8, .9, .99}) {
            CAPTURE(n);
            CAPTURE(length);
            CAPTURE(stride);
            CAPTURE(tail_window);
            CAPTURE(fraction);
            const auto first = static_cast<Index>(std::floor(static_cast<double>(all.size()) * fraction));
            // The first window that shares nothing with the last one of the left side.
            Index second = first;
            while (first > 0 && second < all.size() && all.start(second) < all.start(first - 1) + length)
              ++second;
            const bool possible = first > 0 && second < all.size();
            if (!possible) {
              ++refusals;
              CHECK_THROWS_AS(all.split(fraction), reprise::Error);
              continue;
            }
            ++splits;
            const auto [left, right] = all.split(fraction);
            CHECK(left.size() == first);
            CHECK(right.size() == all.size() - second);
            CHECK(left.start(0) == all.start(0));
            CHECK(right.start(0) == all.start(second));
            CHECK(right.start(right.size() - 1) == all.start(all.size() - 1));
            const auto on_the_left = steps_of(left);
            for (const Index step : steps_of(right)) CHECK(on_the_left.count(step) == 0);
          }
        }
      }
    }
  }
  CHECK(splits > 500);
  CHECK(refusals > 500);
}

TEST_CASE("a fraction must lie between 0 and 1") {
  const Windows windows = sliding_windows(count_to(20), {.length = 3});
  for (const double fraction : {0., 1., -.5, 1.5, std::nan(""), HUGE_VAL, -HUGE_VAL, 1e300}) {
    CAPTURE(fraction);
    CHECK(contains(error_of([&] { return windows.split(fraction); }), "split"));
  }
  const std::string message = error_of([&] { return windows.split(.01); });
  CHECK(contains(message, "18"));
  CHECK(contains(message, "2 left out"));
}

TEST_CASE("the first value that is not finite is named with its place") {
  std::vector<double> series(9, 1.);
  series[7] = std::nan("");
  CHECK(
      contains(error_of([&] { return sliding_windows(series, {.length = 2}); }), "nan at step 7, feature 0"));
  std::vector<float> floats(9, 1.f);
  floats[4] = -HUGE_VALF;
  floats[5] = HUGE_VALF;
  CHECK(contains(error_of([&] { return sliding_windows(floats, {.length = 2}); }),
                 "-inf at step 4, feature 0"));
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Ones(5, 3);
  matrix(3, 2) = HUGE_VAL;
  CHECK(
      contains(error_of([&] { return sliding_windows(matrix, {.length = 2}); }), "inf at step 3, feature 2"));
}

TEST_CASE("sizes that cannot be are refused") {
  CHECK(contains(error_of([] { return sliding_windows(count_to(3), {.length = 4}); }),
                 "at least 4 steps, got 3"));
  CHECK(
      contains(error_of([] { return sliding_windows(std::vector<float>{}, {.length = 1}); }), "got 0 steps"));
  CHECK(sliding_windows(count_to(3), {.length = 3}).size() == 1);
  CHECK(contains(error_of([] { return sliding_windows(count_to(3), {.stride = 2}); }),
                 "expected a window length"));
  constexpr Index most = std::numeric_limits<Index>::max();  // length + horizon is no Index
  CHECK_THROWS_AS(sliding_windows(count_to(3), {.length = 2, .horizon = most}), reprise::Error);
  for (const Index size : {0, -1}) {
    CHECK(contains(error_of([&] { return sliding_windows(count_to(3), {.length = size}); }),
                   "sliding_windows: expected a window length of at least 1 step, which must be given, got " +
                       std::to_string(size)));
    CHECK(contains(error_of([&] { return sliding_windows(count_to(3), {.length = 1, .stride = size}); }),
                   "stride > 0"));
  }
  CHECK(contains(error_of([] { return sliding_windows(Eigen::MatrixXd(5, 0), {.length = 1}); }),
                 "features > 0"));
  CHECK(contains(error_of([] { return sliding_windows(Eigen::MatrixXd(0, 2), {.length = 1}); }),
                 "got 0 steps"));
}

TEST_CASE("a subset must lie within the windows") {
  const Windows windows = sliding_windows(count_to(10), {.length = 3, .stride = 2});  // starts 0, 2, 4, 6
  const Windows some = windows.subset(1, 2);
  CHECK(some.size() == 2);
  CHECK(some.start(0) == 2);
  CHECK(some.start(1) == 4);
  CHECK(some(1, 2, 0) == 6);
  CHECK(some.subset(1, 1).start(0) == 4);
  CHECK(windows.subset(0, 4).size() == 4);
  CHECK_THROWS_AS(windows.subset(-1, 2), reprise::Error);
  CHECK_THROWS_AS(windows.subset(0, 0), reprise::Error);
  CHECK_THROWS_AS(windows.subset(0, 5), reprise::Error);
  CHECK_THROWS_AS(windows.subset(4, 1), reprise::Error);
  CHECK_THROWS_AS(some.subset(1, 2), reprise::Error);  // no way back to the windows left out
}

template <typename Scalar>
void check_gather(const Windows& windows) {
  const std::vector<Index> numbers = {4, 0, 2, 4};
  Sequences<Scalar> batch({.samples = 4, .steps = windows.length(), .features = windows.features()});
  windows.gather<Scalar>(numbers, batch.view());
  for (Index b = 0; b < 4; ++b) {
    for (Index t = 0; t < windows.length(); ++t) {
      for (Index f = 0; f < windows.features(); ++f) {
        const double value = windows(numbers[static_cast<std::size_t>(b)], t, f);
        CHECK(batch(b, t, f) == static_cast<Scalar>(value));
        // time-major: the step slowest, then the sample, then the feature
        CHECK(batch.values().data()[(t * 4 + b) * windows.features() + f] == static_cast<Scalar>(value));
      }
    }
  }
}

TEST_CASE("gather converts to the batch's scalar and lays the steps out one after the other") {
  const Eigen::MatrixXd series = test::uniform_matrix<double>(12, 3, 1);
  check_gather<float>(sliding_windows(series, {.length = 3, .stride = 2}));
  check_gather<double>(sliding_windows(series, {.length = 3, .stride = 2}));
  check_gather<float>(sliding_windows(series.cast<float>(), {.length = 3, .stride = 2}));
  check_gather<double>(sliding_windows(series.cast<float>(), {.length = 3, .stride = 2}));
  check_gather<float>(sliding_windows(series, {.length = 4}).subset(3, 5));
  check_gather<double>(sliding_windows(series, {.length = 3, .stride = 2, .tail_window = true}).subset(1, 5));
}

}  // namespace

TEST_CASE("gather refuses a batch of another shape and numbers that are not") {
  const Windows windows = reprise::sliding_windows(std::vector<double>{1, 2, 3, 4, 5}, {.length = 3});
  reprise::Sequences<float> batch({.samples = 2, .steps = 3, .features = 1}),
      wide({.samples = 2, .steps = 3, .features = 2}), short_({.samples = 2, .steps = 2, .features = 1});
  const std::vector<Index> good = {0, 2}, one = {0}, beyond = {0, 3}, negative = {-1, 0};
  windows.gather(std::span<const Index>(good), batch.view());
  CHECK(batch(1, 2, 0) == 5.0f);
  CHECK_THROWS_AS(windows.gather(std::span<const Index>(good), wide.view()), reprise::Error);
  CHECK_THROWS_AS(windows.gather(std::span<const Index>(good), short_.view()), reprise::Error);
  CHECK_THROWS_AS(windows.gather(std::span<const Index>(one), batch.view()), reprise::Error);
  CHECK_THROWS_AS(windows.gather(std::span<const Index>(beyond), batch.view()), reprise::Error);
  CHECK_THROWS_AS(windows.gather(std::span<const Index>(negative), batch.view()), reprise::Error);
}

TEST_CASE("windows: a horizon keeps room behind every window, whatever stride, patch and tail") {
  for (Index n = 2; n <= 14; ++n) {
    for (Index length = 1; length < n; ++length) {
      for (Index horizon = 1; length + horizon <= n; ++horizon) {
        for (Index stride = 1; stride <= 3; ++stride) {
          for (const bool tail : {false, true}) {
            CAPTURE(n);
            CAPTURE(length);
            CAPTURE(horizon);
            CAPTURE(stride);
            const Index patch = std::min<Index>(length, 2);
            const Windows windows = sliding_windows(count_to(n), {.length = length,
                                                                  .stride = stride,
                                                                  .tail_window = tail,
                                                                  .patch = patch,
                                                                  .horizon = horizon});
            // As windows of length + horizon points.
            const Windows whole = sliding_windows(
                count_to(n), {.length = length + horizon, .stride = stride, .tail_window = tail});
            REQUIRE(windows.size() == whole.size());
            CHECK(windows.length() == length);
            CHECK(windows.horizon() == horizon);
            CHECK(windows.target_shape() == reprise::SequenceShape{.steps = horizon, .features = 1});
            CHECK_FALSE(windows.targets_are_inputs());
            const Windows following = windows.following();
            CHECK(following.length() == horizon);
            CHECK(following.horizon() == 0);
            Sequences<float> x(
                {.samples = windows.size(), .steps = windows.shape().steps, .features = patch});
            Sequences<float> y({.samples = windows.size(), .steps = horizon, .features = 1});
            std::vector<Index> numbers;
            for (Index w = 0; w < windows.size(); ++w) numbers.push_back(w);
            windows.gather(std::span<const Index>(numbers), x.view(), y.view());
            for (Index w = 0; w < windows.size(); ++w) {
              CHECK(windows.start(w) == whole.start(w));
              CHECK(x(w, 0, 0) == static_cast<float>(windows.start(w)));
              for (Index k = 0; k < horizon; ++k) {
                CHECK(y(w, k, 0) == static_cast<float>(windows.start(w) + length + k));
                CHECK(following(w, k, 0) == whole(w, length + k, 0));
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("windows: a split counts the horizon, and a subset keeps it") {
  for (Index horizon = 0; horizon <= 4; ++horizon) {
    for (Index stride = 1; stride <= 3; ++stride) {
      CAPTURE(horizon);
      CAPTURE(stride);
      const Windows all = sliding_windows(count_to(60), {.length = 3, .stride = stride, .horizon = horizon});
      const auto [left, right] = all.split(0.5);
      CHECK(left.size() == all.size() / 2);
      const Index last =
          left.start(left.size() - 1) + 3 + horizon - 1;  // the last step that the left side knows
      CHECK(right.start(0) > last);
      CHECK(right.start(0) - stride <= last);
      CHECK(right.start(right.size() - 1) == all.start(all.size() - 1));
      if (horizon == 0) continue;
      CHECK(right.following()(0, 0, 0) == static_cast<double>(right.start(0) + 3));
      CHECK(all.subset(2, 3).following().start(1) == all.start(3) + 3);
    }
  }
  CHECK(contains(error_of([] { return sliding_windows(count_to(5), {.length = 4, .horizon = 2}); }),
                 "a series of at least 6 steps, got 5 steps"));
  CHECK(contains(error_of([] { return sliding_windows(count_to(5), {.length = 4, .horizon = -1}); }),
                 "horizon >= 0, got -1"));
  CHECK(contains(error_of([] { return sliding_windows(count_to(5), {.length = 4}).following(); }),
                 "horizon > 0"));
}
