#pragma once

#include <locale.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include <new>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../../core/error.hpp"
#include "../../core/needs_exceptions.hpp"

// JSON from files that nobody vouches for.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Throws `FileError` with "<place>: expected <expected>, got <got>".
[[noreturn]] inline void fail_file(const std::string& place, const std::string& expected,
                                   const std::string& got) {
  throw FileError(place + ": expected " + expected + ", got " + got);
}

/// Looks names up fast, however many a hostile file has.
using Json = nlohmann::json;

/// Empties arrays and objects from the inside out. A destructor of nlohmann's asks for memory to do it, and
/// where there is none the program ends; of an empty value it asks for none. Of what is called here nothing
/// throws for an array or object.
inline void clear_json(Json& json) noexcept {  // NOLINT(bugprone-exception-escape)
  if (!json.is_structured()) return;
  for (Json& part : json) clear_json(part);
  json.clear();
}
/// A value that is emptied so before it goes.
class OwnedJson {
 public:
  OwnedJson() = default;  // NOLINT(bugprone-exception-escape)
  explicit OwnedJson(Json value) : value_(std::move(value)) {}
  OwnedJson(const OwnedJson&) = delete;
  OwnedJson& operator=(const OwnedJson&) = delete;
  ~OwnedJson() { clear_json(value_); }  // NOLINT(bugprone-exception-escape)

  /// Takes another value in.
  void reset(Json value) {
    clear_json(value_);
    value_ = std::move(value);
  }
  const Json& operator*() const { return value_; }

 private:
  Json value_;
};

/// A piece of a file as a message can show it: in ASCII, no longer than a line.
inline std::string shortened(std::string text) {
  constexpr std::size_t longest = 120;
  if (text.size() > longest) text = text.substr(0, longest) + "...";
  return text;
}
inline std::string shown(const Json& value) {
  return shortened(value.dump(-1, ' ', true, Json::error_handler_t::replace));
}

/// While it lives, numbers have a decimal point in this thread, whatever the program's locale says: the
/// parser reads what stands behind the point with `strtod`, and takes a point of several bytes for its first.
class PlainNumbers {
 public:
  PlainNumbers() {
#ifndef _WIN32
    plain_ = ::newlocale(LC_NUMERIC_MASK, "C", nullptr);
    if (plain_ == nullptr) throw std::bad_alloc();
    before_ = ::uselocale(plain_);
#endif
  }
  PlainNumbers(const PlainNumbers&) = delete;
  PlainNumbers& operator=(const PlainNumbers&) = delete;
  ~PlainNumbers() {
#ifndef _WIN32
    ::uselocale(before_);
    ::freelocale(plain_);
#endif
  }

#ifndef _WIN32
 private:
  locale_t plain_;
  locale_t before_;
#endif
};

/// JSON as the parser reads it, and beyond that: no name twice in an object (the parser would keep the last),
/// no deep nesting, nothing behind a null character (where the parser would stop).
inline Json parse_json(const std::string& text, const std::string& place) {
  constexpr int deepest = 16;
  if (text.find('\0') != std::string::npos) fail_file(place, "JSON", "a null character");
  std::vector<std::set<std::string>> names;
  const auto watch = [&](int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > deepest) fail_file(place, "JSON at most " + std::to_string(deepest) + " levels deep", "more");
    if (event == Json::parse_event_t::object_start) {
      names.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      names.pop_back();
    } else if (event == Json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second) {
      fail_file(place, "each name once", shown(parsed) + " twice");
    }
    return true;
  };
  const PlainNumbers plain;
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception& error) {
    fail_file(place, "JSON", shown(Json(shortened(error.what()))));
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
