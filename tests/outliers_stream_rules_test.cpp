#include <doctest/doctest.h>
#include <reprise/streams/detail/truncated_fit.hpp>

#include <cmath>
#include <limits>
#include <reprise/streams/dspot.hpp>
#include <reprise/streams/spot.hpp>
#include <reprise/streams/telemanom.hpp>
#include <vector>

// The rules over streams in a few steps, worked out by hand; outliers_streams_test runs them for long.
namespace {

using namespace reprise;

/// Quantiles of the exponential distribution.
std::vector<double> exponential_quantiles(int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(-std::log1p(-(i + 0.5) / count));
  return values;
}

}  // namespace

TEST_CASE("spot: what each kind of value changes") {
  Spot spot(exponential_quantiles(500), {.risk = 1e-3, .level = 0.9, .max_excess = 60});
  const SpotState start = spot.state();
  CHECK(start.tail.count == 500);
  CHECK(start.tail.excesses == 50);

  CHECK(spot.step(100.0).status == StreamStatus::alarm);
  CHECK(spot.step(std::numeric_limits<double>::quiet_NaN()).status == StreamStatus::invalid);
  CHECK(spot.state().tail.count == 500);
  CHECK(spot.state().excesses == start.excesses);
  CHECK(spot.threshold() == start.threshold);

  CHECK(spot.step(1.0).status == StreamStatus::normal);
  CHECK(spot.state().tail.count == 501);
  CHECK(spot.state().excesses == start.excesses);

  const double excess = 0.5 * (start.tail.threshold + start.threshold);
  CHECK(spot.step(excess).status == StreamStatus::excess);
  const SpotState last = spot.state();
  CHECK(last.tail.count == 502);
  CHECK(last.tail.excesses == 51);
  CHECK(last.excesses.back() == excess - start.tail.threshold);
  CHECK(last.limits.back() == start.threshold - start.tail.threshold);
  CHECK(last.next == 51);
}

TEST_CASE("telemanom: a small drop between two high runs prunes neither, one that stands low is pruned") {
  std::vector<double> errors(200, 1.0);
  errors[50] = 10.0;
  errors[120] = 9.9;
  // Drops of 1 % and, to the largest error below the threshold, 90 %: all up to the last large drop stay.
  auto runs = telemanom_window(errors, 0.13).runs;
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].start == 50);
  CHECK(runs[1].start == 120);
  CHECK(telemanom_window(errors, 0.95).runs.empty());
}

TEST_CASE("telemanom: errors of any size are judged alike") {
  std::vector<double> errors(200, 1.0);
  for (std::size_t i = 0; i < errors.size(); ++i) errors[i] += 0.01 * static_cast<double>(i % 7);
  errors[50] = 10.0;
  const TelemanomFindings expected = telemanom_window(errors);
  REQUIRE(expected.runs.size() == 1);
  for (const double size : {1e-250, 1e-180, 1e99, 1e160, 1e250, 1e306}) {
    CAPTURE(size);
    std::vector<double> scaled = errors;
    for (double& error : scaled) error *= size;
    const TelemanomFindings found = telemanom_window(scaled);
    CHECK(found.runs == expected.runs);
    CHECK(found.threshold / size == doctest::Approx(expected.threshold).epsilon(1e-12));
  }
}

TEST_CASE("spot: alarms belong to the share of the tail, as many as normal values may make") {
  const SpotOptions options{.risk = 1e-3, .level = 0.9, .max_excess = 60};
  Spot spot(exponential_quantiles(500), options);
  const double excess = 0.5 * (spot.tail().threshold + spot.threshold());
  for (int i = 0; i < 3; ++i) CHECK(spot.step(100.0).is_alarm());
  spot.step(excess);
  SpotState state = spot.state();
  CHECK(state.alarms == 3);
  PotTail whole = state.tail;
  whole.count += 3;
  whole.excesses += 3;
  CHECK(spot.threshold() == whole.value_at(1e-3));
  CHECK(Spot(state).state().alarms == 3);
  for (int i = 0; i < 1000; ++i) spot.step(100.0);
  CHECK(spot.state().alarms <= 12);

  SpotOptions paper = options;
  paper.correct_truncation = false;
  Spot as_in_the_paper(exponential_quantiles(500), paper);
  as_in_the_paper.step(100.0);
  as_in_the_paper.step(excess);
  CHECK(as_in_the_paper.threshold() == as_in_the_paper.tail().value_at(1e-3));
  // There the threshold of a larger risk falls to the start of the tail.
  paper.risk = 0.02;
  CHECK_THROWS_AS(Spot(exponential_quantiles(500), paper), Error);
  paper.correct_truncation = true;
  CHECK_NOTHROW(Spot(exponential_quantiles(500), paper));
}

TEST_CASE("truncated fit: no shape below -1") {
  // Of excesses that crowd below their limit the likelihood grows without end.
  std::vector<double> excesses;
  for (int i = 1; i <= 40; ++i) excesses.push_back(1.0 - 1.0 / (i * i + 1.0));
  const std::vector<double> limits(excesses.size(), std::numeric_limits<double>::infinity());
  const GeneralizedPareto fit = detail::TruncatedFit(excesses, limits)({-0.8, 0.9});
  CHECK(fit.shape > -1.0);
}

TEST_CASE("dspot: a step of the level is an alarm until it has lasted") {
  std::vector<double> calibration = exponential_quantiles(500);
  // Not in their order, so that the level does not drift.
  for (std::size_t i = 0; i < calibration.size(); ++i) std::swap(calibration[i], calibration[i * 7919 % 500]);
  const DspotOptions options{.depth = 10, .spot = {.risk = 1e-3, .level = 0.9}, .relearn_after = 40};
  Dspot rule(calibration, options);
  DspotOptions never = options;
  never.relearn_after = 0;
  Dspot as_in_the_paper(calibration, never);
  for (int i = 0; i < 40; ++i) {
    CHECK(rule.step(50.0 + 0.01 * i).is_alarm());
    if (i == 20) rule = Dspot(rule.state());
  }
  for (int i = 0; i < 40; ++i) CHECK(as_in_the_paper.step(50.0).is_alarm());
  CHECK_FALSE(rule.step(50.0).is_alarm());
  CHECK(as_in_the_paper.step(50.0).is_alarm());
  CHECK(rule.step(100.0).is_alarm());
  CHECK_FALSE(rule.step(50.2).is_alarm());  // one alarm alone relearns nothing
  CHECK_THROWS_AS(Dspot(calibration, {.depth = 10, .relearn_after = 5}), Error);
  CHECK(Dspot(calibration).state().relearn_after == 100);
  CHECK(Dspot(calibration, {.depth = 200, .spot = {.level = 0.9}}).state().relearn_after == 200);
}
