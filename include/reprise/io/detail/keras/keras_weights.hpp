#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../../../layers/bidirectional.hpp"
#include "../../../layers/gru.hpp"
#include "hdf5_file.hpp"
#include "keras_config.hpp"

// Which dataset of Keras's HDF5 files is which tensor. There are two trees.
//
// Keras 3 (`model.weights.h5` in a .keras file, and .weights.h5) counts the layers of each class, whatever
// they are called:
//
//     layers/lstm/cell/vars/0 (kernel), 1 (recurrent_kernel), 2 (bias); layers/lstm_1/cell/vars/...
//     layers/bidirectional/forward_layer/cell/vars/..., backward_layer/...
//     layers/time_distributed/layer/vars/0 (kernel), 1 (bias);  layers/dense/vars/...
//
// The older one (.h5 with the whole model) goes by the layers' names, and lists each one's datasets, in the
// order kernel, recurrent_kernel, bias, in an attribute: model_weights/<layer>.weight_names.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A tensor of a layer of Keras's.
struct KerasSlot {
  /// As our layer calls it.
  std::string ours{};
  /// Behind the layer's group in the tree of Keras 3.
  std::string path{};
  /// A GRU's biases, two rows: ours are `ours` and `second`.
  std::string second{};
};

template <typename Options>
void add_recurrent_slots(const Options& options, const std::string& ours, const std::string& path,
                         std::vector<KerasSlot>& list) {
  list.push_back({ours + "kernel", path + "cell/vars/0", {}});
  list.push_back({ours + "recurrent_kernel", path + "cell/vars/1", {}});
  if (!options.use_bias) return;
  bool has_two = false;
  if constexpr (std::is_same_v<Options, GruOptions>) has_two = options.reset_after;
  list.push_back({ours + "bias", path + "cell/vars/2", has_two ? ours + "recurrent_bias" : ""});
}
inline void add_slots(const RecurrentOptions& options, const std::string& ours, const std::string& path,
                      std::vector<KerasSlot>& list) {
  if (const auto* lstm = options.get_if<LstmOptions>()) return add_recurrent_slots(*lstm, ours, path, list);
  if (const auto* gru = options.get_if<GruOptions>()) return add_recurrent_slots(*gru, ours, path, list);
  if (const auto* both = options.get_if<BidirectionalOptions>()) {
    add_slots(both->layer, ours + "forward.", path + "forward_layer/", list);
    add_slots(both->layer, ours + "backward.", path + "backward_layer/", list);
    return;
  }
  fail("Keras", "an LSTM, GRU or Bidirectional", std::string(options.kind()));
}
/// In the order of Keras's weight lists.
inline std::vector<KerasSlot> keras_slots(const KerasLayer& layer) {
  std::vector<KerasSlot> list;
  if (const auto* recurrent = std::get_if<RecurrentOptions>(&layer.layer.options)) {
    add_slots(*recurrent, "", "", list);
  } else if (const auto* dense = std::get_if<DenseOptions>(&layer.layer.options)) {
    const std::string path = layer.class_name == "TimeDistributed" ? "layer/vars/" : "vars/";
    list.push_back({"kernel", path + "0", {}});
    if (dense->use_bias) list.push_back({"bias", path + "1", {}});
  } else if (std::get_if<EmbeddingOptions>(&layer.layer.options) != nullptr) {
    list.push_back({"embeddings", "vars/0", {}});
  }
  return list;
}

/// The groups of Keras 3's tree, layer by layer: the class in small letters, and a number from the second on.
/// Keras 2.13 counts layers that have weights twice: lstm, lstm_2, lstm_4.
class KerasGroups {
 public:
  explicit KerasGroups(int step) : step_(step) {}
  std::string next(const std::string& class_name) {
    static const std::map<std::string, std::string> names = {{"LSTM", "lstm"},
                                                             {"GRU", "gru"},
                                                             {"Bidirectional", "bidirectional"},
                                                             {"Dense", "dense"},
                                                             {"Dropout", "dropout"},
                                                             {"TimeDistributed", "time_distributed"},
                                                             {"RepeatVector", "repeat_vector"},
                                                             {"Embedding", "embedding"},
                                                             {"Softmax", "softmax"}};
    const std::string& name = names.at(class_name);
    const int count = counts_[name];
    counts_[name] += step_;
    return count == 0 ? name : name + "_" + std::to_string(count);
  }

 private:
  int step_;
  std::map<std::string, int> counts_;
};

/// Takes tensors out of a file, and knows in the end which ones nobody took.
class KerasTensors {
 public:
  explicit KerasTensors(const Hdf5File& file) : file_(file) {}

  void take(const std::string& path, const KerasSlot& slot, ImportedTensors& to) {
    const auto found = file_.datasets().find(path);
    if (found == file_.datasets().end()) {
      fail_file(file_.place() + ": " + shown(Json(path)), "a dataset (" + slot.ours + ")", "none");
    }
    taken_.insert(path);
    ImportedTensor tensor{path, found->second.shape, file_.values(path)};
    if (slot.second.empty()) {
      to[slot.ours] = std::move(tensor);
      return;
    }
    if (tensor.shape.size() != 2 || tensor.shape[0] != 2) {
      fail_file(file_.place() + ": " + shown(Json(path)),
                "two rows, as the biases of a GRU with reset_after are",
                "shape " + shown(Json(tensor.shape)));
    }
    const std::size_t half = tensor.values.size() / 2;
    const auto row = [&](std::size_t first) {
      return ImportedTensor{path,
                            {tensor.shape[1]},
                            {tensor.values.begin() + static_cast<std::ptrdiff_t>(first),
                             tensor.values.begin() + static_cast<std::ptrdiff_t>(first + half)}};
    };
    to[slot.ours] = row(0);
    to[slot.second] = row(half);
  }

  /// No dataset may be left but what belongs to the optimizer, to metrics or to a source of random numbers.
  void require_all_taken() const {
    for (const auto& [path, dataset] : file_.datasets()) {
      const auto begins = [&path = path](const char* with) { return path.rfind(with, 0) == 0; };
      if (taken_.count(path) > 0 || begins("optimizer") || begins("metrics/") ||
          (path.find("/seed_generator/") != std::string::npos && dataset.value_size == 0)) {
        continue;
      }
      fail_file(file_.place() + ": " + shown(Json(path)), "no tensor that the model does not have", "it");
    }
  }

 private:
  const Hdf5File& file_;
  std::set<std::string> taken_;
};

/// By the tree of Keras 3, which 2.13 keeps below another name.
inline void take_by_groups(const Hdf5File& file, std::vector<KerasLayer>& layers) {
  const char* const older = "_layer_checkpoint_dependencies";
  const bool is_older = !file.has_group("layers") && file.has_group(older);
  const std::string root = is_older ? older : "layers";
  KerasGroups groups(is_older ? 2 : 1);
  KerasTensors tensors(file);
  for (KerasLayer& layer : layers) {
    if (layer.class_name.empty()) continue;  // the softmax of a Dense, which is a layer here alone
    const std::string group = root + "/" + groups.next(layer.class_name) + "/";
    for (const KerasSlot& slot : keras_slots(layer))
      tensors.take(group + slot.path, slot, layer.layer.tensors);
  }
  tensors.require_all_taken();
}

/// A list of names, which stands in several attributes where it is too long for one.
inline std::vector<std::string> keras_names(const Hdf5File& file, const std::string& group,
                                            const std::string& attribute) {
  if (file.has_attribute(group, attribute)) return file.texts(group, attribute);
  std::vector<std::string> all;
  for (int part = 0; file.has_attribute(group, attribute + std::to_string(part)); ++part) {
    for (std::string& name : file.texts(group, attribute + std::to_string(part)))
      all.push_back(std::move(name));
  }
  return all;
}

/// By the names in the older tree below `group`. Layers of a model that knows no names (`by_order`) are those
/// that have weights, in their order.
inline void take_by_names(const Hdf5File& file, const std::string& group, bool by_order,
                          std::vector<KerasLayer>& layers) {
  const std::vector<std::string> names = keras_names(file, group, "layer_names");
  const auto path_of = [&](const std::string& name) { return group.empty() ? name : group + "/" + name; };
  std::vector<std::string> with_weights;
  for (const std::string& name : names) {
    if (!keras_names(file, path_of(name), "weight_names").empty()) with_weights.push_back(name);
  }
  KerasTensors tensors(file);
  std::size_t next = 0;
  for (KerasLayer& layer : layers) {
    const std::vector<KerasSlot> list = keras_slots(layer);
    if (list.empty()) continue;
    const std::string place = place_of(file.place(), layer.layer.name);
    if (next == with_weights.size()) fail_file(place, "weights in the file", "none");
    const std::string name = with_weights[next++];
    if (!by_order && name != layer.layer.name) {
      fail_file(place, "its weights at its place among layer_names", "those of " + shown(Json(name)));
    }
    std::vector<std::string> weights = keras_names(file, path_of(name), "weight_names");
    if (weights.size() != list.size()) {
      fail_file(place, std::to_string(list.size()) + " weights", std::to_string(weights.size()));
    }
    for (std::size_t w = 0; w < list.size(); ++w) {
      tensors.take(path_of(name) + "/" + weights[w], list[w], layer.layer.tensors);
    }
  }
  tensors.require_all_taken();
}

/// The layers of a network as Keras would have them.
template <typename Scalar>
std::vector<KerasLayer> keras_layers(const std::string& place, const Sequential<Scalar>& network,
                                     bool has_time_distributed) {
  std::vector<KerasLayer> layers;
  for (const auto& entry : network.entries()) {
    KerasLayer layer;
    layer.layer.name = entry.name;
    const auto put = [&](const char* class_name, ImportedOptions options) {
      layer.class_name = class_name;
      layer.layer.options = std::move(options);
    };
    if (const auto* lstm = entry.layer.template get_if<Lstm<Scalar>>()) {
      put("LSTM", RecurrentOptions(lstm->options()));
    } else if (const auto* gru = entry.layer.template get_if<Gru<Scalar>>()) {
      put("GRU", RecurrentOptions(gru->options()));
    } else if (const auto* both = entry.layer.template get_if<Bidirectional<Scalar>>()) {
      put("Bidirectional", RecurrentOptions(both->options()));
    } else if (const auto* dense = entry.layer.template get_if<Dense<Scalar>>()) {
      put(has_time_distributed ? "TimeDistributed" : "Dense", dense->options());
    } else if (const auto* embedding = entry.layer.template get_if<Embedding<Scalar>>()) {
      put("Embedding", embedding->options());
    } else if (entry.layer.template get_if<Softmax<Scalar>>() != nullptr) {
      put("Softmax", ImportedSoftmax{});
    } else if (const auto* repeat = entry.layer.template get_if<RepeatVector<Scalar>>()) {
      put("RepeatVector", ImportedRepeat{repeat->steps()});
    } else if (const auto* dropout = entry.layer.template get_if<Dropout<Scalar>>()) {
      put("Dropout", ImportedDropout{dropout->rate()});
    } else {
      fail_file(
          place_of(place, entry.name),
          "one of LSTM, GRU, Bidirectional, RepeatVector, Dense, Dropout, Embedding, Softmax, which Keras "
          "has too",
          entry.layer.name());
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
