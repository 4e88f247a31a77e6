#include <doctest/doctest.h>

#include <vector>

#include <reprise/layers/dense.hpp>
#include <reprise/layers/embedding.hpp>
#include <reprise/layers/gru.hpp>
#include <reprise/layers/lstm.hpp>
#include <reprise/layers/repeat_vector.hpp>
#include <reprise/layers/softmax.hpp>
#include <reprise/losses/sparse_categorical_crossentropy.hpp>
#include <reprise/training/trainer.hpp>

#include "golden_compare.hpp"

using golden::Json;
using reprise::Index;
using reprise::Sequences;
using reprise::Sequential;
using reprise::Vector;

namespace {

constexpr double tolerance = 1e-11;  // of the largest value of a tensor

Sequential<double> network_of(const Json& one, Index steps) {
  Sequential<double> network({.steps = steps, .features = 1});
  for (const Json& layer : one.at("layers")) {
    const std::string name = layer.at("name"), kind = layer.at("kind");
    const Json& config = layer.at("config");
    const Index features = network.output_shape().features;
    if (kind == "embedding") {
      golden::require_known(config, {"input_dim", "output_dim", "mask_zero"});
      network.add(name, reprise::Embedding<double>(features, {.input_dim = config.at("input_dim"),
                                                              .output_dim = config.at("output_dim")}));
    } else if (kind == "one_hot") {
      network.add(name, reprise::OneHot<double>(config.at("num_tokens").get<Index>()));
    } else if (kind == "lstm") {
      network.add(name, reprise::Lstm<double>(features, {.units = config.at("units"),
                                                         .return_sequences = config.at("return_sequences")}));
    } else if (kind == "gru") {
      network.add(name, reprise::Gru<double>(features, {.units = config.at("units"),
                                                        .return_sequences = config.at("return_sequences")}));
    } else if (kind == "repeat") {
      network.add(name, reprise::RepeatVector<double>(config.at("n").get<Index>()));
    } else if (kind == "dense") {
      network.add(name, reprise::Dense<double>(features, {.units = config.at("units")}));
    } else {
      golden::fail("unknown layer " + kind);
    }
  }
  return network;
}

/// Indices (batch, step), or (batch) for one step.
Sequences<double> indices_of(const golden::Tensor& tensor) {
  golden::Tensor with_features = tensor;
  with_features.shape.push_back(1);
  return test::sequences_of<double>(with_features);
}

/// Of valid steps alone; Keras's networks hold their output behind them.
double difference(const Sequences<double>& a, const Sequences<double>& b, const std::vector<Index>& lengths) {
  REQUIRE(a.sizes() == b.sizes());
  double worst = 0.0;
  for (Index s = 0; s < a.batch(); ++s) {
    const Index length = lengths.empty() || a.steps() == 1 ? a.steps() : lengths[static_cast<std::size_t>(s)];
    for (Index t = 0; t < length; ++t) {
      for (Index f = 0; f < a.features(); ++f) worst = test::larger(worst, std::abs(a(s, t, f) - b(s, t, f)));
    }
  }
  return worst;
}

}  // namespace

TEST_CASE(
    "golden: networks of symbols give Keras's logits, probabilities, losses, gradients and Adam's steps") {
  int cases = 0;
  const Json all = golden::file("symbols");
  for (const Json& one : all.at("cases")) {
    golden::require_known(one, {"name", "symbols", "layers", "x", "y", "lengths", "sample_weight",
                                "parameters", "output", "probabilities", "loss", "gradient", "adam"});
    CAPTURE(one.at("name").get<std::string>());
    ++cases;
    const Sequences<double> x = indices_of(golden::tensor(one, "x")),
                            y = indices_of(golden::tensor(one, "y"));
    const Sequential<double> network = network_of(one, x.steps());
    const auto parameters = [&](const Json& from) {
      return test::parameters_of<double>(network.parameters(), golden::tensors(from, "parameters"));
    };
    Vector<double> theta = parameters(one);
    std::vector<Index> lengths;
    std::vector<double> weights;
    if (one.contains("lengths")) lengths = one.at("lengths").get<std::vector<Index>>();
    if (one.contains("sample_weight")) weights = golden::numbers(one, "sample_weight");
    const reprise::Loss loss = reprise::SparseCategoricalCrossentropy{};
    const reprise::ArraySource<double> source(x, y, lengths);

    auto output = reprise::detail::infer_source(
        network, theta.data(), reprise::Source(source),
        {0, network.entries().size(), network.input_shape(), network.output_shape(), true}, "infer");
    auto expected = test::sequences_of<double>(golden::tensor(one, "output"));
    CHECK(difference(output, expected, lengths) < tolerance);
    for (Index c = 0; c < output.values().cols(); ++c) {
      reprise::softmax(
          std::span<double>(output.values().col(c).data(), static_cast<std::size_t>(output.features())));
    }
    CHECK(difference(output, test::sequences_of<double>(golden::tensor(one, "probabilities")), lengths) <
          tolerance);

    std::vector<Index> samples(static_cast<std::size_t>(x.batch()));
    std::iota(samples.begin(), samples.end(), Index{0});
    reprise::detail::BatchPass<double> pass(network, 1);
    Vector<double> gradient(theta.size());
    CHECK(pass.loss_and_gradient(theta.data(), source, samples, weights, loss, {}, gradient.data()) ==
          doctest::Approx(golden::number(one, "loss")).epsilon(tolerance));
    for (const auto& info : network.parameters()) {
      CAPTURE(info.name);
      CHECK(test::deviation(test::tensor_of(info, gradient), golden::tensors(one, "gradient").at(info.name)) <
            tolerance);
    }

    const Json& adam = one.at("adam");
    reprise::TrainingState<double> state;
    const auto expected_losses = golden::numbers(adam, "losses");
    const auto history =
        reprise::Trainer<double>(network, theta, state)
            .fit(source, {.epochs = static_cast<Index>(expected_losses.size()),
                          .shuffle = false,
                          .sample_weights = weights,
                          .optimizer = reprise::Adam{.learning_rate = golden::number(adam, "learning_rate")},
                          .loss = loss});
    for (std::size_t i = 0; i < expected_losses.size(); ++i) {
      CHECK(history.loss[i] == doctest::Approx(expected_losses[i]).epsilon(tolerance));
    }
    CHECK(test::relative_difference(theta, parameters(adam)) < 1e-11);
  }
  CHECK(cases == 7);
}
