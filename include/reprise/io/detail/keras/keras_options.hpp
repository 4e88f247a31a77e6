#pragma once

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "../../../layers/activations.hpp"
#include "../../../layers/bidirectional.hpp"
#include "../../../layers/gru.hpp"
#include "../../keras_options.hpp"
#include "../imported_chain.hpp"

// The options of Keras's layers as ours. Each option of the file is honoured, has no meaning for what is
// computed, or is refused by its name; so is one that is not known here.
namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// What decides how options are read.
struct KerasReading {
  KerasOptions options{};
  /// The first number of keras_version.
  int version = 3;
};

/// The options of one layer, each to be asked for.
class KerasConfig {
 public:
  KerasConfig(const Json& config, std::string place, const KerasReading& reading)
      : config_(config), place_(std::move(place)), reading_(reading) {
    if (!config_.is_object()) fail_file(place_, "options", shown(config_));
  }

  const std::string& place() const { return place_; }
  const KerasReading& reading() const { return reading_; }
  [[noreturn]] void refuse(const char* option, const std::string& expected, const std::string& got) const {
    fail_file(place_ + ": " + option, expected, got);
  }

  /// Null where there is no such option, or it is null.
  const Json* take(const char* option) {
    taken_.insert(option);
    const auto found = config_.find(option);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }
  const Json& need(const char* option) {
    const Json* found = take(option);
    if (found == nullptr) refuse(option, "a value", "none");
    return *found;
  }
  bool boolean(const char* option, bool fallback) {
    const Json* found = take(option);
    if (found == nullptr) return fallback;
    if (!found->is_boolean()) refuse(option, "true or false", shown(*found));
    return found->get<bool>();
  }
  Index size(const char* option) {
    const Json& found = need(option);
    if (!found.is_number_integer() || found.get<std::int64_t>() < 1 ||
        found.get<std::int64_t>() > largest_size) {
      refuse(option, "a whole number from 1 to " + std::to_string(largest_size), shown(found));
    }
    return static_cast<Index>(found.get<std::int64_t>());
  }
  double rate(const char* option) {
    const Json* found = take(option);
    if (found == nullptr) return 0.0;
    const double value = found->is_number() ? found->get<double>() : -1.0;
    if (!is_finite(value) || value < 0.0 || value >= 1.0) refuse(option, "a number in [0, 1)", shown(*found));
    return value;
  }
  std::string text(const char* option) {
    const Json& found = need(option);
    if (!found.is_string()) refuse(option, "text", shown(found));
    return found.get<std::string>();
  }
  Activation activation(const char* option, Activation fallback) {
    const Json* found = take(option);
    if (found == nullptr) return config_.contains(option) ? activation::linear : fallback;
    if (found->is_object()) return activation_layer(option, *found);
    if (!found->is_string()) refuse(option, "the name of an activation", shown(*found));
    return named(option, found->get<std::string>());
  }

  /// These have no meaning for what is computed, or have done their work.
  void pass(std::initializer_list<const char*> options) {
    for (const char* option : options) taken_.insert(option);
  }
  /// What this library does not have: refused where it is there and not false.
  void require_off(std::initializer_list<const char*> options) {
    for (const char* option : options) {
      const Json* found = take(option);
      if (found != nullptr && *found != Json(false))
        refuse(option, "none (this library has no such thing)", shown(*found));
    }
  }
  /// The same of what only training heeds.
  void require_no_training(std::initializer_list<const char*> options) {
    for (const char* option : options) {
      const Json* found = take(option);
      if (found == nullptr || reading_.options.inference_only) continue;
      refuse(option, "none (KerasOptions::inference_only passes over it)", shown(*found));
    }
  }
  /// Options of every layer. `reads_symbols`: what goes through it may be whole numbers.
  void read_common(bool reads_symbols = false) {
    pass({"name", "batch_input_shape", "batch_shape"});
    if (!boolean("trainable", true) && !reading_.options.inference_only) {
      refuse("trainable",
             "true (FitOptions::frozen names what is not to be trained, and "
             "KerasOptions::inference_only passes over it)",
             "false");
    }
    reads_symbols ? pass({"dtype"}) : require_float("dtype");
  }
  /// No option may be left that nobody asked for.
  void finish() const {
    for (const auto& option : config_.items()) {
      if (taken_.count(option.key()) == 0) {
        fail_file(place_ + ": " + shown(Json(option.key())), "an option that is known here",
                  shown(option.value()));
      }
    }
  }

 private:
  /// float32 or float64, as a name or a policy with that name.
  void require_float(const char* option) {
    const Json* found = take(option);
    if (found == nullptr) return;
    const Json* name = found;
    if (found->is_object() && found->contains("config") && (*found)["config"].is_object() &&
        (*found)["config"].contains("name")) {
      name = &(*found)["config"]["name"];
    }
    if (*name != Json("float32") && *name != Json("float64")) {
      refuse(option, "float32 or float64", shown(*name));
    }
  }
  Activation named(const char* option, const std::string& name) const {
    if (name == "hard_sigmoid" && reading_.version < 3) {
      refuse(option,
             "another activation than hard_sigmoid, which was clip(0.2 x + 0.5) before Keras 3 and is "
             "clip(x / 6 + 0.5) here and there since",
             "hard_sigmoid of Keras " + std::to_string(reading_.version));
    }
    for (std::size_t kind = 0; kind < activation_names.size(); ++kind) {
      if (name == activation_names[kind]) return Activation(static_cast<int>(kind));
    }
    std::string known;
    for (const std::string_view one : activation_names)
      known += (known.empty() ? "" : ", ") + std::string(one);
    refuse(option, "one of " + known, shown(Json(name)));
  }
  /// A layer in an activation's place.
  Activation activation_layer(const char* option, const Json& layer) const {
    const Json name = layer.value("class_name", Json());
    const Json config = layer.value("config", Json());
    if (name == Json("LeakyReLU") && config.is_object()) {
      const Json slope = config.value("negative_slope", config.value("alpha", Json()));
      if (slope.is_number() && std::abs(slope.get<double>() - 0.2) < 1e-7) return activation::leaky_relu;
    }
    refuse(option, "the name of an activation, or a LeakyReLU with negative_slope = 0.2", shown(layer));
  }

  const Json& config_;
  std::string place_;
  const KerasReading& reading_;
  std::set<std::string> taken_;
};

/// A layer's class and options in a file: {"class_name": ..., "config": {...}, ...}.
inline const Json& json_member(const Json& object, const char* name, const std::string& place) {
  if (!object.is_object() || !object.contains(name)) {
    fail_file(place, "a member " + std::string(name), object.is_object() ? "none" : shown(object));
  }
  return object[name];
}
inline std::string json_text(const Json& object, const char* name, const std::string& place) {
  const Json& found = json_member(object, name, place);
  if (!found.is_string()) fail_file(place + ": " + name, "text", shown(found));
  return found.get<std::string>();
}

/// What LSTM and GRU have in common. `is_half`: of a Bidirectional, whose output beyond a sample's end is 0
/// in any case.
template <typename Options>
Options keras_recurrent(KerasConfig& config, bool is_half) {
  Options options;
  config.read_common();
  options.units = config.size("units");
  options.activation = config.activation("activation", options.activation);
  options.recurrent_activation = config.activation("recurrent_activation", options.recurrent_activation);
  options.use_bias = config.boolean("use_bias", true);
  options.return_sequences = config.boolean("return_sequences", false);
  options.go_backwards = config.boolean("go_backwards", false);
  options.dropout = config.rate("dropout");
  options.recurrent_dropout = config.rate("recurrent_dropout");
  config.pass({"kernel_initializer", "recurrent_initializer", "bias_initializer", "seed", "unroll",
               "implementation", "use_cudnn", "input_dim", "input_length"});
  config.require_off({"return_state", "stateful", "time_major"});
  is_half ? config.pass({"zero_output_for_mask"}) : config.require_off({"zero_output_for_mask"});
  config.require_no_training({"kernel_regularizer", "recurrent_regularizer", "bias_regularizer",
                              "activity_regularizer", "kernel_constraint", "recurrent_constraint",
                              "bias_constraint"});
  return options;
}

inline RecurrentOptions keras_recurrent_options(const std::string& class_name, KerasConfig& config,
                                                bool is_half);

inline BidirectionalOptions keras_bidirectional(KerasConfig& config) {
  config.read_common();
  const std::string mode = config.text("merge_mode");  // null would be two outputs
  BidirectionalOptions options;
  const auto names = enumerator_names(MergeMode{});
  const auto found = std::find(names.begin(), names.end(), mode);
  if (found == names.end()) config.refuse("merge_mode", "concat, sum, ave or mul", shown(Json(mode)));
  options.merge_mode = static_cast<MergeMode>(found - names.begin());
  const auto half = [&](const Json& layer, const char* what) {
    const std::string place = config.place() + ": " + what;
    KerasConfig inner(json_member(layer, "config", place), place, config.reading());
    RecurrentOptions read = keras_recurrent_options(json_text(layer, "class_name", place), inner, true);
    inner.finish();
    return read;
  };
  options.layer = half(config.need("layer"), "layer");
  if (options.layer.get_if<BidirectionalOptions>() != nullptr || options.layer.go_backwards()) {
    config.refuse("layer", "an LSTM or GRU that reads forwards", "another");
  }
  if (const Json* other = config.take("backward_layer")) {
    RecurrentOptions backward = half(*other, "backward_layer");
    const bool reads_backwards = backward.go_backwards();
    backward.set_go_backwards(false);
    if (!reads_backwards || !(backward == options.layer)) {
      config.refuse("backward_layer", "the options of `layer` with go_backwards = true", "others");
    }
  }
  return options;
}

inline RecurrentOptions keras_recurrent_options(const std::string& class_name, KerasConfig& config,
                                                bool is_half) {
  if (class_name == "LSTM") {
    auto options = keras_recurrent<LstmOptions>(config, is_half);
    options.unit_forget_bias = config.boolean("unit_forget_bias", true);
    return options;
  }
  if (class_name == "GRU") {
    auto options = keras_recurrent<GruOptions>(config, is_half);
    options.reset_after = config.boolean("reset_after", config.reading().version >= 3);
    return options;
  }
  if (class_name == "Bidirectional") return keras_bidirectional(config);
  fail_file(config.place(), "an LSTM, GRU or Bidirectional", shown(Json(class_name)));
}

/// `softmax`: set where the activation is that, which is a layer of its own here.
inline DenseOptions keras_dense(KerasConfig& config, bool& softmax) {
  DenseOptions options;
  config.read_common();
  options.units = config.size("units");
  const Json* activation = config.take("activation");
  softmax = activation != nullptr && *activation == Json("softmax");
  if (!softmax) options.activation = config.activation("activation", activation::linear);
  options.use_bias = config.boolean("use_bias", true);
  config.pass({"kernel_initializer", "bias_initializer", "input_dim"});
  config.require_off({"lora_rank", "lora_alpha", "quantization_config"});
  config.require_no_training({"kernel_regularizer", "bias_regularizer", "activity_regularizer",
                              "kernel_constraint", "bias_constraint"});
  return options;
}

/// A layer of the file: its class, and that of the layer inside a TimeDistributed.
struct KerasLayer {
  std::string class_name{};
  ImportedLayer layer{};
};

inline EmbeddingOptions keras_embedding(KerasConfig& config) {
  EmbeddingOptions options;
  config.read_common();
  options.input_dim = config.size("input_dim");
  options.output_dim = config.size("output_dim");
  config.pass({"embeddings_initializer", "input_length", "sparse"});
  config.require_off({"mask_zero", "lora_rank", "lora_alpha", "quantization_config"});
  config.require_no_training({"embeddings_regularizer", "embeddings_constraint", "activity_regularizer"});
  return options;
}
inline ImportedSoftmax keras_softmax(KerasConfig& config) {
  config.read_common();
  if (const Json* axis = config.take("axis"); axis != nullptr && *axis != Json(-1)) {
    config.refuse("axis", "-1, the features", shown(*axis));
  }
  return {};
}

inline DenseOptions keras_time_distributed(KerasConfig& config, bool& softmax) {
  config.read_common();
  const Json& inner = config.need("layer");
  const std::string place = config.place() + ": layer";
  const std::string class_name = json_text(inner, "class_name", place);
  if (class_name != "Dense") fail_file(place, "a Dense layer", shown(Json(class_name)));
  KerasConfig dense(json_member(inner, "config", place), place, config.reading());
  DenseOptions options = keras_dense(dense, softmax);
  dense.finish();
  return options;
}

/// Any layer that a chain may have but its input. `softmax`: whether one must follow it.
inline ImportedOptions keras_options(const std::string& class_name, KerasConfig& config, bool& softmax) {
  softmax = false;
  if (class_name == "LSTM" || class_name == "GRU" || class_name == "Bidirectional") {
    return keras_recurrent_options(class_name, config, false);
  }
  if (class_name == "Dense") return keras_dense(config, softmax);
  if (class_name == "TimeDistributed") return keras_time_distributed(config, softmax);
  if (class_name == "Embedding") return keras_embedding(config);
  if (class_name == "Softmax") return keras_softmax(config);
  if (class_name == "RepeatVector") {
    config.read_common();
    return ImportedRepeat{config.size("n")};
  }
  if (class_name == "Dropout") {
    config.read_common();
    config.pass({"seed"});
    config.require_off({"noise_shape"});
    return ImportedDropout{config.rate("rate")};
  }
  fail_file(
      config.place(),
      "one of LSTM, GRU, Bidirectional, RepeatVector, TimeDistributed(Dense), Dense, Dropout, Embedding, "
      "Softmax",
      shown(Json(class_name)));
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
