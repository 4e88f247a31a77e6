#pragma once

#include <numbers>

#include "../core/version.hpp"

namespace reprise::inline REPRISE_ABI {

/// log(cosh(e)) with e = prediction - target, averaged over steps and features: about e^2 / 2 for small
/// errors and |e| - log 2 for large ones. Keras's `log_cosh`.
struct LogCosh {
  friend bool operator==(const LogCosh&, const LogCosh&) = default;
};

namespace detail {

// Keras writes e + softplus(-2 e) - log 2, which for small errors is a difference of nearly equal numbers: in
// float nothing is left of it at e = 1e-3. With cosh^2 = 1 / (1 - tanh^2) it stays exact there.
template <typename Block>
Block element_loss(const LogCosh&, const Block& e) {
  using Scalar = typename Block::Scalar;
  const Block size = e.abs();
  const Block below_one = Scalar(-0.5) * (-size.min(Scalar(1)).tanh().square()).log1p();
  const Block above_one = size + (Scalar(-2) * size).exp().log1p() - std::numbers::ln2_v<Scalar>;
  return (size < Scalar(1)).select(below_one, above_one);
}
template <typename Block>
Block element_slope(const LogCosh&, const Block& e) {
  return e.tanh();
}

}  // namespace detail
}  // namespace reprise::inline REPRISE_ABI
