#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "../../core/version.hpp"

// What other libraries' files look like at their beginning, so that a file of the wrong kind is answered with
// what it is and what to do with it.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// So many bytes of a file's beginning tell what it is.
inline constexpr std::size_t file_kind_bytes = 256;

/// The name of a zip file's first member, which stands behind a header of 30 bytes; empty where the bytes are
/// no zip file.
inline std::string_view first_zip_member(std::string_view bytes) {
  if (bytes.size() < 30 || bytes.substr(0, 4) != std::string_view("PK\x03\x04", 4)) return {};
  const auto length = static_cast<std::size_t>(static_cast<unsigned char>(bytes[26])) |
                      static_cast<std::size_t>(static_cast<unsigned char>(bytes[27])) << 8;
  return bytes.substr(30, length);
}

/// What a file of another library is, and what to do with it, from its first `file_kind_bytes` bytes; empty
/// for one that is none of those that are known. `path` is put into the lines of Python.
inline std::string foreign_file(std::string_view bytes, const std::string& path) {
  const auto begins = [bytes](std::string_view with) { return bytes.substr(0, with.size()) == with; };
  const std::string_view member = first_zip_member(bytes);
  const bool is_torch_zip = member.find("/data.pkl") != std::string_view::npos ||
                            member.find("/.data/") != std::string_view::npos ||
                            member.find("/.format_version") != std::string_view::npos ||
                            member.find("/version") != std::string_view::npos ||
                            member.find("/byteorder") != std::string_view::npos;
  if (is_torch_zip || (bytes.size() > 2 && begins("\x80") && bytes[1] >= 2 && bytes[1] <= 5)) {
    return "a file of PyTorch's own; make it a safetensors file in Python: import torch, safetensors.torch; "
           "safetensors.torch.save_file(torch.load(\"" +
           path + "\", map_location=\"cpu\", weights_only=True), \"" + path +
           ".safetensors\") (where it holds a whole module: its state_dict()), and read that with "
           "load_pytorch";
  }
  if (member == "metadata.json" || member == "config.json" || member == "model.weights.h5") {
    return "a .keras file; load_keras reads it";
  }
  if (!member.empty()) return "a zip file";
  if (begins("\x89HDF\r\n\x1a\n")) return "an HDF5 file; load_keras reads those of Keras";
  // A model of ONNX begins with its field 1, a small version, and most often names its producer in field 2.
  if (bytes.size() > 3 && bytes[0] == 8 && bytes[1] > 2 && bytes[1] < 32 && bytes[2] == 18) {
    return "what looks like an ONNX file, which is not read";
  }
  return {};
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
