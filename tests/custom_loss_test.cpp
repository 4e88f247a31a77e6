#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/losses/losses.hpp>
#include <reprise/models/autoencoder.hpp>
#include <string>
#include <vector>

#include "differences.hpp"
#include "own_kinds.hpp"
#include "training.hpp"

namespace {

using reprise::CustomLoss;
using reprise::Index;
using reprise::Loss;
using Values = reprise::Sequences<double>;

constexpr Index features = 3, batch = 4, steps = 5;
const std::vector<double> weights = {0.5, 2.0, 1.25, 3.0};
const std::vector<Index> lengths = {5, 3, 3, 1};

Values values(double phase, Index count = features) {
  Values made({.samples = batch, .steps = steps, .features = count});
  for (Index i = 0; i < made.values().size(); ++i)
    made.values().data()[i] = std::sin(12.9898 * static_cast<double>(i) + phase);
  return made;
}

/// Classes 0, 1 and 2.
Values classes() {
  Values made({.samples = batch, .steps = steps, .features = 1});
  for (Index i = 0; i < made.values().size(); ++i) made.values().data()[i] = static_cast<double>(i * i % 3);
  return made;
}

struct Arguments {
  std::vector<double> weights;
  Index last_step_features;
  std::vector<Index> lengths;
};
const std::vector<Arguments>& all_arguments() {
  static const std::vector<Arguments> all = {
      {{}, 0, {}}, {weights, 0, {}}, {{}, 2, {}}, {{}, 0, lengths}, {weights, 2, lengths}};
  return all;
}

double largest_difference(const Values& a, const Values& b) {
  return test::largest_difference(a.values(), b.values());
}

}  // namespace

TEST_CASE("custom loss: an own squared error is ours, with weights, lengths and a patch's padding") {
  const Values prediction = values(0.1), target = values(0.7);
  const Loss ours = reprise::MeanSquaredError{}, own = own::SquaredError{};
  for (const Arguments& given : all_arguments()) {
    CAPTURE(given.last_step_features);
    CAPTURE(given.lengths.size());
    Values gradient({.samples = batch, .steps = steps, .features = features}),
        expected({.samples = batch, .steps = steps, .features = features});
    gradient.values().setConstant(77.0);
    const double sum = reprise::loss_sum(own, prediction.view(), target.view(), given.weights, 0.3,
                                         gradient.view(), given.last_step_features, given.lengths);
    const double expected_sum = reprise::loss_sum(ours, prediction.view(), target.view(), given.weights, 0.3,
                                                  expected.view(), given.last_step_features, given.lengths);
    CHECK(std::abs(sum - expected_sum) <= 1e-14 * expected_sum);
    CHECK(largest_difference(gradient, expected) <= 1e-15);
    CHECK(test::largest(expected.values().cwiseAbs()) > 0.01);
    std::vector<double> each(batch), expected_each(batch);
    reprise::sample_losses(own, prediction.view(), target.view(), each, given.last_step_features,
                           given.lengths);
    reprise::sample_losses(ours, prediction.view(), target.view(), expected_each, given.last_step_features,
                           given.lengths);
    for (std::size_t b = 0; b < each.size(); ++b) CHECK(std::abs(each[b] - expected_each[b]) <= 1e-14);
  }
}

TEST_CASE("custom loss: the gradient is the central difference, also where features depend on each other") {
  struct Case {
    Loss loss;
    Values target;
  };
  const Case cases[] = {{own::Quantile{0.3}, values(0.7)}, {own::CrossEntropy{}, classes()}};
  for (const Case& one : cases) {
    for (const Arguments& given : all_arguments()) {
      // Without its last feature a class may not be among the predictions.
      if (one.target.features() == 1 && given.last_step_features > 0) continue;
      Values prediction = values(0.1), gradient({.samples = batch, .steps = steps, .features = features});
      const auto sum = [&](reprise::SequenceView<double> to) {
        return reprise::loss_sum(one.loss, prediction.view(), one.target.view(), given.weights, 0.4, to,
                                 given.last_step_features, given.lengths);
      };
      CHECK(sum(gradient.view()) == sum({}));
      double worst = 0.0;
      for (Index i = 0; i < gradient.values().size(); ++i) {
        double& value = prediction.values().data()[i];
        const double before = value, h = 1e-5;
        value = before + h;
        const double above = sum({});
        value = before - h;
        const double below = sum({});
        value = before;
        worst = test::larger(worst, std::abs(0.4 * (above - below) / (2 * h) - gradient.values().data()[i]));
      }
      CHECK(worst <= 1e-9);
      CHECK(test::largest(gradient.values().cwiseAbs()) > 1e-2);
    }
  }
}

TEST_CASE("custom loss: padding is not shown to it") {
  Values prediction = values(0.1);
  for (Index b = 0; b < batch; ++b) {
    for (Index t = lengths[static_cast<std::size_t>(b)]; t < steps; ++t)
      prediction(b, t, 0) = std::numeric_limits<double>::quiet_NaN();
  }
  CHECK(reprise::loss_value(own::SquaredError{}, prediction, values(0.7), weights, lengths) ==
        doctest::Approx(
            reprise::loss_value(reprise::MeanSquaredError{}, prediction, values(0.7), weights, lengths))
            .epsilon(1e-14));
}

TEST_CASE("custom loss: the number of positions is checked, that of features is not") {
  const Values prediction = values(0.1);
  CHECK_NOTHROW(reprise::loss_value(own::CrossEntropy{}, prediction, classes()));
  CHECK_THROWS_AS(reprise::loss_value(reprise::MeanSquaredError{}, prediction, classes()), reprise::Error);
  CHECK_THROWS_WITH_AS(reprise::loss_value(own::CrossEntropy{}, prediction,
                                           Values({.samples = batch, .steps = steps + 1, .features = 1})),
                       "loss: target: expected 4 samples of 5 steps x 3 features, got 4 samples of 6 steps x "
                       "3 features",
                       reprise::Error);
}

TEST_CASE("custom loss: two are equal when name and options are") {
  CHECK(Loss{own::Quantile{0.5}} == Loss{own::Quantile{0.5}});
  CHECK(Loss{own::Quantile{0.5}} != Loss{own::Quantile{0.6}});
  CHECK(Loss{own::SquaredError{}} == Loss{own::SquaredError{}});
  CHECK(Loss{own::SquaredError{}} != Loss{own::CrossEntropy{}});
  CHECK(Loss{own::SquaredError{}} != Loss{reprise::MeanSquaredError{}});
  CHECK(reprise::options_text(Loss{own::Quantile{0.25}}) == "Quantile{.q = 0.25}");

  const CustomLoss loss = own::Quantile{0.25};
  CHECK(loss.kind() == "Quantile");
  REQUIRE(loss.get_if<own::Quantile>() != nullptr);
  CHECK(loss.get_if<own::Quantile>()->q == 0.25);
  CHECK(loss.get_if<own::SquaredError>() == nullptr);
}

TEST_CASE("custom loss: it refuses its own options before training") {
  CHECK_NOTHROW(reprise::validate(Loss{own::Quantile{0.5}}));
  CHECK_THROWS_WITH_AS(reprise::validate(Loss{own::Quantile{1.5}}), "Quantile: expected q in (0, 1)",
                       reprise::Error);
  reprise::Autoencoder<float> model(test::small_model(5, 2));
  CHECK_THROWS_AS(model.fit(test::wave_windows(20, 5, 2), {.loss = own::Quantile{1.5}}), reprise::Error);
}

TEST_CASE_TEMPLATE("custom loss: training with an own squared error is training with ours", Scalar, float,
                   double) {
  const reprise::Windows windows = test::wave_windows(45, 5, 2);
  const auto options = [](const Loss& loss, int threads) {
    return reprise::FitOptions{.epochs = 4,
                               .batch_size = 16,
                               .validation_split = 0.2,
                               .sample_weights = std::vector<double>(45, 0.75),
                               .optimizer = reprise::Adam{.learning_rate = 0.01},
                               .loss = loss,
                               .threads = threads};
  };
  reprise::Autoencoder<Scalar> ours(test::small_model(5, 2)), own = ours, threaded = ours;
  const reprise::Vector<Scalar> start = ours.weights();
  const auto expected = ours.fit(windows, options(reprise::MeanSquaredError{}, 1));
  const auto history = own.fit(windows, options(own::SquaredError{}, 1));
  threaded.fit(windows, options(own::SquaredError{}, 3));
  const double tolerance = sizeof(Scalar) == sizeof(float) ? 2e-5 : 1e-13;
  CHECK(test::largest_difference(ours.weights(), own.weights()) <= tolerance);
  CHECK(test::largest_difference(ours.weights(), start) > 1e-2);
  CHECK(std::abs(history.validation_loss.back() - expected.validation_loss.back()) <=
        tolerance * expected.validation_loss.back());
  CHECK(test::same_bits(own.weights(), threaded.weights()));
}

TEST_CASE("custom loss: a quantile's model leaves that share of the values above its predictions") {
  std::vector<float> series(2000);
  reprise::RandomStream random(5, reprise::Purpose::other);
  for (float& value : series) value = static_cast<float>(random.normal());
  const reprise::Windows windows = reprise::sliding_windows(series, {.length = 4});
  reprise::Autoencoder<double> model({.steps = 4, .encoder = {{.units = 1}}, .decoder = {{.units = 2}}});
  const auto optimizer = reprise::Adam{.learning_rate = 0.02};
  // With one number for the code, noise cannot be reproduced: the best prediction is a quantile.
  model.fit(windows, {.epochs = 8, .optimizer = optimizer, .loss = own::Quantile{0.9}});
  const auto output = model.reconstruct(windows);
  Index below = 0, all = 0;
  for (Index window = 0; window < windows.size(); ++window) {
    for (Index t = 0; t < 4; ++t, ++all) below += windows(window, t, 0) < output(window, t, 0);
  }
  CHECK(static_cast<double>(below) / static_cast<double>(all) == doctest::Approx(0.9).epsilon(0.03));
}
