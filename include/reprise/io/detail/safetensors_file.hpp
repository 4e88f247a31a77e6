#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../core/parameters.hpp"
#include "atomic_file.hpp"
#include "checksum.hpp"
#include "foreign_files.hpp"
#include "json_fields.hpp"

// The container: named tensors and a dictionary of strings. The format is Hugging Face's safetensors,
//
//     u64: n | n bytes of JSON: {"__metadata__": {string: string}, name: {dtype, shape, data_offsets}, ...} |
//     data
//
// little endian, tensors row-major, offsets counted from the start of the data, which the tensors fill
// without gaps. The entry "checksum" of the metadata of our files is `Checksum` over
//
//     number of the other metadata | name, text of each | name, dtype, number of extents, extents, number of
//     bytes, bytes of each tensor
//
// both in the order of the names' bytes; a number is 8 bytes, the lowest first, and a text is its number of
// bytes and then these. So it depends on what the file says, and not on the order in which it says it.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

static_assert(std::endian::native == std::endian::little, "the bytes of a file are used as they stand");
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

/// The limit of the format's reference implementation.
inline constexpr std::uint64_t largest_header = 100'000'000;

template <typename Scalar>
inline constexpr const char* dtype_name = "";
template <>
inline constexpr const char* dtype_name<float> = "F32";
template <>
inline constexpr const char* dtype_name<double> = "F64";

using TensorShape = std::vector<std::uint64_t>;

/// A table's tensor as row-major readers see it: Keras's shape.
inline TensorShape file_shape(const ParameterInfo& info) {
  const auto rows = static_cast<std::uint64_t>(info.rows);
  if (info.is_vector) return {rows};
  return {static_cast<std::uint64_t>(info.cols), rows};
}

/// What a checksum is made of, of one tensor: its name, dtype and shape as in the header, then its bytes.
inline void add_tensor_header(Checksum& checksum, const std::string& name, const char* dtype,
                              const TensorShape& shape, std::uint64_t bytes) {
  checksum.add_text(name);
  checksum.add_text(dtype);
  checksum.add_number(shape.size());
  for (const std::uint64_t extent : shape) checksum.add_number(extent);
  checksum.add_number(bytes);
}
using Metadata = std::map<std::string, std::string>;
/// All metadata but the checksum itself, in the order of their names.
inline void add_metadata(Checksum& checksum, const Metadata& metadata) {
  checksum.add_number(metadata.size() - metadata.count("checksum"));
  for (const auto& [name, text] : metadata) {
    if (name == "checksum") continue;
    checksum.add_text(name);
    checksum.add_text(text);
  }
}

/// Writes the header of a file and then, tensor after tensor, its data.
class SafetensorsWriter {
 public:
  Metadata metadata;

  /// Announces the tensors of a table, all in one vector of values, which must live until `save`.
  template <typename Scalar>
  void add(const std::string& prefix, const ParameterTable& table, const Vector<Scalar>& values) {
    for (const ParameterInfo& info : table) {
      tensors_.push_back({prefix + info.name, dtype_name<Scalar>, file_shape(info),
                          values.data() + info.offset,
                          static_cast<std::size_t>(info.size()) * sizeof(Scalar)});
    }
  }

  /// One tensor more, row-major, whose values must live until `save`.
  template <typename Scalar>
  void add(const std::string& name, TensorShape shape, const Vector<Scalar>& values) {
    tensors_.push_back({name, dtype_name<Scalar>, std::move(shape), values.data(),
                        static_cast<std::size_t>(values.size()) * sizeof(Scalar)});
  }

  /// Adds the checksum to the metadata and writes the file.
  void save(const std::filesystem::path& path) {
    metadata["checksum"] = checksum();
    std::string header = header_text();
    header.append((8 - header.size() % 8) % 8, ' ');  // so that the data begin at a multiple of 8
    const std::uint64_t length = header.size();
    if (length > largest_header) {
      fail_file(path.string(), "a header of at most " + std::to_string(largest_header) + " bytes",
                std::to_string(length));
    }
    AtomicFile file(path);
    file.write(&length, sizeof length);
    file.write(header.data(), header.size());
    for (const Tensor& tensor : tensors_) file.write(tensor.data, tensor.bytes);
    file.commit();
  }

 private:
  struct Tensor {
    std::string name;
    const char* dtype;
    TensorShape shape;
    const void* data;
    std::size_t bytes;
  };

  std::string header_text() const {
    JsonFieldWriter json;
    json.begin_object({});
    json.member("__metadata__");
    json.begin_object({});
    for (const auto& [name, text] : metadata) {
      json.member(name.c_str());
      json.text(text);
    }
    json.end_object();
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors_) {
      json.member(tensor.name.c_str());
      json.begin_object({});
      json.member("dtype");
      json.text(tensor.dtype);
      json.member("shape");
      write_value(json, tensor.shape);
      json.member("data_offsets");
      write_value(json, TensorShape{offset, offset + tensor.bytes});
      json.end_object();
      offset += tensor.bytes;
    }
    json.end_object();
    return json.result();
  }

  std::string checksum() const {
    Checksum checksum;
    add_metadata(checksum, metadata);
    std::map<std::string_view, const Tensor*> by_name;
    for (const Tensor& tensor : tensors_) by_name[tensor.name] = &tensor;
    for (const auto& [name, tensor] : by_name) {
      add_tensor_header(checksum, tensor->name, tensor->dtype, tensor->shape, tensor->bytes);
      checksum.add(tensor->data, tensor->bytes);
    }
    return checksum.hexadecimal();
  }

  std::vector<Tensor> tensors_;
};

/// An open file whose header has been read and checked: tensors lie within the file, have the size that dtype
/// and shape say, and fill the data without gap or overlap. All calls throw `FileError` that names path and
/// tensor.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path) : place_(path.string()) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::is_regular_file(status)) {
      fail_file(place_, "a file", std::filesystem::exists(status) ? "something else" : "none of that name");
    }
    const std::uint64_t size = std::filesystem::file_size(path, error);
    if (!error) file_.open(path, std::ios::binary);
    if (error || !file_) fail_file(place_, "a file that can be read", "one that cannot");

    std::uint64_t length = 0;
    if (size < sizeof length) fail_file(place_, "at least 8 bytes", std::to_string(size));
    read_bytes(0, &length, sizeof length);
    const std::uint64_t longest = std::min(largest_header, size - sizeof length);
    if (length > longest) {
      refuse_foreign(size);
      fail_file(place_, "a header of at most " + std::to_string(longest) + " bytes", std::to_string(length));
    }
    std::string header(length, '\0');
    read_bytes(sizeof length, header.data(), length);
    data_begin_ = sizeof length + length;
    data_bytes_ = size - data_begin_;
    if (header.empty() || header.front() != '{')
      fail_file(place_ + ": header", "a JSON object", "something else");
    const OwnedJson json(parse_json(header, place_ + ": header"));
    read_header(*json);
    check_layout();
  }

  /// Names of all tensors, in the order of their bytes.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, tensor] : tensors_) result.push_back(name);
    return result;
  }
  /// One tensor, which must be there with this shape, row-major as it stands.
  std::vector<double> values(const std::string& name, const TensorShape& shape) {
    const Tensor& tensor = take(name, shape);
    const std::uint64_t size = tensor.is_double ? sizeof(double) : sizeof(float);
    Vector<double> values(static_cast<Index>((tensor.end - tensor.begin) / size));
    Eigen::Map<Vector<double>> to(values.data(), values.size());
    tensor.is_double ? read_as<double, double>(tensor, to) : read_as<float, double>(tensor, to);
    return {values.data(), values.data() + values.size()};
  }

  const std::string& place() const { return place_; }
  std::uint64_t data_bytes() const { return data_bytes_; }

  bool has_metadata(const std::string& name) const { return metadata_.contains(name); }
  const std::string& metadata(const std::string& name) const {
    const auto found = metadata_.find(name);
    if (found == metadata_.end()) fail_file(place_ + ": metadata", "an entry " + name, "none");
    return found->second;
  }

  /// Refuses a file whose checksum is not that of its metadata and tensors.
  void require_checksum() {
    Checksum checksum;
    add_metadata(checksum, metadata_);
    std::vector<char> part(1 << 16);
    for (const auto& [name, tensor] : tensors_) {
      const char* const dtype = tensor.is_double ? dtype_name<double> : dtype_name<float>;
      add_tensor_header(checksum, name, dtype, tensor.shape, tensor.end - tensor.begin);
      for (std::uint64_t at = tensor.begin; at < tensor.end; at += part.size()) {
        const std::uint64_t count = std::min<std::uint64_t>(part.size(), tensor.end - at);
        read_bytes(data_begin_ + at, part.data(), count);
        checksum.add(part.data(), static_cast<std::size_t>(count));
      }
    }
    const std::string expected = checksum.hexadecimal();
    if (metadata("checksum") == expected) return;
    fail_file(place_ + ": checksum", expected + " for these tensors and metadata",
              shown(metadata("checksum")));
  }

  /// Takes the tensors of a table, which must be there with these shapes, into one vector; converts their
  /// type.
  template <typename Scalar>
  void read(const std::string& prefix, const ParameterTable& table, Vector<Scalar>& values) {
    for (const ParameterInfo& info : table) {
      const Tensor& tensor = take(prefix + info.name, file_shape(info));
      Eigen::Map<Vector<Scalar>> to(values.data() + info.offset, info.size());
      if (tensor.is_double) {
        read_as<double, Scalar>(tensor, to);
      } else {
        read_as<float, Scalar>(tensor, to);
      }
    }
  }

  /// No tensor may be left that nobody asked for.
  void require_all_read() const {
    for (const auto& [name, tensor] : tensors_) {
      if (!tensor.taken)
        fail_file(place_ + ": tensor " + shown(name), "no tensor that the model does not have", "it");
    }
  }

 private:
  struct Tensor {
    bool is_double = false;
    TensorShape shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool taken = false;
  };

  /// A header of no length that can be is most often the beginning of another format.
  void refuse_foreign(std::uint64_t size) {
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, file_kind_bytes)), '\0');
    read_bytes(0, bytes.data(), bytes.size());
    const std::string what = foreign_file(bytes, place_);
    if (!what.empty()) fail_file(place_, "a safetensors file", what);
  }

  void read_header(const Json& header) {
    for (const auto& entry : header.items()) {
      if (entry.key() == "__metadata__") {
        if (!entry.value().is_object()) fail_file(place_ + ": metadata", "an object", shown(entry.value()));
        for (const auto& string : entry.value().items()) {
          if (!string.value().is_string()) {
            fail_file(place_ + ": metadata " + shown(string.key()), "a string", shown(string.value()));
          }
          metadata_[string.key()] = string.value().get<std::string>();
        }
      } else {
        tensors_[entry.key()] = read_tensor(entry.value(), place_ + ": tensor " + shown(entry.key()));
      }
    }
  }

  static Tensor read_tensor(const Json& json, const std::string& place) {
    if (!json.is_object()) fail_file(place, "an object", shown(json));
    Tensor tensor;
    TensorShape offsets;
    const auto member = [&](const char* name) -> const Json& {
      const auto found = json.find(name);
      if (found == json.end()) fail_file(place, "a member " + std::string(name), "none");
      return *found;
    };
    const Json& dtype = member("dtype");
    const auto* const text = dtype.get_ptr<const std::string*>();  // null where it is none
    if (text == nullptr || (*text != "F32" && *text != "F64")) {
      fail_file(place + ": dtype", "F32 or F64", shown(dtype));
    }
    tensor.is_double = *text == "F64";
    from_json(member("shape"), place + ": shape", tensor.shape);
    from_json(member("data_offsets"), place + ": data_offsets", offsets);
    if (offsets.size() != 2) fail_file(place + ": data_offsets", "two numbers", shown(offsets));
    if (json.size() != 3) fail_file(place, "dtype, shape and data_offsets only", shown(json));
    tensor.begin = offsets[0];
    tensor.end = offsets[1];

    std::uint64_t bytes = tensor.is_double ? sizeof(double) : sizeof(float);
    const bool empty = std::count(tensor.shape.begin(), tensor.shape.end(), 0u) > 0;
    for (const std::uint64_t extent : tensor.shape) {
      if (!empty && bytes > std::numeric_limits<std::uint64_t>::max() / extent) {
        fail_file(place + ": shape", "fewer than 2^64 bytes", shown(tensor.shape));
      }
      bytes *= extent;
    }
    if (tensor.end < tensor.begin || tensor.end - tensor.begin != bytes) {
      fail_file(place + ": data_offsets",
                std::to_string(bytes) + " bytes for shape " + shown(tensor.shape) + " of " + shown(dtype),
                shown(offsets));
    }
    return tensor;
  }

  void check_layout() const {
    std::vector<std::pair<const Tensor*, const std::string*>> in_order;
    for (const auto& [name, tensor] : tensors_) in_order.emplace_back(&tensor, &name);
    std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
    });
    std::uint64_t end = 0;
    for (const auto& [tensor, name] : in_order) {
      if (tensor->begin != end) {
        fail_file(place_ + ": tensor " + shown(*name) + ": data_offsets",
                  "to begin where the tensor before ends, at " + std::to_string(end),
                  std::to_string(tensor->begin));
      }
      if (tensor->end > data_bytes_) {
        fail_file(place_ + ": tensor " + shown(*name) + ": data_offsets",
                  "to end within " + std::to_string(data_bytes_) + " bytes of data",
                  std::to_string(tensor->end));
      }
      end = tensor->end;
    }
    if (end != data_bytes_) {
      fail_file(place_, std::to_string(end) + " bytes of data", std::to_string(data_bytes_));
    }
  }

  const Tensor& take(const std::string& name, const TensorShape& shape) {
    const std::string place = place_ + ": tensor " + name;
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail_file(place, "F32 or F64 of shape " + shown(shape), "no such tensor");
    Tensor& tensor = found->second;
    if (tensor.shape != shape) fail_file(place, "shape " + shown(shape), shown(tensor.shape));
    tensor.taken = true;
    return tensor;
  }

  template <typename Stored, typename Scalar>
  void read_as(const Tensor& tensor, Eigen::Map<Vector<Scalar>> to) {
    const std::uint64_t bytes = tensor.end - tensor.begin;
    if constexpr (std::is_same_v<Stored, Scalar>) {
      read_bytes(data_begin_ + tensor.begin, to.data(), bytes);
    } else {
      Vector<Stored> stored(to.size());
      read_bytes(data_begin_ + tensor.begin, stored.data(), bytes);
      to = stored.template cast<Scalar>();
    }
  }

  void read_bytes(std::uint64_t offset, void* to, std::uint64_t count) {
    file_.seekg(static_cast<std::streamoff>(offset));
    file_.read(static_cast<char*>(to), static_cast<std::streamsize>(count));
    if (!file_) {
      fail_file(place_, std::to_string(count) + " bytes at " + std::to_string(offset),
                "an error or the file's end");
    }
  }

  std::string place_;
  std::ifstream file_;
  std::uint64_t data_begin_ = 0;
  std::uint64_t data_bytes_ = 0;
  Metadata metadata_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
