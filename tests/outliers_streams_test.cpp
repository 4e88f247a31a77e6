#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/streams/dspot.hpp>
#include <reprise/streams/spot.hpp>
#include <reprise/streams/telemanom.hpp>
#include <reprise/thresholds/events.hpp>
#include <reprise/thresholds/fit_generalized_pareto.hpp>
#include <string>
#include <vector>

#include "differences.hpp"
#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Absolute values of standard normal numbers.
std::vector<double> half_normal(std::size_t count, std::uint64_t seed) {
  RandomStream random(seed, Purpose::other);
  std::vector<double> values(count);
  for (double& value : values) value = std::abs(random.normal());
  return values;
}

static_assert(noexcept(std::declval<Spot&>().step(0.0)));
static_assert(noexcept(std::declval<Dspot&>().step(0.0)));
static_assert(noexcept(std::declval<Telemanom&>().step(0.0)));

}  // namespace

TEST_CASE("spot: with bounded memory the threshold stays at the quantile of a stationary stream") {
  constexpr int steps = 1000000;
  Spot spot(half_normal(2000, 1), {.risk = 1e-3, .max_excess = 4000, .refit_every = 50});
  RandomStream random(2, Purpose::other);
  const double quantile = 3.2905267314918945;  // P(|X| > z) = 1e-3
  double lowest = infinity;
  double highest = 0;
  int alarms = 0;
  for (int i = 0; i < steps; ++i) {
    alarms += spot.step(std::abs(random.normal())).is_alarm() ? 1 : 0;
    if (i < steps / 10) continue;
    lowest = test::smaller(lowest, spot.threshold());
    highest = test::larger(highest, spot.threshold());
  }
  CHECK(lowest > 0.95 * quantile);
  CHECK(highest < 1.05 * quantile);
  CHECK(highest > lowest);
  CHECK(alarms == Approx(1000).epsilon(0.25));
  CHECK(spot.tail().count == 2000 + steps - alarms);
  CHECK(spot.tail().excesses > 15000);  // all ever seen, not those in memory
}

TEST_CASE("spot: without the correction the fit loses the tail beyond its own threshold") {
  const SpotOptions options{.risk = 1e-3, .max_excess = 300, .refit_every = 20, .correct_truncation = false};
  Spot spot(half_normal(2000, 1), options);
  int alarms = 0;
  for (const double value : half_normal(200000, 2)) alarms += spot.step(value).is_alarm() ? 1 : 0;
  CHECK(alarms > 1000);  // 200 were promised
}

TEST_CASE("spot: the fit to truncated excesses is a maximum of their likelihood and finds the shape") {
  const auto log_likelihood = [](const GeneralizedPareto& p, const std::vector<double>& y,
                                 const std::vector<double>& limits) {
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      sum -= std::log(p.scale) + (1 + 1 / p.shape) * std::log(1 + p.shape * y[i] / p.scale);
      if (std::isfinite(limits[i])) sum -= std::log(1 - p.tail_probability(limits[i]));
    }
    return sum;
  };
  for (const double shape : {-0.2, 0.1, 0.5}) {
    CAPTURE(shape);
    const GeneralizedPareto source{shape, 2};
    RandomStream random(3, Purpose::other);
    std::vector<double> excesses;
    std::vector<double> limits;
    while (excesses.size() < 20000) {
      const double y = source.value_at(1 - random.uniform());
      const double limit =
          excesses.size() % 5 == 0 ? infinity : source.value_at(0.02 + 0.1 * random.uniform());
      if (y > limit) continue;
      excesses.push_back(y);
      limits.push_back(limit);
    }
    const GeneralizedPareto raw = fit_generalized_pareto(excesses);
    const GeneralizedPareto fit = detail::TruncatedFit(excesses, limits)(raw);
    if (shape > 0) CHECK(raw.shape < shape - 0.08);
    CHECK(std::abs(fit.shape - shape) < 0.06);
    CHECK(fit.scale == Approx(2).epsilon(0.06));
    const double best = log_likelihood(fit, excesses, limits);
    for (const double step : {0.99, 1.01}) {
      CHECK(log_likelihood({fit.shape * step, fit.scale}, excesses, limits) < best);
      CHECK(log_likelihood({fit.shape, fit.scale * step}, excesses, limits) < best);
    }
  }
  // Near shape 0 the two branches of the formulas meet.
  const std::vector<double> y{1, 2, 0.5, 3, 0.2, 0.7, 1.1, 0.1, 0.4, 2.5};
  const std::vector<double> limits(10, 4.0);
  const GeneralizedPareto fit = detail::TruncatedFit(y, limits)({0, 1});
  CHECK(std::isfinite(fit.shape));
  CHECK(fit.scale > 0);
}

TEST_CASE("spot: a smaller risk never lowers the threshold, at any step") {
  const std::vector<double> calibration = half_normal(2000, 9);
  std::vector<Spot> rules;
  for (const double risk : {1e-2, 1e-3, 1e-4}) rules.push_back(Spot(calibration, {.risk = risk}));
  for (const double value : half_normal(3000, 10)) {
    // What is an alarm to one rule and an excess to another would let them learn different things.
    const double seen = std::min(value, 0.99 * rules[0].threshold());
    for (Spot& rule : rules) rule.step(seen);
    CHECK(rules[0].threshold() < rules[1].threshold());
    CHECK(rules[1].threshold() < rules[2].threshold());
  }
}

TEST_CASE("spot: starts as POT, and an alarm changes nothing") {
  const std::vector<double> calibration = half_normal(1000, 3);
  Spot spot(calibration, {.risk = 1e-3});
  CHECK(spot.threshold() == threshold::pot(1e-3).fit(calibration));
  const double before = spot.threshold();
  const PotTail tail = spot.tail();
  for (const double value : {before * 1.001, 100.0, infinity}) {
    const StreamStep step = spot.step(value);
    CHECK(step.status == StreamStatus::alarm);
    CHECK(step.threshold == before);
  }
  for (const double value : {not_a_number, -infinity}) {
    CHECK(spot.step(value).status == StreamStatus::invalid);
  }
  CHECK(spot.threshold() == before);
  CHECK(spot.tail().count == tail.count);
  CHECK(spot.step(before).status == StreamStatus::excess);  // not strictly above
  CHECK(spot.tail().excesses == tail.excesses + 1);
  CHECK(spot.threshold() > before);
  CHECK(spot.step(-5).status == StreamStatus::normal);
  CHECK(spot.tail().count == tail.count + 2);
}

TEST_CASE("spot: the fit uses the last max_excess excesses only") {
  std::vector<double> calibration = half_normal(1000, 4);
  Spot spot(calibration, {.risk = 1e-3, .max_excess = 12, .correct_truncation = false});
  const double t = spot.tail().threshold;
  std::vector<double> last;
  for (const double value : half_normal(3000, 5)) {
    if (spot.step(value).status == StreamStatus::excess) last.push_back(value - t);
  }
  REQUIRE(last.size() > 24);
  const GeneralizedPareto fit = fit_generalized_pareto(std::vector<double>(last.end() - 12, last.end()));
  CHECK(spot.tail().beyond.shape == Approx(fit.shape).epsilon(1e-9));
  CHECK(spot.tail().beyond.scale == Approx(fit.scale).epsilon(1e-9));
}

TEST_CASE("spot: wrong use") {
  const std::vector<double> calibration = half_normal(1000, 3);
  CHECK(contains(error_of([&] { Spot(std::span<const double>(calibration).first(100)); }), "about 500"));
  CHECK(contains(error_of([] { Spot(std::vector<double>(900, 2.0)); }), "constant scores of 2"));
  CHECK(contains(error_of([&] { Spot(calibration, {.max_excess = 9}); }), "max_excess >= 10"));
  CHECK(contains(error_of([&] { Spot(calibration, {.refit_every = 0}); }), "refit_every"));
  CHECK(contains(error_of([&] { Spot(calibration, {.risk = 0.5}); }), "risk"));
  CHECK(contains(error_of([] { Spot(std::vector<double>{}); }), "none"));
  CHECK(contains(error_of([] { Spot(std::vector<double>{1, not_a_number}); }), "nan at index 1"));
  CHECK(contains(error_of([&] { Dspot(calibration, {.depth = 0}); }), "depth"));
  CHECK(contains(error_of([&] { Dspot(std::vector<double>(10, 1.0), {.depth = 10}); }), "more than depth"));
}

TEST_CASE("dspot: follows a level that drifts, where spot drowns in alarms") {
  RandomStream random(6, Purpose::other);
  const auto value = [&](int i) { return 0.02 * i + random.normal(); };
  std::vector<double> calibration;
  for (int i = 0; i < 2000; ++i) calibration.push_back(value(i));
  Dspot dspot(calibration, {.depth = 20, .spot = {.risk = 1e-3}});
  Spot spot(calibration, {.risk = 1e-3});
  int alarms = 0;
  int spot_alarms = 0;
  for (int i = 2000; i < 6000; ++i) {
    const double x = value(i);
    alarms += dspot.step(x).is_alarm() ? 1 : 0;
    spot_alarms += spot.step(x).is_alarm() ? 1 : 0;
  }
  CHECK(alarms < 15);
  CHECK(spot_alarms > 1000);
  const double before = dspot.threshold();
  CHECK(dspot.step(before + 100).is_alarm());
  CHECK(dspot.threshold() == before);  // the mean too is as it was
  CHECK(dspot.step(not_a_number).status == StreamStatus::invalid);
  CHECK(dspot.step(infinity).is_alarm());
  CHECK(dspot.threshold() == before);
}

TEST_CASE("telemanom: constant errors, and what stands out from them") {
  const TelemanomFindings nothing = telemanom_window(std::vector<double>(30, 0.1));
  CHECK(nothing.runs.empty());
  CHECK(nothing.threshold == 0.1);
  CHECK(telemanom_window(std::vector<double>(30, 0.0)).runs.empty());
  std::vector<double> errors(100, 0.1);
  errors[40] = errors[41] = 2;
  CHECK(telemanom_window(errors).runs == std::vector<IndexRange>{{40, 42}});
  // 10 % less than the flagged peak and not flagged itself: pruned.
  CHECK(telemanom_window(errors, 0.96).runs.empty());
}

TEST_CASE("telemanom: over a whole series every error is judged") {
  std::vector<double> errors = half_normal(600, 8);
  for (double& error : errors) error = 1 + 0.1 * error;  // nothing stands out by 2.5 deviations and 13 %
  for (const std::size_t i : {3u, 4u, 300u, 301u, 599u}) errors[i] += 12;
  const TelemanomOptions options{.window = 200, .span = 1};
  const std::vector<Verdict> verdicts = telemanom(errors, options);
  REQUIRE(verdicts.size() == 600);
  for (std::size_t i = 0; i < 600; ++i) {
    CAPTURE(i);
    CHECK(verdicts[i].index == static_cast<Index>(i));
    CHECK(verdicts[i].score == Approx(errors[i]));
    CHECK(verdicts[i].threshold > 0);
    CHECK(verdicts[i].is_outlier == (errors[i] > 11));
  }
  CHECK(find_events(verdicts).size() == 3);
  // A series shorter than a window.
  CHECK(telemanom(std::span<const double>(errors).first(50), options)[3].is_outlier);
}

TEST_CASE("telemanom: wrong use") {
  CHECK_THROWS_AS(Telemanom({.window = 2}), Error);
  CHECK_THROWS_AS(Telemanom({.window = -5}), Error);
  CHECK_THROWS_AS(Telemanom({.span = 0}), Error);
  CHECK_THROWS_AS(Telemanom({.pruning = 1}), Error);
  CHECK_THROWS_AS(telemanom_window(std::vector<double>{}), Error);
  CHECK_THROWS_AS(telemanom(std::vector<double>{1, not_a_number}), Error);
  Telemanom rule({.window = 4, .span = 1});
  for (int i = 0; i < 3; ++i) CHECK(rule.step(1).status == StreamStatus::warming_up);
  CHECK(rule.step(not_a_number).status == StreamStatus::invalid);
  CHECK(rule.step(-1).status == StreamStatus::invalid);
  CHECK(rule.step(infinity).status == StreamStatus::invalid);
  CHECK(rule.step(1).status == StreamStatus::normal);
}
