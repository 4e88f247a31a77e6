#pragma once

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <reprise/layers/any_layer.hpp>

#include "differences.hpp"
#include "errors.hpp"

namespace test {

using reprise::Index;
using reprise::Matrix;
using reprise::Sequences;
using reprise::Vector;

/// A matrix or some of its rows, to be varied.
using Block = Eigen::Ref<Matrix<double>, 0, Eigen::OuterStride<>>;
using ConstBlock = Eigen::Ref<const Matrix<double>, 0, Eigen::OuterStride<>>;

template <typename Derived>
void fill_uniform(Eigen::DenseBase<Derived>& values, std::uint32_t number, double low = -1, double high = 1) {
  reprise::RandomStream random(1, reprise::Purpose::other, number);
  for (Index c = 0; c < values.cols(); ++c) {
    for (Index r = 0; r < values.rows(); ++r) {
      values(r, c) = static_cast<typename Derived::Scalar>(low + (high - low) * random.uniform());
    }
  }
}

template <typename Scalar>
Matrix<Scalar> uniform_matrix(Index rows, Index cols, std::uint32_t number, double low = -1,
                              double high = 1) {
  Matrix<Scalar> values(rows, cols);
  fill_uniform(values, number, low, high);
  return values;
}

template <typename Scalar>
Sequences<Scalar> uniform_sequences(Index features, Index batch, Index steps, std::uint32_t number) {
  Sequences<Scalar> sequences({.samples = batch, .steps = steps, .features = features});
  fill_uniform(sequences.values(), number);
  return sequences;
}

/// Samples [first, first + count) of a batch.
template <typename Scalar>
Sequences<Scalar> samples_of(const Sequences<Scalar>& all, Index first, Index count) {
  Sequences<Scalar> some({.samples = count, .steps = all.steps(), .features = all.features()});
  for (Index t = 0; t < all.steps(); ++t) {
    some.view().step(t) = all.view().step(t).middleCols(first, count);
  }
  return some;
}

/// Holds the gradient of a block against central differences of `loss()`, a function of what `values` stands
/// for. Refuses a block whose gradient vanishes: such a check could not fail.
template <typename Loss>
void check_gradient(const std::string& block, Block values, ConstBlock gradient, Loss&& loss,
                    double tolerance = 1e-6) {
  CAPTURE(block);
  constexpr double step = 1e-5;
  Matrix<double> numeric(values.rows(), values.cols());
  for (Index c = 0; c < values.cols(); ++c) {
    for (Index r = 0; r < values.rows(); ++r) {
      const double value = values(r, c);
      values(r, c) = value + step;
      const double above = loss();
      values(r, c) = value - step;
      const double below = loss();
      values(r, c) = value;
      numeric(r, c) = (above - below) / (2 * step);
    }
  }
  CHECK(largest(numeric.cwiseAbs()) > 1e-4);
  CHECK(relative_difference(gradient, numeric) <= tolerance);
}

/// A layer with all that its caller owns. What a call must write first is filled with NaN before.
template <typename L>
struct Run {
  using Scalar = typename L::Scalar;

  L layer;
  reprise::ParameterTable table;
  Vector<Scalar> theta, gradient;
  Sequences<Scalar> x, y, dy, dx;
  Vector<Scalar> tape, scratch;
  reprise::LayerContext context;
  /// Of each sample, the largest first; empty: all steps.
  std::vector<Index> lengths;

  Run(L layer_, Sequences<Scalar> input) : layer(std::move(layer_)), x(std::move(input)), dx(x) {
    layer.add_parameters(table, "");
    theta.resize(table.size());
    fill_uniform(theta, 1, -.6, .6);
    gradient.resize(theta.size());
    const auto shape = layer.output_shape(x.shape());
    y.resize(shape.batch(x.batch()));
    dy = uniform_sequences<Scalar>(shape.features, x.batch(), shape.steps, 2);
    tape.resize(layer.tape_size(x.shape(), x.batch()));
    scratch.resize(layer.scratch_size(x.shape(), x.batch()));
    poison(tape);
    poison(scratch);
  }

  reprise::LayerCall<Scalar> call(const reprise::LayerStates<Scalar>& states = {},
                                  const reprise::DropoutMasks<Scalar>& masks = {}) {
    return {.theta = theta.data(),
            .tape = tape.data(),
            .scratch = scratch.data(),
            .gradient = gradient.data(),
            .states = states,
            .lengths = lengths,
            .masks = masks,
            .context = context};
  }
  template <typename... More>
  const Matrix<Scalar>& forward(const More&... states_and_masks) {
    poison(y.values());
    layer.forward(x.view(), y.view(), call(states_and_masks...));
    return y.values();
  }
  /// As a `Sequential` infers, without a tape.
  template <typename... More>
  const Matrix<Scalar>& infer(const More&... states_and_masks) {
    poison(y.values());
    auto without_tape = call(states_and_masks...);
    without_tape.tape = nullptr;
    const reprise::AnyLayer<Scalar> any = layer;
    Vector<Scalar> more_scratch(any.scratch_size(x.shape(), x.batch()));
    poison(more_scratch);
    if (more_scratch.size() > scratch.size()) without_tape.scratch = more_scratch.data();
    any.infer(x.view(), y.view(), without_tape);
    return y.values();
  }
  /// After `forward`: the gradients of sum(dy * y) in `gradient` and, unless it is not wanted, `dx`.
  template <typename... More>
  void backward(bool input_wanted, const More&... states) {
    poison(dx.values());
    const auto wanted = input_wanted ? dx.view() : decltype(dx.view()){};
    gradient.setZero();
    layer.backward(x.view(), std::as_const(y).view(), std::as_const(dy).view(), wanted, call(states...));
  }

  /// A tensor within a vector like `theta`, as it is stored.
  static Eigen::Map<Matrix<Scalar>> tensor(const reprise::ParameterInfo& info, Vector<Scalar>& in) {
    return {in.data() + info.offset, info.rows, info.cols};
  }

  template <typename Derived>
  static void poison(Eigen::DenseBase<Derived>& values) {
    values.setConstant(std::numeric_limits<Scalar>::quiet_NaN());
  }
};

/// Every parameter and the input of a layer without states.
template <typename L>
void check_gradients(Run<L>& run) {
  run.forward();
  run.backward(true);
  const auto loss = [&] { return run.forward().cwiseProduct(run.dy.values()).sum(); };
  for (const auto& info : run.table) {
    check_gradient(info.name, Run<L>::tensor(info, run.theta), Run<L>::tensor(info, run.gradient), loss);
  }
  check_gradient("input", run.x.values(), run.dx.values(), loss);
}

}  // namespace test
