// The C++ side of check_with_keras.py. Prints, as JSON, an input and what a model makes of it.
//
//     keras_check write <model> <path>    saves the model
//     keras_check read <model> <path>     loads the file
#include <cmath>
#include <reprise/io/keras.hpp>
#include <string>

#include "check.hpp"

namespace {

using namespace reprise;

/// Layers in both directions, merged in every way.
Sequential<float> both_ways() {
  Sequential<float> network({.steps = 5, .features = 2});
  for (const MergeMode mode : {MergeMode::concat, MergeMode::sum, MergeMode::ave, MergeMode::mul}) {
    const LstmOptions half{.units = 2, .return_sequences = true};
    network.add("lstm_" + std::to_string(static_cast<int>(mode)),
                Bidirectional<float>(network.output_shape().features, {.layer = half, .merge_mode = mode}));
  }
  const GruOptions last{.units = 3};
  network.add("drop", Dropout<float>(0.25));
  network.add("backwards", Lstm<float>(2, {.units = 3, .return_sequences = true, .go_backwards = true}));
  network.add("gru", Bidirectional<float>(3, {.layer = last}));
  network.add("head", Dense<float>(6, {.units = 2}));
  return network;
}
/// Every activation in an LSTM's two places, and in a dense layer.
Sequential<float> activations() {
  Sequential<float> network({.steps = 5, .features = 2});
  for (int kind = 0; kind < static_cast<int>(Activation::Kind::custom); ++kind) {
    const Activation activation(kind);
    const std::string number = std::to_string(kind);
    network.add("a" + number,
                Lstm<float>(2, {.units = 2, .activation = activation, .return_sequences = true}));
    network.add("r" + number, Gru<float>(2, {.units = 2,
                                             .recurrent_activation = activation,
                                             .return_sequences = true,
                                             .reset_after = kind % 2 == 0}));
    network.add("d" + number, Dense<float>(2, {.units = 2, .activation = activation}));
  }
  return network;
}

/// An embedding in front, a softmax behind.
Sequential<float> symbols() {
  Sequential<float> network({.steps = 5, .features = 1});
  network.add("embedding", Embedding<float>(1, {.input_dim = 4, .output_dim = 3}));
  network.add("lstm", Lstm<float>(3, {.units = 3, .return_sequences = true}));
  network.add("logits", Dense<float>(3, {.units = 4}));
  network.add("softmax", Softmax<float>());
  return network;
}

Chain<float> model(const std::string& name) {
  AutoencoderOptions options{.steps = 5, .features = 2};
  options.encoder = {{.units = 3, .activation = activation::relu, .dropout = 0.25}, {.units = 3}};
  options.decoder = {{.units = 4}};
  if (name == "gru") {
    options.encoder = {GruOptions{.units = 3, .recurrent_dropout = 0.125}};
    options.decoder = {GruOptions{.units = 4, .use_bias = false},
                       GruOptions{.units = 4, .reset_after = false}};
  }
  Chain<float> chain{Autoencoder<float>(options).network(), {}};
  if (name == "both_ways") chain.network = both_ways();
  if (name == "activations") chain.network = activations();
  if (name == "symbols") chain.network = symbols();
  chain.parameters.resize(chain.network.parameters().size());
  for (Index i = 0; i < chain.parameters.size(); ++i) {
    chain.parameters[i] = 0.6F * std::sin(1.7F * static_cast<float>(i + 1));
  }
  return chain;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  Chain<float> chain = model(argv[2]);
  if (std::string(argv[1]) == "write") {
    save_keras(chain, argv[3]);
  } else {
    chain = load_keras<Chain<float>>(argv[3]);
  }
  const bool reads_symbols = std::string(argv[2]) == "symbols";
  Sequences<float> x({.samples = 4, .steps = 5, .features = reads_symbols ? 1 : 2});
  for (Index b = 0; b < 4; ++b) {
    for (Index t = 0; t < 5; ++t) {
      for (Index f = 0; f < x.features(); ++f) {
        x(b, t, f) = reads_symbols ? static_cast<float>((b + t * t) % 4)
                                   : std::cos(static_cast<float>(3 * b + 2 * t + f));
      }
    }
  }
  check::print_output(chain, x);
}
