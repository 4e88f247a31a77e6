// What is in a model's file, of this library or of Keras, and the same model as a file of another kind.
//
//     convert info model.keras
//     convert to model.keras model.safetensors             # this library's own, which load reads
//     convert to model.safetensors model.keras             # for Keras 3
//     convert to model.keras state.safetensors --pytorch   # a state_dict for PyTorch
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <variant>

#include <reprise/io/keras.hpp>
#include <reprise/io/pytorch.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/reprise.hpp>

namespace {

using Autoencoder = reprise::Autoencoder<float>;
using Chain = reprise::Chain<float>;
using Model = std::variant<Autoencoder, Chain>;

bool is_of_keras(const std::filesystem::path& path) {
  return path.extension() == ".keras" || path.extension() == ".h5";
}

/// An autoencoder where the layers are those of one, else any chain of layers.
template <typename Read>
Model autoencoder_or_chain(const Read& read) {
  std::string reason;
  try {
    return read(std::type_identity<Autoencoder>());
  } catch (const reprise::FileError& error) {
    reason = error.what();
  }
  try {
    return read(std::type_identity<Chain>());
  } catch (const reprise::FileError& error) {
    if (reason == error.what()) throw;
    throw reprise::FileError(std::string(error.what()) + "\nand as an Autoencoder: " + reason);
  }
}

Model read(const std::filesystem::path& path, const reprise::KerasOptions& options) {
  return autoencoder_or_chain([&]<typename T>(std::type_identity<T>) -> Model {
    return is_of_keras(path) ? reprise::load_keras<T>(path, options) : reprise::load<T>(path);
  });
}

const reprise::Sequential<float>& network_of(const Model& model) {
  const auto* const autoencoder = std::get_if<Autoencoder>(&model);
  return autoencoder != nullptr ? autoencoder->network() : std::get<Chain>(model).network;
}

void print(const Model& model) {
  const auto& network = network_of(model);
  std::cout << (std::holds_alternative<Autoencoder>(model) ? "an Autoencoder" : "a Chain") << " of "
            << reprise::to_string(network.input_shape()) << '\n';
  for (const auto& entry : network.entries()) {
    reprise::ParameterTable table;
    entry.layer.add_parameters(table, "");
    std::cout << "  " << std::left << std::setw(20) << entry.name << std::setw(24) << entry.layer.name()
              << reprise::to_string(entry.output) << ", " << table.size() << " parameters\n";
  }
  std::cout << network.parameters().size() << " parameters\n";
}

void write(const Model& model, const std::filesystem::path& path, bool for_pytorch) {
  std::visit(
      [&](const auto& one) {
        if (for_pytorch) {
          reprise::save_pytorch(one, path);
        } else if (path.extension() == ".keras") {
          reprise::save_keras(one, path);
        } else {
          reprise::save(one, path);
        }
      },
      model);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What is in a model's file, and the same model as a file of another kind");
  app.require_subcommand(1);
  std::filesystem::path from, to;
  reprise::KerasOptions options;
  bool for_pytorch = false;
  CLI::App* const info =
      app.add_subcommand("info", "Layers, shapes and parameters of a .keras, .h5 or .safetensors");
  CLI::App* const convert = app.add_subcommand("to", "Write it as a .keras or .safetensors file");
  for (CLI::App* const command : {info, convert}) {
    command->add_option("from", from, "The model's file")->required();
    command->add_option("--steps", options.steps,
                        "Steps of the input, where a file of Keras leaves them open");
    command->add_flag("--inference-only", options.inference_only,
                      "Pass over regularizers and the like, which only training heeds");
  }
  convert->add_option("to", to, "The file to be written")->required();
  convert->add_flag("--pytorch", for_pytorch, "Write a state_dict for PyTorch's modules");
  CLI11_PARSE(app, argc, argv);
  try {
    const Model model = read(from, options);
    print(model);
    if (*convert) write(model, to, for_pytorch);
  } catch (const reprise::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
