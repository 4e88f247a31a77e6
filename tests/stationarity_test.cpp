#include <doctest/doctest.h>

#include <cmath>
#include <reprise/core/random.hpp>
#include <reprise/data/scalers.hpp>
#include <reprise/detection/recurrence.hpp>
#include <reprise/detection/stationarity.hpp>
#include <sstream>
#include <string>

#include "../benchmarks/detection/normal_series.hpp"
#include "errors.hpp"

namespace {

using namespace reprise;
using generator::Normal;
using test::contains;
using test::error_of;

Stationarity check(const Matrix<double>& values) {
  return check_stationarity(StandardScaler().fit(values).transform(values));
}
Matrix<double> take(Normal kind, Index rows, std::uint64_t seed) {
  generator::NormalSource source(kind, seed, 0, 30.0);
  Matrix<double> values(rows, 1);
  for (Index t = 0; t < rows; ++t) values(t, 0) = source.next();
  return values;
}

TEST_CASE("stationarity: kinds of series that are stationary, and that are not") {
  for (const Normal kind : generator::all_normal) {
    CAPTURE(generator::name_of(kind));
    int named = 0;
    for (std::uint64_t seed = 1; seed <= 25; ++seed) named += !check(take(kind, 2500, seed)).is_stationary();
    CAPTURE(named);
    // A drifting period it does not see; an autoregressive one of .99 remembers long.
    if (kind == Normal::autoregressive) {
      CHECK(named <= 10);
    } else if (generator::is_stationary(kind)) {
      CHECK(named <= 3);
    } else if (kind != Normal::drifting_period) {
      CHECK(named >= 22);
    }
  }
}

TEST_CASE("stationarity: level and spread, each of its feature") {
  Matrix<double> values(1200, 3);
  RandomStream random(5, Purpose::other);
  for (Index t = 0; t < 1200; ++t) {
    const double late = t < 600 ? 0.0 : 1.0;
    values(t, 0) = random.normal();
    values(t, 1) = random.normal() + late;
    values(t, 2) = (1.0 + late) * random.normal();
  }
  const Stationarity found = check(values);
  CHECK(found.other_level == std::vector<Index>{1});
  CHECK(found.other_spread == std::vector<Index>{2});
  CHECK_FALSE(found.remembers_long);
  CHECK_FALSE(found.is_stationary());
  std::ostringstream text;
  text << found;
  CHECK(contains(text.str(), "feature 1 has another level"));
  CHECK(contains(text.str(), "feature 2 varies more or less"));
  CHECK_FALSE(contains(text.str(), "feature 0"));
}

TEST_CASE("stationarity: where what is far away in time is less alike, the series changes as time goes on") {
  const auto far_error_of = [](Normal kind, std::uint64_t seed) {
    const Matrix<double> values = take(kind, 1000, seed);
    return far_error(StandardScaler().fit(values).transform(values), 10);
  };
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    for (const Normal kind :
         {Normal::seasonal, Normal::counts, Normal::arch, Normal::heavy_tails, Normal::bursts}) {
      CAPTURE(generator::name_of(kind));
      CHECK(far_error_of(kind, seed) < Stationarity::most_far_error);
      CHECK(far_error_of(kind, seed) >= 1.0);
    }
    CHECK(far_error_of(Normal::trend, seed) > Stationarity::most_far_error);
  }
  Stationarity found;
  found.far_error = 1.7;
  CHECK_FALSE(found.is_stationary());
  std::ostringstream text;
  text << found;
  CHECK(contains(text.str(), "errors are 1.7 times as large"));
  // By definition, on windows of 24: a quarter of 100 rows is 25 away.
  Matrix<double> ramp(100, 1);
  for (Index t = 0; t < 100; ++t) ramp(t, 0) = 0.1 * static_cast<double>(t);
  CHECK(far_error(ramp, 0) == doctest::Approx(625.01 / 576.01).epsilon(1e-3));
  CHECK(far_error(ramp, 1) == 1.0);
  CHECK(far_error(Matrix<double>::Constant(200, 1, 0.0), 5) == 1.0);
}

TEST_CASE("stationarity: a constant series is, and too short a one is refused") {
  CHECK(check(Matrix<double>::Constant(100, 2, 5.0)).is_stationary());
  CHECK(contains(error_of([] { return check_stationarity(Matrix<double>::Zero(23, 1)); }),
                 "at least 24 time steps, got 23"));
}

}  // namespace
