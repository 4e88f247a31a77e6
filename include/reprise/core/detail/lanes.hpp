#pragma once

#include <cmath>
#include <cstring>
#include <type_traits>
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>  // all of them take ten times as long to compile
#endif

#include "../sequences.hpp"

#define REPRISE_DETAIL_INLINE __attribute__((always_inline))

// Neighbouring values as one register of this processor holds them, by the vector extension of g++ and
// clang++: arithmetic on `Lanes` is arithmetic on each of its values, whatever the level of optimisation.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

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
  using Sums = double;
  static constexpr Index count = 1;
};
template <>
struct LanesOf<float> {
  typedef float Type __attribute__((vector_size(register_bytes)));
  typedef double Sums __attribute__((vector_size(2 * register_bytes)));
  static constexpr Index count = register_bytes / sizeof(float);
};
template <>
struct LanesOf<double> {
  typedef double Type __attribute__((vector_size(register_bytes)));
  using Sums = Type;
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
template <typename Scalar>
REPRISE_DETAIL_INLINE inline Lanes<Scalar> smaller(const Lanes<Scalar>& a, const Lanes<Scalar>& b) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm512_min_ps(a, b);
  if constexpr (std::is_same_v<Scalar, double>) return _mm512_min_pd(a, b);
#elif defined(__AVX__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm256_min_ps(a, b);
  if constexpr (std::is_same_v<Scalar, double>) return _mm256_min_pd(a, b);
#elif defined(__SSE2__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm_min_ps(a, b);
  if constexpr (std::is_same_v<Scalar, double>) return _mm_min_pd(a, b);
#endif
  return a < b ? a : b;
}
template <typename Scalar>
REPRISE_DETAIL_INLINE inline Lanes<Scalar> larger(const Lanes<Scalar>& a, const Lanes<Scalar>& b) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm512_max_ps(a, b);
  if constexpr (std::is_same_v<Scalar, double>) return _mm512_max_pd(a, b);
#elif defined(__AVX__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm256_max_ps(a, b);
  if constexpr (std::is_same_v<Scalar, double>) return _mm256_max_pd(a, b);
#elif defined(__SSE2__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm_max_ps(a, b);
  if constexpr (std::is_same_v<Scalar, double>) return _mm_max_pd(a, b);
#endif
  return a > b ? a : b;
}
template <typename Scalar>
REPRISE_DETAIL_INLINE inline Lanes<Scalar> magnitude(const Lanes<Scalar>& a) {
  return larger<Scalar>(-a, a);
}
/// f of each value on its own.
template <typename Scalar, typename Function>
REPRISE_DETAIL_INLINE inline Lanes<Scalar> each_of(const Lanes<Scalar>& lanes, Function f) {
  Scalar values[lane_count<Scalar>];
  std::memcpy(values, &lanes, sizeof(values));
  for (Scalar& value : values) value = f(value);
  return load_lanes(values);
}
template <typename Scalar>
REPRISE_DETAIL_INLINE inline Lanes<Scalar> square_root(const Lanes<Scalar>& a) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm512_sqrt_ps(a);
  if constexpr (std::is_same_v<Scalar, double>) return _mm512_sqrt_pd(a);
#elif defined(__AVX__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm256_sqrt_ps(a);
  if constexpr (std::is_same_v<Scalar, double>) return _mm256_sqrt_pd(a);
#elif defined(__SSE2__)
  if constexpr (std::is_same_v<Scalar, float>) return _mm_sqrt_ps(a);
  if constexpr (std::is_same_v<Scalar, double>) return _mm_sqrt_pd(a);
#endif
  return each_of<Scalar>(a, [](Scalar value) { return std::sqrt(value); });
}
/// The same value in every lane. (value + 0 would need an addition, for the sign of zero.)
template <typename Scalar>
REPRISE_DETAIL_INLINE inline Lanes<Scalar> same_in_all(Scalar value) {
  return value - Lanes<Scalar>{};
}

/// Reads and writes neighbours; the constant `whole` decides whether they fill the register. Where they do
/// not, the lanes beyond them are read as 0 and not written.
template <typename Scalar, bool whole>
struct LaneAccess {
  Index count = lane_count<Scalar>;

  REPRISE_DETAIL_INLINE Lanes<Scalar> load(const Scalar* from) const {
    Lanes<Scalar> lanes{};
    if constexpr (whole) {
      std::memcpy(&lanes, from, sizeof(lanes));
    } else {
      copy(from, reinterpret_cast<Scalar*>(&lanes));
    }
    return lanes;
  }
  REPRISE_DETAIL_INLINE void store(Scalar* to, const Lanes<Scalar>& lanes) const {
    if constexpr (whole) {
      std::memcpy(to, &lanes, sizeof(lanes));
    } else {
      copy(reinterpret_cast<const Scalar*>(&lanes), to);
    }
  }
  /// In pieces of fixed sizes, which compile to moves where a variable size compiles to a call.
  REPRISE_DETAIL_INLINE void copy(const Scalar* from, Scalar* to) const {
    copy_if<8>(from, to);
    copy_if<4>(from, to);
    copy_if<2>(from, to);
    copy_if<1>(from, to);
  }
  template <Index piece>
  REPRISE_DETAIL_INLINE void copy_if(const Scalar*& from, Scalar*& to) const {
    if constexpr (piece < lane_count<Scalar>) {
      if ((count & piece) != 0) {
        std::memcpy(to, from, piece * sizeof(Scalar));
        to += piece;
        from += piece;
      }
    }
  }
};

/// Calls kernel(access, i) for the registers that hold values i ... of `size`, the last one perhaps in part.
/// How a value is treated depends on its place alone, never on an address: the same numbers give the same
/// bits wherever they lie. Far cheaper to compile than the same in Eigen's expressions.
template <typename Scalar, typename Kernel>
REPRISE_DETAIL_INLINE inline void for_lanes(Index size, Kernel kernel) {
  constexpr Index lanes = lane_count<Scalar>;
  Index i = 0;
  for (; i + lanes <= size; i += lanes) kernel(LaneAccess<Scalar, true>{}, i);
  if (i < size) kernel(LaneAccess<Scalar, false>{size - i}, i);
}

/// to += from, and to = a * b value by value.
template <typename Scalar>
void add(Scalar* to, const Scalar* from, Index size) {
  for_lanes<Scalar>(size, [=](auto at, Index i) REPRISE_DETAIL_INLINE {
    at.store(to + i, at.load(to + i) + at.load(from + i));
  });
}
template <typename Scalar>
void multiply_each(Scalar* to, const Scalar* a, const Scalar* b, Index size) {
  for_lanes<Scalar>(size, [=](auto at, Index i)
                              REPRISE_DETAIL_INLINE { at.store(to + i, at.load(a + i) * at.load(b + i)); });
}

/// to += each of the columns, `rows` values each.
template <typename Scalar>
void add_columns(Scalar* to, const Scalar* columns, Index rows, Index count) {
  for_lanes<Scalar>(rows, [=](auto at, Index i) REPRISE_DETAIL_INLINE {
    Lanes<Scalar> sum = at.load(to + i);
    for (Index column = 0; column < count; ++column) sum += at.load(columns + column * rows + i);
    at.store(to + i, sum);
  });
}

/// Adds lanes in double.
template <typename Scalar>
class LaneSum {
 public:
  REPRISE_DETAIL_INLINE void add(const Lanes<Scalar>& lanes) {
    if constexpr (lane_count<Scalar> == 1) {
      sums_ += static_cast<double>(lanes);
    } else {
      sums_ += __builtin_convertvector(lanes, Sums);
    }
  }
  double total() const {
    double values[lane_count<Scalar>], total = 0.0;
    std::memcpy(values, &sums_, sizeof(values));
    for (const double value : values) total += value;
    return total;
  }
  /// Of the squares: double holds the square of any float.
  REPRISE_DETAIL_INLINE void add_square(const Lanes<Scalar>& lanes) {
    if constexpr (lane_count<Scalar> == 1) {
      sums_ += static_cast<double>(lanes) * static_cast<double>(lanes);
    } else {
      const Sums wide = __builtin_convertvector(lanes, Sums);
      sums_ += wide * wide;
    }
  }

 private:
  using Sums = typename LanesOf<Scalar>::Sums;
  Sums sums_{};
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
