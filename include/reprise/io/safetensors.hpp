#pragma once

#include <cmath>
#include <exception>
#include <filesystem>
#include <iterator>
#include <limits>
#include <map>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "../core/visit.hpp"
#include "../models/autoencoder.hpp"
#include "safetensors_file.hpp"

// Models in files of the format safetensors, which Python's package of that name opens. An autoencoder's
// tensors have the names of `parameters()` and Keras's shapes: encoder.0.kernel (I, 4H),
// encoder.0.recurrent_kernel (H, 4H), encoder.0.bias (4H), ..., output.kernel (H, F), output.bias (F). What
// its optimizer remembers of each stands beside it: optimizer.first.encoder.0.kernel, optimizer.second... and
// optimizer.velocity... where there is such a moment. Of the metadata, "format", "format_version" and "model"
// tell what file it is; "options" is the model's configuration and "training" that of the optimizer with its
// counters, both JSON. Other entries are left for others to use.
namespace reprise {
inline namespace REPRISE_ABI {

struct SaveOptions {
  /// Also what a further fit goes on from: the optimizer's configuration, moments and counters. Makes the
  /// file up to three times as large.
  bool optimizer_state = true;
};

namespace detail {

/// What the metadata of every file say; a file that says something else is refused.
inline constexpr std::pair<const char*, const char*> format_metadata[] = {
    {"format", "reprise"}, {"format_version", "1"}, {"model", "Autoencoder"}};

template <typename Model>
inline constexpr bool is_autoencoder = false;
template <typename Scalar>
inline constexpr bool is_autoencoder<Autoencoder<Scalar>> = true;

/// Whatever goes wrong in `action` becomes a `FileError`.
template <typename Action>
auto with_file_errors(const std::filesystem::path& path, const Action& action) {
  try {
    return action();
  } catch (const FileError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw FileError(path.string() + ": expected enough memory for it, got too little");
  } catch (const std::exception& error) {
    throw FileError(path.string() + ": " + error.what());
  }
}

/// What no training can make: a file must not have it, and none is written with it.
template <typename Scalar>
void require_values(const std::string& place, const std::string& prefix, const ParameterTable& table,
                    const Vector<Scalar>& values, Scalar smallest = std::numeric_limits<Scalar>::lowest()) {
  for (const ParameterInfo& info : table) {
    for (Index i = 0; i < info.size(); ++i) {
      const Scalar value = values[info.offset + i];
      if (std::isfinite(value) && value >= smallest) continue;
      fail_file(place + ": tensor " + prefix + info.name,
                std::string("values that are finite") + (smallest < Scalar(0) ? "" : " and >= 0") +
                    (sizeof(Scalar) == sizeof(float) ? " as float" : ""),
                number_text(static_cast<double>(value)) + " at " + std::to_string(i));
    }
  }
}

/// Checks what the constructors of model and optimizer do not, before anything is allocated for them.
inline AutoencoderOptions read_options(const std::string& text, const std::string& place) {
  AutoencoderOptions options;
  from_json(parse_json(text, place), place, options);
  // Products of two sizes then stay within 64 bits.
  const auto require = [&](Index size, const std::string& what) {
    constexpr Index largest = std::numeric_limits<std::int32_t>::max();
    if (size < 1 || size > largest) {
      fail_file(place + "." + what, "a size from 1 to " + std::to_string(largest), std::to_string(size));
    }
  };
  require(options.steps, "steps");
  require(options.features, "features");
  for (const LstmOptions& layer : options.encoder) require(layer.units, "encoder: units");
  for (const LstmOptions& layer : options.decoder) require(layer.units, "decoder: units");
  return options;
}
inline TrainingConfiguration read_training(const std::string& text, const std::string& place) {
  TrainingConfiguration training;
  from_json(parse_json(text, place), place, training);
  constexpr Index largest = Index{1} << 53;
  for (const Index counter : {training.step, training.epochs}) {
    if (counter > largest) fail_file(place, "counters up to 2^53", std::to_string(counter));
  }
  try {
    validate(training.optimizer);
  } catch (const Error& error) {
    throw FileError(place + ": " + error.what());
  }
  return training;
}

}  // namespace detail

/// Writes the model so that `load` gives back an equal one: the same bits, and by default a further fit of it
/// makes the same bits as one of this model (what callbacks remember, such as `EarlyStopping`'s best loss,
/// belongs to them). A file of that name is replaced once the new one is on the disk; when that cannot be
/// done, it is left as it is. Throws `FileError` then, and when the model has values that are not finite.
template <typename Scalar>
void save(const Autoencoder<Scalar>& model, const std::filesystem::path& path,
          const SaveOptions& options = {}) {
  detail::with_file_errors(path, [&] {
    const std::string place = path.string();
    std::map<std::string, std::string> metadata(std::begin(detail::format_metadata),
                                                std::end(detail::format_metadata));
    metadata["options"] = detail::to_json(model.options()).dump();
    // Read back, so that no file is written that cannot be read.
    detail::read_options(metadata["options"], place + ": options");
    detail::require_values(place, "", model.parameters(), model.weights());
    // A part of the state that is added must be added to the file: until then this does not compile.
    const auto& [optimizer, moments, epochs, learning_rate_scale] = model.training_state();
    const bool with_training = options.optimizer_state && optimizer;
    if (with_training) {
      const detail::TrainingConfiguration training{*optimizer, moments.step, epochs, learning_rate_scale};
      metadata["training"] = detail::to_json(training).dump();
      detail::read_training(metadata["training"], place + ": training");
      detail::require_state_fits(*optimizer, moments, model.parameters().size());
    }
    detail::SafetensorsWriter writer(metadata);
    writer.add("", model.parameters(), model.weights());
    if (with_training) {
      detail::for_each_moment(*optimizer, moments,
                              [&](const char* prefix, const Vector<Scalar>& moment, Scalar smallest) {
                                detail::require_values(place, prefix, model.parameters(), moment, smallest);
                                writer.add(prefix, model.parameters(), moment);
                              });
    }
    writer.save(path);
  });
}

/// Reads an `Autoencoder` that `save` wrote, of the same scalar type or of the other, then converted. Trusts
/// nothing in the file: one that is missing, cut short, damaged or of another version throws `FileError` that
/// names path, place, expected and got, before memory is taken for sizes that the file only claims to have.
template <typename Model>
  requires detail::is_autoencoder<Model>
Model load(const std::filesystem::path& path) {
  using Scalar = typename Model::Scalar;
  return detail::with_file_errors(path, [&] {
    detail::SafetensorsReader file(path);
    const std::string& place = file.place();
    for (const auto& [name, expected] : detail::format_metadata) {
      if (const std::string& got = file.metadata(name); got != expected) {
        detail::fail_file(place + ": " + name, expected, detail::shown(got));
      }
    }
    AutoencoderOptions options = detail::read_options(file.metadata("options"), place + ": options");
    const double count = detail::parameter_count(options);
    if (count * sizeof(float) > static_cast<double>(file.data_bytes())) {
      detail::fail_file(
          place + ": options",
          "no more parameters than " + std::to_string(file.data_bytes()) + " bytes of data can hold",
          detail::number_text(count));
    }
    Model model(std::move(options), Vector<Scalar>(static_cast<Index>(count)));
    file.read("", model.parameters(), model.weights());
    detail::require_values(place, "", model.parameters(), model.weights());
    if (file.has_metadata("training")) {
      const auto training = detail::read_training(file.metadata("training"), place + ": training");
      TrainingState<Scalar>& state = model.training_state();
      state.optimizer = training.optimizer;
      state.epochs = training.epochs;
      if (!(training.learning_rate_scale >= 0.0)) {
        detail::fail_file(place + ": learning_rate_scale", "a number >= 0",
                          detail::number_text(training.learning_rate_scale));
      }
      state.learning_rate_scale = training.learning_rate_scale;
      state.moments = initial_state<Scalar>(training.optimizer, model.parameters().size());
      state.moments.step = training.step;
      detail::for_each_moment(training.optimizer, state.moments,
                              [&](const char* prefix, Vector<Scalar>& moment, Scalar smallest) {
                                file.read(prefix, model.parameters(), moment);
                                detail::require_values(place, prefix, model.parameters(), moment, smallest);
                              });
    }
    file.require_all_read();
    return model;
  });
}

}  // namespace REPRISE_ABI
}  // namespace reprise
