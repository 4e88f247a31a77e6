#include "gradient_check.hpp"

#include <vector>

#include <reprise/layers/dense.hpp>

namespace {

using reprise::Activation;
using reprise::Dense;
using reprise::Index;
using reprise::Matrix;
using reprise::Sequences;
using test::contains;
using test::error_of;
using test::Run;

static_assert(reprise::Layer<Dense<float>> && reprise::Layer<Dense<double, 3, 2>>);

std::vector<Activation> all_activations() {
  std::vector<Activation> all;
  for (const auto name : reprise::detail::activation_names)
    all.push_back(reprise::activation_from_name(name));
  return all;
}

TEST_CASE("TimeDistributed(Dense) gives the values of Keras's own test") {
  // Keras 3, layers/rnn/time_distributed_test.py: x = arange(24) as (3, 2, 4), weights .01, no bias
  Sequences<double> x({.samples = 3, .steps = 2, .features = 4});
  for (Index i = 0; i < 24; ++i) x(i / 8, i / 4 % 2, i % 4) = static_cast<double>(i);
  const reprise::TimeDistributed<double> layer(
      4, {.units = 1, .use_bias = false, .kernel_initializer = reprise::initializer::constant(.01)});
  Run<Dense<double>> run(layer, x);
  reprise::RandomStream random(1, reprise::Purpose::initial_weights);
  layer.initialize(run.theta.data(), random);
  run.forward();
  const double expected[] = {.06, .22, .38, .54, .70, .86};
  for (Index i = 0; i < 6; ++i) CHECK(std::abs(run.y(i / 2, i % 2, 0) - expected[i]) < 1e-14);
}

TEST_CASE("a dense layer is its equation at every step") {
  for (const bool use_bias : {true, false}) {
    const Dense<double> layer(3, {.units = 5, .use_bias = use_bias});
    Run<Dense<double>> run(layer, test::uniform_sequences<double>(3, 7, 4, 9));
    Matrix<double> expected = layer.kernel(run.theta.data()) * run.x.values();
    if (use_bias) expected.colwise() += layer.bias(run.theta.data());
    CHECK(test::relative_difference(run.forward(), expected) <= 1e-14);
    CHECK(run.y.shape() == reprise::SequenceShape{.steps = 4, .features = 5});
  }
}

TEST_CASE("gradients of a dense layer, with every activation") {
  for (const Activation activation : all_activations()) {
    for (const bool use_bias : {true, false}) {
      CAPTURE(reprise::name_of(activation));
      CAPTURE(use_bias);
      const reprise::DenseOptions options{.units = 5, .activation = activation, .use_bias = use_bias};
      Run<Dense<double>> run(Dense<double>(3, options), test::uniform_sequences<double>(3, 3, 5, 9));
      test::check_gradients(run);
    }
  }
}

TEST_CASE("a gradient is added to what was there, and the input's need not be wanted") {
  Run<Dense<double>> run(Dense<double>(3, {.units = 5, .activation = reprise::activation::tanh}),
                         test::uniform_sequences<double>(3, 3, 5, 9));
  run.forward();
  run.backward(true);
  const reprise::Vector<double> once = run.gradient;
  CHECK(run.dx.values().allFinite());

  run.layer.backward(run.x.view(), std::as_const(run.y).view(), std::as_const(run.dy).view(), run.dx.view(),
                     run.call());
  CHECK(test::relative_difference(run.gradient, 2 * once) <= 1e-15);

  run.forward();
  run.backward(false);
  CHECK((run.gradient == once));
  CHECK(run.dx.values().array().isNaN().all());
}

template <typename Scalar>
void check_batches(double tolerance) {
  const Dense<Scalar> layer(9, {.units = 17, .activation = reprise::activation::sigmoid});
  const Sequences<Scalar> x = test::uniform_sequences<Scalar>(9, 13, 6, 3);
  Run<Dense<Scalar>> all(layer, x);
  all.forward();
  const Sequences<Scalar> trained = all.y;
  all.infer();
  CHECK(test::relative_difference(all.y.values(), trained.values()) <= tolerance);
  for (Index sample = 0; sample < 13; ++sample) {
    Run<Dense<Scalar>> one(layer, test::samples_of(x, sample, 1));
    one.forward();
    CHECK(test::relative_difference(one.y.values(), test::samples_of(trained, sample, 1).values()) <=
          tolerance);
  }
}

TEST_CASE("a batch equals its samples one by one, in training and inference") {
  check_batches<double>(1e-12);
  check_batches<float>(1e-5);
}

TEST_CASE("fixed sizes equal sizes at run time") {
  const reprise::DenseOptions options{.units = 5, .activation = reprise::activation::softplus};
  const Sequences<double> x = test::uniform_sequences<double>(3, 4, 6, 9);
  Run<Dense<double>> dynamic(Dense<double>(3, options), x);
  Run<Dense<double, 3, 5>> fixed(Dense<double, 3, 5>(3, options), x);
  CHECK(test::relative_difference(fixed.forward(), dynamic.forward()) <= 1e-12);
  dynamic.backward(true);
  fixed.backward(true);
  CHECK(test::relative_difference(fixed.gradient, dynamic.gradient) <= 1e-12);
  CHECK(test::relative_difference(fixed.dx.values(), dynamic.dx.values()) <= 1e-12);
}

TEST_CASE("wrong use of a dense layer is named") {
  for (const Index size : {0, -3}) {
    CHECK(contains(error_of([&] { Dense<float>(3, {.units = size}); }),
                   "Dense: expected units > 0, got " + std::to_string(size)));
    const std::string message = error_of([&] { Dense<float>(size, {.units = 3}); });
    CHECK(contains(message, "Dense"));
    CHECK(contains(message, "input features"));
    CHECK(contains(message, "got " + std::to_string(size)));
  }
  CHECK(contains(error_of([] { Dense<float>(3, {}); }), "units > 0"));
  CHECK(contains(error_of([] { Dense<float>(3, {.units = 2}).output_shape({.steps = 6, .features = 4}); }),
                 "Dense: expected 3 input features, got 4"));
  const std::string message = error_of([] { Dense<float, 3, 2>(3, {.units = 4}); });
  CHECK(contains(message, "3 inputs and 2 units"));
  CHECK(contains(message, "got 3 and 4"));
  CHECK(contains(error_of([] { Dense<float, 3, 2>(5, {.units = 2}); }), "got 5 and 2"));
}

}  // namespace
