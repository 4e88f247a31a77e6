#pragma once

#include <stdexcept>
#include <string>

#include "version.hpp"

namespace reprise::inline REPRISE_ABI {

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

/// Throws `Error` with "<place>: expected <expected>, got <got>".
[[noreturn]] inline void fail(const std::string& place, const std::string& expected, const std::string& got) {
  throw Error(place + ": expected " + expected + ", got " + got);
}

template <typename Integer>
void require_positive(Integer value, const std::string& place, const char* what) {
  if (value <= 0) fail(place, std::string(what) + " > 0", std::to_string(value));
}

/// A dropout rate must leave something: 0 <= rate < 1.
inline void require_rate(double rate, const std::string& place, const char* what) {
  if (!(rate >= 0.0 && rate < 1.0)) {
    fail(place, std::string(what) + " in [0, 1)", std::to_string(rate));
  }
}

}  // namespace detail
}  // namespace reprise::inline REPRISE_ABI
