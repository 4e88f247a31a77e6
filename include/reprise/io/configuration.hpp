#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "../core/visit.hpp"
#include "../models/autoencoder.hpp"
#include "json.hpp"

// The configuration of a model and of its training as JSON and back: a struct is an object with a member for
// each field, an enumerator its name, a variant an object whose member "kind" says which. Each struct's
// fields are listed once, for both directions. Reading trusts nothing: every member must be there, once, with
// the right type, and no other.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What a file says of the training besides the moments.
struct TrainingConfiguration {
  Optimizer optimizer = Adam{};
  Index step = 0;
  Index epochs = 0;
  double learning_rate_scale = 1.0;
};

// ---- Names ----

template <typename Enum>
inline constexpr auto enumerator_names = nullptr;
template <>
inline constexpr auto enumerator_names<Activation> = activation_names;
template <>
inline constexpr auto enumerator_names<Convention> = std::array<std::string_view, 2>{"keras", "pytorch"};
template <>
inline constexpr auto enumerator_names<DecoderInput> =
    std::array<std::string_view, 3>{"repeated_code", "zeros", "previous_value"};
template <>
inline constexpr auto enumerator_names<DecoderState> = std::array<std::string_view, 2>{"zeros", "encoder"};
template <>
inline constexpr auto enumerator_names<Initializer::Kind> = std::array<std::string_view, 10>{
    "zeros",      "ones",      "constant",      "glorot_uniform", "glorot_normal",
    "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",   "orthogonal"};
static_assert(enumerator_names<Initializer::Kind>.size() ==
              static_cast<std::size_t>(Initializer::Kind::orthogonal) + 1);

template <typename Kind>
inline constexpr std::string_view kind_name = "";
template <>
inline constexpr std::string_view kind_name<Adam> = "Adam";
template <>
inline constexpr std::string_view kind_name<AdamW> = "AdamW";
template <>
inline constexpr std::string_view kind_name<Sgd> = "Sgd";
template <>
inline constexpr std::string_view kind_name<RmsProp> = "RmsProp";
template <>
inline constexpr std::string_view kind_name<double> = "constant";
template <>
inline constexpr std::string_view kind_name<ExponentialDecay> = "ExponentialDecay";
template <>
inline constexpr std::string_view kind_name<CosineDecay> = "CosineDecay";
template <>
inline constexpr std::string_view kind_name<NoClip> = "NoClip";
template <>
inline constexpr std::string_view kind_name<ClipValue> = "ClipValue";
template <>
inline constexpr std::string_view kind_name<ClipNorm> = "ClipNorm";
template <>
inline constexpr std::string_view kind_name<GlobalClipNorm> = "GlobalClipNorm";

// ---- Fields: visit(name, field) for each; visit(name, field, default) for one that came later than the
// format, which is written where it differs from the default and need not be there to be read. A field that
// is added to a struct breaks its structured binding here, so that it cannot be forgotten; one that is
// changed here changes the format, so that its version must be raised. ----

template <typename T, typename Plain>
concept Either = std::same_as<std::remove_const_t<T>, Plain>;  // const or not

template <Either<AutoencoderOptions> T, typename Visit>
void each_field(T& options, const Visit& visit) {
  auto& [steps, features, encoder, decoder, decoder_input, decoder_state, reverse_decoder, output_activation,
         seed] = options;
  visit("steps", steps);
  visit("features", features);
  visit("encoder", encoder);
  visit("decoder", decoder);
  visit("decoder_input", decoder_input, DecoderInput::repeated_code);
  visit("decoder_state", decoder_state, DecoderState::zeros);
  visit("reverse_decoder", reverse_decoder, false);
  visit("output_activation", output_activation);
  visit("seed", seed);
}
template <Either<LstmOptions> T, typename Visit>
void each_field(T& options, const Visit& visit) {
  auto& [units, function, recurrent_function, use_bias, unit_forget_bias, return_sequences, go_backwards,
         dropout, recurrent_dropout, kernel, recurrent, bias] = options;
  visit("units", units);
  visit("activation", function);
  visit("recurrent_activation", recurrent_function);
  visit("use_bias", use_bias);
  visit("unit_forget_bias", unit_forget_bias);
  visit("return_sequences", return_sequences);
  visit("go_backwards", go_backwards);
  visit("dropout", dropout);
  visit("recurrent_dropout", recurrent_dropout);
  visit("kernel_initializer", kernel);
  visit("recurrent_initializer", recurrent);
  visit("bias_initializer", bias);
}
template <Either<Initializer> T, typename Visit>
void each_field(T& options, const Visit& visit) {
  auto& [kind, value] = options;
  visit("kind", kind);
  visit("value", value);
}
template <Either<TrainingConfiguration> T, typename Visit>
void each_field(T& training, const Visit& visit) {
  auto& [optimizer, step, epochs, learning_rate_scale] = training;
  visit("optimizer", optimizer);
  visit("step", step);
  visit("epochs", epochs);
  visit("learning_rate_scale", learning_rate_scale);
}
template <Either<Adam> T, typename Visit>
void each_field(T& adam, const Visit& visit) {
  auto& [convention, learning_rate, beta_1, beta_2, epsilon, weight_decay, clip] = adam;
  visit("convention", convention);
  visit("learning_rate", learning_rate);
  visit("beta_1", beta_1);
  visit("beta_2", beta_2);
  visit("epsilon", epsilon);
  visit("weight_decay", weight_decay);
  visit("clip", clip);
}
template <Either<AdamW> T, typename Visit>
void each_field(T& adam, const Visit& visit) {
  auto& [convention, learning_rate, weight_decay, beta_1, beta_2, epsilon, clip] = adam;
  visit("convention", convention);
  visit("learning_rate", learning_rate);
  visit("weight_decay", weight_decay);
  visit("beta_1", beta_1);
  visit("beta_2", beta_2);
  visit("epsilon", epsilon);
  visit("clip", clip);
}
template <Either<Sgd> T, typename Visit>
void each_field(T& sgd, const Visit& visit) {
  auto& [convention, learning_rate, momentum, nesterov, clip] = sgd;
  visit("convention", convention);
  visit("learning_rate", learning_rate);
  visit("momentum", momentum);
  visit("nesterov", nesterov);
  visit("clip", clip);
}
template <Either<RmsProp> T, typename Visit>
void each_field(T& rms_prop, const Visit& visit) {
  auto& [convention, learning_rate, rho, momentum, epsilon, centered, clip] = rms_prop;
  visit("convention", convention);
  visit("learning_rate", learning_rate);
  visit("rho", rho);
  visit("momentum", momentum);
  visit("epsilon", epsilon);
  visit("centered", centered);
  visit("clip", clip);
}
template <Either<double> T, typename Visit>
void each_field(T& constant, const Visit& visit) {
  visit("value", constant);
}
template <Either<ExponentialDecay> T, typename Visit>
void each_field(T& decay, const Visit& visit) {
  auto& [initial_learning_rate, decay_steps, decay_rate, staircase] = decay;
  visit("initial_learning_rate", initial_learning_rate);
  visit("decay_steps", decay_steps);
  visit("decay_rate", decay_rate);
  visit("staircase", staircase);
}
template <Either<CosineDecay> T, typename Visit>
void each_field(T& decay, const Visit& visit) {
  auto& [initial_learning_rate, decay_steps, alpha, warmup_target, warmup_steps] = decay;
  visit("initial_learning_rate", initial_learning_rate);
  visit("decay_steps", decay_steps);
  visit("alpha", alpha);
  visit("warmup_target", warmup_target);
  visit("warmup_steps", warmup_steps);
}
template <Either<NoClip> T, typename Visit>
void each_field(T&, const Visit&) {}
template <Either<ClipValue> T, typename Visit>
void each_field(T& clip, const Visit& visit) {
  auto& [value] = clip;
  visit("value", value);
}
template <Either<ClipNorm> T, typename Visit>
void each_field(T& clip, const Visit& visit) {
  auto& [norm] = clip;
  visit("norm", norm);
}
template <Either<GlobalClipNorm> T, typename Visit>
void each_field(T& clip, const Visit& visit) {
  auto& [norm] = clip;
  visit("norm", norm);
}

// ---- Writing ----

template <typename T>
OrderedJson to_json(const T& value);
template <typename... Kinds>
OrderedJson to_json(const std::variant<Kinds...>& value);
template <typename T>
OrderedJson to_json(const std::optional<T>& value);
template <typename T>
OrderedJson to_json(const std::vector<T>& values);
inline OrderedJson to_json(const LearningRate& rate);

template <typename T>
void write_fields(const T& value, OrderedJson& object) {
  each_field(value, [&](const char* name, const auto& field, const auto&... otherwise) {
    if (((field == otherwise) || ...)) return;
    object[name] = to_json(field);
  });
}
template <typename... Kinds>
OrderedJson to_json(const std::variant<Kinds...>& value) {
  return detail::visit(
      [](const auto& kind) {
        OrderedJson object = {{"kind", kind_name<std::decay_t<decltype(kind)>>}};
        write_fields(kind, object);
        return object;
      },
      value);
}
template <typename T>
OrderedJson to_json(const std::optional<T>& value) {
  return value ? to_json(*value) : OrderedJson(nullptr);
}
template <typename T>
OrderedJson to_json(const std::vector<T>& values) {
  OrderedJson array = OrderedJson::array();
  for (const T& value : values) array.push_back(to_json(value));
  return array;
}
inline OrderedJson to_json(const LearningRate& rate) { return to_json(rate.value); }
template <typename T>
OrderedJson to_json(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return enumerator_names<T>.at(static_cast<std::size_t>(value));
  } else {
    OrderedJson object = OrderedJson::object();
    write_fields(value, object);
    return object;
  }
}

// ---- Reading: each throws `FileError` that names the place ----

template <typename T>
void from_json(const Json& json, const std::string& place, T& value);
template <typename... Kinds>
void from_json(const Json& json, const std::string& place, std::variant<Kinds...>& value);
template <typename T>
void from_json(const Json& json, const std::string& place, std::optional<T>& value);
template <typename T>
void from_json(const Json& json, const std::string& place, std::vector<T>& values);
inline void from_json(const Json& json, const std::string& place, LearningRate& rate);

/// `others`: members that are no fields.
template <typename T>
void read_fields(const Json& json, const std::string& place, T& value, std::set<std::string> others) {
  if (!json.is_object()) fail_file(place, "an object", shown(json));
  each_field(value, [&](const char* name, auto& field, const auto&... otherwise) {
    const auto found = json.find(name);
    if (found == json.end() && sizeof...(otherwise) > 0) {
      ((field = otherwise), ...);
      return;
    }
    if (found == json.end()) fail_file(place, "a member " + std::string(name), "none");
    from_json(*found, place + "." + name, field);
    others.insert(name);
  });
  for (const auto& member : json.items()) {
    if (!others.contains(member.key()))
      fail_file(place, "no member but those known", shown(Json(member.key())));
  }
}
template <typename... Kinds>
void from_json(const Json& json, const std::string& place, std::variant<Kinds...>& value) {
  const auto kind = json.is_object() ? json.find("kind") : json.end();
  if (kind == json.end() || !kind->is_string()) fail_file(place, "an object with a kind", shown(json));
  const auto& name = kind->template get_ref<const std::string&>();
  const auto read_if = [&]<typename Kind>(std::type_identity<Kind>) {
    if (name != kind_name<Kind>) return false;
    read_fields(json, place, value.template emplace<Kind>(), {"kind"});
    return true;
  };
  if (!(read_if(std::type_identity<Kinds>{}) || ...)) fail_file(place + ".kind", "a known one", shown(*kind));
}
template <typename T>
void from_json(const Json& json, const std::string& place, std::optional<T>& value) {
  value.reset();
  if (!json.is_null()) from_json(json, place, value.emplace());
}
template <typename T>
void from_json(const Json& json, const std::string& place, std::vector<T>& values) {
  if (!json.is_array()) fail_file(place, "an array", shown(json));
  values.clear();
  for (const Json& element : json) {
    values.emplace_back();
    from_json(element, place + "[" + std::to_string(values.size() - 1) + "]", values.back());
  }
}
inline void from_json(const Json& json, const std::string& place, LearningRate& rate) {
  from_json(json, place, rate.value);
}
template <typename T>
void from_json(const Json& json, const std::string& place, T& value) {
  if constexpr (std::same_as<T, bool>) {
    if (!json.is_boolean()) fail_file(place, "true or false", shown(json));
    value = json.get<bool>();
  } else if constexpr (std::integral<T>) {
    constexpr std::uint64_t largest = std::numeric_limits<T>::max();
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() > largest) {
      fail_file(place, "a whole number from 0 to " + std::to_string(largest), shown(json));
    }
    value = static_cast<T>(json.get<std::uint64_t>());
  } else if constexpr (std::floating_point<T>) {
    if (!json.is_number() || !std::isfinite(json.get<T>())) fail_file(place, "a finite number", shown(json));
    value = json.get<T>();
  } else if constexpr (std::is_enum_v<T>) {
    const auto& names = enumerator_names<T>;
    const auto* const found = json.is_string() ? std::find(names.data(), names.data() + names.size(),
                                                           json.get_ref<const std::string&>())
                                               : names.data() + names.size();
    if (found == names.data() + names.size()) fail_file(place, "a known name", shown(json));
    value = static_cast<T>(found - names.data());
  } else {
    read_fields(json, place, value, {});
  }
}

/// Parameters of a model with these options: in double, since a hostile file can make any integer overflow.
inline double parameter_count(const AutoencoderOptions& options) {
  double count = 0.0;
  const auto features = static_cast<double>(options.features);
  double inputs = features;
  for (const auto* side : {&options.encoder, &options.decoder}) {
    if (side == &options.decoder && options.decoder_input == DecoderInput::zeros) inputs = 1.0;
    if (side == &options.decoder && options.decoder_input == DecoderInput::previous_value) inputs = features;
    for (const LstmOptions& layer : *side) {
      const auto units = static_cast<double>(layer.units);
      count += 4.0 * units * (inputs + units + (layer.use_bias ? 1.0 : 0.0));
      inputs = units;
    }
  }
  return count + features * (inputs + 1.0);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
