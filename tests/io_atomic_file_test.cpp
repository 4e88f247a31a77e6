#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <reprise/io/detail/atomic_file.hpp>
#include <string>

#include "errors.hpp"
#include "temporary_directory.hpp"

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What was brought to the disk, in order; while the tests below watch.
struct Disk {
  std::filesystem::path target;
  std::string log{};
  int error_of_folder = 0;
};
Disk* watched = nullptr;

void write(const std::filesystem::path& path, const std::string& text) {
  reprise::detail::AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace

/// In place of the system's, in this program: it need not wait for a disk.
extern "C" int fsync(int descriptor) {
  if (watched == nullptr) return 0;
  struct stat what {};
  if (::fstat(descriptor, &what) != 0) return -1;
  if (!S_ISDIR(what.st_mode)) {
    watched->log += "file, ";
    return 0;
  }
  struct stat folder {};
  const auto parent = watched->target.parent_path();
  const bool is_its = ::stat(parent.empty() ? "." : parent.c_str(), &folder) == 0 &&
                      folder.st_dev == what.st_dev && folder.st_ino == what.st_ino;
  watched->log += is_its ? "folder with " + text_of(watched->target) : "another folder";
  errno = watched->error_of_folder;
  return errno == 0 ? 0 : -1;
}

TEST_CASE("atomic file: what a thousand killed programs left behind does not block it") {
  const test::TemporaryDirectory directory;
  for (int i = 0; i < 1000; ++i) {
    std::ofstream(directory / ("model.tmp" + std::to_string(i))) << "half a model";
  }
  write(directory / "model", "whole");
  CHECK(text_of(directory / "model") == "whole");
  CHECK(directory.files() == 1001);
  CHECK(text_of(directory / "model.tmp999") == "half a model");
}

TEST_CASE("atomic file: its folder is brought to the disk after it has its name") {
  const test::TemporaryDirectory directory;
  Disk disk{directory / "model"};
  watched = &disk;
  write(disk.target, "new");
  CHECK(disk.log == "file, folder with new");

  // A name without a folder is in the current one.
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path);
  disk = {"model"};
  write(disk.target, "newer");
  std::filesystem::current_path(before);
  CHECK(disk.log == "file, folder with newer");
  watched = nullptr;
}

TEST_CASE("atomic file: a folder that cannot be brought to the disk is an error where that is a failure") {
  const test::TemporaryDirectory directory;
  Disk disk{directory / "model"};
  watched = &disk;
  disk.error_of_folder = EINVAL;  // of file systems that know no such thing
  write(disk.target, "new");
  disk.error_of_folder = EIO;
  const std::string error = test::error_of([&] { write(disk.target, "newer"); });
  watched = nullptr;
  CHECK(error.find("expected to bring its new name to the disk, got Input/output error") !=
        std::string::npos);
  CHECK(directory.files() == 1);
}
