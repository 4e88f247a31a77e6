#include <doctest/doctest.h>

#include <filesystem>
#include <reprise/io/pytorch.hpp>
#include <reprise/layers/dropout.hpp>
#include <reprise/models/forecaster.hpp>
#include <string>
#include <vector>

#include "errors.hpp"
#include "foreign.hpp"
#include "temporary_directory.hpp"
#include "waves.hpp"

// foreign/make_pytorch.py wrote the files.
namespace {

using namespace reprise;

const test::ForeignFiles& files() {
  static const test::ForeignFiles all("pytorch");
  return all;
}

AutoencoderOptions lstm_options() {
  return {.steps = 5, .features = 2, .encoder = {{.units = 3}, {.units = 3}}, .decoder = {{.units = 4}}};
}
template <typename Scalar>
Autoencoder<Scalar> lstm_autoencoder() {
  return Autoencoder<Scalar>(lstm_options());
}

/// Of BothWays: two bidirectional layers and a dense one.
template <typename Options>
Chain<double> both_ways() {
  Sequential<double> network({.steps = 5, .features = 2});
  const Options half{.units = 3};
  Options first = half;
  first.return_sequences = true;
  network.add("rnn.0", Bidirectional<double>(2, {.layer = first}));
  network.add("rnn.1", Bidirectional<double>(6, {.layer = half}));
  network.add("fc", Dense<double>(6, {.units = 2}));
  return {network, {}};
}

const PyTorchNames renamed = {
    {"encoder.0", {"first"}}, {"encoder.1", {"second"}}, {"decoder", {"back"}}, {"output", {"head.1"}}};

AutoencoderOptions renamed_options() {
  AutoencoderOptions options{.steps = 5, .features = 2};
  options.encoder = {{.units = 4, .use_bias = false}, {.units = 3, .use_bias = false}};
  options.decoder = {GruOptions{.units = 5}};
  return options;
}

std::string refusal(const std::string& file, const AutoencoderOptions& options,
                    const PyTorchNames& names = {}) {
  return test::error_of(
      [&] { static_cast<void>(load_pytorch(files() / file, Autoencoder<double>(options), names)); });
}

}  // namespace

TEST_CASE("PyTorch: a stacked LSTM's state_dict gives the module's output") {
  const auto model = load_pytorch(files() / "autoencoder.safetensors", lstm_autoencoder<double>());
  CHECK(test::output_difference(files(), "autoencoder", model) < 1e-12);
  CHECK(test::difference(model.reconstruct(files().sequences<double>("autoencoder", "x")),
                         files().sequences<double>("autoencoder", "output")) < 1e-12);
}

TEST_CASE("PyTorch: float32 and float64 become the model's scalar") {
  for (const char* file : {"autoencoder.safetensors", "autoencoder_float.safetensors"}) {
    const auto single = load_pytorch(files() / file, lstm_autoencoder<float>());
    CHECK(test::output_difference(files(), "autoencoder", single) < 2e-6);
    const auto both = load_pytorch(files() / file, lstm_autoencoder<double>());
    CHECK(test::output_difference(files(), "autoencoder", both) < 1e-6);
  }
}

TEST_CASE("PyTorch: a GRU's gates are put into our order, and both its biases are kept") {
  AutoencoderOptions options{.steps = 5, .features = 2};
  options.encoder = {GruOptions{.units = 3}};
  options.decoder = {GruOptions{.units = 4}, GruOptions{.units = 4}};
  const auto model = load_pytorch(files() / "gru_autoencoder.safetensors", Autoencoder<double>(options));
  CHECK(test::output_difference(files(), "gru_autoencoder", model) < 1e-12);
}

TEST_CASE("PyTorch: stacked bidirectional layers") {
  const auto lstm = load_pytorch(files() / "both_ways_lstm.safetensors", both_ways<LstmOptions>());
  CHECK(test::output_difference(files(), "both_ways_lstm", lstm) < 1e-12);
  const auto gru = load_pytorch(files() / "both_ways_gru.safetensors", both_ways<GruOptions>());
  CHECK(test::output_difference(files(), "both_ways_gru", gru) < 1e-12);
}

TEST_CASE("PyTorch: an embedding's table stands there as it does here") {
  Sequential<double> network({.steps = 5, .features = 1});
  network.add("embedding", Embedding<double>(1, {.input_dim = 4, .output_dim = 3}));
  network.add("rnn", Gru<double>(3, {.units = 3, .return_sequences = true}));
  network.add("fc", Dense<double>(3, {.units = 4}));
  const auto model = load_pytorch(files() / "symbols.safetensors", Chain<double>{network, {}});
  CHECK(test::output_difference(files(), "symbols", model) < 1e-12);
  const test::TemporaryDirectory directory;
  save_pytorch(model, directory / "back");
  CHECK(load_pytorch(directory / "back", Chain<double>{network, {}}).parameters == model.parameters);
}

TEST_CASE("PyTorch: modules of other names, without biases") {
  const auto model =
      load_pytorch(files() / "renamed.safetensors", Autoencoder<double>(renamed_options()), renamed);
  CHECK(test::output_difference(files(), "renamed", model) < 1e-12);
}

TEST_CASE_TEMPLATE("PyTorch: there and back is the same bits", Scalar, float, double) {
  const test::TemporaryDirectory directory;
  AutoencoderOptions options{.steps = 5, .features = 2, .seed = 3};
  options.encoder = {BidirectionalOptions{.layer = LstmOptions{.units = 3}},
                     BidirectionalOptions{.layer = GruOptions{.units = 2}}};
  options.decoder = {GruOptions{.units = 3, .use_bias = false}, LstmOptions{.units = 4}};
  Autoencoder<Scalar> model(options);
  model.fit(sliding_windows((test::Waves{1}(80, 2) / 100).eval(), {.length = 5}), {.epochs = 2});
  const PyTorchNames names{{"decoder.0", {"first"}}, {"decoder.1", {"second"}}, {"output", {"head.linear"}}};
  save_pytorch(model, directory / "model", names);
  options.seed = 4;
  const auto back = load_pytorch(directory / "model", Autoencoder<Scalar>(options), names);
  CHECK(back.weights() == model.weights());
  CHECK(!back.training_state().optimizer);

  Forecaster<Scalar> forecaster({.steps = 5, .features = 2, .horizon = 3, .layers = {{.units = 3}}});
  save_pytorch(forecaster, directory / "forecaster");
  CHECK(load_pytorch(directory / "forecaster",
                     Forecaster<Scalar>(
                         {.steps = 5, .features = 2, .horizon = 3, .layers = {{.units = 3}}, .seed = 9}))
            .weights() == forecaster.weights());
}

TEST_CASE("PyTorch: a model whose weights are replaced forgets its training") {
  auto model = lstm_autoencoder<double>();
  model.fit(sliding_windows((test::Waves{1}(80, 2) / 100).eval(), {.length = 5}), {.epochs = 1});
  REQUIRE(model.training_state().optimizer);
  model = load_pytorch(files() / "autoencoder.safetensors", std::move(model));
  CHECK(!model.training_state().optimizer);
}

TEST_CASE("PyTorch: a tensor that is left over is refused by name") {
  AutoencoderOptions options = lstm_options();
  options.encoder.pop_back();
  CHECK(test::contains(refusal("autoencoder.safetensors", options),
                       "tensor \"encoder.bias_hh_l1\": expected no tensor that the model does not have"));
  options = renamed_options();
  options.decoder = {GruOptions{.units = 5, .use_bias = false}};
  CHECK(test::contains(refusal("renamed.safetensors", options, renamed),
                       "tensor \"back.bias_hh_l0\": expected no tensor that the model does not have"));
  Chain<double> projected{Sequential<double>({.steps = 5, .features = 2}), {}};
  projected.network.add("rnn", Lstm<double>(2, {.units = 3}));
  CHECK(test::contains(
      test::error_of([&] {
        static_cast<void>(load_pytorch(files() / "projected.safetensors", projected, {{"rnn", {""}}}));
      }),
      "tensor weight_hh_l0: expected shape [12,3], got [12,2]"));
}

TEST_CASE("PyTorch: a tensor that is missing or of another shape is refused by name") {
  AutoencoderOptions options = lstm_options();
  options.decoder.push_back(LstmOptions{.units = 4});
  CHECK(test::contains(refusal("autoencoder.safetensors", options),
                       "tensor decoder.weight_ih_l1: expected shape [16,4], got no such tensor among "));
  options = lstm_options();
  options.features = 1;
  CHECK(test::contains(refusal("autoencoder.safetensors", options),
                       "tensor encoder.weight_ih_l0: expected shape [12,1], got [12,2]"));
  CHECK(test::contains(refusal("autoencoder.safetensors", lstm_options(), {{"encoder.1", {"decoder"}}}),
                       "tensor decoder.weight_ih_l0: expected shape [12,3], got [16,3]"));
  CHECK(test::contains(refusal("autoencoder.safetensors", lstm_options(), {{"encode", {"encoder"}}}),
                       "names: expected names among the model's layers, encoder.0, encoder.1, repeat, "
                       "decoder.0, output, got encode"));
}

TEST_CASE("PyTorch: layers that its modules cannot be are refused by name") {
  AutoencoderOptions options = lstm_options();
  options.encoder[1].activation = activation::relu;
  CHECK(test::contains(refusal("autoencoder.safetensors", options),
                       "layer encoder.1: activation: expected tanh, the only one that PyTorch's layer has, "
                       "got relu"));
  options = lstm_options();
  options.decoder[0].recurrent_activation = activation::hard_sigmoid;
  CHECK(test::contains(refusal("autoencoder.safetensors", options),
                       "layer decoder.0: recurrent_activation: expected sigmoid"));
  options.decoder = {GruOptions{.units = 4, .reset_after = false}};
  CHECK(test::contains(refusal("autoencoder.safetensors", options),
                       "layer decoder.0: reset_after: expected true"));
  const test::TemporaryDirectory directory;
  CHECK(
      test::contains(test::error_of([&] { save_pytorch(Autoencoder<float>(options), directory / "model"); }),
                     "layer decoder.0: reset_after: expected true"));
  CHECK(directory.files() == 0);
}

TEST_CASE("PyTorch: two layers do not share a module") {
  const PyTorchNames names{{"encoder.1", {"encoder"}}};
  AutoencoderOptions options = lstm_options();
  options.features = 3;
  const test::TemporaryDirectory directory;
  CHECK(test::contains(
      test::error_of([&] { save_pytorch(Autoencoder<float>(options), directory / "model", names); }),
      "layer encoder.1: expected a module of its own, got encoder.weight_ih_l0 of another layer too"));
  save_pytorch(Autoencoder<float>(options), directory / "model");
  CHECK(test::contains(test::error_of([&] {
                         static_cast<void>(
                             load_pytorch(directory / "model", Autoencoder<float>(options), names));
                       }),
                       "tensor encoder.weight_ih_l0: expected each module's layer for one layer"));
}

TEST_CASE("PyTorch: files of other kinds are told by what they are") {
  for (const char* file : {"state.pt", "old.pt"}) {
    const std::string message = refusal(file, lstm_options());
    CHECK(test::contains(message, "expected a safetensors file, got a file of PyTorch's own"));
    CHECK(test::contains(message, "safetensors.torch.save_file(torch.load(\""));
  }
  const test::TemporaryDirectory directory;
  save(lstm_autoencoder<float>(), directory / "ours");
  CHECK(test::contains(
      test::error_of([&] { static_cast<void>(load_pytorch(directory / "ours", lstm_autoencoder<float>())); }),
      "expected a state_dict of PyTorch, got a file of this library's own; load reads it"));
  CHECK(test::contains(
      test::error_of([&] { static_cast<void>(load<Autoencoder<float>>(files() / "state.pt")); }),
      "expected a safetensors file, got a file of PyTorch's own"));
}

TEST_CASE("PyTorch: values that are not finite are refused") {
  const test::TemporaryDirectory directory;
  auto wide = lstm_autoencoder<double>();
  wide.parameter("encoder.1.bias")(2, 0) = 1e300;
  save_pytorch(wide, directory / "model");
  CHECK(test::contains(
      test::error_of(
          [&] { static_cast<void>(load_pytorch(directory / "model", lstm_autoencoder<float>())); }),
      "layer encoder.1: bias (encoder.bias_ih_l1): expected values that are finite as float, got 1e+300 at "
      "2"));
  wide.parameter("encoder.1.bias")(2, 0) = std::numeric_limits<double>::infinity();
  CHECK(test::contains(test::error_of([&] { save_pytorch(wide, directory / "model"); }),
                       "encoder.1.bias: expected values that are finite"));
}
