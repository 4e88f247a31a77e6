#pragma once

#include "layer.hpp"

// What a decoder reads that starts from the encoder's state and so needs no code: in the place of
// `RepeatVector`, with the same input, the code, which they leave aside.
namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// What the two have in common: no parameters, and no gradient to the code.
template <typename Scalar_>
class CodelessInput : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  CodelessInput(const char* name, SequenceShape output) : name_(name), output_(output) { validate(); }
  void validate() const {
    require_size(output_.steps, name_, "steps");
    require_size(output_.features, name_, "features");
  }

  const char* name() const { return name_; }
  LayerTraits traits() const { return {.lengths = Lengths::dropped}; }
  SequenceShape output_shape(SequenceShape in) const {
    if (in.steps != 1) fail(name_, "an input of 1 step", {in.steps, " steps"});
    return output_;
  }
  void backward(Input, Input, Input, Output dx, const Call&) const {
    if (dx.data != nullptr) std::fill_n(dx.data, dx.size(), Scalar(0));
  }

 protected:
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
  using typename detail::CodelessInput<Scalar>::Call;

  static constexpr const char* kind = "Zeros";

  explicit Zeros(Index steps) : detail::CodelessInput<Scalar>("Zeros", {.steps = steps, .features = 1}) {}
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("steps", self.output_.steps);
  }

  void forward(Input, Output y, const Call&) const { std::fill_n(y.data, y.size(), Scalar(0)); }
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
  using typename detail::CodelessInput<Scalar>::Call;

  static constexpr const char* kind = "PreviousValue";

  /// `window`: of the network's input. `reversed`: the decoder's first step is the window's last.
  PreviousValue(SequenceShape window, bool reversed)
      : detail::CodelessInput<Scalar>("PreviousValue", window), reversed_(reversed) {}
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("features", self.output_.features);
    visit("steps", self.output_.steps);
    visit("reversed", self.reversed_);
  }

  LayerTraits traits() const {
    return {.lengths = reversed_ ? Lengths::refused : Lengths::dropped,
            .feeds_back = reversed_ ? FeedsBack::reversed : FeedsBack::forwards};
  }

  void forward(Input x, Output y, const Call&) const {
    std::fill_n(y.data, y.step_size(), Scalar(0));
    for (Index t = 1; t < y.steps; ++t)
      std::copy_n(x.step_data(reversed_ ? y.steps - t : t - 1), x.step_size(), y.step_data(t));
  }

 private:
  bool reversed_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
