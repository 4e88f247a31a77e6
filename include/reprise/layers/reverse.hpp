#pragma once

#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The same steps from the last to the first: y(t) = x(T - 1 - t).
template <typename Scalar_>
class Reverse {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;

  SequenceShape output_shape(SequenceShape in) const { return in; }
  void add_parameters(ParameterTable&, const std::string&) const {}
  void initialize(Scalar*, RandomStream&) const {}
  Index tape_size(SequenceShape, Index) const { return 0; }
  Index scratch_size(SequenceShape, Index) const { return 0; }

  void forward(const Scalar*, Input x, Output y, Scalar*, Scalar*, const LayerContext&) const {
    for (Index t = 0; t < x.steps; ++t)
      std::copy_n(x.step_data(x.steps - 1 - t), x.step_size(), y.step_data(t));
  }
  void infer(const Scalar* theta, Input x, Output y, Scalar* scratch, const LayerContext& context) const {
    forward(theta, x, y, nullptr, scratch, context);
  }
  void backward(const Scalar* theta, Input, Input, Input dy, Output dx, Scalar*, Scalar* scratch, Scalar*,
                const LayerContext& context) const {
    if (dx.data != nullptr) forward(theta, dy, dx, nullptr, scratch, context);
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
