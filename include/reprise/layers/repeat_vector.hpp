#pragma once

#include "../core/detail/lanes.hpp"
#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Shows the same vector at each of `steps` steps; its gradient is the sum over the steps. Input batch x
/// 1 x F, output batch x steps x F.
template <typename Scalar_>
class RepeatVector : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  static constexpr const char* kind = "RepeatVector";

  explicit RepeatVector(Index steps) : steps_(steps) { validate(); }
  void validate() const { detail::require_size(steps_, "RepeatVector", "steps"); }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("steps", self.steps_);
  }

  Index steps() const { return steps_; }
  const char* name() const { return "RepeatVector"; }
  LayerTraits traits() const { return {.lengths = Lengths::dropped, .makes_repeated = true}; }
  SequenceShape output_shape(SequenceShape in) const {
    if (in.steps != 1) detail::fail("RepeatVector", "an input of 1 step", {in.steps, " steps"});
    return {.steps = steps_, .features = in.features};
  }

  /// An output that is marked as repeated is one step in memory, and so is its gradient: the sum already.
  void forward(Input x, Output y, const Call&) const {
    for (Index t = 0; t < y.stored_steps(); ++t) std::copy_n(x.data, x.step_size(), y.step_data(t));
  }
  void backward(Input, Input, Input dy, Output dx, const Call&) const {
    if (dx.data == nullptr) return;
    std::copy_n(dy.data, dy.step_size(), dx.data);
    for (Index t = 1; t < dy.stored_steps(); ++t) detail::add(dx.data, dy.step_data(t), dy.step_size());
  }

 private:
  Index steps_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
