#pragma once

#include <numbers>

#include "../core/detail/lanes.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// log(cosh(e)) with e = prediction - target, averaged over steps and features: about e^2 / 2 for small
/// errors and |e| - log 2 for large ones. Keras's `log_cosh`.
struct LogCosh {
  static constexpr const char* kind = "LogCosh";
  friend bool operator==(const LogCosh&, const LogCosh&) = default;
};

namespace detail {

// Keras writes e + softplus(-2 e) - log 2, which for small errors is a difference of nearly equal numbers: in
// float nothing is left of it at e = 1e-3. With cosh^2 = 1 / (1 - tanh^2) it stays exact there.
template <typename Scalar>
Lanes<Scalar> element_loss(const LogCosh&, const Lanes<Scalar>& e) {
  return each_of<Scalar>(e, [](Scalar error) {
    const Scalar size = std::abs(error);
    if (size < Scalar(1)) {
      const Scalar tanh = std::tanh(size);
      return Scalar(-0.5) * std::log1p(-tanh * tanh);
    }
    return size + std::log1p(std::exp(Scalar(-2) * size)) - std::numbers::ln2_v<Scalar>;
  });
}
template <typename Scalar>
Lanes<Scalar> element_slope(const LogCosh&, const Lanes<Scalar>& e) {
  return each_of<Scalar>(e, [](Scalar error) { return std::tanh(error); });
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
