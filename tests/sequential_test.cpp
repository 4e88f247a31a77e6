#include <doctest/doctest.h>

#include <string>
#include <tuple>
#include <vector>

#include <reprise/layers/dropout.hpp>
#include <reprise/training/detail/batch_pass.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::AnyLayer;
using reprise::Dense;
using reprise::Dropout;
using reprise::Index;
using reprise::LayerContext;
using reprise::Loss;
using reprise::Lstm;
using reprise::LstmOptions;
using reprise::Matrix;
using reprise::RepeatVector;
using reprise::Sequential;
using reprise::Vector;
using reprise::Windows;
using reprise::detail::BatchPass;
using reprise::detail::shard_width;
using test::contains;
using test::error_of;
using test::same_bits;

namespace {

constexpr Index steps = 5;
constexpr Index features = 2;
/// Three whole shards and a short one.
constexpr Index batch_size = 3 * shard_width + 3;
constexpr Index width = 26;

/// An autoencoder of two layers a side: 2 features, 4 and 3 units, 3 and 4 units.
Sequential<double> stacked(LstmOptions encoder, LstmOptions decoder) {
  Sequential<double> network({.steps = steps, .features = features});
  encoder.return_sequences = decoder.return_sequences = true;
  encoder.units = 4;
  network.add("encoder.0", Lstm<double>(features, encoder));
  encoder.units = 3;
  encoder.return_sequences = false;
  network.add("encoder.1", Lstm<double>(4, encoder));
  network.add("repeat", RepeatVector<double>(steps));
  decoder.units = 3;
  network.add("decoder.0", Lstm<double>(3, decoder));
  decoder.units = 4;
  network.add("decoder.1", Lstm<double>(3, decoder));
  network.add("output", Dense<double>(4, {.units = features}));
  return network;
}

Vector<double> parameters_of(const Sequential<double>& network) {
  Vector<double> theta(network.parameters().size());
  test::fill_uniform(theta, 1, -1.2, 1.2);
  return theta;
}

LayerContext training(std::uint32_t step = 3) {
  LayerContext context;
  context.training = true;
  context.seed = 11;
  context.step = step;
  return context;
}

std::vector<double> uneven_weights() {
  std::vector<double> weights;
  for (Index i = 0; i < batch_size; ++i) weights.push_back(static_cast<double>(i % 4));
  return weights;
}

struct Batch {
  Windows windows = test::wave_windows(batch_size + 4, steps, features);
  std::vector<Index> numbers;
  std::vector<double> weights;

  Batch() {  // in some order
    for (Index i = 0; i < batch_size; ++i) numbers.push_back((7 * i + 2) % (batch_size + 4));
  }
};

/// Each tensor of the network against central differences of the batch's loss.
void check_network(const Sequential<double>& network, const Loss& loss, bool weighted = false) {
  Batch batch;
  if (weighted) batch.weights = uneven_weights();
  Vector<double> theta = parameters_of(network), gradient(theta.size()), unused(theta.size());
  BatchPass<double> pass(network, 1);
  const auto value = [&](Vector<double>& to) {
    return pass.loss_and_gradient(theta.data(), batch.windows, batch.numbers, batch.weights, loss, training(),
                                  to.data());
  };
  gradient.setConstant(std::numeric_limits<double>::quiet_NaN());  // is set, not added to
  value(gradient);
  for (const reprise::ParameterInfo& info : network.parameters()) {
    test::check_gradient(
        info.name, Eigen::Map<Matrix<double>>(theta.data() + info.offset, info.rows, info.cols),
        Eigen::Map<const Matrix<double>>(gradient.data() + info.offset, info.rows, info.cols),
        [&] { return value(unused); });
  }
}

}  // namespace

TEST_CASE("whole network: gradients of a stacked autoencoder") {
  check_network(stacked({}, {}), reprise::MeanSquaredError{});
}

TEST_CASE("whole network: gradients with sample weights") {
  for (const Loss& loss : {Loss(reprise::MeanSquaredError{}), Loss(reprise::Huber{.delta = 0.4}),
                           Loss(reprise::LogCosh{}), Loss(reprise::MeanAbsoluteError{})}) {
    CAPTURE(loss.index());
    check_network(stacked({}, {}), loss, true);
  }
}

TEST_CASE("whole network: gradients with an encoder that goes backwards, and without biases") {
  using reprise::activation::elu;
  using reprise::activation::softsign;
  check_network(
      stacked({.activation = elu, .go_backwards = true}, {.activation = softsign, .use_bias = false}),
      reprise::MeanSquaredError{});
}

TEST_CASE("whole network: gradients with dropout, its masks held by the context") {
  const LstmOptions inputs{.dropout = 0.3};
  const LstmOptions both{.go_backwards = true, .dropout = 0.2, .recurrent_dropout = 0.4};
  const LstmOptions recurrent{.recurrent_dropout = 0.3};
  SUBCASE("of the inputs") { check_network(stacked(inputs, inputs), reprise::MeanSquaredError{}); }
  SUBCASE("of inputs and states, with weights") {
    check_network(stacked(both, both), reprise::LogCosh{}, true);
  }
  SUBCASE("of the states") { check_network(stacked(recurrent, recurrent), reprise::MeanSquaredError{}); }
}

TEST_CASE("whole network: gradients with layers of every kind") {
  Sequential<double> network({.steps = steps, .features = features});
  network.add("in", Dense<double>(features, {.units = 3, .activation = reprise::activation::tanh}));
  network.add("dropout", Dropout<double>(0.25));
  network.add("lstm", Lstm<double>(3, {.units = 3, .go_backwards = true}));
  network.add("repeat", RepeatVector<double>(steps));
  network.add("dropout.1", Dropout<double>(0.25));
  network.add("out", Dense<double>(3, {.units = features, .activation = reprise::activation::softplus}));
  check_network(network, reprise::MeanSquaredError{}, true);
}

TEST_CASE("whole network: the batch's loss is that of its reconstruction") {
  const Sequential<double> network = stacked({.go_backwards = true}, {});
  Batch batch;
  const Vector<double> theta = parameters_of(network);
  Vector<double> gradient(theta.size());
  reprise::Sequences<double> input({.samples = batch_size, .steps = steps, .features = features}),
      output = input;
  batch.windows.gather(std::span<const Index>(batch.numbers), input.view());
  reprise::SequentialScratch<double> scratch;
  network.infer(theta.data(), input.view(), output.view(), 0, 6, scratch);
  for (const bool weighted : {false, true}) {
    CAPTURE(weighted);
    if (weighted) batch.weights = uneven_weights();
    double expected = 0.0;
    for (Index i = 0; i < batch_size; ++i) {
      const double weight = weighted ? batch.weights[static_cast<std::size_t>(i)] : 1.0;
      for (Index t = 0; t < steps; ++t) {
        for (Index f = 0; f < features; ++f) {
          const double e = output(i, t, f) - batch.windows(batch.numbers[static_cast<std::size_t>(i)], t, f);
          expected += weight * e * e / static_cast<double>(steps * features * batch_size);
        }
      }
    }
    BatchPass<double> pass(network, 1);
    const double loss = pass.loss_and_gradient(theta.data(), batch.windows, batch.numbers, batch.weights,
                                               reprise::MeanSquaredError{}, training(), gradient.data());
    CHECK(std::abs(loss - expected) < 1e-13 * expected);
    const double total = pass.loss_total(theta.data(), batch.windows, batch.numbers, batch.weights,
                                         reprise::MeanSquaredError{});
    CHECK(std::abs(total / batch_size - expected) < 1e-13 * expected);
  }
}

TEST_CASE("whole network: a batch's gradient is the mean of its windows' gradients") {
  const Sequential<double> network = stacked({}, {});
  Batch batch;
  const Vector<double> theta = parameters_of(network);
  Vector<double> whole(theta.size()), one(theta.size()), mean = Vector<double>::Zero(theta.size());
  BatchPass<double> pass(network, 1);
  const auto compute = [&](std::span<const Index> numbers, Vector<double>& gradient) {
    pass.loss_and_gradient(theta.data(), batch.windows, numbers, {}, reprise::MeanSquaredError{}, training(),
                           gradient.data());
  };
  compute(batch.numbers, whole);
  for (const Index& number : batch.numbers) {  // also a large batch and then small ones, with one memory
    compute({&number, 1}, one);
    mean += one / batch_size;
  }
  CHECK(test::relative_difference(whole, mean) < 1e-12);
}

TEST_CASE("whole network: dropout's masks are a function of context and sample") {
  const LstmOptions options{.dropout = 0.4, .recurrent_dropout = 0.4};
  const Sequential<double> network = stacked(options, options);
  const Batch batch;
  const Vector<double> theta = parameters_of(network);
  const auto pass_once = [&](const LayerContext& context, std::span<const Index> numbers,
                             std::span<const double> weights) {
    Vector<double> gradient(theta.size());
    BatchPass<double> pass(network, 1);
    pass.loss_and_gradient(theta.data(), batch.windows, numbers, weights, reprise::MeanSquaredError{},
                           context, gradient.data());
    return gradient;
  };
  const Vector<double> first = pass_once(training(), batch.numbers, {});
  CHECK(same_bits(first, pass_once(training(), batch.numbers, {})));
  CHECK_FALSE(same_bits(first, pass_once(training(4), batch.numbers, {})));
  LayerContext other_seed = training();
  other_seed.seed = 12;
  CHECK_FALSE(same_bits(first, pass_once(other_seed, batch.numbers, {})));

  // The same window at every place of the batch, of which only one counts.
  const std::vector<Index> same(static_cast<std::size_t>(batch_size), 0);
  const auto only = [&](Index place, const LayerContext& context) {
    std::vector<double> weights(static_cast<std::size_t>(batch_size), 0.0);
    weights[static_cast<std::size_t>(place)] = 1.0;
    return pass_once(context, same, weights);
  };
  const LayerContext inference{};
  CHECK(reprise::detail::shard_width_of(network, batch_size) == width);
  for (const Index place : {Index{1}, width, 3 * width}) {
    CAPTURE(place);
    CHECK(test::relative_difference(only(place, inference), only(0, inference)) < 1e-12);
    CHECK(test::relative_difference(only(place, training()), only(0, training())) > 1e-3);
  }
}

TEST_CASE("network: names, shapes and offsets of the parameters") {
  const Sequential<double> network = stacked({}, {.use_bias = false});
  struct Expected {
    const char* name;
    Index rows, cols, offset;
    bool is_vector;
  };
  const Expected expected[] = {
      {"encoder.0.kernel", 16, 2, 0, false},
      {"encoder.0.recurrent_kernel", 16, 4, 32, false},
      {"encoder.0.bias", 16, 1, 96, true},
      {"encoder.1.kernel", 12, 4, 112, false},
      {"encoder.1.recurrent_kernel", 12, 3, 160, false},
      {"encoder.1.bias", 12, 1, 196, true},
      {"decoder.0.kernel", 12, 3, 208, false},
      {"decoder.0.recurrent_kernel", 12, 3, 244, false},
      {"decoder.1.kernel", 16, 3, 280, false},
      {"decoder.1.recurrent_kernel", 16, 4, 328, false},
      {"output.kernel", 2, 4, 392, false},
      {"output.bias", 2, 1, 400, true},
  };
  const auto& entries = network.parameters().entries();
  REQUIRE(entries.size() == std::size(expected));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CAPTURE(expected[i].name);
    CHECK(entries[i].name == expected[i].name);
    CHECK(entries[i].rows == expected[i].rows);
    CHECK(entries[i].cols == expected[i].cols);
    CHECK(entries[i].offset == expected[i].offset);
    CHECK(entries[i].is_vector == expected[i].is_vector);
  }
  CHECK(network.parameters().size() == 402);
  const Index offsets[] = {0, 112, 208, 208, 280, 392};
  REQUIRE(network.size() == 6);
  for (std::size_t l = 0; l < 6; ++l) CHECK(network.entries()[l].offset == offsets[l]);
  CHECK(network.input_shape() == reprise::SequenceShape{.steps = 5, .features = 2});
  CHECK(network.entries()[1].output == reprise::SequenceShape{.steps = 1, .features = 3});
  CHECK(network.output_shape() == reprise::SequenceShape{.steps = 5, .features = 2});
}

TEST_CASE("network: first values depend on the seed, and each layer has its own") {
  Sequential<double> network({.steps = 2, .features = 3});
  for (const char* name : {"a", "b", "c"})
    network.add(name, Dense<double>(3, {.units = 3, .use_bias = false}));
  const auto values = [&](std::uint64_t seed) {
    Vector<double> theta(27);
    network.initialize(theta.data(), seed);
    return theta;
  };
  const Vector<double> theta = values(1);
  CHECK(same_bits(theta, values(1)));
  CHECK_FALSE(same_bits(theta, values(2)));
  CHECK(test::smallest((theta.segment(0, 9) - theta.segment(9, 9)).cwiseAbs()) > 0);
  CHECK(test::smallest((theta.segment(9, 9) - theta.segment(18, 9)).cwiseAbs()) > 0);
}

TEST_CASE("network: layers that do not fit are refused") {
  CHECK(contains(error_of([] { Sequential<float>({.steps = 3, .features = 0}); }),
                 "model: expected features > 0, got 0"));
  CHECK(contains(error_of([] { Sequential<float>({.steps = -3, .features = 1}); }),
                 "model: expected steps > 0, got -3"));
  Sequential<float> network({.steps = 3, .features = 2});
  network.add("first", Lstm<float>(2, {.units = 4}));
  CHECK(contains(error_of([&] { network.add("second", Lstm<float>(5, {.units = 4})); }),
                 "expected 5 input features, got 4"));
  CHECK(contains(error_of([&] { network.add("second", Dense<float>(3, {.units = 4})); }),
                 "expected 3 input features, got 4"));
  // A layer that was refused has left nothing behind.
  CHECK(network.size() == 1);
  CHECK(network.parameters().entries().size() == 3);
  network.add("repeat", RepeatVector<float>(3));
  CHECK(contains(error_of([&] { network.add("again", RepeatVector<float>(3)); }),
                 "expected an input of 1 step, got 3"));
  CHECK(network.parameters().size() == 16 * (2 + 4 + 1));
}
