#pragma once

#include <Eigen/Core>

#include "../core/version.hpp"

namespace reprise::inline REPRISE_ABI {

/// With e = prediction - target: e^2 / 2 where |e| <= delta, delta |e| - delta^2 / 2 beyond, averaged over
/// steps and features. Huber, "Robust estimation of a location parameter" (1964), as Keras's and PyTorch's
/// `Huber` have it.
struct Huber {
  /// Where the square ends and the straight line begins; > 0.
  double delta = 1.0;
  friend bool operator==(const Huber&, const Huber&) = default;
};

namespace detail {

template <typename Block>
Block element_loss(const Huber& huber, const Block& e) {
  const Block size = e.abs();
  const Block bent = size.min(static_cast<typename Block::Scalar>(huber.delta));
  return bent * (size - bent / 2);
}
template <typename Block>
Block element_slope(const Huber& huber, const Block& e) {
  const auto delta = static_cast<typename Block::Scalar>(huber.delta);
  // The factor is exactly 1 up to delta. Clamping e instead would make a slope of delta out of a NaN.
  return e * (delta / e.abs().max(delta));
}

}  // namespace detail
}  // namespace reprise::inline REPRISE_ABI
