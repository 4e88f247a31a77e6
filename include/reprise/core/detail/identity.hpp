#pragma once

#include "../version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Its address stands for the type T, also without run-time type information.
template <typename T>
inline constexpr char identity_of = 0;

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
