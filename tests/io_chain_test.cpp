#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <reprise/io/checkpoint.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/reprise.hpp>
#include <span>
#include <string>
#include <vector>

#include "temporary_directory.hpp"

namespace {

using namespace reprise;
namespace fs = std::filesystem;

using Directory = test::TemporaryDirectory;

/// A layer of the user's own: y = factor x^2.
template <typename Scalar_>
struct Square : LayerDefaults<Scalar_> {
  using Scalar = Scalar_;
  static constexpr const char* kind = "Square";
  double factor = 1.0;
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("factor", self.factor);
  }
  void validate() const {
    if (!(factor > 0.0)) detail::fail("Square", "factor > 0", {factor});
  }

  const char* name() const { return "Square"; }
  void forward(SequenceView<const Scalar> x, SequenceView<Scalar> y, const LayerCall<Scalar>&) const {
    for (Index i = 0; i < x.size(); ++i) y.data[i] = static_cast<Scalar>(factor) * x.data[i] * x.data[i];
  }
  void backward(SequenceView<const Scalar> x, SequenceView<const Scalar>, SequenceView<const Scalar> dy,
                SequenceView<Scalar> dx, const LayerCall<Scalar>&) const {
    if (dx.data == nullptr) return;
    for (Index i = 0; i < x.size(); ++i)
      dx.data[i] = Scalar(2) * static_cast<Scalar>(factor) * x.data[i] * dy.data[i];
  }
};
/// The same without a name for files.
template <typename Scalar>
struct Nameless : LayerDefaults<Scalar> {
  const char* name() const { return "Nameless"; }
  void forward(SequenceView<const Scalar> x, SequenceView<Scalar> y, const LayerCall<Scalar>&) const {
    std::copy_n(x.data, x.size(), y.data);
  }
  void backward(SequenceView<const Scalar>, SequenceView<const Scalar>, SequenceView<const Scalar>,
                SequenceView<Scalar>, const LayerCall<Scalar>&) const {}
};

/// An optimizer of the user's own with two moments.
struct Lion {
  static constexpr const char* kind = "Lion";
  static constexpr int moments = 2;
  LearningRate learning_rate = 1e-2;
  double beta = 0.9;
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("learning_rate", self.learning_rate);
    visit("beta", self.beta);
  }
  template <typename Scalar>
  void operator()(const ParameterUpdate<Scalar>& update) const {
    const auto b = static_cast<Scalar>(beta), rate = static_cast<Scalar>(update.learning_rate);
    const std::span<Scalar> m = update.moment(0), v = update.moment(1);
    for (std::size_t i = 0; i < m.size(); ++i) {
      m[i] = b * m[i] + (1 - b) * update.gradient[i];
      v[i] = b * v[i] - (1 - b) * update.gradient[i] * update.gradient[i];
      update.parameters[i] -= rate * m[i] / (std::sqrt(-v[i]) + static_cast<Scalar>(1e-3));
    }
  }
};

/// A loss of the user's own.
struct Distance {
  static constexpr const char* kind = "Distance";
  int power = 2;
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("power", self.power);
  }
  template <typename Scalar>
  double operator()(std::span<const Scalar> prediction, std::span<const Scalar> target,
                    std::span<Scalar> gradient) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < prediction.size(); ++i) {
      const double e = static_cast<double>(prediction[i]) - static_cast<double>(target[i]);
      sum += std::pow(std::abs(e), power);
      if (!gradient.empty())
        gradient[i] = static_cast<Scalar>(std::copysign(power * std::pow(std::abs(e), power - 1), e));
    }
    return sum;
  }
};

template <typename Scalar>
Chain<Scalar> some_chain() {
  Sequential<Scalar> network({.steps = 5, .features = 2});
  network.add("encode",
              Lstm<Scalar>(2, {.units = 3, .activation = activation::softsign, .dropout = 1.0 / 3}));
  network.add("drop \"it\"", Dropout<Scalar>(0.125));
  network.add("repeat", RepeatVector<Scalar>(5));
  network.add("decode", Lstm<Scalar>(3, {.units = 3, .use_bias = false, .return_sequences = true}));
  network.carry_state(0, 3);
  network.add("square", Square<Scalar>{{}, 1.0 / 3});
  network.add("reverse", Reverse<Scalar>());
  network.add("output", Dense<Scalar>(3, {.units = 2, .bias_initializer = initializer::constant(0.25)}));
  Chain<Scalar> chain{network, Vector<Scalar>(network.parameters().size())};
  network.initialize(chain.parameters.data(), 3);
  return chain;
}

Windows some_windows() {
  Matrix<double> series(40, 2);
  for (Index t = 0; t < 40; ++t) {
    series(t, 0) = std::sin(0.7 * static_cast<double>(t));
    series(t, 1) = 0.1 * static_cast<double>(t % 5);
  }
  return sliding_windows(series, {.length = 5});
}

template <typename Scalar>
void fit(Chain<Scalar>& chain, const Optimizer& optimizer, Index epochs,
         std::vector<Callback> callbacks = {}) {
  Trainer<Scalar>(chain.network, chain.parameters, chain.training)
      .fit(some_windows(),
           {.epochs = epochs, .batch_size = 8, .optimizer = optimizer, .callbacks = std::move(callbacks)});
}

template <typename Scalar>
Registry own_kinds() {
  Registry registry;
  registry.add<AnyLayer<Scalar>, Square<Scalar>>();
  registry.add<CustomOptimizer, Lion>();
  return registry;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const FileError& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "no exception";
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_TEMPLATE("chain: with own layer and optimizer it is saved, loaded, and trained on to the same bits",
                   Scalar, float, double) {
  const Directory directory;
  const auto registry = own_kinds<Scalar>();
  for (const Optimizer& optimizer : std::vector<Optimizer>{Adam{}, Lion{}}) {
    Chain<Scalar> whole = some_chain<Scalar>();
    fit(whole, optimizer, 3, {ModelCheckpoint{.path = (directory / "at_{epoch}").string()}});

    Chain<Scalar> part = some_chain<Scalar>();
    save(part, directory / "untrained");
    CHECK(load<Chain<Scalar>>(directory / "untrained", registry).parameters == part.parameters);
    fit(part, optimizer, 1);
    save(part, directory / "part");
    for (const char* name : {"part", "at_1"}) {
      auto rest = load<Chain<Scalar>>(directory / name, registry);
      REQUIRE(rest.network.size() == part.network.size());
      CHECK(rest.parameters == part.parameters);
      CHECK(rest.training.optimizer == part.training.optimizer);
      CHECK(rest.network.entries()[1].name == "drop \"it\"");
      CHECK(rest.network.entries()[4].layer.template get_if<Square<Scalar>>()->factor == 1.0 / 3);
      CHECK(rest.network.entries()[3].receives == rest.network.entries()[0].sends);
      fit(rest, optimizer, 2);
      CHECK(rest.parameters == whole.parameters);
      if (optimizer.index() > 0)
        CHECK(rest.training.moments.custom.at(1) == whole.training.moments.custom.at(1));
    }
  }
}

TEST_CASE("chain: an own loss is known by the registry, and without it only evaluate has to be told one") {
  const Directory directory;
  Chain<double> chain = some_chain<double>();
  const FitOptions options{.epochs = 2, .batch_size = 8, .loss = Distance{.power = 3}};
  const auto trainer = [](Chain<double>& of) {
    return Trainer<double>(of.network, of.parameters, of.training);
  };
  trainer(chain).fit(some_windows(), options);
  save(chain, directory / "chain");
  Registry registry = own_kinds<double>();
  auto unknowing = load<Chain<double>>(directory / "chain", registry);
  CHECK(unknowing.parameters == chain.parameters);
  CHECK_THROWS_WITH_AS(
      trainer(unknowing).evaluate(some_windows()),
      "evaluate: expected a loss in its options, or in the registry of load the one that was "
      "trained, got Distance",
      Error);
  CHECK(trainer(unknowing).evaluate(some_windows(), {.loss = Distance{.power = 3}}) ==
        trainer(chain).evaluate(some_windows()));
  // Saved without its fields, the loss would be lost.
  CHECK_THROWS_WITH_AS(
      save(unknowing, directory / "chain"),
      doctest::Contains("expected a loss in the registry of load, or another in training_state().loss, got "
                        "Distance"),
      FileError);
  registry.add<CustomLoss, Distance>();
  auto knowing = load<Chain<double>>(directory / "chain", registry);
  CHECK(knowing.training.loss == Loss(Distance{.power = 3}));
  CHECK(trainer(knowing).evaluate(some_windows()) == trainer(chain).evaluate(some_windows()));
  trainer(unknowing).fit(some_windows(), options);
  trainer(chain).fit(some_windows(), options);
  CHECK(unknowing.parameters == chain.parameters);
  CHECK(unknowing.training.loss == chain.training.loss);
}

TEST_CASE("chain: every kind of layer of ours comes back as it was written") {
  const Directory directory;
  Sequential<double> network({.steps = 3, .features = 2});
  network.add("lstm", Lstm<double>(2, {.units = 2}));
  network.add("zeros", Zeros<double>(4));
  network.add("decode", Lstm<double>(1, {.units = 2, .return_sequences = true}));
  network.carry_state(0, 2);
  network.add("dense", TimeDistributed<double>(2, {.units = 1, .use_bias = false}));
  Chain<double> chain{network, Vector<double>::Constant(network.parameters().size(), 0.5)};
  save(chain, directory / "first");
  const auto loaded = load<Chain<double>>(directory / "first");
  save(loaded, directory / "second");
  const auto bytes = [&](const char* name) {
    std::ifstream file(directory / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  CHECK(bytes("first") == bytes("second"));
  CHECK(load<Chain<float>>(directory / "first").parameters == chain.parameters.cast<float>());

  const Autoencoder<double> model({.steps = 3,
                                   .features = 2,
                                   .encoder = {{.units = 2}},
                                   .decoder = {{.units = 2}},
                                   .decoder_input = DecoderInput::previous_value,
                                   .decoder_state = DecoderState::encoder,
                                   .reverse_decoder = true});
  save(Chain<double>{model.network(), model.weights()}, directory / "first");
  save(load<Chain<double>>(directory / "first"), directory / "second");
  CHECK(bytes("first") == bytes("second"));
  CHECK(contains(message_of([&] { return load<Autoencoder<double>>(directory / "first"); }),
                 "model: expected Autoencoder, got \"Sequential\""));
}

TEST_CASE("chain: what a file may not hold is refused by name") {
  const Directory directory;
  const fs::path path = directory / "chain";
  Chain<double> chain = some_chain<double>();
  fit(chain, Lion{}, 1);
  save(chain, path);
  CHECK(contains(
      message_of([&] { return load<Chain<double>>(path); }),
      "network.layers[4].layer.kind: expected a known layer or one of the registry, got \"Square\""));
  Registry layers;
  layers.add<AnyLayer<double>, Square<double>>();
  CHECK(contains(message_of([&] { return load<Chain<double>>(path, layers); }),
                 "training.optimizer.kind: expected one of the kinds Adam, AdamW, Sgd, RmsProp, or one of "
                 "the registry, got \"Lion\""));
  Registry floats;
  floats.add<AnyLayer<float>, Square<float>>();
  CHECK(contains(message_of([&] { return load<Chain<double>>(path, floats); }), "got \"Square\""));

  chain.network.add("nameless", Nameless<double>());
  CHECK(contains(message_of([&] { save(chain, path); }),
                 "saving layer nameless: expected a layer that files have a name for"));
  chain.parameters.conservativeResize(3);
  CHECK(contains(message_of([&] { save(chain, path); }), "Chain: parameters: expected "));
}

TEST_CASE("chain: a network that cannot be is refused, before memory is taken for it") {
  using Json = nlohmann::json;
  const Json good = Json::parse(R"({"input": {"features": 2, "steps": 3}, "layers": [
      {"name": "a", "layer": {"kind": "RepeatVector", "steps": 3}}]})");
  const auto refusal = [](const Json& json, SequenceShape input = {.steps = 1, .features = 2}) {
    Json whole = json;
    whole["input"] = {{"features", input.features}, {"steps", input.steps}};
    whole = Json::parse(whole.dump());  // numbers as a file has them
    detail::ChainFields<float> fields;
    return message_of([&] {
      detail::with_file_errors("f", [&] {
        detail::from_json(whole, "network", fields, detail::known_kinds<float>());
        return 0;
      });
    });
  };
  CHECK(refusal(good) == "no exception");
  const auto changed = [&](const char* pointer, const Json& value) {
    Json json = good;
    json[Json::json_pointer(pointer)] = value;
    return refusal(json);
  };
  CHECK(contains(refusal(good, {.steps = 3, .features = 2}), "RepeatVector: expected an input of 1 step"));
  CHECK(contains(refusal(good, {.steps = 1, .features = 3000000000}),
                 "features and steps from 1 to 2147483647"));
  CHECK(contains(changed("/layers/0/layer/steps", 0), "RepeatVector: expected steps > 0"));
  CHECK(contains(changed("/layers/0/layer/steps", 3000000000),
                 "RepeatVector: expected steps of at most 2147483647"));
  CHECK(contains(changed("/layers/0/layer/kind", "Dropout"),
                 "network.layers[0].layer: expected a member rate"));
  CHECK(contains(changed("/layers/0/layer", {{"kind", "Dropout"}, {"rate", 1}}), "expected rate in [0, 1)"));
  CHECK(contains(changed("/layers/0/layer/more", 1), "no member but those known, got \"more\""));
  CHECK(contains(changed("/layers/0/more", 1), "no member but those known, got \"more\""));
  CHECK(contains(changed("/layers/0/name", 1), "network.layers[0].name: expected a string"));
  CHECK(contains(changed("/layers/0/state_from", 0), "carry_state: expected"));
  CHECK(contains(changed("/layers/0/state_from", 17), "carry_state: expected"));
  CHECK(contains(changed("/layers/1", good["layers"][0]), "a"));
  // The window of PreviousValue is that of the network's input, which it reads.
  CHECK(contains(changed("/layers/0/layer",
                         {{"kind", "PreviousValue"}, {"features", 2}, {"steps", 100}, {"reversed", false}}),
                 "expected"));
}
