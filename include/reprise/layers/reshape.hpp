#pragma once

#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The same values of each sample in another shape, as Keras's `Reshape`: read step by step, features within
/// a step. So a dense layer that gives F * H values predicts F features at H steps.
template <typename Scalar_>
class Reshape : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  static constexpr const char* kind = "Reshape";

  explicit Reshape(SequenceShape output) : output_(output) { validate(); }
  void validate() const {
    detail::require_size(output_.steps, "Reshape", "steps");
    detail::require_size(output_.features, "Reshape", "features");
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("features", self.output_.features);
    visit("steps", self.output_.steps);
  }

  const char* name() const { return "Reshape"; }
  SequenceShape output_shape(SequenceShape in) const {
    const Index values = in.steps * in.features;
    // Divided, since the product of what a file claims may be too large.
    if (values % output_.steps != 0 || values / output_.steps != output_.features) {
      detail::fail("Reshape", {"an input of as many values as ", to_string(output_)}, to_string(in));
    }
    return output_;
  }
  LayerTraits traits() const { return {.lengths = Lengths::dropped}; }

  void forward(Input x, Output y, const Call&) const { copy(x, y); }
  void backward(Input, Input, Input dy, Output dx, const Call&) const {
    if (dx.data != nullptr) copy(dy, dx);
  }

 private:
  static void copy(Input from, Output to) {
    for (Index b = 0; b < from.batch; ++b) {
      for (Index i = 0; i < from.steps * from.features; ++i) {
        to.step_data(i / to.features)[b * to.features + i % to.features] =
            from.step_data(i / from.features)[b * from.features + i % from.features];
      }
    }
  }

  SequenceShape output_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
