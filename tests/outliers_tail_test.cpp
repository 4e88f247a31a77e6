#include <doctest/doctest.h>
#include <reprise/streams/spot.hpp>
#include <reprise/thresholds/compare_thresholds.hpp>
#include <reprise/thresholds/outlier_scorer.hpp>

#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/thresholds/fit_generalized_pareto.hpp>
#include <reprise/thresholds/generalized_pareto.hpp>
#include <reprise/thresholds/pot.hpp>
#include <reprise/thresholds/pot_tail.hpp>
#include <reprise/thresholds/thresholds.hpp>
#include <string>
#include <vector>

#include "differences.hpp"
#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

std::vector<double> draws(const GeneralizedPareto& distribution, std::size_t count, std::uint64_t seed) {
  RandomStream random(seed, Purpose::other);
  std::vector<double> values(count);
  for (double& value : values) value = distribution.value_at(1.0 - random.uniform());
  for (double& value : values) value = test::larger(value, 1e-300);
  return values;
}

double log_likelihood(const GeneralizedPareto& p, const std::vector<double>& excesses) {
  double sum = 0;
  for (const double y : excesses) {
    sum -= std::log(p.scale) + (1 + 1 / p.shape) * std::log(1 + p.shape * y / p.scale);
  }
  return sum;
}

}  // namespace

TEST_CASE("generalised Pareto: tail and its inverse") {
  CHECK(GeneralizedPareto{0.5, 2}.tail_probability(4) == Approx(0.25).epsilon(1e-15));
  CHECK(GeneralizedPareto{-0.5, 1}.tail_probability(1) == Approx(0.25).epsilon(1e-15));
  CHECK(GeneralizedPareto{-0.5, 1}.tail_probability(2) == 0);
  CHECK(GeneralizedPareto{-0.5, 1}.tail_probability(2.5) == 0);
  CHECK(GeneralizedPareto{0, 2}.tail_probability(4) == Approx(std::exp(-2)).epsilon(1e-15));
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double shape : {-0.7, -1e-9, 0.0, 1e-20, 1e-9, 0.3, 4.0}) {
    CAPTURE(shape);
    const GeneralizedPareto p{shape, 1.7};
    CHECK(p.tail_probability(-1) == 1);
    CHECK(p.tail_probability(0) == 1);
    CHECK(p.tail_probability(infinity) == 0);
    CHECK(p.value_at(1) == 0);
    for (const double q : {0.9, 0.1, 1e-3, 1e-6}) {
      CHECK(p.tail_probability(p.value_at(q)) == Approx(q).epsilon(1e-9));
    }
  }
}

TEST_CASE("generalised Pareto: the fit finds the shape it was drawn with") {
  for (const double shape : {-0.4, -0.2, 0.0, 0.05, 0.5, 1.0, 2.0, 4.0}) {
    CAPTURE(shape);
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      const GeneralizedPareto fit = fit_generalized_pareto(draws({shape, 3}, 5000, seed));
      // The estimate's standard deviation is (1 + shape) / sqrt(5000).
      CHECK(std::abs(fit.shape - shape) < test::larger(0.1, 4.5 * (1 + shape) / std::sqrt(5000)));
      CHECK(fit.scale == Approx(3).epsilon(0.15));
    }
  }
}

TEST_CASE("generalised Pareto: no neighbour is more likely, whatever the unit") {
  for (const double shape : {-0.3, 0.5, 1.5, 3.0}) {
    CAPTURE(shape);
    const std::vector<double> excesses = draws({shape, 1}, 400, 7);
    const GeneralizedPareto fit = fit_generalized_pareto(excesses);
    const double best = log_likelihood(fit, excesses);
    for (const double step : {0.999, 1.001}) {
      CHECK(log_likelihood({fit.shape * step, fit.scale}, excesses) < best);
      CHECK(log_likelihood({fit.shape, fit.scale * step}, excesses) < best);
    }
    for (const double unit : {0x1p-500, 0x1p-30, 0x1p40, 0x1p600}) {
      std::vector<double> scaled = excesses;
      for (double& excess : scaled) excess *= unit;
      const GeneralizedPareto other = fit_generalized_pareto(scaled);
      CHECK(other.shape == fit.shape);
      CHECK(other.scale == fit.scale * unit);
    }
  }
}

TEST_CASE("generalised Pareto: excesses that no fit suits") {
  // All equal, or piled up at their largest: the likelihood has no maximum, the exponential is left.
  const GeneralizedPareto equal = fit_generalized_pareto(std::vector<double>(20, 2.0));
  CHECK(equal.shape == 0);
  CHECK(equal.scale == 2);
  std::vector<double> piled(30, 1.0);
  piled[3] = 0.5;
  const GeneralizedPareto other = fit_generalized_pareto(piled);
  CHECK(std::isfinite(other.shape));
  CHECK(other.scale > 0);
  // Ten denormal numbers and the largest of all.
  std::vector<double> wide(10, 5e-324);
  wide.push_back(1.7e308);
  const GeneralizedPareto widest = fit_generalized_pareto(wide);
  CHECK(std::isfinite(widest.shape));
  CHECK(widest.tail_probability(1) >= 0);
  CHECK(
      contains(error_of([] { return fit_generalized_pareto(std::vector<double>(9, 1.0)); }), "at least 10"));
  std::vector<double> bad(20, 1.0);
  bad[11] = 0;
  CHECK(contains(error_of([&] { return fit_generalized_pareto(bad); }), "0 at index 11"));
  bad[11] = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(error_of([&] { return fit_generalized_pareto(bad); }), "nan at index 11"));
}

TEST_CASE("pot: the threshold is passed by about the risk of new scores") {
  const GeneralizedPareto source{0.2, 1};
  const std::vector<double> calibration = draws(source, 20000, 3);
  for (const double risk : {1e-2, 1e-3, 1e-4}) {
    CAPTURE(risk);
    const double threshold = threshold::pot(risk).fit(calibration);
    CHECK(threshold == Approx(source.value_at(risk)).epsilon(0.2));
    CHECK(fit_pot_tail(calibration).tail_probability(threshold) == Approx(risk).epsilon(1e-9));
  }
}

TEST_CASE("pot: a risk larger than the share of excesses gives the quantile itself") {
  // A third of the scores equal the quantile, so that far fewer than a tenth exceed it.
  std::vector<double> scores;
  for (int i = 0; i < 600; ++i) scores.push_back(i < 300 ? 0.5 : 1.0);
  for (int i = 0; i < 12; ++i) scores.push_back(2.0 + 0.1 * i);
  const PotTail tail = fit_pot_tail(scores, 0.9);
  CHECK(tail.threshold == 1);
  CHECK(tail.excesses == 12);
  CHECK(threshold::pot(0.05, 0.9).fit(scores) == 1);
  CHECK(threshold::pot(0.001, 0.9).fit(scores) > 2);
  CHECK(tail.tail_probability(0.3) == Approx(12.0 / 612));
  CHECK(tail.tail_probability(3.0) < 12.0 / 612);
}

TEST_CASE("pot: what cannot be fitted is refused with the number needed") {
  const std::vector<double> scores = draws({0.1, 1}, 200, 3);
  const std::string message = error_of([&] { threshold::pot(1e-4).fit(scores); });
  CHECK(contains(message, "about 500 scores"));
  CHECK(contains(message, "got 4 of 200"));
  CHECK_NOTHROW(threshold::pot(1e-4, 0.95).fit(scores));
  CHECK(contains(error_of([&] { threshold::pot(1e-4).fit(std::vector<double>(1000, 0.25)); }),
                 "constant scores of 0.25"));
  CHECK_THROWS_AS(threshold::pot(0), Error);
  CHECK_THROWS_AS(threshold::pot(0.02), Error);  // no tail above the .98 quantile holds it
  CHECK_THROWS_AS(threshold::pot(1e-3, 1.0), Error);
  CHECK_THROWS_AS(threshold::pot(std::numeric_limits<double>::quiet_NaN()), Error);
  CHECK_THROWS_AS(fit_pot_tail(scores, 0.0), Error);
  CHECK(Threshold(threshold::pot(1e-4)).description() == "POT 0.0001 above 0.98");
}

TEST_CASE("pot and spot: scores with outliers among them are refused") {
  std::vector<double> scores;
  for (int i = 0; i < 1500; ++i) scores.push_back(-std::log1p(-(i + 0.5) / 1500) / 8.0);
  CHECK_NOTHROW(threshold::pot(1e-3).fit(scores));
  CHECK_NOTHROW(Spot(scores, {.risk = 1e-3}));
  for (std::size_t i = 0; i < 15; ++i) scores[i * 91] = 40.0 + static_cast<double>(i);
  CHECK(contains(error_of([&] { threshold::pot(1e-3).fit(scores); }), "scores without outliers"));
  CHECK(contains(error_of([&] { Spot(scores, {.risk = 1e-3}); }), "scores without outliers"));
}

TEST_CASE("pot: a risk that the scores cannot carry is doubted") {
  std::vector<double> scores;
  for (int i = 0; i < 500; ++i) scores.push_back(-std::log1p(-(i + 0.5) / 500));
  CHECK(contains(Threshold(threshold::pot(1e-4)).doubt(scores), "far beyond what 500 scores can tell"));
  CHECK(Threshold(threshold::pot(1e-3)).doubt(scores).empty());
  CHECK(Threshold(threshold::mad(3)).doubt(scores).empty());
  OutlierScorer scorer{threshold::pot(1e-4)};
  CHECK(scorer.doubt().empty());
  scorer.calibrate(scores);
  CHECK(contains(scorer.doubt(), "false alarms"));
  const ThresholdTable table = compare_thresholds(scores, scores, {threshold::pot(1e-4), threshold::mad(3)});
  CHECK_FALSE(table.rows[0].doubt.empty());
  CHECK(table.rows[1].doubt.empty());
}
