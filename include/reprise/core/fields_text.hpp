#pragma once

#include <string>

#include "fields.hpp"
#include "text.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Writes fields as they would stand in a program: `Sgd{.learning_rate = 0.1, .clip = NoClip{}}`. A template,
/// so that a program that makes no such text compiles none of it.
template <typename Text = std::string>
class TextWriter final : public FieldWriter {
 public:
  void boolean(bool value) override { put(value ? "true" : "false"); }
  void integer(std::int64_t value) override { put(std::to_string(value)); }
  void natural(std::uint64_t value) override { put(std::to_string(value)); }
  void number(double value) override { put(number_text(value)); }
  void text(std::string_view value) override { put(value); }
  void nothing() override { put("none"); }
  void begin_array() override { begin("["); }
  void end_array() override { end("]"); }
  void begin_object(std::string_view kind) override { begin(std::string(kind) + "{"); }
  void member(const char* name) override {
    // Not "." + std::string(name), of which g++ 12 warns where it is optimised (GCC bug 105651).
    put(std::string(".").append(name).append(" = "));
    is_first_ = true;
  }
  void end_object() override { end("}"); }
  void constant(double value) override { number(value); }

  const Text& result() const { return result_; }

 private:
  void put(std::string_view piece) {
    if (!is_first_) result_ += ", ";
    result_ += piece;
    is_first_ = false;
  }
  void begin(std::string_view bracket) {
    put(bracket);
    is_first_ = true;
  }
  void end(const char* bracket) {
    result_ += bracket;
    is_first_ = false;
  }
  Text result_;
  bool is_first_ = true;
};

}  // namespace detail

/// The fields of an option struct, or of a variant of such, as text: `Adam{.learning_rate = 0.001, ...}`.
/// Equal values give equal texts, and values that differ give different ones.
template <typename T>
[[nodiscard]] std::string options_text(const T& options) {
  detail::TextWriter<> writer;
  if constexpr (detail::ListsFields<const T>) {
    writer.begin_object(detail::kind_of<T>());
    detail::write_fields(writer, options);
    writer.end_object();
  } else {
    detail::write_value(writer, options);
  }
  return writer.result();
}

}  // namespace REPRISE_ABI
}  // namespace reprise
