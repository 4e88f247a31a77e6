#pragma once

#include "../core/product.hpp"
#include "activations.hpp"
#include "initializers.hpp"
#include "layer.hpp"

namespace reprise::inline REPRISE_ABI {

/// A dense layer's configuration, in Keras's names and defaults.
struct DenseOptions {
  /// Features of the output. Must be given.
  Index units = 0;
  Activation activation = activation::linear;
  bool use_bias = true;
  Initializer kernel_initializer = initializer::glorot_uniform;
  Initializer bias_initializer = initializer::zeros;

  friend bool operator==(const DenseOptions&, const DenseOptions&) = default;
};

/// y = activation(W x + b), the same map at every step and for every sample: one product over all columns.
///
///     backwards: dz = dy * activation'(y)    dx = W^T dz    dW += dz x^T    db += dz
///
/// Shapes: input I x batch x T, output O x batch x T. Parameters: kernel O x I, bias O.
template <typename Scalar_, int Inputs = Eigen::Dynamic, int Units = Eigen::Dynamic>
class Dense {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  template <typename S, int Rows, int Cols>
  using Weights = Eigen::Map<std::conditional_t<std::is_const_v<S>, const Eigen::Matrix<Scalar, Rows, Cols>,
                                                Eigen::Matrix<Scalar, Rows, Cols>>>;

  Dense(Index inputs, const DenseOptions& options) : inputs_(inputs), options_(options) {
    detail::require_positive(options.units, "Dense", "units");
    detail::require_positive(inputs, "Dense", "number of input features");
    if ((Inputs != Eigen::Dynamic && inputs != Inputs) ||
        (Units != Eigen::Dynamic && options.units != Units)) {
      detail::fail("Dense",
                   "the sizes it was compiled for, " + std::to_string(Inputs) + " inputs and " +
                       std::to_string(Units) + " units",
                   std::to_string(inputs) + " and " + std::to_string(options.units));
    }
  }

  const DenseOptions& options() const { return options_; }
  Index inputs() const { return Inputs == Eigen::Dynamic ? inputs_ : Inputs; }
  Index units() const { return Units == Eigen::Dynamic ? options_.units : Units; }
  Index parameter_count() const { return units() * (inputs() + (options_.use_bias ? 1 : 0)); }

  template <typename S>
  Weights<S, Units, Inputs> kernel(S* theta) const {
    return {theta, units(), inputs()};
  }
  /// Empty when there is no bias.
  template <typename S>
  Weights<S, Eigen::Dynamic, 1> bias(S* theta) const {
    return {theta + units() * inputs(), options_.use_bias ? units() : 0};
  }

  SequenceShape output_shape(SequenceShape in) const {
    if (in.features != inputs()) {
      detail::fail("Dense", std::to_string(inputs()) + " input features", std::to_string(in.features));
    }
    return {units(), in.steps};
  }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    table.add(prefix + "kernel", units(), inputs(), false);
    if (options_.use_bias) table.add(prefix + "bias", units(), 1, true);
  }
  void initialize(Scalar* theta, detail::RandomStream& random) const {
    detail::initialize<Scalar>(options_.kernel_initializer, {theta, units(), inputs()}, random);
    if (!options_.use_bias) return;
    detail::initialize<Scalar>(options_.bias_initializer, {bias(theta).data(), units(), 1}, random);
  }

  /// The tape keeps dz.
  Index tape_size(SequenceShape in, Index batch) const { return units() * in.steps * batch; }
  Index scratch_size(SequenceShape, Index) const { return detail::product_scratch<Scalar>(); }

  void forward(const Scalar* theta, Input x, Output y, Scalar*, Scalar* scratch, const LayerContext&) const {
    if (options_.use_bias) {
      y.matrix().colwise() = Vector<Scalar>::Map(bias(theta).data(), units());
    } else {
      y.matrix().setZero();
    }
    const Index columns = x.batch * x.steps;
    detail::multiply_add(y.data, units(), detail::as_is(theta, units(), inputs()),
                         detail::as_is(x.data, inputs(), columns), scratch);
    detail::apply_activation<Scalar>(options_.activation, y.data, units(), y.data, units(), units(), columns);
  }
  void infer(const Scalar* theta, Input x, Output y, Scalar* scratch, const LayerContext& context) const {
    forward(theta, x, y, nullptr, scratch, context);
  }
  void backward(const Scalar* theta, Input x, Input y, Input dy, Output dx, Scalar* tape, Scalar* scratch,
                const LayerContext&) const {
    const Index columns = x.batch * x.steps;
    std::copy_n(dy.data, dy.size(), tape);
    detail::multiply_by_derivative(options_.activation, y.data, units(), tape, units(), units(), columns);
    if (dx.data == nullptr) return;
    dx.matrix().setZero();
    detail::multiply_add(dx.data, inputs(), detail::transposed(theta, units(), inputs()),
                         detail::as_is<Scalar>(tape, units(), columns), scratch);
  }
  Index gradient_parts() const { return 1; }
  void parameter_gradient(Input x, Input, Scalar* tape, Index, Scalar* gradient, Scalar* scratch,
                          const LayerContext&) const {
    const Index columns = x.batch * x.steps;
    detail::multiply_add(gradient, units(), detail::as_is<Scalar>(tape, units(), columns),
                         detail::transposed(x.data, inputs(), columns), scratch);
    if (!options_.use_bias) return;
    bias(gradient) += Eigen::Map<const Matrix<Scalar>>(tape, units(), columns).rowwise().sum();
  }

 private:
  Index inputs_;
  DenseOptions options_;
};

/// Keras's name for a dense layer that acts on each step; here every `Dense` does.
template <typename Scalar, int Inputs = Eigen::Dynamic, int Units = Eigen::Dynamic>
using TimeDistributed = Dense<Scalar, Inputs, Units>;

}  // namespace reprise::inline REPRISE_ABI
