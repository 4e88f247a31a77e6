#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "finite.hpp"
#include "text.hpp"
#include "version.hpp"

#ifndef __cpp_exceptions
#include "fixed_text.hpp"
/// A program without exceptions (-fno-exceptions) defines this function, which must not return: wrong use
/// calls it with the message that an `Error` would have carried, cut after 191 characters. Neither the
/// message nor the call takes memory from the heap.
[[noreturn]] void reprise_refused(const char* message);
#endif

namespace reprise {
inline namespace REPRISE_ABI {

/// What wrong use throws. The message names the place, what was expected and what came.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A loss or gradient became NaN or infinite in training. What is thrown is a `TrainingAborted`
/// (training/events.hpp), which also has the losses until then.
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

  template <typename Result>
  void append_to(Result& result) const;

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

  template <typename Result>
  [[gnu::cold, gnu::noinline]] void append_to(Result& result) const {
    only_.append_to(result);
    for (const Piece& piece : pieces_) piece.append_to(result);
  }
  std::string string() const {
    std::string result;
    append_to(result);
    return result;
  }

 private:
  Piece only_;
  std::initializer_list<Piece> pieces_;
};

inline void add_number(std::string& text, long long number) { text += std::to_string(number); }
inline void add_number(std::string& text, unsigned long long number) { text += std::to_string(number); }
inline void add_number(std::string& text, double number) { text += number_text(number); }
inline void add_number(std::string& text, float number) { text += number_text(number); }

template <typename Result>
void Piece::append_to(Result& result) const {
  switch (kind_) {
    case Kind::pieces: return pieces_->append_to(result);
    case Kind::whole: return add_number(result, whole_);
    case Kind::natural: return add_number(result, natural_);
    case Kind::real: return add_number(result, real_);
    case Kind::real32: return add_number(result, real32_);
    default: result += text_;
  }
}

/// Throws an error with this message; without exceptions it calls the program's `reprise_refused`.
template <typename Thrown>
[[noreturn, gnu::cold, gnu::noinline]] void refuse_with(const Text& message) {
#ifdef __cpp_exceptions
  throw Thrown(message.string());
#else
  FixedText text;
  message.append_to(text);
  reprise_refused(text.text());
#endif
}
[[noreturn]] inline void refuse(const Text& message) { refuse_with<Error>(message); }
[[noreturn]] inline void refuse_file(const Text& message) { refuse_with<FileError>(message); }
/// Refuses with "<place>: expected <expected>, got <got>".
[[noreturn, gnu::cold, gnu::noinline]] inline void fail(const Text& place, const Text& expected,
                                                        const Text& got) {
  refuse({place, ": expected ", expected, ", got ", got});
}

template <typename Integer>
void require_positive(Integer value, const Text& place, const char* what) {
  if (value <= 0) fail(place, {what, " > 0"}, {value});
}

/// The largest size of a layer or of what goes through it: four times it, and where an index has 64 bits the
/// product of any two such sizes, can still be counted.
inline constexpr long largest_size = sizeof(std::ptrdiff_t) > 4 ? 2147483647 : 268435455;

template <typename Integer>
void require_size(Integer value, const Text& place, const char* what) {
  require_positive(value, place, what);
  if (value > largest_size) fail(place, {what, " of at most ", largest_size}, {value});
}

/// A dropout rate must leave something: 0 <= rate < 1.
inline void require_rate(double rate, const Text& place, const char* what) {
  if (!(is_finite(rate) && rate >= 0.0 && rate < 1.0)) fail(place, {what, " in [0, 1)"}, {rate});
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
