#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <reprise/io/safetensors.hpp>
#include <reprise/models/symbol_autoencoder.hpp>

#include "errors.hpp"
#include "temporary_directory.hpp"

using reprise::SymbolPredictor;
using reprise::Vocabulary;

namespace {

const std::vector<std::vector<std::string>> sessions = {{"open", "read", "read", "close"},
                                                        {"open", "write", "close"},
                                                        {"open", "close"},
                                                        {"open", "read", "close"}};

template <typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const reprise::FileError& error) {
    return error.what();
  }
  return "no exception";
}

}  // namespace

TEST_CASE("symbols in files: a predictor comes back with its vocabulary and its training") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "model.safetensors";
  SymbolPredictor<float, std::string> model(
      Vocabulary<std::string>(sessions),
      {.embedding = 3, .layers = {{.units = 5}, {.units = 4}}, .window = 4, .seed = 9});
  model.fit(sessions, {.epochs = 2});
  reprise::save(model, path);
  auto loaded = reprise::load<SymbolPredictor<float, std::string>>(path);
  CHECK(loaded.options() == model.options());
  CHECK(loaded.vocabulary() == model.vocabulary());
  CHECK((loaded.weights() == model.weights()));
  CHECK(loaded.training_state().loss == model.training_state().loss);
  CHECK(loaded.score(sessions)[3].mean_surprisal == model.score(sessions)[3].mean_surprisal);
  model.fit(sessions, {.epochs = 2});
  loaded.fit(sessions, {.epochs = 2});
  CHECK((loaded.weights() == model.weights()));
  CHECK(test::contains(message_of([&] { return reprise::load<SymbolPredictor<float, int>>(path); }),
                       "options.vocabulary.symbols[0]: expected"));
}

TEST_CASE("symbols in files: an autoencoder comes back with its vocabulary and its training") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "model.safetensors";
  using Model = reprise::SymbolAutoencoder<float, std::string>;
  Model model(
      Vocabulary<std::string>(sessions),
      {.embedding = 3, .encoder = {{.units = 5}, {.units = 4}}, .decoder = {{.units = 3}}, .seed = 9});
  model.fit(sessions, {.epochs = 2});
  reprise::save(model, path);
  auto loaded = reprise::load<Model>(path);
  CHECK(loaded.options() == model.options());
  CHECK(loaded.vocabulary() == model.vocabulary());
  CHECK(loaded.score(sessions)[3].mean_surprisal == model.score(sessions)[3].mean_surprisal);
  model.fit(sessions, {.epochs = 2});
  loaded.fit(sessions, {.epochs = 2});
  CHECK((loaded.weights() == model.weights()));
  CHECK(test::contains(message_of([&] { return reprise::load<SymbolPredictor<float, std::string>>(path); }),
                       "model: expected SymbolPredictor, got \"SymbolAutoencoder\""));
}

TEST_CASE("symbols in files: negative numbers, one-hot input and no start") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "model.safetensors";
  const Vocabulary<long> vocabulary(std::vector<std::vector<long>>{{-3, 9}},
                                    {.start = false, .padding = true});
  const SymbolPredictor<double, long> model(vocabulary, {.embedding = 0, .layers = {{.units = 2}}});
  reprise::save(model, path);
  const auto loaded = reprise::load<SymbolPredictor<double, long>>(path);
  CHECK(loaded.vocabulary() == vocabulary);
  CHECK(loaded.vocabulary().symbol(3) == -3);
  CHECK(loaded.options() == model.options());
  CHECK((loaded.weights() == model.weights()));
}

TEST_CASE("symbols in files: a chain of the layers of symbols comes back") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "chain.safetensors", again = directory / "again.safetensors";
  for (const bool one_hot : {false, true}) {
    reprise::Sequential<double> network({.steps = 3, .features = 1});
    if (one_hot) {
      network.add("in", reprise::OneHot<double>(4));
    } else {
      network.add("in", reprise::Embedding<double>(1, {.input_dim = 4, .output_dim = 2}));
    }
    network.add("out", reprise::Softmax<double>());
    reprise::Chain<double> chain{network, reprise::Vector<double>(network.parameters().size())};
    network.initialize(chain.parameters.data(), 1);
    chain.training.loss = reprise::SparseCategoricalCrossentropy{};
    reprise::save(chain, path);
    const auto loaded = reprise::load<reprise::Chain<double>>(path);
    CHECK(loaded.training.loss == chain.training.loss);
    CHECK((loaded.parameters == chain.parameters));
    CHECK(loaded.network.output_shape() == network.output_shape());
    CHECK(loaded.network.entries()[0].layer.kind() == network.entries()[0].layer.kind());
    reprise::save(loaded, again);
    CHECK(std::filesystem::file_size(again) == std::filesystem::file_size(path));
  }
}
