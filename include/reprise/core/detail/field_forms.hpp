#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../fields.hpp"
#include "../finite.hpp"
#include "../sequences.hpp"
#include "visit.hpp"

// How each kind of field is written to a `FieldWriter` and read from a `FieldReader`: a specialisation of
// `FieldForm` for each family of types.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

template <>
struct FieldForm<bool> {
  static void write(FieldWriter& writer, bool value) { writer.boolean(value); }
  static void read(FieldReader& reader, bool& value) { value = reader.boolean(); }
};

/// An `Index` is a size or a count: from 0 to 2^53, so that a few times as many is still a number.
template <std::integral T>
struct FieldForm<T> {
  using Limits = std::numeric_limits<T>;
  static void write(FieldWriter& writer, T value) {
    if constexpr (std::same_as<T, Index>) {
      if (value < 0) writer.refuse("a size or count >= 0 (an int may be less)", std::to_string(value));
    }
    if constexpr (std::signed_integral<T>) {
      writer.integer(value);
    } else {
      writer.natural(value);
    }
  }
  static void read(FieldReader& reader, T& value) {
    constexpr auto most = static_cast<std::uint64_t>(Limits::max());
    if constexpr (std::same_as<T, Index>) {
      value = static_cast<T>(reader.natural(std::min(most, std::uint64_t{1} << 53)));
    } else if constexpr (std::unsigned_integral<T>) {
      value = static_cast<T>(reader.natural(most));
    } else {
      value = static_cast<T>(reader.integer(Limits::min(), Limits::max()));
    }
  }
};

template <std::floating_point T>
struct FieldForm<T> {
  static void write(FieldWriter& writer, T value) { writer.number(static_cast<double>(value)); }
  static void read(FieldReader& reader, T& value) { value = static_cast<T>(reader.number()); }
};

template <>
struct FieldForm<std::string> {
  static void write(FieldWriter& writer, const std::string& value) { writer.text(value); }
  static void read(FieldReader& reader, std::string& value) { value = reader.text(); }
};

template <typename T>
  requires std::is_enum_v<T>
struct FieldForm<T> {
  static void write(FieldWriter& writer, T value) {
    writer.text(enumerator_names(T{}).at(static_cast<std::size_t>(value)));
  }
  static void read(FieldReader& reader, T& value) {
    const std::string name = reader.text();
    const auto names = enumerator_names(T{});
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == name) {
        value = static_cast<T>(i);
        return;
      }
    }
    reader.refuse("a known name");
  }
};

/// A struct that lists its fields.
template <ListsFields T>
struct FieldForm<T> {
  static void write(FieldWriter& writer, const T& value) {
    writer.begin_object({});
    write_fields(writer, value);
    writer.end_object();
  }
  static void read(FieldReader& reader, T& value) {
    reader.begin_object();
    read_fields(reader, value);
    reader.end_object();
  }
};

/// A type that is written as the one thing that it holds.
template <typename T>
  requires requires(T& value) { T::stored(value); }
struct FieldForm<T> {
  static void write(FieldWriter& writer, const T& value) { write_value(writer, T::stored(value)); }
  static void read(FieldReader& reader, T& value) { read_value(reader, T::stored(value)); }
};

/// A type that says itself what stands in its place: `void write(FieldWriter&) const`, `void
/// read(FieldReader&)`.
template <typename T>
  requires requires(T& value, FieldWriter& writer, FieldReader& reader) {
    value.write(writer);
    value.read(reader);
  }
struct FieldForm<T> {
  static void write(FieldWriter& writer, const T& value) { value.write(writer); }
  static void read(FieldReader& reader, T& value) { value.read(reader); }
};

/// Its kind may be missing where the type says which one it then is.
template <Erased T>
struct FieldForm<T> {
  static constexpr std::string_view otherwise() {
    if constexpr (requires { T::default_kind; }) return T::default_kind;
    return {};
  }
  static void write(FieldWriter& writer, const T& value) {
    writer.begin_object(value.kind());
    value.write_fields(writer);
    writer.end_object();
  }
  static void read(FieldReader& reader, T& value) {
    reader.begin_object();
    value = read_erased<T>(reader, read_kind(reader, otherwise()));
    reader.end_object();
  }
};

template <typename T>
struct FieldForm<std::optional<T>> {
  static void write(FieldWriter& writer, const std::optional<T>& value) {
    value ? write_value(writer, *value) : writer.nothing();
  }
  static void read(FieldReader& reader, std::optional<T>& value) {
    value.reset();
    if (!reader.is_nothing()) read_value(reader, value.emplace());
  }
};

template <typename T>
struct FieldForm<std::vector<T>> {
  static void write(FieldWriter& writer, const std::vector<T>& values) {
    writer.begin_array();
    for (const T& value : values) write_value(writer, value);
    writer.end_array();
  }
  static void read(FieldReader& reader, std::vector<T>& values) {
    const std::size_t count = reader.array_size();
    values.clear();
    for (std::size_t i = 0; i < count; ++i) {
      reader.enter_element(i);
      T value{};
      read_value(reader, value);
      values.push_back(std::move(value));
      reader.leave();
    }
  }
};

/// An object whose member "kind" says which of the variant's types it is. A number among them has the kind
/// "constant", and an erased type is any kind of the registry.
template <typename... Kinds>
struct FieldForm<std::variant<Kinds...>> {
  using Variant = std::variant<Kinds...>;

  static void write(FieldWriter& writer, const Variant& value) {
    detail::visit(
        [&](const auto& kind) {
          using Kind = std::remove_cvref_t<decltype(kind)>;
          if constexpr (std::is_arithmetic_v<Kind>) {
            writer.constant(kind);
          } else if constexpr (Erased<Kind>) {
            if ((is_named<Kinds>(kind.kind()) || ...))
              writer.refuse("a kind that is none of the library's", std::string(kind.kind()));
            write_value(writer, kind);
          } else {
            writer.begin_object(kind_of<Kind>());
            write_fields(writer, kind);
            writer.end_object();
          }
        },
        value);
  }
  static void read(FieldReader& reader, Variant& value) {
    if (!read_known(reader, value)) refuse_unknown(reader);
  }
  /// False where the kind is neither one of these nor one of the registry's.
  static bool read_known(FieldReader& reader, Variant& value) {
    reader.begin_object();
    const std::string kind = read_kind(reader);
    if (!(read_if<Kinds>(reader, kind, value) || ...)) return false;
    reader.end_object();
    return true;
  }

 private:
  /// Whether this name stands for a type of the library's, as which a value of the user's would be read.
  template <typename Kind>
  static bool is_named(std::string_view kind) {
    if constexpr (std::is_arithmetic_v<Kind>) return kind == "constant";
    if constexpr (!std::is_arithmetic_v<Kind> && !Erased<Kind>) return kind == kind_of<Kind>();
    return false;
  }
  template <typename Kind>
  static bool read_if(FieldReader& reader, const std::string& kind, Variant& value) {
    if constexpr (std::is_arithmetic_v<Kind>) {
      if (kind != "constant") return false;
      if (!reader.enter_member("value")) reader.refuse("a member value", "none");
      read_value(reader, value.template emplace<Kind>());
      reader.leave();
    } else if constexpr (Erased<Kind>) {
      std::optional<Kind> custom = reader.registry().read<Kind>(kind, reader);
      if (!custom) return false;
      value.template emplace<Kind>(*std::move(custom));
    } else {
      if (kind != kind_of<Kind>()) return false;
      read_fields(reader, value.template emplace<Kind>());
    }
    return true;
  }
  [[noreturn]] static void refuse_unknown(FieldReader& reader) {
    std::string known;
    bool open = false;
    const auto list = [&]<typename Kind>(std::type_identity<Kind>) {
      if constexpr (Erased<Kind>) {
        open = true;
      } else {
        const std::string_view name = std::is_arithmetic_v<Kind> ? "constant" : kind_of<Kind>();
        (known += known.empty() ? "" : ", ") += name;
      }
    };
    (list(std::type_identity<Kinds>{}), ...);
    refuse_kind(reader, "one of the kinds " + known + (open ? ", or one of the registry" : ""));
  }
};

template <typename T>
struct FieldForm<OrInfinity<T>> {
  static void write(FieldWriter& writer, const OrInfinity<T>& field) { write_one(writer, field.value); }
  static void read(FieldReader& reader, const OrInfinity<T>& field) { read_one(reader, field.value); }

 private:
  static void write_one(FieldWriter& writer, double value) {
    is_infinite(value) && value > 0.0 ? writer.nothing() : writer.number(value);
  }
  static void write_one(FieldWriter& writer, const std::vector<double>& values) {
    writer.begin_array();
    for (const double value : values) write_one(writer, value);
    writer.end_array();
  }
  static void read_one(FieldReader& reader, double& value) {
    value = reader.is_nothing() ? std::numeric_limits<double>::infinity() : reader.number();
  }
  static void read_one(FieldReader& reader, std::vector<double>& values) {
    values.resize(reader.array_size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      reader.enter_element(i);
      read_one(reader, values[i]);
      reader.leave();
    }
  }
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
