#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <reprise/io/keras.hpp>
#include <reprise/models/forecaster.hpp>
#include <string>
#include <vector>

#include "errors.hpp"
#include "foreign.hpp"
#include "waves.hpp"

// foreign/make_keras.py wrote the files with several versions of Keras.
namespace {

using namespace reprise;

const test::ForeignFiles& files(const std::string& version) {
  static std::map<std::string, test::ForeignFiles> all;
  const auto found = all.find(version);
  return found != all.end() ? found->second
                            : all.emplace(version, test::ForeignFiles("keras/" + version)).first->second;
}

/// How far the loaded model's output is from Keras's.
template <typename Model>
double loaded_difference(const std::string& version, const std::string& name, const std::string& form) {
  const auto model = load_keras<Model>(files(version) / (name + "." + form));
  return test::output_difference(files(version), name, model);
}

}  // namespace

TEST_CASE("Keras: autoencoders of four versions and both formats give Keras's output") {
  for (const char* version : {"2.13", "2.15", "3.3.3", "3.15.1"}) {
    CAPTURE(version);
    CHECK(loaded_difference<Autoencoder<float>>(version, "autoencoder", "keras") < 1e-5);
    CHECK(loaded_difference<Autoencoder<double>>(version, "autoencoder", "keras") < 1e-5);
  }
  for (const char* version : {"2.15", "3.15.1"}) {
    CAPTURE(version);
    CHECK(loaded_difference<Autoencoder<float>>(version, "autoencoder", "h5") < 1e-5);
  }
}

TEST_CASE("Keras: every option of an autoencoder's layers is honoured") {
  const auto model = load_keras<Autoencoder<float>>(files("3.15.1") / "autoencoder.keras");
  AutoencoderOptions expected{.steps = 5, .features = 2, .output_activation = activation::sigmoid};
  expected.encoder = {
      {.units = 2, .activation = activation::relu, .return_sequences = true},
      {.units = 2, .activation = activation::softsign, .recurrent_activation = activation::elu}};
  expected.decoder = {{.units = 3, .unit_forget_bias = false, .return_sequences = true}};
  CHECK(model.options() == expected);
}

TEST_CASE("Keras: Functional chains, both forms of GRU, dropout, a bare Dense layer") {
  CHECK(loaded_difference<Autoencoder<float>>("3.15.1", "functional", "keras") < 1e-5);
  CHECK(loaded_difference<Autoencoder<float>>("2.15", "functional", "h5") < 1e-5);
  const auto model = load_keras<Autoencoder<float>>(files("3.15.1") / "functional.keras");
  const GruOptions* encoder = model.options().encoder.layer(0).get_if<GruOptions>();
  REQUIRE(encoder != nullptr);
  CHECK(!encoder->reset_after);
  CHECK(encoder->dropout == 0.25);
  CHECK(model.options().decoder.layer(0).get_if<GruOptions>()->recurrent_dropout == 0.125);
  CHECK(!model.options().decoder.layer(0).get_if<GruOptions>()->use_bias);
}

TEST_CASE("Keras: float64 is read in full") {
  CHECK(loaded_difference<Autoencoder<double>>("3.15.1", "double", "keras") < 1e-10);
}

TEST_CASE("Keras: any chain, of bidirectional layers and those that read backwards") {
  CHECK(loaded_difference<Chain<float>>("3.15.1", "both_ways", "keras") < 1e-5);
  CHECK(loaded_difference<Chain<double>>("3.15.1", "both_ways", "h5") < 1e-5);
  CHECK(test::contains(test::error_of([] {
                         static_cast<void>(
                             load_keras<Autoencoder<float>>(files("3.15.1") / "both_ways.keras"));
                       }),
                       "layer dropout: expected a recurrent layer of the encoder"));
}

TEST_CASE("Keras: symbols: an embedding in front, a softmax behind") {
  CHECK(loaded_difference<Chain<float>>("3.15.1", "symbols", "keras") < 1e-5);
  const auto chain = load_keras<Chain<double>>(files("3.15.1") / "symbols.keras");
  CHECK(chain.network.input_shape() == SequenceShape{.steps = 5, .features = 1});
  CHECK(chain.network.entries().back().layer.name() == "Softmax");
}

TEST_CASE("Keras: weights alone go into a model that is there") {
  const auto model = load_keras<Autoencoder<float>>(files("3.15.1") / "autoencoder.keras");
  AutoencoderOptions options = model.options();
  options.seed = 9;
  for (const char* file : {"autoencoder.weights.h5", "autoencoder.keras", "autoencoder.h5"}) {
    const auto filled = load_keras_weights(files("3.15.1") / file, Autoencoder<float>(options));
    CHECK(filled.weights() == model.weights());
  }
  CHECK(test::contains(test::error_of([] {
                         static_cast<void>(
                             load_keras<Autoencoder<float>>(files("3.15.1") / "autoencoder.weights.h5"));
                       }),
                       "load_keras_weights puts them into a model"));
  options.encoder.pop_back();
  CHECK(test::contains(test::error_of([&] {
                         static_cast<void>(load_keras_weights(files("3.15.1") / "autoencoder.weights.h5",
                                                              Autoencoder<float>(options)));
                       }),
                       "\"layers/lstm_2/cell/vars/0\": expected no tensor that the model does not have"));
  options.encoder.push_back(LstmOptions{.units = 2, .use_bias = false});
  CHECK(test::contains(test::error_of([&] {
                         static_cast<void>(load_keras_weights(files("3.15.1") / "autoencoder.weights.h5",
                                                              Autoencoder<float>(options)));
                       }),
                       "\"layers/lstm_1/cell/vars/2\": expected no tensor that the model does not have"));

  // Keras 2.15's, of a chain that no autoencoder is; its activation is not in the file.
  auto chain = load_keras<Chain<float>>(files("3.15.1") / "both_ways.keras");
  Sequential<float> network(chain.network.input_shape());
  for (const auto& entry : chain.network.entries()) {
    if (&entry != &chain.network.entries().back()) network.add(entry.name, entry.layer);
  }
  network.add("last", Dense<float>(3, {.units = 2}));
  chain = load_keras_weights(files("2.15") / "both_ways.weights.h5", Chain<float>{network, {}});
  CHECK(test::output_difference(files("2.15"), "both_ways", chain) < 1e-5);
}

TEST_CASE("Keras: what was loaded is trained on") {
  auto model = load_keras<Autoencoder<float>>(files("3.15.1") / "autoencoder.keras");
  const auto windows = sliding_windows((test::Waves{1}(200, 2) / 200).eval(), {.length = 5});
  const double before = model.evaluate(windows);
  model.fit(windows, {.epochs = 5});
  CHECK(model.evaluate(windows) < before);
}

TEST_CASE("Keras: HDF5 prints nothing, and what a program has set for its errors stays") {
  static int calls = 0;
  H5E_auto2_t before = nullptr;
  void* data = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &before, &data);
  const auto count = [](hid_t, void*) -> herr_t { return ++calls, 0; };
  H5Eset_auto2(H5E_DEFAULT, count, nullptr);
  static_cast<void>(load_keras<Chain<float>>(files("3.15.1") / "autoencoder.h5"));
  test::error_of([] {
    static_cast<void>(load_keras<Chain<float>>(files("3.15.1") / "../hostile" / "circle.weights.h5"));
  });
  test::error_of([] {
    static_cast<void>(load_keras<Chain<float>>(files("3.15.1") / "../hostile" / "right.weights.h5"));
  });
  CHECK(calls == 0);
  H5E_auto2_t now = nullptr;
  H5Eget_auto2(H5E_DEFAULT, &now, &data);
  const bool same = now == static_cast<H5E_auto2_t>(count);
  CHECK(same);
  H5Eset_auto2(H5E_DEFAULT, before, nullptr);
}
