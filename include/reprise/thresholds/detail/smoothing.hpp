#pragma once

#include <cstdint>

#include "../../core/random.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// In (0, 1], a pure function of seed and index.
inline double smoothing_uniform(std::uint64_t seed, std::uint64_t index) {
  RandomStream random(seed, Purpose::p_value, static_cast<std::uint32_t>(index),
                      static_cast<std::uint32_t>(index >> 32));
  return 1.0 - random.uniform();
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
