#pragma once

#include "layer.hpp"

namespace reprise::inline REPRISE_ABI {

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
  void initialize(Scalar*, detail::RandomStream&) const {}
  Index tape_size(SequenceShape in, Index batch) const { return in.features * in.steps * batch; }
  Index scratch_size(SequenceShape in, Index batch) const { return in.features * in.steps * batch; }

  void forward(const Scalar*, Input x, Output y, Scalar* tape, Scalar* scratch,
               const LayerContext& context) const {
    Eigen::Map<Vector<Scalar>> mask(tape, x.size());
    if (context.training && rate_ > 0) {
      draw(x, scratch, mask, context);
    } else {
      mask.setOnes();
    }
    Eigen::Map<Vector<Scalar>>(y.data, y.size()) =
        mask.cwiseProduct(Eigen::Map<const Vector<Scalar>>(x.data, x.size()));
  }
  void infer(const Scalar*, Input x, Output y, Scalar*, const LayerContext&) const {
    y.matrix() = x.matrix();
  }
  void backward(const Scalar*, Input x, Input, Input dy, Output dx, Scalar* tape, Scalar*, Scalar*,
                const LayerContext&) const {
    if (dx.data == nullptr) return;
    Eigen::Map<Vector<Scalar>>(dx.data, x.size()) =
        Eigen::Map<const Vector<Scalar>>(tape, x.size())
            .cwiseProduct(Eigen::Map<const Vector<Scalar>>(dy.data, x.size()));
  }

 private:
  /// A sample's numbers are those of all its steps side by side, brought into the time-major order
  /// afterwards.
  void draw(Input x, Scalar* scratch, Eigen::Map<Vector<Scalar>>& mask, const LayerContext& context) const {
    const Index per_sample = x.features * x.steps;
    detail::draw_dropout_mask(rate_, per_sample, x.batch, detail::Purpose::dropout, 0, context, scratch);
    for (Index t = 0; t < x.steps; ++t) {
      for (Index b = 0; b < x.batch; ++b) {
        std::copy_n(scratch + b * per_sample + t * x.features, x.features,
                    mask.data() + (t * x.batch + b) * x.features);
      }
    }
  }

  double rate_;
};

}  // namespace reprise::inline REPRISE_ABI
