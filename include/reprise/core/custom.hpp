#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "detail/identity.hpp"
#include "fields.hpp"
#include "fields_text.hpp"

// A value of a type that only the user knows, where one of ours may stand too: `CustomLoss`,
// `CustomOptimizer` and the like. What the user writes is a plain struct with a name, its fields (see
// core/fields.hpp), and the functions that the place calls.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What can be asked of a user's value without knowing its type. Each place derives a class from it with the
/// functions that it calls.
class CustomCode {
 public:
  virtual ~CustomCode() = default;
  virtual std::string_view kind() const = 0;
  virtual void write_fields(FieldWriter& writer) const = 0;
  /// Throws where the user's own `validate() const` does; a type without one accepts all its options.
  virtual void validate() const = 0;
  /// Name and options, as they would stand in a program.
  virtual std::string options_text() const = 0;
  /// The user's struct, and the `identity_of` its type.
  virtual const void* value() const = 0;
  virtual const char* identity() const = 0;
};

/// What `CustomCode` asks, answered by a struct of the user's. `Code` is the class of the place.
template <typename Code, typename T>
class CustomHolder : public Code {
 public:
  /// `given` is what the class of the place is made from.
  template <typename... Given>
  explicit CustomHolder(T value, Given&&... given)
      : Code(std::forward<Given>(given)...), value_(std::move(value)) {}
  std::string_view kind() const override { return T::kind; }
  void write_fields(FieldWriter& writer) const override { detail::write_fields(writer, value_); }
  void validate() const override {
    if constexpr (requires { value_.validate(); }) value_.validate();
  }
  std::string options_text() const override {
    TextWriter<> writer;
    writer.begin_object(T::kind);
    detail::write_fields(writer, value_);
    writer.end_object();
    return writer.result();
  }
  const void* value() const override { return &value_; }
  const char* identity() const override { return &identity_of<T>; }

 protected:
  T value_;
};

/// True when the fields of a T can be written: it lists them, or has none.
template <typename T>
inline constexpr bool fields_are_known = std::is_empty_v<T> || ListsFields<const T>;

/// A user's value behind a pointer that copies share. Two are equal when their names and option texts are.
template <typename Code>
class Custom {
 public:
  std::string_view kind() const { return code_->kind(); }
  void write_fields(FieldWriter& writer) const { code_->write_fields(writer); }
  void validate() const { code_->validate(); }
  /// The struct that it was made from, or null when that was of another type.
  template <typename T>
  const T* get_if() const {
    return code_->identity() == &identity_of<T> ? static_cast<const T*>(code_->value()) : nullptr;
  }
  const Code& code() const { return *code_; }

  friend bool operator==(const Custom& a, const Custom& b) {
    return a.code_ == b.code_ || a.code_->options_text() == b.code_->options_text();
  }

  // A move is a copy, so that what was moved from can still be used.
  Custom(const Custom&) = default;
  Custom& operator=(const Custom&) = default;

 protected:
  explicit Custom(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

 private:
  std::shared_ptr<const Code> code_;
};

/// Validates the value, and returns a place where an equal one of the same type stands until the program
/// ends. It lets small values, which may be constants, point to one of the user's. May be called by several
/// threads at once.
template <typename T>
const T* interned(T value) {
  value.validate();
  struct Node {
    T value;
    Node* next;
  };
  static std::atomic<Node*> first{nullptr};
  for (const Node* node = first.load(); node != nullptr; node = node->next) {
    if (node->value.code().identity() == value.code().identity() && node->value == value) return &node->value;
  }
  auto* const node = new Node{std::move(value), first.load()};
  while (!first.compare_exchange_weak(node->next, node)) {
  }
  return &node->value;
}

/// The name of what an alternative of a variant is, one of ours or one of the user's.
template <typename T>
std::string_view kind_of(const T& value) {
  if constexpr (Erased<T>) {
    return value.kind();
  } else {
    return kind_of<T>();
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
