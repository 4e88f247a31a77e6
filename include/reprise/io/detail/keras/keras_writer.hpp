#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "keras_weights.hpp"

// Writes what `load_keras` reads: the description of a model, its weights as an HDF5 file in memory, and the
// zip file of both. What is written is the least that all versions of Keras 3 take: options that are a
// layer's default in each of them are left out, and groups that hold nothing are there.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// An HDF5 file that grows in memory.
class Hdf5Writer {
 public:
  explicit Hdf5Writer(std::string place)
      : place_(std::move(place)),
        access_(H5Pcreate(H5P_FILE_ACCESS), &H5Pclose),
        links_(H5Pcreate(H5P_LINK_CREATE), &H5Pclose),
        file_((H5Pset_fapl_core(access_, 1 << 16, 0), H5Pset_create_intermediate_group(links_, 1),
               H5Fcreate("in memory", H5F_ACC_TRUNC, H5P_DEFAULT, access_)),
              &H5Fclose) {
    require(file_.is_valid());
  }

  void group(const std::string& path) {
    if (!groups_.insert(path).second) return;
    const Hdf5Id made(H5Gcreate2(file_, path.c_str(), links_, H5P_DEFAULT, H5P_DEFAULT), &H5Gclose);
    require(made.is_valid());
  }

  template <typename Scalar>
  void dataset(const std::string& path, const TensorShape& shape, const Scalar* values) {
    const bool is_double = sizeof(Scalar) == sizeof(double);
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    const Hdf5Id space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                       &H5Sclose);
    const Hdf5Id creation(H5Pcreate(H5P_DATASET_CREATE), &H5Pclose);
    H5Pset_obj_track_times(creation, false);  // the same model, the same file
    const Hdf5Id made(H5Dcreate2(file_, path.c_str(), is_double ? H5T_IEEE_F64LE : H5T_IEEE_F32LE, space,
                                 links_, creation, H5P_DEFAULT),
                      &H5Dclose);
    const hid_t memory = is_double ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
    require(made.is_valid() && H5Dwrite(made, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  }

  std::string image() const {
    require(H5Fflush(file_, H5F_SCOPE_GLOBAL) >= 0);
    const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
    require(size > 0);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    require(H5Fget_file_image(file_, bytes.data(), bytes.size()) == size);
    return bytes;
  }

 private:
  void require(bool holds) const {
    if (!holds) fail_file(place_, "HDF5 to write in memory", "an error");
  }

  std::string place_;
  Hdf5Id access_;
  Hdf5Id links_;
  Hdf5Id file_;
  std::set<std::string> groups_;
};

/// A zip file of these members, stored as they are.
inline std::string zip_of(const std::string& place,
                          const std::vector<std::pair<std::string, std::string>>& members) {
  const auto require = [&](bool holds) {
    if (!holds) fail_file(place, "libzip to write in memory", "an error");
  };
  const std::unique_ptr<zip_source_t, decltype(&zip_source_free)> memory(
      zip_source_buffer_create(nullptr, 0, 0, nullptr), &zip_source_free);
  require(memory != nullptr);
  zip_source_keep(memory.get());  // a reference for the archive, which its end gives back
  std::unique_ptr<zip_t, decltype(&zip_discard)> zip(
      zip_open_from_source(memory.get(), ZIP_TRUNCATE, nullptr), &zip_discard);
  if (zip == nullptr) zip_source_free(memory.get());
  require(zip != nullptr);
  for (const auto& [name, bytes] : members) {
    zip_source_t* const source = zip_source_buffer(zip.get(), bytes.data(), bytes.size(), 0);
    const zip_int64_t index =
        source == nullptr ? -1 : zip_file_add(zip.get(), name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0 && source != nullptr) zip_source_free(source);
    require(index >= 0);
    const auto member = static_cast<zip_uint64_t>(index);
    constexpr std::time_t in_1980 = 315'700'000;  // the same model, the same file
    require(zip_set_file_compression(zip.get(), member, ZIP_CM_STORE, 0) == 0 &&
            zip_file_set_mtime(zip.get(), member, in_1980, 0) == 0);
  }
  require(zip_close(zip.get()) == 0);
  static_cast<void>(zip.release());
  zip_stat_t stat;
  zip_stat_init(&stat);
  require(zip_source_stat(memory.get(), &stat) == 0 && zip_source_open(memory.get()) == 0);
  std::string bytes(static_cast<std::size_t>(stat.size), '\0');
  const zip_int64_t read = zip_source_read(memory.get(), bytes.data(), bytes.size());
  zip_source_close(memory.get());
  require(read == static_cast<zip_int64_t>(bytes.size()));
  return bytes;
}

/// Describes a network as a Sequential of Keras's, and puts its weights into a file.
template <typename Scalar>
class KerasWriter {
 public:
  KerasWriter(std::string place, const Sequential<Scalar>& network, const Vector<Scalar>& weights)
      : place_(std::move(place)), network_(network), weights_(weights) {
    layers_ = keras_layers(place_, network, false);
    const auto& entries = network.entries();
    bool is_sequence = true;
    for (std::size_t l = 0; l < entries.size(); ++l) {
      if (entries[l].receives >= 0) {
        fail_file(place_of(place_, entries[l].name),
                  "a layer that starts from zeros, as in a Sequential of Keras",
                  "one that starts from another layer's state");
      }
      // Keras's Dense takes a sequence too; this says that it is one.
      if (layers_[l].class_name == "Dense" && is_sequence) layers_[l].class_name = "TimeDistributed";
      if (layers_[l].class_name == "RepeatVector") is_sequence = true;
      if (const auto* options = std::get_if<RecurrentOptions>(&layers_[l].layer.options)) {
        is_sequence = options->return_sequences();
      }
    }
  }

  std::string config() const {
    const SequenceShape in = network_.input_shape();
    const bool reads_symbols = !layers_.empty() && layers_.front().class_name == "Embedding";
    Json shape = {nullptr, in.steps};
    if (!reads_symbols) shape.push_back(in.features);
    Json layers = Json::array();
    layers.push_back(
        object("InputLayer",
               {{"name", "input"}, {"batch_shape", shape}, {"dtype", reads_symbols ? "int32" : dtype()}}));
    for (std::size_t l = 0; l < layers_.size(); ++l) layers.push_back(described(l));
    Json root = object("Sequential", {{"name", "reprise"}, {"layers", std::move(layers)}});
    root["module"] = "keras";
    root["build_config"] = {{"input_shape", shape}};
    // So that fit goes on at once; compile again for another optimizer or loss.
    root["compile_config"] = {{"optimizer", "adam"},     {"loss", "mse"},
                              {"loss_weights", nullptr}, {"metrics", nullptr},
                              {"run_eagerly", false},    {"weighted_metrics", nullptr},
                              {"jit_compile", "auto"},   {"steps_per_execution", 1}};
    return root.dump();
  }

  std::string weights() const {
    Hdf5Writer file(place_);
    file.group("vars");
    KerasGroups groups(1);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const std::string group = "layers/" + groups.next(layers_[l].class_name) + "/";
      file.group(group + "vars");
      for (const KerasSlot& slot : keras_slots(layers_[l])) {
        // forward_layer/cell/vars/0: the groups forward_layer/vars and forward_layer/cell/vars, empty or not.
        const std::string vars = slot.path.substr(0, slot.path.rfind('/'));
        const std::string owner = vars.substr(0, vars.rfind("cell/vars"));
        if (vars != "vars" && owner.size() != vars.size()) file.group(group + owner + "vars");
        file.group(group + vars);
        write_tensor(file, group + slot.path, network_.entries()[l].name + ".", slot);
      }
    }
    return file.image();
  }

 private:
  static const char* dtype() { return sizeof(Scalar) == sizeof(double) ? "float64" : "float32"; }

  static Json object(const char* class_name, Json config) {
    return {{"module", "keras.layers"},
            {"class_name", class_name},
            {"config", std::move(config)},
            {"registered_name", nullptr}};
  }

  void write_tensor(Hdf5Writer& file, const std::string& path, const std::string& layer,
                    const KerasSlot& slot) const {
    const ParameterInfo& info = network_.parameters().at(layer + slot.ours);
    const Scalar* const values = weights_.data() + info.offset;
    if (slot.second.empty()) return file.dataset(path, file_shape(info), values);
    const ParameterInfo& second = network_.parameters().at(layer + slot.second);
    std::vector<Scalar> both(values, values + info.size());
    both.insert(both.end(), weights_.data() + second.offset, weights_.data() + second.offset + second.size());
    file.dataset(path, {2, static_cast<std::uint64_t>(info.size())}, both.data());
  }

  /// What Keras allows in a name on every backend.
  std::string name_of(std::size_t l) const {
    std::string name = layers_[l].layer.name;
    for (char& c : name) {
      const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (!is_plain) c = '_';
    }
    for (std::size_t other = 0; other < l; ++other) {
      if (name_of(other) == name) return name + "_" + std::to_string(l);
    }
    return name;
  }
  std::string activation_name(std::size_t l, Activation activation) const {
    if (activation.kind == Activation::Kind::custom) {
      fail_file(place_of(place_, layers_[l].layer.name) + ": activation", "one that Keras has", "an own one");
    }
    return std::string(activation_names[static_cast<std::size_t>(static_cast<int>(activation.kind))]);
  }

  Json described(std::size_t l) const {
    Json layer = described(l, layers_[l].layer.options);
    if (layers_[l].class_name == "TimeDistributed") {
      layer["config"]["name"] = name_of(l) + "_dense";
      layer = object("TimeDistributed", {{"layer", std::move(layer)}});
    }
    layer["config"]["name"] = name_of(l);
    layer["config"]["dtype"] = dtype();
    return layer;
  }
  Json described(std::size_t l, const ImportedOptions& options) const {
    if (const auto* repeat = std::get_if<ImportedRepeat>(&options)) {
      return object("RepeatVector", {{"n", repeat->steps}});
    }
    if (std::get_if<ImportedSoftmax>(&options) != nullptr) return object("Softmax", {{"axis", -1}});
    if (const auto* table = std::get_if<EmbeddingOptions>(&options)) {
      return object("Embedding", {{"input_dim", table->input_dim}, {"output_dim", table->output_dim}});
    }
    if (const auto* dropout = std::get_if<ImportedDropout>(&options)) {
      return object("Dropout", {{"rate", dropout->rate}});
    }
    if (const auto* dense = std::get_if<DenseOptions>(&options)) {
      return object("Dense", {{"units", dense->units},
                              {"activation", activation_name(l, dense->activation)},
                              {"use_bias", dense->use_bias},
                              {"dtype", dtype()}});
    }
    return described(l, std::get<RecurrentOptions>(options));
  }
  Json described(std::size_t l, const RecurrentOptions& options) const {
    if (const auto* both = options.get_if<BidirectionalOptions>()) {
      Json half = described(l, both->layer);
      half["config"]["name"] = name_of(l) + "_half";
      half["config"]["dtype"] = dtype();
      const auto mode = enumerator_names(MergeMode{})[static_cast<std::size_t>(both->merge_mode)];
      return object("Bidirectional", {{"layer", std::move(half)}, {"merge_mode", std::string(mode)}});
    }
    if (const auto* gru = options.get_if<GruOptions>()) {
      Json config = recurrent(l, *gru);
      config["reset_after"] = gru->reset_after;
      return object("GRU", std::move(config));
    }
    const auto& lstm = *options.get_if<LstmOptions>();
    Json config = recurrent(l, lstm);
    config["unit_forget_bias"] = lstm.unit_forget_bias;
    return object("LSTM", std::move(config));
  }
  template <typename Options>
  Json recurrent(std::size_t l, const Options& options) const {
    Json config = {{"units", options.units},
                   {"activation", activation_name(l, options.activation)},
                   {"recurrent_activation", activation_name(l, options.recurrent_activation)},
                   {"use_bias", options.use_bias},
                   {"return_sequences", options.return_sequences}};
    if (options.go_backwards) config["go_backwards"] = true;
    if (options.dropout != 0.0) config["dropout"] = options.dropout;
    if (options.recurrent_dropout != 0.0) config["recurrent_dropout"] = options.recurrent_dropout;
    return config;
  }

  std::string place_;
  const Sequential<Scalar>& network_;
  const Vector<Scalar>& weights_;
  std::vector<KerasLayer> layers_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
