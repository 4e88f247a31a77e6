#include <doctest/doctest.h>

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
