#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../../core/fields.hpp"
#include "../../core/finite.hpp"
#include "../../core/text.hpp"
#include "json.hpp"

// Fields as JSON and back: a struct is an object with a member for each field, an enumerator its name, a
// variant an object whose member "kind" says which, an optional without a value null.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Writes the text itself: a tree of nlohmann's would ask for memory in its destructors, and end the program
/// where there is none. Throws `FileError` for numbers that are not finite, which JSON does not have.
class JsonFieldWriter : public FieldWriter {
 public:
  explicit JsonFieldWriter(std::string place = "JSON") : place_(std::move(place)) {}

  void boolean(bool value) override { put(value); }
  void integer(std::int64_t value) override { put(value); }
  void natural(std::uint64_t value) override { put(value); }
  void refuse(const char* expected, const std::string& got) const override {
    fail_file(place(), expected, got);
  }
  void number(double value) override {
    if (!is_finite(value)) fail_file(place(), "a finite number", number_text(value));
    put(value);
  }
  void text(std::string_view value) override { put(std::string(value)); }
  void nothing() override { put(nullptr); }
  void begin_array() override { begin('['); }
  void end_array() override { end(']'); }
  void begin_object(std::string_view kind) override {
    begin('{');
    if (kind.empty()) return;
    member("kind");
    text(kind);
  }
  void member(const char* name) override { open_.back().name = name; }
  void end_object() override { end('}'); }

  const std::string& result() const { return text_; }

 private:
  /// An array or object that is not complete, how much of it is written or begun, and the name of the member
  /// that comes next.
  struct Open {
    bool is_array;
    std::size_t count = 0;
    std::string name{};
  };

  void put(const Json& scalar) {
    begin_value();
    text_ += scalar.dump();
  }
  void begin(char bracket) {
    begin_value();
    text_ += bracket;
    open_.push_back({bracket == '['});
  }
  void end(char bracket) {
    text_ += bracket;
    open_.pop_back();
  }
  /// What stands before each value.
  void begin_value() {
    if (open_.empty()) return;
    Open& open = open_.back();
    if (open.count++ > 0) text_ += ',';
    if (!open.is_array) text_ += Json(open.name).dump() + ':';
  }

  std::string place() const {
    std::string place = place_;
    for (const Open& open : open_) {
      // In all but the innermost, the last value is the one that was begun.
      const std::size_t index = open.count - (&open == &open_.back() ? 0 : 1);
      place += open.is_array ? "[" + std::to_string(index) + "]" : "." + open.name;
    }
    return place;
  }

  std::string place_;
  std::string text_;
  std::vector<Open> open_;
};

/// Trusts nothing: every member must be there, once, with the right type, and no other. Throws `FileError`
/// that names the place. The JSON must live as long as the reader.
class JsonFieldReader : public FieldReader {
 public:
  JsonFieldReader(const Json& json, std::string place, const Registry& registry)
      : place_(std::move(place)), registry_(registry), at_{{&json, {}, {}}} {}

  bool boolean() override {
    if (!here().is_boolean()) refuse("true or false");
    return here().get<bool>();
  }
  std::int64_t integer(std::int64_t lowest, std::int64_t highest) override {
    const bool fits = here().is_number_unsigned()
                          ? here().get<std::uint64_t>() <= static_cast<std::uint64_t>(highest)
                          : here().is_number_integer() && here().get<std::int64_t>() >= lowest &&
                                here().get<std::int64_t>() <= highest;
    if (!fits) refuse("a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest));
    return here().get<std::int64_t>();
  }
  std::uint64_t natural(std::uint64_t highest) override {
    if (!here().is_number_unsigned() || here().get<std::uint64_t>() > highest) {
      refuse("a whole number from 0 to " + std::to_string(highest));
    }
    return here().get<std::uint64_t>();
  }
  double number() override {
    if (!here().is_number() || !is_finite(here().get<double>())) refuse("a finite number");
    return here().get<double>();
  }
  std::string text() override {
    if (!here().is_string()) refuse("a string");
    return here().get<std::string>();
  }
  bool is_nothing() override { return here().is_null(); }
  bool is_object() override { return here().is_object(); }

  std::size_t array_size() override {
    if (!here().is_array()) refuse("an array");
    return here().size();
  }
  void enter_element(std::size_t index) override {
    at_.push_back({&here()[index], "[" + std::to_string(index) + "]", {}});
  }
  void begin_object() override {
    if (!here().is_object()) refuse("an object");
  }
  bool enter_member(const char* name) override {
    const auto found = here().find(name);
    if (found == here().end()) return false;
    at_.back().entered.insert(name);
    at_.push_back({&*found, std::string(".") + name, {}});
    return true;
  }
  void leave() override { at_.pop_back(); }
  void end_object() override {
    if (at_.back().entered.size() == here().size()) return;
    for (const auto& member : here().items()) {
      if (!at_.back().entered.contains(member.key()))
        refuse("no member but those known", detail::shown(Json(member.key())));
    }
  }

  std::string place() const override {
    std::string place = place_;
    for (const Place& part : at_) place += part.step;
    return place;
  }
  std::string shown() const override { return detail::shown(here()); }
  const Registry& registry() const override { return registry_; }

 private:
  /// A value, how it is reached from the one that holds it, and which of its members were entered.
  struct Place {
    const Json* json;
    std::string step;
    std::set<std::string> entered;
  };
  const Json& here() const { return *at_.back().json; }

  std::string place_;
  const Registry& registry_;
  std::vector<Place> at_;
};

inline const Registry& no_registry() {
  static const Registry none;
  return none;
}

template <typename T>
std::string to_json(const T& value, const std::string& place = "JSON") {
  JsonFieldWriter writer(place);
  write_value(writer, value);
  return writer.result();
}
template <typename T>
void from_json(const Json& json, const std::string& place, T& value,
               const Registry& registry = no_registry()) {
  JsonFieldReader reader(json, place, registry);
  read_value(reader, value);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
