#pragma once

#include "../core/lanes.hpp"
#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Sets a share `rate` of its input to zero in training and scales the rest by 1 / (1 - rate) (Srivastava et
/// al. 2014); every step has a mask of its own. Does nothing at inference. Output has the input's shape.
template <typename Scalar_>
class Dropout {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;

  explicit Dropout(double rate) : rate_(rate) { detail::require_rate(rate, "Dropout", "rate"); }

  SequenceShape output_shape(SequenceShape in) const { return in; }
  void add_parameters(ParameterTable&, const std::string&) const {}
  void initialize(Scalar*, RandomStream&) const {}
  Index tape_size(SequenceShape in, Index batch) const { return in.features * in.steps * batch; }
  Index scratch_size(SequenceShape in, Index batch) const { return in.features * in.steps * batch; }

  void forward(const Scalar*, Input x, Output y, Scalar* tape, Scalar* scratch,
               const LayerContext& context) const {
    if (context.training && rate_ > 0) {
      draw(x, scratch, tape, context);
    } else {
      std::fill_n(tape, x.size(), Scalar(1));
    }
    detail::multiply_each(y.data, tape, x.data, x.size());
  }
  void infer(const Scalar*, Input x, Output y, Scalar*, const LayerContext&) const {
    std::copy_n(x.data, x.size(), y.data);
  }
  void backward(const Scalar*, Input x, Input, Input dy, Output dx, Scalar* tape, Scalar*, Scalar*,
                const LayerContext&) const {
    if (dx.data == nullptr) return;
    detail::multiply_each(dx.data, tape, dy.data, x.size());
  }

 private:
  /// A sample's numbers are those of all its steps side by side, brought into the time-major order
  /// afterwards.
  void draw(Input x, Scalar* scratch, Scalar* mask, const LayerContext& context) const {
    const Index per_sample = x.features * x.steps;
    detail::draw_dropout_mask(rate_, per_sample, x.batch, Purpose::dropout, 0, context, scratch);
    for (Index t = 0; t < x.steps; ++t) {
      for (Index b = 0; b < x.batch; ++b) {
        std::copy_n(scratch + b * per_sample + t * x.features, x.features,
                    mask + (t * x.batch + b) * x.features);
      }
    }
  }

  double rate_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
