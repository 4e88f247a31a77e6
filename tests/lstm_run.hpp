#pragma once

#include <limits>

#include <reprise/layers/lstm.hpp>

#include "gradient_check.hpp"

namespace test {

/// A layer with all that its caller owns, initial and final states and their gradients included.
template <typename L>
struct LstmRun : Run<L> {
  using Scalar = typename L::Scalar;
  Matrix<Scalar> h0, c0, hT, cT;
  Matrix<Scalar> dh0, dc0, dhT, dcT;
  /// features x (batch * number of masks); drawn by the layer where empty
  Matrix<Scalar> input_masks, recurrent_masks;

  LstmRun(const reprise::LstmOptions& options, const Sequences<Scalar>& input)
      : Run<L>(L(input.features(), options), input) {
    const Index H = options.units, B = input.batch();
    h0 = uniform_matrix<Scalar>(H, B, 11);
    c0 = uniform_matrix<Scalar>(H, B, 12);
    dhT = uniform_matrix<Scalar>(H, B, 13);
    dcT = uniform_matrix<Scalar>(H, B, 14);
    hT = cT = dh0 = dc0 = Matrix<Scalar>::Zero(H, B);
  }

  /// Memory for h and c side by side, which is how a layer takes its states.
  Matrix<Scalar> initial, final, final_gradient, initial_gradient;

  reprise::LayerStates<Scalar> states() {
    const Index H = h0.rows(), B = h0.cols();
    initial.resize(H, 2 * B);
    initial << h0, c0;
    final_gradient.resize(H, 2 * B);
    final_gradient << dhT, dcT;
    final.setConstant(H, 2 * B, std::numeric_limits<Scalar>::quiet_NaN());
    initial_gradient.setConstant(H, 2 * B, std::numeric_limits<Scalar>::quiet_NaN());
    return {initial.data(), final.data(), final_gradient.data(), initial_gradient.data()};
  }
  void take_final_states() {
    hT = final.leftCols(hT.cols());
    cT = final.rightCols(cT.cols());
  }
  reprise::DropoutMasks<Scalar> masks() const {
    return {input_masks.size() > 0 ? input_masks.data() : nullptr,
            recurrent_masks.size() > 0 ? recurrent_masks.data() : nullptr};
  }
  const Matrix<Scalar>& forward_with_states() {
    this->forward(states(), masks());
    take_final_states();
    return this->y.values();
  }
  const Matrix<Scalar>& infer_with_states() {
    this->infer(states());
    take_final_states();
    return this->y.values();
  }
  void backward_with_states(bool input_wanted = true) {
    this->backward(input_wanted, states());
    dh0 = initial_gradient.leftCols(dh0.cols());
    dc0 = initial_gradient.rightCols(dc0.cols());
  }
  /// A sum that sees the output and both final states.
  double loss() {
    forward_with_states();
    return this->dy.values().cwiseProduct(this->y.values()).sum() + dhT.cwiseProduct(hT).sum() +
           dcT.cwiseProduct(cT).sum();
  }

  /// Draws masks and holds them. Masks of this rate always differ between gates at the sizes of these tests.
  void hold_masks() {
    this->context = {.training = true, .seed = 5};
    const reprise::LstmOptions& options = this->layer.options();
    const Index count = options.recurrent_dropout > 0 ? 4 : 1;
    const auto draw = [&](double rate, Index features, Index masks, reprise::Purpose purpose) {
      Matrix<Scalar> all(features, this->x.batch() * masks);
      for (Index m = 0; m < masks; ++m) {
        reprise::detail::draw_dropout_mask(rate, features, this->x.batch(), purpose,
                                           static_cast<std::uint32_t>(m), this->context,
                                           all.data() + m * features * this->x.batch());
      }
      return all;
    };
    if (options.dropout > 0)
      input_masks = draw(options.dropout, this->x.features(), count, reprise::Purpose::dropout);
    if (options.recurrent_dropout > 0) {
      recurrent_masks =
          draw(options.recurrent_dropout, options.units, 4, reprise::Purpose::recurrent_dropout);
    }
  }
};

}  // namespace test
