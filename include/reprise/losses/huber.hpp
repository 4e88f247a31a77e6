#pragma once

#include <cmath>

#include "../core/detail/lanes.hpp"
#include "../core/error.hpp"
#include "../core/finite.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// With e = prediction - target: e^2 / 2 where |e| <= delta, delta |e| - delta^2 / 2 beyond, averaged over
/// steps and features. Huber, "Robust estimation of a location parameter" (1964), as Keras's and PyTorch's
/// `Huber` have it.
struct Huber {
  static constexpr const char* kind = "Huber";
  /// Where the square ends and the straight line begins; > 0.
  double delta = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [delta] = self;
    visit("delta", delta);
  }
  friend bool operator==(const Huber&, const Huber&) = default;
};

namespace detail {

inline void validate_own(const Huber& huber) {
  if (!(huber.delta > 0.0 && is_finite(huber.delta))) fail("Huber", "delta > 0", {huber.delta});
}

template <typename Scalar>
Lanes<Scalar> element_loss(const Huber& huber, const Lanes<Scalar>& e) {
  const Lanes<Scalar> size = magnitude<Scalar>(e);
  const Lanes<Scalar> bent = smaller<Scalar>(size, same_in_all(static_cast<Scalar>(huber.delta)));
  return bent * (size - bent / Scalar(2));
}
template <typename Scalar>
Lanes<Scalar> element_slope(const Huber& huber, const Lanes<Scalar>& e) {
  const Lanes<Scalar> delta = same_in_all(static_cast<Scalar>(huber.delta));
  // The factor is exactly 1 up to delta. Clamping e instead would make a slope of delta out of a NaN.
  return e * (delta / larger<Scalar>(magnitude<Scalar>(e), delta));
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
