#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>

namespace test {

/// A directory of its own, gone with all that is in it at the end of the test. Several test programs may run
/// at once: the one that makes a directory has it, and the others go on to the next number.
struct TemporaryDirectory {
  TemporaryDirectory() {
    for (int number = 0;; ++number) {
      path = std::filesystem::temp_directory_path() / ("reprise_test_" + std::to_string(number));
      if (std::filesystem::create_directory(path)) return;
    }
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }

  std::filesystem::path operator/(const std::string& name) const { return path / name; }
  std::ptrdiff_t files() const { return std::distance(std::filesystem::directory_iterator(path), {}); }

  std::filesystem::path path;
};

}  // namespace test
