#pragma once

#include "../core/lanes.hpp"

// tanh, sigmoid and relu of as many floats as a register holds, with derivatives written in outputs. tanh and
// sigmoid are a rational function whose largest absolute error over all floats is below 5e-7.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

using FloatLanes = Lanes<float>;

/// p / q for q that is neither small nor large. A division of 16 floats keeps the processor for as long as
/// eight multiplications: an approximation of 1 / q to 2^-14 and one step of Newton's, with an error of
/// 2^-23, take less.
REPRISE_DETAIL_INLINE inline FloatLanes quotient(const FloatLanes& p, const FloatLanes& q) {
#if defined(__AVX512F__)
  const FloatLanes inverse = _mm512_rcp14_ps(q);
  const FloatLanes first = p * inverse;
  return first + (p - q * first) * inverse;
#else
  return p / q;
#endif
}

/// x P(x^2) / Q(x^2), fitted to tanh in the maximum norm on [0, 7.8]; beyond, the argument is held, where the
/// value is within 5e-7 of 1. NaN stays NaN.
struct FastTanh {
  REPRISE_DETAIL_INLINE static FloatLanes value(const FloatLanes& argument) {
    const FloatLanes bound = FloatLanes{} + 7.8f;
    const FloatLanes x = larger<float>(-bound, smaller<float>(bound, argument));
    // Sums of few terms at a time, for a step of a small stream waits for each operation.
    const FloatLanes y = x * x, yy = y * y;
    const FloatLanes p = (1.2931670e-01f * y + 9.9999946e-01f) + (1.1519635e-05f * y + 2.9581619e-03f) * yy;
    const FloatLanes q =
        (4.6264812e-01f * y + 1.0f) + (2.4910045e-07f * yy + (2.3976234e-04f * y + 2.3842976e-02f)) * yy;
    return quotient(x * p, q);
  }
  REPRISE_DETAIL_INLINE static FloatLanes derivative(const FloatLanes& y) { return 1.0f - y * y; }
};
/// 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2.
struct FastSigmoid {
  REPRISE_DETAIL_INLINE static FloatLanes value(const FloatLanes& x) {
    return 0.5f * FastTanh::value(0.5f * x) + 0.5f;
  }
  REPRISE_DETAIL_INLINE static FloatLanes derivative(const FloatLanes& y) { return y - y * y; }
};
struct FastRelu {
  REPRISE_DETAIL_INLINE static FloatLanes value(const FloatLanes& x) {
    return x < FloatLanes{} ? FloatLanes{} : x;
  }
  REPRISE_DETAIL_INLINE static FloatLanes derivative(const FloatLanes& y) {
    return y > FloatLanes{} ? FloatLanes{} + 1.0f : FloatLanes{};
  }
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
