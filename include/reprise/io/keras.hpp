#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "detail/foreign_files.hpp"
#include "detail/keras/keras_weights.hpp"
#include "detail/keras/keras_writer.hpp"
#include "detail/keras/zip_archive.hpp"
#include "keras_options.hpp"
#include "safetensors.hpp"

// Models of Keras 2 and 3 from their files. The target is reprise::keras, which needs HDF5's C library,
// libzip and nlohmann_json.
//
//     auto model = load_keras<Autoencoder<float>>("model.keras");    // or .h5
//     auto chain = load_keras<Chain<float>>("model.keras");          // any chain of layers
//     save_keras(model, "back.keras");
//
// docs/bring-your-model.md says what is honoured and what is refused. In short: every tensor of the file is
// used, every parameter filled, and an option that this library does not have is refused by its name.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// The bytes of a file, no larger than it is.
inline std::string file_bytes(const std::filesystem::path& path, std::uint64_t most) {
  std::error_code error;
  const std::string place = path.string();
  if (!std::filesystem::is_regular_file(path, error)) {
    fail_file(place, "a file", std::filesystem::exists(path, error) ? "something else" : "none of that name");
  }
  const std::uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  std::string bytes(static_cast<std::size_t>(error ? 0 : std::min(size, most)), '\0');
  if (error || !file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    fail_file(place, "a file that can be read", "one that cannot");
  }
  return bytes;
}

enum class KerasFile { zip, hdf5 };
inline KerasFile kind_of_keras_file(const std::filesystem::path& path) {
  const std::string bytes = file_bytes(path, file_kind_bytes);
  if (bytes.rfind("\x89HDF\r\n\x1a\n", 0) == 0) return KerasFile::hdf5;
  const std::string_view member = first_zip_member(bytes);
  const std::string what = foreign_file(bytes, path.string());
  if (!member.empty() && what.find("PyTorch") == std::string::npos) return KerasFile::zip;
  fail_file(path.string(), "a .keras or .h5 file of Keras",
            what.empty() ? "neither a zip nor an HDF5 file" : what);
}

/// Keras 3 reads and writes what Keras 2 did, but for a few meanings that have changed.
inline int keras_version(const std::string& version, const std::string& place) {
  if (version.rfind("2.", 0) == 0) return 2;
  if (version.rfind("3.", 0) == 0) return 3;
  fail_file(place + ": keras_version", "2 or 3", shown(Json(version)));
}

inline ImportedChain imported_chain(const std::string& place, KerasModel model) {
  ImportedChain chain{place, model.input, {}};
  for (KerasLayer& layer : model.layers) chain.layers.push_back(std::move(layer.layer));
  return chain;
}

inline Hdf5File keras_weights_file(const ZipArchive& zip) {
  const char* const name = "model.weights.h5";
  if (!zip.has(name) && zip.has("model.weights.npz")) {
    fail_file(zip.place(), "the weights as model.weights.h5", "model.weights.npz");
  }
  return Hdf5File(zip.read(name), zip.place() + ": " + name);
}

inline ImportedChain read_keras_zip(const std::filesystem::path& path, KerasReading reading) {
  const ZipArchive zip(path);
  const OwnedJson metadata(parse_json(zip.read("metadata.json"), zip.place() + ": metadata.json"));
  reading.version = keras_version(json_text(*metadata, "keras_version", zip.place() + ": metadata.json"),
                                  zip.place() + ": metadata.json");
  const OwnedJson config(parse_json(zip.read("config.json"), zip.place() + ": config.json"));
  KerasModel model = KerasModelReader(*config, zip.place(), reading).take();
  take_by_groups(keras_weights_file(zip), model.layers);
  return imported_chain(zip.place(), std::move(model));
}

inline ImportedChain read_keras_hdf5(const std::filesystem::path& path, KerasReading reading) {
  const Hdf5File file(file_bytes(path, UINT64_MAX), path.string());
  if (!file.has_attribute("", "model_config")) {
    fail_file(file.place(), "a whole model (attribute model_config)",
              "weights alone, without the layers they are of; load_keras_weights puts them into a model");
  }
  const std::string owner = file.has_attribute("", "keras_version") ? "" : "model_weights";
  reading.version = keras_version(file.text(owner, "keras_version"), file.place());
  const OwnedJson config(parse_json(file.text("", "model_config"), file.place() + ": model_config"));
  KerasModel model = KerasModelReader(*config, file.place(), reading).take();
  take_by_names(file, "model_weights", false, model.layers);
  return imported_chain(file.place(), std::move(model));
}

/// The tensors for a network that is there.
template <typename Scalar>
Vector<Scalar> keras_weights(const Hdf5File& file, const Sequential<Scalar>& network) {
  const bool wraps = file.has_group("layers/time_distributed");
  if (wraps && file.has_group("layers/dense")) {
    fail_file(file.place(),
              "all dense layers in a TimeDistributed or none, since weights do not say which is which",
              "some");
  }
  std::vector<KerasLayer> layers = keras_layers(file.place(), network, wraps);
  if (file.has_attribute("", "layer_names") || file.has_attribute("", "layer_names0")) {
    take_by_names(file, "", true, layers);
  } else if (file.has_group("model_weights")) {
    take_by_names(file, "model_weights", true, layers);
  } else {
    take_by_groups(file, layers);
  }
  std::vector<ImportedLayer> imported;
  imported.reserve(layers.size());
  for (KerasLayer& layer : layers) imported.push_back(std::move(layer.layer));
  return imported_weights(file.place(), network, imported);
}

}  // namespace detail

/// A model of Keras with its weights: an `Autoencoder` or a `Forecaster` (of one step), where its layers are
/// those of one, or a `Chain` of any that this library has. Reads .keras files of Keras 2.13 and later and
/// .h5 files (Sequential models, and Functional ones that are a plain chain) of LSTM, GRU, Bidirectional,
/// RepeatVector, TimeDistributed(Dense), Dense, Dropout, Embedding and Softmax layers, in float32 and
/// float64. Its training starts anew: the optimizer's moments are not read. Trusts nothing in the file, and
/// throws `FileError` that names file, layer, option, what was expected and what is there.
template <typename Model>
[[nodiscard]] Model load_keras(const std::filesystem::path& path, const KerasOptions& options = {}) {
  return detail::with_file_errors(path, [&] {
    const detail::KerasReading reading{options};
    const bool is_zip = detail::kind_of_keras_file(path) == detail::KerasFile::zip;
    const detail::Hdf5Session session;
    return detail::MadeOfImport<Model>::make(is_zip ? detail::read_keras_zip(path, reading)
                                                    : detail::read_keras_hdf5(path, reading));
  });
}

/// The model with the weights of a file in place of its own: of a .weights.h5 (of Keras 2.13 and later, whose
/// groups count the layers of each class; or of an older one), or of a whole model. The file's options are
/// not looked at: that the layers mean the same is the caller's to see to. Every tensor must be one of the
/// model's, and every parameter must be there. `Model`: an `Autoencoder`, a `Forecaster` or a `Chain`.
template <typename Model>
[[nodiscard]] Model load_keras_weights(const std::filesystem::path& path, Model model) {
  return detail::with_file_errors(path, [&] {
    const bool is_zip = detail::kind_of_keras_file(path) == detail::KerasFile::zip;
    const detail::Hdf5Session session;
    const auto& network = detail::network_of(model);
    if (is_zip) {
      detail::set_weights_of(
          model, detail::keras_weights(detail::keras_weights_file(detail::ZipArchive(path)), network));
    } else {
      const detail::Hdf5File file(detail::file_bytes(path, UINT64_MAX), path.string());
      detail::set_weights_of(model, detail::keras_weights(file, network));
    }
    return std::move(model);
  });
}

/// Writes the model as a .keras file, which Keras 3 opens with `keras.saving.load_model` and trains on: it is
/// compiled with Adam and the mean squared error. The layers are those of `network()`, and the weights have
/// the model's scalar, bit for bit. The same model gives the same bytes. Throws `FileError` where the file
/// cannot be written, where a layer is none that Keras has (a decoder that makes the last step first, sees
/// its previous value, or starts from the encoder's state), and for an activation of the user's own.
template <typename Model>
void save_keras(const Model& model, const std::filesystem::path& path) {
  using Scalar = typename Model::Scalar;
  detail::with_file_errors(path, [&] {
    const Sequential<Scalar>& network = detail::network_of(model);
    const Vector<Scalar>& weights = detail::weights_of(model);
    detail::require_values(path.string(), "", network.parameters(), weights, TensorValues::finite);
    const detail::KerasWriter<Scalar> writer(path.string(), network, weights);
    const detail::Hdf5Session session;
    const std::string bytes = detail::zip_of(
        path.string(),
        {{"metadata.json", R"({"keras_version": "3.0.5", "date_saved": "1980-01-02@00:00:00"})"},
         {"config.json", writer.config()},
         {"model.weights.h5", writer.weights()}});
    detail::AtomicFile file(path);
    file.write(bytes.data(), bytes.size());
    file.commit();
  });
}

}  // namespace REPRISE_ABI
}  // namespace reprise
