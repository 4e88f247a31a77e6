#include <doctest/doctest.h>

#include <cmath>
#include <reprise/models/autoencoder.hpp>
#include <reprise/optimizers/optimizers.hpp>
#include <string>
#include <vector>

#include "differences.hpp"
#include "own_kinds.hpp"
#include "training.hpp"

namespace {

using reprise::Index;
using reprise::Optimizer;
using reprise::ParameterRange;
using Vector = reprise::Vector<double>;

reprise::ParameterTable table_of(const std::vector<Index>& tensors) {
  reprise::ParameterTable table;
  for (const Index size : tensors)
    table.add("tensor" + std::to_string(table.entries().size()), size, 1, true);
  return table;
}

Vector wiggle(Index size, double phase) {
  return Vector::NullaryExpr(size,
                             [&](Index i) { return std::sin(12.9898 * static_cast<double>(i) + phase); });
}

/// Parameters and state after some steps.
struct Result {
  Vector parameters;
  reprise::OptimizerState<double> state;
};
Result run(const Optimizer& optimizer, const std::vector<ParameterRange>& trainable = {}) {
  const auto table = table_of({20, 30, 5});
  reprise::validate(optimizer);
  Result result{wiggle(55, 0.5), reprise::initial_state<double>(optimizer, 55)};
  for (int step = 0; step < 6; ++step) {
    Vector gradient = wiggle(55, 1.0 + step);
    reprise::apply_update(optimizer, table, result.state, 0.5, gradient, result.parameters, trainable);
  }
  return result;
}

std::string message(const Optimizer& optimizer) {
  try {
    reprise::validate(optimizer);
  } catch (const reprise::Error& error) {
    return error.what();
  }
  return "accepted";
}

struct OwnChecks : own::Lion {
  static constexpr const char* kind = "OwnChecks";
  void validate() const {
    if (beta_1 > 1.0) throw reprise::Error("OwnChecks: expected beta_1 <= 1");
  }
};

/// Says itself what shapes its moments.
struct SaysItself : own::Lion {
  static constexpr const char* kind = "SaysItself";
  bool same_moments(const SaysItself& other) const { return beta_2 == other.beta_2; }
};
/// Another struct with the same name and fields.
struct AlsoLion : own::Lion {
  static constexpr int moments = 2;
};

}  // namespace

TEST_CASE("custom optimizer: moments go on with another rate or clip, and with what it says itself") {
  const auto same = [](const Optimizer& a, const Optimizer& b) {
    CHECK(reprise::detail::same_moments(b, a) == reprise::detail::same_moments(a, b));
    return reprise::detail::same_moments(a, b);
  };
  const own::Lion lion;
  CHECK(same(lion, own::Lion{.learning_rate = 0.5}));
  CHECK_FALSE(same(lion, own::Lion{.beta_1 = 0.5}));
  CHECK_FALSE(same(lion, AlsoLion{}));
  CHECK_FALSE(same(lion, own::Adam{}));
  CHECK_FALSE(same(own::Adam{}, reprise::Adam{}));
  CHECK(same(own::Adam{}, own::Adam{.learning_rate = own::Halving{}, .clip = reprise::ClipValue{}}));
  CHECK_FALSE(same(own::Adam{}, own::Adam{.epsilon = 1e-3}));
  CHECK(same(SaysItself{}, SaysItself{{.beta_1 = 0.5}}));
  CHECK_FALSE(same(SaysItself{}, SaysItself{{.beta_2 = 0.5}}));
  CHECK_FALSE(same(SaysItself{}, lion));

  const reprise::Windows windows = test::wave_windows(20, 4);
  reprise::Autoencoder<float> model(test::small_model(4));
  model.fit(windows, {.optimizer = own::Lion{.learning_rate = 1e-3}});
  model.fit(windows, {.optimizer = own::Lion{.learning_rate = 1e-4}});
  CHECK(model.training_state().moments.step == 2);
  CHECK(model.training_state().epochs == 2);
  model.fit(windows, {.optimizer = own::Lion{.beta_1 = 0.5}});
  CHECK(model.training_state().moments.step == 1);
}

TEST_CASE("custom optimizer: an own Adam is ours, with schedule, clip and frozen parameters") {
  const reprise::LearningRate rates[] = {
      0.01, reprise::ExponentialDecay{.initial_learning_rate = 0.02, .decay_steps = 2, .decay_rate = 0.5}};
  const reprise::Clip clips[] = {reprise::NoClip{}, reprise::ClipValue{0.3}, reprise::ClipNorm{1.0},
                                 reprise::GlobalClipNorm{1.5}};
  for (const reprise::LearningRate& rate : rates) {
    for (const reprise::Clip& clip : clips) {
      for (const auto& trainable :
           {std::vector<ParameterRange>{}, std::vector<ParameterRange>{{3, 10}, {20, 35}}}) {
        CAPTURE(clip.index());
        CAPTURE(trainable.size());
        const Result ours = run(reprise::Adam{.learning_rate = rate, .clip = clip}, trainable);
        const Result own = run(own::Adam{.learning_rate = rate, .clip = clip}, trainable);
        CHECK(test::largest_difference(own.parameters, ours.parameters) <= 1e-15);
        CHECK(test::largest_difference(own.parameters, wiggle(55, 0.5)) > 1e-3);
        REQUIRE(own.state.custom.size() == 2);
        CHECK(test::largest_difference(own.state.custom[0], ours.state.first) <= 1e-15);
        CHECK(test::largest_difference(own.state.custom[1], ours.state.second) <= 1e-15);
        CHECK(own.state.step == 6);
        CHECK(own.state.first.size() + own.state.second.size() + own.state.velocity.size() == 0);
      }
    }
  }
}

TEST_CASE("custom optimizer: Lion's first steps by hand") {
  const auto table = table_of({2});
  const Optimizer lion = own::Lion{.learning_rate = 0.1, .beta_1 = 0.5, .beta_2 = 0.75};
  auto state = reprise::initial_state<double>(lion, 2);
  Vector parameters = Vector::Zero(2), gradient(2);
  gradient << 4.0, -1.0;
  reprise::apply_update(lion, table, state, 1.0, gradient, parameters);  // m = 1 and -.25
  gradient << -0.5, 1.0;                                                 // c = .25 and .375
  reprise::apply_update(lion, table, state, 1.0, gradient, parameters);
  CHECK(parameters(0) == -0.2);
  CHECK(parameters(1) == 0.0);
  CHECK(state.custom[0](0) == 0.75 * 1.0 - 0.25 * 0.5);
}

TEST_CASE("custom optimizer: the state must have its moments") {
  const Optimizer own = own::Adam{};
  const auto table = table_of({4});
  Vector gradient = wiggle(4, 1.0), parameters = wiggle(4, 0.5);
  auto state = reprise::initial_state<double>(own, 4);
  state.custom.pop_back();
  CHECK_THROWS_WITH_AS(reprise::apply_update(own, table, state, 1.0, gradient, parameters),
                       "optimizer state: custom: expected 2 moments (see initial_state), got 1",
                       reprise::Error);
  state.custom.push_back(Vector::Zero(3));
  CHECK_THROWS_WITH_AS(reprise::apply_update(own, table, state, 1.0, gradient, parameters),
                       "optimizer state: custom: expected 4 values (see initial_state), got 3",
                       reprise::Error);
  state = reprise::initial_state<double>(reprise::Adam{}, 4);
  CHECK_THROWS_AS(reprise::apply_update(own, table, state, 1.0, gradient, parameters), reprise::Error);
  state = reprise::initial_state<double>(own, 4);
  CHECK_THROWS_AS(reprise::apply_update(reprise::Sgd{}, table, state, 1.0, gradient, parameters),
                  reprise::Error);
}

TEST_CASE("custom optimizer: each moment has a name of its own") {
  const Optimizer own = own::Adam{};
  auto state = reprise::initial_state<double>(own, 4);
  state.custom[1].setConstant(3.0);
  std::string seen;
  reprise::detail::for_each_moment(own, state,
                                   [&](const char* prefix, const Vector& moment, double smallest) {
                                     seen += prefix + std::to_string(static_cast<int>(moment(0))) + ' ';
                                     CHECK(smallest == std::numeric_limits<double>::lowest());
                                   });
  CHECK(seen == "optimizer.custom_0.0 optimizer.custom_1.3 ");
}

TEST_CASE("custom optimizer: two are equal when name and options are") {
  CHECK(Optimizer{own::Lion{.beta_1 = 0.5}} == Optimizer{own::Lion{.beta_1 = 0.5}});
  CHECK(Optimizer{own::Lion{.beta_1 = 0.5}} != Optimizer{own::Lion{}});
  CHECK(Optimizer{own::Adam{}} != Optimizer{reprise::Adam{}});
  CHECK(Optimizer{own::Adam{.clip = reprise::ClipNorm{2.0}}} != Optimizer{own::Adam{}});
  CHECK(reprise::options_text(Optimizer{own::Lion{.learning_rate = 0.25}}) ==
        "Lion{.learning_rate = 0.25, .beta_1 = 0.9, .beta_2 = 0.99}");
}

TEST_CASE("custom optimizer: rate and clip are checked as ours are, and its own options by itself") {
  CHECK(message(own::Lion{.learning_rate = -1.0}) == "Lion: expected learning_rate >= 0, got -1");
  CHECK(message(own::Adam{.clip = reprise::ClipNorm{0.0}}) == "OwnAdam: ClipNorm: expected norm > 0, got 0");
  CHECK(message(OwnChecks{{.beta_1 = 1.5}}) == "OwnChecks: expected beta_1 <= 1");
  CHECK(message(OwnChecks{}) == "accepted");
  CHECK(reprise::rate_at(Optimizer{own::Lion{.learning_rate = 0.25}}, 3) == 0.25);
}

TEST_CASE_TEMPLATE("custom optimizer: fit(4) and then fit(6) give the bits of fit(10)", Scalar, float,
                   double) {
  const reprise::Windows windows = test::wave_windows(45, 5, 2);
  const auto options = [](Index epochs) {
    return reprise::FitOptions{
        .epochs = epochs,
        .batch_size = 8,
        .optimizer = own::Adam{.learning_rate = own::Halving{0.02, 9}, .clip = reprise::GlobalClipNorm{0.05}},
        .seed = 3};
  };
  reprise::Autoencoder<Scalar> whole(test::small_model_with_dropout(5, 2)), parts = whole, other = whole;
  whole.fit(windows, options(10));
  parts.fit(windows, options(4));
  parts.fit(windows, options(6));
  CHECK(test::same_bits(parts.weights(), whole.weights()));
  CHECK(test::same_bits(parts.training_state().moments, whole.training_state().moments));
  CHECK(test::smallest(parts.training_state().moments.custom[1]) >= 0);
  CHECK(test::largest(parts.training_state().moments.custom[1]) > 0);

  reprise::FitOptions ours = options(10);
  ours.optimizer =
      reprise::Adam{.learning_rate = own::Halving{0.02, 9}, .clip = reprise::GlobalClipNorm{0.05}};
  other.fit(windows, ours);
  const double tolerance = sizeof(Scalar) == sizeof(float) ? 1e-4 : 1e-12;
  CHECK(test::largest_difference(other.weights(), whole.weights()) <= tolerance);
}

TEST_CASE("custom optimizer: its moments are rolled back with the parameters") {
  const reprise::Windows windows = test::wave_windows(40, 6);
  reprise::Autoencoder<double> model({.steps = 6,
                                      .encoder = {{.units = 4, .activation = reprise::activation::relu}},
                                      .decoder = {{.units = 4, .activation = reprise::activation::relu}}});
  reprise::FitOptions options{.epochs = 3, .batch_size = 8, .optimizer = own::Adam{.learning_rate = 0.01}};
  auto expected = model;
  expected.fit(windows, options);
  options.epochs = 9;
  options.callbacks = {[](reprise::TrainingEvent& event) {
    if (event.stage == reprise::TrainingStage::epoch_end && event.epoch == 3)
      event.scale_learning_rate(1e300);
  }};
  CHECK_THROWS_AS(model.fit(windows, options), reprise::NotFiniteError);
  CHECK(test::same_bits(model.weights(), expected.weights()));
  CHECK(test::same_bits(model.training_state().moments, expected.training_state().moments));
  CHECK(model.training_state().moments.step == 15);
}

TEST_CASE("custom schedule: the rate of each step, its options, and what it may not give") {
  const reprise::LearningRate halving = own::Halving{0.8, 2};
  CHECK(rate_at(halving, 0) == 0.8);
  CHECK(rate_at(halving, 3) == 0.4);
  CHECK(rate_at(Optimizer{reprise::Sgd{.learning_rate = halving}}, 4) == 0.2);
  CHECK(halving == reprise::LearningRate(own::Halving{0.8, 2}));
  CHECK_FALSE(halving == reprise::LearningRate(own::Halving{0.8, 3}));
  CHECK_FALSE(halving == reprise::LearningRate(0.8));
  CHECK(reprise::options_text(reprise::Sgd{.learning_rate = halving}) ==
        "Sgd{.convention = keras, .learning_rate = Halving{.first = 0.8, .steps = 2}, .momentum = 0, "
        ".nesterov = false, .clip = NoClip{}}");
  CHECK_THROWS_WITH_AS(rate_at(reprise::LearningRate(own::Halving{-0.5, 2}), 2),
                       "Halving: expected a finite learning rate >= 0 at step 2, got -0.25", reprise::Error);
}

TEST_CASE("custom schedule: training follows it") {
  const auto table = table_of({1});
  const Optimizer optimizer = reprise::Sgd{.learning_rate = own::Halving{0.8, 1}};
  auto state = reprise::initial_state<double>(optimizer, 1);
  Vector parameters = Vector::Zero(1);
  for (int step = 0; step < 3; ++step) {
    Vector gradient = Vector::Constant(1, -1.0);
    reprise::apply_update(optimizer, table, state, 1.0, gradient, parameters);
  }
  CHECK(parameters(0) == doctest::Approx(0.8 + 0.4 + 0.2).epsilon(1e-15));
}
