#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <reprise/core/random.hpp>
#include <reprise/detection/detector.hpp>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "differences.hpp"
#include "errors.hpp"
#include "waves.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

constexpr test::Waves waves{.seed = 33};
/// About as a scaler leaves them.
Matrix<double> scaled_waves(Index rows, Index features, std::uint32_t key = 1) {
  return (0.1 * (waves(rows, features, key).array() - 100.0)).matrix();
}
/// Of so few units and updates that all of this takes no time.
constexpr NetworkInSeriesOptions small{
    .steps = 5, .units = 6, .code = 3, .updates = 6, .batch_size = 16, .most_states = 40};

std::vector<Index> all_starts(const Matrix<double>& series, Index length, Index stride = 1) {
  std::vector<Index> starts;
  for (Index start = 0; start + length <= series.rows(); start += stride) starts.push_back(start);
  return starts;
}
Matrix<double> noise(Index rows, std::uint64_t seed) {
  RandomStream random(seed, Purpose::other, 5);
  Matrix<double> values(rows, 1);
  for (Index t = 0; t < rows; ++t) values(t, 0) = random.normal();
  return values;
}
TEST_CASE("network in series: both errors are by definition what they are called") {
  constexpr Index length = 12, patch = 3;
  const Matrix<double> training = scaled_waves(150, 2), series = scaled_waves(90, 2, 2);
  for (const View view : {View::raw, View::mean_removed}) {
    CAPTURE(to_string(view));
    const std::vector<Index> known = all_starts(training, length), starts = all_starts(series, length, 2);
    const NetworkInSeries judge(training, known, length, view, small);
    CHECK(judge.patch() == patch);
    const NetworkErrors errors = judge.errors(series, starts);
    REQUIRE(errors.reconstruction.size() == starts.size());

    const Autoencoder<float>& network = judge.network();
    const auto window_of = [&](const Matrix<double>& from, Index start) {
      Sequences<float> window({.samples = 1, .steps = 4, .features = 6});
      for (Index f = 0; f < 2; ++f) {
        double mean = 0.0;
        for (Index t = 0; t < length; ++t) mean += from(start + t, f) / length;
        for (Index t = 0; t < length; ++t) {
          window.view().step_data(t / patch)[(t % patch) * 2 + f] =
              static_cast<float>(from(start + t, f) - (view == View::raw ? 0.0 : mean));
        }
      }
      return window;
    };
    const auto states_of = [&](const Matrix<double>& from, Index start) {
      const Sequences<float> window = window_of(from, start);
      Sequences<float> first({.samples = 1, .steps = 4, .features = small.units});
      SequentialScratch<float> scratch;
      network.network().infer(network.weights().data(), window.view(), first.view(), 0, 1, scratch);
      const Sequences<float> code = network.encode(window);
      std::vector<double> states;
      for (Index u = 0; u < small.units; ++u)
        states.push_back(static_cast<double>(first.view().step_data(3)[u]));
      for (Index u = 0; u < small.code; ++u)
        states.push_back(static_cast<double>(code.view().step_data(0)[u]));
      return states;
    };
    // Of 139 training windows 40 are kept.
    std::vector<std::vector<double>> bank;
    for (std::size_t k = 0; k < 40; ++k) bank.push_back(states_of(training, known[k * known.size() / 40]));
    std::vector<double> means(9, 0.0), deviations(9, 0.0);
    for (std::size_t u = 0; u < 9; ++u) {
      for (const auto& states : bank) means[u] += states[u] / 40.0;
      for (const auto& states : bank) deviations[u] += (states[u] - means[u]) * (states[u] - means[u]) / 40.0;
      deviations[u] = std::sqrt(deviations[u]);
    }
    for (std::size_t w = 0; w < starts.size(); ++w) {
      CAPTURE(w);
      const Sequences<float> window = window_of(series, starts[w]), made = network.reconstruct(window);
      double error = 0.0;
      for (Index step = 0; step < 4; ++step) {
        for (Index k = 0; k < 6; ++k) {
          const auto between = static_cast<double>(window.view().step_data(step)[k]) -
                               static_cast<double>(made.view().step_data(step)[k]);
          error += between * between / 24.0;
        }
      }
      CHECK(errors.reconstruction[w] == Approx(error).epsilon(1e-4));
      double nearest = 1e9;
      const auto states = states_of(series, starts[w]);
      for (const auto& other : bank) {
        double sum = 0.0;
        for (std::size_t u = 0; u < 9; ++u) {
          const double between = (states[u] - other[u]) / deviations[u];
          sum += between * between / 9.0;
        }
        nearest = test::smaller(nearest, sum);
      }
      CHECK(errors.states[w] == Approx(nearest).epsilon(1e-3));
    }
  }
}

TEST_CASE("network in series: padding of the last patch has no part in an error") {
  const Matrix<double> series = scaled_waves(80, 1);
  const NetworkInSeries judge(series, all_starts(series, 11), 11, View::raw, small);
  CHECK(judge.network().options().steps == 4);
  const Sequences<float> made =
      judge.network().reconstruct(sliding_windows(series, {.length = 11, .stride = 100, .patch = 3}));
  double error = 0.0;
  for (Index t = 0; t < 11; ++t) {
    const double between = series(t, 0) - static_cast<double>(made.view().step_data(t / 3)[t % 3]);
    error += between * between / 11.0;
  }
  CHECK(judge.errors(series, {0}).reconstruction[0] == Approx(error).epsilon(1e-4));
}

TEST_CASE("network in series: the same bits for any number of threads, and whatever follows") {
  const Matrix<double> training = scaled_waves(120, 2), series = scaled_waves(300, 2, 2);
  const NetworkInSeries judge(training, all_starts(training, 12), 12, View::mean_removed, small);
  const NetworkErrors all = judge.errors(series, all_starts(series, 12));
  const NetworkErrors threads = judge.errors(series, all_starts(series, 12), 3);
  CHECK(threads.states == all.states);
  CHECK(threads.reconstruction == all.reconstruction);
  const NetworkErrors start = judge.errors(series, all_starts(series.topRows(111), 12));
  REQUIRE(start.states.size() == 100);  // a block and a part of one
  for (std::size_t w = 0; w < 100; ++w) {
    CHECK(start.states[w] == all.states[w]);
    CHECK(start.reconstruction[w] == all.reconstruction[w]);
  }
}

TEST_CASE("network members: a training window is judged by a network that saw no point of it") {
  // In noise a window is like itself, and like no other.
  const Matrix<double> training = noise(400, 1), fresh = noise(400, 2);
  const std::vector<Index> lengths{20};
  const std::vector<View> views{View::raw};
  NetworkInSeriesOptions options = small;
  options.most_states = 1000;
  NetworkMembers members(training, lengths, views, 5, 4, options, 2);
  REQUIRE(members.networks().size() == 1);
  const auto middle = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  const std::vector<double> held_out = members.take_held_out().at(0).states;
  REQUIRE(held_out.size() == 400);
  CHECK(middle(members.errors(training, 1).at(0).states) < 1e-6);  // it remembers them all
  const double unseen = middle(members.errors(fresh, 1).at(0).states);
  CAPTURE(unseen);
  CHECK(middle(held_out) > 0.8 * unseen);
  CHECK(test::smallest(held_out) > 0.3 * unseen);
}

TEST_CASE("network members: folds hold each window once, and their networks the windows away from them") {
  constexpr Index windows = 103, folds = 4, length = 6, gap = 2;
  std::vector<int> held(windows, 0);
  for (Index number = 0; number < folds; ++number) {
    const detail::Fold fold = detail::fold_of(windows, number, folds);
    for (Index w = fold.begin; w < fold.end; ++w) ++held[static_cast<std::size_t>(w)];
    std::vector<Index> expected;
    for (Index start = 0; start < windows; ++start) {
      bool away = true;
      for (Index w = fold.begin; w < fold.end; ++w) {
        const Index first = start < w ? start : w, second = start < w ? w : start;
        away = away && second - (first + length) >= gap;
      }
      if (away) expected.push_back(start);
    }
    CHECK(detail::starts_away_from(fold, windows, length, gap) == expected);
  }
  CHECK(held == std::vector<int>(windows, 1));
}

TEST_CASE("network members: refused") {
  const Matrix<double> training = noise(200, 1);
  const std::vector<View> views{View::raw};
  const auto refusal = [&](Index length) {
    const std::vector<Index> lengths{length};
    return error_of([&] { NetworkMembers(training, lengths, views, 5, 4, small, 1); });
  };
  CHECK(NetworkMembers::rows_for_length(35, 5, 4) == 200);
  CHECK(refusal(35) == "nothing thrown");
  CHECK(contains(refusal(36), "at least 206 time steps, for windows of 36, got 200"));
  const NetworkInSeries judge(training, {0, 1}, 10, View::raw, small);
  CHECK(
      contains(error_of([&] { judge.errors(training, {191}); }), "within 200 time steps, got one from 191"));
  CHECK(contains(error_of([&] { judge.errors(training, {}); }), "at least one window"));
}

TEST_CASE("detector: networks have the share of the score that is named") {
  const std::vector<double> training = waves.single(600, 1);
  std::vector<double> series = waves.single(300, 2);
  for (std::size_t t = 150; t < 160; ++t) series[t] = 160.0;
  const auto detector_with = [&](double share, int threads = 1) {
    return Detector({.lengths = {10, 20}, .networks = share, .network = small, .threads = threads})
        .fit(training);
  };
  const auto z_of = [&](double share) {
    const Detector detector = detector_with(share);
    std::vector<double> z = detector.scores(series);
    for (double& value : z) value = std::log(value) + detector.report().threshold.value;
    return z;
  };
  const std::vector<double> nearest = z_of(0.0), networks = z_of(1.0), both = z_of(0.25);
  for (std::size_t t = 0; t < both.size(); ++t)
    CHECK(both[t] == Approx(0.75 * nearest[t] + 0.25 * networks[t]).epsilon(1e-6));
  CHECK(networks[155] > networks[20] + 1.0);
  CHECK(detector_with(0.25).scores(series) == detector_with(0.25, 3).scores(series));
  const DetectorReport report = detector_with(0.25).report();
  CHECK(report.network_lengths == std::vector<Index>{10, 20});
  std::ostringstream text;
  text << report;
  CHECK(contains(text.str(), "LSTM autoencoders of windows of 10, 20 points have 25 % of the score"));
}

TEST_CASE("detector: of a network's two errors the mean z counts, by the scales of the first rows") {
  const std::vector<double> values = waves.single(500, 1), others = waves.single(200, 2);
  const DetectorOptions options{.lengths = {20}, .views = {View::raw}, .networks = 1.0, .network = small};
  const Detector detector = Detector(options).fit(values);
  const auto matrix_of = [](const std::vector<double>& of) {
    return Matrix<double>(Eigen::Map<const Matrix<double>>(of.data(), static_cast<Index>(of.size()), 1));
  };
  StandardScaler scaler;
  const Matrix<double> training = scaler.fit(values).transform(matrix_of(values));
  NetworkMembers members(training, options.lengths, options.views, detector.report().gap, options.folds,
                         options.network, 1);
  const NetworkErrors held_out = members.take_held_out().at(0);
  const NetworkErrors errors = members.errors(scaler.transform(matrix_of(others)), 1).at(0);
  const auto rows = static_cast<std::size_t>(detector.report().scale_rows);
  const auto reconstruction = ErrorScale::fit(std::span(held_out.reconstruction).first(rows));
  const auto states = ErrorScale::fit(std::span(held_out.states).first(rows));
  const std::vector<double> scores = detector.scores(others);
  for (std::size_t t = 0; t < scores.size(); ++t) {
    const double z = 0.5 * (reconstruction.z(errors.reconstruction[t]) + states.z(errors.states[t]));
    CHECK(std::log(scores[t]) + detector.report().threshold.value == Approx(z).epsilon(1e-6));
  }
}

TEST_CASE("detector: networks have the lengths that leave them enough to train on") {
  const auto report_of = [&](Index rows, double share) {
    return Detector({.networks = share, .network = small}).fit(noise(rows, 3)).report();
  };
  CHECK(report_of(400, 0.5).network_lengths == std::vector<Index>{24, 48});
  CHECK(report_of(400, 0.5).lengths == std::vector<Index>{24, 48, 96});
  CHECK(report_of(400, 1.0).lengths == std::vector<Index>{24, 48});
  const auto refusal = [](DetectorOptions options) { return error_of([&] { Detector{options}; }); };
  CHECK(contains(refusal({.networks = 1.5}), "a share of networks from 0 to 1, got 1.5"));
  CHECK(contains(refusal({.folds = 1}), "at least 2 folds"));
  CHECK(contains(error_of([&] { report_of(120, 0.5); }),
                 "rows to train networks on, for windows of 24, got 120"));
}

}  // namespace
