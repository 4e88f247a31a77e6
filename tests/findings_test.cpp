#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <reprise/core/random.hpp>
#include <reprise/core/time_stamps.hpp>
#include <reprise/detection/detector.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "errors.hpp"
#include "waves.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

constexpr test::Waves waves{.seed = 21};

template <typename T>
std::string text_of(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}
std::string csv_of(const Findings& findings) {
  std::ostringstream out;
  write_csv(out, findings);
  return out.str();
}
/// A row every `interval` seconds.
std::vector<double> times(Index rows, double interval, const char* start = "2026-01-05 00:00") {
  std::vector<double> result;
  for (Index t = 0; t < rows; ++t) result.push_back(seconds_of(start) + interval * static_cast<double>(t));
  return result;
}
/// Values between -1 and 1 with this many rows a day and, where it is given, another level at weekends.
Matrix<double> days(Index rows, double rows_a_day, double weekend = 0.0) {
  RandomStream random(5, Purpose::other, 1);
  Matrix<double> values(rows, 1);
  for (Index t = 0; t < rows; ++t) {
    const double day = static_cast<double>(t) / rows_a_day;
    values(t, 0) = std::sin(2.0 * std::numbers::pi * day) + 0.2 * random.normal() +
                   (std::fmod(day, 7.0) >= 5.0 ? weekend : 0.0);
  }
  return values;
}

/// Made by hand: two episodes of ten points.
Findings some_findings() {
  Findings findings;
  findings.scores = {0, 2, 3, 0, 0, 0, 0, 0, std::exp(4.0), 0};
  findings.rate = 100.0;
  findings.status = CalibrationStatus::promised;
  findings.least_rate = 20.0;
  findings.episodes = {{.start = 1, .end = 3, .peak = 2, .score = 3.0, .p_value = 0.25, .rate = 50.0},
                       {.start = 8,
                        .end = 9,
                        .peak = 8,
                        .score = std::exp(4.0),
                        .p_value = 0.125,
                        .rate = 20.0,
                        .features = {{1, 0.75, 8, 2.5, -0.125}, {0, 0.25, 8, 1.0, 0.5}}}};
  return findings;
}

}  // namespace

TEST_CASE("time stamps: read and written, leap years and zones") {
  CHECK(seconds_of("1970-01-01") == 0.0);
  CHECK(seconds_of("2000-03-01 00:00") == 951868800.0);
  CHECK(seconds_of("2024-02-29T12:30:15") == 1709209815.0);
  CHECK(seconds_of("2026-11-26 06:43:03.25") == Approx(1795675383.25).epsilon(1e-15));
  CHECK(seconds_of("2026-01-01T01:00:00+01:00") == seconds_of("2026-01-01T00:00Z"));
  CHECK(seconds_of("1969-12-31 23:59:59") == -1.0);
  for (const char* stamp :
       {"1970-01-01 00:00", "2026-11-26 06:43:03", "2000-02-29 23:59", "1999-12-31 00:00", "2100-03-01 01:02",
        "1900-02-28 12:00:30", "2025-12-31 23:59:59", "1969-07-20 20:17"}) {
    CAPTURE(stamp);
    CHECK(time_text(seconds_of(stamp)) == stamp);
  }
  for (Index day = -200000; day < 200000; day += 37) {  // each stands for itself, in order
    const double seconds = 86400.0 * static_cast<double>(day);
    REQUIRE(seconds_of(time_text(seconds).substr(0, 10)) == seconds);
  }
  CHECK(time_text(59.7) == "1970-01-01 00:01");
  for (const char* wrong : {"", "today", "2026-1-1", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00",
                            "2026-01-01x", "2026-01-01 24:00", "2026-01-01 12", "2026-01-01 12:00:0",
                            "2026-01-01 12:00:00.", "2026-01-01 12:00+1", "2026-01-01 12:00 "}) {
    CAPTURE(wrong);
    CHECK(contains(error_of([&] { return seconds_of(wrong); }), "time stamp: expected one such as"));
  }
  CHECK(contains(error_of([] { return time_text(1e12); }), "1e11"));
}

TEST_CASE("findings: in words") {
  Findings findings = some_findings();
  CHECK(text_of(findings) ==
        "2 episodes found in 10 points; if nothing were wrong there would be at most 1, on average\n"
        "1. points 1 to 2: clear (severity 1.1), highest at point 2\n"
        "   p 0.25, an alarm from 50 false alarms in 1,000 points on\n"
        "2. point 8: strong (severity 4), highest at point 8\n"
        "   beyond all that calibrated (p 0.12): an alarm at any rate that can be promised\n"
        "   feature 1 (75 %): 2.5 at point 8, expected about -0.125\n"
        "   feature 0 (25 %): 1 at point 8, expected about 0.5\n");
  findings.info = {.times = times(10, 3600.0 * 6), .features = {"flow", "pressure"}, .units = {"", "bar"}};
  findings.status = CalibrationStatus::estimated;
  findings.episodes[1].features[0].share = 0.95;
  const std::string text = text_of(findings);
  CHECK(contains(text, "10 points, 2026-01-05 00:00 to 2026-01-07 06:00; if nothing"));
  CHECK(contains(text, "there would be about 1"));
  CHECK(contains(text, "1. 2026-01-05 06:00 to 12:00: clear"));
  CHECK(contains(text, "pressure (95 %): 2.5 bar at 2026-01-07 00:00, expected about -0.125 bar\n"));
  CHECK_FALSE(contains(text, "flow"));  // nine tenths are told
  findings.episodes.clear();
  CHECK(contains(text_of(findings), "nothing found in 10 points"));
}

TEST_CASE("findings: as CSV") {
  Findings findings = some_findings();
  CHECK(csv_of(findings) ==
        "episode,first,last,peak,score,severity,p_value,rate,rank,feature,share,step,observed,expected\n"
        "1,1,2,2,3,1.0986122886681098,0.25,50,,,,,,\n"
        "2,8,8,8,54.598150033144236,4,0.125,20,1,feature 1,0.75,8,2.5,-0.125\n"
        "2,8,8,8,54.598150033144236,4,0.125,20,2,feature 0,0.25,8,1,0.5\n");
  findings.info = {.times = times(10, 60.0), .features = {"flow, in", "the \"pressure\""}};
  const std::string text = csv_of(findings);
  CHECK(contains(text, "peak,first_time,last_time,peak_time,score"));
  CHECK(contains(text, "1,1,2,2,2026-01-05 00:01,2026-01-05 00:02,2026-01-05 00:02,3,"));
  CHECK(contains(text, ",1,\"the \"\"pressure\"\"\",0.75,"));
  CHECK(contains(text, ",2,\"flow, in\",0.25,"));
}

TEST_CASE(
    "findings: the feature that something happened to comes first, with its place and its usual value") {
  constexpr Index rows = 1500;
  Matrix<double> training = waves(rows, 3), series = waves(600, 3, 2);
  // Noise that the nearest window cannot meet, in one feature: large differences are usual for it.
  RandomStream random(9, Purpose::other);
  for (Matrix<double>* both : {&training, &series}) {
    for (Index t = 0; t < both->rows(); ++t) (*both)(t, 2) = 5.0 * random.normal();
  }
  training.col(1) *= 1e-3;
  series.col(1) *= 1e-3;
  const Detector detector = Detector({.lengths = {24, 48}}).fit(training);
  Index first = 0;
  for (const Index feature : {0, 1}) {
    Matrix<double> changed = series;
    const double unit = feature == 0 ? 1.0 : 1e-3;
    changed(300, feature) += 40.0 * unit;
    const Findings findings = detector.detect(changed);
    REQUIRE(!findings.episodes.empty());
    const auto episode = std::find_if(findings.episodes.begin(), findings.episodes.end(),
                                      [](const Episode& e) { return e.start <= 300 && e.end > 300; });
    REQUIRE(episode != findings.episodes.end());
    REQUIRE(episode->features.size() == 3);
    const EpisodeFeature& top = episode->features[0];
    CHECK(top.feature == feature);
    CHECK(top.step == 300);
    CHECK(top.observed == changed(300, feature));
    CHECK(std::abs(top.expected - series(300, feature)) < 4.5 * unit);  // noise of both
    CHECK(top.share > 0.6);
    CHECK(top.share + episode->features[1].share + episode->features[2].share == Approx(1.0));
    CHECK(episode->features[1].share >= episode->features[2].share);
    ++first;
  }
  CHECK(first == 2);
  // Scores are what they are without.
  CHECK(detector.detect(series).scores == detector.scores(series));
}

TEST_CASE("findings: a nearest window is the one with the least distance, in either view") {
  const Matrix<double> training = waves(200, 2), series = waves(80, 2, 2);
  const NearestInSeries nearest(training, 12);
  const WindowErrors errors = nearest.errors(series), held_out = nearest.held_out_errors(15);
  for (const View view : {View::raw, View::mean_removed}) {
    for (const Index window : {0, 13, 68}) {
      const auto distance = [&](const Matrix<double>& from, Index i, Index j) {
        double sum = 0.0;
        for (Index f = 0; f < 2; ++f) {
          const auto between = (from.col(f).segment(i, 12) - training.col(f).segment(j, 12)).eval();
          const double mean = view == View::raw ? 0.0 : between.mean();
          sum += (between.array() - mean).square().sum();
        }
        return sum / 24.0;
      };
      const Index found = nearest.nearest_to(series, window, view);
      CHECK(distance(series, window, found) ==
            Approx(errors.of(view)[static_cast<std::size_t>(window)]).epsilon(1e-9));
      const Index other = nearest.nearest_to(training, window, view, 15);
      CHECK(std::abs(other - window) >= 15);
      CHECK(distance(training, window, other) ==
            Approx(held_out.of(view)[static_cast<std::size_t>(window)]).epsilon(1e-9));
    }
  }
  CHECK(contains(error_of([&] { return nearest.nearest_to(series, 69, View::raw); }), "starts in [0, 69)"));
  CHECK(contains(error_of([&] { return nearest.nearest_to(waves(80, 1), 0, View::raw); }), "2 features"));
  CHECK(
      contains(error_of([&] { return nearest.nearest_to(training, 5, View::raw, 300); }), "300 points away"));
}

TEST_CASE("findings: what is told of a series must fit it") {
  const Detector detector = Detector({.lengths = {24}}).fit(waves(600, 2));
  const auto refusal = [&](const SeriesInfo& info) {
    return error_of([&] { return detector.detect(waves(100, 2), info); });
  };
  CHECK(contains(refusal({.times = times(99, 60.0)}), "one for each of 100 time steps, got 99"));
  CHECK(contains(refusal({.features = {"one"}}), "no feature names, or one for each of 2 features, got 1"));
  CHECK(contains(refusal({.units = {"one"}}), "no units"));
  SeriesInfo info{.times = times(100, 60.0)};
  info.times[50] = info.times[49];
  CHECK(contains(refusal(info), "times that ascend, got 2026-01-05 00:49 at time step 50"));
  info.times[50] = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(refusal(info), "finite times, got nan at time step 50"));
  Detector other;
  CHECK(contains(error_of([&] { other.fit(waves(600, 2), info); }), "detector: fit: expected no times"));
  CHECK_FALSE(other.is_fitted());
}

TEST_CASE("report: false alarms a day, and the rhythm of days and weeks") {
  const auto report_of = [](const Matrix<double>& series, double interval) {
    return Detector({.lengths = {24}}).fit(series, {.times = times(series.rows(), interval)}).report();
  };
  const DetectorReport half_hours = report_of(days(48 * 10, 48.0), 1800.0);
  CHECK(half_hours.time.interval == 1800.0);
  CHECK(half_hours.time.days == 10.0);
  CHECK(half_hours.time.is_daily);
  CHECK_FALSE(half_hours.time.is_weekly);
  CHECK(half_hours.false_alarms_a_day() == Approx(0.048 * half_hours.threshold.rate));
  const std::string text = text_of(half_hours);
  CHECK(contains(text, "a row every 30 minutes for 10 days\n"));
  CHECK(contains(text, "a rhythm of days\n"));
  CHECK(contains(text, "fewer than two weeks: whether weekends"));
  CHECK(contains(text, " a day, or one in "));

  const DetectorReport weekly = report_of(days(24 * 21, 24.0, 2.0), 3600.0);
  CHECK(weekly.time.is_daily);
  CHECK(weekly.time.is_weekly);
  CHECK(contains(text_of(weekly), "a rhythm of days and weeks\n"));
  CHECK_FALSE(contains(text_of(weekly), "fewer than two"));
  CHECK_FALSE(report_of(days(24 * 21, 24.0), 3600.0).time.is_weekly);

  // The same values a row a minute: the rhythm is one of 24 minutes, and days cannot be told.
  const DetectorReport minutes = report_of(days(24 * 10, 24.0), 60.0);
  CHECK_FALSE(minutes.time.is_daily);
  CHECK(contains(text_of(minutes), "fewer than two days: what changes with the hour"));
  // Eight hours come back after a day, but are no rhythm of days.
  CHECK_FALSE(report_of(days(24 * 10, 8.0), 3600.0).time.is_daily);

  SeriesInfo gaps{.times = times(240, 3600.0)};
  for (std::size_t t = 100; t < gaps.times.size(); ++t) gaps.times[t] += 7200.0;
  const DetectorReport with_gap = Detector({.lengths = {24}}).fit(days(240, 24.0), gaps).report();
  CHECK(with_gap.time.gaps == 1);
  CHECK(contains(text_of(with_gap), "in 1 places rows are missing"));
  // Without time stamps nothing is said of time.
  const DetectorReport without = Detector({.lengths = {24}}).fit(days(240, 24.0)).report();
  CHECK_FALSE(without.time.is_known());
  CHECK(without.false_alarms_a_day() == 0.0);
  CHECK_FALSE(contains(text_of(without), "day"));
}
