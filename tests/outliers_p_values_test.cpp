#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/streams/martingale.hpp>
#include <reprise/thresholds/conformal.hpp>
#include <reprise/thresholds/outlier_scorer.hpp>
#include <reprise/thresholds/p_values.hpp>
#include <string>
#include <vector>

#include "differences.hpp"
#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

const std::vector<double> calibration{3, 1, 2, 2};

std::vector<double> exponential(std::size_t count, RandomStream& random) {
  std::vector<double> values(count);
  for (double& value : values) value = -std::log(1 - random.uniform());
  return values;
}

}  // namespace

TEST_CASE("p-values: plain and smoothed, worked out by hand") {
  const ConformalPValues p(calibration);
  CHECK(p.plain(0) == 1);
  CHECK(p.plain(1) == 1);
  CHECK(p.plain(1.5) == Approx(4.0 / 5));
  CHECK(p.plain(2) == Approx(4.0 / 5));
  CHECK(p.plain(3) == Approx(2.0 / 5));
  CHECK(p.plain(4) == Approx(1.0 / 5));
  CHECK(p.plain(std::numeric_limits<double>::infinity()) == Approx(1.0 / 5));
  CHECK(p.smoothed(2, 0.5) == Approx((1 + 0.5 * 3) / 5));
  CHECK(p.smoothed(4, 0.25) == Approx(0.05));
  CHECK(p.smoothed(2, 1) == p.plain(2));
  CHECK_THROWS_AS(p.smoothed(2, 0), Error);
  CHECK_THROWS_AS(p.plain(std::numeric_limits<double>::quiet_NaN()), Error);
  CHECK_THROWS_AS(ConformalPValues(std::vector<double>{}), Error);
}

TEST_CASE("conformal threshold: flags exactly the scores with p <= alpha") {
  RandomStream random(5, Purpose::other);
  for (const std::size_t n : {19u, 99u, 137u}) {
    std::vector<double> scores(n);
    for (double& score : scores) score = random.below(60);  // ties
    const ConformalPValues p(scores);
    for (const double alpha : {0.05, 0.07, 0.1, 0.29, 0.3, 0.5, 0.95}) {
      CAPTURE(n);
      CAPTURE(alpha);
      const double limit = threshold::conformal(alpha).fit(scores);
      for (double s = 0; s < 62; s += 0.5) CHECK((s > limit) == (p.plain(s) <= alpha));
    }
  }
}

TEST_CASE("conformal threshold: a level that the scores cannot reach is refused with the number needed") {
  std::vector<double> scores(98, 1.0);
  scores[0] = 2;
  CHECK(
      contains(error_of([&] { threshold::conformal(0.01).fit(scores); }), "at least 99 calibration scores"));
  scores.push_back(1.5);
  CHECK(threshold::conformal(0.01).fit(scores) == 2);
  CHECK_THROWS_AS(threshold::conformal(0), Error);
  CHECK_THROWS_AS(threshold::conformal(1), Error);
  CHECK(
      contains(error_of([] { threshold::conformal(0.01).fit(std::vector<double>(4, 0.5)); }), "at least 99"));
}

TEST_CASE("p-values: P(p <= alpha) <= alpha and smoothed ones are uniform, over trials") {
  // Each trial draws its own calibration set and one score. With ties in the second round.
  constexpr int trials = 20000;
  for (const bool ties : {false, true}) {
    CAPTURE(ties);
    RandomStream random(11, Purpose::other);
    std::vector<double> plain;
    std::vector<double> smoothed;
    for (int trial = 0; trial < trials; ++trial) {
      std::vector<double> scores = exponential(20, random);
      if (ties) {
        for (double& score : scores) score = std::floor(2 * score);
      }
      const double score = scores.back();
      scores.pop_back();
      const ConformalPValues p(scores);
      plain.push_back(p.plain(score));
      smoothed.push_back(p.smoothed(score, detail::smoothing_uniform(3, static_cast<std::uint64_t>(trial))));
    }
    const auto share = [&](const std::vector<double>& p, double alpha) {
      return static_cast<double>(std::count_if(p.begin(), p.end(), [&](double v) { return v <= alpha; })) /
             trials;
    };
    for (const double alpha : {0.05, 0.1, 0.25, 0.5, 0.83}) {
      CAPTURE(alpha);
      const double width = 4 * std::sqrt(alpha * (1 - alpha) / trials);
      CHECK(share(plain, alpha) <= alpha + width);
      CHECK(std::abs(share(smoothed, alpha) - alpha) <= width);
    }
    // Kolmogorov's distance: below 1.95 / sqrt(trials) but for one in a thousand.
    std::sort(smoothed.begin(), smoothed.end());
    double distance = 0;
    for (int i = 0; i < trials; ++i) {
      distance = test::larger(distance, std::abs((i + 0.5) / trials - smoothed[static_cast<std::size_t>(i)]));
    }
    CHECK(distance < 1.95 / std::sqrt(trials));
  }
}

TEST_CASE("p-values: beyond the calibration scores they keep falling with a tail, and stay without") {
  RandomStream random(2, Purpose::other);
  const std::vector<double> scores = exponential(1000, random);
  const double largest = test::largest(scores);
  OutlierScorer scorer{threshold::max_factor(1)};
  scorer.calibrate(scores);
  std::vector<double> rising;
  for (double s = 0; s < 60; s += 0.01) rising.push_back(s);
  rising.push_back(largest);
  rising.push_back(std::nextafter(largest, 100.0));
  rising.push_back(1e300);
  rising.push_back(std::numeric_limits<double>::infinity());
  std::sort(rising.begin(), rising.end());

  const auto plain = scorer.p_values(rising);
  const auto with_tail = scorer.p_values(rising, {.tail_level = 0.98});
  const PotTail tail = fit_pot_tail(scores, 0.98);
  for (std::size_t i = 0; i < rising.size(); ++i) {
    if (rising[i] <= largest) {
      CHECK(with_tail[i] == plain[i]);
    } else {
      CHECK(plain[i] == Approx(1.0 / 1001).epsilon(1e-15));
      const double expected = tail.tail_probability(rising[i]) / tail.tail_probability(largest) / 1001;
      CHECK(with_tail[i] == Approx(test::larger(expected, 1e-12)).epsilon(1e-12));
    }
    if (i > 0) CHECK(with_tail[i] <= with_tail[i - 1]);
  }
  CHECK(with_tail.back() == 1e-12);
  // Exponential scores: three more units are a factor of about e^3.
  const double ratio = scorer.p_values(std::vector<double>{largest + 3}, {.tail_level = 0.98}).front() * 1001;
  CHECK(ratio == Approx(std::exp(-3)).epsilon(0.6));

  CHECK_THROWS_AS(scorer.p_values(rising, {.smoothed = true, .tail_level = 0.98}), Error);
  CHECK_THROWS_AS(OutlierScorer{threshold::manual(1)}.p_values(rising), Error);
  CHECK_THROWS_AS(scorer.p_values(std::vector<double>{-1}), Error);
  CHECK_THROWS_AS(p_values(calibration, rising, {.tail_level = 0.98}), Error);  // too few for a tail
}

TEST_CASE("p-values: smoothing depends on seed and index only") {
  RandomStream random(2, Purpose::other);
  const std::vector<double> scores = exponential(50, random);
  const auto all = p_values(calibration, scores, {.smoothed = true, .seed = 9});
  const auto rest =
      p_values(calibration, std::span<const double>(scores).subspan(20), {.smoothed = true, .seed = 9}, 20);
  CHECK(std::equal(rest.begin(), rest.end(), all.begin() + 20));
  CHECK(p_values(calibration, scores, {.smoothed = true, .seed = 10}) != all);
  CHECK(test::smallest(all) > 0);
}

TEST_CASE("Benjamini-Hochberg: the largest k with p_(k) <= alpha k / m") {
  // alpha k / m is 0.0125, 0.025, 0.0375, 0.05: the third holds though the second does not.
  const std::vector<double> p{0.03, 0.9, 0.01, 0.03};
  CHECK(benjamini_hochberg(p, 0.05) == std::vector<bool>{true, false, true, true});
  CHECK(benjamini_hochberg(p, 0.01) == std::vector<bool>(4));
  CHECK(benjamini_hochberg({}, 0.05).empty());
  CHECK_THROWS_AS(benjamini_hochberg(p, 0), Error);
  CHECK_THROWS_AS(benjamini_hochberg(std::vector<double>{0.5, 1.5}, 0.1), Error);
}

TEST_CASE("power martingale: the product in logarithms") {
  PowerMartingale martingale(0.05, 0.5);
  CHECK(martingale.step(1).log_value == Approx(std::log(0.5)));
  CHECK(martingale.step(0.01).log_value == Approx(std::log(0.5 * 5)));
  CHECK_FALSE(martingale.step(0.04).is_alarm);  // 2.5 * 2.5 = 6.25
  CHECK(martingale.step(0.01).is_alarm);        // * 5
  for (const double bad : {0.0, -1.0, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    const double before = martingale.log_value();
    CHECK_FALSE(martingale.step(bad).is_valid);
    CHECK(martingale.log_value() == before);
  }
  for (int i = 0; i < 100000; ++i) martingale.step(1e-12);
  CHECK(std::isfinite(martingale.log_value()));  // the product is beyond every double
  martingale.reset();
  CHECK(martingale.log_value() == 0);
  CHECK_THROWS_AS(PowerMartingale(0), Error);
  CHECK_THROWS_AS(PowerMartingale(0.05, 1), Error);
}

TEST_CASE(
    "power martingale: at most a fraction alpha of normal streams raise an alarm, and changed ones do") {
  constexpr int streams = 400;
  constexpr double alpha = 0.1;
  int alarms = 0;
  int found = 0;
  for (int stream = 0; stream < streams; ++stream) {
    RandomStream random(static_cast<std::uint64_t>(stream), Purpose::other);
    const std::vector<double> normal = exponential(50, random);
    OnlinePValues p(normal, static_cast<std::uint64_t>(stream));
    PowerMartingale martingale(alpha, 0.7);
    bool is_alarm = false;
    for (const double score : exponential(300, random)) is_alarm |= martingale.step(p.step(score)).is_alarm;
    alarms += is_alarm ? 1 : 0;
    martingale.reset();
    is_alarm = false;
    for (const double score : exponential(60, random)) {
      is_alarm |= martingale.step(p.step(score + 2.5)).is_alarm;
    }
    found += is_alarm ? 1 : 0;
  }
  CHECK(alarms <= streams * (alpha + 3 * std::sqrt(alpha * (1 - alpha) / streams)));
  CHECK(found > streams * 0.95);
}

TEST_CASE("benjamini-hochberg: p-values that equal the limit but for rounding are rejected") {
  for (const std::size_t m : std::initializer_list<std::size_t>{1, 7, 43, 49, 59, 93}) {
    CAPTURE(m);
    const auto rejected = benjamini_hochberg(std::vector<double>(m, 0.05), 0.05);
    CHECK(std::count(rejected.begin(), rejected.end(), true) == static_cast<std::ptrdiff_t>(m));
    const auto above = benjamini_hochberg(std::vector<double>(m, 0.05 + 1e-12), 0.05);
    CHECK(std::count(above.begin(), above.end(), true) == 0);
  }
}
