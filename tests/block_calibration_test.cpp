#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <reprise/core/random.hpp>
#include <reprise/detection/block_calibration.hpp>
#include <reprise/detection/error_scale.hpp>
#include <string>
#include <vector>

#include "differences.hpp"
#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

TEST_CASE(
    "block calibration: of a block its largest score counts, and what fills none is left out at the start") {
  const BlockCalibration calibration(std::vector<double>{100, 1, 2, 9, 8, 3, 7, 3, 0}, 2);
  CHECK(calibration.blocks() == 4);
  CHECK(calibration.largest() == std::vector<double>{9, 7, 3, 2});
  // The blocks as high and the new one, of all and the new one.
  CHECK(calibration.p_value(10) == Approx(1.0 / 5));
  CHECK(calibration.p_value(9) == Approx(2.0 / 5));
  CHECK(calibration.p_value(8) == Approx(2.0 / 5));
  CHECK(calibration.p_value(3) == Approx(4.0 / 5));
  CHECK(calibration.p_value(0) == Approx(1.0));
}

TEST_CASE("block calibration: a rate counts blocks, not points") {
  std::vector<double> scores;  // blocks of 50, of which the b-th has the largest score b
  for (int b = 1; b <= 19; ++b) scores.insert(scores.end(), 50, static_cast<double>(b));
  const BlockCalibration calibration(scores, 50);
  // Of one block in twenty, each of 50 points: one in 1,000 points.
  CHECK(calibration.least_rate() == Approx(1.0));
  CHECK(BlockCalibration::least_rate(19 * 50 + 49, 50) == Approx(1.0));
  CHECK(calibration.promised(1.0).value == 19.0);
  CHECK(calibration.promised(1.99).value == 19.0);
  CHECK(calibration.promised(2.0).value == 18.0);
  CHECK(calibration.promised(10.0).value == 10.0);
  CHECK(calibration.promised(500.0).value == 1.0);
  CHECK(calibration.promised(2.0).status == CalibrationStatus::promised);
  CHECK(calibration.promised(2.0).rate == 2.0);
  CHECK(calibration.rate_of_score(19.5) == Approx(1.0));
  CHECK(calibration.rate_of_score(18.5) == Approx(2.0));
  CHECK(calibration.widened().value == 19.0);
  CHECK(calibration.widened().rate == Approx(1.0));
  CHECK(calibration.widened().status == CalibrationStatus::widened);
  const std::string refusal = error_of([&] { calibration.promised(0.5); });
  // 39 blocks carry .5.
  CHECK(contains(refusal,
                 "at least 1 false episodes in 1,000 points, which 19 blocks can carry, or 1000 more rows"));
  CHECK(contains(refusal, "got 0.5"));
}

TEST_CASE("block calibration: what 95 of 100 calibrations do not exceed") {
  const auto of_blocks = [](int blocks) {
    std::vector<double> scores;
    for (int b = 0; b < blocks; ++b) scores.push_back(b);
    return BlockCalibration(scores, 1);
  };
  for (const int m : {1, 5, 60}) {
    CAPTURE(m);
    const double expected = 1000.0 * (1.0 - std::pow(0.05, 1.0 / m));
    CHECK(of_blocks(m).widened().rate_in_95_percent == Approx(expected).epsilon(1e-9));
  }
  // Of three blocks the second: 3 x^2 - 2 x^3 = .95.
  const double x = of_blocks(3).promised(500.0).rate_in_95_percent / 1000.0;
  CHECK(3 * x * x - 2 * x * x * x == Approx(0.95).epsilon(1e-9));
}

TEST_CASE("block calibration: the promise holds for exchangeable blocks, and is not too careful") {
  RandomStream random(3, Purpose::other);
  for (const int blocks : {4, 19, 45}) {
    for (const double rate : {5.0, 20.0}) {
      CAPTURE(blocks);
      CAPTURE(rate);
      constexpr int size = 25, fits = 2000, fresh = 20;
      const auto draw = [&](int count) {
        std::vector<double> scores;
        for (int b = 0; b < count; ++b) {
          const double common = random.normal();
          for (int t = 0; t < size; ++t) scores.push_back(common + 0.3 * random.normal());
        }
        return scores;
      };
      int flagged = 0, lucky = 0;
      for (int fit = 0; fit < fits; ++fit) {
        const BlockCalibration calibration(draw(blocks), size);
        const BlockThreshold threshold =
            rate < calibration.least_rate() ? calibration.widened() : calibration.promised(rate);
        const std::vector<double> scores = draw(fresh);
        for (int b = 0; b < fresh; ++b) {
          const auto first = scores.begin() + b * size;
          const double highest = test::largest(std::vector<double>(first, first + size));
          const bool is_above = highest > threshold.value;
          CHECK_EQ(is_above, calibration.rate_of_score(highest) <= threshold.rate * (1.0 + 1e-9));
          flagged += is_above;
        }
        lucky += threshold.rate_in_95_percent > threshold.rate;
      }
      const BlockCalibration any(draw(blocks), size);
      const double named = test::larger(rate, any.least_rate());
      const double seen = 1000.0 * flagged / (1.0 * fits * fresh * size);
      CHECK(seen < 1.06 * named);
      // Ranks are whole: at worst half of what is named is used.
      CHECK(seen > 0.45 * named);
      CHECK(lucky == fits);
    }
  }
}

TEST_CASE("block calibration: an estimate beyond the blocks") {
  // Gumbel: minus the logarithm of an exponential value.
  RandomStream random(5, Purpose::other);
  std::vector<double> scores(3000);
  for (double& score : scores) score = 2.0 - 0.5 * std::log(-std::log(1.0 - random.uniform()));
  const BlockCalibration calibration(scores, 1);
  const BlockThreshold beyond = calibration.estimated(0.01);  // one block in 100,000
  CHECK(beyond.status == CalibrationStatus::estimated);
  CHECK(beyond.rate == 0.01);
  CHECK(beyond.value == Approx(2.0 + 0.5 * std::log(1e5)).epsilon(0.05));
  CHECK(calibration.estimated(10.0).status == CalibrationStatus::promised);
  CHECK(calibration.estimated(10.0).value == calibration.promised(10.0).value);
  // Never below what was seen.
  std::vector<double> one_high(10, 0.0);
  one_high.back() = 50.0;
  CHECK(BlockCalibration(one_high, 1).estimated(90.0).value >= 50.0);
  CHECK(contains(error_of([] {
                   BlockCalibration(std::vector<double>{1, 2, 3, 4}, 1).estimated(1.0);
                 }),
                 "at least 5 blocks"));
}

TEST_CASE("block calibration: refused") {
  const std::vector<double> scores{1, 2, 3};
  CHECK(contains(error_of([&] { BlockCalibration(scores, 4); }), "at least one block of 4, got 3"));
  CHECK(contains(error_of([&] { BlockCalibration(scores, 0); }), "block > 0"));
  const std::vector<double> broken{1, std::numeric_limits<double>::quiet_NaN()};
  CHECK(contains(error_of([&] { BlockCalibration(broken, 1); }), "scores that are numbers"));
  const BlockCalibration calibration(scores, 1);
  CHECK(contains(error_of([&] { calibration.promised(0.0); }), "a finite rate > 0"));
  CHECK(contains(error_of([&] { calibration.estimated(-1.0); }), "a finite rate > 0"));
}

TEST_CASE("error scale: the usual error is 0, one that a twentieth exceeds is 1") {
  std::vector<double> errors;
  for (int i = 0; i <= 1000; ++i) errors.push_back(std::exp(0.002 * i));  // median e, .95-quantile e^1.9
  const ErrorScale scale = ErrorScale::fit(errors);
  CHECK(scale.usual() == Approx(std::exp(1.0)));
  CHECK(scale.z(std::exp(1.0)) == Approx(0.0));
  CHECK(scale.z(std::exp(1.9)) == Approx(1.0).epsilon(1e-3));
  // By the definition: the logarithm of the error in usual ones.
  const double l95 = std::log(std::exp(0.9) + 0.01), center = std::log(1.01);
  CHECK(scale.z(std::exp(5.0)) ==
        Approx((std::log(std::exp(4.0) + 0.01) - center) / (l95 - center)).epsilon(1e-3));
  CHECK(scale.z(0.0) == Approx((std::log(0.01) - center) / (l95 - center)).epsilon(1e-3));
  // Units do not matter.
  std::vector<double> larger = errors;
  for (double& error : larger) error *= 1024.0;
  CHECK(ErrorScale::fit(larger).z(2048.0) == Approx(scale.z(2.0)).epsilon(1e-12));
  // Errors that hardly vary, or are 0.
  CHECK(ErrorScale::fit(std::vector<double>{2, 2, 2}).z(4.0) ==
        Approx((std::log(2.01) - std::log(1.01)) / 0.05));
  const ErrorScale none = ErrorScale::fit(std::vector<double>{0, 0, 0});
  CHECK(none.z(0.0) == 0.0);
  CHECK(none.z(1e-9) > 50.0);
  CHECK(contains(error_of([] { ErrorScale::fit(std::vector<double>{}); }), "at least one error"));
  CHECK(contains(error_of([] { ErrorScale::fit(std::vector<double>{1, -1}); }), "errors >= 0, got -1"));
}

}  // namespace
