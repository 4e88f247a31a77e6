#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <utility>
#include <vector>

#include "../data/symbol_sessions.hpp"
#include "../data/vocabulary.hpp"
#include "../losses/sparse_categorical_crossentropy.hpp"
#include "../scores/symbols.hpp"
#include "chain_model.hpp"
#include "detail/session_scoring.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

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

/// What models of symbols have in common: sessions in, the probability of each symbol out. `Parts` says what
/// kind of model it is: its options, its network, and the samples that it is trained on (see
/// symbol_predictor.hpp).
template <typename Scalar_, typename Symbol_, typename Parts>
class SymbolModel : public ChainModel<Scalar_> {
  using Base = ChainModel<Scalar_>;

 public:
  using Scalar = Scalar_;
  using Symbol = Symbol_;
  using Options = typename Parts::Options;

  const Options& options() const { return what_.options; }
  const Vocabulary<Symbol>& vocabulary() const { return what_.vocabulary; }

  /// Sessions as samples to train on or to validate on.
  template <SessionsOf<Symbol> Sessions>
  [[nodiscard]] Source source(const Sessions& sessions, SessionWeight weight = SessionWeight::root) const {
    return Parts::source(distinct(sessions, weight), options());
  }

  /// Trains on the sessions; the loss is the cross-entropy, and the options may name no other. Fits go on
  /// where the last one ended, as those of the other models do: to learn that sessions were normal after all,
  /// fit them together with some of the others.
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
    const SymbolSessions encoded({vocabulary().encode(session)});
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
    const SymbolSessions encoded({vocabulary().encode(session)});
    Matrix<Scalar> result(vocabulary().size(), encoded.length(0));
    walk(encoded, 1, [&](Index, Index position, std::span<const Scalar> values, Index) {
      std::copy(values.begin(), values.end(), result.col(position).data());
    });
    return result;
  }

  /// All that the model is, for files and whatever else keeps it.
  static constexpr const char* kind = Parts::kind;
  void write_snapshot(SnapshotWriter& writer) const { this->write(writer, what_); }

 protected:
  SymbolModel(Vocabulary<Symbol> vocabulary, Options options)
      : Base(kind, build(options, vocabulary, 1), options.seed),
        what_{std::move(options), std::move(vocabulary)} {}
  SymbolModel(Vocabulary<Symbol> vocabulary, Options options, Vector<Scalar> weights)
      : Base(kind, build(options, vocabulary, 1), std::move(weights)),
        what_{std::move(options), std::move(vocabulary)} {}
  SymbolModel(const SymbolModel&) = default;
  SymbolModel(SymbolModel&&) noexcept = default;
  SymbolModel& operator=(const SymbolModel&) = default;
  SymbolModel& operator=(SymbolModel&&) noexcept = default;
  ~SymbolModel() = default;

  template <typename Model>
  static Model read(SnapshotReader& reader) {
    What what;
    reader.section("options", what);
    const Index count = build(what.options, what.vocabulary, 1).parameters().size();
    reader.require_room(count);
    Model model(std::move(what.vocabulary), std::move(what.options), Vector<Scalar>(count));
    static_cast<SymbolModel&>(model).read_values(reader);
    return model;
  }

 private:
  /// What a file calls the options.
  struct What {
    Options options{};
    Vocabulary<Symbol> vocabulary{};

    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      auto& [options, vocabulary] = self;
      visit("model", options);
      visit("vocabulary", vocabulary);
    }
  };

  /// Completes the options, which say of each layer whether it returns sequences.
  static Sequential<Scalar> build(Options& options, const Vocabulary<Symbol>& vocabulary, Index steps) {
    return Parts::template build<Scalar>(options, vocabulary.size(), steps);
  }
  Sequential<Scalar> network_of(Index steps) const {
    Options options = what_.options;
    return build(options, vocabulary(), steps);
  }
  void set_steps(Index steps) {
    if (steps != this->network().input_shape().steps) this->set_network(network_of(steps));
  }

  template <typename Sessions>
  SymbolSessions distinct(const Sessions& sessions, SessionWeight weight) const {
    std::vector<std::vector<Index>> encoded;
    for (const auto& session : sessions) encoded.push_back(vocabulary().encode(session));
    return SymbolSessions(encoded, weight);
  }
  /// Weights that a source of symbols has; none of another one.
  static std::vector<double> weights_of(const Source& source) {
    if (const auto* const samples = source.get_if<typename Parts::Samples>()) return samples->weights();
    if (const auto* const windows = source.get_if<SymbolWindows>()) return windows->weights();
    return {};
  }
  /// Sessions in sequences of as many steps as the network has.
  Source stretched(const Source& source) const {
    const auto* const samples = source.get_if<typename Parts::Samples>();
    return samples == nullptr ? source : samples->with_steps(this->network().input_shape().steps);
  }
  SymbolScoreOptions score_options(const SymbolInferenceOptions& options) const {
    return {.floor = options.floor, .unseen = vocabulary().unseen()};
  }
  template <typename Sink>
  void walk(const SymbolSessions& sessions, int threads, Sink sink) const {
    detail::SessionScoring<Scalar, Sink>([this](Index steps) { return network_of(steps); }, this->theta(),
                                         sessions, Parts::window(options()), Parts::reproduces,
                                         std::move(sink))
        .run(threads);
  }

  What what_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
