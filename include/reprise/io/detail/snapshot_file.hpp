#pragma once

#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "../../core/finite.hpp"
#include "../../core/snapshot.hpp"
#include "safetensors_file.hpp"

// A snapshot as a file: each section is an entry of the metadata, in JSON.
namespace reprise {
inline namespace REPRISE_ABI {

struct SaveOptions {
  /// Also what a further fit goes on from: the optimizer's configuration, moments and counters. Makes the
  /// file up to three times as large.
  bool optimizer_state = true;
};

namespace detail {

/// Version 1, of release 0.1, has no checksum.
inline constexpr const char* format_version = "2";
inline constexpr const char* format_version_without_checksum = "1";

/// What no training can make: a file must not have it, and none is written with it.
template <typename Scalar>
void require_values(const std::string& place, const std::string& prefix, const ParameterTable& table,
                    const Vector<Scalar>& values, TensorValues allowed) {
  const bool not_negative = allowed == TensorValues::not_negative;
  for (const ParameterInfo& info : table) {
    for (Index i = 0; i < info.size(); ++i) {
      const Scalar value = values[info.offset + i];
      if (is_finite(value) && !(not_negative && value < Scalar(0))) continue;
      fail_file(place + ": tensor " + prefix + info.name,
                std::string("values that are finite") + (not_negative ? " and >= 0" : "") +
                    (sizeof(Scalar) == sizeof(float) ? " as float" : ""),
                number_text(value) + " at " + std::to_string(i));
    }
  }
}

/// Collects a snapshot and writes it.
class SnapshotFileWriter : public SnapshotWriter {
 public:
  explicit SnapshotFileWriter(std::filesystem::path path, const SaveOptions& options = {})
      : path_(std::move(path)), options_(options) {
    file_.metadata = {{"format", "reprise"}, {"format_version", format_version}};
  }

  void model(const char* kind) override { file_.metadata["model"] = kind; }
  bool takes_training() const override { return options_.optimizer_state; }
  void tensors(const std::string& prefix, const ParameterTable& table, const Vector<float>& values,
               TensorValues allowed) override {
    add(prefix, table, values, allowed);
  }
  void tensors(const std::string& prefix, const ParameterTable& table, const Vector<double>& values,
               TensorValues allowed) override {
    add(prefix, table, values, allowed);
  }

  void save() { file_.save(path_); }

 protected:
  FieldWriter& begin_section(const char* name) override {
    name_ = name;
    return json_.emplace(path_.string() + ": " + name);
  }
  void end_section() override { file_.metadata[name_] = json_->result(); }

 private:
  template <typename Scalar>
  void add(const std::string& prefix, const ParameterTable& table, const Vector<Scalar>& values,
           TensorValues allowed) {
    require_values(path_.string(), prefix, table, values, allowed);
    file_.add(prefix, table, values);
  }

  std::filesystem::path path_;
  SaveOptions options_;
  SafetensorsWriter file_;
  std::string name_;
  std::optional<JsonFieldWriter> json_;
};

/// Opens a file with a snapshot of a model of this kind. The registry must live as long as the reader.
class SnapshotFileReader : public SnapshotReader {
 public:
  SnapshotFileReader(const std::filesystem::path& path, const char* kind, const Registry& registry)
      : file_(path), registry_(registry) {
    const auto require = [&](const char* name, const std::string& expected, bool holds) {
      if (!holds) fail_file(place() + ": " + name, expected, detail::shown(file_.metadata(name)));
    };
    require("format", "reprise", file_.metadata("format") == "reprise");
    const std::string& version = file_.metadata("format_version");
    require("format_version", "1 or 2",
            version == format_version || version == format_version_without_checksum);
    if (version != format_version_without_checksum) file_.require_checksum();
    require("model", kind, file_.metadata("model") == kind);
  }

  const std::string& place() const override { return file_.place(); }
  bool has_section(const char* name) const override { return file_.has_metadata(name); }
  void require_room(Index values) override {
    if (static_cast<double>(values) * sizeof(float) <= static_cast<double>(file_.data_bytes())) return;
    fail_file(place() + ": options",
              "no more parameters than " + std::to_string(file_.data_bytes()) + " bytes of data can hold",
              std::to_string(values));
  }
  void tensors(const std::string& prefix, const ParameterTable& table, Vector<float>& values,
               TensorValues allowed) override {
    read(prefix, table, values, allowed);
  }
  void tensors(const std::string& prefix, const ParameterTable& table, Vector<double>& values,
               TensorValues allowed) override {
    read(prefix, table, values, allowed);
  }

  /// Nothing may be left that nobody asked for.
  void require_all_read() const { file_.require_all_read(); }

 protected:
  FieldReader& begin_section(const char* name) override {
    const std::string place = this->place() + ": " + name;
    json_.reset(parse_json(file_.metadata(name), place));
    return fields_.emplace(*json_, place, registry_);
  }
  void end_section() override { fields_.reset(); }

 private:
  template <typename Scalar>
  void read(const std::string& prefix, const ParameterTable& table, Vector<Scalar>& values,
            TensorValues allowed) {
    file_.read(prefix, table, values);
    require_values(place(), prefix, table, values, allowed);
  }

  SafetensorsReader file_;
  const Registry& registry_;
  OwnedJson json_;
  std::optional<JsonFieldReader> fields_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
