#pragma once

#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The same steps from the last to the first: y(t) = x(T - 1 - t), with T the number of the sample's valid
/// steps; what lies beyond them stays where it is.
template <typename Scalar_>
class Reverse : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  static constexpr const char* kind = "Reverse";
  const char* name() const { return "Reverse"; }
  LayerTraits traits() const { return {.lengths = Lengths::kept, .turns_round = true}; }

  void forward(Input x, Output y, const Call& call) const { reverse(x, y, call.lengths); }
  void backward(Input, Input, Input dy, Output dx, const Call& call) const {
    if (dx.data != nullptr) reverse(dy, dx, call.lengths);
  }

 private:
  static void reverse(Input x, Output y, std::span<const Index> lengths) {
    const Index F = x.features, T = x.steps;
    for (Index t = 0; t < T; ++t) {
      if (lengths.empty()) {
        std::copy_n(x.step_data(T - 1 - t), x.step_size(), y.step_data(t));
        continue;
      }
      for (Index b = 0; b < x.batch; ++b) {
        const Index length = lengths[static_cast<std::size_t>(b)];
        std::copy_n(x.step_data(t < length ? length - 1 - t : t) + b * F, F, y.step_data(t) + b * F);
      }
    }
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
