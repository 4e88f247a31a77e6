#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>

#include "version.hpp"

// What a number is, by its bits. With -ffast-math or -Ofast a compiler takes it for granted that no number is
// NaN or infinite: std::isfinite(x) is true, and !(x >= 0) is x < 0, which a NaN is not either. The library
// refuses with these flags what it refuses without them, so all of it asks here. A comparison that shall be
// false for NaN stands behind is_finite: !(is_finite(x) && x >= 0).
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

constexpr std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
constexpr std::uint64_t bits_of(double x) { return __builtin_bit_cast(std::uint64_t, x); }

// All bits of the exponent, which are set in an infinity and in a NaN; in an infinity no other is.
constexpr std::uint32_t exponent_bits(float) { return 0x7f800000U; }
constexpr std::uint64_t exponent_bits(double) { return 0x7ff0000000000000U; }

template <typename Real>
concept HasKnownBits = std::same_as<Real, float> || std::same_as<Real, double>;

template <std::floating_point Real>
constexpr bool is_finite(Real x) {
  if constexpr (HasKnownBits<Real>) {
    return (bits_of(x) & exponent_bits(x)) != exponent_bits(x);
  } else {
    return std::isfinite(x);  // long double, whose bits are others on each processor
  }
}
/// Minus infinity is one too.
template <std::floating_point Real>
constexpr bool is_infinite(Real x) {
  if constexpr (HasKnownBits<Real>) {
    return static_cast<decltype(bits_of(x))>(bits_of(x) << 1) == exponent_bits(x) << 1;
  } else {
    return std::isinf(x);
  }
}
template <std::floating_point Real>
constexpr bool is_nan(Real x) {
  return !is_finite(x) && !is_infinite(x);
}

template <typename Derived>
bool all_finite(const Eigen::DenseBase<Derived>& values) {
  for (Eigen::Index j = 0; j < values.cols(); ++j) {
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      if (!is_finite(values.derived().coeff(i, j))) return false;
    }
  }
  return true;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
