#pragma once

#include "../core/detail/lanes.hpp"
#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Sets a share `rate` of its input to zero in training and scales the rest by 1 / (1 - rate) (Srivastava et
/// al. 2014); every step has a mask of its own. Does nothing at inference. Output has the input's shape.
template <typename Scalar_>
class Dropout : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  static constexpr const char* kind = "Dropout";

  explicit Dropout(double rate) : rate_(rate) { validate(); }
  void validate() const { detail::require_rate(rate_, "Dropout", "rate"); }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("rate", self.rate_);
  }

  double rate() const { return rate_; }
  const char* name() const { return "Dropout"; }
  LayerTraits traits() const { return {.lengths = Lengths::kept, .stepwise = true}; }
  Index tape_size(SequenceShape in, Index batch) const { return in.features * in.steps * batch; }
  Index scratch_size(SequenceShape in, Index batch) const { return in.features * in.steps * batch; }

  void forward(Input x, Output y, const Call& call) const {
    if (call.context.training && rate_ > 0) {
      draw(x, call.scratch, call.tape, call.context);
    } else {
      std::fill_n(call.tape, x.size(), Scalar(1));
    }
    detail::multiply_each(y.data, call.tape, x.data, x.size());
  }
  void infer(Input x, Output y, const Call&) const { std::copy_n(x.data, x.size(), y.data); }
  void backward(Input x, Input, Input dy, Output dx, const Call& call) const {
    if (dx.data == nullptr) return;
    detail::multiply_each(dx.data, call.tape, dy.data, x.size());
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
