#pragma once

#include <cstddef>
#include <type_traits>
#include <variant>

#include "version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// use(what the variant holds), as std::visit, whose tables of functions take far longer to compile than a
/// few comparisons.
template <std::size_t I = 0, typename Use, typename Variant>
decltype(auto) visit(const Use& use, Variant& variant) {
  if constexpr (I + 1 < std::variant_size_v<std::remove_const_t<Variant>>) {
    if (variant.index() != I) return detail::visit<I + 1>(use, variant);
  }
  return use(std::get<I>(variant));  // throws, as std::visit does, where it holds nothing
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
