#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "temporary_directory.hpp"
#include "training.hpp"

// A loss, a gradient or a moment that stops being finite, and what is left of the model then.

using reprise::Adam;
using reprise::Autoencoder;
using reprise::Callback;
using reprise::EarlyStopping;
using reprise::FitOptions;
using reprise::History;
using reprise::Index;
using reprise::Sgd;
using reprise::TrainingEvent;
using reprise::TrainingStage;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::many_features;
using test::ones;
using test::passing_by;
using test::same_bits;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

reprise::AutoencoderOptions relu_model() {
  using reprise::activation::relu;
  return {.steps = 6,
          .encoder = {{.units = 8, .activation = relu}, {.units = 4, .activation = relu}},
          .decoder = {{.units = 4, .activation = relu}, {.units = 8, .activation = relu}}};
}

History history_of_aborted(Autoencoder<float>& model, const FitOptions& options) {
  try {
    model.fit(ones, options);
  } catch (const reprise::TrainingAborted& error) {
    return error.history();
  }
  FAIL("nothing thrown");
  return {};
}

/// Makes the next epoch explode.
Callback exploding_after(Index epoch, double factor = 1e38) {
  return [epoch, factor](TrainingEvent& event) {
    if (event.stage == TrainingStage::epoch_end && event.epoch == epoch) event.scale_learning_rate(factor);
  };
}

/// What fit threw; the message must suggest what to change.
template <typename Scalar>
std::string not_finite(Autoencoder<Scalar>& model, const Windows& windows, const FitOptions& options) {
  try {
    model.fit(windows, options);
  } catch (const reprise::TrainingAborted& error) {
    CHECK(contains(error.what(), "smaller learning rate"));
    CHECK(contains(error.what(), "clipping"));
    return error.what();
  }
  FAIL("nothing thrown");
  return {};
}

template <typename Scalar>
void check_finite(const Autoencoder<Scalar>& model) {
  CHECK(model.weights().allFinite());
  const auto& moments = model.training_state().moments;
  CHECK(moments.first.allFinite());
  CHECK(moments.second.allFinite());
  CHECK(moments.velocity.allFinite());
}

template <typename Scalar>
void check_usable(Autoencoder<Scalar>& model, const Windows& windows) {
  check_finite(model);
  CHECK(model.reconstruct(windows).values().allFinite());
  const double before = model.evaluate(windows);
  CHECK(std::isfinite(before));
  const History history = model.fit(windows, {.epochs = 20, .optimizer = Adam{.learning_rate = 1e-3}});
  CHECK(history.loss.size() == 20);
  CHECK(model.evaluate(windows) < before);
}

}  // namespace

TEST_CASE_TEMPLATE(
    "fit: when a loss explodes, the best of the states before and after each epoch is put back", Scalar,
    float, double) {
  const Windows windows = test::wave_windows(40, 6);
  const reprise::Optimizer optimizers[] = {
      Sgd{.learning_rate = 3.0}, Sgd{.learning_rate = 10.0}, Sgd{.learning_rate = 30.0, .momentum = 0.9},
      Adam{.learning_rate = 1e8}, reprise::RmsProp{.learning_rate = 1e8, .momentum = 0.5}};
  const std::vector<Index> judges = reprise::detail::judging_samples(40, {});
  REQUIRE(judges.size() == 32);
  const double root = std::sqrt(static_cast<double>(std::numeric_limits<Scalar>::max()));
  int exploded = 0, exploded_late = 0;
  for (const reprise::Optimizer& optimizer : optimizers) {
    CAPTURE(optimizer.index());
    Autoencoder<Scalar> model(relu_model());
    // Step by step until a loss, gradient or moment is not finite.
    test::Steps<Scalar> steps(model, optimizer);
    const auto judged = [&] {
      return steps.pass.loss_total(steps.theta.data(), windows, judges, {}, reprise::MeanSquaredError{});
    };
    Vector<Scalar> theta = steps.theta;
    reprise::OptimizerState<Scalar> state;
    double best = judged();
    Index epoch = 1, batch = 1, kept = 0;
    for (; epoch <= 100; batch % 5 == 0 ? (++epoch, batch = 1) : ++batch) {
      if (!std::isfinite(steps.loss(windows, test::numbers(8 * (batch - 1), 8)))) break;
      const double norm = reprise::gradient_norm(steps.gradient);
      if (!std::isfinite(norm)) break;
      steps.update();
      const bool finite = reprise::detail::all_finite(steps.state) && steps.theta.allFinite();
      if (!finite && (norm > 0.5 * root || batch == 5)) break;
      const double loss = batch == 5 ? judged() : infinity;
      if (!(loss < best)) continue;
      best = loss;
      theta = steps.theta;
      state = steps.state;
      kept = epoch;
    }
    // How long it takes, if it does not end in units that are off for ever, is chaos, and another compiler's
    // is another.
    if (epoch > 100) continue;
    ++exploded;
    exploded_late += epoch > 1;
    const std::string message = not_finite(
        model, windows, {.epochs = 200, .batch_size = 8, .shuffle = false, .optimizer = optimizer});
    CHECK(contains(message, "epoch " + std::to_string(epoch) + ", batch " + std::to_string(batch) + " of 5"));
    CHECK(contains(message, kept > 0 ? "the end of its best epoch" : "before the fit"));
    CHECK(same_bits(model.weights(), theta));
    CHECK(same_bits(model.training_state().moments, state));
    CHECK(model.training_state().optimizer.has_value() == (kept > 0));
    CHECK(model.training_state().epochs == kept);
    check_finite(model);
  }
  CHECK(exploded >= 3);
  CHECK(exploded_late >= 1);
}

TEST_CASE_TEMPLATE("fit: after an explosion parameters, moments and counters are those of the best epoch",
                   Scalar, float, double) {
  const Windows windows = test::wave_windows(45, 5, 2);
  for (const bool validated : {false, true}) {
    CAPTURE(validated);
    FitOptions options = many_features(3);
    if (!validated) options.validation_split = 0.0;
    Autoencoder<Scalar> earlier(test::small_model_with_dropout(5, 2));
    earlier.fit(windows, options);
    Autoencoder<Scalar> expected = earlier, model = earlier;
    options.epochs = 5;
    expected.fit(windows, options);
    options.callbacks = {exploding_after(5, std::is_same_v<Scalar, double> ? 1e300 : 1e38)};
    options.epochs = 50;
    not_finite(model, windows, options);
    CHECK(same_bits(model.weights(), expected.weights()));
    CHECK(same_bits(model.training_state().moments, expected.training_state().moments));
    CHECK(model.training_state().epochs == 8);
    CHECK(model.training_state().learning_rate_scale == 1.0);

    // Where all epochs are worse, all is as it was before.
    options.optimizer = Sgd{.learning_rate = 1e3};
    model = earlier;
    not_finite(model, windows, options);
    CHECK(same_bits(model.weights(), earlier.weights()));
    CHECK(same_bits(model.training_state().moments, earlier.training_state().moments));
    CHECK(model.training_state().optimizer == earlier.training_state().optimizer);
    CHECK(model.training_state().epochs == 3);
  }
}

TEST_CASE("fit: the error of an explosion has the losses until then") {
  const Windows windows = test::wave_windows(40, 6);
  const Autoencoder<float> start(test::small_model(6));
  Autoencoder<float> whole = start, model = start;
  FitOptions options{.epochs = 4, .validation_split = 0.2};
  const History expected = whole.fit(windows, options);
  options.epochs = 9;
  options.callbacks = {exploding_after(4)};
  try {
    model.fit(windows, options);
    FAIL("nothing thrown");
  } catch (const reprise::TrainingAborted& error) {
    const reprise::TrainingAborted copy = error;
    CHECK(copy.history().loss == expected.loss);
    CHECK(copy.history().validation_loss == expected.validation_loss);
    CHECK(copy.history().learning_rate == expected.learning_rate);
    CHECK(copy.what() == std::string(error.what()));
  }
}

TEST_CASE("fit: after an explosion a smaller rate, clipping and scaled inputs help") {
  const Windows windows = test::wave_windows(40, 6);
  for (const double rate : {2000.0, 1e6}) {
    Autoencoder<float> model(relu_model());
    const double before = model.evaluate(windows);
    not_finite(model, windows, {.epochs = 20, .batch_size = 8, .optimizer = Sgd{.learning_rate = rate}});
    CHECK(model.evaluate(windows) <= before);
    model.fit(windows, {.epochs = 10, .batch_size = 8, .optimizer = Sgd{.learning_rate = 0.01}});
    CHECK(model.evaluate(windows) < before);
    model.fit(windows, {.epochs = 10,
                        .batch_size = 8,
                        .optimizer = Sgd{.learning_rate = 0.1, .clip = reprise::GlobalClipNorm{0.01}}});
    CHECK(model.evaluate(windows) < before);
  }

  // Moments of gradients of a million, which are finite, would keep Adam from moving for thousands of steps.
  std::vector<double> raw, scaled;
  for (int t = 0; t < 60; ++t) {
    scaled.push_back(std::sin(0.5 * t));
    raw.push_back(1e6 + 1e5 * scaled.back());
  }
  const Adam adam{.learning_rate = 0.01};
  Autoencoder<float> model(test::small_model(6));
  not_finite(model, reprise::sliding_windows(raw, {.length = 6}),
             {.epochs = 10, .optimizer = adam, .callbacks = {exploding_after(3)}});
  CHECK(model.training_state().epochs == 3);
  CHECK(model.training_state().aborted_norm > 1e5);
  const Windows usual = reprise::sliding_windows(scaled, {.length = 6});
  const double before = model.evaluate(usual);
  model.fit(usual, {.epochs = 60, .optimizer = adam});
  CHECK(model.evaluate(usual) < 0.5 * before);
  CHECK(model.training_state().epochs == 63);
  CHECK(model.training_state().moments.step == 120);
  CHECK(model.training_state().aborted_norm == 0.0);
}

TEST_CASE("fit: a square of a gradient that is infinite ends the fit, a clipped one does not") {
  const Windows windows = test::constant_windows(10, 6, 1.5e19);  // their squares are floats
  for (const reprise::Optimizer& optimizer :
       {reprise::Optimizer(Adam{}), reprise::Optimizer(reprise::AdamW{}),
        reprise::Optimizer(reprise::RmsProp{})}) {
    CAPTURE(optimizer.index());
    Autoencoder<float> model(test::small_model(6));
    const std::string message =
        not_finite(model, windows, {.epochs = 3, .batch_size = 5, .optimizer = optimizer});
    CHECK(contains(message, "what the optimizer remembers to stay finite, got inf in epoch 1, batch 1 of 2"));
    check_finite(model);
  }
  Autoencoder<float> model(test::small_model(6));
  model.fit(windows, {.epochs = 3, .optimizer = Adam{.clip = reprise::GlobalClipNorm{1.0}}});
  check_finite(model);
}

TEST_CASE("fit: the samples that judge an epoch's end") {
  const auto judges = [](Index trained, const std::vector<double>& weights = {}) {
    const std::vector<Index> result = reprise::detail::judging_samples(trained, weights);
    for (std::size_t i = 0; i < result.size(); ++i) {
      REQUIRE(result[i] >= (i == 0 ? 0 : result[i - 1] + 1));
      REQUIRE(result[i] < trained);
    }
    return result;
  };
  CHECK(judges(1) == std::vector<Index>{0});
  CHECK(judges(32) == test::numbers(0, 32));
  CHECK(judges(33).size() == 32);
  CHECK(judges(1000).size() == 32);
  CHECK(judges(3200).size() == 100);
  CHECK(judges(1000000).size() == 256);
  CHECK(judges(1000000).back() > 990000);
  CHECK(judges(5, {1, 0, 0, 2, 3}) == std::vector<Index>{0, 3, 4});
  CHECK(judges(3, {0, 0, 0}) == test::numbers(0, 3));
}

TEST_CASE("fit: the model is left usable when the loss stops being finite") {
  const Windows windows = test::wave_windows(40, 6);
  const reprise::Optimizer optimizers[] = {Sgd{.learning_rate = 2000.0}, Adam{.learning_rate = 1e4},
                                           reprise::RmsProp{.learning_rate = 1e5}};
  for (const reprise::Optimizer& optimizer : optimizers) {
    CAPTURE(optimizer.index());
    Autoencoder<float> model(relu_model());
    not_finite(model, windows, {.epochs = 3, .batch_size = 8, .shuffle = false, .optimizer = optimizer});
    check_usable(model, windows);
  }
  Autoencoder<double> model(relu_model());
  not_finite(model, windows,
             {.epochs = 3, .batch_size = 8, .shuffle = false, .optimizer = Sgd{.learning_rate = 1e8}});
  check_usable(model, windows);
}

TEST_CASE("fit: the very last update of a fit is looked at too") {
  const Windows windows = test::wave_windows(40, 6);
  const Autoencoder<float> start(relu_model());
  Autoencoder<float> model = start;
  FitOptions options{.batch_size = 40, .optimizer = Sgd{.learning_rate = 1e30}};
  SUBCASE("without validation") {
    const std::string message = not_finite(model, windows, options);
    CHECK(contains(message, "after the last update"));
    CHECK(contains(message, "epoch 1, batch 1 of 1"));
  }
  SUBCASE("with validation") {
    options.validation_data = windows.subset(0, 20);
    const std::string message = not_finite(model, windows, options);
    CHECK(contains(message, "validation loss"));
    CHECK(contains(message, "epoch 1, batch 1 of 1"));
  }
  SUBCASE("when a callback ends the training at a batch") {
    options.epochs = 5;
    options.batch_size = 20;
    options.callbacks = {[](TrainingEvent& event) {
      if (event.stage == TrainingStage::batch_end) event.stop_training();
    }};
    CHECK(contains(not_finite(model, windows, options), "epoch 1, batch 1 of 2"));
  }
  CHECK(same_bits(model.weights(), start.weights()));
  CHECK(model.training_state().moments.step == 0);
  check_usable(model, windows);
}

TEST_CASE("fit: a gradient that is infinite while the loss is not") {
  Autoencoder<float> model(relu_model());
  // An output of zero, whatever the states; these are huge.
  model.parameter("output.kernel").setZero();
  for (const char* name : {"encoder.0.kernel", "encoder.1.kernel", "decoder.0.kernel", "decoder.1.kernel"}) {
    model.parameter(name) = model.parameter(name).cwiseAbs() * 1e6f;
  }
  const Windows windows = test::constant_windows(10, 6, 1e12);
  REQUIRE(std::isfinite(model.evaluate(windows)));
  const Autoencoder<float> start = model;
  const std::string message =
      not_finite(model, windows, {.batch_size = 5, .optimizer = Adam{.learning_rate = 0.1}});
  CHECK(contains(message, "gradient"));
  CHECK(contains(message, "epoch 1, batch 1 of 2"));
  CHECK(same_bits(model.weights(), start.weights()));
  CHECK(model.training_state().moments.step == 0);
  CHECK(std::isfinite(model.evaluate(windows)));
  // Windows of usual size are no harder for it than before.
  const Windows usual = test::constant_windows(10, 6, 1e-6);
  CHECK_NOTHROW(model.fit(usual, {.optimizer = Adam{.learning_rate = 1e-3}}));
}

TEST_CASE("fit: inputs too large for the scalar leave the initial parameters") {
  const Autoencoder<float> start(test::small_model(4));
  Autoencoder<float> model = start;
  const std::string message = not_finite(model, test::constant_windows(10, 4, 1e30), {.epochs = 3});
  CHECK(contains(message, "the loss"));
  CHECK(contains(message, "epoch 1, batch 1 of 1"));
  CHECK(same_bits(model.weights(), start.weights()));
  CHECK(model.training_state().moments.step == 0);
}

TEST_CASE("callbacks: they hear of the end when a loss explodes, and the model is its best again") {
  std::vector<bool> ends;
  const Callback listener = [&](TrainingEvent& event) {
    if (event.stage == TrainingStage::end) ends.push_back(event.aborted);
    if (event.stage != TrainingStage::end) CHECK_FALSE(event.aborted);
    if (event.aborted) CHECK(event.history().loss.size() == 3);
  };
  Autoencoder<float> model(test::small_model(4));
  history_of_aborted(model, passing_by(9, {exploding_after(3), listener}));
  CHECK(ends == std::vector<bool>{true});
  model.fit(ones, passing_by(2, {listener}));
  CHECK(ends == std::vector<bool>{true, false});
}

TEST_CASE("EarlyStopping: when a loss explodes, the best weights come back too") {
  for (const bool watching : {false, true}) {
    Autoencoder<float> model(test::small_model(4));
    std::vector<Vector<float>> weights;
    const Callback snapshots = [&](TrainingEvent& event) {
      if (event.stage == TrainingStage::epoch_end) weights.push_back(model.weights());
    };
    EarlyStopping stopping{.patience = 1000, .restore_best_weights = true};
    FitOptions options = passing_by(100, {snapshots, exploding_after(60)});
    if (watching) options.callbacks.push_back(std::ref(stopping));
    const History history = history_of_aborted(model, options);
    const auto& losses = history.validation_loss;
    const auto best =
        static_cast<std::size_t>(std::min_element(losses.begin(), losses.end()) - losses.begin());
    REQUIRE(history.loss.size() == 60);
    REQUIRE(best > 1);
    REQUIRE(best + 1 < 60);
    CHECK(same_bits(model.weights(), weights.at(best)));
    CHECK(model.training_state().epochs == static_cast<Index>(best) + 1);
    CHECK(model.training_state().moments.step == 2 * (static_cast<Index>(best) + 1));
    if (watching) CHECK(stopping.best_ == history.validation_loss[best]);
  }
}

TEST_CASE("callbacks: kept weights that are a wreck do not come back when a loss explodes") {
  const Autoencoder<float> start(test::small_model(4));
  for (const double bias : {1e15, 0.9}) {  // finite both; the second is close to what is to be learnt
    CAPTURE(bias);
    Autoencoder<float> model = start;
    const Callback keeper = [bias](TrainingEvent& event) {
      if (event.stage == TrainingStage::epoch_end && event.epoch == 2) {
        event.set_parameter("output.bias", reprise::Matrix<double>::Constant(1, 1, bias));
        event.keep_weights();
      }
      if (event.stage == TrainingStage::end) event.restore_kept_weights();
    };
    FitOptions options = passing_by(9, {keeper, exploding_after(2)});
    options.validation_data.reset();
    history_of_aborted(model, options);
    CHECK((model.parameter("output.bias")(0, 0) == static_cast<float>(bias)) == (bias < 1.0));
    CHECK(model.evaluate(ones) <= start.evaluate(ones));
  }
}

TEST_CASE("CsvLog: when a loss explodes, the lines until then are there") {
  const test::TemporaryDirectory directory;
  const std::string file = (directory / "log.csv").string();
  Autoencoder<float> model(test::small_model(4));
  reprise::CsvLog log{file};
  history_of_aborted(model, passing_by(9, {exploding_after(3), std::ref(log)}));
  CHECK(log.file_ == nullptr);  // it is closed
  std::stringstream read;
  read << std::ifstream(file).rdbuf();
  const std::string text = read.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
}
