#include <doctest/doctest.h>

#include <filesystem>

#include <reprise/io/checkpoint.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/models/autoencoder.hpp>
#include <reprise/models/forecaster.hpp>

#include "gradient_check.hpp"
#include "temporary_directory.hpp"
#include "training.hpp"

using reprise::FitOptions;
using reprise::Forecaster;
using reprise::ForecasterOptions;
using reprise::Windows;
using test::contains;
using test::error_of;
using test::same_bits;

namespace {

ForecasterOptions some_layers() {
  return {.steps = 6,
          .features = 2,
          .horizon = 3,
          .layers = {{.units = 5, .dropout = 0.2}, {.units = 4}},
          .output_activation = reprise::activation::tanh,
          .seed = 3};
}

}  // namespace

TEST_CASE_TEMPLATE("forecaster's file: gives the model back, whose training goes on bit for bit", Scalar,
                   float, double) {
  const test::TemporaryDirectory directory;
  const std::string file = (directory / "model").string();
  const Windows windows = reprise::sliding_windows(test::wave(60, 2), {.length = 6, .horizon = 3});
  Forecaster<Scalar> whole(some_layers());
  FitOptions options{.epochs = 2, .batch_size = 16, .frozen = {"layers.0"}};
  whole.fit(windows, options);
  save(whole, file);
  auto loaded = reprise::load<Forecaster<Scalar>>(file);
  CHECK(loaded.options() == whole.options());
  CHECK(same_bits(loaded.weights(), whole.weights()));
  CHECK(same_bits(loaded.predict(windows).values(), whole.predict(windows).values()));
  // With the same layer frozen, and then with none.
  for (const bool frozen : {true, false}) {
    if (!frozen) options.frozen.clear();
    whole.fit(windows, options);
    loaded.fit(windows, options);
    CHECK(same_bits(loaded.weights(), whole.weights()));
    CHECK(same_bits(loaded.training_state().moments, whole.training_state().moments));
  }
}

TEST_CASE("forecaster's file: written by a checkpoint, and not taken for another model's") {
  const test::TemporaryDirectory directory;
  const std::string file = (directory / "model").string();
  const Windows windows = reprise::sliding_windows(test::wave(60, 2), {.length = 6, .horizon = 3});
  Forecaster<float> model(some_layers()), rest(some_layers());
  FitOptions options{.epochs = 5, .batch_size = 16};
  options.callbacks = {reprise::ModelCheckpoint{.path = file, .every = 3}};
  model.fit(windows, options);
  rest = reprise::load<Forecaster<float>>(file);
  CHECK(rest.training_state().epochs == 3);
  rest.fit(windows, {.epochs = 2, .batch_size = 16});
  CHECK(same_bits(rest.weights(), model.weights()));
  CHECK(contains(error_of([&] { return reprise::load<reprise::Autoencoder<float>>(file); }), "Forecaster"));
}
