#include <doctest/doctest.h>

#include <limits>
#include <reprise/io/detail/imported_chain.hpp>
#include <string>

#include "errors.hpp"

// What the readers of other libraries' files fill, and what checks it.
namespace {

using namespace reprise;
using detail::ImportedChain;
using detail::ImportedLayer;

/// A tensor whose values count up from `first`.
detail::ImportedTensor tensor(const std::string& name, detail::TensorShape shape, double first) {
  detail::ImportedTensor result{name, shape, {}};
  std::uint64_t size = 1;
  for (const std::uint64_t extent : shape) size *= extent;
  for (std::uint64_t i = 0; i < size; ++i) result.values.push_back(first + static_cast<double>(i));
  return result;
}
ImportedLayer lstm(const std::string& name, std::uint64_t inputs, std::uint64_t units, bool sequences) {
  ImportedLayer layer{
      name,
      RecurrentOptions(LstmOptions{.units = static_cast<Index>(units), .return_sequences = sequences}),
      {}};
  layer.tensors["kernel"] = tensor(name + "/0", {inputs, 4 * units}, 100);
  layer.tensors["recurrent_kernel"] = tensor(name + "/1", {units, 4 * units}, 200);
  layer.tensors["bias"] = tensor(name + "/2", {4 * units}, 300);
  return layer;
}
ImportedChain autoencoder() {
  ImportedChain chain{"file", {.steps = 3, .features = 2}, {}};
  chain.layers.push_back(lstm("in", 2, 2, false));
  chain.layers.push_back({"repeat", detail::ImportedRepeat{3}, {}});
  chain.layers.push_back(lstm("out", 2, 1, true));
  ImportedLayer dense{"dense", DenseOptions{.units = 2, .activation = activation::sigmoid}, {}};
  dense.tensors["kernel"] = tensor("dense/0", {1, 2}, 400);
  dense.tensors["bias"] = tensor("dense/1", {2}, 500);
  chain.layers.push_back(dense);
  return chain;
}

template <typename Model = Autoencoder<double>>
std::string refusal(const ImportedChain& chain) {
  return test::error_of([&] { detail::MadeOfImport<Model>::make(chain); });
}

}  // namespace

TEST_CASE("imported: a chain becomes an autoencoder or any chain, with each tensor in its place") {
  const auto model = detail::MadeOfImport<Autoencoder<double>>::make(autoencoder());
  CHECK(model.options().steps == 3);
  CHECK(model.options().output_activation == activation::sigmoid);
  CHECK(model.parameter("encoder.0.kernel")(3, 1) == 100 + 8 + 3);  // row 1 of Keras's, column 3
  CHECK(model.parameter("encoder.0.bias")(7, 0) == 307);
  CHECK(model.parameter("decoder.0.recurrent_kernel")(2, 0) == 202);
  CHECK(model.parameter("output.bias")(1, 0) == 501);

  auto longer = autoencoder();
  longer.layers.insert(longer.layers.begin() + 1, {"dropout", detail::ImportedDropout{0.25}, {}});
  const auto chain = detail::MadeOfImport<Chain<double>>::make(longer);
  CHECK(chain.network.entries().size() == 5);
  CHECK(chain.network.entries()[1].name == "dropout");
  CHECK(chain.parameters == model.weights());
}

TEST_CASE("imported: a chain becomes a forecaster, or is refused as one") {
  using Model = Forecaster<double>;
  auto chain = autoencoder();
  CHECK(test::contains(refusal<Model>(chain), "layer repeat: expected a dense layer with a bias, as a "));
  const ImportedLayer dense = chain.layers[3];
  chain.layers = {lstm("first", 2, 2, true), lstm("last", 2, 1, false), dense};
  const auto model = detail::MadeOfImport<Model>::make(chain);
  CHECK(model.options().layers.size() == 2);
  CHECK(model.options().output_activation == activation::sigmoid);
  CHECK(model.parameter("layers.1.kernel")(3, 1) == 100 + 4 + 3);
  CHECK(model.parameter("output.bias")(1, 0) == 501);
  chain.layers[1] = lstm("last", 2, 1, true);
  CHECK(test::contains(refusal<Model>(chain), "layer dense: expected a recurrent layer, the last of which"));
  chain.layers.pop_back();
  CHECK(test::contains(refusal<Model>(chain), "file: expected a recurrent layer, the last of which"));
}

TEST_CASE("imported: layers that an autoencoder does not have are refused by name") {
  auto chain = autoencoder();
  chain.layers.insert(chain.layers.begin() + 1, {"drop", detail::ImportedDropout{0.25}, {}});
  CHECK(test::contains(
      refusal(chain),
      "file: layer drop: expected a RepeatVector, as an Autoencoder has (a Chain takes any layers), "
      "got Dropout"));
  chain = autoencoder();
  std::get<detail::ImportedRepeat>(chain.layers[1].options).steps = 4;
  CHECK(test::contains(refusal(chain), "layer repeat: expected a RepeatVector of the input's 3 steps"));
  chain = autoencoder();
  chain.layers[0] = lstm("in", 2, 2, true);
  CHECK(test::contains(refusal(chain), "layer repeat: expected a recurrent layer of the encoder"));
  chain = autoencoder();
  chain.layers[2] = lstm("out", 2, 1, false);
  CHECK(test::contains(refusal(chain),
                       "layer out: expected return_sequences = true in the decoder, as an "
                       "Autoencoder has (a Chain takes any layers), got false"));
  chain = autoencoder();
  chain.layers.pop_back();
  CHECK(test::contains(refusal(chain), "file: expected a dense layer behind the decoder"));
  chain = autoencoder();
  std::get<DenseOptions>(chain.layers[3].options).use_bias = false;
  CHECK(test::contains(refusal(chain), "layer dense: expected use_bias = true"));
  chain = autoencoder();
  std::get<DenseOptions>(chain.layers[3].options).units = 3;
  CHECK(test::contains(refusal(chain), "layer dense: expected 2 units, the input's features"));
  chain = autoencoder();
  chain.layers.push_back({"drop", detail::ImportedDropout{0.25}, {}});
  CHECK(test::contains(refusal(chain), "layer drop: expected no layer behind the dense one"));
  CHECK(refusal<Chain<double>>(chain) == "nothing thrown");
}

TEST_CASE("imported: every tensor is used, every parameter filled, every value finite") {
  auto chain = autoencoder();
  chain.layers[0].tensors["peephole"] = tensor("in/3", {2}, 0);
  CHECK(test::contains(refusal(chain),
                       "file: layer in: expected no tensor that the layer does not have, got in/3"));
  chain = autoencoder();
  chain.layers[1].tensors["kernel"] = tensor("repeat/0", {2}, 0);
  CHECK(test::contains(refusal(chain), "layer repeat: expected no tensor"));
  chain = autoencoder();
  chain.layers[2].tensors.erase("bias");
  CHECK(test::contains(refusal(chain), "layer out: bias: expected a tensor of shape [4], got none"));
  chain = autoencoder();
  chain.layers[2].tensors["kernel"] = tensor("out/0", {4, 2}, 0);
  CHECK(test::contains(refusal(chain), "layer out: kernel (out/0): expected shape [2,4], got [4,2]"));
  chain = autoencoder();
  chain.layers[3].tensors["bias"].values[1] = std::numeric_limits<double>::quiet_NaN();
  CHECK(test::contains(refusal(chain), "layer dense: bias (dense/1): expected values that are finite"));
}

TEST_CASE("imported: sizes that cannot be are refused before memory is taken") {
  constexpr Index most = detail::largest_size;
  auto chain = autoencoder();
  chain.input = {.steps = most, .features = most};
  CHECK(
      test::contains(refusal<Chain<double>>(chain), "file: input: expected positive sizes that memory can"));
  chain = autoencoder();
  std::get<detail::ImportedRepeat>(chain.layers[1].options).steps = most + 1;
  CHECK(test::contains(refusal<Chain<double>>(chain), "file: layer repeat: RepeatVector: expected steps of"));
  std::get<detail::ImportedRepeat>(chain.layers[1].options).steps = most;
  chain.layers[0].options = DenseOptions{.units = 100'000'000};
  chain.input.steps = 1;
  CHECK(test::contains(refusal<Chain<double>>(chain), "file: layer repeat: expected positive sizes"));
  chain = autoencoder();
  std::get<RecurrentOptions>(chain.layers[0].options).get_if<LstmOptions>()->units = 100'000;
  CHECK(test::contains(refusal<Chain<double>>(chain),
                       "file: layer in: kernel (in/0): expected shape [2,400000], got [2,8]"));
  chain = autoencoder();
  chain.layers[2].name = "in";
  CHECK(test::contains(refusal<Chain<double>>(chain), "file: layer in: Sequential: add: expected a name"));
}
