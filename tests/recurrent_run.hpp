#pragma once

#include "gradient_check.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// What the tests of recurrent layers share: a layer with its states, and what must hold for each of them.
namespace test {

/// A layer with all that its caller owns, states and their gradients included: a state is one column that
/// holds the layer's state of all samples, as a call takes it.
template <typename L>
struct RecurrentRun : Run<L> {
  using Scalar = typename L::Scalar;
  Vector<Scalar> initial, final, final_gradient, initial_gradient;
  /// Handed in where not empty.
  Matrix<Scalar> input_masks, recurrent_masks;

  RecurrentRun(const L& layer_, const Sequences<Scalar>& input) : Run<L>(layer_, input) {
    const Index size = layer_.state_size() * input.batch();
    initial.resize(size);
    fill_uniform(initial, 11);
    final_gradient.resize(size);
    fill_uniform(final_gradient, 12);
    final.setZero(size);
    initial_gradient.setZero(size);
  }

  reprise::LayerStates<Scalar> states() {
    return {initial.data(), final.data(), final_gradient.data(), initial_gradient.data()};
  }
  reprise::DropoutMasks<Scalar> masks() const {
    return {input_masks.size() > 0 ? input_masks.data() : nullptr,
            recurrent_masks.size() > 0 ? recurrent_masks.data() : nullptr};
  }
  const Matrix<Scalar>& forward_with_states() {
    Run<L>::poison(final);
    return this->forward(states(), masks());
  }
  const Matrix<Scalar>& infer_with_states() {
    Run<L>::poison(final);
    return this->infer(states());
  }
  void backward_with_states(bool input_wanted = true) {
    Run<L>::poison(initial_gradient);
    this->backward(input_wanted, states());
  }
  /// A sum that sees the output and the final state.
  Scalar loss() {
    forward_with_states();
    return this->dy.values().cwiseProduct(this->y.values()).sum() + final_gradient.dot(final);
  }

  /// Draws masks and holds them; `count` for x and h each.
  void hold_masks(double dropout, double recurrent_dropout, Index count) {
    this->context = {.training = true, .seed = 5};
    const auto draw = [&](double rate, Index features, reprise::Purpose purpose) {
      Matrix<Scalar> all(features, this->x.batch() * count);
      reprise::detail::fill_dropout_masks<Scalar>(rate, count, features, this->x.batch(), purpose, nullptr,
                                                  this->context, all.data());
      return all;
    };
    if (dropout > 0) input_masks = draw(dropout, this->x.features(), reprise::Purpose::dropout);
    if (recurrent_dropout > 0) {
      recurrent_masks =
          draw(recurrent_dropout, this->layer.state_size(), reprise::Purpose::recurrent_dropout);
    }
  }

  /// Sets what stands beyond the samples' ends in x or dy, which nobody may read.
  static void fill_padding(Sequences<Scalar>& sequences, const std::vector<Index>& lengths, Scalar value) {
    for (std::size_t b = 0; b < lengths.size(); ++b) {
      for (Index t = lengths[b]; t < sequences.steps(); ++t) {
        sequences.view().step(t).col(static_cast<Index>(b)).setConstant(value);
      }
    }
  }
};

/// Every tensor, cut into its gates; the input; the initial state. The gradient flows in through the output
/// and the final state.
template <typename L>
void check_recurrent_gradients(RecurrentRun<L>& run, Index gates) {
  run.loss();
  run.backward_with_states();
  const auto loss = [&] { return run.loss(); };
  for (const auto& info : run.table) {
    auto values = run.tensor(info, run.theta);
    const auto gradient = run.tensor(info, run.gradient);
    const Index rows = info.rows / gates;
    for (Index gate = 0; gate < gates; ++gate) {
      check_gradient(info.name + ", gate " + std::to_string(gate), values.middleRows(gate * rows, rows),
                     gradient.middleRows(gate * rows, rows), loss);
    }
  }
  check_gradient("input", run.x.values(), run.dx.values(), loss);
  check_gradient("initial state", run.initial, run.initial_gradient, loss);
}

/// Inference gives what training gives without dropout, for each number of steps and samples.
template <typename L>
void check_inference(const L& layer, Index features) {
  using Scalar = typename L::Scalar;
  const double tolerance = std::is_same_v<Scalar, float> ? 1e-5 : 1e-12;
  for (const Index batch : {1, 2, 5}) {
    for (const Index steps : {1, 2, 9, 70}) {
      CAPTURE(batch);
      CAPTURE(steps);
      RecurrentRun<L> run(layer, uniform_sequences<Scalar>(features, batch, steps, 7));
      for (const bool padded : {false, true}) {
        CAPTURE(padded);
        if (padded) {
          for (Index b = 0; b < batch; ++b) {
            const Index length = steps - 1 - 2 * b;
            run.lengths.push_back(length < 1 ? 1 : length);
          }
          RecurrentRun<L>::fill_padding(run.x, run.lengths, std::numeric_limits<Scalar>::quiet_NaN());
        }
        const Matrix<Scalar> output = run.forward_with_states();
        const Vector<Scalar> final = run.final;
        CHECK(relative_difference(run.infer_with_states(), output) < tolerance);
        CHECK(relative_difference(run.final, final) < tolerance);
      }
    }
  }
}

/// The state of sample b alone. A layer's state stands in parts, each with one column per sample.
template <typename Scalar>
Vector<Scalar> state_of_sample(const Vector<Scalar>& state, const std::vector<Index>& parts, Index batch,
                               Index b) {
  Vector<Scalar> one(state.size() / batch);
  Index from = 0, to = 0;
  for (const Index rows : parts) {
    one.segment(to, rows) = state.segment(from + b * rows, rows);
    from += rows * batch;
    to += rows;
  }
  return one;
}

/// Each sample of a batch is what it is alone, with as many steps as are valid: outputs, states and
/// gradients. The padding holds NaN, which would spread to whatever reads it.
template <typename L>
void check_samples_alone(const L& layer, Index features, Index steps, const std::vector<Index>& lengths,
                         const std::vector<Index>& parts) {
  using Scalar = typename L::Scalar;
  const double tolerance = std::is_same_v<Scalar, float> ? 5e-5 : 1e-12;
  const auto batch = static_cast<Index>(lengths.size());
  RecurrentRun<L> all(layer, uniform_sequences<Scalar>(features, batch, steps, 7));
  all.lengths = lengths;
  const bool sequences = all.y.steps() == steps && steps > 1;
  RecurrentRun<L>::fill_padding(all.x, lengths, std::numeric_limits<Scalar>::quiet_NaN());
  if (sequences) RecurrentRun<L>::fill_padding(all.dy, lengths, Scalar(0));
  all.forward_with_states();
  all.backward_with_states();

  Vector<Scalar> sum = Vector<Scalar>::Zero(all.gradient.size());
  for (Index b = 0; b < batch; ++b) {
    CAPTURE(b);
    const auto mine = [&](const Vector<Scalar>& state) { return state_of_sample(state, parts, batch, b); };
    const Index length = lengths[static_cast<std::size_t>(b)];
    Sequences<Scalar> x({.samples = 1, .steps = length, .features = features});
    for (Index t = 0; t < length; ++t) x.view().step(t) = all.x.view().step(t).col(b);
    RecurrentRun<L> one(layer, x);
    one.theta = all.theta;
    one.initial = mine(all.initial);
    one.final_gradient = mine(all.final_gradient);
    for (Index t = 0; t < one.y.steps(); ++t) one.dy.view().step(t) = all.dy.view().step(t).col(b);
    one.forward_with_states();
    one.backward_with_states();
    for (Index t = 0; t < one.y.steps(); ++t) {
      CHECK(relative_difference(all.y.view().step(t).col(b), one.y.view().step(t)) < tolerance);
    }
    for (Index t = 0; t < length; ++t) {
      CHECK(relative_difference(all.dx.view().step(t).col(b), one.dx.view().step(t)) < tolerance);
    }
    for (Index t = length; t < steps; ++t) CHECK(all.dx.view().step(t).col(b).isZero(0));
    CHECK(relative_difference(mine(all.final), one.final) < tolerance);
    CHECK(relative_difference(mine(all.initial_gradient), one.initial_gradient) < tolerance);
    sum += one.gradient;
  }
  CHECK(relative_difference(all.gradient, sum) < tolerance);
}

/// With all samples of full length the bits are those of no lengths.
template <typename L>
void check_equal_lengths(const L& layer, Index features) {
  using Scalar = typename L::Scalar;
  RecurrentRun<L> run(layer, uniform_sequences<Scalar>(features, 3, 5, 7));
  run.forward_with_states();
  run.backward_with_states();
  const Matrix<Scalar> y = run.y.values(), dx = run.dx.values();
  const Vector<Scalar> final = run.final, gradient = run.gradient, initial_gradient = run.initial_gradient;
  run.lengths = {5, 5, 5};
  run.forward_with_states();
  run.backward_with_states();
  CHECK(run.y.values() == y);
  CHECK(run.dx.values() == dx);
  CHECK(run.final == final);
  CHECK(run.gradient == gradient);
  CHECK(run.initial_gradient == initial_gradient);
}

/// Two runs, the second from the first's final state, are one, gradients included.
template <typename L>
void check_stream_split(const L& layer, Index features) {
  using Scalar = typename L::Scalar;
  const double tolerance = std::is_same_v<Scalar, float> ? 2e-5 : 1e-12;
  const Index batch = 2, steps = 9, split = 4;
  RecurrentRun<L> whole(layer, uniform_sequences<Scalar>(features, batch, steps, 7));
  REQUIRE(whole.y.steps() == steps);
  whole.forward_with_states();
  whole.backward_with_states();
  const auto part = [&](const Sequences<Scalar>& all, Index first, Index count) {
    Sequences<Scalar> some({.samples = batch, .steps = count, .features = all.features()});
    some.values() = all.values().middleCols(first * batch, count * batch);
    return some;
  };
  RecurrentRun<L> first(layer, part(whole.x, 0, split)), second(layer, part(whole.x, split, steps - split));
  first.theta = second.theta = whole.theta;
  first.initial = whole.initial;
  first.dy = part(whole.dy, 0, split);
  second.dy = part(whole.dy, split, steps - split);
  first.forward_with_states();
  second.initial = first.final;
  second.final_gradient = whole.final_gradient;
  second.forward_with_states();
  second.backward_with_states();
  first.final_gradient = second.initial_gradient;
  first.backward_with_states();
  CHECK(relative_difference(first.y.values(), part(whole.y, 0, split).values()) < tolerance);
  CHECK(relative_difference(second.y.values(), part(whole.y, split, steps - split).values()) < tolerance);
  CHECK(relative_difference(second.final, whole.final) < tolerance);
  CHECK(relative_difference(first.initial_gradient, whole.initial_gradient) < tolerance);
  CHECK(relative_difference(first.gradient + second.gradient, whole.gradient) < tolerance);
}

/// An input that is one repeated step is that step written out.
template <typename L>
void check_repeated_input(const L& layer, Index features, const std::vector<Index>& lengths,
                          const reprise::LayerContext& context = {}) {
  using Scalar = typename L::Scalar;
  const Index batch = 3, steps = 6;
  REQUIRE(layer.traits().takes_repeated);
  Sequences<Scalar> written_out({.samples = batch, .steps = steps, .features = features});
  const Matrix<Scalar> step = uniform_matrix<Scalar>(features, batch, 7);
  for (Index t = 0; t < steps; ++t) written_out.view().step(t) = step;
  RecurrentRun<L> run(layer, written_out);
  run.context = context;
  run.lengths = lengths;
  run.forward_with_states();
  run.backward_with_states();
  Matrix<Scalar> dx = Matrix<Scalar>::Zero(features, batch);
  for (Index t = 0; t < steps; ++t) dx += run.dx.view().step(t);
  const Matrix<Scalar> y = run.y.values();
  const Vector<Scalar> gradient = run.gradient, initial_gradient = run.initial_gradient;

  const reprise::SequenceView<const Scalar> x(step.data(),
                                              {.samples = batch, .steps = steps, .features = features}, true);
  Matrix<Scalar> repeated_dx = Matrix<Scalar>::Constant(features, batch, 3);
  RecurrentRun<L>::poison(run.y.values());
  layer.forward(x, run.y.view(), run.call(run.states(), run.masks()));
  CHECK(relative_difference(run.y.values(), y) < 1e-12);
  run.gradient.setZero();
  layer.backward(x, std::as_const(run.y).view(), std::as_const(run.dy).view(),
                 {repeated_dx.data(), x.shape().batch(batch), true}, run.call(run.states(), run.masks()));
  CHECK(relative_difference(repeated_dx, dx) < 1e-12);
  CHECK(relative_difference(run.gradient, gradient) < 1e-12);
  CHECK(relative_difference(run.initial_gradient, initial_gradient) < 1e-12);
  if (context.training) return;
  layer.infer(x, run.y.view(), run.call(run.states()));
  CHECK(relative_difference(run.y.values(), y) < 1e-12);
}

/// States and gradients that are not given or wanted are zero or left out; the gradient of the parameters is
/// added to what was there; whatever tape and scratch held before changes no bit.
template <typename L>
void check_what_is_optional(const L& layer, Index features) {
  using Scalar = typename L::Scalar;
  RecurrentRun<L> run(layer, uniform_sequences<Scalar>(features, 2, 5, 7));
  run.initial.setZero();
  run.final_gradient.setZero();
  run.forward_with_states();
  run.backward_with_states();
  const Matrix<Scalar> y = run.y.values(), dx = run.dx.values();
  const Vector<Scalar> gradient = run.gradient;
  run.tape.setConstant(Scalar(2));
  run.scratch.setConstant(Scalar(-3));
  CHECK(run.forward() == y);
  run.backward(true);
  CHECK(run.gradient == gradient);
  CHECK(run.dx.values() == dx);
  run.backward(false);
  CHECK(run.gradient == gradient);
  layer.backward(std::as_const(run.x).view(), std::as_const(run.y).view(), std::as_const(run.dy).view(), {},
                 run.call());
  CHECK(relative_difference(run.gradient, 2 * gradient) < 1e-6);
}

}  // namespace test
