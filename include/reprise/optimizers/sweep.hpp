#pragma once

#include <type_traits>

#include "../core/sequences.hpp"

namespace reprise::inline REPRISE_ABI::detail {

inline constexpr int sweep_block = 16;

/// Calls kernel(width, first) for the blocks of a vector in turn: as many of 16 values as there are, then
/// those that are left one by one, with the width as a constant. A block of each vector that an update reads
/// stays in registers, nothing is allocated, and how a value is treated depends on its place alone, never on
/// an address: the same numbers give the same bits wherever they lie.
template <typename Kernel>
void sweep(Index size, Kernel kernel) {
  Index i = 0;
  for (; i + sweep_block <= size; i += sweep_block) kernel(std::integral_constant<int, sweep_block>{}, i);
  for (; i < size; ++i) kernel(std::integral_constant<int, 1>{}, i);
}

}  // namespace reprise::inline REPRISE_ABI::detail
