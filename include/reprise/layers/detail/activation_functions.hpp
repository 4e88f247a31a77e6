#pragma once

#include <algorithm>
#include <cmath>

#include "../../core/detail/lanes.hpp"

// The maths of the activations, one struct each:
//
//     value(x)       f(x), for one float or double
//     derivative(y)  f'(x), written in the *output* y = f(x), since outputs are what the tape keeps
//
// Where a struct `has_lanes`, both exist a second time for as many floats as a register holds. How exact each
// of them is says the table in docs/activations.md, which tests/activation_accuracy_test.cpp measures.
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

/// f(x) = x
struct LinearActivation {
  template <typename S>
  static S value(S x) {
    return x;
  }
  template <typename S>
  static S derivative(S) {
    return S(1);
  }
};

/// f(x) = max(x, 0); a NaN stays a NaN.
struct ReluActivation {
  static constexpr bool has_lanes = true;
  template <typename S>
  static S value(S x) {
    return x < S(0) ? S(0) : x;
  }
  template <typename S>
  static S derivative(S y) {
    return y > S(0) ? S(1) : S(0);
  }
  REPRISE_DETAIL_INLINE static FloatLanes value(const FloatLanes& x) {
    return x < FloatLanes{} ? FloatLanes{} : x;
  }
  REPRISE_DETAIL_INLINE static FloatLanes derivative(const FloatLanes& y) {
    return y > FloatLanes{} ? FloatLanes{} + 1.0f : FloatLanes{};
  }
};

/// f(x) = tanh(x)
struct TanhActivation {
  static constexpr bool has_lanes = true;
  template <typename S>
  static S value(S x) {
    return std::tanh(x);
  }
  template <typename S>
  static S derivative(S y) {
    return S(1) - y * y;
  }
  /// x P(x^2) / Q(x^2), fitted in the maximum norm on [0, 7.8]; beyond, the argument is held, where the value
  /// is within 5e-7 of 1. NaN stays NaN.
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

/// f(x) = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2
struct SigmoidActivation {
  static constexpr bool has_lanes = true;
  template <typename S>
  static S value(S x) {
    return S(1) / (S(1) + std::exp(-x));
  }
  template <typename S>
  static S derivative(S y) {
    return y * (S(1) - y);
  }
  REPRISE_DETAIL_INLINE static FloatLanes value(const FloatLanes& x) {
    return 0.5f * TanhActivation::value(0.5f * x) + 0.5f;
  }
  REPRISE_DETAIL_INLINE static FloatLanes derivative(const FloatLanes& y) { return y - y * y; }
};

/// f(x) = (x + 3) / 6 between -3 and 3, then 0 and 1
struct HardSigmoidActivation {
  template <typename S>
  static S value(S x) {
    return std::clamp(x + S(3), S(0), S(6)) / S(6);
  }
  template <typename S>
  static S derivative(S y) {
    return y > S(0) && y < S(1) ? S(1) / S(6) : S(0);
  }
};

/// f(x) = x, or exp(x) - 1 below 0
struct EluActivation {
  template <typename S>
  static S value(S x) {
    return x > S(0) ? x : std::expm1(x);
  }
  template <typename S>
  static S derivative(S y) {
    return y > S(0) ? S(1) : y + S(1);
  }
};

/// f(x) = scale * x, or scale * alpha * (exp(x) - 1) below 0. Klambauer et al., "Self-normalizing neural
/// networks" (2017), the numbers as Keras rounds them.
struct SeluActivation {
  static constexpr double alpha = 1.6732632423543772848170429916717;
  static constexpr double scale = 1.0507009873554804934193349852946;
  template <typename S>
  static S value(S x) {
    return S(scale) * (x > S(0) ? x : S(alpha) * std::expm1(x));
  }
  template <typename S>
  static S derivative(S y) {
    return y > S(0) ? S(scale) : y + S(scale * alpha);
  }
};

/// f(x) = log(1 + exp(x)), without overflow
struct SoftplusActivation {
  template <typename S>
  static S value(S x) {
    return std::max(x, S(0)) + std::log1p(std::exp(-std::abs(x)));
  }
  template <typename S>
  static S derivative(S y) {
    return -std::expm1(-y);
  }
};

/// f(x) = x / (1 + |x|)
struct SoftsignActivation {
  template <typename S>
  static S value(S x) {
    return x / (S(1) + std::abs(x));
  }
  template <typename S>
  static S derivative(S y) {
    return (S(1) - std::abs(y)) * (S(1) - std::abs(y));
  }
};

/// f(x) = x, or slope * x below 0
struct LeakyReluActivation {
  static constexpr double slope = 0.2;  // PyTorch: 0.01
  template <typename S>
  static S value(S x) {
    return x > S(0) ? x : S(slope) * x;
  }
  template <typename S>
  static S derivative(S y) {
    return y > S(0) ? S(1) : S(slope);
  }
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
