#pragma once

#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../../core/fields.hpp"

// How a layer is written to a file and made again. A layer that can be saved has a name for files,
// `static constexpr const char* kind`, and either
//   * lists its own fields in `each_field`, if it has any, and can be made without arguments; or
//   * has `options()`, a struct that lists its fields, and is made from the number of input features and
//     these options. The kind may then stand in the options.
namespace reprise {
inline namespace REPRISE_ABI {

template <typename Scalar>
class AnyLayer;

namespace detail {

template <typename L>
using OptionsOf = std::remove_cvref_t<decltype(std::declval<const L&>().options())>;
template <typename L>
concept MadeFromOptions =
    !ListsFields<L> && requires { typename OptionsOf<L>; } && std::constructible_from<L, Index, OptionsOf<L>>;

/// Empty for a layer that files have no name for.
template <typename L>
constexpr std::string_view layer_kind() {
  if constexpr (HasKind<L>) {
    return L::kind;
  } else if constexpr (MadeFromOptions<L>) {
    return kind_of<OptionsOf<L>>();
  } else {
    return {};
  }
}

template <typename L>
void write_layer_fields(FieldWriter& writer, const L& layer) {
  if constexpr (MadeFromOptions<L>) {
    write_fields(writer, layer.options());
  } else {
    write_fields(writer, layer);
  }
}

/// The layer with the fields that the reader gives.
template <typename L>
L read_layer(FieldReader& reader, L layer) {
  read_fields(reader, layer);
  validate_value(layer);
  return layer;
}
template <typename L>
L read_layer(FieldReader& reader, SequenceShape input) {
  if constexpr (MadeFromOptions<L>) {
    OptionsOf<L> options{};
    read_fields(reader, options);
    return L(input.features, options);
  } else {
    return read_layer(reader, L{});
  }
}

/// `Registry::add<AnyLayer<float>, L>()`. What is given is the shape of the layer's input.
template <typename Scalar>
struct MakeRegistered<AnyLayer<Scalar>> {
  template <typename L>
  static constexpr std::string_view kind() {
    static_assert(!layer_kind<L>().empty(),
                  "a layer in a file needs a name, such as static constexpr const char* kind = \"Square\"");
    return layer_kind<L>();
  }
  template <typename L>
  static void make(FieldReader& reader, const void* given, std::optional<AnyLayer<Scalar>>& result) {
    result.emplace(read_layer<L>(reader, *static_cast<const SequenceShape*>(given)));
  }
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
