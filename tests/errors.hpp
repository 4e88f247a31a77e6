#pragma once

#include <reprise/core/error.hpp>
#include <string>

namespace test {

/// The message with which `call` throws `reprise::Error`, or "nothing thrown".
template <typename Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const reprise::Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace test
