#pragma once

#include "layer.hpp"

// What a decoder reads that starts from the encoder's state and so needs no code: in the place of
// `RepeatVector`, with the same input, the code, which they leave aside.
namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// What the two have in common: no parameters, and no gradient to the code.
template <typename Scalar_>
class CodelessInput {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;

  CodelessInput(const char* name, SequenceShape output) : name_(name), output_(output) {
    require_positive(output.steps, name, "steps");
    require_positive(output.features, name, "features");
  }

  SequenceShape output_shape(SequenceShape in) const {
    if (in.steps != 1) fail(name_, "an input of 1 step", {in.steps, " steps"});
    return output_;
  }
  void add_parameters(ParameterTable&, const std::string&) const {}
  void initialize(Scalar*, RandomStream&) const {}
  Index tape_size(SequenceShape, Index) const { return 0; }
  Index scratch_size(SequenceShape, Index) const { return 0; }
  void backward(const Scalar*, Input, Input, Input, Output dx, Scalar*, Scalar*, Scalar*,
                const LayerContext&) const {
    if (dx.data != nullptr) std::fill_n(dx.data, dx.size(), Scalar(0));
  }

 private:
  const char* name_;
  SequenceShape output_;
};

}  // namespace detail

/// One feature that is 0 at each of `steps` steps.
template <typename Scalar>
class Zeros : public detail::CodelessInput<Scalar> {
 public:
  using typename detail::CodelessInput<Scalar>::Input;
  using typename detail::CodelessInput<Scalar>::Output;

  explicit Zeros(Index steps) : detail::CodelessInput<Scalar>("Zeros", {1, steps}) {}

  void forward(const Scalar*, Input, Output y, Scalar*, Scalar*, const LayerContext&) const {
    std::fill_n(y.data, y.size(), Scalar(0));
  }
  void infer(const Scalar* theta, Input x, Output y, Scalar* scratch, const LayerContext& context) const {
    forward(theta, x, y, nullptr, scratch, context);
  }
};

/// Teacher forcing (Williams and Zipser 1989): at each step, in the order of decoding, the true value of the
/// step before, and zeros at the first:
///
///     y(t) = x(t - 1)    reversed: y(t) = x(T - t)
///
/// `Sequential` hands it the network's own input for x in training. At inference nobody knows that value, and
/// `Sequential` runs the layers behind it step by step, each fed with the output of the step before.
template <typename Scalar>
class PreviousValue : public detail::CodelessInput<Scalar> {
 public:
  using typename detail::CodelessInput<Scalar>::Input;
  using typename detail::CodelessInput<Scalar>::Output;

  /// `window`: of the network's input. `reversed`: the decoder's first step is the window's last.
  PreviousValue(SequenceShape window, bool reversed)
      : detail::CodelessInput<Scalar>("PreviousValue", window), reversed_(reversed) {}

  void forward(const Scalar*, Input x, Output y, Scalar*, Scalar*, const LayerContext&) const {
    std::fill_n(y.data, y.step_size(), Scalar(0));
    for (Index t = 1; t < y.steps; ++t)
      std::copy_n(x.step_data(reversed_ ? y.steps - t : t - 1), x.step_size(), y.step_data(t));
  }
  void infer(const Scalar* theta, Input x, Output y, Scalar* scratch, const LayerContext& context) const {
    forward(theta, x, y, nullptr, scratch, context);
  }

 private:
  bool reversed_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
