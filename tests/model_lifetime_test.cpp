#include <doctest/doctest.h>

#include "errors.hpp"
#include "training.hpp"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <reprise/models/forecaster.hpp>
#include <reprise/scores/scores.hpp>
#include <reprise/scores/window_array.hpp>
#include <reprise/training/callbacks.hpp>
#include <reprise/training/trainer.hpp>

// What happens to a model while it is trained, and what is left of a value that was moved from. The memory
// that is at stake is watched by the tests with AddressSanitizer.
namespace {

using reprise::Autoencoder;
using reprise::Index;
using reprise::Sequences;
using reprise::TrainingEvent;
using reprise::TrainingStage;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::error_of;

/// Calls `use` once, after the first batch.
template <typename Use>
reprise::Callback after_first_batch(Use use) {
  return [use, done = false](TrainingEvent& event) mutable {
    if (event.stage == TrainingStage::batch_end && !std::exchange(done, true)) use();
  };
}

reprise::FitOptions two_epochs(reprise::Callback callback) {
  return {.epochs = 2, .callbacks = {std::move(callback)}};
}

TEST_CASE(
    "a model that a callback replaces by a larger one is trained no further, and the larger one stays") {
  const Windows windows = test::wave_windows(70, 4);
  const Autoencoder<float> larger({.steps = 4, .encoder = {{.units = 40}}, .decoder = {{.units = 40}}});
  const std::string message = "fit: expected the model to stay until the training is over";
  for (const bool moved : {false, true}) {
    CAPTURE(moved);
    Autoencoder<float> model(test::small_model(4));
    const auto replace = [&] {
      if (moved) {
        model = Autoencoder<float>(larger);
      } else {
        model = larger;
      }
    };
    CHECK(contains(error_of([&] { model.fit(windows, two_epochs(after_first_batch(replace))); }), message));
    CHECK(model.weights() == larger.weights());
    CHECK(model.fit(windows).loss.size() == 1);
  }
  auto destroyed = std::make_unique<Autoencoder<float>>(test::small_model(4));
  CHECK(contains(
      error_of([&] { destroyed->fit(windows, two_epochs(after_first_batch([&] { destroyed.reset(); }))); }),
      message));
}

TEST_CASE("a model that a callback moves elsewhere is trained there") {
  const Windows windows = test::wave_windows(70, 4);
  Autoencoder<float> alone(test::small_model(4));
  alone.fit(windows, {.epochs = 2});
  std::vector<Autoencoder<float>> models;
  models.reserve(1);
  models.emplace_back(test::small_model(4));
  // Another model more than there is room for: all move.
  models.front().fit(windows,
                     two_epochs(after_first_batch([&] { models.emplace_back(test::small_model(4)); })));
  REQUIRE(models.size() == 2);
  CHECK(models.front().weights() == alone.weights());
  CHECK(models.front().training_state().epochs == 2);
}

TEST_CASE("a callback may put parameters of the same names and sizes into the model that is trained") {
  const Windows windows = test::wave_windows(70, 4);
  Autoencoder<float> model(test::small_model(4));
  const Autoencoder<float> start = model;
  model.fit(windows, {.epochs = 3, .callbacks = {[&](const TrainingEvent& event) {
                                     if (event.stage == TrainingStage::end)
                                       model.set_weights(start.weights());
                                   }}});
  CHECK(model.weights() == start.weights());
  CHECK(model.training_state().epochs == 3);
  const float* const place = model.weights().data();
  model = start;
  CHECK(model.weights().data() == place);  // what points to them stays valid
  CHECK(model.training_state().epochs == 0);
}

TEST_CASE("a model of the same sizes that a callback assigns is trained on with the optimizer of the fit") {
  const Windows windows = test::wave_windows(70, 4);
  const Autoencoder<float> start(test::small_model(4));
  Autoencoder<float> trained = start;
  trained.fit(windows, {.epochs = 3, .optimizer = reprise::Sgd{}});
  for (const auto& other : {start, trained}) {
    Autoencoder<float> written = start, assigned = start;
    written.fit(windows, two_epochs(after_first_batch([&] { written.set_weights(other.weights()); })));
    assigned.fit(windows, two_epochs(after_first_batch([&] { assigned = other; })));
    CHECK(assigned.weights() == written.weights());
    CHECK(assigned.training_state().optimizer == reprise::Optimizer(reprise::Adam{}));
    CHECK(assigned.training_state().epochs == 2);
  }
}

TEST_CASE("a trainer refuses parameters that a callback resizes, and keeps the network that it began with") {
  const Windows windows = test::wave_windows(70, 4);
  const auto network_of = [](Index units) {
    reprise::Sequential<float> network({.steps = 4, .features = 1});
    network.add("lstm", reprise::Lstm<float>(1, {.units = units, .return_sequences = true}));
    network.add("output", reprise::TimeDistributed<float>(units, {.units = 1}));
    return network;
  };
  reprise::Sequential<float> network = network_of(3);
  const auto parameters_of = [](const reprise::Sequential<float>& of) {
    Vector<float> parameters(of.parameters().size());
    of.initialize(parameters.data(), 1);
    return parameters;
  };
  Vector<float> parameters = parameters_of(network), expected = parameters;
  reprise::TrainingState<float> state, expected_state;
  reprise::Trainer<float>(network, expected, expected_state).fit(windows, {.epochs = 2});
  reprise::Trainer<float>(network, parameters, state).fit(windows, two_epochs(after_first_batch([&] {
                                                            network = network_of(60);
                                                          })));
  CHECK(parameters == expected);

  network = network_of(3);
  for (const Index size : {Index{0}, Index{3}, parameters.size() + 1}) {
    CAPTURE(size);
    parameters = parameters_of(network);
    state = {};
    const std::string message = error_of([&] {
      reprise::Trainer<float>(network, parameters, state).fit(windows, two_epochs(after_first_batch([&] {
                                                                parameters = Vector<float>::Zero(size);
                                                              })));
    });
    CHECK(message == "fit: parameters: expected " + std::to_string(network.parameters().size()) +
                         " values, got " + std::to_string(size));
  }
}

TEST_CASE("a model that was moved from refuses, and can be assigned to") {
  const Windows windows = test::wave_windows(5, 4);
  Autoencoder<float> model(test::small_model(4));
  const Autoencoder<float> copy = model;
  Autoencoder<float> taken = std::move(model);
  const std::string message = "Autoencoder: expected a model, got one that was moved from";
  CHECK(error_of([&] { model.fit(windows); }) == message);
  CHECK(error_of([&] { return model.reconstruct(windows); }) == message);
  CHECK(error_of([&] { return model.encode(windows); }) == message);
  CHECK(error_of([&] { return model.decode(Sequences<float>({.samples = 1, .steps = 1, .features = 3})); }) ==
        message);
  CHECK(error_of([&] { return model.evaluate(windows); }) == message);
  CHECK(error_of([&] { return model.summary(); }) == message);
  CHECK(error_of([&] { model.weights(); }) == message);
  CHECK(error_of([&] { model.writable_weights(); }) == message);
  CHECK(error_of([&] { model.parameter("output.bias"); }) == message);
  CHECK(error_of([&] { model.parameters(); }) == message);
  CHECK(error_of([&] { model.network(); }) == message);
  CHECK(error_of([&] { model.code_size(); }) == message);
  CHECK(error_of([&] { model.training_state(); }) == message);
  CHECK(error_of([&] { model.options(); }) == message);
  CHECK(error_of([&] { model.steps(); }) == message);
  CHECK(error_of([&] { model.features(); }) == message);
  CHECK(error_of([&] { Autoencoder<float> another(model); }) == message);
  model = copy;
  CHECK(model.reconstruct(windows).values() == taken.reconstruct(windows).values());

  reprise::Forecaster<double> forecaster({.steps = 4, .layers = {{.units = 2}}});
  const auto kept = std::move(forecaster);
  const std::string of_forecaster = "Forecaster: expected a model, got one that was moved from";
  CHECK(error_of([&] { return forecaster.predict(windows); }) == of_forecaster);
  CHECK(error_of([&] { return forecaster.summary(); }) == of_forecaster);
  CHECK(error_of([&] { forecaster.options(); }) == of_forecaster);
  CHECK(error_of([&] { forecaster.steps(); }) == of_forecaster);
  CHECK(error_of([&] { forecaster.horizon(); }) == of_forecaster);
}

TEST_CASE("a model whose parameters or network were taken refuses, and can be assigned to") {
  const Windows windows = test::wave_windows(5, 4);
  const Autoencoder<float> start(test::small_model(4));
  const std::string message = "Autoencoder: expected a model, got one that was moved from";
  Autoencoder<float> model = start;
  const Vector<float> weights = std::move(model).weights();
  CHECK(weights == start.weights());
  CHECK(error_of([&] { return model.reconstruct(windows); }) == message);
  CHECK(error_of([&] { model.weights(); }) == message);
  model = start;
  const reprise::Sequential<float> network = std::move(model).network();
  CHECK(network.parameters() == start.parameters());
  CHECK(error_of([&] { model.fit(windows); }) == message);
  CHECK(error_of([&] { std::move(model).network(); }) == message);
  model = start;
  CHECK(model.reconstruct(windows).values() == start.reconstruct(windows).values());
}

TEST_CASE("sequences that were moved from are empty, while windows, sources and layers stay what they were") {
  Sequences<float> batch({.samples = 3, .steps = 2, .features = 4});
  Sequences<float> taken = std::move(batch);
  CHECK(taken.batch() == 3);
  CHECK(batch.sizes() == reprise::BatchShape{});
  CHECK(batch.view().size() == 0);
  batch = std::move(taken);
  CHECK(batch.steps() == 2);
  CHECK(taken.sizes() == reprise::BatchShape{});

  Windows windows = test::wave_windows(5, 4);
  const Windows kept = std::move(windows);
  CHECK(windows.features() == 1);
  CHECK(windows(4, 3, 0) == kept(4, 3, 0));
  reprise::JoinedWindows joined(std::vector<Windows>{windows, windows});
  const reprise::JoinedWindows kept_joined = std::move(joined);
  CHECK(joined.input_shape() == kept_joined.input_shape());
  reprise::Source source = windows;
  const reprise::Source kept_source = std::move(source);
  CHECK(source.size() == kept_source.size());
  reprise::AnyLayer<float> layer = reprise::Reverse<float>();
  const reprise::AnyLayer<float> kept_layer = std::move(layer);
  CHECK(layer.name() == kept_layer.name());
}

template <typename T>
concept HasView = requires { std::declval<T>().view(); };
template <typename T>
concept IsWindowArray =
    requires(T values) { reprise::window_array(std::forward<T>(values), reprise::SequenceShape{}); };

TEST_CASE("there is no view of a temporary") {
  CHECK(HasView<Sequences<float>&>);
  CHECK(HasView<const Sequences<float>&>);
  CHECK_FALSE(HasView<Sequences<float>>);
  CHECK_FALSE(HasView<const Sequences<float>>);
  CHECK(IsWindowArray<std::vector<float>&>);
  CHECK(IsWindowArray<const std::vector<double>&>);
  CHECK_FALSE(IsWindowArray<std::vector<float>>);
  CHECK_FALSE(IsWindowArray<const std::vector<double>>);
  // What belongs to a temporary is handed over with its values.
  using Model = Autoencoder<float>;
  CHECK_FALSE(std::is_reference_v<decltype(std::declval<Sequences<float>>().values())>);
  CHECK_FALSE(std::is_reference_v<decltype(std::declval<Model>().weights())>);
  CHECK_FALSE(std::is_reference_v<decltype(std::declval<Model>().network())>);
  CHECK(std::is_same_v<decltype(std::declval<Model>().parameter("")), reprise::Matrix<float>>);
  CHECK_FALSE(std::is_reference_v<decltype(std::declval<reprise::JoinedWindows>().parts())>);
  Index points = 0;
  for (const Windows& part : reprise::JoinedWindows({test::wave_windows(5, 4)}).parts()) {
    points += part.length();
  }
  CHECK(points == 4);
}

}  // namespace
