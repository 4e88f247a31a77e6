#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <reprise/core/windows.hpp>
#include <reprise/data/scalers.hpp>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

}  // namespace

TEST_CASE("scalers: standard scores, worked out with Python's statistics module") {
  // fmean and pstdev of the integers
  const std::vector<int> series{3, 1, 4, 1, 5, 9, 2, 6};
  const double expected[] = {-0.3403516468284206, -1.118298268150525, 0.048621663832631515,
                             -1.118298268150525,  0.4375949744936836, 1.9934882171378923,
                             -0.7293249574894728, 0.8265682851547358};
  StandardScaler scaler;
  const std::vector<double> scaled = scaler.fit(series).transform(series);
  CHECK(scaler.means()[0] == Approx(3.875).epsilon(1e-14));
  CHECK(scaler.standard_deviations()[0] == Approx(2.5708704751503917).epsilon(1e-14));
  REQUIRE(scaled.size() == 8);
  for (std::size_t i = 0; i < 8; ++i) CHECK(scaled[i] == Approx(expected[i]).epsilon(1e-14));
  const std::vector<double> back = scaler.inverse_transform(scaled);
  for (std::size_t i = 0; i < 8; ++i) CHECK(back[i] == Approx(series[i]).epsilon(1e-14));
}

TEST_CASE("scalers: to a range, and beyond it what was not fitted") {
  MinMaxScaler scaler({.low = -1, .high = 1});
  scaler.fit(std::vector<double>{2, 10, 4});
  CHECK(scaler.transform(std::vector<double>{2, 10, 6, 14, -2}) == std::vector<double>{-1, 1, 0, 2, -2});
  CHECK(scaler.inverse_transform(std::vector<double>{-1, 1, 0, 2, -2}) ==
        std::vector<double>{2, 10, 6, 14, -2});
  CHECK(MinMaxScaler().fit(std::vector<double>{2, 10, 4}).transform(std::vector<int>{2, 10, 4}) ==
        std::vector<double>{0, 1, 0.25});
  CHECK_THROWS_AS(MinMaxScaler({.low = 1, .high = 1}), Error);
}

TEST_CASE("scalers: each feature on its own") {
  Matrix<double> series(4, 2);
  series << 0, 100, 2, 300, 4, 100, 6, 300;
  StandardScaler standard;
  const Matrix<double> scaled = standard.fit(series).transform(series);
  CHECK(standard.features() == 2);
  CHECK(standard.means()[0] == 3);
  CHECK(standard.means()[1] == 200);
  CHECK(scaled(0, 1) == -1);
  CHECK(scaled(1, 1) == 1);
  CHECK(scaled(3, 0) == Approx(3 / std::sqrt(5.0)));
  CHECK(standard.inverse_transform(scaled).isApprox(series, 1e-14));

  const Matrix<double> ranged = MinMaxScaler().fit(series).transform(series);
  CHECK(ranged(1, 0) == Approx(1.0 / 3));
  CHECK(ranged(1, 1) == 1);

  // Row-major and float in, float out.
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = series.cast<float>();
  const Matrix<float> from_rows = standard.transform(rows);
  CHECK(from_rows.isApprox(scaled.cast<float>(), 1e-6f));
}

TEST_CASE("scalers: a constant feature becomes constant and inverts to exactly itself") {
  // The sum of ten times 0.1 is not 1: a mean worked out from it would not be 0.1.
  const std::vector<double> constant(10, 0.1);
  StandardScaler standard;
  CHECK(standard.fit(constant).transform(constant) == std::vector<double>(10, 0.0));
  CHECK(standard.inverse_transform(std::vector<double>(10, 0.0)) == constant);
  CHECK(standard.standard_deviations()[0] == 0.1);
  MinMaxScaler ranged({.low = -1, .high = 1});
  CHECK(ranged.fit(constant).transform(constant) == std::vector<double>(10, -1.0));
  CHECK(ranged.inverse_transform(std::vector<double>(10, -1.0)) == constant);
  CHECK(standard.fit(std::vector<float>{0.1f, 0.1f}).inverse_transform(std::vector<float>{0.0f})[0] == 0.1f);
  // Another value still shows.
  CHECK(standard.fit(constant).transform(std::vector<double>{1.1})[0] == Approx(10));
}

TEST_CASE("scalers: a change of a constant feature counts the same in every unit") {
  for (const double unit : {3.0, 3e-6, -3e6}) {
    CAPTURE(unit);
    const std::vector<double> constant(20, unit), doubled{2 * unit};
    CHECK(StandardScaler().fit(constant).transform(doubled)[0] == Approx(unit > 0 ? 1 : -1));
    CHECK(MinMaxScaler().fit(constant).transform(doubled)[0] == Approx(unit > 0 ? 1 : -1));
    CHECK(RobustScaler().fit(constant).transform(doubled)[0] == Approx(unit > 0 ? 1 : -1));
  }
  const std::vector<double> zeros(20, 0.0), two{2.0};
  CHECK(StandardScaler().fit(zeros).transform(two)[0] == 2);
  CHECK(StandardScaler({.zero_scale = 4}).fit(zeros).transform(two)[0] == 0.5);
  CHECK(MinMaxScaler({.zero_scale = 4}).fit(zeros).transform(two)[0] == 0.5);
  CHECK(RobustScaler({.zero_scale = 4}).fit(zeros).transform(two)[0] == 0.5);
  CHECK_THROWS_AS(StandardScaler({.zero_scale = 0}), Error);
}

TEST_CASE("scalers: a feature that is constant but for rounding is constant") {
  std::vector<double> rounded, neighbours;
  std::vector<float> neighbours_in_float;
  for (int i = 0; i < 300; ++i) {
    rounded.push_back(i % 2 == 0 ? 0.3 : 0.1 * 3);
    neighbours.push_back(std::nextafter(23.1, i % 2 == 0 ? 0.0 : 100.0));
    neighbours_in_float.push_back(std::nextafter(23.1F, i % 2 == 0 ? 0.0F : 100.0F));
  }
  REQUIRE(rounded[0] != rounded[1]);
  const auto check = [](const auto& series, double probe) {
    StandardScaler standard;
    MinMaxScaler ranged;
    RobustScaler robust;
    const std::vector<double> other{probe};
    CHECK(std::abs(standard.fit(series).transform(other)[0]) < 0.1);
    CHECK(std::abs(ranged.fit(series).transform(other)[0]) < 0.1);
    CHECK(std::abs(robust.fit(series).transform(other)[0]) < 0.1);
    CHECK(standard.report().constant_features == std::vector<Index>{0});
    CHECK(standard.report().zero_features.empty());
  };
  check(rounded, 0.31);
  check(neighbours, 23.5);
  check(neighbours_in_float, 23.5);
  // Small beside the mean, but no rounding.
  std::vector<double> small;
  for (int i = 0; i < 300; ++i) small.push_back(1.0 + 1e-12 * (i % 2));
  CHECK(StandardScaler().fit(small).transform(small)[1] == Approx(1).epsilon(1e-3));
}

TEST_CASE("scalers: the robust one goes by the middle of the values") {
  // NumPy: median 4, quartiles 2 and 6
  std::vector<double> series{3, 1, 4, 1, 5, 9, 2, 6, 1e12};
  RobustScaler scaler;
  scaler.fit(series);
  CHECK(scaler.medians()[0] == 4);
  CHECK(scaler.ranges()[0] == 4);
  CHECK(scaler.transform(series)[5] == 1.25);
  CHECK(scaler.inverse_transform(std::vector<double>{1.25})[0] == 9);
  // sklearn's unit_variance: the range of a normal distribution between its quartiles is 1.349 deviations.
  CHECK(RobustScaler({.unit_variance = true}).fit(series).ranges()[0] == Approx(4 / 1.3489795003921634));
  CHECK(RobustScaler({.low = 0.0, .high = 1.0}).fit(series).ranges()[0] == 1e12 - 1);
  // Where most values are the same, wider quantiles are taken.
  std::vector<double> rare(100, 5.0);
  rare[7] = 6.0;
  const double range = RobustScaler().fit(rare).ranges()[0];
  CHECK(range > 0.0);
  CHECK(range <= 1.0);
  CHECK_THROWS_AS(RobustScaler({.low = 0.5, .high = 0.5}), Error);
}

TEST_CASE("scalers: the robust one divides neither by rounding nor by a fault code") {
  std::vector<double> rounded, constant(1499, 5.0), still(1499, 0.0);
  for (int i = 0; i < 1500; ++i) rounded.push_back(i % 2 == 0 ? 0.3 : 0.1 * 3);
  REQUIRE(rounded[0] != rounded[1]);
  std::vector<float> neighbours(rounded.begin(), rounded.end());
  for (std::size_t i = 1; i < neighbours.size(); i += 2) neighbours[i] = std::nextafter(0.3f, 1.0f);
  rounded[700] = -9999.0;
  neighbours[700] = -9999.0f;
  constant.push_back(-9999.0);
  still.push_back(2.0);
  const auto check = [](const auto& series, double expected, Index suspects) {
    RobustScaler scaler;
    scaler.fit(series);
    CHECK(scaler.ranges()[0] == Approx(expected));
    CHECK(scaler.report().suspect_values == suspects);
  };
  check(rounded, 0.3, 1);
  check(neighbours, 0.3, 1);
  check(constant, 5.0, 1);
  RobustScaler scaler;
  CHECK(scaler.fit(still).ranges()[0] > 0.0);  // of zeros no scale can be told, and none of what differs
  CHECK(scaler.report().suspect_values == 0);
  CHECK_THROWS_AS(RobustScaler({.low = 0.0, .high = 5e-5, .unit_variance = true}), Error);
  CHECK_THROWS_AS(RobustScaler({.low = 0.99995, .high = 1.0, .unit_variance = true}), Error);
}

TEST_CASE("scalers: what was strange about a series is reported") {
  Matrix<double> series(200, 3);
  for (Index t = 0; t < 200; ++t) series.row(t) << std::sin(0.3 * static_cast<double>(t)), 0.0, 7.0;
  series(30, 0) = -9999.0;
  series(120, 0) = 65535.0;
  StandardScaler scaler;
  const SeriesReport& report = scaler.fit(series).report();
  CHECK(report.constant_features == std::vector<Index>{1, 2});
  CHECK(report.zero_features == std::vector<Index>{1});
  CHECK(report.suspect_values == 2);
  REQUIRE(report.suspects.size() == 2);
  CHECK(report.suspects[1].step == 120);
  CHECK(report.suspects[1].feature == 0);
  CHECK(report.suspects[1].value == 65535.0);
  std::ostringstream text;
  text << report;
  CHECK(contains(text.str(), "feature 1 is 0 throughout"));
  CHECK(contains(text.str(), "feature 2 is constant"));
  CHECK(contains(text.str(), "-9999 at step 30, feature 0"));
  scaler.fit(std::vector<double>{1, 2, 3, 4});
  CHECK(scaler.report().is_empty());
}

TEST_CASE("scalers: a row vector is one series") {
  Eigen::RowVectorXd row(4);
  row << 1, 3, 1, 3;
  StandardScaler scaler;
  const Matrix<double> scaled = scaler.fit(row).transform(row);
  CHECK(scaler.features() == 1);
  CHECK(scaled.rows() == 1);
  CHECK(scaled.cols() == 4);
  CHECK(scaled(0, 1) == 1);
  CHECK(scaler.inverse_transform(scaled.row(0)) == row);
  // One step of several features is a row of a matrix, and stays one.
  Matrix<double> series(4, 2);
  series << 0, 100, 2, 300, 4, 100, 6, 300;
  scaler.fit(series);
  CHECK(scaler.transform(series.row(1))(0, 1) == 1);
  CHECK(sliding_windows(row, {.length = 3}).size() == 2);
}

TEST_CASE("scalers: arrays and vectors of vectors are series") {
  const std::array<float, 3> array{1, 2, 3};
  const double plain[] = {1, 2, 3};
  CHECK(StandardScaler().fit(array).means()[0] == 2);
  CHECK(StandardScaler().fit(plain).means()[0] == 2);
  CHECK(sliding_windows(plain, {.length = 2})(1, 1, 0) == 3);
  CHECK(sliding_windows(std::span<const float>(array), {.length = 2})(1, 1, 0) == 3);
  const std::vector<std::vector<double>> rows{{0, 100}, {2, 300}, {4, 100}};
  StandardScaler scaler;
  CHECK(scaler.fit(rows).transform(rows)[1][0] == 0);
  CHECK(sliding_windows(rows, {.length = 2})(1, 1, 1) == 100);
  CHECK(contains(error_of([] {
                   StandardScaler().fit(std::vector<std::vector<double>>{{1, 2}, {1}});
                 }),
                 "got 1 at step 1"));
}

TEST_CASE("scalers: float stays float and is computed in double") {
  // The mean of the three in float is 16777216; in double it is 16777217.33.
  const std::vector<float> series{16777216.0f, 16777216.0f, 16777220.0f};
  StandardScaler scaler;
  const std::vector<float> scaled = scaler.fit(series).transform(series);
  CHECK(scaler.means()[0] == Approx(16777217.3333333333).epsilon(1e-15));
  CHECK(scaled[2] == Approx(1.41421356).epsilon(1e-6));
  CHECK(scaler.transform(std::span<const float>(series)) == scaled);
}

TEST_CASE("scalers: values of any size") {
  for (const double size : {1e-200, 1.0, 1e200, 1e307}) {
    CAPTURE(size);
    const std::vector<double> series{size, 3 * size, size, 3 * size};
    StandardScaler scaler;
    const auto scaled = scaler.fit(series).transform(series);
    CHECK(scaled[0] == Approx(-1));
    CHECK(scaled[1] == Approx(1));
    CHECK(scaler.inverse_transform(scaled)[1] == Approx(3 * size));
  }
  CHECK(contains(error_of([] {
                   StandardScaler().fit(std::vector<double>{-1.7e308, 1.7e308});
                 }),
                 "feature 0"));
}

TEST_CASE("scalers: wrong use") {
  StandardScaler scaler;
  CHECK(contains(error_of([&] { return scaler.transform(std::vector<double>{1}); }),
                 "StandardScaler: transform"));
  CHECK_THROWS_AS(scaler.inverse_transform(std::vector<double>{1}), Error);
  CHECK_THROWS_AS(scaler.fit(std::vector<double>{}), Error);
  CHECK_THROWS_AS(scaler.fit(Matrix<double>(0, 3)), Error);
  CHECK_THROWS_AS(scaler.fit(Matrix<double>(3, 0)), Error);
  CHECK_FALSE(scaler.is_fitted());

  scaler.fit(std::vector<double>{1, 3});
  Matrix<float> bad = Matrix<float>::Zero(4, 3);
  bad(2, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(error_of([&] { scaler.fit(bad); }), "step 2, feature 1"));
  CHECK(scaler.features() == 1);  // as it was
  CHECK(scaler.means()[0] == 2);
  CHECK(contains(error_of([&] { return scaler.transform(Matrix<float>::Zero(4, 3)); }), "1 features, got 3"));
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(contains(error_of([&] {
                   return scaler.transform(std::vector<double>{1, 1, infinity});
                 }),
                 "inf at step 2"));
  CHECK(contains(error_of([&] {
                   return scaler.inverse_transform(std::vector<double>{1, infinity});
                 }),
                 "step 1"));
  scaler.fit(Matrix<double>::Random(5, 3));
  CHECK_THROWS_AS(scaler.transform(std::vector<double>{1}), Error);
}

TEST_CASE("scalers: made from numbers") {
  const std::vector<double> series{1.0, 2.0, 4.0, 9.0};
  const auto standard = reprise::StandardScaler::from_moments({4.0}, {2.0});
  CHECK(standard.transform(series) == std::vector<double>{-1.5, -1.0, 0.0, 2.5});
  const auto range = reprise::MinMaxScaler::from_ranges({1.0}, {4.0}, {.low = -1.0, .high = 1.0});
  CHECK(range.transform(series) == std::vector<double>{-1.0, -0.5, 0.5, 3.0});
  reprise::StandardScaler fitted;
  fitted.fit(series);
  CHECK(
      reprise::StandardScaler::from_moments(fitted.means(), fitted.standard_deviations()).transform(series) ==
      fitted.transform(series));
  CHECK(reprise::StandardScaler::from_moments({1, 2, 3}, {1, 1, 1}).features() == 3);
  const auto robust = reprise::RobustScaler::from_ranges({1.0}, {4.0});
  CHECK(robust.transform(series) == std::vector<double>{0.0, 0.25, 0.75, 2.0});
  const auto refused = [](const std::vector<double>& a, const std::vector<double>& b) {
    CHECK_THROWS_AS(reprise::RobustScaler::from_ranges(a, b), reprise::Error);
    CHECK_THROWS_AS(reprise::StandardScaler::from_moments(a, b), reprise::Error);
    CHECK_THROWS_AS(reprise::MinMaxScaler::from_ranges(a, b), reprise::Error);
  };
  refused({}, {});
  refused({1}, {1, 2});
  refused({1}, {0});
  refused({1}, {-1});
  refused({1}, {std::numeric_limits<double>::infinity()});
  refused({std::numeric_limits<double>::quiet_NaN()}, {1});
}
