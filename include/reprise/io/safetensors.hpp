#pragma once

#include <concepts>
#include <exception>
#include <filesystem>
#include <new>
#include <string>

#include "../models/autoencoder.hpp"
#include "detail/known_kinds.hpp"
#include "detail/snapshot_file.hpp"

// Models in files of the format safetensors, which Python's package of that name opens. An autoencoder's
// tensors have the names of `parameters()` and Keras's shapes: encoder.0.kernel (I, 4H),
// encoder.0.recurrent_kernel (H, 4H), encoder.0.bias (4H), ..., output.kernel (H, F), output.bias (F). What
// its optimizer remembers of each stands beside it: optimizer.first.encoder.0.kernel, optimizer.second... and
// optimizer.velocity... where there is such a moment, optimizer.custom_0... for an optimizer of the user's
// own. Of the metadata, "format", "format_version" and "model" tell what file it is; "options" is the model's
// configuration and "training" that of the optimizer with its counters, both JSON; "checksum" is over all
// tensors and metadata (see safetensors_file.hpp). A `Detector`'s one tensor is the training series, (time
// steps, features) in standard deviations; the rest of it stands in the metadata.
namespace reprise {
inline namespace REPRISE_ABI {

/// A model that hands over all that it is, and is made again from it (see core/snapshot.hpp).
template <typename Model>
concept SnapshotModel = requires(const Model& model, SnapshotWriter& writer, SnapshotReader& reader) {
  typename Model::Scalar;
  { Model::kind } -> std::convertible_to<const char*>;
  model.write_snapshot(writer);
  { Model::read_snapshot(reader) } -> std::same_as<Model>;
};

namespace detail {

/// Whatever goes wrong in `action` becomes a `FileError`.
template <typename Action>
auto with_file_errors(const std::filesystem::path& path, const Action& action) {
  try {
    return action();
  } catch (const FileError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw FileError(path.string() + ": expected enough memory for it, got too little");
  } catch (const std::exception& error) {
    throw FileError(path.string() + ": " + error.what());
  }
}

}  // namespace detail

/// Writes the model so that `load` gives back an equal one: the same bits, and by default a further fit of it
/// makes the same bits as one of this model (what callbacks remember, such as `EarlyStopping`'s best loss,
/// belongs to them). A file of that name is replaced once the new one is on the disk; when that cannot be
/// done, it is left as it is. Throws `FileError` then, and when the model has values that are not finite.
template <SnapshotModel Model>
void save(const Model& model, const std::filesystem::path& path, const SaveOptions& options = {}) {
  detail::with_file_errors(path, [&] {
    detail::SnapshotFileWriter writer(path, options);
    model.write_snapshot(writer);
    writer.save();
  });
}

/// Reads a model that `save` wrote, of the same scalar type or of the other, then converted. Trusts nothing
/// in the file: one that is missing, cut short, damaged or of another version throws `FileError` that names
/// path, place, expected and got, before memory is taken for sizes that the file only claims to have.
/// `registry` says which types of the user's own the file may hold.
template <SnapshotModel Model>
[[nodiscard]] Model load(const std::filesystem::path& path, const Registry& registry = {}) {
  return detail::with_file_errors(path, [&] {
    Registry known;
    known.include(registry).include(detail::known_kinds<typename Model::Scalar>());
    detail::SnapshotFileReader reader(path, Model::kind, known);
    Model model = Model::read_snapshot(reader);
    reader.require_all_read();
    return model;
  });
}

}  // namespace REPRISE_ABI
}  // namespace reprise
