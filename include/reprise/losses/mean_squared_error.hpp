#pragma once

#include "../core/detail/lanes.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// e^2 with e = prediction - target, averaged over steps and features. Keras's `mean_squared_error`;
/// PyTorch's `MSELoss` is the same.
struct MeanSquaredError {
  static constexpr const char* kind = "MeanSquaredError";
  friend bool operator==(const MeanSquaredError&, const MeanSquaredError&) = default;
};

namespace detail {

template <typename Scalar>
Lanes<Scalar> element_loss(const MeanSquaredError&, const Lanes<Scalar>& e) {
  return e * e;
}
template <typename Scalar>
Lanes<Scalar> element_slope(const MeanSquaredError&, const Lanes<Scalar>& e) {
  return e + e;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
