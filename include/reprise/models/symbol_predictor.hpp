#pragma once

#include <concepts>
#include <string>
#include <utility>
#include <vector>

#include "../data/symbol_sessions.hpp"
#include "../data/vocabulary.hpp"
#include "../layers/dense.hpp"
#include "../layers/embedding.hpp"
#include "../layers/recurrent_options.hpp"
#include "../losses/sparse_categorical_crossentropy.hpp"
#include "../scores/symbols.hpp"
#include "chain_model.hpp"
#include "detail/session_scoring.hpp"

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

/// Options of the scores of a model of symbols.
struct SymbolInferenceOptions {
  /// The smallest probability, which symbols have that were never seen.
  double floor = 1e-9;
  /// Threads that share the sessions; the result does not depend on it.
  int threads = 1;

  friend bool operator==(const SymbolInferenceOptions&, const SymbolInferenceOptions&) = default;
};

/// Sessions of symbols: a range of ranges of them, such as a `std::vector<std::vector<std::string>>`.
template <typename Sessions, typename Symbol>
concept SessionsOf = !DataSource<Sessions> && requires(const Sessions& sessions, const Symbol& symbol) {
  { *(*sessions.begin()).begin() == symbol } -> std::convertible_to<bool>;
};

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
class SymbolPredictor : public ChainModel<Scalar_> {
  using Base = ChainModel<Scalar_>;

 public:
  using Scalar = Scalar_;
  using Symbol = Symbol_;

  /// Throws when sizes are not positive, or there is no recurrent layer or one that reads backwards.
  SymbolPredictor(Vocabulary<Symbol> vocabulary, SymbolPredictorOptions options)
      : Base(kind, build(options, vocabulary.size(), 1), options.seed),
        what_{std::move(options), std::move(vocabulary)} {}
  /// With these parameters, in the order of `parameters()`, instead of initial ones.
  SymbolPredictor(Vocabulary<Symbol> vocabulary, SymbolPredictorOptions options, Vector<Scalar> weights)
      : Base(kind, build(options, vocabulary.size(), 1), std::move(weights)),
        what_{std::move(options), std::move(vocabulary)} {}

  const SymbolPredictorOptions& options() const { return what_.options; }
  const Vocabulary<Symbol>& vocabulary() const { return what_.vocabulary; }

  /// The indices of a session, with start and end where the vocabulary has them.
  template <typename Session>
  [[nodiscard]] std::vector<Index> encode(const Session& session) const {
    std::vector<Index> result;
    if (vocabulary().has_start()) result.push_back(vocabulary().start());
    for (const auto& symbol : session) result.push_back(vocabulary().index(symbol));
    if (vocabulary().has_end()) result.push_back(vocabulary().end());
    return result;
  }
  /// Sessions as samples to train on or to validate on.
  template <SessionsOf<Symbol> Sessions>
  [[nodiscard]] Source source(const Sessions& sessions, SessionWeight weight = SessionWeight::root) const {
    SymbolSessions encoded = distinct(sessions, weight);
    if (options().window == 0) return encoded;
    return SymbolWindows(std::move(encoded), options().window);
  }

  /// Trains to predict each next symbol of the sessions; the loss is the cross-entropy, whatever the options
  /// say of it as long as they name no other. Fits go on where the last one ended, as those of the other
  /// models do: to learn that sessions were normal after all, fit them together with some of the others.
  template <SessionsOf<Symbol> Sessions>
  History fit(const Sessions& sessions, FitOptions options = {}, SessionWeight weight = SessionWeight::root) {
    return fit(source(sessions, weight), std::move(options));
  }
  /// The same of `source(sessions)`, whose weights are taken unless the options have some, or of samples of
  /// indices made elsewhere.
  History fit(Source source, FitOptions options = {}) {
    this->theta();
    if (options.loss == Loss(MeanSquaredError{})) options.loss = SparseCategoricalCrossentropy{};
    if (options.loss != Loss(SparseCategoricalCrossentropy{})) {
      detail::fail("fit", "the loss SparseCategoricalCrossentropy, or none", "another");
    }
    if (options.sample_weights.empty()) options.sample_weights = weights_of(source);
    Index steps = std::max(this->network().input_shape().steps, source.input_shape().steps);
    if (options.validation_data) steps = std::max(steps, options.validation_data->input_shape().steps);
    set_steps(steps);
    if (options.validation_data) options.validation_data = stretched(*options.validation_data);
    return this->train(stretched(source), std::move(options), what_);
  }
  /// Mean cross-entropy of the sessions' symbols, each distinct session counting once.
  template <SessionsOf<Symbol> Sessions>
  [[nodiscard]] double evaluate(const Sessions& sessions, EvaluateOptions options = {}) const {
    const Source samples = source(sessions);
    options.loss = SparseCategoricalCrossentropy{};
    return reprise::evaluate(network_of(samples.input_shape().steps), this->weights(), samples, options);
  }

  /// What is strange about each session. Throws `Error` where one has nothing to be asked for: an empty one,
  /// unless the vocabulary has start and end.
  template <SessionsOf<Symbol> Sessions>
  [[nodiscard]] std::vector<SessionScore> score(const Sessions& sessions,
                                                const SymbolInferenceOptions& options = {}) const {
    if (sessions.begin() == sessions.end()) return {};
    const SymbolSessions encoded = distinct(sessions, SessionWeight::one);
    std::vector<SessionScore> scores(static_cast<std::size_t>(encoded.size()));
    const SymbolScoreOptions each = score_options(options);
    walk(encoded, options.threads,
         [&](Index sample, Index, std::span<const Scalar> probabilities, Index came) {
           scores[static_cast<std::size_t>(sample)].add(symbol_score(probabilities, came, each));
         });
    std::vector<SessionScore> result;
    for (const Index sample : encoded.distinct()) result.push_back(scores[static_cast<std::size_t>(sample)]);
    return result;
  }
  /// The score of each symbol of one session, and of its end where the vocabulary has one.
  template <typename Session>
  [[nodiscard]] std::vector<SymbolScore> symbol_scores(const Session& session,
                                                       const SymbolInferenceOptions& options = {}) const {
    const SymbolSessions encoded({encode(session)});
    std::vector<SymbolScore> result;
    const SymbolScoreOptions each = score_options(options);
    walk(encoded, 1, [&](Index, Index, std::span<const Scalar> probabilities, Index came) {
      result.push_back(symbol_score(probabilities, came, each));
    });
    return result;
  }
  /// The probability of every index (rows) at each symbol of one session (columns), and at its end.
  template <typename Session>
  [[nodiscard]] Matrix<Scalar> probabilities(const Session& session) const {
    const SymbolSessions encoded({encode(session)});
    Matrix<Scalar> result(vocabulary().size(), encoded.length(0));
    walk(encoded, 1, [&](Index, Index position, std::span<const Scalar> values, Index) {
      std::copy(values.begin(), values.end(), result.col(position).data());
    });
    return result;
  }

  [[nodiscard]] Summary summary() const {
    const std::size_t last = options().layers.size();
    return this->summary_with([&](std::size_t l) { return options().window > 0 && l >= last; });
  }

  /// All that the model is, for files and whatever else keeps it.
  static constexpr const char* kind = "SymbolPredictor";
  void write_snapshot(SnapshotWriter& writer) const { this->write(writer, what_); }
  static SymbolPredictor read_snapshot(SnapshotReader& reader) {
    What what;
    reader.section("options", what);
    const Index count = build(what.options, what.vocabulary.size(), 1).parameters().size();
    reader.require_room(count);
    SymbolPredictor model(std::move(what.vocabulary), std::move(what.options), Vector<Scalar>(count));
    model.read_values(reader);
    return model;
  }

 private:
  /// What a file calls the options.
  struct What {
    SymbolPredictorOptions options{};
    Vocabulary<Symbol> vocabulary{};

    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      auto& [options, vocabulary] = self;
      visit("predictor", options);
      visit("vocabulary", vocabulary);
    }
  };

  static Sequential<Scalar> build(SymbolPredictorOptions& options, Index indices, Index steps) {
    if (options.layers.empty()) detail::fail("SymbolPredictor", "at least one recurrent layer", "none");
    if (options.window > 0) steps = options.window;
    Sequential<Scalar> network({.steps = steps, .features = 1});
    if (options.embedding > 0) {
      network.add("embedding", Embedding<Scalar>(1, {.input_dim = indices, .output_dim = options.embedding}));
    } else {
      network.add("one_hot", OneHot<Scalar>(indices));
    }
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
  Sequential<Scalar> network_of(Index steps) const {
    SymbolPredictorOptions options = what_.options;
    return build(options, vocabulary().size(), steps);
  }
  void set_steps(Index steps) {
    if (steps != this->network().input_shape().steps) this->set_network(network_of(steps));
  }

  template <typename Sessions>
  SymbolSessions distinct(const Sessions& sessions, SessionWeight weight) const {
    std::vector<std::vector<Index>> encoded;
    for (const auto& session : sessions) encoded.push_back(encode(session));
    return SymbolSessions(encoded, weight);
  }
  static std::vector<double> weights_of(const Source& source) {
    if (const auto* const sessions = source.get_if<SymbolSessions>()) return sessions->weights();
    if (const auto* const windows = source.get_if<SymbolWindows>()) return windows->weights();
    return {};
  }
  /// Sessions in sequences of as many steps as the network has.
  Source stretched(const Source& source) const {
    const auto* const sessions = source.get_if<SymbolSessions>();
    return sessions == nullptr ? source : sessions->with_steps(this->network().input_shape().steps);
  }
  SymbolScoreOptions score_options(const SymbolInferenceOptions& options) const {
    return {.floor = options.floor, .unseen = vocabulary().unseen()};
  }
  template <typename Sink>
  void walk(const SymbolSessions& sessions, int threads, Sink sink) const {
    const Sequential<Scalar> network = network_of(sessions.input_shape().steps);
    detail::SessionScoring<Scalar, Sink>(network, this->theta(), sessions, options().window, std::move(sink))
        .run(threads);
  }

  What what_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
