#pragma once

#include <string>
#include <utility>

#include "../layers/dense.hpp"
#include "../layers/embedding.hpp"
#include "../layers/recurrent_options.hpp"
#include "symbol_model.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What a predictor of symbols is made of.
struct SymbolPredictorOptions {
  /// Features of the vector that is learnt for each symbol; 0: one feature for each symbol (one-hot).
  Index embedding = 16;
  /// From the input on; at least one, which read forwards.
  RecurrentLayers layers{};
  /// 0: a network that reads the whole session so far. Else the next symbol is predicted from so many before
  /// it alone, as DeepLog does.
  Index window = 0;
  /// Of the initial weights.
  std::uint64_t seed = 1;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [embedding, layers, window, seed] = self;
    visit("embedding", embedding);
    visit("layers", layers);
    visit("window", window);
    visit("seed", seed);
  }

  friend bool operator==(const SymbolPredictorOptions&, const SymbolPredictorOptions&) = default;
};

namespace detail {

/// The first layer of a network of symbols; `embedding` as in the options.
template <typename Scalar>
void add_symbol_input(Sequential<Scalar>& network, Index indices, Index embedding) {
  if (embedding > 0) {
    network.add("embedding", Embedding<Scalar>(1, {.input_dim = indices, .output_dim = embedding}));
  } else {
    network.add("one_hot", OneHot<Scalar>(indices));
  }
}

struct SymbolPredictorParts {
  using Options = SymbolPredictorOptions;
  using Samples = SymbolSessions;
  static constexpr const char* kind = "SymbolPredictor";
  /// Whether the network sees the symbols that it is asked for.
  static constexpr bool reproduces = false;
  static Index window(const Options& options) { return options.window; }
  static Source source(SymbolSessions sessions, const Options& options) {
    if (options.window == 0) return sessions;
    return SymbolWindows(std::move(sessions), options.window);
  }
  template <typename Scalar>
  static Sequential<Scalar> build(Options& options, Index indices, Index steps) {
    if (options.layers.empty()) detail::fail("SymbolPredictor", "at least one recurrent layer", "none");
    if (options.window > 0) steps = options.window;
    Sequential<Scalar> network({.steps = steps, .features = 1});
    add_symbol_input(network, indices, options.embedding);
    for (std::size_t l = 0; l < options.layers.size(); ++l) {
      RecurrentOptions& layer = options.layers.layer(l);
      layer.set_return_sequences(options.window == 0 || l + 1 < options.layers.size());
      const std::string name = "layers." + std::to_string(l);
      network.add(name, layer.template make<Scalar>(network.output_shape().features));
      if (options.window == 0 && !network.entries().back().traits.stepwise) {
        detail::fail({"SymbolPredictor: ", name},
                     "a layer that reads forwards, for it must not see what comes", "another");
      }
    }
    network.add("output", Dense<Scalar>(network.output_shape().features, {.units = indices}));
    return network;
  }
};

}  // namespace detail

/// Recurrent layers that read a session of symbols and say at each step how probable each symbol is to come
/// next. Trained on normal sessions, it finds the symbols improbable that do not belong where they stand: the
/// probability of each is the score, a low one is strange.
///
///     Embedding -> recurrent layers -> Dense(number of indices), the logits
///
///     SymbolPredictor<float, std::string> model(Vocabulary<std::string>(sessions),
///                                               {.layers = {{.units = 64}, {.units = 64}}});
///     model.fit(sessions, {.epochs = 200});
///     const std::vector<SessionScore> scores = model.score(others);
///
/// Sessions may have any length, also longer ones than in training. Equal sessions are trained on and scored
/// once. A vocabulary with start and end, the default, has the first symbol predicted too, and the end of
/// the session. The vocabulary belongs to the model, and to its file.
template <typename Scalar_, typename Symbol_ = int>
class SymbolPredictor : public SymbolModel<Scalar_, Symbol_, detail::SymbolPredictorParts> {
  using Base = SymbolModel<Scalar_, Symbol_, detail::SymbolPredictorParts>;

 public:
  /// Throws when sizes are not positive, or there is no recurrent layer or one that reads backwards.
  SymbolPredictor(Vocabulary<Symbol_> vocabulary, SymbolPredictorOptions options)
      : Base(std::move(vocabulary), std::move(options)) {}
  /// With these parameters, in the order of `parameters()`, instead of initial ones.
  SymbolPredictor(Vocabulary<Symbol_> vocabulary, SymbolPredictorOptions options, Vector<Scalar_> weights)
      : Base(std::move(vocabulary), std::move(options), std::move(weights)) {}

  [[nodiscard]] Summary summary() const {
    const std::size_t last = this->options().layers.size();
    return this->summary_with([&](std::size_t l) { return this->options().window > 0 && l >= last; });
  }
  static SymbolPredictor read_snapshot(SnapshotReader& reader) {
    return Base::template read<SymbolPredictor>(reader);
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
