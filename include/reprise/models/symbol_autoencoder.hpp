#pragma once

#include <string>
#include <utility>
#include <vector>

#include "../layers/repeat_vector.hpp"
#include "symbol_predictor.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What an autoencoder of symbols is made of.
struct SymbolAutoencoderOptions {
  /// Features of the vector that is learnt for each symbol; 0: one feature for each symbol (one-hot).
  Index embedding = 16;
  /// From the input on; at least one.
  RecurrentLayers encoder{};
  /// From the repeated code on; at least one.
  RecurrentLayers decoder{};
  /// Of the initial weights.
  std::uint64_t seed = 1;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [embedding, encoder, decoder, seed] = self;
    visit("embedding", embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
    visit("seed", seed);
  }

  friend bool operator==(const SymbolAutoencoderOptions&, const SymbolAutoencoderOptions&) = default;
};

namespace detail {

/// Sessions that a network shall reproduce: its inputs and its targets are the symbols that a
/// `SymbolSessions` asks for.
class SymbolCopies {
 public:
  explicit SymbolCopies(SymbolSessions sessions) : sessions_(std::move(sessions)) {}
  Index size() const { return sessions_.size(); }
  SequenceShape input_shape() const { return sessions_.input_shape(); }
  SequenceShape target_shape() const { return sessions_.target_shape(); }
  Index length(Index sample) const { return sessions_.length(sample); }
  template <typename Scalar>
  void gather(std::span<const Index> samples, SequenceView<Scalar> inputs,
              SequenceView<Scalar> targets) const {
    sessions_.put(samples, 1, inputs);
    if (targets.data != nullptr) sessions_.put(samples, 1, targets);
  }
  SymbolCopies with_steps(Index steps) const { return SymbolCopies(sessions_.with_steps(steps)); }
  const std::vector<double>& weights() const { return sessions_.weights(); }

 private:
  SymbolSessions sessions_;
};

struct SymbolAutoencoderParts {
  using Options = SymbolAutoencoderOptions;
  using Samples = SymbolCopies;
  static constexpr const char* kind = "SymbolAutoencoder";
  static constexpr bool reproduces = true;
  static Index window(const Options&) { return 0; }
  static Source source(SymbolSessions sessions, const Options&) { return SymbolCopies(std::move(sessions)); }

  template <typename Scalar>
  static Sequential<Scalar> build(Options& options, Index indices, Index steps) {
    if (options.encoder.empty()) detail::fail("SymbolAutoencoder", "at least one encoder layer", "none");
    if (options.decoder.empty()) detail::fail("SymbolAutoencoder", "at least one decoder layer", "none");
    Sequential<Scalar> network({.steps = steps, .features = 1});
    add_symbol_input(network, indices, options.embedding);
    const auto add = [&](RecurrentLayers& layers, const std::string& side, bool last_returns_sequences) {
      for (std::size_t l = 0; l < layers.size(); ++l) {
        layers.layer(l).set_return_sequences(l + 1 < layers.size() || last_returns_sequences);
        network.add(side + "." + std::to_string(l),
                    layers.layer(l).template make<Scalar>(network.output_shape().features));
      }
    };
    add(options.encoder, "encoder", false);
    network.add("repeat", RepeatVector<Scalar>(steps));
    add(options.decoder, "decoder", true);
    network.add("output", TimeDistributed<Scalar>(network.output_shape().features, {.units = indices}));
    return network;
  }
};

}  // namespace detail

/// Recurrent layers that read a whole session into one vector, the code, and others that say from the
/// repeated code which symbol stood at each place: the probability of every symbol there. Unlike
/// `SymbolPredictor` it has seen the symbol that it is asked for; what does not fit into the code is
/// improbable.
///
///     Embedding -> encoder layers -> RepeatVector -> decoder layers -> TimeDistributed(Dense), the logits
///
///     SymbolAutoencoder<float, std::string> model(Vocabulary<std::string>(sessions),
///                                                 {.encoder = {{.units = 64}}, .decoder = {{.units = 64}}});
///     model.fit(sessions, {.epochs = 100});
///     const std::vector<SessionScore> scores = model.score(others);
///
/// Sessions, their lengths, the vocabulary and the scores are as with `SymbolPredictor`. The vocabulary must
/// have a start, though that is neither read nor asked for; the end belongs to what is reproduced.
template <typename Scalar_, typename Symbol_ = int>
class SymbolAutoencoder : public SymbolModel<Scalar_, Symbol_, detail::SymbolAutoencoderParts> {
  using Base = SymbolModel<Scalar_, Symbol_, detail::SymbolAutoencoderParts>;

 public:
  /// Throws when sizes are not positive, encoder or decoder is empty, or the vocabulary has no start.
  SymbolAutoencoder(Vocabulary<Symbol_> vocabulary, SymbolAutoencoderOptions options)
      : Base(with_start(std::move(vocabulary)), std::move(options)) {}
  /// With these parameters, in the order of `parameters()`, instead of initial ones.
  SymbolAutoencoder(Vocabulary<Symbol_> vocabulary, SymbolAutoencoderOptions options, Vector<Scalar_> weights)
      : Base(with_start(std::move(vocabulary)), std::move(options), std::move(weights)) {}

  [[nodiscard]] Summary summary() const {
    return this->summary_with([&](std::size_t l) { return l == this->options().encoder.size(); });
  }
  static SymbolAutoencoder read_snapshot(SnapshotReader& reader) {
    return Base::template read<SymbolAutoencoder>(reader);
  }

 private:
  static Vocabulary<Symbol_> with_start(Vocabulary<Symbol_> vocabulary) {
    static_cast<void>(vocabulary.start());  // throws where there is none
    return vocabulary;
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
