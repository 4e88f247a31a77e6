#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <reprise/io/safetensors.hpp>
#include <reprise/models/forecaster.hpp>
#include <string>
#include <vector>

#include "own_kinds.hpp"
#include "temporary_directory.hpp"

namespace {

using namespace reprise;

Windows some_windows(Index horizon) {
  std::vector<double> series;
  for (int t = 0; t < 60; ++t) series.push_back(std::sin(0.7 * t) + 0.1 * (t % 5));
  return sliding_windows(series, {.length = 5, .horizon = horizon});
}

/// Loaded after two epochs, the model makes the same third epoch, bit for bit.
template <typename Model, typename Options>
void check_goes_on(const Options& options, Index horizon, const Optimizer& optimizer,
                   const Registry& registry = {}) {
  const test::TemporaryDirectory directory;
  const FitOptions fit{.epochs = 2, .batch_size = 16, .optimizer = optimizer};
  Model model(options);
  model.fit(some_windows(horizon), fit);
  save(model, directory / "model");
  auto loaded = load<Model>(directory / "model", registry);
  CHECK(loaded.options() == model.options());
  CHECK(loaded.weights() == model.weights());
  const double loss = model.fit(some_windows(horizon), fit).loss.back();
  CHECK(loaded.fit(some_windows(horizon), fit).loss.back() == loss);
  CHECK(loaded.weights() == model.weights());
  CHECK(loaded.training_state().moments.custom == model.training_state().moments.custom);
}

RecurrentLayers every_kind() {
  return {GruOptions{.units = 3, .dropout = 0.25},
          BidirectionalOptions{.layer = LstmOptions{.units = 2}, .merge_mode = MergeMode::ave},
          BidirectionalOptions{.layer = GruOptions{.units = 2, .reset_after = false}}};
}

}  // namespace

TEST_CASE_TEMPLATE("files: an autoencoder of GRUs and bidirectional layers goes on where it was", Scalar,
                   float, double) {
  check_goes_on<Autoencoder<Scalar>>(
      AutoencoderOptions{.steps = 5, .encoder = every_kind(), .decoder = {GruOptions{.units = 2}}}, 0,
      Adam{});
}

TEST_CASE("files: a forecaster goes on where it was") {
  check_goes_on<Forecaster<double>>(ForecasterOptions{.steps = 5, .horizon = 2, .layers = every_kind()}, 2,
                                    RmsProp{.centered = true});
  check_goes_on<Forecaster<float>>(ForecasterOptions{.steps = 5, .layers = {{.units = 3}}}, 1,
                                   Sgd{.momentum = 0.5});
}

TEST_CASE("files: own activations, initialisers, optimizers and schedules are known by the registry") {
  AutoencoderOptions options{.steps = 5, .encoder = {{.units = 2}}, .decoder = {{.units = 2}}};
  options.encoder[0].activation = own::SteepTanh{.steepness = 0.5};
  options.encoder[0].kernel_initializer = initializer::custom(own::Stairs{.width = 0.125});
  options.output_activation = own::Arctan{};
  Registry registry;
  registry.add<CustomActivation, own::SteepTanh>().add<CustomActivation, own::Arctan>();
  registry.add<CustomInitializer, own::Stairs>().add<CustomOptimizer, own::Adam>();
  registry.add<CustomSchedule, own::Halving>();
  const own::Adam optimizer{.learning_rate = own::Halving{.first = 0.01}, .clip = ClipNorm{0.5}};
  check_goes_on<Autoencoder<float>>(options, 0, optimizer, registry);

  const test::TemporaryDirectory directory;
  save(Autoencoder<float>(options), directory / "model");
  std::string message;
  try {
    static_cast<void>(load<Autoencoder<float>>(directory / "model"));
  } catch (const FileError& error) {
    message = error.what();
  }
  CAPTURE(message);
  CHECK(message.find(
            "options.encoder[0].activation.kind: expected a known activation or one of the registry, got "
            "\"steep_tanh\"") != std::string::npos);
}
