#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Logits to probabilities, in place: p_k = exp(z_k) / sum_j exp(z_j). The largest is taken off first, so
/// that none overflows.
template <typename Scalar>
void softmax(std::span<Scalar> values) {
  if (values.empty()) return;
  const Scalar largest = *std::max_element(values.begin(), values.end());
  double sum = 0.0;
  for (Scalar& value : values) {
    value = std::exp(value - largest);
    sum += static_cast<double>(value);
  }
  for (Scalar& value : values) value = static_cast<Scalar>(static_cast<double>(value) / sum);
}

/// The softmax of the features of each step: what a network whose last layer gives logits says of the
/// probability of each symbol. (`SparseCategoricalCrossentropy` takes the logits themselves.)
///
///     backwards: dx_k = y_k (dy_k - sum_j dy_j y_j)
template <typename Scalar_>
class Softmax : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  static constexpr const char* kind = "Softmax";
  const char* name() const { return "Softmax"; }
  LayerTraits traits() const { return {.lengths = Lengths::kept, .stepwise = true}; }

  void forward(Input x, Output y, const Call&) const {
    const Index F = x.features;
    std::copy_n(x.data, x.size(), y.data);
    for (Index c = 0; c < x.batch * x.steps; ++c) {
      softmax(std::span<Scalar>(y.data + c * F, static_cast<std::size_t>(F)));
    }
  }
  void infer(Input x, Output y, const Call& call) const { forward(x, y, call); }
  void backward(Input x, Input y, Input dy, Output dx, const Call&) const {
    if (dx.data == nullptr) return;
    const Index F = x.features;
    for (Index c = 0; c < x.batch * x.steps; ++c) {
      const Scalar* const p = y.data + c * F;
      const Scalar* const slope = dy.data + c * F;
      Scalar mean = 0;
      for (Index k = 0; k < F; ++k) mean += slope[k] * p[k];
      for (Index k = 0; k < F; ++k) dx.data[c * F + k] = p[k] * (slope[k] - mean);
    }
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
