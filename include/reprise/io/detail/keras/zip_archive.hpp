#pragma once

#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../json.hpp"

// Zip files by libzip, which nobody vouches for.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What deflate may make of so many bytes: weights shrink by a few per cent, text tenfold, and only what was
/// made to fill memory by much more than a hundredfold. Small members may be as they like.
inline std::uint64_t most_inflated(std::uint64_t compressed) {
  constexpr std::uint64_t harmless = 1 << 24;
  return std::max(harmless, compressed < UINT64_MAX / 100 ? 100 * compressed : UINT64_MAX);
}

/// An open zip file whose members have been listed and checked.
class ZipArchive {
 public:
  explicit ZipArchive(const std::filesystem::path& path) : place_(path.string()) {
    int error = 0;
    zip_.reset(zip_open(place_.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &error));
    if (zip_ == nullptr) fail_file(place_, "a zip file that is whole", text_of(error));
    const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
    constexpr zip_int64_t most = 100'000;
    if (count < 0 || count > most) {
      fail_file(place_, "at most " + std::to_string(most) + " members", std::to_string(count));
    }
    for (zip_int64_t i = 0; i < count; ++i) list(static_cast<zip_uint64_t>(i));
  }

  const std::string& place() const { return place_; }
  bool has(const std::string& name) const { return members_.count(name) > 0; }
  std::string names() const {
    std::string result;
    for (const auto& [name, member] : members_) result += (result.empty() ? "" : ", ") + name;
    return result;
  }

  /// All of a member's bytes; never more than its header says.
  std::string read(const std::string& name) const {
    const auto found = members_.find(name);
    if (found == members_.end()) fail_file(place_, "a member " + name, shown(Json(names())));
    const Member& member = found->second;
    const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(
        zip_fopen_index(zip_.get(), member.index, 0), &zip_fclose);
    std::string bytes(static_cast<std::size_t>(member.size), '\0');
    std::uint64_t filled = 0;
    while (file != nullptr && filled < member.size) {
      const zip_int64_t part = zip_fread(file.get(), bytes.data() + filled, member.size - filled);
      if (part <= 0) break;
      filled += static_cast<std::uint64_t>(part);
    }
    // One byte more must not come; reading to the end is also what has the checksum looked at.
    char more = 0;
    if (file == nullptr || filled != member.size || zip_fread(file.get(), &more, 1) != 0) {
      fail_file(place_ + ": member " + name, std::to_string(member.size) + " bytes with the right checksum",
                "others");
    }
    return bytes;
  }

 private:
  struct Member {
    zip_uint64_t index = 0;
    std::uint64_t size = 0;
  };

  void list(zip_uint64_t index) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    constexpr zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                    ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(zip_.get(), index, 0, &stat) != 0 || (stat.valid & needed) != needed) {
      fail_file(place_, "a name, size and method for each member", "less");
    }
    const std::string name = stat.name;
    const std::string place = place_ + ": member " + shown(Json(name));
    if (stat.encryption_method != ZIP_EM_NONE) fail_file(place, "no encryption", "an encrypted one");
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
      fail_file(place, "stored or deflated", "method " + std::to_string(stat.comp_method));
    }
    const bool is_stored = stat.comp_method == ZIP_CM_STORE;
    const std::uint64_t most = is_stored ? stat.comp_size : most_inflated(stat.comp_size);
    if (stat.comp_size > std::filesystem::file_size(place_) || stat.size > most) {
      fail_file(place, "no more than " + std::to_string(most) + " bytes of " + std::to_string(stat.comp_size),
                std::to_string(stat.size));
    }
    if (!members_.emplace(name, Member{index, stat.size}).second) fail_file(place, "each name once", "two");
  }

  static std::string text_of(int error) {
    zip_error_t described;
    zip_error_init_with_code(&described, error);
    std::string text = zip_error_strerror(&described);
    zip_error_fini(&described);
    return text;
  }

  std::string place_;
  std::unique_ptr<zip_t, decltype(&zip_discard)> zip_{nullptr, &zip_discard};
  std::map<std::string, Member> members_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
