#include "gradient_check.hpp"
#include "own_kinds.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <reprise/layers/dense.hpp>
#include <reprise/layers/embedding.hpp>
#include <reprise/layers/lstm.hpp>
#include <reprise/layers/softmax.hpp>
#include <reprise/losses/losses.hpp>
#include <reprise/losses/sparse_categorical_crossentropy.hpp>
#include <reprise/training/trainer.hpp>

namespace {

using reprise::Embedding;
using reprise::Index;
using reprise::OneHot;
using reprise::Sequences;
using reprise::Softmax;
using reprise::SparseCategoricalCrossentropy;
using test::Run;

static_assert(reprise::Layer<Embedding<float>>);
static_assert(reprise::Layer<OneHot<float>>);
static_assert(reprise::Layer<Softmax<float>>);

/// Four steps of three samples; symbol 4 never comes.
Sequences<double> indices() {
  const int values[4][3] = {{0, 3, 1}, {2, 2, 0}, {3, 1, 3}, {1, 0, 2}};
  Sequences<double> x({.samples = 3, .steps = 4, .features = 1});
  for (Index t = 0; t < 4; ++t) {
    for (Index b = 0; b < 3; ++b) x(b, t, 0) = values[t][b];
  }
  return x;
}

Embedding<double> embedding() { return {1, {.input_dim = 5, .output_dim = 3}}; }

}  // namespace

TEST_CASE("embedding: a step's output is the vector of its symbol, also behind the ends of samples zero") {
  Run<Embedding<double>> run(embedding(), indices());
  CHECK(run.table.entries().size() == 1);
  CHECK(run.table.at("embeddings").size() == 15);
  run.x(1, 3, 0) = std::numeric_limits<double>::quiet_NaN();
  run.x(2, 1, 0) = 1000;
  run.lengths = {4, 3, 1};
  for (const bool training : {true, false}) {
    training ? run.forward() : run.infer();
    for (Index b = 0; b < 3; ++b) {
      for (Index t = 0; t < 4; ++t) {
        for (Index f = 0; f < 3; ++f) {
          const bool valid = t < run.lengths[static_cast<std::size_t>(b)];
          const double expected = valid ? run.theta[static_cast<Index>(run.x(b, t, 0)) * 3 + f] : 0.0;
          CHECK(run.y(b, t, f) == expected);
        }
      }
    }
  }
}

TEST_CASE("embedding: gradients are central differences, of valid steps alone, and indices have none") {
  for (const bool with_lengths : {false, true}) {
    Run<Embedding<double>> run(embedding(), indices());
    if (with_lengths) run.lengths = {4, 3, 2};
    run.forward();
    run.backward(true);
    test::check_gradient("embeddings", Run<Embedding<double>>::tensor(run.table.at("embeddings"), run.theta),
                         Run<Embedding<double>>::tensor(run.table.at("embeddings"), run.gradient),
                         [&] { return run.forward().cwiseProduct(run.dy.values()).sum(); });
    CHECK(run.dx.values().isZero(0.0));
    CHECK(run.gradient.tail(3).isZero(0.0));  // of the symbol that never comes
    const reprise::Vector<double> once = run.gradient;
    run.layer.backward(run.x.view(), std::as_const(run.y).view(), std::as_const(run.dy).view(), {},
                       run.call());
    CHECK((run.gradient - 2.0 * once).isZero(1e-14));  // added, and dx is not wanted
  }
}

TEST_CASE("one-hot: 1 for the symbol and 0 for the others, and no gradient") {
  Run<OneHot<double>> run(OneHot<double>(5), indices());
  CHECK(run.table.size() == 0);
  run.lengths = {4, 4, 2};
  run.x(2, 2, 0) = -7;
  run.forward();
  for (Index b = 0; b < 3; ++b) {
    for (Index t = 0; t < 4; ++t) {
      for (Index f = 0; f < 5; ++f) {
        const bool is_it = t < run.lengths[static_cast<std::size_t>(b)] && run.x(b, t, 0) == double(f);
        CHECK(run.y(b, t, f) == (is_it ? 1.0 : 0.0));
      }
    }
  }
  run.backward(true);
  CHECK(run.dx.values().isZero(0.0));
}

TEST_CASE("symbols: an index that is no whole number, or none of a symbol, is refused by name") {
  for (const double wrong : {-1.0, 5.0, 2.5, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity(), 1e30}) {
    CAPTURE(wrong);
    Run<Embedding<double>> run(embedding(), indices());
    run.x(1, 2, 0) = wrong;
    CHECK(test::contains(test::error_of([&] { run.forward(); }),
                         "Embedding: expected a whole number from 0 to 4, which is the index of a symbol"));
    Run<OneHot<double>> hot(OneHot<double>(5), indices());
    hot.x(1, 2, 0) = wrong;
    CHECK(test::contains(test::error_of([&] { hot.forward(); }),
                         "OneHot: expected a whole number from 0 to 4"));
    const std::vector<double> logits(5, 0.0), target = {wrong};
    CHECK(test::contains(test::error_of([&] {
                           SparseCategoricalCrossentropy()(std::span<const double>(logits),
                                                           std::span<const double>(target),
                                                           std::span<double>());
                         }),
                         "SparseCategoricalCrossentropy: expected a whole number from 0 to 4"));
  }
  CHECK(test::contains(test::error_of([] { Embedding<float>(1, {.output_dim = 2}); }), "input_dim > 0"));
  CHECK(test::contains(test::error_of([] { Embedding<float>(1, {.input_dim = 2}); }), "output_dim > 0"));
  CHECK(test::contains(test::error_of([] { Embedding<float>(2, {.input_dim = 2, .output_dim = 2}); }),
                       "1 input feature, the index of a symbol, got 2"));
  CHECK(test::contains(test::error_of([] { OneHot<float>(0); }), "symbols > 0, got 0"));
  CHECK(test::contains(test::error_of([] { OneHot<float>(3).output_shape({.steps = 2, .features = 3}); }),
                       "1 input feature, the index of a symbol, got 3"));
  const std::vector<double> logits(5, 0.0);
  CHECK(test::contains(test::error_of([&] {
                         SparseCategoricalCrossentropy()(std::span<const double>(logits),
                                                         std::span<const double>(logits),
                                                         std::span<double>());
                       }),
                       "a target of 1 feature, the index of the symbol that came, got 5"));
}

TEST_CASE("embedding: starts with Keras's uniform numbers from -0.05 to 0.05") {
  const Embedding<double> layer(1, {.input_dim = 200, .output_dim = 50});
  reprise::Vector<double> theta(10000);
  reprise::RandomStream random(1, reprise::Purpose::initial_weights, 0);
  layer.initialize(theta.data(), random);
  CHECK(std::abs(theta.mean()) < 1e-3);
  CHECK(std::abs(theta.squaredNorm() / 10000 - 0.05 * 0.05 / 3) < 2e-5);
  const double largest = test::largest(theta.cwiseAbs());
  CHECK(largest <= 0.05);
  CHECK(largest > 0.0499);
}

TEST_CASE("softmax: probabilities, of which none overflows, and gradients that are central differences") {
  std::vector<float> far = {1000.0f, 0.0f, -1000.0f};
  reprise::softmax(std::span<float>(far));
  CHECK(far == std::vector<float>{1.0f, 0.0f, 0.0f});
  std::vector<double> equal = {-1e300, -1e300};
  reprise::softmax(std::span<double>(equal));
  CHECK(equal == std::vector<double>{0.5, 0.5});
  reprise::softmax(std::span<double>());

  Run<Softmax<double>> run(Softmax<double>(), test::uniform_sequences<double>(4, 3, 5, 7));
  const auto& y = run.forward();
  for (Index c = 0; c < y.cols(); ++c) {
    const auto expected = run.x.values().col(c).array().exp() / run.x.values().col(c).array().exp().sum();
    CHECK((y.col(c).array() - expected).isZero(1e-15));
  }
  test::check_gradients(run);
}

TEST_CASE("cross-entropy: -log of the softmax, however large the logits are") {
  const auto loss = [](std::vector<double> logits, double came, std::span<double> slopes = {}) {
    return SparseCategoricalCrossentropy()(std::span<const double>(logits), std::span<const double>(&came, 1),
                                           slopes);
  };
  CHECK(loss({0, 0, 0, 0}, 2) == doctest::Approx(std::log(4.0)).epsilon(1e-15));
  CHECK(
      loss({1, 2, 3}, 0) ==
      doctest::Approx(-std::log(std::exp(1.) / (std::exp(1.) + std::exp(2.) + std::exp(3.)))).epsilon(1e-14));
  CHECK(loss({1e4, 0}, 1) == doctest::Approx(1e4).epsilon(1e-15));
  CHECK(loss({1e4, 0}, 0) == 0.0);
  CHECK(loss({-1e4, -1e4}, 1) == doctest::Approx(std::log(2.0)).epsilon(1e-11));
  CHECK(loss({3.0}, 0) == 0.0);  // a vocabulary of one
  std::vector<double> slopes(3);
  loss({1e4, 0, 0}, 1, slopes);
  CHECK(slopes == std::vector<double>{1.0, -1.0, 0.0});
}

TEST_CASE(
    "cross-entropy: of a batch with weights and lengths, its mean over valid positions and its slopes") {
  constexpr Index symbols = 5, batch = 3, steps = 4;
  auto logits = test::uniform_sequences<double>(symbols, batch, steps, 5);
  const auto came = indices();
  const std::vector<double> weights = {0.5, 2.0, 1.25};
  const std::vector<Index> lengths = {4, 3, 1};
  const reprise::Loss loss = SparseCategoricalCrossentropy{};
  double expected = 0.0;
  for (Index b = 0; b < batch; ++b) {
    for (Index t = 0; t < lengths[static_cast<std::size_t>(b)]; ++t) {
      double sum = 0.0;
      for (Index f = 0; f < symbols; ++f) sum += std::exp(logits(b, t, f));
      expected += weights[static_cast<std::size_t>(b)] *
                  (std::log(sum) - logits(b, t, static_cast<Index>(came(b, t, 0)))) / 8.0;
    }
  }
  CHECK(reprise::loss_value(loss, logits, came, weights, lengths) ==
        doctest::Approx(expected).epsilon(1e-14));

  auto slopes = logits;
  const double scale = double(steps) / 8.0;  // so that the sum over valid steps is divided by their number
  reprise::loss_sum<double>(loss, logits.view(), came.view(), weights, scale, slopes.view(), 0, lengths);
  test::check_gradient("logits", logits.values(), slopes.values(),
                       [&] { return reprise::loss_value(loss, logits, came, weights, lengths); });
  CHECK(slopes(2, 1, 0) == 0.0);  // behind a sample's end
}

TEST_CASE("cross-entropy: a chain of layers is trained on indices, and what its targets lack is named") {
  reprise::Sequential<float> network({.steps = 4, .features = 1});
  network.add("embedding", Embedding<float>(1, {.input_dim = 4, .output_dim = 8}));
  network.add("lstm", reprise::Lstm<float>(8, {.units = 16, .return_sequences = true}));
  network.add("output", reprise::Dense<float>(16, {.units = 4}));
  Sequences<float> x({.samples = 12, .steps = 4, .features = 1}), y = x;
  for (Index b = 0; b < 12; ++b) {
    for (Index t = 0; t < 4; ++t) {
      x(b, t, 0) = static_cast<float>((b + t) % 4);
      y(b, t, 0) = static_cast<float>((b + t + 1) % 4);
    }
  }
  reprise::Vector<float> theta(network.parameters().size());
  network.initialize(theta.data(), 1);
  reprise::TrainingState<float> state;
  reprise::Trainer<float> trainer(network, theta, state);
  const reprise::ArraySource<float> source(x, y, std::vector<Index>{4, 3, 4, 2, 1, 4, 4, 3, 4, 4, 2, 4});
  const auto history = trainer.fit(source, {.epochs = 60,
                                            .optimizer = reprise::Adam{.learning_rate = 0.03},
                                            .loss = SparseCategoricalCrossentropy{}});
  CHECK(history.loss.front() > 1.3);
  CHECK(history.loss.back() < 0.05);
  CHECK(trainer.evaluate(source) < 0.05);
  CHECK(test::contains(test::error_of([&] { trainer.fit(source, {.loss = reprise::MeanSquaredError{}}); }),
                       "fit: samples: targets: expected 4 steps x 4 features, got 4 steps x 1 features"));
  // A loss of the user's own that does not say so has as many target features as predictions.
  CHECK(test::contains(test::error_of([&] { trainer.fit(source, {.loss = own::SquaredError{}}); }),
                       "fit: samples: targets: expected 4 steps x 4 features, got 4 steps x 1 features"));
  const reprise::ArraySource<float> wide(x, Sequences<float>({.samples = 12, .steps = 4, .features = 4}));
  CHECK(test::contains(test::error_of([&] { trainer.fit(wide, {.loss = SparseCategoricalCrossentropy{}}); }),
                       "fit: samples: targets: expected 4 steps x 1 features, got 4 steps x 4 features"));
  y(3, 1, 0) = 4;
  CHECK(test::contains(test::error_of([&] {
                         trainer.fit(reprise::ArraySource<float>(x, y),
                                     {.loss = SparseCategoricalCrossentropy{}});
                       }),
                       "SparseCategoricalCrossentropy: expected a whole number from 0 to 3"));
}

TEST_CASE("lengths: steps that no sample of a batch has change nothing") {
  const std::vector<Index> lengths = {3, 1, 2};
  for (const int kind : {0, 1, 2}) {
    CAPTURE(kind);
    // The same samples in sequences of 3 and of 9 steps.
    double losses[2] = {}, evaluations[2] = {};
    reprise::Vector<double> gradients[2];
    for (const bool longer : {false, true}) {
      const Index steps = longer ? 9 : 3;
      reprise::Sequential<double> network({.steps = steps, .features = 1});
      network.add("embedding", embedding());
      network.add("lstm", reprise::Lstm<double>(3, {.units = 4, .return_sequences = kind != 1}));
      network.add("output", reprise::Dense<double>(4, {.units = 5}));
      Sequences<double> x({.samples = 3, .steps = steps, .features = 1});
      Sequences<double> y({.samples = 3, .steps = kind == 1 ? 1 : steps, .features = 1});
      for (Index b = 0; b < 3; ++b) {
        for (Index t = 0; t < 3; ++t) x(b, t, 0) = indices()(b, t, 0);
        for (Index t = 0; t < std::min<Index>(3, y.steps()); ++t) y(b, t, 0) = indices()(b, t + 1, 0);
      }
      reprise::Vector<double> theta(network.parameters().size());
      test::fill_uniform(theta, 3, -.6, .6);
      const reprise::ArraySource<double> source(x, y, lengths);
      const std::vector<Index> samples = {0, 1, 2};
      const std::vector<double> weights = {1.0, 0.5, 2.0};
      const reprise::Loss loss = SparseCategoricalCrossentropy{};
      // A batch of one shard with all lengths, and for kind 2 one whose longest sample has one step.
      const auto batch = kind == 2 ? std::span(samples).subspan(1, 1) : std::span(samples);
      reprise::detail::BatchPass<double> pass(network, 1);
      gradients[longer].resize(theta.size());
      for (int again = 0; again < 2; ++again) {  // on a tape that was cut already
        losses[longer] =
            pass.loss_and_gradient(theta.data(), source, batch, std::span(weights).first(batch.size()), loss,
                                   {}, gradients[longer].data());
      }
      evaluations[longer] = reprise::evaluate(network, theta, source, {.loss = loss});
    }
    CHECK(losses[1] == doctest::Approx(losses[0]).epsilon(1e-14));
    CHECK(evaluations[1] == doctest::Approx(evaluations[0]).epsilon(1e-14));
    CHECK(test::relative_difference(gradients[1], gradients[0]) < 1e-13);
    CHECK(test::largest(gradients[0].cwiseAbs()) > 1e-3);
  }
}

TEST_CASE("lengths: targets that are longer than the inputs count to their own ends") {
  struct Longer {
    reprise::ArraySource<double> inputs;
    Index size() const { return inputs.size(); }
    reprise::SequenceShape input_shape() const { return inputs.input_shape(); }
    reprise::SequenceShape target_shape() const { return inputs.target_shape(); }
    Index length(Index sample) const { return inputs.length(sample); }
    Index target_length(Index sample) const { return inputs.length(sample) + 1; }
    void gather(std::span<const Index> samples, reprise::SequenceView<float> x,
                reprise::SequenceView<float> y) const {
      inputs.gather(samples, x, y);
    }
    void gather(std::span<const Index> samples, reprise::SequenceView<double> x,
                reprise::SequenceView<double> y) const {
      inputs.gather(samples, x, y);
    }
  };
  reprise::Sequential<double> network({.steps = 4, .features = 1});
  network.add("embedding", embedding());
  network.add("lstm", reprise::Lstm<double>(3, {.units = 4, .return_sequences = true}));
  network.add("output", reprise::Dense<double>(4, {.units = 5}));
  reprise::Vector<double> theta(network.parameters().size());
  test::fill_uniform(theta, 3, -.6, .6);
  // Another symbol behind the input's end than the zero that stands there changes the loss.
  double losses[2] = {};
  for (const int last : {0, 1}) {
    auto y = indices();
    for (Index b = 0; b < 3; ++b) y(b, 2, 0) = last * 3;
    const Longer source{reprise::ArraySource<double>(indices(), y, std::vector<Index>{2, 1, 2})};
    losses[last] =
        reprise::evaluate(network, theta, reprise::Source(source), {.loss = SparseCategoricalCrossentropy{}});
  }
  CHECK(std::abs(losses[0] - losses[1]) > 1e-3);
}
