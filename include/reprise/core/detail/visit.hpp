#pragma once

#include <cstddef>
#include <type_traits>
#include <variant>

#include "../version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// use(what the variant holds), as std::visit, whose tables of functions take far longer to compile than a
/// few comparisons.
template <std::size_t alternative = 0, typename Use, typename Variant>
decltype(auto) visit(const Use& use, Variant& variant) {
  if constexpr (alternative + 1 < std::variant_size_v<std::remove_const_t<Variant>>) {
    if (variant.index() != alternative) return detail::visit<alternative + 1>(use, variant);
  }
  return use(std::get<alternative>(variant));  // throws, as std::visit does, where it holds nothing
}

template <typename T, typename Variant>
inline constexpr bool is_alternative = false;
template <typename T, typename... Kinds>
inline constexpr bool is_alternative<T, std::variant<Kinds...>> = (std::is_same_v<T, Kinds> || ...);

/// The variant itself, or one of the types that it names. A function that takes a variant which can be made
/// from any struct is a template over this, where a function of the same name takes another such variant.
template <typename T, typename Variant>
concept VariantOrAlternative = std::is_same_v<T, Variant> || is_alternative<T, Variant>;

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
