#include <doctest/doctest.h>

#include <vector>

#include <reprise/layers/dense.hpp>
#include <reprise/layers/gru.hpp>
#include <reprise/layers/lstm.hpp>
#include <reprise/training/trainer.hpp>

#include "golden.hpp"
#include "gradient_check.hpp"
#include "training.hpp"

using reprise::ArraySource;
using reprise::FitOptions;
using reprise::Index;
using reprise::Sequences;
using reprise::Sequential;
using reprise::Trainer;
using reprise::TrainingState;
using reprise::Vector;

namespace {

using golden::Json;

/// From (batch, step, feature), the feature fastest.
Sequences<double> sequences_of(const Json& json) {
  const golden::Tensor tensor = golden::as_tensor(json);
  const Index batch = tensor.shape.at(0), steps = tensor.shape.at(1), features = tensor.shape.at(2);
  Sequences<double> result({.samples = batch, .steps = steps, .features = features});
  for (Index b = 0; b < batch; ++b) {
    for (Index t = 0; t < steps; ++t) {
      for (Index f = 0; f < features; ++f) {
        result(b, t, f) = tensor.data[static_cast<std::size_t>((b * steps + t) * features + f)];
      }
    }
  }
  return result;
}

/// All parameters in the order of the table; Keras's rows are our columns, the same bytes.
Vector<double> parameters_of(const Json& tensors, const reprise::ParameterTable& table) {
  Vector<double> result(table.size());
  REQUIRE(tensors.size() == table.entries().size());
  for (const auto& info : table) {
    const golden::Tensor tensor = golden::as_tensor(tensors.at(info.name));
    REQUIRE(static_cast<Index>(tensor.data.size()) == info.size());
    std::copy(tensor.data.begin(), tensor.data.end(), result.data() + info.offset);
  }
  return result;
}

Sequential<double> network_of(const Json& fit) {
  const Index units = fit.at("config").at("units");
  Sequential<double> network({.steps = 6, .features = 2});
  REQUIRE(fit.at("config").at("activation") == "tanh");
  if (fit.at("layer") == "gru") {
    network.add("recurrent", reprise::Gru<double>(2, {.units = units, .return_sequences = true}));
  } else {
    network.add("recurrent", reprise::Lstm<double>(2, {.units = units, .return_sequences = true}));
  }
  network.add("output", reprise::TimeDistributed<double>(units, {.units = 1}));
  return network;
}

}  // namespace

TEST_CASE("golden: a fit of samples of different lengths, as Keras's under a mask with sample weights") {
  const Json all = golden::file("recurrent");
  int fits = 0;
  for (const Json& fit : all.at("fits")) {
    CAPTURE(fit.at("layer").get<std::string>());
    ++fits;
    const Sequential<double> network = network_of(fit);
    Vector<double> theta = parameters_of(fit.at("parameters"), network.parameters());
    const auto lengths = fit.at("lengths").get<std::vector<Index>>();
    const auto weights = fit.at("sample_weight").get<std::vector<double>>();
    const ArraySource source(sequences_of(fit.at("x")), sequences_of(fit.at("y")), lengths);
    const auto size = fit.at("batch_size").get<std::size_t>();

    // The first batch's gradient.
    reprise::detail::BatchPass<double> pass(network, 1);
    Vector<double> gradient(theta.size());
    const auto first = test::numbers(0, static_cast<Index>(size));
    const double loss = pass.loss_and_gradient(theta.data(), source, first, std::span(weights).first(size),
                                               reprise::MeanSquaredError{}, {}, gradient.data());
    CHECK(loss == doctest::Approx(fit.at("batch_losses")[0][0].get<double>()).epsilon(1e-12));
    CHECK(test::relative_difference(gradient, parameters_of(fit.at("gradient"), network.parameters())) <
          1e-12);

    // The whole fit.
    TrainingState<double> state;
    Trainer<double> trainer(network, theta, state);
    FitOptions options{.epochs = fit.at("epochs"),
                       .batch_size = static_cast<Index>(size),
                       .shuffle = false,
                       .sample_weights = weights,
                       .optimizer = reprise::Adam{.learning_rate = fit.at("learning_rate").get<double>()}};
    const auto history = trainer.fit(source, options);
    const auto expected = fit.at("epoch_losses").get<std::vector<double>>();
    REQUIRE(history.loss.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(history.loss[i] == doctest::Approx(expected[i]).epsilon(1e-12));
    }
    CHECK(test::relative_difference(theta, parameters_of(fit.at("after"), network.parameters())) < 1e-11);

    // Keras's evaluate is weighted here, as the loss of a training that does not move is.
    options.epochs = 1;
    options.batch_size = 2;
    options.optimizer = reprise::Sgd{.learning_rate = 0.0};
    CHECK(trainer.fit(source, options).loss[0] ==
          doctest::Approx(fit.at("evaluation").get<double>()).epsilon(1e-11));

    // Predictions; behind a sample's end stand zeros, where Keras holds the last.
    const auto predicted =
        reprise::detail::infer_source(network, theta.data(), reprise::Source(source),
                                      {0, 2, network.input_shape(), network.output_shape(), true}, "predict");
    const Sequences<double> prediction = sequences_of(fit.at("prediction"));
    for (Index b = 0; b < predicted.batch(); ++b) {
      for (Index t = 0; t < predicted.steps(); ++t) {
        const double value = t < lengths[static_cast<std::size_t>(b)] ? prediction(b, t, 0) : 0.0;
        CHECK(std::abs(predicted(b, t, 0) - value) < 1e-11);
      }
    }
  }
  CHECK(fits == 2);
}
