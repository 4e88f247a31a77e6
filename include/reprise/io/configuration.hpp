#pragma once

#include <cstdint>

#include "../models/autoencoder.hpp"
#include "json_fields.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What a file says of the training besides the moments.
struct TrainingConfiguration {
  Optimizer optimizer = Adam{};
  Index step = 0;
  Index epochs = 0;
  double learning_rate_scale = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [optimizer, step, epochs, learning_rate_scale] = self;
    visit("optimizer", optimizer);
    visit("step", step);
    visit("epochs", epochs);
    visit("learning_rate_scale", learning_rate_scale);
  }
};

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
