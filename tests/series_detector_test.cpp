#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/detection/series_detector.hpp>
#include <reprise/thresholds/outlier_scorer.hpp>
#include <string>
#include <vector>

#include "differences.hpp"
#include "errors.hpp"
#include "waves.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

constexpr test::Waves waves{.seed = 9};
std::vector<double> wave(Index steps, std::uint32_t key = 1) { return waves.single(steps, key); }

/// Small enough for a test.
SeriesDetectorOptions small(std::vector<Index> lengths = {10, 20}) {
  return {.lengths = std::move(lengths), .steps = 5, .units = 8, .code = 4, .updates = 40, .batch_size = 32};
}

Index place_of_largest(const std::vector<double>& scores) {
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

bool all_numbers(const std::vector<double>& scores) {
  return std::all_of(scores.begin(), scores.end(), [](double s) { return std::isfinite(s) && s >= 0.0; });
}

TEST_CASE("series detector: finds what was planted, and little else") {
  SeriesDetector<float> detector(small());
  detector.fit(wave(400));
  std::vector<double> series = wave(600, 2);
  for (std::size_t t = 310; t < 320; ++t) series[t] = 100.0;  // the wave stands still
  const std::vector<double> scores = detector.scores(series);
  REQUIRE(scores.size() == series.size());
  CHECK(std::abs(place_of_largest(scores) - 315) <= 20);

  OutlierScorer scorer{threshold::quantile(0.99)};
  scorer.calibrate(detector.calibration_scores());
  Index found = 0, false_alarms = 0;
  for (const Verdict& verdict : scorer.score(scores)) {
    const bool near = verdict.index >= 310 - 20 && verdict.index < 320 + 20;
    if (verdict.is_outlier) ++(near ? found : false_alarms);
  }
  CHECK(found >= 10);
  CHECK(false_alarms <= 30);  // of 550
}

TEST_CASE("series detector: a fault code in the training series blinds nothing, and is named") {
  const std::vector<double> clean = wave(400);
  SeriesDetector<float> detector(small());
  detector.fit(clean);
  CHECK(detector.report().is_empty());
  std::vector<double> series = wave(600, 2);
  for (std::size_t t = 310; t < 320; ++t) series[t] = 100.0;
  const std::vector<double> expected = detector.scores(series);
  for (const double code : {-9999.0, 65535.0, 1e12}) {
    CAPTURE(code);
    std::vector<double> training = clean;
    training[150] = code;
    detector.fit(training);
    CHECK(detector.report().suspect_values == 1);
    CHECK(detector.report().suspects.at(0).step == 150);
    CHECK(detector.report().suspects.at(0).value == code);
    const std::vector<double> scores = detector.scores(series);
    CHECK(scores[315] > 0.5 * expected[315]);
  }
}

TEST_CASE("series detector: a network alone finds it too") {
  SeriesDetectorOptions options = small();
  options.updates = 300;
  options.baseline_weight = 0.0;
  SeriesDetector<float> detector(options);
  detector.fit(wave(400));
  std::vector<double> series = wave(600, 2);
  for (std::size_t t = 310; t < 320; ++t) series[t] = 100.0;
  CHECK(std::abs(place_of_largest(detector.scores(series)) - 315) <= 20);
}

TEST_CASE("series detector: any number of threads gives the same bits, another seed others") {
  const std::vector<double> training = wave(300), series = wave(200, 2);
  SeriesDetectorOptions options = small();
  SeriesDetector<float> one(options);
  one.fit(training);
  for (const int threads : {2, 3, 8}) {
    CAPTURE(threads);
    options.threads = threads;
    SeriesDetector<float> more(options);
    more.fit(training);
    CHECK(more.scores(series) == one.scores(series));
    CHECK(more.calibration_scores() == one.calibration_scores());
  }
  const SeriesDetector<float> copy = one;
  CHECK(copy.scores(series) == one.scores(series));
  options.seed = 2;
  SeriesDetector<float> other(options);
  other.fit(training);
  CHECK(other.scores(series) != one.scores(series));
}

TEST_CASE("series detector: a score does not depend on what comes after its windows") {
  SeriesDetector<float> detector(small());
  detector.fit(wave(300));
  const std::vector<double> series = wave(2600, 2);  // more windows than a block has
  const std::vector<double> whole = detector.scores(series);
  const std::vector<double> start =
      detector.scores(std::vector<double>(series.begin(), series.begin() + 1401));
  for (std::size_t t = 0; t < 1401 - 24; ++t) {  // windows of 20, 4 apart
    CAPTURE(t);
    // A network rounds a window by what stands beside it in a batch.
    REQUIRE(std::abs(start[t] - whole[t]) <= 1e-4 * whole[t]);
  }
}

TEST_CASE("series detector: units and offset of a feature do not matter") {
  const Matrix<double> training = waves(300, 2), series = waves(150, 2, 2);
  SeriesDetector<float> plain(small({12}));
  plain.fit(training);
  const auto in_other_units = [](const Matrix<double>& values) {
    Matrix<double> result = values;
    result.col(0) = 1024.0 * values.col(0).array() - 3e5;
    return result;
  };
  SeriesDetector<float> scaled(small({12}));
  scaled.fit(in_other_units(training));
  const auto expected = plain.scores(series), got = scaled.scores(in_other_units(series));
  for (std::size_t t = 0; t < expected.size(); ++t) CHECK(got[t] == Approx(expected[t]).epsilon(1e-9));
}

TEST_CASE("series detector: several features, of which one that breaks is enough") {
  SeriesDetector<float> detector(small({12, 24}));
  detector.fit(waves(400, 3));
  Matrix<double> series = waves(300, 3, 2);
  for (Index t = 150; t < 160; ++t) series(t, 1) = 100.0;
  const std::vector<double> scores = detector.scores(series);
  CHECK(scores.size() == 300);
  CHECK(all_numbers(scores));
  CHECK(std::abs(place_of_largest(scores) - 155) <= 24);
}

TEST_CASE("series detector: calibration scores are of points that no member was trained on") {
  // The last 30 % hold what the first 70 % do not: a network that had seen them would not be surprised.
  std::vector<double> training = wave(400);
  for (std::size_t t = 330; t < 350; ++t) training[t] += 40.0;
  SeriesDetector<float> detector(small({10}));
  detector.fit(training);
  const std::vector<double>& scores = detector.calibration_scores();
  REQUIRE(scores.size() == 2 * 120);  // of points 0 to 119, then 280 to 399
  CHECK(std::abs(place_of_largest(scores) - (120 + 330 - 280 + 10)) <= 20);
}

TEST_CASE("series detector: lengths and methods meet in a weighted geometric mean") {
  const std::vector<double> training = wave(300), series = wave(120, 2);
  const auto scores = [&](std::vector<Index> lengths, double baseline_weight) {
    SeriesDetectorOptions options = small(std::move(lengths));
    options.baseline_weight = baseline_weight;
    SeriesDetector<float> detector(options);
    detector.fit(training);
    return detector.scores(series);
  };
  const auto ten = scores({10}, 0.0), twenty = scores({20}, 0.0), both = scores({10, 20}, 0.0);
  const auto half = scores({10}, 0.5), full = scores({10}, 1.0);
  for (std::size_t t = 0; t < series.size(); ++t) {
    CAPTURE(t);
    CHECK(both[t] == Approx(std::sqrt(ten[t] * twenty[t])).epsilon(1e-9));
    // n the network's part, b the product of the baselines': n, (n b^.5)^(1/2), (n b)^(1/3).
    const double b = std::pow(full[t], 3) / ten[t];
    CHECK(half[t] == Approx(std::sqrt(ten[t] * std::sqrt(b))).epsilon(1e-9));
  }
  CHECK(half != ten);
}

TEST_CASE("series detector: in units of the median held-out error") {
  SeriesDetectorOptions options = small({1});  // each point is a window
  options.baseline_weight = 0.0;
  SeriesDetector<float> detector(options);
  detector.fit(wave(300));
  std::vector<double> scores = detector.calibration_scores();
  CHECK(detail::median_of(scores) == Approx(1.0).epsilon(1e-9));
}

TEST_CASE("series detector: constant series, far values, series of one window") {
  SeriesDetector<float> detector(small({12}));
  detector.fit(std::vector<double>(100, 5.0));
  std::vector<double> series(60, 5.0);
  const std::vector<double> quiet = detector.scores(series);
  CHECK(all_numbers(quiet));
  CHECK(test::largest(quiet) < 1.0);
  series[30] = 5.1;
  CHECK(place_of_largest(detector.scores(series)) >= 30 - 12);
  CHECK(place_of_largest(detector.scores(series)) <= 30 + 12);
  CHECK(detector.scores(series)[30] > 1e3);
  series[30] = 1e300;
  series[31] = -1e300;
  CHECK(all_numbers(detector.scores(series)));
  CHECK(detector.scores(std::vector<double>(12, 5.0)).size() == 12);
  CHECK(detector.scores(std::vector<float>(13, 5.0f)).size() == 13);
}

TEST_CASE("series detector: lengths from the series unless given") {
  SeriesDetectorOptions options = small({});
  options.updates = 4;
  options.choice = {.shortest = 10, .longest = 60};
  SeriesDetector<float> detector(options);
  const std::vector<double> training = wave(400);
  detector.fit(training);
  CHECK(detector.choice().lengths == choose_window_lengths(training, options.choice).lengths);
  CHECK(detector.choice().period == 20);
  CHECK(detector.patch(20) == 4);
  CHECK(detector.patch(21) == 5);
  CHECK(all_numbers(detector.scores(training)));
  SeriesDetector<float> given(small({16}));
  given.fit(training);
  CHECK(given.choice().lengths == std::vector<Index>{16});
  CHECK_FALSE(given.choice().unexplained.has_value());
}

TEST_CASE("series detector: odd lengths, where the last patch is padded, and one step a window") {
  for (const Index length : {1, 3, 7, 23}) {
    CAPTURE(length);
    SeriesDetectorOptions options = small({length});
    options.updates = 4;
    SeriesDetector<float> detector(options);
    detector.fit(wave(120));
    CHECK(all_numbers(detector.scores(wave(61, 2))));
  }
}

TEST_CASE("series detector: no more training windows than the updates can see") {
  // Of 70 points that each half learns from, 5 updates of 8 windows can see 40: every second one is left out.
  SeriesDetectorOptions options = small({1});
  options.updates = 5;
  options.batch_size = 8;
  options.baseline_weight = 0.0;
  const auto scores = [&](double at_41, double at_47) {  // in the middle, which both halves learn from
    std::vector<double> training = wave(100);
    training[41] = at_41;
    training[47] = at_47;
    return SeriesDetector<float>(options).fit(training).scores(wave(50, 2));
  };
  const auto one = scores(0.0, 200.0), other = scores(200.0, 0.0);
  for (std::size_t t = 0; t < one.size(); ++t) CHECK(one[t] == Approx(other[t]).epsilon(1e-4));
}

TEST_CASE("series detector: refused") {
  SeriesDetector<float> detector(small());
  CHECK(contains(error_of([&] { return detector.scores(wave(100)); }), "fit() before it"));
  CHECK(contains(error_of([&] { detector.calibration_scores(); }), "fit() before it"));
  CHECK(contains(error_of([&] { detector.fit(wave(60)); }),
                 "at least 64 steps to train on, for windows of 20, got 60"));
  CHECK(contains(error_of([&] { detector.fit(wave(63)); }), "at least 64 steps"));
  CHECK_FALSE(detector.is_fitted());
  detector.fit(wave(64));
  CHECK(detector.is_fitted());
  SeriesDetector<float> of_short(small({2}));
  CHECK(contains(error_of([&] { of_short.fit(wave(39)); }), "at least 40 steps to train on"));
  of_short.fit(wave(40));
  CHECK(of_short.is_fitted());
  detector = SeriesDetector<float>(small());
  CHECK(contains(error_of([&] { detector.fit(std::vector<double>{}); }), "at least one step"));
  std::vector<double> broken = wave(100);
  broken[42] = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(error_of([&] { detector.fit(broken); }), "at step 42"));
  detector.fit(wave(100));
  CHECK(contains(error_of([&] { return detector.scores(broken); }), "at step 42"));
  CHECK(contains(error_of([&] { return detector.scores(waves(100, 2)); }), "1 features"));
  CHECK(contains(error_of([&] { return detector.scores(wave(19)); }), "at least 20 steps"));
  // A fit that fails leaves the earlier one.
  const std::vector<double> before = detector.scores(wave(100));
  CHECK(contains(error_of([&] { detector.fit(broken); }), "at step 42"));
  CHECK(detector.scores(wave(100)) == before);

  const auto refusal = [](const SeriesDetectorOptions& options) {
    return error_of([&] { SeriesDetector<float>{options}; });
  };
  CHECK(contains(refusal({.lengths = {0}}), "lengths > 0"));
  CHECK(contains(refusal({.lengths = {10, 20, 10}}), "lengths that differ, got 10 twice"));
  CHECK(contains(refusal({.choice = {.shortest = 60, .longest = 50}}), "shortest <= longest, got 60 and 50"));
  CHECK(contains(refusal({.learning_rate = 0.0}), "learning_rate > 0"));
  CHECK(contains(refusal({.learning_rate = std::numeric_limits<double>::infinity()}), "learning_rate > 0"));
  CHECK(contains(refusal({.steps = 0}), "steps > 0"));
  CHECK(contains(refusal({.updates = 0}), "updates > 0"));
  CHECK(contains(refusal({.baseline_weight = -1.0}), "baseline_weight >= 0"));
  CHECK(contains(refusal({.threads = 0}), "threads > 0"));
}

}  // namespace
