#pragma once

#include "../core/detail/product.hpp"
#include "activations.hpp"
#include "initializers.hpp"
#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// A dense layer's configuration, in Keras's names and defaults.
struct DenseOptions {
  static constexpr const char* kind = "Dense";
  /// Features of the output. Must be given.
  Index units = 0;
  Activation activation = activation::linear;
  bool use_bias = true;
  Initializer kernel_initializer = initializer::glorot_uniform;
  Initializer bias_initializer = initializer::zeros;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [units, activation, use_bias, kernel_initializer, bias_initializer] = self;
    visit("units", units);
    visit("activation", activation);
    visit("use_bias", use_bias);
    visit("kernel_initializer", kernel_initializer);
    visit("bias_initializer", bias_initializer);
  }

  friend bool operator==(const DenseOptions&, const DenseOptions&) = default;
};

/// y = activation(W x + b), the same map at every step and for every sample: one product over all columns.
///
///     backwards: dz = dy * activation'(y)    dx = W^T dz    dW += dz x^T    db += dz
///
/// Shapes: input batch x T x I, output batch x T x O. Parameters: kernel O x I, bias O.
template <typename Scalar_, int Inputs = Eigen::Dynamic, int Units = Eigen::Dynamic>
class Dense : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;
  template <typename S, int Rows, int Cols>
  using Weights =
      Eigen::Map<std::conditional_t<std::is_const_v<S>, const detail::SizedMatrix<Scalar, Rows, Cols>,
                                    detail::SizedMatrix<Scalar, Rows, Cols>>>;

  Dense(Index inputs, const DenseOptions& options) : inputs_(inputs), options_(options) {
    detail::require_size(options.units, "Dense", "units");
    detail::require_size(inputs, "Dense", "number of input features");
    if ((Inputs != Eigen::Dynamic && inputs != Inputs) ||
        (Units != Eigen::Dynamic && options.units != Units)) {
      detail::fail("Dense", {"the sizes it was compiled for, ", Inputs, " inputs and ", Units, " units"},
                   {inputs, " and ", options.units});
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

  const char* name() const { return "TimeDistributed(Dense)"; }
  LayerTraits traits() const { return {.lengths = Lengths::kept, .stepwise = true}; }
  SequenceShape output_shape(SequenceShape in) const {
    if (in.features != inputs()) {
      detail::fail("Dense", {inputs(), " input features"}, {in.features});
    }
    return {.steps = in.steps, .features = units()};
  }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    table.add(prefix + "kernel", units(), inputs(), false);
    if (options_.use_bias) table.add(prefix + "bias", units(), 1, true);
  }
  void initialize(Scalar* theta, RandomStream& random) const {
    detail::initialize<Scalar>(options_.kernel_initializer, {theta, units(), inputs()}, random);
    if (!options_.use_bias) return;
    detail::initialize<Scalar>(options_.bias_initializer, {bias(theta).data(), units(), 1}, random);
  }

  Index scratch_size(SequenceShape in, Index batch) const { return scratch(nullptr, in.steps * batch).size; }

  void forward(Input x, Output y, const Call& call) const {
    const Index columns = x.batch * x.steps;
    const Scratch s = scratch(call.scratch, columns);
    detail::multiply(y.data, units(), {options_.use_bias ? bias(call.theta).data() : nullptr, 0},
                     detail::as_is(call.theta, units(), inputs()), detail::as_is(x.data, inputs(), columns),
                     s.packed);
    detail::apply_activation<Scalar>(options_.activation, y.data, units(), y.data, units(), units(), columns);
  }
  void backward(Input x, Input y, Input dy, Output dx, const Call& call) const {
    const Index columns = x.batch * x.steps;
    const Scratch s = scratch(call.scratch, columns);
    std::copy_n(dy.data, dy.size(), s.dz);
    detail::multiply_by_derivative(options_.activation, y.data, units(), s.dz, units(), units(), columns);
    const auto dz = detail::as_is<Scalar>(s.dz, units(), columns);
    detail::multiply(call.gradient, units(), {call.gradient, units()}, dz,
                     detail::transposed(x.data, inputs(), columns), s.packed);
    if (options_.use_bias) detail::add_columns(bias(call.gradient).data(), s.dz, units(), columns);
    if (dx.data == nullptr) return;
    detail::multiply(dx.data, inputs(), {}, detail::transposed(call.theta, units(), inputs()), dz, s.packed);
  }

 private:
  struct Scratch {
    Scalar *packed, *dz;
    Index size;
  };
  Scratch scratch(Scalar* memory, Index columns) const {
    detail::Carver<Scalar> carve(memory);
    Scratch s{};
    s.packed = carve.take(std::max({detail::packed_size<Scalar>(units(), inputs()),
                                    detail::packed_size<Scalar>(inputs(), units()),
                                    detail::packed_size<Scalar>(units(), columns)}));
    s.dz = carve.take(units() * columns);
    s.size = carve.used();
    return s;
  }

  Index inputs_;
  DenseOptions options_;
};

/// Keras's name for a dense layer that acts on each step; here every `Dense` does.
template <typename Scalar, int Inputs = Eigen::Dynamic, int Units = Eigen::Dynamic>
using TimeDistributed = Dense<Scalar, Inputs, Units>;

}  // namespace REPRISE_ABI
}  // namespace reprise
