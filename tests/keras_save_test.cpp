#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <reprise/io/keras.hpp>
#include <reprise/models/forecaster.hpp>
#include <string>

#include "errors.hpp"
#include "temporary_directory.hpp"
#include "waves.hpp"

// What Keras makes of the files that are written, foreign/check_with_keras.py says.
namespace {

using namespace reprise;

RecurrentLayers every_kind() {
  return {
      LstmOptions{.units = 3, .activation = activation::relu, .unit_forget_bias = false, .dropout = 0.25},
      BidirectionalOptions{.layer = GruOptions{.units = 2, .use_bias = false}, .merge_mode = MergeMode::mul},
      GruOptions{.units = 3, .recurrent_activation = activation::hard_sigmoid, .recurrent_dropout = 0.5},
      BidirectionalOptions{.layer = LstmOptions{.units = 2, .activation = activation::selu}},
      GruOptions{.units = 2, .reset_after = false}};
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <typename Model>
std::string refusal(const Model& model) {
  const test::TemporaryDirectory directory;
  const std::string message = test::error_of([&] { save_keras(model, directory / "model.keras"); });
  CHECK(directory.files() == (message == "nothing thrown" ? 1 : 0));
  return message;
}

}  // namespace

TEST_CASE_TEMPLATE("Keras: there and back is the same model, bit for bit, and the same bytes", Scalar, float,
                   double) {
  const test::TemporaryDirectory directory;
  Autoencoder<Scalar> model({.steps = 5,
                             .features = 2,
                             .encoder = every_kind(),
                             .decoder = {{.units = 3, .use_bias = false}},
                             .output_activation = activation::leaky_relu});
  model.fit(sliding_windows((test::Waves{1}(80, 2) / 100).eval(), {.length = 5}), {.epochs = 1});
  save_keras(model, directory / "first.keras");
  const auto back = load_keras<Autoencoder<Scalar>>(directory / "first.keras");
  CHECK(back.weights() == model.weights());
  CHECK(back.options() == model.options());
  save_keras(back, directory / "second.keras");
  CHECK(bytes_of(directory / "first.keras") == bytes_of(directory / "second.keras"));
  CHECK(load_keras_weights(directory / "first.keras", Chain<Scalar>{model.network(), {}}).parameters ==
        model.weights());
}

TEST_CASE("Keras: any chain is written, each layer as what it is there") {
  const test::TemporaryDirectory directory;
  Sequential<double> network({.steps = 4, .features = 2});
  network.add("a.b", Dense<double>(2, {.units = 3}));
  network.add("a_b", Lstm<double>(3, {.units = 2, .return_sequences = true, .go_backwards = true}));
  network.add("drop", Dropout<double>(0.5));
  network.add("last", Gru<double>(2, {.units = 2}));
  network.add("head", Dense<double>(2, {.units = 1, .activation = activation::softplus, .use_bias = false}));
  Chain<double> chain{network, Vector<double>::LinSpaced(network.parameters().size(), -1, 1)};
  save_keras(chain, directory / "chain.keras");
  const auto back = load_keras<Chain<double>>(directory / "chain.keras");
  CHECK(back.parameters == chain.parameters);
  REQUIRE(back.network.entries().size() == 5);
  CHECK(back.network.entries()[0].name == "a_b");
  CHECK(back.network.entries()[1].name == "a_b_1");
  CHECK(back.network.output_shape() == SequenceShape{.steps = 1, .features = 1});
  // A Dense of sequences is a TimeDistributed, and one behind a last state is not.
  const detail::ZipArchive zip(directory / "chain.keras");
  const auto config = detail::Json::parse(zip.read("config.json"));
  CHECK(config["config"]["layers"][1]["class_name"] == "TimeDistributed");
  CHECK(config["config"]["layers"][5]["class_name"] == "Dense");

  Sequential<double> symbols({.steps = 4, .features = 1});
  symbols.add("table", Embedding<double>(1, {.input_dim = 5, .output_dim = 3}));
  symbols.add("logits", Dense<double>(3, {.units = 5}));
  symbols.add("softmax", Softmax<double>());
  chain = {symbols, Vector<double>::LinSpaced(symbols.parameters().size(), -1, 1)};
  save_keras(chain, directory / "symbols.keras");
  const auto read = load_keras<Chain<double>>(directory / "symbols.keras");
  CHECK(read.parameters == chain.parameters);
  CHECK(read.network.entries()[2].layer.name() == "Softmax");

  Forecaster<float> forecaster({.steps = 4, .layers = {{.units = 3}}});
  save_keras(forecaster, directory / "forecaster.keras");
  CHECK(load_keras<Chain<float>>(directory / "forecaster.keras").parameters == forecaster.weights());
  const auto same = load_keras<Forecaster<float>>(directory / "forecaster.keras");
  CHECK(same.options() == forecaster.options());
  CHECK(same.weights() == forecaster.weights());
}

TEST_CASE("Keras: what a Sequential of Keras cannot be is not written") {
  AutoencoderOptions options{.steps = 4, .encoder = {{.units = 2}}, .decoder = {{.units = 2}}};
  AutoencoderOptions other = options;
  other.reverse_decoder = true;
  CHECK(test::contains(refusal(Autoencoder<float>(other)), "layer reverse: expected one of LSTM, GRU"));
  other = options;
  other.decoder_state = DecoderState::encoder;
  CHECK(test::contains(refusal(Autoencoder<float>(other)),
                       "layer decoder.0: expected a layer that starts from"));
  Autoencoder<double> wide(options);
  wide.parameter("output.bias")(0, 0) = std::numeric_limits<double>::infinity();
  CHECK(test::contains(refusal(wide), "output.bias: expected values that are finite"));
  CHECK(refusal(Autoencoder<float>(options)) == "nothing thrown");
}
