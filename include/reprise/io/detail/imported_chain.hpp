#pragma once

#include <limits>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "../../core/detail/visit.hpp"
#include "../../core/finite.hpp"
#include "../../layers/dense.hpp"
#include "../../layers/dropout.hpp"
#include "../../layers/embedding.hpp"
#include "../../layers/recurrent_options.hpp"
#include "../../layers/repeat_vector.hpp"
#include "../../layers/softmax.hpp"
#include "../../models/autoencoder.hpp"
#include "../../models/forecaster.hpp"
#include "safetensors_file.hpp"

// What readers of other libraries' files fill, and what checks it. A reader says what each layer of the file
// is, in this library's options, and gives its tensors this library's names and Keras's shapes. The functions
// below make a chain, an autoencoder or a vector of weights of it, and refuse the rest: a tensor that is
// missing or of another shape, a value that is not finite, and a tensor that no parameter has taken.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Row-major, as it stands in the file.
struct ImportedTensor {
  /// Where the file has it, for messages.
  std::string name{};
  TensorShape shape{};
  std::vector<double> values{};
};
/// By the names that a layer gives its parameters, such as `kernel` or `forward.bias`.
using ImportedTensors = std::map<std::string, ImportedTensor>;

struct ImportedRepeat {
  Index steps = 0;
};
struct ImportedDropout {
  double rate = 0;
};
struct ImportedSoftmax {};
using ImportedOptions = std::variant<RecurrentOptions, DenseOptions, EmbeddingOptions, ImportedRepeat,
                                     ImportedDropout, ImportedSoftmax>;

struct ImportedLayer {
  /// As the file calls it.
  std::string name{};
  ImportedOptions options{};
  ImportedTensors tensors{};
};

struct ImportedChain {
  /// The file, as messages name it.
  std::string place{};
  SequenceShape input{};
  std::vector<ImportedLayer> layers{};
};

inline std::string place_of(const std::string& file, const std::string& layer) {
  return file + ": layer " + shortened(layer);
}

/// The memory that a chain of layers needs must be a number that an index can hold, whatever a file claims;
/// that each size can be, the layers see to.
inline void require_import_size(const std::string& place, SequenceShape shape) {
  constexpr double most = static_cast<double>(std::numeric_limits<Index>::max()) / 256;
  const double steps = static_cast<double>(shape.steps), features = static_cast<double>(shape.features);
  if (shape.steps >= 1 && shape.features >= 1 && steps * features <= most && features * features <= most) {
    return;
  }
  fail_file(place, "positive sizes that memory can hold", to_string(shape));
}

/// One tensor into the place of a parameter, which it must fit.
template <typename Scalar>
void take_imported(const std::string& place, const ParameterInfo& info, const ImportedTensor& tensor,
                   Scalar* to) {
  for (Index i = 0; i < info.size(); ++i) {
    const auto value = static_cast<Scalar>(tensor.values[static_cast<std::size_t>(i)]);
    if (!is_finite(value)) {
      fail_file(place + ": " + info.name + " (" + tensor.name + ")",
                std::string("values that are finite") + (sizeof(Scalar) == sizeof(float) ? " as float" : ""),
                number_text(tensor.values[static_cast<std::size_t>(i)]) + " at " + std::to_string(i));
    }
    to[i] = value;
  }
}

/// Every parameter of a layer must have a tensor of its shape, and every tensor must be one of them.
inline void check_imported(const std::string& place, const ParameterTable& table,
                           const ImportedTensors& tensors) {
  for (const ParameterInfo& info : table) {
    const auto found = tensors.find(info.name);
    if (found == tensors.end()) {
      fail_file(place + ": " + info.name, "a tensor of shape " + shown(file_shape(info)), "none");
    }
    const ImportedTensor& tensor = found->second;
    if (tensor.shape != file_shape(info) || tensor.values.size() != static_cast<std::size_t>(info.size())) {
      fail_file(place + ": " + info.name + " (" + tensor.name + ")", "shape " + shown(file_shape(info)),
                shown(tensor.shape));
    }
  }
  for (const auto& [name, tensor] : tensors) {
    bool is_known = false;
    for (const ParameterInfo& info : table) is_known = is_known || info.name == name;
    if (!is_known) fail_file(place, "no tensor that the layer does not have", tensor.name);
  }
}

/// The weights of a network, one of whose layers each of `layers` is. All is checked before memory is taken.
template <typename Scalar>
Vector<Scalar> imported_weights(const std::string& file, const Sequential<Scalar>& network,
                                const std::vector<ImportedLayer>& layers) {
  const auto& entries = network.entries();
  if (entries.size() != layers.size()) {
    fail_file(file, std::to_string(entries.size()) + " layers", std::to_string(layers.size()));
  }
  std::vector<ParameterTable> tables(entries.size());
  for (std::size_t l = 0; l < entries.size(); ++l) {
    entries[l].layer.add_parameters(tables[l], "");
    check_imported(place_of(file, layers[l].name), tables[l], layers[l].tensors);
  }
  Vector<Scalar> weights(network.parameters().size());
  for (std::size_t l = 0; l < entries.size(); ++l) {
    for (const ParameterInfo& info : tables[l]) {
      take_imported(place_of(file, layers[l].name), info, layers[l].tensors.at(info.name),
                    weights.data() + entries[l].offset + info.offset);
    }
  }
  return weights;
}

template <typename Scalar>
AnyLayer<Scalar> imported_layer(const ImportedOptions& options, Index inputs) {
  if (const auto* dense = std::get_if<DenseOptions>(&options)) return Dense<Scalar>(inputs, *dense);
  if (const auto* table = std::get_if<EmbeddingOptions>(&options)) return Embedding<Scalar>(inputs, *table);
  if (std::get_if<ImportedSoftmax>(&options) != nullptr) return Softmax<Scalar>();
  if (const auto* repeat = std::get_if<ImportedRepeat>(&options)) return RepeatVector<Scalar>(repeat->steps);
  if (const auto* dropout = std::get_if<ImportedDropout>(&options)) return Dropout<Scalar>(dropout->rate);
  return std::get<RecurrentOptions>(options).make<Scalar>(inputs);
}

/// Its layers one after the other, named as in the file. Takes no memory for parameters.
template <typename Scalar>
Sequential<Scalar> imported_network(const ImportedChain& chain) {
  require_import_size(chain.place + ": input", chain.input);
  if (chain.layers.empty()) fail_file(chain.place, "at least one layer", "none");
  Sequential<Scalar> network(chain.input);
  for (const ImportedLayer& layer : chain.layers) {
    const std::string place = place_of(chain.place, layer.name);
    try {
      const SequenceShape input = network.output_shape();
      AnyLayer<Scalar> made = imported_layer<Scalar>(layer.options, input.features);
      // Before the network works out how much memory such a layer needs.
      require_import_size(place, made.output_shape(input));
      network.add(layer.name, std::move(made));
    } catch (const FileError&) {
      throw;
    } catch (const Error& error) {
      refuse_file({place, ": ", std::string(error.what())});
    }
  }
  return network;
}

/// The options of the autoencoder whose layers the chain has: recurrent layers of which the last returns its
/// last state, RepeatVector, recurrent layers that return sequences, and a dense layer.
class ImportedAutoencoder {
 public:
  explicit ImportedAutoencoder(const ImportedChain& chain) : chain_(chain) {
    options_.steps = chain.input.steps;
    options_.features = chain.input.features;
    std::size_t l = 0;
    while (const auto* encoder = at<RecurrentOptions>(l)) {
      options_.encoder.push_back(*encoder);
      ++l;
      if (!encoder->return_sequences()) break;
    }
    if (options_.encoder.empty() || options_.encoder.layer(l - 1).return_sequences()) {
      refuse(l, "a recurrent layer of the encoder, the last of which returns its last state only");
    }
    const auto* repeat = at<ImportedRepeat>(l);
    if (repeat == nullptr) refuse(l, "a RepeatVector");
    if (repeat->steps != options_.steps) {
      refuse(l, "a RepeatVector of the input's " + std::to_string(options_.steps) + " steps",
             std::to_string(repeat->steps));
    }
    for (++l; const auto* decoder = at<RecurrentOptions>(l); ++l) {
      if (!decoder->return_sequences()) refuse(l, "return_sequences = true in the decoder", "false");
      options_.decoder.push_back(*decoder);
    }
    if (options_.decoder.empty()) refuse(l, "a recurrent layer of the decoder");
    read_output(l);
  }

  const AutoencoderOptions& options() const { return options_; }

 private:
  template <typename T>
  const T* at(std::size_t l) const {
    return l < chain_.layers.size() ? std::get_if<T>(&chain_.layers[l].options) : nullptr;
  }
  void read_output(std::size_t l) {
    const auto* dense = at<DenseOptions>(l);
    if (dense == nullptr) refuse(l, "a dense layer behind the decoder");
    if (dense->units != options_.features) {
      refuse(l, std::to_string(options_.features) + " units, the input's features",
             std::to_string(dense->units));
    }
    if (!dense->use_bias) refuse(l, "use_bias = true", "false");
    options_.output_activation = dense->activation;
    if (l + 1 < chain_.layers.size()) refuse(l + 1, "no layer behind the dense one");
  }
  /// What is at layer l, in words.
  std::string found(std::size_t l) const {
    if (l >= chain_.layers.size()) return "the chain's end";
    if (at<ImportedRepeat>(l) != nullptr) return "RepeatVector";
    if (at<ImportedDropout>(l) != nullptr) return "Dropout";
    if (at<DenseOptions>(l) != nullptr) return "Dense";
    if (at<EmbeddingOptions>(l) != nullptr) return "Embedding";
    if (at<ImportedSoftmax>(l) != nullptr) return "Softmax";
    return std::string(at<RecurrentOptions>(l)->kind());
  }
  [[noreturn]] void refuse(std::size_t l, const std::string& expected, std::string got = "") const {
    const bool is_there = l < chain_.layers.size();
    if (got.empty()) got = found(l);
    fail_file(is_there ? place_of(chain_.place, chain_.layers[l].name) : chain_.place,
              expected + ", as an Autoencoder has (a Chain takes any layers)", got);
  }

  const ImportedChain& chain_;
  AutoencoderOptions options_;
};

/// The options of the forecaster whose layers the chain has: recurrent layers of which the last returns its
/// last state, and a dense layer, whose units are the features of the one step that is predicted.
inline ForecasterOptions imported_forecaster(const ImportedChain& chain) {
  ForecasterOptions options{.steps = chain.input.steps, .features = chain.input.features};
  const auto refuse = [&](std::size_t l, const char* expected) {
    const bool is_there = l < chain.layers.size();
    fail_file(is_there ? place_of(chain.place, chain.layers[l].name) : chain.place,
              std::string(expected) + ", as a Forecaster has (a Chain takes any layers)",
              is_there ? "another layer" : "the chain's end");
  };
  std::size_t l = 0;
  bool has_state = false;
  while (l < chain.layers.size() && !has_state) {
    const auto* layer = std::get_if<RecurrentOptions>(&chain.layers[l].options);
    if (layer == nullptr) break;
    options.layers.push_back(*layer);
    has_state = !layer->return_sequences();
    ++l;
  }
  if (!has_state) refuse(l, "a recurrent layer, the last of which returns its last state only");
  const auto* dense = l < chain.layers.size() ? std::get_if<DenseOptions>(&chain.layers[l].options) : nullptr;
  if (dense == nullptr || !dense->use_bias) refuse(l, "a dense layer with a bias");
  if (l + 1 < chain.layers.size()) refuse(l + 1, "no layer behind the dense one");
  if (dense->units != options.features) options.target_features = dense->units;
  options.output_activation = dense->activation;
  return options;
}

/// What a chain becomes: a `Chain`, an `Autoencoder` or a `Forecaster`.
template <typename Model>
struct MadeOfImport;

template <typename Scalar>
struct MadeOfImport<Chain<Scalar>> {
  static Chain<Scalar> make(const ImportedChain& chain) {
    Sequential<Scalar> network = imported_network<Scalar>(chain);
    Vector<Scalar> weights = imported_weights(chain.place, network, chain.layers);
    return {std::move(network), std::move(weights)};
  }
};
template <typename Scalar>
struct MadeOfImport<Autoencoder<Scalar>> {
  static Autoencoder<Scalar> make(const ImportedChain& chain) {
    const ImportedAutoencoder found(chain);
    // The same layers in the same order, so the same places of the parameters.
    const Sequential<Scalar> network = imported_network<Scalar>(chain);
    return {found.options(), imported_weights(chain.place, network, chain.layers)};
  }
};

template <typename Scalar>
struct MadeOfImport<Forecaster<Scalar>> {
  static Forecaster<Scalar> make(const ImportedChain& chain) {
    const Sequential<Scalar> network = imported_network<Scalar>(chain);
    return {imported_forecaster(chain), imported_weights(chain.place, network, chain.layers)};
  }
};

/// Network and weights of a model that is there, which a file's tensors replace.
template <typename Scalar>
const Sequential<Scalar>& network_of(const Chain<Scalar>& chain) {
  return chain.network;
}
template <typename Scalar>
const Vector<Scalar>& weights_of(const Chain<Scalar>& chain) {
  return chain.parameters;
}
template <typename Scalar>
const Sequential<Scalar>& network_of(const ChainModel<Scalar>& model) {
  return model.network();
}
template <typename Scalar>
const Vector<Scalar>& weights_of(const ChainModel<Scalar>& model) {
  return model.weights();
}
/// What an optimizer remembers is of the weights before, and is forgotten.
template <typename Scalar>
void set_weights_of(Chain<Scalar>& chain, Vector<Scalar> weights) {
  chain.parameters = std::move(weights);
  chain.training = {};
}
template <typename Scalar>
void set_weights_of(ChainModel<Scalar>& model, const Vector<Scalar>& weights) {
  model.set_weights(weights);
  model.training_state() = {};
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
