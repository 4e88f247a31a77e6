#pragma once

#include <string>
#include <utility>
#include <vector>

#include "keras_options.hpp"

// The JSON that describes a model of Keras: a Sequential, or a Functional model that is a plain chain.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

struct KerasModel {
  SequenceShape input{};
  std::vector<KerasLayer> layers{};
};

class KerasModelReader {
 public:
  KerasModelReader(const Json& root, std::string place, const KerasReading& reading)
      : place_(std::move(place)), reading_(reading) {
    const std::string class_name = json_text(root, "class_name", place_);
    is_functional_ = class_name == "Functional" || class_name == "Model";
    if (class_name != "Sequential" && !is_functional_) {
      fail_file(place_, "a Sequential or Functional model", shown(Json(class_name)));
    }
    const Json& config = json_member(root, "config", place_);
    // The first versions of Keras wrote the layers of a Sequential alone.
    const Json& layers = config.is_array() ? config : json_member(config, "layers", place_);
    if (!layers.is_array() || layers.empty()) fail_file(place_ + ": layers", "some", shown(layers));
    if (config.is_object()) read_policy(config);
    for (const Json& layer : layers) {
      const std::string kind = json_text(layer, "class_name", place_ + ": layer");
      if (kind == "InputLayer") continue;
      reads_symbols_ = kind == "Embedding";
      break;
    }
    for (const Json& layer : layers) read_layer(layer);
    if (!has_input_) read_shape(root, config);
    if (model_.layers.empty()) fail_file(place_ + ": layers", "one besides the input", "none");
    if (is_functional_) check_ends(config, layers);
  }

  KerasModel take() { return std::move(model_); }

 private:
  void read_policy(const Json& config) {
    KerasConfig of_model(config, place_, reading_);
    of_model.read_common();
  }

  void read_layer(const Json& json) {
    const std::string class_name = json_text(json, "class_name", place_ + ": layer");
    const Json& config = json_member(json, "config", place_ + ": layer");
    const std::string name = json_text(config, "name", place_ + ": layer " + shown(Json(class_name)));
    const std::string place = place_of(place_, name);
    if (is_functional_) check_inbound(json, place);
    last_ = name;
    if (class_name == "InputLayer") {
      KerasConfig input(config, place, reading_);
      if (has_input_ || !model_.layers.empty()) fail_file(place, "one input, in front", "another");
      for (const char* option : {"batch_shape", "batch_input_shape"}) {
        if (const Json* shape = input.take(option)) read_input(*shape, place);
      }
      input.read_common(reads_symbols_);
      input.pass({"optional"});
      input.require_off({"sparse", "ragged"});
      input.finish();
      return;
    }
    if (model_.layers.empty() && !has_input_ && config.is_object()) {
      if (const auto shape = config.find("batch_input_shape"); shape != config.end())
        read_input(*shape, place);
    }
    KerasConfig options(config, place, reading_);
    KerasLayer layer{class_name, {}};
    layer.layer.name = name;
    bool softmax = false;
    layer.layer.options = keras_options(class_name, options, softmax);
    options.finish();
    model_.layers.push_back(std::move(layer));
    if (softmax) model_.layers.push_back({"", {name + "_softmax", ImportedSoftmax{}, {}}});
  }

  /// [batch, steps, features], or [batch, steps] of symbols.
  void read_input(const Json& shape, const std::string& place) {
    if (has_input_) return;
    const std::size_t dimensions = reads_symbols_ ? 2 : 3;
    if (!shape.is_array() || shape.size() != dimensions) {
      fail_file(place + ": input shape", reads_symbols_ ? "[null, steps]" : "[null, steps, features]",
                shown(shape));
    }
    has_input_ = true;
    const auto extent = [&](const Json& value) {
      const std::int64_t number = value.is_number_integer() ? value.get<std::int64_t>() : 0;
      if (number < 1 || number > largest_size)
        fail_file(place + ": input shape", "positive sizes", shown(shape));
      return static_cast<Index>(number);
    };
    const Index given = reading_.options.steps;
    if (shape[1].is_null() && given < 1) {
      fail_file(place + ": input shape", "a number of steps; KerasOptions::steps gives it where it is open",
                shown(shape));
    }
    const Index steps = shape[1].is_null() ? given : extent(shape[1]);
    if (given > 0 && steps != given) {
      fail_file(place + ": input shape", std::to_string(given) + " steps, as KerasOptions::steps says",
                shown(shape));
    }
    model_.input = {.steps = steps, .features = reads_symbols_ ? 1 : extent(shape[2])};
  }
  /// Of a Sequential that was built without an input.
  void read_shape(const Json& root, const Json& config) {
    if (config.is_object() && config.contains("build_input_shape")) {
      return read_input(config["build_input_shape"], place_);
    }
    if (root.contains("build_config") && root["build_config"].is_object() &&
        root["build_config"].contains("input_shape")) {
      return read_input(root["build_config"]["input_shape"], place_);
    }
    fail_file(place_, "an input shape", "none");
  }

  // ---- A Functional model: each layer is called once, on what the layer before it gives ----
  void check_inbound(const Json& json, const std::string& place) const {
    const Json& nodes = json_member(json, "inbound_nodes", place);
    const bool is_first = last_.empty();
    if (!nodes.is_array() || nodes.size() != (is_first ? 0u : 1u)) {
      fail_file(place + ": inbound_nodes", is_first ? "an input in front" : "one call, as in a plain chain",
                shown(nodes));
    }
    if (is_first) return;
    const Json& node = nodes[0];
    const Json* history = nullptr;
    const Json* arguments = nullptr;
    if (node.is_object()) {
      // Keras 3: {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": [...]}}], "kwargs":
      // {}}
      const Json& args = json_member(node, "args", place);
      if (args.is_array() && args.size() == 1 && args[0].is_object() && args[0].contains("config") &&
          args[0]["config"].is_object() && args[0]["config"].contains("keras_history")) {
        history = &args[0]["config"]["keras_history"];
      }
      arguments = &json_member(node, "kwargs", place);
    } else if (node.is_array() && node.size() == 1 && node[0].is_array() && node[0].size() >= 3) {
      // Keras 2: [["lstm", 0, 0, {}]]
      history = &node[0];
      if (node[0].size() > 3) arguments = &node[0][3];
    }
    if (history == nullptr || !is_output_of(*history, last_)) {
      fail_file(place + ": inbound_nodes",
                "the layer before it, " + shown(Json(last_)) + ", as in a plain chain", shown(node));
    }
    check_arguments(arguments, place);
  }
  static bool is_output_of(const Json& history, const std::string& layer) {
    return history.is_array() && history.size() >= 3 && history[0] == Json(layer) && history[1] == Json(0) &&
           history[2] == Json(0);
  }
  /// A mask, an initial state, training = True.
  static void check_arguments(const Json* arguments, const std::string& place) {
    if (arguments == nullptr) return;
    for (const auto& argument : arguments->items()) {
      const bool is_training = argument.key() == "training" && argument.value() == Json(false);
      if (argument.value().is_null() || is_training) continue;
      fail_file(place + ": call argument " + shown(Json(argument.key())), "none", shown(argument.value()));
    }
  }
  void check_ends(const Json& config, const Json& layers) const {
    const auto check = [&](const char* member, const std::string& layer) {
      const Json& ends = json_member(config, member, place_);
      const Json& one = ends.is_array() && ends.size() == 1 ? ends[0] : ends;
      if (!is_output_of(one, layer)) {
        fail_file(place_ + ": " + member, "one, the " + shown(Json(layer)) + " of a plain chain",
                  shown(ends));
      }
    };
    check("input_layers", json_text(layers[0]["config"], "name", place_));
    check("output_layers", last_);
  }

  std::string place_;
  const KerasReading& reading_;
  bool is_functional_ = false;
  bool has_input_ = false;
  /// Whether the first layer is an Embedding.
  bool reads_symbols_ = false;
  /// The name of the layer that was read last.
  std::string last_;
  KerasModel model_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
