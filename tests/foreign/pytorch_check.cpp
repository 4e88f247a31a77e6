// The C++ side of check_with_pytorch.py. Prints, as JSON, an input and what a model makes of it.
//
//     pytorch_check write <model> <path>    saves the model
//     pytorch_check read <model> <path>     loads it
#include <cmath>
#include <reprise/io/pytorch.hpp>
#include <string>

#include "check.hpp"

namespace {

using namespace reprise;

/// The modules of check_with_pytorch.py.
Chain<double> model(const std::string& name) {
  AutoencoderOptions options{.steps = 5, .features = 2, .seed = 7};
  options.encoder = {{.units = 3}, {.units = 3}};
  options.decoder = {{.units = 4}};
  if (name == "gru") {
    options.encoder = {GruOptions{.units = 3}};
    options.decoder = {GruOptions{.units = 4}, GruOptions{.units = 4}};
  } else if (name == "no_bias") {
    options.encoder = {{.units = 3, .use_bias = false}};
    options.decoder = {GruOptions{.units = 4, .use_bias = false}};
  }
  Chain<double> chain{Autoencoder<double>(options).network(), {}};
  if (name == "both_ways") {
    chain.network = Sequential<double>({.steps = 5, .features = 2});
    const GruOptions first{.units = 3, .return_sequences = true}, second{.units = 3};
    chain.network.add("rnn.0", Bidirectional<double>(2, {.layer = first}));
    chain.network.add("rnn.1", Bidirectional<double>(6, {.layer = second}));
    chain.network.add("fc", Dense<double>(6, {.units = 2}));
  }
  chain.parameters.resize(chain.network.parameters().size());
  for (Index i = 0; i < chain.parameters.size(); ++i) {
    chain.parameters[i] = 0.4 * std::sin(1.7 * static_cast<double>(i + 1));
  }
  return chain;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  Chain<double> chain = model(argv[2]);
  if (std::string(argv[1]) == "write") {
    save_pytorch(chain, argv[3]);
  } else {
    chain = load_pytorch(argv[3], chain);
  }
  Sequences<double> x({.samples = 4, .steps = 5, .features = 2});
  for (Index b = 0; b < 4; ++b) {
    for (Index t = 0; t < 5; ++t) {
      for (Index f = 0; f < 2; ++f) x(b, t, f) = std::cos(static_cast<double>(3 * b + 2 * t + f));
    }
  }
  check::print_output(chain, x);
}
