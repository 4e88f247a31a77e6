#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/baselines/baseline_report.hpp>
#include <reprise/baselines/nearest_window.hpp>
#include <reprise/baselines/pca.hpp>
#include <reprise/baselines/simple.hpp>
#include <reprise/core/random.hpp>
#include <reprise/scores/errors.hpp>
#include <reprise/scores/window_array.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "differences.hpp"
#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

/// A wave and noise, far from 0, so that what forgets a mean shows.
Matrix<double> series(Index steps, Index features, std::uint32_t key = 1) {
  RandomStream random(11, Purpose::other, key);
  Matrix<double> values(steps, features);
  for (Index i = 0; i < steps; ++i) {
    for (Index f = 0; f < features; ++f) {
      values(i, f) = 5.0 * static_cast<double>(f + 1) + std::sin(0.3 * static_cast<double>(i * (f + 1))) +
                     0.2 * random.normal();
    }
  }
  return values;
}

Windows windows_of(Index steps, Index features, const WindowOptions& options, std::uint32_t key = 1) {
  return sliding_windows(series(steps, features, key), options);
}

double mean(const std::vector<double>& values) { return detail::mean_of(values); }

/// Mean squared difference of two windows.
double distance(const Windows& a, Index i, const Windows& b, Index j) {
  double sum = 0;
  for (Index t = 0; t < a.length(); ++t) {
    for (Index f = 0; f < a.features(); ++f) sum += std::pow(a(i, t, f) - b(j, t, f), 2);
  }
  return sum / static_cast<double>(a.length() * a.features());
}

std::vector<double> nearest_by_definition(const Windows& train, const Windows& windows, std::size_t k,
                                          bool is_mean, bool overlaps = true) {
  std::vector<double> result;
  for (Index i = 0; i < windows.size(); ++i) {
    std::vector<double> all;
    for (Index j = 0; j < train.size(); ++j) {
      if (!overlaps && std::abs(train.start(j) - windows.start(i)) < train.length()) continue;
      all.push_back(distance(windows, i, train, j));
    }
    std::sort(all.begin(), all.end());
    all.resize(k);
    result.push_back(is_mean ? mean(all) : all.back());
  }
  return result;
}

void check_equal(const std::vector<double>& found, const std::vector<double>& expected, double tolerance) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(found[i] == Approx(expected[i]).epsilon(tolerance));
  }
}

}  // namespace

TEST_CASE("mean window baseline: the mean of each place in a window") {
  const Windows train = windows_of(700, 2, {.length = 5, .stride = 2});  // more than one block
  MeanWindowBaseline baseline;
  baseline.fit(train);
  const Windows other = windows_of(30, 2, {.length = 5}, 2);
  const auto y = baseline.reconstruct(other);
  REQUIRE(y.batch() == other.size());
  for (Index t = 0; t < 5; ++t) {
    for (Index f = 0; f < 2; ++f) {
      double sum = 0;
      for (Index w = 0; w < train.size(); ++w) sum += train(w, t, f);
      for (Index w = 0; w < other.size(); ++w) {
        CHECK(y(w, t, f) == Approx(sum / static_cast<double>(train.size())).epsilon(1e-13));
      }
    }
  }
}

TEST_CASE("persistence baseline: the value before, also of a window's first") {
  const Windows windows = sliding_windows(std::vector<double>{1, 4, 9, 16, 25}, {.length = 3});
  PersistenceBaseline baseline;
  baseline.fit(windows);
  const auto y = baseline.reconstruct(windows);
  const std::vector<std::vector<double>> expected{{1, 1, 4}, {1, 4, 9}, {4, 9, 16}};
  for (Index w = 0; w < 3; ++w) {
    for (Index t = 0; t < 3; ++t)
      CHECK(y(w, t, 0) == expected[static_cast<std::size_t>(w)][static_cast<std::size_t>(t)]);
  }
  // A block of windows sees the series before it.
  CHECK(baseline.reconstruct(windows.subset(1, 2))(0, 0, 0) == 1);
}

TEST_CASE(
    "pca baseline: windows in a plane are reconstructed as they are, by covariance and by Gram matrix") {
  // Sines of one period with any phase span two dimensions; with an offset the mean is needed too.
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(100 + std::sin(0.37 * i));
  for (const Index stride : {1, 30}) {  // 381 windows of 20 values, and 13
    const Windows windows = sliding_windows(values, {.length = 20, .stride = stride});
    PcaBaseline plane({.components = 2}), line({.components = 1});
    plane.fit(windows);
    line.fit(windows);
    CHECK(mean(mean_squared_errors(windows, plane.reconstruct(windows))) < 1e-20);
    CHECK(mean(mean_squared_errors(windows, line.reconstruct(windows))) > 0.1);
    CHECK(plane.explained_variance() == Approx(1.0));
    CHECK((plane.directions().transpose() * plane.directions()).isIdentity(1e-12));
  }
}

TEST_CASE("pca baseline: what is left over is the variance that is not explained") {
  for (const Index steps : {700, 60}) {  // covariance, Gram
    const Windows windows = windows_of(steps, 2, {.length = 12, .stride = steps == 60 ? 4 : 1});
    MeanWindowBaseline mean_window;
    mean_window.fit(windows);
    const double total = mean(mean_squared_errors(windows, mean_window.reconstruct(windows)));
    double last = total;
    for (const Index k : {1, 3, 7}) {
      PcaBaseline baseline({.components = k});
      baseline.fit(windows);
      const double left = mean(mean_squared_errors(windows, baseline.reconstruct(windows)));
      CHECK(left == Approx(total * (1 - baseline.explained_variance())).epsilon(1e-10));
      CHECK(left < 0.95 * last);
      last = left;
    }
  }
  // All components: nothing is left over, on windows never seen.
  PcaBaseline all({.components = 6});
  all.fit(windows_of(100, 2, {.length = 3}));
  const Windows other = windows_of(40, 2, {.length = 3}, 2);
  CHECK(mean(mean_squared_errors(other, all.reconstruct(other))) < 1e-24);
}

TEST_CASE("baselines: constant data") {
  for (const Index steps : {50, 12}) {
    const Windows windows =
        sliding_windows(std::vector<double>(static_cast<std::size_t>(steps), 0.1), {.length = 10});
    PcaBaseline pca({.components = 2});
    pca.fit(windows);
    for (const double error : mean_squared_errors(windows, pca.reconstruct(windows))) CHECK(error < 1e-30);
    CHECK(pca.explained_variance() >= 0.0);
    CHECK(pca.explained_variance() <= 1.0);
    NearestWindowBaseline nearest;
    nearest.fit(windows);
    for (const double score : nearest.scores(windows)) CHECK(score < 1e-30);
  }
}

TEST_CASE("nearest window baseline: as by definition") {
  // More than one block of either.
  const Windows train = windows_of(1200, 2, {.length = 6});
  const Windows windows = windows_of(1100, 2, {.length = 6, .stride = 2}, 2);
  for (const Index k : {1, 5}) {
    for (const bool is_mean : {false, true}) {
      NearestWindowBaseline baseline({.neighbours = k, .mean = is_mean});
      baseline.fit(train);
      check_equal(baseline.scores(windows),
                  nearest_by_definition(train, windows, static_cast<std::size_t>(k), is_mean), 1e-12);
    }
  }
}

TEST_CASE("nearest window baseline: the training series itself, with and without itself") {
  const Windows train = windows_of(300, 1, {.length = 8});
  NearestWindowBaseline baseline;
  baseline.fit(train);
  for (const double score : baseline.scores(train)) CHECK(score == 0.0);
  const auto scores = baseline.scores(train, Neighbours::without_overlap);
  check_equal(scores, nearest_by_definition(train, train, 1, false, false), 1e-12);
  CHECK(test::smallest(scores) > 0);
  // A part of the series, whose windows have other numbers.
  const auto part = baseline.scores(train.subset(100, 20), Neighbours::without_overlap);
  for (std::size_t i = 0; i < part.size(); ++i) CHECK(part[i] == Approx(scores[100 + i]).epsilon(1e-12));
}

TEST_CASE("nearest window baseline: small differences far from 0") {
  auto values = series(400, 1);
  values.array() += 1e6;
  const Windows train = sliding_windows(values.topRows(300), {.length = 8});
  const Windows windows = sliding_windows(values.bottomRows(100), {.length = 8});
  NearestWindowBaseline baseline;
  baseline.fit(train);
  check_equal(baseline.scores(windows), nearest_by_definition(train, windows, 1, false), 1e-8);
}

TEST_CASE("baselines: wrong use") {
  const Windows windows = windows_of(40, 2, {.length = 4});
  const Windows longer = windows_of(40, 2, {.length = 5});
  CHECK(contains(error_of([] { PcaBaseline({.components = 0}); }), "components > 0"));
  CHECK(contains(error_of([&] { PcaBaseline({.components = 9}).fit(windows); }), "as many values as"));
  CHECK(contains(error_of([&] { PcaBaseline({.components = 3}).fit(windows.subset(0, 3)); }),
                 "more windows than components, 3, got 3"));
  CHECK_NOTHROW(PcaBaseline({.components = 3}).fit(windows.subset(0, 4)));
  CHECK(contains(error_of([&] { return PcaBaseline().reconstruct(windows); }), "fit() before it"));
  CHECK(contains(error_of([&] { return MeanWindowBaseline().reconstruct(windows); }), "fit() before it"));
  CHECK(contains(error_of([&] { return NearestWindowBaseline().scores(windows); }), "fit() before it"));
  CHECK(contains(error_of([] { NearestWindowBaseline({.neighbours = 0}); }), "neighbours > 0"));
  CHECK(contains(error_of([&] { NearestWindowBaseline({.neighbours = 3}).fit(windows.subset(0, 2)); }),
                 "neighbours, 3, got 2"));
  PcaBaseline pca({.components = 2});
  MeanWindowBaseline mean_window;
  NearestWindowBaseline nearest({.neighbours = 2});
  pca.fit(windows);
  mean_window.fit(windows);
  nearest.fit(windows.subset(0, 6));
  CHECK(
      contains(error_of([&] { return pca.reconstruct(longer); }), "windows of 4 steps x 2 features, got 5"));
  CHECK(
      contains(error_of([&] { return mean_window.reconstruct(longer); }), "windows of 4 steps x 2 features"));
  CHECK(contains(error_of([&] { return nearest.scores(longer); }), "windows of 4 steps x 2 features"));
  CHECK(contains(error_of([&] { return nearest.scores(windows.subset(0, 3), Neighbours::without_overlap); }),
                 "that do not overlap window 1, got 1"));
  CHECK(contains(
      error_of([&] { return nearest.scores(windows_of(50, 2, {.length = 4}), Neighbours::without_overlap); }),
      "windows of the training series, of 40 steps"));
  CHECK(contains(
      error_of([] {
        NearestWindowBaseline().fit(sliding_windows(std::vector<double>{1e30, -1e30, 0}, {.length = 1}));
      }),
      "fit: expected values whose squares are floats"));
  CHECK(contains(
      error_of([&] {
        const Windows huge = sliding_windows(std::vector<double>{1e200, -1e200, 1e200, 0}, {.length = 1});
        PcaBaseline({.components = 1}).fit(huge);
      }),
      "an overflow"));
}

TEST_CASE("baseline report: rows, ratios and labels") {
  const MethodScores model{"network", {1, 3}, {1, 2, 9}};
  const auto table = baseline_report(model, {{"other", {2, 3}, {5, 2, 3}}}, {0, 0, 1});
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].error == 2);
  CHECK(table.rows[0].ratio == 1);
  CHECK(table.rows[0].roc_auc.value() == 1);
  CHECK(table.rows[1].ratio == 1.25);
  CHECK(table.rows[1].roc_auc.value() == 0.5);
  std::ostringstream out;
  out << table;
  CHECK(out.str() ==
        "method   normal error  of the model's   ROC-AUC\n"
        "network             2               1    1.0000\n"
        "other             2.5            1.25    0.5000\n"
        "2 held-out normal windows, 3 test windows\n");
  CHECK(contains(error_of([&] {
                   return baseline_report(model, {{"other", {2}, {5, 2, 3}}});
                 }),
                 "other: expected scores of the model's 2 held-out and 3 test windows, got 1 and 3"));
  CHECK(contains(error_of([&] { return baseline_report(model, {}, {0, 1}); }), "a label for each of 3"));
  CHECK(contains(error_of([] { return baseline_report({"network", {}, {}}, {}); }), "calibration score"));
  const auto perfect = baseline_report({"network", {0, 0}, {}}, {{"a", {0, 0}}, {"b", {0, 1}}});
  CHECK(perfect.rows[1].ratio == 1);
  CHECK(perfect.rows[2].ratio == std::numeric_limits<double>::infinity());
}

TEST_CASE("baseline report: every baseline of the room") {
  const auto parts = windows_of(400, 1, {.length = 10}).split(0.7);
  const Windows &train = parts.first, &held_out = parts.second;
  const Windows test = windows_of(60, 1, {.length = 10}, 3);
  std::vector<int> labels(static_cast<std::size_t>(test.size()));
  labels[5] = 1;
  MethodScores model{"network", std::vector<double>(static_cast<std::size_t>(held_out.size()), 0.5),
                     std::vector<double>(static_cast<std::size_t>(test.size()), 0.5)};
  const auto table = baseline_report(model, train, held_out, test, labels);
  REQUIRE(table.rows.size() == 5);
  PcaBaseline pca;
  pca.fit(train);
  CHECK(table.rows[3].method == "PCA of windows");
  CHECK(table.rows[3].error == mean(mean_squared_errors(held_out, pca.reconstruct(held_out))));
  CHECK(table.rows[4].method == "nearest window");
  CHECK(table.rows[4].ratio == Approx(mean(nearest_by_definition(train, held_out, 1, false)) / 0.5));
  for (const auto& row : table.rows) CHECK(row.roc_auc.has_value());

  const auto refused = baseline_report(model, train, held_out, test, {}, {.pca = {.components = 11}});
  CHECK(contains(refused.rows[3].refusal, "as many values as components"));
  CHECK(contains(error_of([&] { return baseline_report(model, train, held_out); }), "and 0 test windows"));
}
