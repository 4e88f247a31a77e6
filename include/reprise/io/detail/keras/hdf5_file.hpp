#pragma once

#include <hdf5.h>

#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../safetensors_file.hpp"
#include "zip_archive.hpp"

// HDF5 files by the C library, which nobody vouches for. They are read from memory only: no call opens a
// second file, and what would (external links and storage, virtual datasets) is refused, as are soft links
// and all filters but deflate. HDF5 1.10, which Debian 12 has, has open faults of its own: files of people
// one does not trust belong into a process that may die.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A handle of HDF5's, closed with what closes its kind.
class Hdf5Id {
 public:
  Hdf5Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hdf5Id(const Hdf5Id&) = delete;
  Hdf5Id& operator=(const Hdf5Id&) = delete;
  ~Hdf5Id() {
    if (id_ >= 0) close_(id_);
  }
  bool is_valid() const { return id_ >= 0; }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// While it lives, HDF5 prints nothing of its errors, and no other thread of ours calls it: the library is
/// most often built for one.
class Hdf5Session {
 public:
  Hdf5Session() : lock_(mutex()) {
    H5open();
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  Hdf5Session(const Hdf5Session&) = delete;
  Hdf5Session& operator=(const Hdf5Session&) = delete;
  ~Hdf5Session() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }

 private:
  static std::mutex& mutex() {
    static std::mutex only;
    return only;
  }
  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

/// A dataset as its header describes it.
struct Hdf5Dataset {
  TensorShape shape{};
  /// Bytes of a value of float32 or float64; 0 for other types.
  std::uint64_t value_size = 0;
  bool is_filtered = false;
  std::uint64_t stored_bytes = 0;
  /// Of a chunk; 0 where there are none.
  std::uint64_t chunk_bytes = 0;
};

/// A file in memory, whose groups and datasets have been listed and checked.
class Hdf5File {
 public:
  Hdf5File(std::string image, std::string place)
      : place_(std::move(place)),
        image_(std::move(image)),
        access_(H5Pcreate(H5P_FILE_ACCESS), &H5Pclose),
        file_(open(), &H5Fclose) {
    if (!file_.is_valid()) fail_file(place_, "an HDF5 file that is whole", "another");
    const Hdf5Id root(H5Gopen2(file_, "/", H5P_DEFAULT), &H5Gclose);
    if (!root.is_valid()) fail_file(place_, "a root group", "none");
    list(root, "", 0);
  }

  const std::string& place() const { return place_; }
  /// By their paths, such as layers/lstm/cell/vars/0.
  const std::map<std::string, Hdf5Dataset>& datasets() const { return datasets_; }
  bool has_group(const std::string& path) const { return groups_.count(path) > 0; }

  /// All values of a dataset of floats, row-major.
  std::vector<double> values(const std::string& path) const {
    const std::string place = place_ + ": " + shown(Json(path));
    const auto found = datasets_.find(path);
    if (found == datasets_.end()) fail_file(place, "a dataset", "none");
    const std::uint64_t size = checked_size(found->second, place);
    std::vector<double> result(static_cast<std::size_t>(size));
    const Hdf5Id dataset(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), &H5Dclose);
    if (size > 0 && H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, result.data()) < 0) {
      fail_file(place, "values that can be read", "an error");
    }
    return result;
  }

  bool has_attribute(const std::string& path, const std::string& name) const {
    return H5Aexists_by_name(file_, object(path), name.c_str(), H5P_DEFAULT) > 0;
  }
  /// The texts of an attribute, one or a list; none for an empty list, whatever its type.
  std::vector<std::string> texts(const std::string& path, const std::string& name) const {
    const std::string place = place_ + ": attribute " + name + " of /" + shortened(path);
    const Hdf5Id attribute(H5Aopen_by_name(file_, object(path), name.c_str(), H5P_DEFAULT, H5P_DEFAULT),
                           &H5Aclose);
    if (!attribute.is_valid()) fail_file(place, "text", "none");
    const Hdf5Id space(H5Aget_space(attribute), &H5Sclose);
    const Hdf5Id type(H5Aget_type(attribute), &H5Tclose);
    const hssize_t points = H5Sget_simple_extent_npoints(space);
    if (points == 0) return {};
    if (points < 0 || static_cast<std::uint64_t>(points) > image_.size()) fail_file(place, "text", "more");
    if (H5Tget_class(type) != H5T_STRING) fail_file(place, "text", "something else");
    const auto count = static_cast<std::size_t>(points);
    return H5Tis_variable_str(type) > 0 ? variable_texts(attribute, type, space, count, place)
                                        : fixed_texts(attribute, type, count, place);
  }
  std::string text(const std::string& path, const std::string& name) const {
    std::vector<std::string> all = texts(path, name);
    if (all.size() == 1) return std::move(all.front());
    fail_file(place_ + ": attribute " + name + " of /" + shortened(path), "one text",
              std::to_string(all.size()));
  }

 private:
  static const char* object(const std::string& path) { return path.empty() ? "/" : path.c_str(); }

  hid_t open() {
    if (H5Pset_fapl_core(access_, 1 << 16, 0) < 0 ||
        H5Pset_file_image(access_, image_.data(), image_.size()) < 0) {
      return -1;
    }
    return H5Fopen("in memory", H5F_ACC_RDONLY, access_);
  }

  /// A group's members, one level after the other. A group that holds itself is one of endless levels.
  void list(hid_t group, const std::string& path, int depth) {
    constexpr int deepest = 16;
    constexpr std::size_t most = 100'000;
    const std::string place = place_ + ": /" + shortened(path);
    if (depth > deepest) fail_file(place, "at most " + std::to_string(deepest) + " levels", "more");
    groups_[path] = true;
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0) fail_file(place, "a group that can be read", "another");
    for (hsize_t i = 0; i < info.nlinks; ++i) {
      if (groups_.size() + datasets_.size() > most) {
        fail_file(place, "at most " + std::to_string(most) + " objects", "more");
      }
      const std::string name = link_name(group, i, place);
      const std::string member = path.empty() ? name : path + "/" + name;
      const Hdf5Id id(H5Oopen(group, name.c_str(), H5P_DEFAULT), &H5Oclose);
      const H5I_type_t kind = id.is_valid() ? H5Iget_type(id) : H5I_BADID;
      if (kind == H5I_GROUP) {
        list(id, member, depth + 1);
      } else if (kind == H5I_DATASET) {
        datasets_[member] = described(id, place_ + ": " + shown(Json(member)));
      } else {
        fail_file(place_ + ": " + shown(Json(member)), "a group or dataset", "something else");
      }
    }
  }

  static std::string link_name(hid_t group, hsize_t i, const std::string& place) {
    constexpr ssize_t longest = 1024;
    H5L_info_t link;
    if (H5Lget_info_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, &link, H5P_DEFAULT) < 0) {
      fail_file(place, "members that can be read", "another");
    }
    if (link.type != H5L_TYPE_HARD) fail_file(place, "no soft or external links", "one");
    const ssize_t length =
        H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    if (length <= 0 || length > longest) {
      fail_file(place, "names of 1 to " + std::to_string(longest) + " bytes", std::to_string(length));
    }
    std::string name(static_cast<std::size_t>(length) + 1, '\0');
    H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(), H5P_DEFAULT);
    name.pop_back();
    return name;
  }

  Hdf5Dataset described(hid_t dataset, const std::string& place) const {
    Hdf5Dataset result;
    const Hdf5Id creation(H5Dget_create_plist(dataset), &H5Pclose);
    const Hdf5Id space(H5Dget_space(dataset), &H5Sclose);
    const Hdf5Id type(H5Dget_type(dataset), &H5Tclose);
    if (!creation.is_valid() || !space.is_valid() || !type.is_valid()) {
      fail_file(place, "a dataset that can be read", "another");
    }
    if (H5Pget_layout(creation) == H5D_VIRTUAL) fail_file(place, "no virtual dataset", "one");
    if (H5Pget_external_count(creation) != 0) fail_file(place, "no data in other files", "some");
    const int filters = H5Pget_nfilters(creation);
    for (int i = 0; i < filters; ++i) {
      unsigned flags = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter =
          H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
      if (filter != H5Z_FILTER_DEFLATE) {
        fail_file(place, "no filter but deflate", "number " + std::to_string(filter));
      }
    }
    result.is_filtered = filters > 0;
    const int dimensions = H5Sget_simple_extent_ndims(space);
    if (dimensions < 0 || dimensions > most_dimensions) {
      fail_file(place, "at most " + std::to_string(most_dimensions) + " dimensions",
                std::to_string(dimensions));
    }
    hsize_t extents[most_dimensions] = {};
    H5Sget_simple_extent_dims(space, extents, nullptr);
    result.shape.assign(extents, extents + dimensions);
    const auto is = [&](hid_t one, hid_t other) {
      return H5Tequal(type, one) > 0 || H5Tequal(type, other) > 0;
    };
    if (is(H5T_IEEE_F32LE, H5T_IEEE_F32BE)) result.value_size = 4;
    if (is(H5T_IEEE_F64LE, H5T_IEEE_F64BE)) result.value_size = 8;
    result.stored_bytes = H5Dget_storage_size(dataset);
    if (H5Pget_layout(creation) == H5D_CHUNKED && dimensions > 0) {
      H5Pget_chunk(creation, dimensions, extents);
      result.chunk_bytes = result.value_size;
      for (int d = 0; d < dimensions; ++d) {
        if (__builtin_mul_overflow(result.chunk_bytes, extents[d], &result.chunk_bytes)) {
          result.chunk_bytes = std::numeric_limits<std::uint64_t>::max();
          break;
        }
      }
    }
    return result;
  }

  /// The number of values, which must be in the file. No memory has been taken for them yet.
  std::uint64_t checked_size(const Hdf5Dataset& dataset, const std::string& place) const {
    if (dataset.value_size == 0) fail_file(place, "float32 or float64", "another type");
    const std::uint64_t stored = dataset.stored_bytes;
    std::uint64_t bytes = dataset.value_size;
    bool overflows = false;
    for (const std::uint64_t extent : dataset.shape) {
      overflows = __builtin_mul_overflow(bytes, extent, &bytes) || overflows;
    }
    const std::uint64_t most = dataset.is_filtered ? most_inflated(stored) : stored;
    if (overflows || stored > image_.size() || bytes > most || dataset.chunk_bytes > std::max(most, bytes) ||
        (!dataset.is_filtered && dataset.chunk_bytes == 0 && bytes != stored)) {
      fail_file(place,
                "values for shape " + shown(Json(dataset.shape)) + " in " + std::to_string(image_.size()) +
                    " bytes of file",
                std::to_string(stored) + " bytes");
    }
    return bytes / dataset.value_size;
  }

  std::vector<std::string> fixed_texts(hid_t attribute, hid_t type, std::size_t count,
                                       const std::string& place) const {
    const std::size_t length = H5Tget_size(type);
    std::uint64_t bytes = 0;
    if (length == 0 || __builtin_mul_overflow(std::uint64_t{length}, std::uint64_t{count}, &bytes) ||
        bytes > image_.size()) {
      fail_file(place, "text no longer than the file", "longer");
    }
    std::string all(static_cast<std::size_t>(bytes), '\0');
    if (H5Aread(attribute, type, all.data()) < 0) fail_file(place, "text that can be read", "an error");
    std::vector<std::string> result;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string text = all.substr(i * length, length);
      result.push_back(text.substr(0, text.find('\0')));
    }
    return result;
  }

  std::vector<std::string> variable_texts(hid_t attribute, hid_t type, hid_t space, std::size_t count,
                                          const std::string& place) const {
    std::vector<char*> pointers(count, nullptr);
    if (H5Aread(attribute, type, static_cast<void*>(pointers.data())) < 0) {
      fail_file(place, "text that can be read", "an error");
    }
    std::vector<std::string> result;
    try {
      for (const char* text : pointers) result.emplace_back(text == nullptr ? "" : text);
    } catch (...) {
      H5Dvlen_reclaim(type, space, H5P_DEFAULT, static_cast<void*>(pointers.data()));
      throw;
    }
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, static_cast<void*>(pointers.data()));
    return result;
  }

  static constexpr int most_dimensions = 8;
  std::string place_;
  std::string image_;
  Hdf5Id access_;
  Hdf5Id file_;
  std::map<std::string, bool> groups_;
  std::map<std::string, Hdf5Dataset> datasets_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
