#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "training.hpp"

// What a fit goes on from after one that was aborted, and what callbacks hear of the abort.

using reprise::Adam;
using reprise::Autoencoder;
using reprise::Callback;
using reprise::FitOptions;
using reprise::Sgd;
using reprise::TrainingEvent;
using reprise::TrainingStage;
using reprise::Vector;
using reprise::Windows;
using test::same_bits;

namespace {

/// Makes all that follows explode: at 0 the first epoch.
Callback exploding_after(reprise::Index epoch) {
  return [epoch](TrainingEvent& event) {
    const bool now = event.epoch == epoch &&
                     (event.stage == TrainingStage::begin || event.stage == TrainingStage::epoch_end);
    if (now) event.scale_learning_rate(1e38);
  };
}

void abort_fit(Autoencoder<float>& model, const Windows& windows, FitOptions options,
               std::vector<Callback> callbacks) {
  options.callbacks = std::move(callbacks);
  CHECK_THROWS_AS(model.fit(windows, options), reprise::TrainingAborted);
}

/// Windows of values around a million, and the same scaled.
struct TwoScales {
  Windows raw, scaled;
};
TwoScales two_scales() {
  std::vector<double> raw, scaled;
  for (int t = 0; t < 60; ++t) {
    scaled.push_back(std::sin(0.5 * t));
    raw.push_back(1e6 + 1e5 * scaled.back());
  }
  return {reprise::sliding_windows(raw, {.length = 6}), reprise::sliding_windows(scaled, {.length = 6})};
}

}  // namespace

TEST_CASE("after an abort a fit at another rate does not go on with the velocity, which holds the old rate") {
  const Windows windows = test::wave_windows(40, 6);
  const std::pair<reprise::Optimizer, reprise::Optimizer> rates[] = {
      {Sgd{.learning_rate = 0.1, .momentum = 0.9}, Sgd{.learning_rate = 1e-6, .momentum = 0.9}},
      {reprise::RmsProp{.learning_rate = 1e-3, .momentum = 0.9},
       reprise::RmsProp{.learning_rate = 1e-8, .momentum = 0.9}}};
  for (const auto& rate : rates) {
    CAPTURE(rate.first.index());
    for (const bool aborted : {true, false}) {
      CAPTURE(aborted);
      Autoencoder<float> model(test::small_model(6));
      FitOptions options{
          .epochs = aborted ? 9 : 3, .batch_size = 8, .shuffle = false, .optimizer = rate.first};
      if (aborted) {
        abort_fit(model, windows, options, {exploding_after(3)});
      } else {
        model.fit(windows, options);
      }
      REQUIRE(model.training_state().moments.velocity.norm() > 0.0f);
      Autoencoder<float> at_rest = model;
      at_rest.training_state().moments.velocity.setZero();
      options.epochs = 1;
      options.optimizer = rate.second;
      model.fit(windows, options);
      at_rest.fit(windows, options);
      CHECK(same_bits(model.weights(), at_rest.weights()) == aborted);
    }
  }
}

TEST_CASE("after an abort in the first epoch, scaled inputs help where the moments are of an earlier fit") {
  const auto [raw, scaled] = two_scales();
  const FitOptions options{.epochs = 10, .optimizer = Adam{.learning_rate = 0.01}};
  Autoencoder<float> model(test::small_model(6));
  model.fit(raw, options);
  CHECK(model.training_state().aborted_norm == 0.0);
  CHECK(model.training_state().largest_norm > 1e5);
  const Autoencoder<float> before = model;
  abort_fit(model, raw, options, {exploding_after(0)});
  CHECK(same_bits(model.weights(), before.weights()));
  CHECK(same_bits(model.training_state().moments, before.training_state().moments));
  CHECK(model.training_state().aborted_norm == before.training_state().largest_norm);
  const double loss = model.evaluate(scaled);
  model.fit(scaled, {.epochs = 60, .optimizer = options.optimizer});
  CHECK(model.evaluate(scaled) < 0.5 * loss);
  CHECK(model.training_state().aborted_norm == 0.0);
  CHECK(model.training_state().largest_norm < 1e5);
}

TEST_CASE("the largest norm of gradients is the same after two fits as after one") {
  const Windows windows = test::wave_windows(40, 6);
  FitOptions options{.epochs = 5, .batch_size = 8};
  Autoencoder<float> whole(test::small_model(6)), parts = whole;
  whole.fit(windows, options);
  options.epochs = 2;
  parts.fit(windows, options);
  options.epochs = 3;
  parts.fit(windows, options);
  CHECK(whole.training_state().largest_norm > 0.0);
  CHECK(parts.training_state().largest_norm == whole.training_state().largest_norm);
}

TEST_CASE("callbacks: at the end of an aborted fit the validation loss is that of the last whole epoch") {
  const Windows windows = test::wave_windows(40, 6);
  for (const reprise::Index epochs : {0, 3}) {
    CAPTURE(epochs);
    std::vector<double> history;
    std::optional<double> at_end;
    const Callback listener = [&](TrainingEvent& event) {
      if (event.stage != TrainingStage::end) return;
      CHECK(event.aborted);
      history = event.history().validation_loss;
      at_end = event.validation_loss;
    };
    Autoencoder<float> model(test::small_model(6));
    abort_fit(model, windows, {.epochs = 9, .validation_split = 0.2}, {exploding_after(epochs), listener});
    REQUIRE(history.size() == static_cast<std::size_t>(epochs));
    CHECK(at_end.has_value() == (epochs > 0));
    if (epochs > 0) CHECK(at_end == history.back());
  }
}

TEST_CASE("callbacks: kept weights come back where those before the fit had a loss that is not a number") {
  Autoencoder<float> model(test::small_model(6));
  model.parameter("output.bias").setConstant(std::numeric_limits<float>::quiet_NaN());
  Vector<float> kept;
  const Callback keeper = [&](TrainingEvent& event) {
    if (event.stage == TrainingStage::begin) {
      event.set_parameter("output.bias", reprise::Matrix<double>::Zero(1, 1));
    }
    if (event.stage == TrainingStage::epoch_end && event.epoch == 1) {
      kept = model.weights();
      event.keep_weights();
    }
    if (event.stage == TrainingStage::end) event.restore_kept_weights();
  };
  abort_fit(model, test::wave_windows(40, 6), {.epochs = 9}, {keeper, exploding_after(4)});
  CHECK(model.training_state().epochs > 1);  // a later epoch was better, so that the two differ
  CHECK(same_bits(model.weights(), kept));
}
