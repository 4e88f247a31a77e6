#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "detail/identity.hpp"
#include "error.hpp"

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
// optional, a vector or a variant of these. An `Index`, and with it std::int64_t where that is the same type,
// is a size or a count: a file holds it from 0 to 2^53 and refuses a negative one when it is written. A field
// that may be negative is an int or a double. The names of an enum stand beside it, in a function that is
// found by it:
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
  /// Called before a value that could not be read again. A file throws; a message may show the value.
  virtual void refuse(const char* expected, const std::string& got) const {
    static_cast<void>(expected), static_cast<void>(got);
  }
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

/// What `each_field` calls for each field of an object: one type for all objects, so that a program compiles
/// it once for each type of field.
struct WriteField {
  FieldWriter& writer;
  template <typename Field, typename... Otherwise>
  [[gnu::noinline]] void operator()(const char* name, const Field& field,
                                    const Otherwise&... otherwise) const {
    if (((field == otherwise) || ...)) return;
    writer.member(name);
    write_value(writer, field);
  }
};
struct ReadField {
  FieldReader& reader;
  template <typename Field, typename... Otherwise>
  [[gnu::noinline]] void operator()(const char* name, Field&& field, const Otherwise&... otherwise) const {
    if (reader.enter_member(name)) {
      read_value<std::remove_reference_t<Field>>(reader, field);
      return reader.leave();
    }
    if constexpr (sizeof...(otherwise) > 0) {
      ((field = otherwise), ...);
    } else {
      reader.refuse("a member " + std::string(name), "none");
    }
  }
};

/// The members of an object, between its beginning and its end. A type without a list has none.
template <typename T>
void write_fields(FieldWriter& writer, const T& value) {
  if constexpr (ListsFields<const T>) T::each_field(value, WriteField{writer});
}
template <typename T>
void read_fields(FieldReader& reader, T& value) {
  if constexpr (ListsFields<T>) T::each_field(value, ReadField{reader});
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
    entries_.push_back({&detail::identity_of<Custom>, std::move(kind), reinterpret_cast<void (*)()>(make)});
    return *this;
  }

  /// Reads the fields of a value of this kind, or returns none when the kind is not known.
  template <typename Custom>
  std::optional<Custom> read(std::string_view kind, FieldReader& reader, const void* given = nullptr) const {
    std::optional<Custom> result;
    if (const auto make = find(&detail::identity_of<Custom>, kind)) {
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

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise

#include "detail/field_forms.hpp"  // how each kind of field is written and read
