#pragma once

#include "../error.hpp"
#include "../sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A value that stands for one of `count` symbols, as a number from 0 on. Throws `Error` that names `place`
/// where it is no whole number, or none of those.
template <typename Scalar>
Index symbol_index(Scalar value, Index count, const char* place) {
  if (is_finite(value) && value >= Scalar(0) && value < static_cast<Scalar>(count)) {
    const auto index = static_cast<Index>(value);
    if (static_cast<Scalar>(index) == value) return index;
  }
  fail(place, {"a whole number from 0 to ", count - 1, ", which is the index of a symbol"}, {value});
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
