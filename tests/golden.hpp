#pragma once

#include <algorithm>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <reprise/layers/dense.hpp>
#include <reprise/layers/lstm.hpp>
#include <reprise/losses/losses.hpp>
#include <reprise/models/autoencoder.hpp>
#include <reprise/optimizers/optimizers.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Reads the files of golden/ into plain values. Whatever is missing or not known throws: nothing in a file
// may go uncompared because a name was misread.
namespace golden {

using Json = nlohmann::json;
using reprise::Index;

[[noreturn]] inline void fail(const std::string& what) { throw std::runtime_error("golden files: " + what); }

/// Shape and values, the last index fastest, as Keras has them.
struct Tensor {
  std::vector<Index> shape;
  std::vector<double> data;
};
using Tensors = std::map<std::string, Tensor>;

struct AutoencoderCase {
  std::string name;
  Index steps = 0, features = 0;
  reprise::Activation output_activation{};
  std::vector<reprise::LstmOptions> encoder, decoder;
  Tensors parameters;
  Tensor x, output;
  double loss = 0;
  Tensors gradient;
  struct {
    double learning_rate = 0;
    std::vector<double> losses;  // before each step
    Tensors parameters;          // after the last
  } adam;
  struct {
    double learning_rate = 0, validation_split = 0;
    Index epochs = 0, batch_size = 0;
    Tensor x;
    std::vector<double> loss, validation_loss;
  } fit;
};

/// Kinds of decoders: `output` and `evaluation` of reconstruction, `loss` and `gradient` of training.
struct DecoderCase {
  std::string name;
  reprise::AutoencoderOptions options;
  Tensors parameters;
  Tensor x, output;
  double evaluation = 0, loss = 0;
  Tensors gradient;
};

struct LstmCase {
  std::string name;
  reprise::LstmOptions options;
  Tensors parameters;
  Tensor x, output, h, c;
  std::optional<Tensor> h0, c0, x_mask, h_mask;
  Tensor output_upstream, h_upstream, c_upstream;
  Tensors gradient;  // x, h0 and c0 among them
};

struct DenseCase {
  std::string name, layer;
  reprise::DenseOptions options;
  Tensors parameters;
  Tensor x, output, upstream;
  Tensors gradient;  // x among them
};

struct LossCase {
  std::string name, loss_name;
  reprise::Loss loss;
  Tensor target, prediction;
  std::vector<double> sample_weights;  // empty: none
  double value = 0;
  Tensor gradient;
};

struct OptimizerCase {
  std::string name;
  reprise::Optimizer optimizer;
  std::string schedule;        // empty: a constant
  std::vector<Tensors> after;  // each step
};
struct Optimizers {
  Tensors initial;
  std::vector<Tensors> gradients;
  struct Schedule {
    reprise::LearningRate rate;
    std::vector<double> rates;  // of steps 0, 1, ...
  };
  std::map<std::string, Schedule> schedules;
  std::vector<OptimizerCase> cases;
};

// ---- Parts of a file ----

inline const Json& at(const Json& object, const std::string& key) {
  if (!object.is_object() || !object.contains(key)) fail("no " + key + " in " + object.dump().substr(0, 80));
  return object.at(key);
}
inline double number(const Json& object, const std::string& key) { return at(object, key).get<double>(); }
inline Index integer(const Json& object, const std::string& key) { return at(object, key).get<Index>(); }
inline bool flag(const Json& object, const std::string& key) { return at(object, key).get<bool>(); }
inline std::string text(const Json& object, const std::string& key) {
  return at(object, key).get<std::string>();
}
inline std::vector<double> numbers(const Json& object, const std::string& key) {
  return at(object, key).get<std::vector<double>>();
}

/// Throws unless all keys are among those that the reader knows.
inline void require_known(const Json& object, std::initializer_list<std::string_view> known) {
  for (const auto& item : object.items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) fail("unknown " + item.key());
  }
}

inline Tensor as_tensor(const Json& json) {
  Tensor result{at(json, "shape").get<std::vector<Index>>(), numbers(json, "data")};
  const Index size = std::accumulate(result.shape.begin(), result.shape.end(), Index{1}, std::multiplies<>{});
  if (size == 0 || size != static_cast<Index>(result.data.size()))
    fail("a tensor whose shape and data disagree");
  return result;
}
inline Tensor tensor(const Json& object, const std::string& key) { return as_tensor(at(object, key)); }
inline std::optional<Tensor> optional_tensor(const Json& object, const std::string& key) {
  if (!object.contains(key)) return std::nullopt;
  return tensor(object, key);
}
inline Tensors as_tensors(const Json& json) {
  Tensors result;
  for (const auto& item : json.items()) result.emplace(item.key(), as_tensor(item.value()));
  return result;
}
inline Tensors tensors(const Json& object, const std::string& key) { return as_tensors(at(object, key)); }
inline std::vector<Tensors> tensors_of_steps(const Json& object, const std::string& key) {
  std::vector<Tensors> result;
  for (const Json& step : at(object, key)) result.push_back(as_tensors(step));
  return result;
}

inline reprise::Activation activation(const Json& object, const std::string& key) {
  return reprise::activation_from_name(text(object, key));
}

inline reprise::LstmOptions lstm_options(const Json& json) {
  require_known(json, {"units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias",
                       "go_backwards", "return_sequences", "dropout", "recurrent_dropout"});
  reprise::LstmOptions options;
  options.units = integer(json, "units");
  options.activation = activation(json, "activation");
  options.recurrent_activation = activation(json, "recurrent_activation");
  options.use_bias = flag(json, "use_bias");
  options.unit_forget_bias = flag(json, "unit_forget_bias");
  options.go_backwards = flag(json, "go_backwards");
  if (json.contains("return_sequences")) options.return_sequences = flag(json, "return_sequences");
  if (json.contains("dropout")) options.dropout = number(json, "dropout");
  if (json.contains("recurrent_dropout")) options.recurrent_dropout = number(json, "recurrent_dropout");
  return options;
}

inline reprise::Loss loss(const Json& json) {
  const std::string name = text(json, "loss");
  if (name == "huber") return reprise::Huber{number(json, "delta")};
  require_known(json, {"loss", "target", "prediction", "sample_weight", "value", "gradient"});
  if (name == "mean_squared_error") return reprise::MeanSquaredError{};
  if (name == "mean_absolute_error") return reprise::MeanAbsoluteError{};
  if (name == "log_cosh") return reprise::LogCosh{};
  fail("unknown loss " + name);
}

inline reprise::LearningRate schedule(const Json& json) {
  const std::string type = text(json, "type");
  if (type == "exponential_decay") {
    require_known(json, {"type", "initial_learning_rate", "decay_steps", "decay_rate", "staircase", "rates"});
    return reprise::ExponentialDecay{number(json, "initial_learning_rate"), integer(json, "decay_steps"),
                                     number(json, "decay_rate"), flag(json, "staircase")};
  }
  if (type != "cosine_decay") fail("unknown schedule " + type);
  require_known(json, {"type", "initial_learning_rate", "decay_steps", "alpha", "warmup_target",
                       "warmup_steps", "rates"});
  reprise::CosineDecay decay{number(json, "initial_learning_rate"), integer(json, "decay_steps"),
                             number(json, "alpha")};
  if (json.contains("warmup_target")) {
    decay.warmup_target = number(json, "warmup_target");
    decay.warmup_steps = integer(json, "warmup_steps");
  }
  return decay;
}

// Each sets the option with Keras's or PyTorch's name for it, and is false when there is none.
template <typename AdamKind>
bool set_option(AdamKind& adam, const std::string& name, const Json& value) {
  if (name == "betas") {
    adam.beta_1 = value.at(0).get<double>();
    adam.beta_2 = value.at(1).get<double>();
    return true;
  }
  double* const option = name == "beta_1"                     ? &adam.beta_1
                         : name == "beta_2"                   ? &adam.beta_2
                         : name == "epsilon" || name == "eps" ? &adam.epsilon
                         : name == "weight_decay"             ? &adam.weight_decay
                                                              : nullptr;
  if (option != nullptr) *option = value.get<double>();
  return option != nullptr;
}
inline bool set_option(reprise::Sgd& sgd, const std::string& name, const Json& value) {
  if (name == "momentum") return sgd.momentum = value.get<double>(), true;
  if (name == "nesterov") return sgd.nesterov = value.get<bool>(), true;
  return false;
}
inline bool set_option(reprise::RmsProp& rms_prop, const std::string& name, const Json& value) {
  if (name == "rho" || name == "alpha") return rms_prop.rho = value.get<double>(), true;
  if (name == "epsilon" || name == "eps") return rms_prop.epsilon = value.get<double>(), true;
  if (name == "momentum") return rms_prop.momentum = value.get<double>(), true;
  if (name == "centered") return rms_prop.centered = value.get<bool>(), true;
  return false;
}

template <typename Kind>
Kind with_options(Kind kind, const Json& options,
                  const std::map<std::string, Optimizers::Schedule>& schedules) {
  for (const auto& item : options.items()) {
    const std::string& name = item.key();
    const Json& value = item.value();
    if (name == "learning_rate" || name == "lr") {
      kind.learning_rate = value.get<double>();
    } else if (name == "schedule") {
      kind.learning_rate = schedules.at(value.get<std::string>()).rate;
    } else if (name == "clipvalue") {
      kind.clip = reprise::ClipValue{value.get<double>()};
    } else if (name == "clipnorm") {
      kind.clip = reprise::ClipNorm{value.get<double>()};
    } else if (name == "global_clipnorm") {
      kind.clip = reprise::GlobalClipNorm{value.get<double>()};
    } else if (!set_option(kind, name, value)) {
      fail("unknown option " + name + " of an optimizer");
    }
  }
  return kind;
}

inline reprise::Optimizer optimizer(const Json& json,
                                    const std::map<std::string, Optimizers::Schedule>& schedules) {
  const std::string kind = text(json, "optimizer"), meaning = text(json, "meaning");
  if (meaning != "keras" && meaning != "pytorch") fail("unknown meaning " + meaning);
  const auto convention = meaning == "keras" ? reprise::Convention::keras : reprise::Convention::pytorch;
  const Json& options = at(json, "options");
  if (kind == "adam") return with_options(reprise::Adam{.convention = convention}, options, schedules);
  if (kind == "adamw") return with_options(reprise::AdamW{.convention = convention}, options, schedules);
  if (kind == "sgd") return with_options(reprise::Sgd{.convention = convention}, options, schedules);
  if (kind == "rmsprop") return with_options(reprise::RmsProp{.convention = convention}, options, schedules);
  fail("unknown optimizer " + kind);
}

// ---- Whole files ----

inline Json file(const std::string& name) {
  const std::string path = std::string(REPRISE_GOLDEN_DIR) + "/" + name + ".json";
  std::ifstream stream(path);
  if (!stream) fail("cannot read " + path);
  return Json::parse(stream);
}

/// The cases of a file, each read by `read(json, "case <number>")`.
template <typename Read>
auto read_cases(const Json& json, Read read) {
  std::vector<decltype(read(json, std::string()))> result;
  for (const Json& one : at(json, "cases"))
    result.push_back(read(one, "case " + std::to_string(result.size())));
  return result;
}

inline std::vector<DecoderCase> decoders() {
  return read_cases(file("decoders"), [](const Json& json, const std::string& name) {
    require_known(json, {"config", "parameters", "x", "output", "evaluation", "loss", "gradient"});
    const Json& config = at(json, "config");
    require_known(config, {"steps", "features", "output_activation", "encoder", "decoder", "decoder_input",
                           "decoder_state", "reverse_decoder"});
    const std::string input = text(config, "decoder_input"), state = text(config, "decoder_state");
    DecoderCase one;
    one.name = name;
    one.options.steps = integer(config, "steps");
    one.options.features = integer(config, "features");
    one.options.output_activation = activation(config, "output_activation");
    for (const Json& layer : at(config, "encoder")) one.options.encoder.push_back(lstm_options(layer));
    for (const Json& layer : at(config, "decoder")) one.options.decoder.push_back(lstm_options(layer));
    using reprise::DecoderInput;
    one.options.decoder_input = input == "repeated_code"    ? DecoderInput::repeated_code
                                : input == "zeros"          ? DecoderInput::zeros
                                : input == "previous_value" ? DecoderInput::previous_value
                                                            : (fail("unknown " + input), DecoderInput{});
    if (state != "zeros" && state != "encoder") fail("unknown " + state);
    if (state == "encoder") one.options.decoder_state = reprise::DecoderState::encoder;
    one.options.reverse_decoder = flag(config, "reverse_decoder");
    one.parameters = tensors(json, "parameters");
    one.x = tensor(json, "x");
    one.output = tensor(json, "output");
    one.evaluation = number(json, "evaluation");
    one.loss = number(json, "loss");
    one.gradient = tensors(json, "gradient");
    return one;
  });
}

inline std::vector<AutoencoderCase> autoencoders() {
  return read_cases(file("autoencoders"), [](const Json& json, const std::string& name) {
    require_known(json, {"config", "parameters", "x", "output", "loss", "gradient", "adam", "fit"});
    const Json& config = at(json, "config");
    require_known(config, {"steps", "features", "output_activation", "encoder", "decoder"});
    AutoencoderCase one;
    one.name = name;
    one.steps = integer(config, "steps");
    one.features = integer(config, "features");
    one.output_activation = activation(config, "output_activation");
    for (const Json& layer : at(config, "encoder")) one.encoder.push_back(lstm_options(layer));
    for (const Json& layer : at(config, "decoder")) one.decoder.push_back(lstm_options(layer));
    one.parameters = tensors(json, "parameters");
    one.x = tensor(json, "x");
    one.output = tensor(json, "output");
    one.loss = number(json, "loss");
    one.gradient = tensors(json, "gradient");

    const Json& adam = at(json, "adam");
    require_known(adam, {"learning_rate", "steps", "losses", "parameters"});
    one.adam = {number(adam, "learning_rate"), numbers(adam, "losses"), tensors(adam, "parameters")};
    if (integer(adam, "steps") != static_cast<Index>(one.adam.losses.size())) fail("steps without a loss");

    const Json& fit = at(json, "fit");
    require_known(fit,
                  {"learning_rate", "epochs", "batch_size", "validation_split", "x", "loss", "val_loss"});
    one.fit = {number(fit, "learning_rate"),
               number(fit, "validation_split"),
               integer(fit, "epochs"),
               integer(fit, "batch_size"),
               tensor(fit, "x"),
               numbers(fit, "loss"),
               numbers(fit, "val_loss")};
    return one;
  });
}

inline std::vector<LstmCase> lstm_layers() {
  return read_cases(file("lstm_layers"), [](const Json& json, const std::string& name) {
    require_known(json, {"name", "config", "parameters", "x", "h0", "c0", "x_mask", "h_mask", "output", "h",
                         "c", "upstream", "gradient"});
    const Json& upstream = at(json, "upstream");
    require_known(upstream, {"output", "h", "c"});
    LstmCase one;
    one.name = name + ", " + text(json, "name");
    one.options = lstm_options(at(json, "config"));
    one.parameters = tensors(json, "parameters");
    one.x = tensor(json, "x");
    one.h0 = optional_tensor(json, "h0");
    one.c0 = optional_tensor(json, "c0");
    one.x_mask = optional_tensor(json, "x_mask");
    one.h_mask = optional_tensor(json, "h_mask");
    one.output = tensor(json, "output");
    one.h = tensor(json, "h");
    one.c = tensor(json, "c");
    one.output_upstream = tensor(upstream, "output");
    one.h_upstream = tensor(upstream, "h");
    one.c_upstream = tensor(upstream, "c");
    one.gradient = tensors(json, "gradient");
    return one;
  });
}

inline std::vector<DenseCase> dense() {
  return read_cases(file("dense"), [](const Json& json, const std::string& name) {
    require_known(json, {"layer", "config", "parameters", "x", "output", "upstream", "gradient"});
    const Json& config = at(json, "config");
    require_known(config, {"units", "activation", "use_bias"});
    DenseCase one;
    one.layer = text(json, "layer");
    one.name = name + ", " + one.layer + " " + text(config, "activation");
    one.options.units = integer(config, "units");
    one.options.activation = activation(config, "activation");
    one.options.use_bias = flag(config, "use_bias");
    one.parameters = tensors(json, "parameters");
    one.x = tensor(json, "x");
    one.output = tensor(json, "output");
    one.upstream = tensor(json, "upstream");
    one.gradient = tensors(json, "gradient");
    return one;
  });
}

inline std::vector<LossCase> losses() {
  return read_cases(file("losses"), [](const Json& json, const std::string& name) {
    require_known(json, {"loss", "delta", "target", "prediction", "sample_weight", "value", "gradient"});
    LossCase one;
    one.loss_name = text(json, "loss");
    one.name = name + ", " + one.loss_name;
    one.loss = loss(json);
    one.target = tensor(json, "target");
    one.prediction = tensor(json, "prediction");
    if (json.contains("sample_weight")) one.sample_weights = tensor(json, "sample_weight").data;
    one.value = number(json, "value");
    one.gradient = tensor(json, "gradient");
    return one;
  });
}

inline Optimizers optimizers() {
  const Json json = file("optimizers");
  Optimizers result;
  result.initial = tensors(json, "initial");
  result.gradients = tensors_of_steps(json, "gradients");
  for (const auto& item : at(json, "schedules").items()) {
    result.schedules.emplace(item.key(),
                             Optimizers::Schedule{schedule(item.value()), numbers(item.value(), "rates")});
  }
  result.cases = read_cases(json, [&](const Json& one, const std::string& name) {
    require_known(one, {"optimizer", "meaning", "options", "after"});
    const Json& options = at(one, "options");
    return OptimizerCase{
        name + ", " + text(one, "meaning") + " " + text(one, "optimizer") + " " + options.dump(),
        optimizer(one, result.schedules),
        options.contains("schedule") ? text(options, "schedule") : std::string(),
        tensors_of_steps(one, "after")};
  });
  return result;
}

}  // namespace golden
