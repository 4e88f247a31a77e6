#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::ArraySource;
using reprise::Autoencoder;
using reprise::FitOptions;
using reprise::History;
using reprise::Index;
using reprise::PaddedSequences;
using reprise::Sequences;
using reprise::Vector;
using test::contains;
using test::error_of;
using test::same_bits;

namespace {

constexpr Index steps = 6, count = 75;

Index length_of(Index sample) { return 1 + (5 * sample + 2) % steps; }

/// Sequences of 1 to 6 steps in a strange order, ragged as a user has them.
std::vector<std::vector<double>> ragged() {
  std::vector<std::vector<double>> sequences;
  for (Index b = 0; b < count; ++b) {
    std::vector<double> sequence;
    for (Index t = 0; t < length_of(b); ++t)
      sequence.push_back(0.8 * std::sin(static_cast<double>(b * b % 17 + t)));
    sequences.push_back(sequence);
  }
  return sequences;
}

template <typename Scalar>
PaddedSequences<Scalar> sessions() {
  return reprise::padded<Scalar>(ragged());
}

FitOptions options(Index epochs, bool validated = true) {
  return {.epochs = epochs,
          .batch_size = 40,
          .validation_split = validated ? 0.2 : 0.0,
          .sample_weights = std::vector<double>(count, 0.5),
          .optimizer = reprise::Adam{.learning_rate = 0.02}};
}

}  // namespace

TEST_CASE("padded: valid steps first, zeros behind, and the lengths") {
  const auto data = ragged();
  for (const Index room : {0, 9}) {
    const PaddedSequences<float> all = reprise::padded<float>(data, room);
    CHECK(all.values.shape() == reprise::SequenceShape{.steps = room == 0 ? steps : 9, .features = 1});
    REQUIRE(all.values.batch() == count);
    for (Index b = 0; b < count; ++b) {
      const auto& sequence = data[static_cast<std::size_t>(b)];
      CHECK(all.lengths[static_cast<std::size_t>(b)] == static_cast<Index>(sequence.size()));
      for (Index t = 0; t < all.values.steps(); ++t) {
        const bool valid = t < static_cast<Index>(sequence.size());
        CHECK(all.values(b, t, 0) ==
              (valid ? static_cast<float>(sequence[static_cast<std::size_t>(t)]) : 0.0f));
      }
    }
  }
  const std::vector<Eigen::MatrixXd> matrices = {Eigen::MatrixXd::Constant(2, 3, 1.5),
                                                 Eigen::MatrixXd::Random(4, 3)};
  const auto of_matrices = reprise::padded<double>(matrices);
  CHECK(of_matrices.lengths == std::vector<Index>{2, 4});
  CHECK(of_matrices.values.shape() == reprise::SequenceShape{.steps = 4, .features = 3});
  CHECK(of_matrices.values(1, 3, 2) == matrices[1](3, 2));
  CHECK(of_matrices.values(0, 2, 0) == 0.0);
  CHECK(contains(error_of([&] { return reprise::padded<float>(data, 4); }),
                 "sequences of at most 4 steps, got 6"));
  CHECK(contains(error_of([&] {
                   return reprise::padded<float>(
                       std::vector<Eigen::MatrixXd>{{Eigen::MatrixXd(1, 2)}, {Eigen::MatrixXd(1, 3)}});
                 }),
                 "2 features in each sequence, got 3"));
}

TEST_CASE_TEMPLATE("lengths: the loss is that of the valid steps, whatever stands behind them", Scalar, float,
                   double) {
  const Autoencoder<Scalar> start(test::small_model(steps));
  const PaddedSequences<Scalar> data = sessions<Scalar>();
  // By hand: each sample alone, whose encoder ends where the sample does.
  double sum = 0.0, positions = 0.0;
  const Sequences<Scalar> reconstruction = start.reconstruct(data);
  for (Index b = 0; b < count; ++b) {
    for (Index t = 0; t < steps; ++t) {
      if (t >= length_of(b)) {
        CHECK(reconstruction(b, t, 0) == 0);
        continue;
      }
      sum += std::pow(
          static_cast<double>(reconstruction(b, t, 0)) - static_cast<double>(data.values(b, t, 0)), 2);
      positions += 1.0;
    }
  }
  const double tolerance = sizeof(Scalar) == 4 ? 1e-5 : 1e-13;
  CHECK(start.evaluate(data) == doctest::Approx(sum / positions).epsilon(tolerance));
  CHECK(start.evaluate(data, {.batch_size = 7}) == doctest::Approx(sum / positions).epsilon(tolerance));
  Autoencoder<Scalar> model = start;
  FitOptions none = options(1, false);
  none.optimizer = reprise::Sgd{.learning_rate = 0.0};
  CHECK(model.fit(data, none).loss[0] == doctest::Approx(0.5 * sum / positions).epsilon(tolerance));

  // Anything may stand in the padding.
  PaddedSequences<Scalar> dirty = data;
  for (Index b = 0; b < count; ++b) {
    for (Index t = length_of(b); t < steps; ++t)
      dirty.values(b, t, 0) = std::numeric_limits<Scalar>::quiet_NaN();
  }
  Autoencoder<Scalar> clean = start, of_dirty = start;
  const History a = clean.fit(data, options(3)), b = of_dirty.fit(dirty, options(3));
  CHECK(same_bits(clean.weights(), of_dirty.weights()));
  CHECK(a.validation_loss == b.validation_loss);
  CHECK(same_bits(clean.reconstruct(data).values(), clean.reconstruct(dirty.values, dirty.lengths).values()));
}

TEST_CASE("lengths: a dense layer at the start meets no padding either") {
  // Its gradient is a product with its input, in which even a slope of zero does not outweigh a NaN.
  reprise::Sequential<double> network({.steps = steps, .features = 1});
  network.add("first", reprise::TimeDistributed<double>(1, {.units = 3}));
  network.add("lstm", reprise::Lstm<double>(3, {.units = 4, .return_sequences = true}));
  network.add("last", reprise::TimeDistributed<double>(4, {.units = 1}));
  const PaddedSequences<double> data = sessions<double>();
  const auto trained = [&](double padding) {
    Sequences<double> x = data.values;
    for (Index b = 0; b < count; ++b) {
      for (Index t = length_of(b); t < steps; ++t) x(b, t, 0) = padding;
    }
    Vector<double> parameters(network.parameters().size());
    network.initialize(parameters.data(), 1);
    reprise::TrainingState<double> state;
    reprise::Trainer<double>(network, parameters, state).fit(ArraySource(x, data.lengths), options(2));
    return parameters;
  };
  const Vector<double> clean = trained(0.0);
  CHECK(clean.allFinite());
  CHECK(same_bits(trained(std::numeric_limits<double>::quiet_NaN()), clean));
  CHECK(same_bits(trained(1e6), clean));
}

TEST_CASE("lengths: each sample's gradient is that of a network that is no longer than the sample") {
  // The encoder reads n steps; what the decoder makes of them is compared at the first n.
  const Autoencoder<double> model(test::small_model(steps));
  const PaddedSequences<double> data = sessions<double>();
  Vector<double> expected = Vector<double>::Zero(model.weights().size()), gradient = expected,
                 part = expected;
  double positions = 0.0;
  for (Index b = 0; b < 40; ++b) {
    const Index n = length_of(b);
    // A model of n steps has the same parameters: the loss of n steps, times n.
    const Autoencoder<double> shorter(test::small_model(n), model.weights());
    Sequences<double> x({.samples = 1, .steps = n, .features = 1});
    for (Index t = 0; t < n; ++t) x(0, t, 0) = data.values(b, t, 0);
    reprise::detail::BatchPass<double> pass(shorter.network(), 1);
    pass.loss_and_gradient(model.weights().data(), ArraySource(x), test::numbers(0, 1), {},
                           reprise::MeanSquaredError{}, {}, part.data());
    expected += part * static_cast<double>(n);
    positions += static_cast<double>(n);
  }
  reprise::detail::BatchPass<double> pass(model.network(), 2);
  pass.loss_and_gradient(model.weights().data(), data, test::numbers(0, 40), {}, reprise::MeanSquaredError{},
                         {}, gradient.data());
  CHECK(test::relative_difference(gradient, expected / positions) < 1e-12);
}

TEST_CASE_TEMPLATE("lengths: threads and a fit in two parts give the same bits, with dropout", Scalar, float,
                   double) {
  const PaddedSequences<Scalar> data = sessions<Scalar>();
  const Autoencoder<Scalar> start(test::small_model_with_dropout(steps));
  Autoencoder<Scalar> whole = start, parts = start;
  const History all = whole.fit(data, options(30));
  parts.fit(data, options(10));
  FitOptions rest = options(20);
  rest.threads = 3;
  const History second = parts.fit(data, rest);
  CHECK(same_bits(whole.weights(), parts.weights()));
  CHECK(std::vector<double>(all.loss.begin() + 10, all.loss.end()) == second.loss);
  CHECK(std::vector<double>(all.validation_loss.begin() + 10, all.validation_loss.end()) ==
        second.validation_loss);
  CHECK(whole.evaluate(data) == whole.evaluate(data, {.threads = 2}));
}

TEST_CASE("lengths: full ones give the bits of none") {
  const auto windows = test::wave_windows(60, steps);
  Sequences<float> x({.samples = 60, .steps = steps, .features = 1});
  windows.gather(std::span<const Index>(test::numbers(0, 60)), x.view());
  const ArraySource source(x, std::vector<Index>(60, steps));
  CHECK(reprise::Source(source).has_lengths());
  for (const bool dropout : {false, true}) {
    const Autoencoder<float> start(dropout ? test::small_model_with_dropout(steps)
                                           : test::small_model(steps));
    Autoencoder<float> a = start, b = start;
    const FitOptions options{.epochs = 3, .batch_size = 25, .validation_split = 0.3};
    const History of_windows = a.fit(windows, options), with_lengths = b.fit(source, options);
    CHECK(same_bits(a.weights(), b.weights()));
    CHECK(of_windows.loss == with_lengths.loss);
    CHECK(of_windows.validation_loss == with_lengths.validation_loss);
    CHECK(a.evaluate(windows) == b.evaluate(source));
    CHECK(same_bits(a.reconstruct(windows).values(), b.reconstruct(source).values()));
  }
}

TEST_CASE("lengths: random numbers go by a sample's place in the batch, not by its length") {
  // One epoch with dropout and without shuffling. A sample that is cut short moves within its shard; the
  // others' masks, and so their gradients, must stay.
  const Autoencoder<double> model(test::small_model_with_dropout(steps));
  Sequences<double> x({.samples = 3, .steps = steps, .features = 1});
  for (Index b = 0; b < 3; ++b) {
    for (Index t = 0; t < steps; ++t) x(b, t, 0) = std::sin(static_cast<double>(3 * b + t));
  }
  const auto gradient_of = [&](std::vector<Index> lengths, std::vector<double> weights) {
    reprise::detail::BatchPass<double> pass(model.network(), 1);
    Vector<double> gradient(model.weights().size());
    reprise::LayerContext context;
    context.training = true;
    context.seed = 7;
    double positions = 0.0;
    for (const Index length : lengths) positions += static_cast<double>(length);
    pass.loss_and_gradient(model.weights().data(), ArraySource(x, std::move(lengths)), test::numbers(0, 3),
                           weights, reprise::MeanSquaredError{}, context, gradient.data());
    return Vector<double>(gradient * positions);
  };
  // Only the last sample counts; the first two are full, or shorter than it.
  const Vector<double> full = gradient_of({6, 6, 5}, {0, 0, 1}), moved = gradient_of({2, 3, 5}, {0, 0, 1});
  CHECK(full.norm() > 1e-3);
  CHECK(test::relative_difference(moved, full) < 1e-12);
}

TEST_CASE("lengths: those that cannot be are refused by name") {
  const Sequences<float> x({.samples = 3, .steps = steps, .features = 1});
  const auto message = [&](std::vector<Index> lengths) { return error_of([&] { ArraySource(x, lengths); }); };
  CHECK(contains(message({1, 2}), "array source: expected 3 lengths, one for each sample, got 2"));
  CHECK(contains(message({1, 0, 2}), "lengths of 1 to 6 steps, got 0"));
  CHECK(contains(message({1, 7, 2}), "lengths of 1 to 6 steps, got 7"));
}
