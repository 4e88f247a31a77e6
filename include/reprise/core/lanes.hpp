#pragma once

#include <cstring>
#ifdef __SSE__
#include <immintrin.h>
#endif

#include "sequences.hpp"

#define REPRISE_DETAIL_INLINE __attribute__((always_inline))

// Neighbouring values as one register of this processor holds them, by the vector extension of g++ and
// clang++: arithmetic on `Lanes` is arithmetic on each of its values, whatever the level of optimisation.
namespace reprise::inline REPRISE_ABI::detail {

#if defined(__AVX512F__)
inline constexpr Index register_bytes = 64;
#elif defined(__AVX__)
inline constexpr Index register_bytes = 32;
#else
inline constexpr Index register_bytes = 16;
#endif

/// Other scalars than float and double go one by one.
template <typename Scalar>
struct LanesOf {
  using Type = Scalar;
  static constexpr Index count = 1;
};
template <>
struct LanesOf<float> {
  typedef float Type __attribute__((vector_size(register_bytes)));
  static constexpr Index count = register_bytes / sizeof(float);
};
template <>
struct LanesOf<double> {
  typedef double Type __attribute__((vector_size(register_bytes)));
  static constexpr Index count = register_bytes / sizeof(double);
};
template <typename Scalar>
using Lanes = typename LanesOf<Scalar>::Type;
template <typename Scalar>
inline constexpr Index lane_count = LanesOf<Scalar>::count;

template <typename Scalar>
REPRISE_DETAIL_INLINE inline Lanes<Scalar> load_lanes(const Scalar* from) {
  Lanes<Scalar> lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}
template <typename Scalar>
REPRISE_DETAIL_INLINE inline void store_lanes(Scalar* to, const Lanes<Scalar>& lanes) {
  std::memcpy(to, &lanes, sizeof(lanes));
}
/// a < b ? a : b, and a > b ? a : b: b where either is NaN. (g++ 12 does not see the instruction in those.)
REPRISE_DETAIL_INLINE inline Lanes<float> smaller(Lanes<float> a, Lanes<float> b) {
#if defined(__AVX512F__)
  return _mm512_min_ps(a, b);
#elif defined(__AVX__)
  return _mm256_min_ps(a, b);
#elif defined(__SSE__)
  return _mm_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}
REPRISE_DETAIL_INLINE inline Lanes<float> larger(Lanes<float> a, Lanes<float> b) {
#if defined(__AVX512F__)
  return _mm512_max_ps(a, b);
#elif defined(__AVX__)
  return _mm256_max_ps(a, b);
#elif defined(__SSE__)
  return _mm_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
/// The same value in every lane. (value + 0 would need an addition, for the sign of zero.)
template <typename Scalar>
REPRISE_DETAIL_INLINE inline Lanes<Scalar> same_in_all(Scalar value) {
  return value - Lanes<Scalar>{};
}

}  // namespace reprise::inline REPRISE_ABI::detail
