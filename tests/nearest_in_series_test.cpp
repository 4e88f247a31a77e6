#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <reprise/baselines/nearest_window.hpp>
#include <reprise/core/random.hpp>
#include <reprise/detection/nearest_in_series.hpp>
#include <vector>

#include "differences.hpp"
#include "errors.hpp"

namespace {

using namespace reprise;
using test::contains;
using test::error_of;

/// A wave on a level that wanders, so that the views differ.
Matrix<double> series(Index steps, Index features, std::uint32_t key) {
  RandomStream random(17, Purpose::other, key);
  Matrix<double> values(steps, features);
  for (Index f = 0; f < features; ++f) {
    double level = 3.0;
    for (Index t = 0; t < steps; ++t) {
      level += 0.05 * random.normal();
      values(t, f) = level + std::sin(0.3 * static_cast<double>(t * (f + 1))) + 0.2 * random.normal();
    }
  }
  return values;
}

double distance(const Matrix<double>& x, Index i, const Matrix<double>& y, Index j, Index length, View view) {
  double sum = 0.0;
  for (Index f = 0; f < x.cols(); ++f) {
    Vector<double> a = x.col(f).segment(i, length), b = y.col(f).segment(j, length);
    if (view == View::mean_removed) {
      a.array() -= a.mean();
      b.array() -= b.mean();
    }
    sum += (a - b).squaredNorm();
  }
  return sum / static_cast<double>(length * x.cols());
}

Vector<double> by_definition(const Matrix<double>& x, const Matrix<double>& y, Index length, View view,
                             Index zone) {
  Vector<double> nearest(x.rows() - length + 1);
  for (Index i = 0; i < nearest.size(); ++i) {
    nearest(i) = std::numeric_limits<double>::infinity();
    for (Index j = 0; j + length <= y.rows(); ++j) {
      if (zone > 0 && std::abs(i - j) < zone) continue;
      nearest(i) = test::smaller(nearest(i), distance(x, i, y, j, length, view));
    }
  }
  return nearest;
}

Vector<double> vector_of(const std::vector<double>& values) {
  return Eigen::Map<const Vector<double>>(values.data(), static_cast<Index>(values.size()));
}

TEST_CASE("nearest in series: as by definition, in both views, of one feature and of three") {
  for (const Index features : {1, 3}) {
    const auto train = series(150, features, 1), other = series(1200, features, 2);  // more than one chunk
    for (const Index length : {1, 7, 24}) {
      CAPTURE(length);
      const WindowErrors errors = NearestInSeries(train, length).errors(other);
      for (const View view : {View::raw, View::mean_removed}) {
        CAPTURE(to_string(view));
        const auto expected = by_definition(other, train, length, view, 0);
        CHECK(test::largest_difference(vector_of(errors.of(view)), expected) < 1e-12);
      }
    }
  }
}

TEST_CASE("nearest in series: a series against itself, outside the zone of each window") {
  const auto train = series(300, 2, 1);
  for (const Index zone : {1, 9, 30}) {
    CAPTURE(zone);
    const WindowErrors errors = NearestInSeries(train, 20).held_out_errors(zone);
    for (const View view : {View::raw, View::mean_removed}) {
      const auto expected = by_definition(train, train, 20, view, zone);
      CHECK(test::largest_difference(vector_of(errors.of(view)), expected) < 1e-12);
      CHECK(test::smallest(expected) > 1e-3);
    }
  }
  // Windows are found where they stand.
  CHECK(test::largest(NearestInSeries(train, 20).errors(train).raw) < 1e-12);
}

TEST_CASE("nearest in series: the exclusion zone is the baseline's, at its width") {
  const auto train = series(200, 1, 1);
  const Windows windows = sliding_windows(train, {.length = 12});
  NearestWindowBaseline baseline;
  baseline.fit(windows);
  const auto expected = baseline.scores(windows, Neighbours::without_overlap);
  const auto errors = NearestInSeries(train, 12).held_out_errors(12);
  CHECK(test::largest_difference(vector_of(errors.raw), vector_of(expected)) < 1e-12);
}

TEST_CASE("nearest in series: the same bits whatever follows, and for any number of threads") {
  const auto train = series(120, 2, 1), other = series(3000, 2, 2);
  const NearestInSeries nearest(train, 16);
  const WindowErrors whole = nearest.errors(other);
  for (const int threads : {2, 5}) {
    CHECK(nearest.errors(other, threads).raw == whole.raw);
    CHECK(nearest.errors(other, threads).mean_removed == whole.mean_removed);
  }
  for (const Index rows : {16, 777, 1039, 1040, 2500}) {
    CAPTURE(rows);
    const WindowErrors start = nearest.errors(other.topRows(rows));
    REQUIRE(static_cast<Index>(start.raw.size()) == rows - 15);
    const auto same = static_cast<std::ptrdiff_t>(start.raw.size());
    CHECK(std::vector<double>(whole.raw.begin(), whole.raw.begin() + same) == start.raw);
    CHECK(std::vector<double>(whole.mean_removed.begin(), whole.mean_removed.begin() + same) ==
          start.mean_removed);
  }
}

TEST_CASE("nearest in series: a huge value that has passed leaves no rounding behind") {
  const auto train = series(100, 1, 1);
  Matrix<double> other = series(400, 1, 2);
  const auto before = vector_of(NearestInSeries(train, 10).errors(other).mean_removed);
  other(50, 0) = 1e4;
  const auto after = vector_of(NearestInSeries(train, 10).errors(other).mean_removed);
  CHECK(test::largest_difference(before.tail(300), after.tail(300)) < 1e-7);
  CHECK(after(45) > 1e5);
}

TEST_CASE("nearest in series: refused") {
  const auto train = series(99, 2, 1);
  CHECK(contains(error_of([&] { NearestInSeries(train, 0); }), "length > 0"));
  CHECK(contains(error_of([&] { NearestInSeries(train, 100); }), "at least 100 time steps, got 99"));
  const NearestInSeries nearest(train, 20);
  CHECK(contains(error_of([&] { nearest.errors(series(19, 2, 2)); }), "at least 20 time steps, got 19"));
  CHECK(contains(error_of([&] { nearest.errors(series(50, 1, 2)); }), "2 features, got 1"));
  CHECK(contains(error_of([&] { nearest.held_out_errors(0); }), "zone > 0"));
  CHECK(contains(error_of([&] { nearest.held_out_errors(41); }), "at least 101 time steps"));
  CHECK(nearest.held_out_errors(40).raw.size() == 80);
  for (const double error : nearest.held_out_errors(40).raw) CHECK(std::isfinite(error));
}

}  // namespace
