#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/detection/detector.hpp>
#include <sstream>
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

constexpr test::Waves waves{.seed = 21};
std::vector<double> wave(Index steps, std::uint32_t key = 1) { return waves.single(steps, key); }
/// x_t = .9 x_{t-1} + noise.
std::vector<double> autoregressive(Index steps, std::uint64_t seed) {
  RandomStream random(seed, Purpose::other, 4);
  std::vector<double> values(static_cast<std::size_t>(steps));
  double x = random.normal() / std::sqrt(1.0 - 0.81);
  for (double& value : values) value = x = 0.9 * x + random.normal();
  return values;
}

std::string text_of(const DetectorReport& report) {
  std::ostringstream out;
  out << report;
  return out.str();
}

TEST_CASE("detector: finds what was planted, as one episode, and says how rare it is") {
  Detector detector;
  detector.fit(wave(2000));
  CHECK(detector.has_verdicts());
  std::vector<double> series = wave(2000, 2);
  for (std::size_t t = 1010; t < 1030; ++t) series[t] = 100.0;  // the wave stands still
  const Findings findings = detector.detect(series);
  REQUIRE(findings.scores.size() == series.size());
  REQUIRE(!findings.episodes.empty());
  const auto largest = std::max_element(findings.episodes.begin(), findings.episodes.end(),
                                        [](const Episode& a, const Episode& b) { return a.score < b.score; });
  CHECK(largest->start <= 1010);
  CHECK(largest->end >= 1030);
  CHECK(largest->peak >= 1010 - 24);
  CHECK(largest->peak < 1030 + 24);
  CHECK(largest->score > 100.0);
  const BlockCalibration& calibration = detector.calibration();
  CHECK(largest->p_value == Approx(1.0 / static_cast<double>(calibration.blocks() + 1)));
  CHECK(largest->rate == Approx(calibration.least_rate()));
  CHECK(findings.episodes.size() <= 4);  // 2 of 2,000 points by chance, on average
  for (const Episode& episode : findings.episodes) {
    CHECK(episode.score == findings.scores[static_cast<std::size_t>(episode.peak)]);
    CHECK(episode.rate <= 1.0 + 1e-9);
  }
}

TEST_CASE("detector: episodes are runs above the threshold, with no more quiet inside than one window") {
  const std::vector<double> scores{0, 2, 3, 0, 0, 2, 0, 0, 0, 5, 5, 1};
  const auto together = find_episodes(scores, 1.0, 3);
  REQUIRE(together.size() == 1);
  CHECK(together[0].start == 1);
  CHECK(together[0].end == 11);
  CHECK(together[0].peak == 9);
  CHECK(together[0].score == 5.0);
  const auto apart = find_episodes(scores, 1.0, 2);
  REQUIRE(apart.size() == 2);
  CHECK(apart[0].end == 6);
  CHECK(apart[0].peak == 2);
  CHECK(apart[1].start == 9);
  CHECK(find_episodes(scores, 1.0, 0).size() == 3);
  CHECK(find_episodes(scores, 5.0, 0).empty());
  CHECK(contains(error_of([&] { return find_episodes(scores, 1.0, -1); }), "quiet >= 0"));
}

TEST_CASE("detector: a score is by definition the members' mean z, in units of the threshold") {
  const std::vector<double> training = wave(700), series = wave(400, 2);
  DetectorOptions options{.lengths = {10, 30}, .views = {View::mean_removed, View::raw}};
  const Detector detector = Detector(options).fit(training);
  const DetectorReport& report = detector.report();
  StandardScaler scaler;
  const Matrix<double> scaled = scaler.fit(training).transform(
      Matrix<double>(Eigen::Map<const Matrix<double>>(training.data(), 700, 1)));
  const Matrix<double> other =
      scaler.transform(Matrix<double>(Eigen::Map<const Matrix<double>>(series.data(), 400, 1)));
  const auto points = [](const std::vector<double>& errors, Index length) {
    std::vector<double> result;
    for (Index t = 0; t < static_cast<Index>(errors.size()) + length - 1; ++t) {
      double most = 0.0;
      for (Index w = t - length + 1; w <= t; ++w) {
        if (w >= 0 && w < static_cast<Index>(errors.size()))
          most = test::larger(most, errors[static_cast<std::size_t>(w)]);
      }
      result.push_back(most);
    }
    return result;
  };
  std::vector<double> z(400, 0.0), calibrating(700, 0.0);
  for (const Index length : options.lengths) {
    const NearestInSeries nearest(scaled, length);
    for (const View view : options.views) {
      const auto held_out = points(nearest.held_out_errors(length + report.gap).of(view), length);
      // A quarter of the rows tells scales.
      const auto scale = ErrorScale::fit(std::vector<double>(held_out.begin(), held_out.begin() + 175));
      const auto errors = points(nearest.errors(other).of(view), length);
      for (std::size_t t = 0; t < z.size(); ++t) z[t] += 0.25 * scale.z(errors[t]);
      for (std::size_t t = 0; t < calibrating.size(); ++t) calibrating[t] += 0.25 * scale.z(held_out[t]);
    }
  }
  CHECK(report.scale_rows == 175);
  CHECK(report.calibration_rows == 700 - 175 - 29);  // the last 29 are held by fewer windows
  CHECK(report.block == 30);
  CHECK(report.blocks == 496 / 30);
  const BlockCalibration expected(
      std::vector<double>(calibrating.begin() + 175, calibrating.begin() + 175 + 496), 30);
  REQUIRE(expected.blocks() == detector.calibration().blocks());
  for (std::size_t b = 0; b < expected.largest().size(); ++b)
    CHECK(detector.calibration().largest()[b] == Approx(expected.largest()[b]).epsilon(1e-9));
  const double threshold = expected.widened().value;  // 16 blocks of 30 carry 1.96 at least
  CHECK(report.threshold.status == CalibrationStatus::widened);
  CHECK(report.threshold.rate == Approx(1000.0 / (30 * 17)));
  const auto scores = detector.scores(series);
  for (std::size_t t = 0; t < z.size(); ++t)
    CHECK(scores[t] == Approx(std::exp(z[t] - threshold)).epsilon(1e-6));
}

TEST_CASE("detector: false alarms on an autoregressive series come about as often as named") {
  constexpr int fits = 40, fresh = 3000;
  constexpr std::ptrdiff_t block = 24;
  double blocks = 0.0, episodes = 0.0;
  for (int fit = 1; fit <= fits; ++fit) {
    const std::vector<double> all = autoregressive(800 + fresh, static_cast<std::uint64_t>(fit));
    Detector detector({.lengths = {12, block}, .false_alarms = 4.0});
    detector.fit(std::vector<double>(all.begin(), all.begin() + 800));
    CHECK(detector.report().threshold.status == CalibrationStatus::promised);
    const Findings findings = detector.detect(std::vector<double>(all.begin() + 800, all.end()));
    const auto& scores = findings.scores;
    for (auto first = scores.begin(); scores.end() - first >= block; first += block)
      blocks += std::any_of(first, first + block, [](double score) { return score > 1.0; });
    episodes += static_cast<double>(findings.episodes.size());
  }
  constexpr double thousands = fits * fresh / 1000.0;
  CAPTURE(blocks / thousands);
  CHECK(blocks / thousands < 4.4);
  CHECK(blocks / thousands > 2.0);
  CHECK(episodes <= blocks);
  CHECK(episodes > 0.25 * blocks);
}

TEST_CASE("detector: the status that so many rows can carry") {
  const auto report_of = [](Index rows, DetectorOptions options) {
    return Detector(std::move(options)).fit(autoregressive(rows, 3)).report();
  };
  CHECK(report_of(1800, {}).threshold.status == CalibrationStatus::promised);
  CHECK(report_of(1800, {.threads = 2}).threshold.rate == 1.0);
  const DetectorReport widened = report_of(800, {});
  CHECK(widened.threshold.status == CalibrationStatus::widened);
  CHECK(widened.threshold.rate == widened.least_rate);
  CHECK(widened.threshold.rate > 1.0);
  CHECK(widened.threshold.rate <= 4.0);
  CHECK(contains(text_of(widened), "false alarms: widened, at most "));
  CHECK(contains(text_of(widened), "cannot be promised with so few rows"));
  // What is named is never changed.
  CHECK(report_of(800, {.false_alarms = 3.0}).threshold.rate == 3.0);
  const std::string refusal = error_of([&] { report_of(800, {.false_alarms = 0.5}); });
  CHECK(contains(refusal, "rows to train on, to promise no more than 0.5 false alarms"));
  CHECK(contains(refusal, "got 800"));
  // As many rows as the message says are enough.
  const auto needed = static_cast<Index>(std::stol(refusal.substr(refusal.find("at least ") + 9)));
  CHECK(needed > 2000);
  CHECK(needed < 5000);
  CHECK(report_of(needed + 50, {.false_alarms = 0.5}).threshold.status == CalibrationStatus::promised);
  const DetectorReport estimated =
      report_of(3000, {.lengths = {24, 48}, .false_alarms = 0.05, .extrapolate = true});
  CHECK(estimated.threshold.status == CalibrationStatus::estimated);
  CHECK(estimated.threshold.rate == 0.05);

  Detector too_short;
  too_short.fit(autoregressive(120, 3));
  CHECK_FALSE(too_short.has_verdicts());
  CHECK(contains(text_of(too_short.report()), "no verdicts"));
  CHECK(too_short.scores(autoregressive(200, 4)).size() == 200);
  const std::string needs = error_of([&] { return too_short.detect(autoregressive(200, 4)); });
  CHECK(contains(needs, "rows to train on, for verdicts, got 120"));
  const auto enough = static_cast<Index>(std::stol(needs.substr(needs.find("at least ") + 9)));
  CHECK(Detector().fit(autoregressive(enough + 10, 3)).has_verdicts());
}

TEST_CASE("detector: a series that wanders is called that") {
  std::vector<double> walk = autoregressive(1200, 3);
  for (std::size_t t = 1; t < walk.size(); ++t) walk[t] += walk[t - 1];
  const DetectorReport report = Detector({.lengths = {24}}).fit(walk).report();
  CHECK(report.stationarity.remembers_long);
  CHECK(contains(text_of(report), "the training series itself changes"));
  CHECK(contains(text_of(report), "the series wanders"));
  CHECK_FALSE(contains(text_of(Detector({.lengths = {24}}).fit(wave(1200)).report()), "changes"));
}

TEST_CASE("detector: lengths that fit") {
  const auto lengths_of = [](Index rows) { return Detector().fit(autoregressive(rows, 3)).report().lengths; };
  CHECK(lengths_of(1300) == std::vector<Index>{24, 48, 96, 144, 192, 288});
  CHECK(lengths_of(1000) == std::vector<Index>{24, 48, 96, 144, 192});
  CHECK(lengths_of(110) == std::vector<Index>{24});
  REQUIRE(lengths_of(60).size() == 1);
  CHECK(lengths_of(60)[0] < 24);
  CHECK(lengths_of(60)[0] >= 8);
}

TEST_CASE("detector: the same bits for any number of threads, and whatever follows") {
  DetectorOptions options{.lengths = {10, 24}};
  const Matrix<double> training = waves(500, 2), series = waves(2500, 2, 2);
  const auto scores = Detector(options).fit(training).scores(series);
  options.threads = 3;
  const Detector more = Detector(options).fit(training);
  CHECK(more.scores(series) == scores);
  const std::vector<double> start = more.scores(Matrix<double>(series.topRows(1300)));
  for (std::size_t t = 0; t < 1300 - 23; ++t) {
    CAPTURE(t);
    REQUIRE(start[t] == scores[t]);
  }
}

TEST_CASE("detector: units, offset and order of the features do not matter") {
  const Matrix<double> training = waves(500, 3), series = waves(300, 3, 2);
  const auto expected = Detector({.lengths = {20}}).fit(training).scores(series);
  const auto other = [](const Matrix<double>& values) {
    Matrix<double> result(values.rows(), 3);
    result << values.col(2), 1024.0 * values.col(0).array() - 3e5, values.col(1);
    return result;
  };
  const auto got = Detector({.lengths = {20}}).fit(other(training)).scores(other(series));
  for (std::size_t t = 0; t < expected.size(); ++t) CHECK(got[t] == Approx(expected[t]).epsilon(1e-6));
}

TEST_CASE("detector: fault codes in training blind nothing, constant series do not, nor far values") {
  const std::vector<double> clean = wave(500);
  std::vector<double> series = wave(400, 2);
  for (std::size_t t = 210; t < 220; ++t) series[t] = 100.0;
  const auto expected = Detector({.lengths = {20}}).fit(clean).scores(series);
  for (const double code : {-9999.0, 65535.0, 1e12}) {
    CAPTURE(code);
    std::vector<double> training = clean;
    training[150] = code;
    const Detector detector = Detector({.lengths = {20}}).fit(training);
    CHECK(detector.report().series.suspect_values == 1);
    CHECK(detector.report().series.suspects.at(0).step == 150);
    CHECK(contains(text_of(detector.report()), "at step 150, feature 0"));
    CHECK(detector.scores(series)[215] > 0.2 * expected[215]);
  }
  const Detector constant = Detector({.lengths = {12}}).fit(std::vector<double>(500, 5.0));
  CHECK(contains(text_of(constant.report()), "feature 0 is constant"));
  std::vector<double> same(100, 5.0);
  CHECK(constant.detect(same).episodes.empty());
  same[50] = 5.1;
  CHECK(constant.detect(same).episodes.size() == 1);
  same[50] = 1e300;
  same[51] = -1e300;
  for (const double score : constant.scores(same)) CHECK(std::isfinite(score));
}

TEST_CASE("detector: refused") {
  Detector detector;
  CHECK(contains(error_of([&] { return detector.scores(wave(500)); }), "fit() before it"));
  CHECK(contains(error_of([&] { return detector.detect(wave(500)); }), "fit() before it"));
  CHECK(contains(error_of([&] { return detector.report(); }), "fit() before it"));
  CHECK(contains(error_of([&] { detector.fit(wave(20)); }), "rows to train on, for windows of 8, got 20"));
  CHECK_FALSE(detector.is_fitted());
  detector.fit(wave(1000));
  std::vector<double> broken = wave(1000);
  broken[42] = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(error_of([&] { return detector.scores(broken); }), "at step 42"));
  CHECK(contains(error_of([&] { return detector.scores(waves(500, 2)); }), "1 feature"));
  CHECK(contains(error_of([&] { return detector.scores(wave(50)); }), "time steps, got 50"));
  const auto before = detector.scores(wave(500, 2));
  CHECK(contains(error_of([&] { detector.fit(broken); }), "at step 42"));
  CHECK(detector.scores(wave(500, 2)) == before);
  const auto refusal = [](DetectorOptions options) { return error_of([&] { Detector{options}; }); };
  CHECK(contains(refusal({.lengths = {20, 10, 20}}), "lengths that differ, got 20 twice"));
  CHECK(contains(refusal({.lengths = {0}}), "lengths > 0"));
  CHECK(contains(refusal({.views = {}}), "at least one view"));
  CHECK(contains(refusal({.false_alarms = 0.0}), "false_alarms > 0"));
  CHECK(contains(refusal({.threads = 0}), "threads > 0"));
}

}  // namespace
