#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#ifdef _WIN32
#include <io.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

#include "../../core/error.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A file that comes into being as a whole: what is written goes to a temporary file in the same directory,
/// which `commit` brings to the disk and gives the name, which it brings to the disk as well. Until then a
/// file of that name stays as it is, and without a commit the temporary file is removed. Through a symbolic
/// link, the file that it points to is replaced. Every call but the destructor throws `FileError` when the
/// system reports a failure.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path) : target_(path), place_(path.string()) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (fs::is_symlink(path, error)) {
      if (fs::path linked = fs::canonical(path, error); !error) target_ = std::move(linked);
    }
    // To rename over a device would replace it.
    const fs::file_status old = fs::status(target_, error);
    if (fs::exists(old) && !fs::is_regular_file(old)) {
      fail("a regular file or none yet", fs::is_directory(old) ? "a directory" : "something else");
    }
    // "x" never opens a file that exists: two programs that save at once do not write into each other's.
    // What programs left behind that ended in the middle of a save is passed over.
    for (long number = 0; number < most_left_over && file_ == nullptr; ++number) {
      temporary_ = target_;
      temporary_ += ".tmp" + std::to_string(number);
      errno = 0;
      file_ = std::fopen(temporary_.string().c_str(), "wbx");
      if (file_ == nullptr && errno != EEXIST) break;
    }
    if (file_ == nullptr) fail_now("to create " + temporary_.string());
    if (fs::exists(old)) fs::permissions(temporary_, old.permissions(), error);  // as far as they can be kept
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (committed_) return;
    if (file_ != nullptr) std::fclose(file_);
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
  }

  void write(const void* bytes, std::size_t count) {
    errno = 0;
    if (std::fwrite(bytes, 1, count, file_) != count)
      fail_now("to write " + std::to_string(count) + " bytes");
  }

  void commit() {
    errno = 0;
    if (std::fflush(file_) != 0) fail_now("to write to its end");
    if (!synchronize()) fail_now("to bring it to the disk");
    if (std::fclose(std::exchange(file_, nullptr)) != 0) fail_now("to close it");
    std::error_code error;
    std::filesystem::rename(temporary_, target_, error);
    if (error) fail("to replace it", error.message());
    committed_ = true;
    if (!synchronize_folder()) fail_now("to bring its new name to the disk");
  }

 private:
  [[noreturn]] void fail(const std::string& expected, const std::string& got) const {
    throw FileError(place_ + ": expected " + expected + ", got " + got);
  }
  /// With what the system says of the call that failed last.
  [[noreturn]] void fail_now(const std::string& expected) const {
    fail(expected, errno == 0 ? "a failure" : std::generic_category().message(errno));
  }
  bool synchronize() const {
#ifdef _WIN32
    return ::_commit(::_fileno(file_)) == 0;
#else
    return ::fsync(::fileno(file_)) == 0;
#endif
  }

  /// A new name is lost with the power unless its folder is on the disk too. True also where a system or a
  /// file system cannot do that, or does not let this program.
  bool synchronize_folder() const {
#ifdef _WIN32
    return true;
#else
    const std::filesystem::path folder = target_.parent_path();
    const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return true;
    errno = 0;
    const bool failed = ::fsync(descriptor) != 0 && errno != EINVAL && errno != EBADF && errno != ENOTSUP;
    const int reason = errno;
    ::close(descriptor);
    errno = reason;
    return !failed;
#endif
  }

  static constexpr long most_left_over = 1'000'000;
  std::filesystem::path target_;
  std::string place_;
  std::filesystem::path temporary_;
  std::FILE* file_ = nullptr;
  bool committed_ = false;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
