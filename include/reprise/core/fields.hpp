#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "error.hpp"
#include "sequences.hpp"
#include "visit.hpp"

// How a struct of options is taken apart and put together again. The struct lists its fields once, inside
// itself; files and messages are made from that list. This header knows no format: a format is a
// `FieldWriter` and a `FieldReader`.
//
//     struct Momentum {
//       static constexpr const char* kind = "Momentum";  // its name, where one of several kinds may stand
//       double decay = 0.9;
//       bool nesterov = false;
//
//       template <typename Self, typename Visit>
//       static void each_field(Self& self, const Visit& visit) {
//         visit("decay", self.decay);
//         visit("nesterov", self.nesterov, false);  // came later: left out where it is false
//       }
//     };
//
// A field is a bool, an integer, a double, a string, an enum, a struct with a list of its own, or an
// optional, a vector or a variant of these. The names of an enum stand beside it, in a function that is found
// by it:
//
//     constexpr std::array<std::string_view, 2> enumerator_names(Convention) { return {"keras", "pytorch"}; }
//
// `auto& [decay, nesterov] = self;` at the start of `each_field` makes the compiler refuse a struct whose
// list forgot a field; the structs of this library have it.
namespace reprise {
inline namespace REPRISE_ABI {

/// Takes values one after the other. An object is `begin_object`, then `member` and a value for each field,
/// then `end_object`; an array is `begin_array`, its values, `end_array`.
class FieldWriter {
 public:
  virtual ~FieldWriter() = default;
  virtual void boolean(bool value) = 0;
  virtual void integer(std::int64_t value) = 0;
  virtual void natural(std::uint64_t value) = 0;
  virtual void number(double value) = 0;
  virtual void text(std::string_view value) = 0;
  /// Stands for an optional without a value.
  virtual void nothing() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;
  /// `kind` is empty where only one kind of object may stand.
  virtual void begin_object(std::string_view kind) = 0;
  virtual void member(const char* name) = 0;
  virtual void end_object() = 0;
  /// A plain number where a struct may stand instead, such as a learning rate.
  virtual void constant(double value) {
    begin_object("constant");
    member("value");
    number(value);
    end_object();
  }
};

class Registry;

/// Stands at one value and gives what is there, or refuses it by throwing a `FileError` that names the place,
/// what was expected and what is there.
class FieldReader {
 public:
  virtual ~FieldReader() = default;
  virtual bool boolean() = 0;
  virtual std::int64_t integer(std::int64_t lowest, std::int64_t highest) = 0;
  virtual std::uint64_t natural(std::uint64_t highest) = 0;
  /// A finite number.
  virtual double number() = 0;
  virtual std::string text() = 0;
  virtual bool is_nothing() = 0;
  virtual bool is_object() = 0;

  virtual std::size_t array_size() = 0;
  virtual void enter_element(std::size_t index) = 0;
  virtual void begin_object() = 0;
  /// Whether there is such a member; if so, the reader then stands there until `leave`.
  virtual bool enter_member(const char* name) = 0;
  /// Back from an element or a member to the array or object that holds it.
  virtual void leave() = 0;
  /// Refuses the object if it has a member that was never entered.
  virtual void end_object() = 0;

  [[noreturn]] void refuse(const std::string& expected) const { refuse(expected, shown()); }
  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const {
    detail::refuse_file({place(), ": expected ", expected, ", got ", got});
  }
  /// Where the reader stands, and what is there, as a message can show it.
  virtual std::string place() const = 0;
  virtual std::string shown() const = 0;
  /// The kinds of values that may stand here besides those that the library always knows.
  virtual const Registry& registry() const = 0;
};

namespace detail {

/// How values of type T are written and read; a specialisation for each family of types.
template <typename T>
struct FieldForm;

template <typename T>
void write_value(FieldWriter& writer, const T& value) {
  FieldForm<T>::write(writer, value);
}
template <typename T>
void read_value(FieldReader& reader, T& value) {
  FieldForm<T>::read(reader, value);
}

template <typename T>
concept ListsFields =
    requires(T& value) { T::each_field(value, [](const char*, auto&&, const auto&...) {}); };

template <typename T>
concept HasKind = requires {
  { T::kind } -> std::convertible_to<std::string_view>;
};
/// What a file calls the type.
template <typename T>
constexpr std::string_view kind_of() {
  if constexpr (HasKind<T>) return T::kind;
  return {};
}

/// A value of any type that fulfils some interface, behind a pointer: `CustomLoss` and the like. Its kind is
/// known at run time only. `category` is what messages call it, such as "loss".
template <typename T>
concept Erased = requires(const T& value, FieldWriter& writer) {
  { T::category } -> std::convertible_to<std::string_view>;
  { value.kind() } -> std::convertible_to<std::string_view>;
  value.write_fields(writer);
};

// A field that may be infinite, which is written as nothing: `visit("limit", or_infinity(self.limit))`.
template <typename T>
struct OrInfinity {
  T& value;
};
template <typename T>
OrInfinity<T> or_infinity(T& value) {
  return {value};
}

/// The members of an object, between its beginning and its end. A type without a list has none.
template <typename T>
void write_fields(FieldWriter& writer, const T& value) {
  if constexpr (ListsFields<const T>) {
    T::each_field(value, [&](const char* name, auto&& field, const auto&... otherwise) {
      if (((field == otherwise) || ...)) return;
      writer.member(name);
      write_value<std::remove_cvref_t<decltype(field)>>(writer, field);
    });
  }
}
template <typename T>
void read_fields(FieldReader& reader, T& value) {
  if constexpr (ListsFields<T>) {
    T::each_field(value, [&](const char* name, auto&& field, const auto&... otherwise) {
      if (reader.enter_member(name)) {
        read_value<std::remove_reference_t<decltype(field)>>(reader, field);
        return reader.leave();
      }
      if constexpr (sizeof...(otherwise) > 0) {
        ((field = otherwise), ...);
      } else {
        reader.refuse("a member " + std::string(name), "none");
      }
    });
  }
}

/// A type may have a `validate() const` that throws when its fields cannot be.
template <typename T>
void validate_value(const T& value) {
  if constexpr (requires { value.validate(); }) value.validate();
}

/// How a `Custom` is made of a T whose fields a reader gives.
template <typename Custom>
struct MakeRegistered {
  template <typename T>
  static constexpr std::string_view kind() {
    return T::kind;
  }
  /// `given`: what the caller of `Registry::read` knows.
  template <typename T>
  static void make(FieldReader& reader, const void*, std::optional<Custom>& result) {
    T value{};
    read_fields(reader, value);
    validate_value(value);
    result.emplace(std::move(value));
  }
};

}  // namespace detail

/// Which values of the user's own types a file may hold: layers, losses, optimizers and so on. A file that
/// holds another is refused.
class Registry {
 public:
  /// Lets a `T` stand where a `Custom` may stand, such as `add<CustomLoss, MyLoss>()`. T has a `kind`, can be
  /// made without arguments, and lists its fields if it has any; what its `validate() const` refuses, if it
  /// has one, is refused. The last type of a kind counts.
  template <typename Custom, typename T>
  Registry& add() {
    using Maker = detail::MakeRegistered<Custom>;
    return add<Custom>(std::string(Maker::template kind<T>()), Maker::template make<T>);
  }

  /// Also what another registry knows, which must live as long; what stands here goes first.
  Registry& include(const Registry& other) {
    others_.push_back(&other);
    return *this;
  }

  template <typename Custom>
  using Make = void (*)(FieldReader& reader, const void* given, std::optional<Custom>& result);
  /// With a function that reads the fields and makes the value. `given` is what the caller of `read` knows.
  template <typename Custom>
  Registry& add(std::string kind, std::type_identity_t<Make<Custom>> make) {
    entries_.push_back({&identity<Custom>, std::move(kind), reinterpret_cast<void (*)()>(make)});
    return *this;
  }

  /// Reads the fields of a value of this kind, or returns none when the kind is not known.
  template <typename Custom>
  std::optional<Custom> read(std::string_view kind, FieldReader& reader, const void* given = nullptr) const {
    std::optional<Custom> result;
    if (const auto make = find(&identity<Custom>, kind)) {
      reinterpret_cast<Make<Custom>>(make)(reader, given, result);
    }
    return result;
  }

 private:
  struct Entry {
    const char* custom;
    std::string kind;
    void (*make)();
  };
  template <typename Custom>
  static constexpr char identity = 0;

  void (*find(const char* custom, std::string_view kind) const)() {
    for (std::size_t i = entries_.size(); i-- > 0;) {
      if (entries_[i].custom == custom && entries_[i].kind == kind) return entries_[i].make;
    }
    for (const Registry* other : others_) {
      if (const auto make = other->find(custom, kind)) return make;
    }
    return nullptr;
  }

  std::vector<Entry> entries_;
  std::vector<const Registry*> others_;
};

namespace detail {

/// The kind of the object that the reader is in; `otherwise` where none is given and one may be missing.
inline std::string read_kind(FieldReader& reader, std::string_view otherwise = {}) {
  if (!reader.enter_member("kind")) {
    if (otherwise.empty()) reader.refuse("an object with a kind");
    return std::string(otherwise);
  }
  std::string kind = reader.text();
  reader.leave();
  return kind;
}
[[noreturn]] inline void refuse_kind(FieldReader& reader, const std::string& expected) {
  reader.enter_member("kind");
  reader.refuse(expected);
}
[[noreturn]] inline void refuse_unregistered(FieldReader& reader, std::string_view category) {
  refuse_kind(reader, "a known " + std::string(category) + " or one of the registry");
}
/// A value that only the registry can know.
template <Erased T>
T read_erased(FieldReader& reader, const std::string& kind, const void* given = nullptr) {
  std::optional<T> value = reader.registry().read<T>(kind, reader, given);
  if (!value) refuse_unregistered(reader, T::category);
  return *std::move(value);
}

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
    reader.begin_object();
    const std::string kind = read_kind(reader);
    if (!(read_if<Kinds>(reader, kind, value) || ...)) refuse_unknown(reader);
    reader.end_object();
  }

 private:
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
    value == std::numeric_limits<double>::infinity() ? writer.nothing() : writer.number(value);
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
