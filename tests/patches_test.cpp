#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <reprise/losses/losses.hpp>
#include <reprise/scores/error_vectors.hpp>
#include <reprise/scores/errors.hpp>
#include <reprise/scores/explain.hpp>
#include <reprise/scores/mahalanobis.hpp>
#include <reprise/scores/point_scores.hpp>
#include <reprise/scores/scores.hpp>
#include <reprise/scores/window_grid.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::Index;
using reprise::Matrix;
using reprise::Sequences;
using reprise::SequenceShape;
using reprise::Windows;
using test::contains;
using test::error_of;

namespace {

Windows patched(Index count, Index length, Index features, Index patch) {
  return reprise::sliding_windows(test::wave(count + length - 1, features),
                                  {.length = length, .patch = patch});
}

/// A reconstruction in patches, NaN where there is padding, so that whoever looks there is found out.
Sequences<double> reconstruction_of(const Windows& windows) {
  const SequenceShape shape = windows.shape();
  auto result = test::uniform_sequences<double>(shape.features, windows.size(), shape.steps, 3);
  for (Index w = 0; w < windows.size(); ++w) {
    for (Index f = windows.last_step_features(); f < shape.features; ++f) {
      result(w, shape.steps - 1, f) = std::nan("");
    }
  }
  return result;
}

/// The same value by value, from the definition of a patch.
Sequences<double> point_by_point(const Windows& windows, const Sequences<double>& patches) {
  const Index F = windows.features();
  Sequences<double> result({.samples = windows.size(), .steps = windows.length(), .features = F});
  for (Index w = 0; w < windows.size(); ++w) {
    for (Index t = 0; t < windows.length(); ++t) {
      for (Index f = 0; f < F; ++f) {
        result(w, t, f) = patches(w, t / windows.patch(), (t % windows.patch()) * F + f);
      }
    }
  }
  return result;
}

reprise::AutoencoderOptions model_for(const Windows& windows) {
  return test::small_model(windows.shape().steps, windows.shape().features);
}

}  // namespace

TEST_CASE("patches: a step holds neighbouring points, and the last is padded with zeros") {
  for (const Index features : {1, 2}) {
    for (const Index length : {1, 5, 6, 7, 12}) {
      for (Index patch = 1; patch <= length; ++patch) {
        CAPTURE(features);
        CAPTURE(length);
        CAPTURE(patch);
        const Windows windows = patched(4, length, features, patch);
        const Index steps =
            static_cast<Index>(std::ceil(static_cast<double>(length) / static_cast<double>(patch)));
        CHECK(windows.shape() == SequenceShape{.steps = steps, .features = features * patch});
        CHECK(windows.length() == length);
        CHECK(windows.size() == 4);
        CHECK(windows.points().shape() == SequenceShape{.steps = length, .features = features});
        Sequences<float> batch({.samples = 3, .steps = steps, .features = features * patch});
        batch.values().setConstant(9.0F);
        const std::vector<Index> numbers = {2, 0, 3};
        windows.gather<float>(numbers, batch.view());
        for (Index w = 0; w < 3; ++w) {
          for (Index t = 0; t < steps * patch; ++t) {
            for (Index f = 0; f < features; ++f) {
              const float got = batch(w, t / patch, (t % patch) * features + f);
              const double expected = t < length ? windows(numbers[static_cast<std::size_t>(w)], t, f) : 0.0;
              CHECK(got == static_cast<float>(expected));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("patches: padding has no part in the loss, and its slope is zero") {
  const auto prediction = test::uniform_sequences<double>(6, 5, 3, 1);
  const auto target = test::uniform_sequences<double>(6, 5, 3, 2);
  const std::vector<double> some = {0.5, 1, 2, 0, 3}, ones(5, 1.0);
  for (const bool weighted : {false, true}) {
    CAPTURE(weighted);
    const auto& weights = weighted ? some : ones;
    Sequences<double> gradient({.samples = 5, .steps = 3, .features = 6}), expected = gradient;
    gradient.values().setConstant(std::nan(""));
    expected.values().setZero();
    double sum = 0.0;
    for (Index b = 0; b < 5; ++b) {
      for (Index v = 0; v < 2 * 6 + 2; ++v) {  // two whole steps and 2 values of the third
        const double e = prediction(b, v / 6, v % 6) - target(b, v / 6, v % 6);
        sum += weights[static_cast<std::size_t>(b)] * e * e / 14;
        expected(b, v / 6, v % 6) = 0.25 * weights[static_cast<std::size_t>(b)] * 2 * e / 14;
      }
    }
    const double got =
        reprise::loss_sum<double>(reprise::MeanSquaredError{}, prediction.view(), target.view(),
                                  weighted ? some : std::vector<double>{}, 0.25, gradient.view(), 2);
    CHECK(got == doctest::Approx(sum).epsilon(1e-14));
    CHECK(test::relative_difference(gradient.values(), expected.values()) <= 1e-14);
    for (Index b = 0; b < 5; ++b) CHECK(gradient(b, 2, 2) == 0.0);
  }
  CHECK(contains(error_of([&] {
                   reprise::loss_sum<double>(reprise::MeanSquaredError{}, prediction.view(), target.view(),
                                             {}, 1.0, {}, 7);
                 }),
                 "expected at most 6 features, got 7"));
}

TEST_CASE("patches: errors, scores and explanations are those of the points") {
  for (const Index features : {1, 2}) {
    for (const Index patch : {2, 3, 7, 12}) {
      CAPTURE(features);
      CAPTURE(patch);
      const Windows windows = patched(70, 12, features, patch);  // more than a block of windows
      const Windows points = windows.points();
      const auto y = reconstruction_of(windows);
      const auto plain = point_by_point(windows, y);
      CHECK(test::same_bits(reprise::points_of(windows, y).values(), plain.values()));
      CHECK(reprise::mean_squared_errors(windows, y) == reprise::mean_squared_errors(points, plain));
      CHECK(reprise::mean_absolute_errors(windows, y) == reprise::mean_absolute_errors(points, plain));
      const Matrix<double> own = reprise::mean_squared_errors_per_step(windows, y);
      CHECK(own == reprise::mean_squared_errors_per_step(points, plain));
      CHECK(own.cols() == 12);
      CHECK(reprise::mean_absolute_errors_per_feature(windows, y) ==
            reprise::mean_absolute_errors_per_feature(points, plain));
      CHECK(reprise::window_scores(windows, y) == reprise::window_scores(points, plain));
      CHECK(reprise::step_scores(windows, y) == reprise::step_scores(points, plain));
      CHECK(reprise::feature_scores(windows, y) == reprise::feature_scores(points, plain));
      CHECK(reprise::error_vectors(windows, y) == reprise::error_vectors(points, plain));
      CHECK(reprise::point_error_vectors(windows, windows, y) ==
            reprise::point_error_vectors(points, points, plain));
      CHECK(reprise::explain(windows, y, 66).parts == reprise::explain(points, plain, 66).parts);
      // Windows may also be held against the points themselves.
      CHECK(reprise::mean_squared_errors(windows, plain) == reprise::mean_squared_errors(windows, y));
    }
  }
}

TEST_CASE("patches: a point's score is its own, and a window's error covers all its points") {
  const Windows windows =
      reprise::sliding_windows(std::vector<double>(13, 0.0), {.length = 5, .stride = 4, .patch = 2});
  REQUIRE(windows.size() == 3);
  Sequences<double> y({.samples = 3, .steps = 3, .features = 2});
  y.values().setZero();
  y(1, 1, 1) = 3.0;  // point 3 of window 1, that is point 7 of the series
  const auto own = reprise::point_scores(windows, reprise::mean_squared_errors_per_step(windows, y),
                                         reprise::Aggregate::max);
  const auto covered =
      reprise::point_scores(windows, reprise::mean_squared_errors(windows, y), reprise::Aggregate::max);
  REQUIRE(own.size() == 13);
  for (std::size_t point = 0; point < 13; ++point) {
    CAPTURE(point);
    CHECK(own[point] == (point == 7 ? 9.0 : 0.0));
    CHECK(covered[point] == (point >= 4 && point <= 8 ? 9.0 / 5 : 0.0));
  }
}

TEST_CASE("patches: a model's loss is the error of the points, and its gradient that loss's") {
  for (const Index patch : {2, 3, 5}) {
    CAPTURE(patch);
    const Windows windows = patched(40, 7, 2, patch);
    reprise::Autoencoder<double> model(model_for(windows));
    const auto mean_error = [&] {
      double sum = 0.0;
      for (const double error : reprise::mean_squared_errors(windows, model.reconstruct(windows)))
        sum += error;
      return sum / 40;
    };
    CHECK(model.evaluate(windows) == doctest::Approx(mean_error()).epsilon(1e-13));
    // A further window's loss, so that what is held out is seen as what is trained on.
    const auto history = model.fit(windows, {.epochs = 2, .validation_split = 0.25});
    CHECK(history.validation_loss.back() ==
          doctest::Approx(model.evaluate(windows.subset(30, 10))).epsilon(1e-13));

    auto weights = model.writable_weights();
    test::fill_uniform(weights, 5);  // large enough for slopes that differences can measure
    test::Steps<double> steps(model, reprise::Adam{});
    const auto batch = test::numbers(0, 40);
    CHECK(steps.loss(windows, batch) == doctest::Approx(mean_error()).epsilon(1e-13));
    for (const auto& info : model.parameters()) {
      test::check_gradient(
          info.name, test::Block(model.parameter(info.name)),
          Eigen::Map<Matrix<double>>(steps.gradient.data() + info.offset, info.rows, info.cols), mean_error);
    }
  }
}

TEST_CASE("patches: what cannot be is refused") {
  const std::vector<double> series(10, 0.0);
  CHECK(contains(error_of([&] { return reprise::sliding_windows(series, {.length = 4, .patch = 0}); }),
                 "patch"));
  CHECK(contains(error_of([&] { return reprise::sliding_windows(series, {.length = 4, .patch = 5}); }),
                 "a patch of at most the window's 4 steps, got 5"));
  const Windows windows = reprise::sliding_windows(series, {.length = 4, .patch = 3});
  CHECK(contains(error_of([&] {
                   return reprise::points_of(windows,
                                             Sequences<double>({.samples = 7, .steps = 4, .features = 1}));
                 }),
                 "7 windows of 2 steps x 3 features"));
  CHECK(contains(error_of([&] {
                   return reprise::mean_squared_errors(
                       windows, Sequences<double>({.samples = 7, .steps = 3, .features = 2}));
                 }),
                 "a reconstruction of 7 windows of 2 steps x 3 features"));
}
