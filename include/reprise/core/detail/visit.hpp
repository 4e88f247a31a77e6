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
template <typename Use, typename Variant>
decltype(auto) visit(const Use& use, Variant& variant) {
  constexpr std::size_t count = std::variant_size_v<std::remove_const_t<Variant>>;
  static_assert(count <= 12, "visit: one more line for each alternative");
  // Past the last alternative, the first is read, which throws, as std::visit does, where it holds nothing.
  if constexpr (count > 1)
    if (variant.index() == 1) return use(*std::get_if<1>(&variant));
  if constexpr (count > 2)
    if (variant.index() == 2) return use(*std::get_if<2>(&variant));
  if constexpr (count > 3)
    if (variant.index() == 3) return use(*std::get_if<3>(&variant));
  if constexpr (count > 4)
    if (variant.index() == 4) return use(*std::get_if<4>(&variant));
  if constexpr (count > 5)
    if (variant.index() == 5) return use(*std::get_if<5>(&variant));
  if constexpr (count > 6)
    if (variant.index() == 6) return use(*std::get_if<6>(&variant));
  if constexpr (count > 7)
    if (variant.index() == 7) return use(*std::get_if<7>(&variant));
  if constexpr (count > 8)
    if (variant.index() == 8) return use(*std::get_if<8>(&variant));
  if constexpr (count > 9)
    if (variant.index() == 9) return use(*std::get_if<9>(&variant));
  if constexpr (count > 10)
    if (variant.index() == 10) return use(*std::get_if<10>(&variant));
  if constexpr (count > 11)
    if (variant.index() == 11) return use(*std::get_if<11>(&variant));
  return use(std::get<0>(variant));
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
