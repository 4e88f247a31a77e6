#pragma once

#include "../core/detail/lanes.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// |e| with e = prediction - target, averaged over steps and features. Keras's `mean_absolute_error`;
/// PyTorch's `L1Loss` is the same. The derivative at e = 0 is taken as 0.
struct MeanAbsoluteError {
  static constexpr const char* kind = "MeanAbsoluteError";
  friend bool operator==(const MeanAbsoluteError&, const MeanAbsoluteError&) = default;
};

namespace detail {

template <typename Scalar>
Lanes<Scalar> element_loss(const MeanAbsoluteError&, const Lanes<Scalar>& e) {
  return magnitude<Scalar>(e);
}
template <typename Scalar>
Lanes<Scalar> element_slope(const MeanAbsoluteError&, const Lanes<Scalar>& e) {
  const Lanes<Scalar> zero{}, one = same_in_all(Scalar(1));
  return e > zero ? one : e < zero ? -one : e;  // NaN stays NaN
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
