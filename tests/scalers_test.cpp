#include <doctest/doctest.h>

#include <limits>
#include <reprise/data/scalers.hpp>
#include <span>
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
  CHECK(standard.standard_deviations()[0] == 1);
  MinMaxScaler ranged({.low = -1, .high = 1});
  CHECK(ranged.fit(constant).transform(constant) == std::vector<double>(10, -1.0));
  CHECK(ranged.inverse_transform(std::vector<double>(10, -1.0)) == constant);
  CHECK(standard.fit(std::vector<float>{0.1f, 0.1f}).inverse_transform(std::vector<float>{0.0f})[0] == 0.1f);
  // Another value still shows.
  CHECK(standard.fit(constant).transform(std::vector<double>{1.1})[0] == Approx(1));
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
  CHECK(contains(error_of([&] { scaler.transform(std::vector<double>{1}); }), "StandardScaler: transform"));
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
  CHECK(contains(error_of([&] { scaler.transform(Matrix<float>::Zero(4, 3)); }), "1 features, got 3"));
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(contains(error_of([&] { scaler.transform(std::vector<double>{1, 1, infinity}); }), "inf at step 2"));
  CHECK(contains(error_of([&] { scaler.inverse_transform(std::vector<double>{1, infinity}); }), "step 1"));
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
  const auto refused = [](const std::vector<double>& a, const std::vector<double>& b) {
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
