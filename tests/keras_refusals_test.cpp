#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <reprise/io/keras.hpp>
#include <string>
#include <vector>

#include "errors.hpp"
#include "temporary_directory.hpp"

// What is not honoured is refused by its name, and files that are not what they say are refused before memory
// is taken. foreign/make_keras.py wrote the files.
namespace {

using namespace reprise;
using detail::Json;

const std::filesystem::path here = std::filesystem::path(__FILE__).parent_path() / "foreign/keras";

/// The description of a model in a real file.
Json config_of(const std::string& file) {
  const detail::ZipArchive zip(here / file);
  return Json::parse(zip.read("config.json"));
}
/// Of both_ways.keras: the options of layer `l`, the input being layer 0.
Json& options_of(Json& root, std::size_t l) { return root["config"]["layers"][l]["config"]; }

std::string refusal(const Json& root, detail::KerasReading reading = {}) {
  return test::error_of([&] { detail::KerasModelReader(root, "file", reading).take(); });
}
/// With an option of layer 1, an LSTM of both_ways.keras, changed.
std::string refusal_of(const char* option, const Json& value, detail::KerasReading reading = {}) {
  Json root = config_of("3.15.1/both_ways.keras");
  options_of(root, 1)[option] = value;
  return refusal(root, reading);
}

/// A chain of the single Dense layer that the files of weights in hostile/ are of.
std::string weights_refusal(const std::string& file, Index inputs = 2) {
  return test::error_of([&] {
    Sequential<float> network({.steps = 4, .features = inputs});
    network.add("dense", Dense<float>(inputs, {.units = 3}));
    static_cast<void>(load_keras_weights(here / "hostile" / file, Chain<float>{network, {}}));
  });
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("Keras refuses by name: options of recurrent layers that this library does not have") {
  CHECK(refusal(config_of("3.15.1/both_ways.keras")) == "nothing thrown");
  for (const char* option : {"return_state", "stateful", "time_major", "zero_output_for_mask"}) {
    CHECK(test::contains(refusal_of(option, true),
                         std::string("file: layer lstm: ") + option + ": expected none"));
    CHECK(refusal_of(option, false) == "nothing thrown");
    CHECK(refusal_of(option, nullptr) == "nothing thrown");
  }
  CHECK(test::contains(refusal_of("peephole", false),
                       "layer lstm: \"peephole\": expected an option that is known here, got false"));
  CHECK(test::contains(refusal_of("units", 0), "layer lstm: units: expected a whole number from 1"));
  CHECK(test::contains(refusal_of("units", 1e300), "layer lstm: units: expected a whole number from 1"));
  CHECK(test::contains(refusal_of("units", 3000000000), "layer lstm: units: expected a whole number"));
  CHECK(test::contains(refusal_of("dropout", 1.0), "layer lstm: dropout: expected a number in [0, 1)"));
  CHECK(test::contains(refusal_of("use_bias", "yes"), "layer lstm: use_bias: expected true or false"));
}

TEST_CASE("Keras refuses by name: what only training heeds, unless the model is for inference") {
  const detail::KerasReading inference{.options = {.inference_only = true}};
  for (const char* option :
       {"kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
        "kernel_constraint", "recurrent_constraint", "bias_constraint"}) {
    const Json value = {{"class_name", "L2"}};
    CHECK(
        test::contains(refusal_of(option, value), std::string("layer lstm: ") + option + ": expected none"));
    CHECK(refusal_of(option, value, inference) == "nothing thrown");
  }
  CHECK(test::contains(refusal_of("trainable", false), "layer lstm: trainable: expected true"));
  CHECK(refusal_of("trainable", false, inference) == "nothing thrown");
}

TEST_CASE("Keras refuses by name: activations and dtypes of others") {
  CHECK(test::contains(refusal_of("activation", "gelu"),
                       "layer lstm: activation: expected one of linear, relu"));
  const Json custom = {{"module", "builtins"}, {"class_name", "function"}, {"config", "mine"}};
  CHECK(test::contains(refusal_of("activation", custom), "layer lstm: activation: expected the name"));
  const Json leaky = {{"class_name", "LeakyReLU"}, {"config", {{"negative_slope", 0.2}}}};
  CHECK(refusal_of("activation", leaky) == "nothing thrown");
  const Json other_slope = {{"class_name", "LeakyReLU"}, {"config", {{"negative_slope", 0.3}}}};
  CHECK(test::contains(refusal_of("activation", other_slope), "LeakyReLU with negative_slope = 0.2"));
  CHECK(
      test::contains(refusal_of("dtype", "mixed_float16"), "layer lstm: dtype: expected float32 or float64"));
  const Json policy = {{"class_name", "DTypePolicy"}, {"config", {{"name", "bfloat16"}}}};
  CHECK(test::contains(refusal_of("dtype", policy), "expected float32 or float64, got \"bfloat16\""));
}

TEST_CASE("Keras refuses by name: the hard_sigmoid of Keras 2, which is another function under that name") {
  CHECK(refusal_of("recurrent_activation", "hard_sigmoid") == "nothing thrown");
  CHECK(test::contains(refusal_of("recurrent_activation", "hard_sigmoid", {.options = {}, .version = 2}),
                       "layer lstm: recurrent_activation: expected another activation than hard_sigmoid"));
}

TEST_CASE("Keras refuses by name: layers and models of other kinds") {
  Json root = config_of("3.15.1/both_ways.keras");
  options_of(root, 2)["merge_mode"] = nullptr;
  CHECK(test::contains(refusal(root), "layer bidirectional: merge_mode: expected a value, got none"));
  root = config_of("3.15.1/both_ways.keras");
  options_of(root, 2)["backward_layer"]["config"]["units"] = 3;
  CHECK(
      test::contains(refusal(root), "layer bidirectional: backward_layer: expected the options of `layer`"));
  root = config_of("3.15.1/both_ways.keras");
  options_of(root, 2)["backward_layer"]["config"]["go_backwards"] = false;
  CHECK(test::contains(refusal(root), "layer bidirectional: backward_layer: expected the options"));
  root = config_of("3.15.1/both_ways.keras");
  options_of(root, 3)["noise_shape"] = {nullptr, 1, 4};
  CHECK(test::contains(refusal(root), "layer dropout: noise_shape: expected none"));
  root = config_of("3.15.1/symbols.keras");
  options_of(root, 1)["mask_zero"] = true;
  CHECK(test::contains(refusal(root), "layer embedding: mask_zero: expected none"));
  options_of(root, 1)["mask_zero"] = false;
  options_of(root, 0)["batch_shape"] = {nullptr, 5, 1};
  CHECK(test::contains(refusal(root), "input shape: expected [null, steps], got [null,5,1]"));
  for (const char* kind : {"Masking", "Conv1D", "CuDNNLSTM"}) {
    root = config_of("3.15.1/both_ways.keras");
    root["config"]["layers"][1]["class_name"] = kind;
    CHECK(test::contains(refusal(root), "layer lstm: expected one of LSTM, GRU, Bidirectional"));
  }
  root["class_name"] = "Custom";
  CHECK(test::contains(refusal(root), "file: expected a Sequential or Functional model, got \"Custom\""));
}

TEST_CASE("Keras refuses Functional models that are no plain chain") {
  const Json whole = config_of("3.15.1/functional.keras");
  CHECK(refusal(whole) == "nothing thrown");
  const auto inbound = [](Json& root, std::size_t l) -> Json& {
    return root["config"]["layers"][l]["inbound_nodes"];
  };
  Json root = whole;
  inbound(root, 3)[0]["args"][0]["config"]["keras_history"][0] = "gru";
  CHECK(test::contains(refusal(root),
                       "layer gru_1: inbound_nodes: expected the layer before it, \"repeat_vector"));
  root = whole;
  inbound(root, 3).push_back(inbound(root, 3)[0]);
  CHECK(test::contains(refusal(root), "layer gru_1: inbound_nodes: expected one call, as in a plain chain"));
  root = whole;
  inbound(root, 3)[0]["kwargs"]["initial_state"] = {1, 2};
  CHECK(test::contains(refusal(root), "layer gru_1: call argument \"initial_state\": expected none"));
  root = whole;
  inbound(root, 3)[0]["kwargs"]["training"] = true;
  CHECK(test::contains(refusal(root), "call argument \"training\": expected none, got true"));
  root = whole;
  root["config"]["output_layers"][0] = "gru_1";
  CHECK(test::contains(refusal(root), "file: output_layers: expected one"));
}

TEST_CASE("Keras: the input's shape must be known, or be given") {
  Json root = config_of("3.15.1/both_ways.keras");
  options_of(root, 0)["batch_shape"] = {nullptr, nullptr, 2};
  CHECK(test::contains(refusal(root), "KerasOptions::steps gives it where it is open"));
  const detail::KerasReading seven{.options = {.steps = 7}};
  CHECK(detail::KerasModelReader(root, "file", seven).take().input ==
        SequenceShape{.steps = 7, .features = 2});
  options_of(root, 0)["batch_shape"] = {nullptr, 5, 2};
  CHECK(test::contains(refusal(root, seven), "expected 7 steps, as KerasOptions::steps says"));
  options_of(root, 0)["batch_shape"] = {nullptr, 5};
  CHECK(test::contains(refusal(root), "input shape: expected [null, steps, features], got [null,5]"));
  // Without an input layer, the shape that it was built for.
  root["config"]["layers"].erase(0);
  CHECK(detail::KerasModelReader(root, "file", {}).take().input == SequenceShape{.steps = 5, .features = 2});
}

TEST_CASE("hostile HDF5 files: what a file of weights may have, and what not") {
  for (const char* file : {"right", "deflated", "chunked"}) {
    CHECK(weights_refusal(std::string(file) + ".weights.h5") == "nothing thrown");
  }
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"soft_link", "/layers/dense/vars: expected no soft or external links"},
      {"external_link", "/layers/dense/vars: expected no soft or external links"},
      {"external_data", "\"layers/dense/vars/0\": expected no data in other files"},
      {"virtual", "\"layers/dense/vars/0\": expected no virtual dataset"},
      {"shuffled", "\"layers/dense/vars/0\": expected no filter but deflate"},
      {"lzf", "\"layers/dense/vars/0\": expected no filter but deflate"},
      {"half", "\"layers/dense/vars/0\": expected float32 or float64"},
      {"whole_numbers", "\"layers/dense/vars/0\": expected float32 or float64"},
      {"unwritten", "\"layers/dense/vars/0\": expected values for shape [131072,1048576] in"},
      {"bomb", "\"layers/dense/vars/0\": expected values for shape [4194304] in"},
      {"circle", "expected at most 16 levels, got more"},
      {"left_over", "\"layers/dense/vars/2\": expected no tensor that the model does not have"},
      {"not_finite", "layer dense: bias (layers/dense/vars/1): expected values that are finite"}};
  for (const auto& [name, message] : refused) {
    const std::string file = name;
    CAPTURE(file);
    CHECK(test::contains(weights_refusal(file + ".weights.h5"), message));
  }
  CHECK(test::contains(weights_refusal("right.weights.h5", 3), "expected shape [3,3], got [2,3]"));
}

TEST_CASE("hostile zip files: bombs, and other weights than are read") {
  const auto refusal_of_file = [](const char* file) {
    return test::error_of([&] { static_cast<void>(load_keras<Chain<float>>(here / "hostile" / file)); });
  };
  CHECK(test::contains(refusal_of_file("bomb.keras"),
                       "member \"config.json\": expected no more than 16777216 bytes of "));
  CHECK(test::contains(refusal_of_file("npz.keras"), "expected the weights as model.weights.h5"));
}

TEST_CASE("hostile files: those that end too early are refused") {
  const test::TemporaryDirectory directory;
  for (const char* file :
       {"3.15.1/autoencoder.keras", "3.15.1/autoencoder.h5", "3.15.1/autoencoder.weights.h5"}) {
    const std::string whole = bytes_of(here / file);
    const std::size_t step = whole.size() / 23 + 1;
    for (std::size_t size = 0; size < whole.size(); size += step) {
      std::ofstream(directory / "cut", std::ios::binary)
          .write(whole.data(), static_cast<std::streamsize>(size));
      CHECK(test::contains(
          test::error_of([&] { static_cast<void>(load_keras<Chain<float>>(directory / "cut")); }),
          "expected "));
    }
  }
}

TEST_CASE("hostile files: a byte of a zip file's weights that changed is found") {
  const test::TemporaryDirectory directory;
  std::string bytes = bytes_of(here / "3.15.1/autoencoder.keras");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(directory / "changed", std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK(test::contains(
      test::error_of([&] { static_cast<void>(load_keras<Chain<float>>(directory / "changed")); }),
      "bytes with the right checksum, got others"));
}

TEST_CASE("files of other kinds are told by what they are") {
  const auto refusal_of_file = [](const std::filesystem::path& path) {
    return test::error_of([&] { static_cast<void>(load_keras<Chain<float>>(path)); });
  };
  CHECK(test::contains(refusal_of_file(here / "../pytorch/state.pt"), "got a file of PyTorch's own"));
  CHECK(test::contains(refusal_of_file(here / "3.15.1/outputs.json"), "got neither a zip nor an HDF5 file"));
  CHECK(test::contains(refusal_of_file(here / "nothing"), "expected a file, got none of that name"));
  CHECK(test::contains(
      test::error_of([] { static_cast<void>(load<Autoencoder<float>>(here / "3.15.1/autoencoder.keras")); }),
      "expected a safetensors file, got a .keras file; load_keras reads it"));
  CHECK(test::contains(
      test::error_of([] { static_cast<void>(load<Autoencoder<float>>(here / "3.15.1/autoencoder.h5")); }),
      "expected a safetensors file, got an HDF5 file"));
}
