#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <reprise/io/checkpoint.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/models/autoencoder.hpp>
#include <string>
#include <vector>

#include "temporary_directory.hpp"

namespace {

using namespace reprise;
namespace fs = std::filesystem;

using Directory = test::TemporaryDirectory;

Windows some_windows() {
  std::vector<double> series;
  for (int t = 0; t < 60; ++t) series.push_back(std::sin(0.7 * t) + 0.1 * (t % 5));
  return sliding_windows(series, {.length = 4});
}

AutoencoderOptions some_layers() {
  return {.steps = 4, .encoder = {{.units = 3, .dropout = 0.2}}, .decoder = {{.units = 2}}};
}

}  // namespace

TEST_CASE_TEMPLATE("checkpoint: what a callback saved goes on as the uninterrupted training", Scalar, float,
                   double) {
  const Directory directory;
  const FitOptions options{.epochs = 6,
                           .batch_size = 16,
                           .validation_split = 0.2,
                           .optimizer = AdamW{.learning_rate = ExponentialDecay{1e-2, 3, 0.9}},
                           .seed = 5};
  FitOptions watched = options;
  watched.callbacks = {[](TrainingEvent& event) {
                         if (event.stage == TrainingStage::epoch_end) event.scale_learning_rate(0.7);
                       },
                       ModelCheckpoint{.path = (directory / "after_{epoch}").string(), .every = 2}};
  Autoencoder<Scalar> whole(some_layers());
  whole.fit(some_windows(), watched);
  CHECK(directory.files() == 3);

  for (const Index epoch : {2, 4, 6}) {
    auto rest = load<Autoencoder<Scalar>>(directory / ("after_" + std::to_string(epoch)));
    CHECK(rest.training_state().epochs == epoch);
    if (epoch < 6) {
      FitOptions more = options;
      more.epochs = 6 - epoch;
      more.callbacks = {watched.callbacks[0]};
      CHECK(rest.weights() != whole.weights());
      rest.fit(some_windows(), more);
    }
    CHECK(rest.weights() == whole.weights());
    CHECK(rest.training_state().moments.second == whole.training_state().moments.second);
    CHECK(rest.training_state().learning_rate_scale == whole.training_state().learning_rate_scale);
  }
}

TEST_CASE("checkpoint: the best by validation loss, or by the loss") {
  const Directory directory;
  Autoencoder<double> model(some_layers());
  const Windows train = some_windows().subset(0, 40), other = some_windows().subset(40, 17);
  const History history = model.fit(
      train, {.epochs = 12,
              .validation_data = other,
              .optimizer = Sgd{.learning_rate = 1.5, .momentum = 0.8},
              .callbacks = {ModelCheckpoint{.path = (directory / "best").string(), .save_best_only = true},
                            ModelCheckpoint{.path = (directory / "lowest").string(),
                                            .save_best_only = true,
                                            .monitor = Monitor::loss,
                                            .save_optimizer_state = false},
                            ModelCheckpoint{.path = (directory / "last").string()}}});
  const auto place = [](const std::vector<double>& losses) {
    return std::min_element(losses.begin(), losses.end()) - losses.begin() + 1;
  };
  const auto best = place(history.validation_loss), lowest = place(history.loss);
  REQUIRE(best != lowest);  // else this test could not tell them apart
  REQUIRE(best != 12);
  const auto loaded = load<Autoencoder<double>>(directory / "best");
  CHECK(loaded.training_state().epochs == best);
  CHECK(loaded.evaluate(other) ==
        doctest::Approx(history.validation_loss[static_cast<std::size_t>(best - 1)]));
  CHECK(!load<Autoencoder<double>>(directory / "lowest").training_state().optimizer);
  CHECK(load<Autoencoder<double>>(directory / "last").weights() == model.weights());
  CHECK(directory.files() == 3);
}

TEST_CASE("checkpoint: handed in by reference, it starts anew with each fit") {
  const Directory directory;
  ModelCheckpoint checkpoint{.path = (directory / "best").string(), .save_best_only = true};
  checkpoint.best_ = -1.0;  // of a fit before
  Autoencoder<double> model(some_layers());
  const History history = model.fit(some_windows(), {.epochs = 2, .callbacks = {std::ref(checkpoint)}});
  CHECK(directory.files() == 1);
  CHECK(checkpoint.best_ == std::min(history.loss[0], history.loss[1]));
}

TEST_CASE("checkpoint: what cannot be is refused") {
  const Directory directory;
  Autoencoder<float> model(some_layers());
  const auto fit = [&](const ModelCheckpoint& checkpoint) {
    model.fit(some_windows(), {.callbacks = {checkpoint}});
  };
  CHECK_THROWS_WITH_AS(fit({}), "ModelCheckpoint: expected a path, got none", Error);
  CHECK_THROWS_WITH_AS(fit({.path = (directory / "x").string(), .every = 0}),
                       "ModelCheckpoint: expected every > 0, got 0", Error);
  CHECK_THROWS_AS(fit({.path = (directory / "none/x").string()}), FileError);
  CHECK(directory.files() == 0);
}
