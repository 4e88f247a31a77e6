#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/scores/error_vectors.hpp>
#include <reprise/scores/errors.hpp>
#include <reprise/scores/explain.hpp>
#include <reprise/scores/mahalanobis.hpp>
#include <reprise/scores/point_scores.hpp>
#include <reprise/scores/scores.hpp>
#include <reprise/scores/window_grid.hpp>
#include <reprise/thresholds/compare_thresholds.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// Two windows of 2 steps of 2 features; the errors are 1 -2, 3 0 and 0 0, 4 -1.
const std::vector<double> input{1, 1, 3, 1, 1, 1, 5, 0};
const std::vector<double> output{0, 3, 0, 1, 1, 1, 1, 1};
const SequenceShape shape{.steps = 2, .features = 2};
const auto x = window_array(input, shape);
const auto y = window_array(output, shape);

std::vector<double> noise(std::size_t count, std::uint64_t seed) {
  RandomStream random(seed, Purpose::other);
  std::vector<double> values(count);
  for (double& value : values) value = random.normal();
  return values;
}

Matrix<double> noise(Index rows, Index columns, std::uint64_t seed) {
  const auto values = noise(static_cast<std::size_t>(rows * columns), seed);
  return Eigen::Map<const Matrix<double>>(values.data(), rows, columns);
}

}  // namespace

TEST_CASE("scores: every aggregate over window, step and feature") {
  using A = Aggregate;
  constexpr auto absolute = ErrorMeasure::absolute;
  using V = std::vector<double>;
  CHECK(window_scores(x, y) == V{3.5, 4.25});
  CHECK(window_scores(x, y, {.aggregate = A::sum}) == V{14, 17});
  CHECK(window_scores(x, y, {.aggregate = A::max}) == V{9, 16});
  CHECK(window_scores(x, y, {.aggregate = A::min}) == V{0, 0});
  CHECK(window_scores(x, y, {.aggregate = A::median}) == V{2.5, 0.5});
  CHECK(window_scores(x, y, {.aggregate = A::quantile, .quantile = 1}) == V{9, 16});
  CHECK(window_scores(x, y, {.aggregate = A::quantile, .quantile = 0.5}) == V{2.5, 0.5});
  CHECK(window_scores(x, y, {.measure = absolute}) == V{1.5, 1.25});
  CHECK(window_scores(x, y, {.measure = absolute, .aggregate = A::median}) == V{1.5, 0.5});
  CHECK(step_scores(x, y) == (Matrix<double>(2, 2) << 2.5, 4.5, 0, 8.5).finished());
  CHECK(step_scores(x, y, {.measure = absolute, .aggregate = A::sum}) ==
        (Matrix<double>(2, 2) << 3, 3, 0, 5).finished());
  CHECK(feature_scores(x, y, {.aggregate = A::max}) == (Matrix<double>(2, 2) << 9, 4, 16, 1).finished());
  CHECK(feature_scores(x, y, {.measure = absolute}) == (Matrix<double>(2, 2) << 2, 1, 2, 0.5).finished());
  CHECK_THROWS_AS(window_scores(x, y, {.aggregate = A::quantile, .quantile = 1.5}), Error);
  CHECK_THROWS_AS(window_scores(x, y, {.aggregate = A::quantile, .quantile = not_a_number}), Error);
  CHECK_THROWS_AS(window_scores(x, window_array(output, {.steps = 2, .features = 1})), Error);
}

TEST_CASE("scores: the means are those of errors.hpp, over many blocks of windows") {
  const auto a = noise(200 * 12, 1);
  const auto b = noise(200 * 12, 2);
  const auto p = window_array(a, {.steps = 4, .features = 3});
  const auto q = window_array(b, {.steps = 4, .features = 3});
  const auto scores = window_scores(p, q);
  const auto means = mean_squared_errors(p, q);
  for (std::size_t i = 0; i < 200; ++i) CHECK(scores[i] == Approx(means[i]).epsilon(1e-14));
  CHECK(step_scores(p, q).isApprox(mean_squared_errors_per_step(p, q), 1e-14));
  CHECK(feature_scores(p, q, {.measure = ErrorMeasure::absolute})
            .isApprox(mean_absolute_errors_per_feature(p, q), 1e-14));
}

TEST_CASE("scores: errors too large to square are infinite, never NaN") {
  const std::vector<double> large{1e300, 1e300, 1e300, 0};
  const std::vector<double> zero(4, 0.0);
  for (const auto aggregate : {Aggregate::mean, Aggregate::median, Aggregate::max, Aggregate::sum}) {
    CHECK(window_scores(window_array(large, shape), window_array(zero, shape), {.aggregate = aggregate})[0] ==
          infinity);
  }
  for (const double q : {0.5, 0.6, 0.99, 1.0}) {
    CHECK(window_scores(window_array(large, shape), window_array(zero, shape),
                        {.aggregate = Aggregate::quantile, .quantile = q})[0] == infinity);
  }
}

TEST_CASE("point scores: a sum or quantile over windows is refused") {
  const std::vector<double> errors{1, 2, 3};
  CHECK_THROWS_AS(point_scores(WindowGrid({.windows = 3, .length = 2}), errors, Aggregate::sum), Error);
  CHECK_THROWS_AS(point_scores(WindowGrid({.windows = 3, .length = 2}), errors, Aggregate::quantile), Error);
}

TEST_CASE("explain: parts sum to the score, shares to one") {
  const Explanation why = explain(x, y, 0);
  CHECK(why.score == 3.5);
  CHECK(why.observed == (Matrix<double>(2, 2) << 1, 1, 3, 1).finished());
  CHECK(why.expected == (Matrix<double>(2, 2) << 0, 3, 0, 1).finished());
  CHECK(why.parts == (Matrix<double>(2, 2) << 0.25, 1, 2.25, 0).finished());
  CHECK(why.step_shares(0) == Approx(5.0 / 14).epsilon(1e-14));
  CHECK(why.step_shares(1) == Approx(9.0 / 14).epsilon(1e-14));
  CHECK(why.feature_shares(0) == Approx(10.0 / 14).epsilon(1e-14));
  const auto largest = why.largest(2);
  REQUIRE(largest.size() == 2);
  CHECK(largest[0].step == 1);
  CHECK(largest[0].feature == 0);
  CHECK(largest[0].observed == 3);
  CHECK(largest[0].expected == 0);
  CHECK(largest[0].share == Approx(9.0 / 14).epsilon(1e-14));
  CHECK(largest[1].step == 0);
  CHECK(largest[1].feature == 1);
  CHECK(why.largest(100).size() == 4);
  CHECK(explain(x, y, 1, ErrorMeasure::absolute).score == 1.25);

  std::ostringstream text;
  text << why;
  CHECK(contains(text.str(), "window 0: score 3.5"));
  CHECK(contains(text.str(), "feature 0: 71.4 %"));
  CHECK(contains(text.str(), "step 1, feature 0: observed 3, expected 0 (64.3 %)"));

  const auto a = noise(30, 1);
  const auto b = noise(30, 2);
  const auto p = window_array(a, {.steps = 5, .features = 3});
  const auto q = window_array(b, {.steps = 5, .features = 3});
  for (Index window = 0; window < 2; ++window) {
    const Explanation one = explain(p, q, window);
    CHECK(one.parts.sum() == Approx(one.score).epsilon(1e-14));
    CHECK(one.score == Approx(mean_squared_errors(p, q)[static_cast<std::size_t>(window)]).epsilon(1e-14));
    CHECK(one.step_shares.sum() == Approx(1).epsilon(1e-14));
    CHECK(one.feature_shares.sum() == Approx(1).epsilon(1e-14));
  }
}

TEST_CASE("explain: a perfect reconstruction has no shares, a tiny error has") {
  const Explanation perfect = explain(x, x, 0);
  CHECK(perfect.score == 0);
  CHECK(perfect.step_shares.isZero(0));
  CHECK(perfect.feature_shares.isZero(0));
  CHECK(perfect.largest(1).front().share == 0);
  std::vector<double> close(4, 0.0);
  close[1] = 1e-160;
  const std::vector<double> zero(4, 0.0);
  const Explanation tiny = explain(window_array(close, shape), window_array(zero, shape), 0);
  CHECK(tiny.feature_shares(1) == 1);
  CHECK(tiny.largest(1).front().share == 1);
}

TEST_CASE("explain: wrong use") {
  CHECK(contains(error_of([] { return explain(x, y, 2); }), "a window from 0 to 1"));
  CHECK_THROWS_AS(explain(x, y, -1), Error);
  CHECK_THROWS_AS(explain(x, window_array(output, {.steps = 2, .features = 1}), 0), Error);
  const std::vector<double> bad{1, not_a_number, 3, 1, 1, 1, 5, 0};
  CHECK_THROWS_AS(explain(x, window_array(bad, shape), 0), Error);
  CHECK_NOTHROW(explain(x, window_array(bad, shape), 1));
  const std::vector<double> large{1e200, 0, 0, 0, 0, 0, 0, 0};
  CHECK(contains(error_of([&] { return explain(x, window_array(large, shape), 0); }), "overflow"));
}

TEST_CASE("Mahalanobis: two features, worked out by hand") {
  // Means 0, variances 2 and 1, covariance 1: the inverse is [1 -1; -1 2].
  Matrix<double> errors(4, 2);
  errors << 2, 1, -2, -1, 0, 1, 0, -1;
  Mahalanobis scorer;
  scorer.fit(errors);
  CHECK(scorer.covariance().isApprox((Matrix<double>(2, 2) << 2, 1, 1, 1).finished(), 1e-14));
  const Matrix<double> fresh = (Matrix<double>(3, 2) << 1, 0, 1, 2, 0, 0).finished();
  const auto scores = scorer.scores(fresh);
  CHECK(scores[0] == Approx(1).epsilon(1e-14));
  CHECK(scores[1] == Approx(5).epsilon(1e-14));  // 1 - 4 + 8
  CHECK(scores[2] == 0);
  const Matrix<double> parts = scorer.decompose(fresh);
  CHECK(parts(1, 0) == Approx(-1).epsilon(1e-14));  // may be negative
  CHECK(parts(1, 1) == Approx(6).epsilon(1e-14));
}

TEST_CASE("Mahalanobis: parts sum to the score, which no change of units changes") {
  const Matrix<double> errors = noise(300, 6, 1) * noise(6, 6, 2);
  const Matrix<double> fresh = noise(50, 6, 3);
  Mahalanobis scorer;
  scorer.fit(errors);
  const auto scores = scorer.scores(fresh);
  const Matrix<double> parts = scorer.decompose(fresh);
  Vector<double> units(6);
  units << 1e-6, 1e6, 1, 3, 1e-3, 100;
  Mahalanobis other;
  other.fit(errors * units.asDiagonal());
  const auto rescaled = other.scores(fresh * units.asDiagonal());
  double mean = 0;
  for (Index i = 0; i < 50; ++i) {
    const double score = scores[static_cast<std::size_t>(i)];
    CHECK(parts.row(i).sum() == Approx(score).epsilon(1e-10));
    CHECK(rescaled[static_cast<std::size_t>(i)] == Approx(score).epsilon(1e-9));
    CHECK(score >= 0);
  }
  // The mean over what it was fitted to is the number of features.
  for (const double score : scorer.scores(errors)) mean += score / 300;
  CHECK(mean == Approx(6).epsilon(1e-9));
}

TEST_CASE("Mahalanobis: a singular covariance is refused unless there is a ridge") {
  Matrix<double> errors = noise(40, 3, 5);
  errors.col(1).setConstant(0.3);
  CHECK(contains(error_of([&] { Mahalanobis().fit(errors); }), "no variance in feature 1"));
  errors.col(1) = 2 * errors.col(0) - errors.col(2);
  const std::string message = error_of([&] { Mahalanobis().fit(errors); });
  CHECK(contains(message, "singular"));
  CHECK(contains(message, "combinations of others"));
  for (const auto& options : {MahalanobisOptions{.ridge = 0.01}, MahalanobisOptions{.shrinkage = 0.1}}) {
    Mahalanobis scorer(options);
    scorer.fit(errors);
    for (const double score : scorer.scores(errors)) CHECK(std::isfinite(score));
  }
  CHECK(contains(error_of([] { Mahalanobis().fit(noise(3, 5, 1)); }),
                 "singular"));  // fewer points than features
  CHECK(contains(error_of([] { Mahalanobis({.shrinkage = 1}).fit(Matrix<double>::Zero(4, 2)); }),
                 "no variance"));
}

TEST_CASE("Mahalanobis: wrong use") {
  CHECK_THROWS_AS(Mahalanobis({.ridge = -1}), Error);
  CHECK_THROWS_AS(Mahalanobis({.shrinkage = 1.1}), Error);
  Mahalanobis scorer;
  CHECK(contains(error_of([&] { return scorer.scores(Matrix<double>::Zero(1, 2)); }), "fit()"));
  CHECK_THROWS_AS(scorer.fit(Matrix<double>::Zero(1, 2)), Error);
  scorer.fit(noise(20, 2, 1));
  CHECK(contains(error_of([&] { return scorer.scores(Matrix<double>::Zero(1, 3)); }), "2 features, got 3"));
  Matrix<double> bad = noise(20, 2, 1);
  bad(7, 1) = not_a_number;
  CHECK(contains(error_of([&] { scorer.fit(bad); }), "nan at row 7, feature 1"));
  CHECK(contains(error_of([&] { return scorer.scores(bad); }), "nan at row 7"));
  CHECK(scorer.is_fitted());
}

TEST_CASE("error vectors: of every step, and of points as the mean over windows") {
  CHECK(error_vectors(x, y, ErrorSign::signed_) ==
        (Matrix<double>(4, 2) << 1, -2, 3, 0, 0, 0, 4, -1).finished());
  CHECK(error_vectors(x, y) == (Matrix<double>(4, 2) << 1, 2, 3, 0, 0, 0, 4, 1).finished());
  // Windows one step apart: the middle point is in both.
  const WindowGrid grid({.windows = 2, .length = 2});
  CHECK(point_error_vectors(grid, x, y, ErrorSign::signed_) ==
        (Matrix<double>(3, 2) << 1, -2, 1.5, 0, 4, -1).finished());
  CHECK(point_error_vectors(grid, x, y) == (Matrix<double>(3, 2) << 1, 2, 1.5, 0, 4, 1).finished());
  CHECK_THROWS_AS(point_error_vectors(WindowGrid({.windows = 3, .length = 2}), x, y), Error);
  // A tail window scores the points that no other holds.
  const std::vector<double> three{1, 2, 3, 4, 5, 6};
  const std::vector<double> none(6, 0.0);
  CHECK(point_error_vectors(WindowGrid({.windows = 2, .length = 3, .stride = 2, .points = 4}),
                            window_array(three, {.steps = 3, .features = 1}),
                            window_array(none, {.steps = 3, .features = 1})) ==
        (Matrix<double>(4, 1) << 1, 2, 3, 6).finished());
}

TEST_CASE("compare_thresholds: one row for each rule") {
  std::vector<double> calibration;
  for (int i = 1; i <= 99; ++i) calibration.push_back(i);
  const std::vector<double> scores{1, 50, 97, 98, 99, 100, 1000};
  const ThresholdTable table = compare_thresholds(calibration, scores,
                                                  {threshold::conformal(0.05), threshold::max_factor(1),
                                                   threshold::manual(-1), threshold::conformal(0.001)});
  REQUIRE(table.rows.size() == 4);
  CHECK(table.rows[0].threshold == 95);
  CHECK(table.rows[0].flagged == 5);
  CHECK(table.rows[0].false_alarms_per_1000 == Approx(50));
  CHECK(table.rows[1].threshold == 99);
  CHECK(table.rows[1].flagged == 2);
  CHECK(table.rows[1].false_alarms_per_1000 == Approx(10));
  CHECK(table.rows[2].flagged == 7);
  CHECK(table.rows[2].false_alarms_per_1000 == 1000);
  CHECK_FALSE(table.rows[3].threshold.has_value());
  CHECK(contains(table.rows[3].refusal, "at least 999"));
  std::ostringstream text;
  text << table;
  CHECK(contains(text.str(), "conformal 0.05"));
  CHECK(contains(text.str(), "at least 999"));
  CHECK(contains(text.str(), "7 scores, 99 calibration scores"));
}

TEST_CASE("compare_thresholds: the false alarms expected are those that come") {
  RandomStream random(4, Purpose::other);
  const auto draw = [&](std::size_t count) {
    std::vector<double> values(count);
    for (double& value : values) value = -std::log(1 - random.uniform());
    return values;
  };
  const std::vector<double> calibration = draw(5000);
  const std::vector<double> normal = draw(200000);
  const ThresholdTable table = compare_thresholds(calibration, normal);
  CHECK(table.rows.size() == common_thresholds().size());
  for (const auto& row : table.rows) {
    CAPTURE(row.rule);
    REQUIRE(row.threshold.has_value());
    const double came = static_cast<double>(row.flagged) / 200;
    // Up to four deviations of a count of 5 x what is expected.
    CHECK(std::abs(came - row.false_alarms_per_1000) <=
          4 * std::sqrt(row.false_alarms_per_1000 / 5) + 0.5 * row.false_alarms_per_1000 / std::sqrt(5));
  }
  // Every rule with few and constant scores: refused or a number, nothing else.
  for (const auto& row : compare_thresholds(std::vector<double>(30, 0.5), normal).rows) {
    CHECK((row.threshold.has_value() ? std::isfinite(*row.threshold) : !row.refusal.empty()));
  }
}

TEST_CASE("Mahalanobis: p-values by the chi-squared distribution") {
  // With two degrees of freedom P(A > a) = exp(-a / 2), with four exp(-a / 2) (1 + a / 2).
  for (const double a : {0.0, 1e-6, 0.7, 30.0, 1400.0}) {
    CHECK(chi_square_tail(a, 2) == Approx(std::exp(-a / 2)).epsilon(1e-13));
    CHECK(chi_square_tail(a, 4) == Approx(std::exp(-a / 2) * (1 + a / 2)).epsilon(1e-13));
  }
  CHECK(chi_square_tail(std::numeric_limits<double>::infinity(), 3) == 0.0);
  CHECK(contains(error_of([] { return chi_square_tail(-1.0, 3); }), "x >= 0, got -1"));
  CHECK(contains(error_of([] { return chi_square_tail(1.0, 0); }), "degrees of freedom > 0"));

  Matrix<double> errors(4, 2);
  errors << 1, 0, -1, 0, 0, 2, 0, -2;
  Mahalanobis scorer;
  scorer.fit(errors);
  Matrix<double> fresh(2, 2);
  fresh << 3, 1, 0, 0;
  const auto scores = scorer.scores(fresh), p = scorer.p_values(fresh);
  CHECK(p[0] == Approx(std::exp(-scores[0] / 2)).epsilon(1e-13));
  CHECK(p[1] == 1.0);
}

TEST_CASE("chi-square tail: is 0 for huge values") {
  for (const double statistic : {1e31, 1e100, 1e108, 1e150, 1e300, 1.7e308}) {
    for (const Index m : {1, 2, 3, 8, 50, 1000}) {
      CAPTURE(statistic);
      CAPTURE(m);
      CHECK(chi_square_tail(statistic, m) == 0.0);
    }
  }
}

TEST_CASE("explain: in units of each feature's usual error the one that strayed comes first") {
  // Feature 0 is always wrong by about 1, feature 1 by about 0.01, and by 0.2 in the last window.
  const std::vector<double> two_scales{1, 0.01, -1, -0.01, 1, -0.01, -1, 0.01, 1, 0.2, -1, 0.2};
  const std::vector<double> zero(two_scales.size(), 0.0);
  const auto inputs = window_array(two_scales, shape), zeros = window_array(zero, shape);
  const auto normal_x = window_array(std::span<const double>(two_scales).first(8), shape);
  const auto normal_y = window_array(std::span<const double>(zero).first(8), shape);
  const std::vector<double> usual = usual_errors(normal_x, normal_y);
  CHECK(usual[0] == Approx(1));
  CHECK(usual[1] == Approx(1e-4));
  CHECK(explain(inputs, zeros, 2).feature_shares(0) > 0.9);
  const Explanation why = explain(inputs, zeros, 2, usual);
  CHECK(why.feature_shares(1) == Approx(400.0 / 401));
  CHECK(why.largest(1)[0].feature == 1);
  CHECK(why.score == Approx((1 + 400) / 2.0));
  CHECK(usual_errors(normal_x, normal_y, ErrorMeasure::absolute)[1] == Approx(0.01));
  // A feature that is always right counts with the smallest error of the others.
  const std::vector<double> first_feature{1, 0, 1, 0}, nothing(4, 0.0);
  CHECK(usual_errors(window_array(first_feature, shape), window_array(nothing, shape)) ==
        std::vector<double>{1, 1});
  CHECK_THROWS_AS(explain(inputs, zeros, 2, std::vector<double>{1}), Error);
  CHECK_THROWS_AS(explain(inputs, zeros, 2, std::vector<double>{1, 0}), Error);
}
