#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include "atomic_file.hpp"
#include "checksum.hpp"
#include "json_fields.hpp"

// Values as JSON documents: {"format": ..., "version": 2, a member for each field, "checksum": ...}. Needs
// nlohmann_json. Numbers come back as the same bits. Reading trusts nothing: every member must be there,
// once, with the right type and a value that makes sense, and no other; else `FileError` names the place.
//
// The checksum stands last. It is `Checksum` over all bytes of the document before its comma; in Python,
//
//     body = json.dumps(document)[:-1].encode()
//     text = body + b', "checksum": "' + hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b'"}'
//
// Documents of version 1, of release 0.1, have none.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What a document of a type is called (`name`), the struct whose fields it holds (`State`), and how the two
/// are made of each other (`state_of`, `made_of`).
template <typename T>
struct JsonFormat;

inline std::string checksum_of(std::string_view text) {
  Checksum checksum;
  checksum.add(text.data(), text.size());
  return checksum.hexadecimal();
}

/// The members of a document that are no fields.
inline void read_header(FieldReader& reader, const std::string& name, const std::string& text) {
  if (!reader.enter_member("format")) reader.refuse("a format, " + name, "none");
  if (const std::string format = reader.text(); format != name) reader.refuse(name);
  reader.leave();
  if (!reader.enter_member("version")) reader.refuse("version 1 or 2", "none");
  const std::uint64_t version = reader.natural(2);
  if (version == 0) reader.refuse("version 1 or 2");
  reader.leave();
  if (version == 1) return;
  if (!reader.enter_member("checksum")) reader.refuse("a member checksum", "none");
  const std::string checksum = reader.text();
  const std::string expected = checksum_of(std::string_view(text).substr(0, text.rfind(',')));
  // Where it does not stand last, it cannot be the checksum of what is before it.
  if (checksum != expected) reader.refuse(expected + " for this document");
  reader.leave();
}

inline std::string read_text_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) fail_file(path.string(), "a file", "none");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!(text << file.rdbuf()) || !file)
    fail_file(path.string(), "a file that can be read", "a failure or nothing");
  return text.str();
}

}  // namespace detail

/// What can be written as a JSON document; each header `*_json.hpp` makes some types such.
template <typename T>
concept JsonDocument = requires { detail::JsonFormat<T>::name; };

/// The document as text. Throws `Error` for a value that cannot be written down.
template <JsonDocument T>
std::string to_json_text(const T& value) {
  using Format = detail::JsonFormat<T>;
  detail::JsonFieldWriter writer(Format::name);
  writer.begin_object({});
  writer.member("format");
  writer.text(Format::name);
  writer.member("version");
  writer.natural(2);
  detail::write_fields(writer, Format::state_of(value));
  writer.end_object();
  std::string text = writer.result();
  text.pop_back();
  return text + ",\"checksum\":\"" + detail::checksum_of(text) + "\"}";
}

/// Reads what `to_json_text` wrote. `place` is what messages name. Throws `FileError`.
template <JsonDocument T>
T from_json_text(const std::string& text, const std::string& place = "JSON") {
  using Format = detail::JsonFormat<T>;
  const detail::OwnedJson json(detail::parse_json(text, place));
  detail::JsonFieldReader reader(*json, place, detail::no_registry());
  try {
    reader.begin_object();
    detail::read_header(reader, Format::name, text);
    typename Format::State state;
    detail::read_fields(reader, state);
    reader.end_object();
    return Format::made_of(state);
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    throw FileError(place + ": " + error.what());
  }
}

/// Writes the document to a file, which replaces one of that name as a whole.
template <JsonDocument T>
void save(const T& value, const std::filesystem::path& path) {
  const std::string text = to_json_text(value);
  detail::AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

/// `load<OutlierScorer>(path)`, `load<StandardScaler>(path)`. Throws `FileError`, which names the path.
template <JsonDocument T>
T load(const std::filesystem::path& path) {
  return from_json_text<T>(detail::read_text_file(path), path.string());
}

}  // namespace REPRISE_ABI
}  // namespace reprise
