#pragma once

#include <concepts>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "detail/pytorch_layout.hpp"
#include "safetensors.hpp"

// The weights of PyTorch's modules, its `state_dict`, in safetensors files:
//
//     safetensors.torch.save_file(model.state_dict(), "ae.safetensors")             # in Python
//
//     auto model = load_pytorch("ae.safetensors", Autoencoder<float>({.steps = 30, .encoder = {{.units =
//     16}},
//                                                                     .decoder = {{.units = 16}}}));
//
//     save_pytorch(model, "back.safetensors");
//
//     model.load_state_dict(safetensors.torch.load_file("back.safetensors"))        # in Python
//
// A state_dict holds weights and nothing of the architecture, which the caller says; every tensor of the file
// must then be one of the model's, and every parameter of the model must be in the file. docs/bring-your-
// model.md says what the module must look like.
namespace reprise {
inline namespace REPRISE_ABI {

/// The module of PyTorch that a layer is, or a layer of a stacked one (nn.LSTM with num_layers > 1).
struct PyTorchModule {
  std::string name{};
  /// Counted from 0: which layer of the module.
  Index layer = 0;
  friend bool operator==(const PyTorchModule&, const PyTorchModule&) = default;
};

/// Which module each layer is, by the layer's name (`model.network().entries()` has them). An autoencoder's
/// `encoder.1` that is not in the map is sought as layer 1 of what `encoder` stands for; and `encoder`, where
/// it is not in the map either, for the module of that name. So an autoencoder without a map is
///
///     self.encoder = nn.LSTM(..., num_layers=...)    self.decoder = nn.LSTM(...)    self.output =
///     nn.Linear(...)
///
/// and `{{"encoder", {"rnn1"}}, {"decoder", {"rnn2"}}, {"output", {"fc"}}}` has other names for these;
/// `{{"encoder.0", {"first"}}, {"encoder.1", {"second"}}, ...}` is one with a module for each layer.
using PyTorchNames = std::map<std::string, PyTorchModule>;

namespace detail {

inline PyTorchModule torch_module(const std::string& layer, const PyTorchNames& names) {
  if (const auto found = names.find(layer); found != names.end()) return found->second;
  const std::size_t dot = layer.rfind('.');
  const std::string number = dot == std::string::npos ? "" : layer.substr(dot + 1);
  const bool is_number =
      !number.empty() && number.size() < 6 && number.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number) return {layer};
  const std::string side = layer.substr(0, dot);
  const auto found = names.find(side);
  PyTorchModule module = found != names.end() ? found->second : PyTorchModule{side};
  module.layer += static_cast<Index>(std::stol(number));
  return module;
}

/// Refuses an entry of the map that no layer has asked for.
template <typename Scalar>
void require_known_names(const std::string& place, const Sequential<Scalar>& network,
                         const PyTorchNames& names) {
  std::string known;
  for (const auto& entry : network.entries()) known += (known.empty() ? "" : ", ") + entry.name;
  for (const auto& [name, module] : names) {
    bool is_layer = false;
    for (const auto& entry : network.entries()) {
      is_layer = is_layer || entry.name == name || entry.name.rfind(name + ".", 0) == 0;
    }
    if (!is_layer) fail_file(place + ": names", "names among the model's layers, " + known, name);
  }
}

/// Reads the tensors of one module as those of our layer.
class TorchTensors {
 public:
  TorchTensors(SafetensorsReader& file, std::string place) : file_(file), place_(std::move(place)) {}

  void read(const std::string& module, const TorchPart& part, ImportedTensors& to) {
    const std::string first = part.is_recurrent ? "weight_ih" : "weight";
    to[part.ours + part.kernel()] = matrix(part, part.name(module, first), part.inputs);
    if (part.is_recurrent) {
      to[part.ours + "recurrent_kernel"] = matrix(part, part.name(module, "weight_hh"), part.units);
    }
    if (!part.use_bias) return;
    ImportedTensor bias = vector(part, part.name(module, part.is_recurrent ? "bias_ih" : "bias"));
    if (part.is_recurrent) {
      ImportedTensor other = vector(part, part.name(module, "bias_hh"));
      if (part.keeps_both_biases) {
        to[part.ours + "recurrent_bias"] = std::move(other);
      } else {
        for (std::size_t i = 0; i < bias.values.size(); ++i) bias.values[i] += other.values[i];
      }
    }
    to[part.ours + "bias"] = std::move(bias);
  }

  /// No tensor of the file may be left.
  void require_all_read() const {
    for (const std::string& name : file_.names()) {
      if (read_.count(name) > 0) continue;
      const bool is_projection = name.find("weight_hr_") != std::string::npos;
      fail_file(file_.place() + ": tensor " + shown(name),
                is_projection ? "no projection (proj_size), which this library's LSTM does not have"
                              : "no tensor that the model does not have",
                "it");
    }
  }

 private:
  ImportedTensor matrix(const TorchPart& part, const std::string& name, Index columns) {
    const std::vector<double> theirs = values(name, part.shape(columns));
    ImportedTensor tensor{
        name, {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(part.rows())}, {}};
    tensor.values.resize(theirs.size());
    each_torch_place(part, columns, [&](std::size_t our_place, std::size_t their_place) {
      tensor.values[our_place] = theirs[their_place];
    });
    return tensor;
  }
  ImportedTensor vector(const TorchPart& part, const std::string& name) {
    const std::vector<double> theirs = values(name, {static_cast<std::uint64_t>(part.rows())});
    ImportedTensor tensor{name, {static_cast<std::uint64_t>(part.rows())}, {}};
    tensor.values.resize(theirs.size());
    each_torch_place(part, 1, [&](std::size_t our_place, std::size_t their_place) {
      tensor.values[our_place] = theirs[their_place];
    });
    return tensor;
  }
  std::vector<double> values(const std::string& name, const TensorShape& extents) {
    const std::vector<std::string> there = file_.names();
    if (std::find(there.begin(), there.end(), name) == there.end()) {
      std::string list;
      for (const std::string& other : there) list += (list.empty() ? "" : ", ") + other;
      fail_file(place_ + ": tensor " + name, "shape " + shown(extents),
                "no such tensor among " + shown(Json(list)));
    }
    if (!read_.insert(name).second) {
      fail_file(place_ + ": tensor " + name, "each module's layer for one layer", "it for two");
    }
    return file_.values(name, extents);
  }

  SafetensorsReader& file_;
  std::string place_;
  std::set<std::string> read_;
};

/// Collects the tensors of a state_dict and writes them.
template <typename Scalar>
class TorchState {
 public:
  TorchState(std::string file, const Sequential<Scalar>& network, const Vector<Scalar>& weights)
      : file_(std::move(file)), table_(network.parameters()), weights_(weights) {}

  void add(const typename Sequential<Scalar>::Entry& entry, const PyTorchModule& module) {
    const std::string place = place_of(file_, entry.name);
    for (const TorchPart& part : torch_parts<Scalar>(place, entry, module.layer)) {
      const auto put = [&](const std::string& name, const char* ours, Index columns) {
        const std::string theirs = part.name(module.name, name);
        const bool is_new = tensors_.emplace(theirs, tensor(entry.name, part, ours, columns)).second;
        if (!is_new) fail_file(place, "a module of its own", theirs + " of another layer too");
      };
      put(part.is_recurrent ? "weight_ih" : "weight", part.kernel(), part.inputs);
      if (part.is_recurrent) put("weight_hh", "recurrent_kernel", part.units);
      if (!part.use_bias) continue;
      put(part.is_recurrent ? "bias_ih" : "bias", "bias", 0);
      if (part.is_recurrent) put("bias_hh", part.keeps_both_biases ? "recurrent_bias" : nullptr, 0);
    }
  }
  void save(const std::filesystem::path& path) const {
    SafetensorsWriter writer;
    writer.metadata["format"] = "pt";
    for (const auto& [name, tensor] : tensors_) writer.add(name, tensor.shape, tensor.values);
    writer.save(path);
  }

 private:
  struct Tensor {
    TensorShape shape;
    Vector<Scalar> values;
  };

  /// Our parameter in their order, or zeros where there is none; `columns` = 0: a vector.
  Tensor tensor(const std::string& layer, const TorchPart& part, const char* ours, Index columns) const {
    Tensor result;
    result.shape = {static_cast<std::uint64_t>(part.rows())};
    if (columns > 0) result.shape = part.shape(columns);
    const Index count = columns > 0 ? columns : 1;
    result.values = Vector<Scalar>::Zero(part.rows() * count);
    if (ours == nullptr) return result;
    const Index offset = table_.at(layer + "." + part.ours + ours).offset;
    each_torch_place(part, count, [&](std::size_t our_place, std::size_t their_place) {
      result.values[static_cast<Index>(their_place)] = weights_[offset + static_cast<Index>(our_place)];
    });
    return result;
  }

  std::string file_;
  const ParameterTable& table_;
  const Vector<Scalar>& weights_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace detail

/// The model with the weights of a module's state_dict, in place of its own. Its training starts anew. Throws
/// `FileError` where file and model are not the same layers: a tensor that is missing, left over or of
/// another shape, and a layer that PyTorch's modules do not have (another activation than theirs, a GRU
/// without `reset_after`). F32 and F64 are read, and become the model's scalar. A file of PyTorch's own
/// (`.pt`, `.pth`) is answered with the line of Python that makes a safetensors file of it.
///
/// `Model`: an `Autoencoder`, a `Forecaster`, or a `Chain`, whose parameters may be empty before.
template <typename Model>
[[nodiscard]] Model load_pytorch(const std::filesystem::path& path, Model model,
                                 const PyTorchNames& names = {}) {
  return detail::with_file_errors(path, [&] {
    const auto& network = detail::network_of(model);
    using Scalar = typename Model::Scalar;
    detail::SafetensorsReader file(path);
    if (file.has_metadata("format") && file.metadata("format") == "reprise") {
      detail::fail_file(file.place(), "a state_dict of PyTorch",
                        "a file of this library's own; load reads it");
    }
    detail::require_known_names(file.place(), network, names);
    detail::TorchTensors tensors(file, file.place());
    std::vector<detail::ImportedLayer> layers;
    for (const auto& entry : network.entries()) {
      const PyTorchModule module = detail::torch_module(entry.name, names);
      detail::ImportedLayer layer;
      layer.name = entry.name;
      for (const auto& part :
           detail::torch_parts<Scalar>(detail::place_of(file.place(), entry.name), entry, module.layer)) {
        tensors.read(module.name, part, layer.tensors);
      }
      layers.push_back(std::move(layer));
    }
    tensors.require_all_read();
    detail::set_weights_of(model, detail::imported_weights(file.place(), network, layers));
    return std::move(model);
  });
}

/// Writes the model's weights as a safetensors file whose tensors `load_state_dict` takes for a module that
/// `names` describes (see `PyTorchNames`): PyTorch's names, shapes and order of gates. An LSTM's bias becomes
/// bias_ih, and bias_hh is zero. `load_pytorch` gives back the same weights bit for bit. Throws `FileError`
/// where the file cannot be written, and where a layer is none that PyTorch has.
template <typename Model>
void save_pytorch(const Model& model, const std::filesystem::path& path, const PyTorchNames& names = {}) {
  using Scalar = typename Model::Scalar;
  detail::with_file_errors(path, [&] {
    const Sequential<Scalar>& network = detail::network_of(model);
    const Vector<Scalar>& weights = detail::weights_of(model);
    detail::require_known_names(path.string(), network, names);
    detail::require_values(path.string(), "", network.parameters(), weights, TensorValues::finite);
    detail::TorchState<Scalar> state(path.string(), network, weights);
    for (const auto& entry : network.entries()) state.add(entry, detail::torch_module(entry.name, names));
    state.save(path);
  });
}

}  // namespace REPRISE_ABI
}  // namespace reprise
