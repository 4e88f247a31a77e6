#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::Autoencoder;
using reprise::FitOptions;
using reprise::History;
using reprise::Index;
using reprise::Matrix;
using reprise::Sgd;
using reprise::TrainingEvent;
using reprise::TrainingStage;
using reprise::Windows;
using test::contains;
using test::error_of;
using test::same_bits;

TEST_CASE_TEMPLATE("events: a callback reads every parameter as it is, without knowing the model", Scalar,
                   float, double) {
  const Windows windows = test::wave_windows(20, 4);
  Autoencoder<Scalar> model(test::small_model(4));
  Index looked = 0;
  FitOptions options{.epochs = 2, .batch_size = 8};
  options.callbacks = {[&](TrainingEvent& event) {
    for (const auto& tensor : event.parameters()) {
      const Matrix<double> values = event.parameter(tensor.name);
      CHECK(values == model.parameter(tensor.name).template cast<double>());
      ++looked;
    }
  }};
  model.fit(windows, options);
  CHECK(looked == 14 * (1 + 2 * (3 + 1) + 1));
}

TEST_CASE("events: the gradient's norm is that of the last batch, before clipping") {
  const Windows windows = test::wave_windows(20, 4);
  const Autoencoder<double> start(test::small_model(4));
  const reprise::Optimizer sgd = Sgd{.learning_rate = 0.1, .clip = reprise::GlobalClipNorm{1e-3}};
  std::vector<double> norms, expected;
  FitOptions options{.batch_size = 8, .shuffle = false, .optimizer = sgd};
  options.callbacks = {[&](TrainingEvent& event) {
    if (event.stage == TrainingStage::batch_end) norms.push_back(event.gradient_norm);
  }};
  Autoencoder<double>(start).fit(windows, options);
  test::Steps<double> steps(start, sgd);
  for (const Index first : {0, 8, 16}) {
    steps.loss(windows, test::numbers(first, std::min<Index>(8, 20 - first)));
    expected.push_back(steps.gradient.norm());
    steps.update();
  }
  REQUIRE(norms.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(norms[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

TEST_CASE("events: the history so far, and at the end all of it") {
  const Windows windows = test::wave_windows(20, 4);
  Autoencoder<float> model(test::small_model(4));
  std::vector<History> seen;
  FitOptions options{.epochs = 3, .validation_split = 0.2};
  options.callbacks = {[&](TrainingEvent& event) {
    if (event.stage == TrainingStage::batch_end) CHECK(event.history().loss.size() == seen.size());
    if (event.stage == TrainingStage::epoch_end) seen.push_back(event.history());
    if (event.stage == TrainingStage::end) CHECK(event.history().loss.size() == 3);
  }};
  const History history = model.fit(windows, options);
  REQUIRE(seen.size() == 3);
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    REQUIRE(seen[epoch].loss.size() == epoch + 1);
    CHECK(seen[epoch].loss.back() == history.loss[epoch]);
    CHECK(seen[epoch].validation_loss.back() == history.validation_loss[epoch]);
    CHECK(seen[epoch].learning_rate.back() == history.learning_rate[epoch]);
  }
}

TEST_CASE_TEMPLATE("events: a parameter written through the event is what the training goes on from", Scalar,
                   float, double) {
  const Windows windows = test::wave_windows(20, 4);
  const Autoencoder<Scalar> start(test::small_model(4));
  // By hand: an epoch, the kernel halved, another epoch.
  Autoencoder<Scalar> expected = start, model = start;
  expected.fit(windows, {.epochs = 1});
  expected.parameter("output.kernel") *= Scalar(0.5);
  expected.fit(windows, {.epochs = 1});

  FitOptions options{.epochs = 2};
  options.callbacks = {[](TrainingEvent& event) {
    if (event.stage != TrainingStage::epoch_end || event.epoch != 1) return;
    event.set_parameter("output.kernel", 0.5 * event.parameter("output.kernel"));
  }};
  model.fit(windows, options);
  CHECK(same_bits(model.weights(), expected.weights()));
}

TEST_CASE("events: what cannot be is refused by name") {
  const auto message = [](void (*callback)(TrainingEvent&)) {
    Autoencoder<float> model(test::small_model(4));
    return error_of([&] { model.fit(test::wave_windows(8, 4), {.callbacks = {callback}}); });
  };
  CHECK(contains(message([](TrainingEvent& e) { e.parameter("kernel"); }), "got kernel"));
  CHECK(message([](TrainingEvent& e) { e.set_parameter("output.bias", Matrix<double>::Zero(2, 1)); }) ==
        "set_parameter: output.bias: expected 1 x 1 values, got 2 x 1");
  CHECK(contains(message([](TrainingEvent& e) {
                   e.set_parameter("output.bias", Matrix<double>::Constant(1, 1, HUGE_VAL));
                 }),
                 "set_parameter: output.bias: expected finite values"));
  CHECK(contains(error_of([] { TrainingEvent().history(); }),
                 "TrainingEvent: expected an event that a training sent"));
}
