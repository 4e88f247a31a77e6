#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/thresholds/outlier_scorer.hpp>
#include <reprise/thresholds/thresholds.hpp>
#include <string>
#include <vector>

#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

const std::vector<double> calibration{0.3, 0.1, 0.2, 0.9, 0.4, 0.25, 0.15, 0.35, 0.5, 0.6};
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("thresholds: values worked out with Python's statistics module") {
  // statistics.quantiles(c, n=10, method='inclusive')[8]; fmean + 2 pstdev; median + 3 * 1.4826 * median |c -
  // median|
  CHECK(threshold::quantile(0.9).fit(calibration) == Approx(0.63).epsilon(1e-14));
  CHECK(threshold::quantile(0.37).fit(calibration) == Approx(0.2665).epsilon(1e-14));
  CHECK(threshold::standard_deviations(2).fit(calibration) == Approx(0.8316180022732349).epsilon(1e-14));
  CHECK(threshold::mad(3).fit(calibration) == Approx(0.99216999999999998).epsilon(1e-14));
  CHECK(threshold::max_factor(1.5).fit(calibration) == Approx(1.35).epsilon(1e-14));
  // Quartiles .2125 and .475, fmean .375, median .325
  CHECK(threshold::iqr(2).fit(calibration) == Approx(1.0).epsilon(1e-14));
  CHECK(threshold::factor(1.5, threshold::Statistic::max).fit(calibration) == Approx(1.35).epsilon(1e-14));
  CHECK(threshold::factor(2, threshold::Statistic::mean).fit(calibration) == Approx(0.75).epsilon(1e-14));
  CHECK(threshold::factor(2, threshold::Statistic::median).fit(calibration) == Approx(0.65).epsilon(1e-14));
  CHECK(threshold::manual(0.7).fit(calibration) == 0.7);
  CHECK(threshold::custom([](std::span<const double> s) { return s[3] + 1; }).fit(calibration) == 1.9);

  // An odd number of scores: the median is one of them. |c - 3| is 2, 1, 0, 1, 7.
  CHECK(threshold::mad(1).fit(std::vector<double>{1, 2, 3, 4, 10}) == Approx(3 + 1.4826));
  CHECK(threshold::quantile(0).fit(calibration) == 0.1);
  CHECK(threshold::quantile(0.5).fit(std::vector<double>{4, 1, 2}) == 2);
}

TEST_CASE("thresholds: contamination r is the quantile 1 - r") {
  for (const double r : {0.1, 0.25, 0.5, 0.9, 1.0}) {
    CHECK(threshold::contamination(r).fit(calibration) == threshold::quantile(1 - r).fit(calibration));
  }
}

TEST_CASE("thresholds: too few scores for a quantile are refused with the number needed") {
  std::vector<double> scores(19, 1.0);
  CHECK(contains(error_of([&] { threshold::quantile(0.95).fit(scores); }), "at least 20 calibration scores"));
  scores.push_back(2.0);
  CHECK_NOTHROW(threshold::quantile(0.95).fit(scores));
  CHECK_NOTHROW(threshold::quantile(0.9).fit(calibration));  // 10 (1 - 0.9) < 1 in binary
  CHECK(contains(error_of([&] { threshold::contamination(0.001).fit(scores); }), "at least 1000"));
}

TEST_CASE("thresholds: parameters that make no sense are refused when the rule is made") {
  CHECK_THROWS_AS(threshold::manual(not_a_number), Error);
  CHECK_THROWS_AS(threshold::quantile(-0.1), Error);
  CHECK_THROWS_AS(threshold::quantile(1.0), Error);
  CHECK_THROWS_AS(threshold::quantile(not_a_number), Error);
  CHECK_THROWS_AS(threshold::contamination(0), Error);
  CHECK_THROWS_AS(threshold::contamination(1.1), Error);
  CHECK_THROWS_AS(threshold::standard_deviations(-1), Error);
  CHECK_THROWS_AS(threshold::mad(infinity), Error);
  CHECK_THROWS_AS(threshold::mad(not_a_number), Error);
  CHECK_THROWS_AS(threshold::max_factor(0), Error);
  CHECK_THROWS_AS(threshold::iqr(-1), Error);
  CHECK_THROWS_AS(threshold::factor(0, threshold::Statistic::mean), Error);
  CHECK_THROWS_AS(threshold::f_beta(0, {1, 2}, {0, 1}), Error);
  CHECK_THROWS_AS(threshold::f_beta(1, {1, -2}, {0, 1}), Error);
  CHECK_THROWS_AS(threshold::custom({}), Error);
}

TEST_CASE("thresholds: constant scores have no spread to multiply") {
  // The mean of three times 0.1 is not exactly 0.1, so the standard deviation is not exactly 0.
  const std::vector<double> constant(3, 0.1);
  CHECK(
      contains(error_of([&] { threshold::standard_deviations(3).fit(constant); }), "constant scores of 0.1"));
  CHECK(contains(error_of([&] { threshold::mad(3).fit(constant); }), "absolute deviation of 0"));
  CHECK(contains(error_of([&] { threshold::iqr(3).fit(constant); }), "interquartile range of 0"));
  CHECK(contains(error_of([] { threshold::f_beta(1, {2, 2}, {0, 1}); }), "constant scores of 2"));
  CHECK(threshold::max_factor(2).fit(constant) == 0.2);
}

TEST_CASE("thresholds: every rule refuses scores that it cannot use, with their place") {
  const std::vector<Threshold> rules{threshold::quantile(0.5),
                                     threshold::standard_deviations(3),
                                     threshold::mad(3),
                                     threshold::max_factor(1),
                                     threshold::iqr(1.5),
                                     threshold::factor(1, threshold::Statistic::median),
                                     threshold::conformal(0.5),
                                     threshold::pot(0.01),
                                     threshold::custom([](std::span<const double>) { return 1.0; })};
  for (const Threshold& rule : rules) {
    CAPTURE(rule.name());
    CHECK_THROWS_AS(rule.fit({}), Error);
    for (const double bad : {not_a_number, infinity, -0.5}) {
      std::vector<double> scores = calibration;
      scores[7] = bad;
      CHECK(contains(error_of([&] { rule.fit(scores); }), "index 7"));
    }
  }
}

TEST_CASE("thresholds: fewer allowed alarms never lower the threshold") {
  std::vector<double> scores;
  for (int i = 1; i <= 2000; ++i) scores.push_back(std::pow(-std::log(i / 2001.0), 1.5));
  const auto rises = [&](const std::vector<Threshold>& rules) {
    for (std::size_t i = 1; i < rules.size(); ++i) {
      CAPTURE(rules[i].description());
      CHECK(rules[i].fit(scores) > rules[i - 1].fit(scores));
    }
  };
  rises({threshold::quantile(0.5), threshold::quantile(0.9), threshold::quantile(0.99)});
  rises({threshold::contamination(0.2), threshold::contamination(0.1), threshold::contamination(0.01)});
  rises({threshold::conformal(0.2), threshold::conformal(0.1), threshold::conformal(0.01)});
  rises({threshold::pot(1e-2), threshold::pot(1e-3), threshold::pot(1e-5), threshold::pot(1e-9)});
  rises({threshold::mad(1), threshold::mad(3)});
  rises({threshold::iqr(1), threshold::iqr(3)});
  rises({threshold::standard_deviations(1), threshold::standard_deviations(3)});
  rises({threshold::max_factor(0.5), threshold::max_factor(1)});
  rises({threshold::factor(1, threshold::Statistic::mean), threshold::factor(4, threshold::Statistic::mean)});
}

TEST_CASE("thresholds: F_beta carries its own labelled scores") {
  const Threshold rule = threshold::f_beta(1, {1, 2, 3, 4, 5}, {0, 0, 1, 0, 1});
  CHECK_FALSE(rule.needs_calibration());
  CHECK(rule.fit({}) == 2);  // F1 .8; above 4 it is 2/3
  CHECK(Threshold(threshold::f_beta(0.5, {1, 2, 3, 4, 5}, {0, 0, 1, 0, 1})).fit({}) == 4);
  CHECK(rule.description() == "best F1");
  CHECK(OutlierScorer(rule).score(std::vector<double>{2.5}).front().is_outlier);
  CHECK(contains(error_of([] { threshold::f_beta(1, {1, 2}, {0, 0}); }), "normal ones (0) only"));
  CHECK(contains(error_of([] { threshold::f_beta(1, {1, 2}, {0, 1, 1}); }), "a label for each of 2"));
}

TEST_CASE("thresholds: names and descriptions") {
  CHECK(Threshold(threshold::mad(5)).name() == "mad");
  CHECK(Threshold(threshold::mad(5)).description() == "median + 5 MAD");
  CHECK(Threshold(threshold::contamination(0.01)).name() == "quantile");
  CHECK(Threshold(threshold::contamination(0.01)).description() == "quantile 0.99");
  CHECK(Threshold(threshold::iqr(1.5)).description() == "Q3 + 1.5 IQR");
  CHECK(Threshold(threshold::factor(2, threshold::Statistic::median)).description() == "2 x median");
  CHECK(Threshold(threshold::conformal(0.01)).description() == "conformal 0.01");
  CHECK(Threshold(threshold::custom([](auto) { return 1.0; }, "mine")).description() == "mine");
}

TEST_CASE("scorer: an outlier is strictly above the threshold") {
  OutlierScorer scorer{threshold::max_factor(1)};
  scorer.calibrate(std::vector<double>{1, 3, 2});
  const auto verdicts = scorer.score(std::vector<double>{3, std::nextafter(3.0, 4.0), 0, infinity});
  REQUIRE(verdicts.size() == 4);
  const bool expected[] = {false, true, false, true};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(verdicts[i].index == static_cast<Index>(i));
    CHECK(verdicts[i].threshold == 3);
    CHECK(verdicts[i].is_outlier == expected[i]);
  }
  CHECK(verdicts[0].score == 3);
  CHECK(scorer.score(std::vector<double>{1}, 40).front().index == 40);
  CHECK(scorer.score(std::vector<double>{}).empty());
}

TEST_CASE("scorer: floats are scored as their doubles") {
  OutlierScorer scorer{threshold::max_factor(1)};
  scorer.calibrate(std::vector<float>{0.1f, 0.2f});
  CHECK(scorer.threshold() == static_cast<double>(0.2f));
  CHECK_FALSE(scorer.score(std::vector<float>{0.2f}).front().is_outlier);
}

TEST_CASE("scorer: the order of the calibration scores does not matter") {
  std::vector<double> sorted = calibration;
  std::sort(sorted.begin(), sorted.end());
  OutlierScorer scorer{threshold::standard_deviations(2)};
  scorer.calibrate(calibration);
  const double threshold = scorer.threshold();
  scorer.calibrate(sorted);
  CHECK(scorer.threshold() == threshold);
  CHECK(scorer.calibration_scores() == sorted);
}

TEST_CASE("scorer: the rule is exchanged without calibrating again") {
  OutlierScorer scorer{threshold::mad(3)};
  scorer.calibrate(calibration);
  scorer.set_threshold(threshold::quantile(0.9));
  CHECK(scorer.threshold() == Approx(0.63));
  CHECK(scorer.rule().name() == "quantile");
  // A rule that cannot be fitted leaves the old one.
  CHECK_THROWS_AS(scorer.set_threshold(threshold::quantile(0.99)), Error);
  CHECK(scorer.threshold() == Approx(0.63));
  CHECK(scorer.rule().description() == "quantile 0.9");
  scorer.set_threshold(threshold::custom([](std::span<const double> s) { return s.back() * 2; }));
  CHECK(scorer.threshold() == 1.8);
  CHECK_THROWS_AS(scorer.set_threshold(threshold::custom([](auto) { return not_a_number; })), Error);
}

TEST_CASE("scorer: the rule that no one named lets through no more false alarms than it promises") {
  OutlierScorer scorer;
  CHECK(scorer.rule().description() == "conformal 0.03");
  CHECK(contains(error_of([&] { scorer.calibrate(std::vector<double>(32, 1.0)); }), "at least 33"));
  // Each trial draws calibration scores and one more.
  constexpr int trials = 20000;
  constexpr double promised = 0.03;
  RandomStream random(12, Purpose::other);
  int alarms = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> scores(99);
    for (double& score : scores) score = -std::log(1 - random.uniform());
    scorer.calibrate(scores);
    alarms += scorer.score(std::vector<double>{-std::log(1 - random.uniform())}).front().is_outlier ? 1 : 0;
  }
  const double share = static_cast<double>(alarms) / trials;
  // 3 of 100 places are above the threshold, so that the promise is kept exactly.
  CHECK(std::abs(share - promised) < 4 * std::sqrt(promised * (1 - promised) / trials));
}

TEST_CASE("scorer: wrong use") {
  OutlierScorer scorer{threshold::mad(3)};
  CHECK(contains(error_of([&] { return scorer.score(std::vector<double>{1}); }), "calibrate()"));
  scorer.set_threshold(threshold::quantile(0.5));
  CHECK_THROWS_AS(scorer.score(std::vector<double>{1}), Error);
  CHECK_THROWS_AS(scorer.calibrate(std::vector<double>{}), Error);
  scorer.calibrate(calibration);
  const double threshold = scorer.threshold();
  CHECK(contains(error_of([&] {
                   scorer.calibrate(std::vector<double>{1, not_a_number});
                 }),
                 "nan at index 1"));
  CHECK(contains(error_of([&] { scorer.calibrate(std::vector<double>{1, 2, infinity}); }), "inf at index 2"));
  CHECK(contains(error_of([&] { scorer.calibrate(std::vector<double>{-1}); }), "-1 at index 0"));
  CHECK(scorer.threshold() == threshold);  // as it was
  CHECK(scorer.calibration_scores().size() == 10);
  CHECK(contains(error_of([&] {
                   return scorer.score(std::vector<double>{1, 2, not_a_number});
                 }),
                 "nan at index 2"));
  CHECK_THROWS_AS(scorer.score(std::vector<double>{-1e-9}), Error);
}

TEST_CASE("scorer: a manual threshold needs no calibration") {
  OutlierScorer scorer{threshold::manual(0.5)};
  CHECK(scorer.score(std::vector<double>{0.6}).front().is_outlier);
  scorer.set_threshold(threshold::mad(3));
  CHECK_THROWS_AS(scorer.score(std::vector<double>{0.6}), Error);
}
