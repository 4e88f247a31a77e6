#pragma once

#include <reprise/layers/bidirectional.hpp>
#include <reprise/layers/gru.hpp>

#include "golden.hpp"

// The cases of golden/recurrent.json.
namespace golden {

/// One layer of any kind. States are lists of tensors, in the order in which the layer's state has them.
struct RecurrentCase {
  std::string name, layer;
  reprise::RecurrentOptions options;
  Tensors parameters;
  Tensor x, output;
  std::vector<Index> lengths;  // empty: all steps
  std::vector<Tensor> initial, final;
  std::optional<Tensor> x_mask, h_mask;
  Tensor output_upstream;
  std::vector<Tensor> final_upstream, initial_gradient;
  Tensors gradient;  // x among them
};

/// A recurrent layer with sequences out, then a Dense(1), trained by Adam under a mask with sample weights.
struct MaskedFit {
  std::string name;
  reprise::RecurrentOptions options;
  std::vector<Index> lengths;
  Tensor x, y;
  std::vector<double> sample_weights;
  double learning_rate = 0;
  Index batch_size = 0, epochs = 0;
  Tensors parameters;
  Tensor output;     // before training
  Tensors gradient;  // of the first batch
  std::vector<std::vector<double>> batch_losses;
  std::vector<double> epoch_losses;
  Tensors after;
  double evaluation = 0, unweighted_evaluation = 0;
  Tensor prediction;  // after training
};

inline reprise::GruOptions gru_options(const Json& json) {
  require_known(json, {"units", "activation", "recurrent_activation", "use_bias", "return_sequences",
                       "go_backwards", "dropout", "recurrent_dropout", "reset_after"});
  reprise::GruOptions options;
  options.units = integer(json, "units");
  options.activation = activation(json, "activation");
  options.recurrent_activation = activation(json, "recurrent_activation");
  options.use_bias = flag(json, "use_bias");
  options.return_sequences = flag(json, "return_sequences");
  options.go_backwards = flag(json, "go_backwards");
  options.dropout = number(json, "dropout");
  options.recurrent_dropout = number(json, "recurrent_dropout");
  options.reset_after = flag(json, "reset_after");
  return options;
}

inline reprise::MergeMode merge_mode(const std::string& name) {
  const auto names = enumerator_names(reprise::MergeMode{});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<reprise::MergeMode>(i);
  }
  fail("unknown merge mode " + name);
}

inline reprise::RecurrentOptions recurrent_options(const Json& json) {
  const std::string layer = text(json, "layer");
  if (layer != "lstm" && layer != "gru") fail("unknown layer " + layer);
  const Json& config = at(json, "config");
  reprise::RecurrentOptions options = layer == "lstm" ? reprise::RecurrentOptions(lstm_options(config))
                                                      : reprise::RecurrentOptions(gru_options(config));
  if (!json.contains("merge_mode")) return options;
  return reprise::BidirectionalOptions{.layer = options, .merge_mode = merge_mode(text(json, "merge_mode"))};
}

inline std::vector<Tensor> tensor_list(const Json& object, const std::string& key) {
  std::vector<Tensor> result;
  for (const Json& one : at(object, key)) result.push_back(as_tensor(one));
  return result;
}

inline std::vector<RecurrentCase> recurrent_layers(const Json& json) {
  return read_cases(json, [](const Json& one, const std::string& number) {
    require_known(one, {"name", "layer", "merge_mode", "config", "parameters", "x", "lengths", "initial",
                        "x_mask", "h_mask", "output", "final", "upstream", "gradient", "initial_gradient"});
    const Json& upstream = at(one, "upstream");
    require_known(upstream, {"output", "final"});
    RecurrentCase result;
    result.name = number + ", " + text(one, "name");
    result.layer = (one.contains("merge_mode") ? "bidirectional " : "") + text(one, "layer");
    result.options = recurrent_options(one);
    result.parameters = tensors(one, "parameters");
    result.x = tensor(one, "x");
    if (one.contains("lengths")) result.lengths = at(one, "lengths").get<std::vector<Index>>();
    if (one.contains("initial")) {
      result.initial = tensor_list(one, "initial");
      result.initial_gradient = tensor_list(one, "initial_gradient");
    }
    result.x_mask = optional_tensor(one, "x_mask");
    result.h_mask = optional_tensor(one, "h_mask");
    result.output = tensor(one, "output");
    result.final = tensor_list(one, "final");
    result.output_upstream = tensor(upstream, "output");
    result.final_upstream = tensor_list(upstream, "final");
    result.gradient = tensors(one, "gradient");
    return result;
  });
}

inline std::vector<MaskedFit> masked_fits(const Json& json) {
  std::vector<MaskedFit> result;
  for (const Json& one : at(json, "fits")) {
    require_known(
        one, {"layer", "config", "lengths", "x", "y", "sample_weight", "learning_rate", "batch_size",
              "epochs", "parameters", "output", "gradient", "batch_losses", "epoch_losses", "keras_history",
              "after", "evaluation", "unweighted_evaluation", "prediction"});
    const Json& config = at(one, "config");
    require_known(config, {"units", "activation"});
    MaskedFit fit;
    fit.name = "fit of " + text(one, "layer");
    if (text(one, "layer") == "lstm") {
      fit.options = reprise::LstmOptions{.units = integer(config, "units"),
                                         .activation = activation(config, "activation")};
    } else {
      fit.options = reprise::GruOptions{.units = integer(config, "units"),
                                        .activation = activation(config, "activation")};
    }
    fit.options.set_return_sequences(true);
    fit.lengths = at(one, "lengths").get<std::vector<Index>>();
    fit.x = tensor(one, "x");
    fit.y = tensor(one, "y");
    fit.sample_weights = numbers(one, "sample_weight");
    fit.learning_rate = number(one, "learning_rate");
    fit.batch_size = integer(one, "batch_size");
    fit.epochs = integer(one, "epochs");
    fit.parameters = tensors(one, "parameters");
    fit.output = tensor(one, "output");
    fit.gradient = tensors(one, "gradient");
    fit.batch_losses = at(one, "batch_losses").get<std::vector<std::vector<double>>>();
    fit.epoch_losses = numbers(one, "epoch_losses");
    fit.after = tensors(one, "after");
    fit.evaluation = number(one, "evaluation");
    fit.unweighted_evaluation = number(one, "unweighted_evaluation");
    fit.prediction = tensor(one, "prediction");
    result.push_back(std::move(fit));
  }
  return result;
}

}  // namespace golden
