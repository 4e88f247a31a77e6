#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <reprise/models/forecaster.hpp>
#include <reprise/scores/errors.hpp>
#include <reprise/streams/telemanom.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::FitOptions;
using reprise::Forecaster;
using reprise::Index;
using reprise::Sequences;
using reprise::SequenceShape;
using reprise::sliding_windows;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::error_of;
using test::same_bits;

namespace {

/// Two waves whose sum repeats only after hundreds of steps, and some noise.
std::vector<double> waves(Index steps) {
  std::vector<double> series(static_cast<std::size_t>(steps));
  reprise::RandomStream random(5, reprise::Purpose::other);
  for (std::size_t t = 0; t < series.size(); ++t) {
    const auto x = static_cast<double>(t);
    series[t] = 0.6 * std::sin(0.7 * x) + 0.3 * std::sin(0.31 * x) + 0.02 * (random.uniform() - 0.5);
  }
  return series;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("forecaster: predicts a held-out series far better than the value before") {
  for (const Index horizon : {1, 3}) {
    CAPTURE(horizon);
    const Windows windows = sliding_windows(waves(700), {.length = 16, .horizon = horizon});
    const auto [train, held_out] = windows.split(0.7);
    Forecaster<float> model({.steps = 16, .horizon = horizon, .layers = {{.units = 16}}});
    model.fit(train, {.epochs = 30, .optimizer = reprise::Adam{.learning_rate = 0.01}});

    const Sequences<float> predicted = model.predict(held_out);
    CHECK(predicted.shape() == SequenceShape{.steps = horizon, .features = 1});
    Sequences<float> persistence({.samples = held_out.size(), .steps = horizon, .features = 1});
    for (Index w = 0; w < held_out.size(); ++w) {
      for (Index k = 0; k < horizon; ++k) persistence(w, k, 0) = static_cast<float>(held_out(w, 15, 0));
    }
    const double error = mean_of(mean_squared_errors(held_out.following(), predicted));
    CHECK(error < 0.05 * mean_of(mean_squared_errors(held_out.following(), persistence)));
    CHECK(model.evaluate(held_out) == doctest::Approx(error).epsilon(1e-5));
  }
}

TEST_CASE("forecaster: the errors of its predictions go into telemanom's rule") {
  std::vector<double> series = waves(1200);
  const Windows normal = sliding_windows(std::vector<double>(series.begin(), series.begin() + 500),
                                         {.length = 16, .horizon = 1});
  for (std::size_t t = 900; t < 910; ++t) series[t] += 1.5;
  Forecaster<float> model({.steps = 16, .layers = {{.units = 16}}});
  model.fit(normal, {.epochs = 30, .optimizer = reprise::Adam{.learning_rate = 0.01}});

  const Windows all = sliding_windows(series, {.length = 16, .horizon = 1});
  const auto errors = mean_absolute_errors(all.following(), model.predict(all));
  reprise::Telemanom rule({.window = 300, .span = 1});
  int at_the_jump = 0, elsewhere = 0;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    if (!rule.step(errors[i]).is_alarm()) continue;
    const Index step = all.following().start(static_cast<Index>(i));
    ++(step >= 900 && step < 930 ? at_the_jump : elsewhere);
  }
  CHECK(at_the_jump > 0);
  CHECK(elsewhere < 5);
}

TEST_CASE_TEMPLATE("forecaster: fit(10) and fit(20) are fit(30), and a prediction is that of each window",
                   Scalar, float, double) {
  const Windows windows =
      sliding_windows(test::wave(80, 2), {.length = 7, .stride = 2, .patch = 2, .horizon = 3});
  // Patches of 2 points of 2 features; points of 2 features come out.
  const reprise::ForecasterOptions options{.steps = 4,
                                           .features = 4,
                                           .horizon = 3,
                                           .target_features = 2,
                                           .layers = {{.units = 5, .dropout = 0.1}, {.units = 4}}};
  Forecaster<Scalar> whole(options), parts(options);
  FitOptions fit{.epochs = 30, .batch_size = 8, .validation_split = 0.2};
  whole.fit(windows, fit);
  fit.epochs = 10;
  parts.fit(windows, fit);
  fit.epochs = 20;
  fit.threads = 2;
  parts.fit(windows, fit);
  CHECK(same_bits(whole.weights(), parts.weights()));

  const Sequences<Scalar> all = whole.predict(windows);
  CHECK(all.shape() == SequenceShape{.steps = 3, .features = 2});
  double sum = 0.0;
  for (Index w = 0; w < windows.size(); ++w) {
    const Sequences<Scalar> one = whole.predict(windows.subset(w, 1));
    for (Index k = 0; k < 3; ++k) {
      for (Index f = 0; f < 2; ++f) {
        CHECK(one(0, k, f) == doctest::Approx(all(w, k, f)).epsilon(1e-5));
        sum += std::pow(static_cast<double>(all(w, k, f)) - windows.series_value(windows.start(w) + 7 + k, f),
                        2);
      }
    }
  }
  CHECK(whole.evaluate(windows) ==
        doctest::Approx(sum / static_cast<double>(6 * windows.size())).epsilon(1e-5));

  // Where nothing is known of what follows, and from memory of the caller.
  const Windows last = sliding_windows(test::wave(80, 2), {.length = 7, .stride = 2, .patch = 2});
  const Sequences<Scalar> to_the_end = whole.predict(last);
  CHECK(to_the_end.batch() > all.batch());
  CHECK(to_the_end(0, 2, 1) == doctest::Approx(all(0, 2, 1)).epsilon(1e-5));
  Sequences<Scalar> input({.samples = windows.size(), .steps = 4, .features = 4}),
      output({.samples = windows.size(), .steps = 3, .features = 2});
  windows.gather(std::span<const Index>(test::numbers(0, windows.size())), input.view());
  reprise::InferenceWorkspace<Scalar> workspace;
  whole.predict(std::as_const(input).view(), output.view(), workspace);
  CHECK(test::relative_difference(output.values(), all.values()) < 1e-5);
  CHECK(test::relative_difference(whole.predict(input).values(), all.values()) < 1e-5);
}

TEST_CASE("forecaster: gradients of every tensor") {
  reprise::ForecasterOptions options{
      .steps = 5, .features = 2, .horizon = 2, .layers = {{.units = 3}, {.units = 4}}};
  const Windows windows = sliding_windows(test::wave(30, 2), {.length = 5, .horizon = 2});
  Forecaster<double> model(options);
  reprise::detail::BatchPass<double> pass(model.network(), 1);
  const auto batch = test::numbers(0, 6);
  auto theta = model.writable_weights();
  Vector<double> gradient(theta.size()), unused(theta.size());
  const auto loss = [&](Vector<double>& to) {
    return pass.loss_and_gradient(theta.data(), windows, batch, {}, reprise::MeanSquaredError{}, {},
                                  to.data());
  };
  loss(gradient);
  for (const auto& info : model.parameters()) {
    test::check_gradient(
        info.name, Eigen::Map<reprise::Matrix<double>>(theta.data() + info.offset, info.rows, info.cols),
        Eigen::Map<const reprise::Matrix<double>>(gradient.data() + info.offset, info.rows, info.cols),
        [&] { return loss(unused); });
  }
}

TEST_CASE("forecaster: a forecast as long as the window is whole, however short the sample") {
  const reprise::Forecaster<double> model({.steps = 4, .horizon = 4, .layers = {{.units = 3}}});
  const auto x = test::uniform_sequences<double>(1, 2, 4, 3);
  const auto forecast = model.predict(reprise::ArraySource<double>(x, x, {4, 2}));
  for (Index t = 0; t < 4; ++t) CHECK(forecast(1, t, 0) != 0.0);
}

TEST_CASE("forecaster: options and samples that cannot be are refused by name") {
  const auto message = [](reprise::ForecasterOptions options) {
    return error_of([&] { Forecaster<float> model(options); });
  };
  CHECK(contains(message({.steps = 4}), "Forecaster: expected at least one recurrent layer, got none"));
  CHECK(contains(message({.steps = 4, .horizon = 0, .layers = {{.units = 2}}}),
                 "Forecaster: expected horizon > 0, got 0"));
  CHECK(contains(message({.layers = {{.units = 2}}}), "steps > 0"));
  CHECK(contains(message({.steps = 4, .target_features = -1, .layers = {{.units = 2}}}),
                 "target_features > 0, got -1"));
  if (sizeof(Index) > 4) {
    constexpr Index large = 3'000'000'000;
    CHECK(contains(message({.steps = 4, .horizon = large, .layers = {{.units = 2}}}),
                   "Forecaster: expected horizon of at most 2147483647, got 3000000000"));
    CHECK(contains(
        message({.steps = 4, .horizon = 50'000, .target_features = 50'000, .layers = {{.units = 2}}}),
        "Forecaster: expected horizon x target_features of at most 2147483647, got 50000 x 50000"));
  }
  Forecaster<float> model({.steps = 4, .horizon = 2, .layers = {{.units = 2}}});
  const auto series = waves(40);
  CHECK(contains(error_of([&] { model.fit(sliding_windows(series, {.length = 4})); }),
                 "fit: windows: targets: expected 2 steps x 1 features, got 4 steps x 1 features"));
  CHECK(contains(error_of([&] { model.fit(sliding_windows(series, {.length = 5, .horizon = 2})); }),
                 "fit: windows: expected 4 steps x 1 features, got 5 steps"));
  CHECK(contains(error_of([&] { return model.predict(sliding_windows(series, {.length = 5})); }),
                 "predict: windows: expected 4"));
  CHECK(
      contains(error_of([&] { return model.evaluate(sliding_windows(series, {.length = 4, .horizon = 3})); }),
               "evaluate: windows: targets: expected 2 steps"));
}
