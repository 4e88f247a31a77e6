#pragma once

#include <concepts>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "text.hpp"
#include "version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What wrong use throws. The message names the place, what was expected and what came.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A loss or gradient became NaN or infinite in training; the model keeps its last finite state.
class NotFiniteError : public Error {
 public:
  using Error::Error;
};

/// A file is missing, damaged, of another version, or cannot be written.
class FileError : public Error {
 public:
  using Error::Error;
};

namespace detail {

class Text;

/// A part of a message: a text or a number.
class Piece {
 public:
  Piece(const char* text) : kind_(Kind::text), text_(text) {}
  Piece(const std::string& text) : Piece(text.c_str()) {}
  Piece(const Text& pieces) : kind_(Kind::pieces), pieces_(&pieces) {}
  Piece(std::signed_integral auto number) : kind_(Kind::whole), whole_(number) {}
  Piece(std::unsigned_integral auto number) : kind_(Kind::natural), natural_(number) {}
  Piece(float number) : kind_(Kind::real32), real32_(number) {}
  Piece(std::floating_point auto number) : kind_(Kind::real), real_(static_cast<double>(number)) {}

  std::string string() const;

 private:
  enum class Kind { text, pieces, whole, natural, real, real32 };
  Kind kind_;
  union {
    const char* text_;
    const Text* pieces_;
    long long whole_;
    unsigned long long natural_;
    double real_;
    float real32_;
  };
};

/// A text, or pieces that are put together only where it is read: the many places that may refuse something
/// are then a few stores and calls each, which compile fast. Lives no longer than the call that it is an
/// argument of.
class Text {
 public:
  [[gnu::noinline]] Text(const char* text) : only_(text) {}
  [[gnu::noinline]] Text(const std::string& text) : only_(text) {}
  [[gnu::cold, gnu::noinline]] Text(std::initializer_list<Piece> pieces) : only_(""), pieces_(pieces) {}
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  [[gnu::cold, gnu::noinline]] std::string string() const {
    std::string result = only_.string();
    for (const Piece& piece : pieces_) result += piece.string();
    return result;
  }

 private:
  Piece only_;
  std::initializer_list<Piece> pieces_;
};

inline std::string Piece::string() const {
  switch (kind_) {
    case Kind::pieces: return pieces_->string();
    case Kind::whole: return std::to_string(whole_);
    case Kind::natural: return std::to_string(natural_);
    case Kind::real: return number_text(real_);
    case Kind::real32: return number_text(real32_);
    default: return text_;
  }
}

/// Throws `Error` with "<place>: expected <expected>, got <got>".
[[noreturn, gnu::cold, gnu::noinline]] inline void fail(const Text& place, const Text& expected,
                                                        const Text& got) {
  throw Error(place.string() + ": expected " + expected.string() + ", got " + got.string());
}

template <typename Integer>
void require_positive(Integer value, const Text& place, const char* what) {
  if (value <= 0) fail(place, {what, " > 0"}, {value});
}

/// A dropout rate must leave something: 0 <= rate < 1.
inline void require_rate(double rate, const Text& place, const char* what) {
  if (!(rate >= 0.0 && rate < 1.0)) fail(place, {what, " in [0, 1)"}, {rate});
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
