#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "symbol_predictor.hpp"

// Sessions scored symbol by symbol, as they come.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What is remembered of a session that goes on: the states of the recurrent layers, the probabilities of the
/// symbol to come, and the score so far.
template <typename Scalar>
struct SymbolSession {
  Vector<Scalar> states, probabilities;
  SessionScore score{};
};

/// Takes sessions one symbol further. Holds a copy of the model's network and weights, and all memory that a
/// step takes.
template <typename Scalar, typename Symbol>
class SymbolStepper {
 public:
  SymbolStepper(const SymbolPredictor<Scalar, Symbol>& model, const SymbolInferenceOptions& options)
      : network_(model.network()),
        weights_(model.weights()),
        vocabulary_(model.vocabulary()),
        options_{.floor = options.floor, .unseen = model.vocabulary().unseen()} {
    detail::validate(options_);
    if (model.options().window > 0) {
      detail::fail("SymbolStream", "a model that reads whole sessions", "one of windows");
    }
    const Index start = vocabulary_.start();  // refuses a vocabulary without one
    Index scratch = 0, values = 1;
    for (const auto& entry : network_.entries()) {
      const SequenceShape in{.steps = 1, .features = entry.input.features};
      scratch = std::max(scratch, entry.layer.scratch_size(in, 1));
      values = std::max(values, entry.output.features);
      state_size_ += entry.layer.state_size();
    }
    scratch_.resize(scratch);
    for (auto& each : values_) each.resize(values);
    // Every session begins with the start, so what that leads to is worked out once.
    first_.states = Vector<Scalar>::Zero(state_size_);
    first_.probabilities.resize(vocabulary_.size());
    advance(first_, start);
  }

  const Vocabulary<Symbol>& vocabulary() const { return vocabulary_; }
  /// A session in which nothing has come yet.
  const SymbolSession<Scalar>& first() const { return first_; }

  /// What was thought of the index that comes now.
  SymbolScore score(SymbolSession<Scalar>& session, Index came) const {
    const std::span<const Scalar> probabilities(session.probabilities.data(),
                                                static_cast<std::size_t>(session.probabilities.size()));
    const SymbolScore result = symbol_score(probabilities, came, options_);
    session.score.add(result);
    return result;
  }
  /// Reads it, and makes the probabilities of what comes next.
  void advance(SymbolSession<Scalar>& session, Index came) {
    values_[0][0] = static_cast<Scalar>(came);
    Index state = 0;
    for (std::size_t l = 0; l < network_.entries().size(); ++l) {
      const auto& entry = network_.entries()[l];
      const bool last = l + 1 == network_.entries().size();
      const SequenceView<const Scalar> in(values_[l % 2].data(),
                                          {.samples = 1, .steps = 1, .features = entry.input.features});
      const SequenceView<Scalar> out(last ? session.probabilities.data() : values_[(l + 1) % 2].data(),
                                     {.samples = 1, .steps = 1, .features = entry.output.features});
      LayerCall<Scalar> call{.theta = weights_.data() + entry.offset, .scratch = scratch_.data()};
      if (entry.layer.state_size() > 0) {
        call.states.initial = call.states.final = session.states.data() + state;
        state += entry.layer.state_size();
      }
      entry.layer.infer(in, out, call);
    }
    softmax(std::span<Scalar>(session.probabilities.data(),
                              static_cast<std::size_t>(session.probabilities.size())));
  }

 private:
  Sequential<Scalar> network_;
  Vector<Scalar> weights_;
  Vocabulary<Symbol> vocabulary_;
  SymbolScoreOptions options_;
  Index state_size_ = 0;
  Vector<Scalar> scratch_;
  Vector<Scalar> values_[2];  // a layer's input and its output, in turn
  SymbolSession<Scalar> first_;
};

}  // namespace detail

/// One session, one symbol at a time: what `SymbolPredictor` says of it, as it comes. A step allocates
/// nothing and takes the same time however long the session is. (Batches add up their products in another
/// order, so that a stream's probabilities differ from theirs by rounding.)
///
///     SymbolStream<float, int> stream(model);
///     const SymbolScore score = stream.step(17);       // how probable 17 was
///     stream.session().largest_surprisal               // the session so far
///     const SessionScore whole = stream.finish();      // with its end; the next session begins
///
/// The model is copied. It reads whole sessions, and its vocabulary has a start.
template <typename Scalar_, typename Symbol_ = int>
class SymbolStream {
 public:
  using Scalar = Scalar_;
  using Symbol = Symbol_;

  explicit SymbolStream(const SymbolPredictor<Scalar, Symbol>& model,
                        const SymbolInferenceOptions& options = {})
      : stepper_(model, options), session_(stepper_.first()) {}

  /// The score of the symbol that comes now.
  SymbolScore step(const Symbol& symbol) {
    const Index came = stepper_.vocabulary().index(symbol);
    const SymbolScore score = stepper_.score(session_, came);
    stepper_.advance(session_, came);
    return score;
  }
  /// Of the symbols since the session began.
  const SessionScore& session() const { return session_.score; }
  /// The probability of each index to come next.
  const Vector<Scalar>& probabilities() const { return session_.probabilities; }
  /// The session is over: its score, with that of its end where the vocabulary has one. The next one begins.
  SessionScore finish() {
    if (stepper_.vocabulary().has_end()) stepper_.score(session_, stepper_.vocabulary().end());
    const SessionScore result = session_.score;
    reset();
    return result;
  }
  /// The session is forgotten, and the next one begins.
  void reset() { session_ = stepper_.first(); }

 private:
  detail::SymbolStepper<Scalar, Symbol> stepper_;
  detail::SymbolSession<Scalar> session_;
};

/// Many sessions at once, whose symbols come in any order, each with the key of its session (a block, a user,
/// a process). At most `capacity` are remembered: a new one beyond them takes the place of the one that has
/// been quiet for longest, which is then forgotten. No step allocates, but for what a key itself does.
template <typename Scalar_, typename Symbol_ = int, typename Key_ = std::int64_t>
class SymbolStreams {
 public:
  using Scalar = Scalar_;
  using Symbol = Symbol_;
  using Key = Key_;

  SymbolStreams(const SymbolPredictor<Scalar, Symbol>& model, Index capacity,
                const SymbolInferenceOptions& options = {})
      : stepper_(model, options) {
    detail::require_positive(capacity, "SymbolStreams", "capacity");
    slots_.resize(static_cast<std::size_t>(capacity));
    for (Slot& slot : slots_) slot.session = stepper_.first();
    std::size_t places = 1;
    while (places < 2 * slots_.size()) places *= 2;
    places_.assign(places, none);
  }

  /// The score of a symbol that comes in the session of this key, which begins where it is not remembered.
  SymbolScore step(const Key& key, const Symbol& symbol) {
    std::size_t place = find(key);
    if (places_[place] == none) place = begin(key);
    const std::size_t number = places_[place];
    touch(number);
    Slot& slot = slots_[number];
    const Index came = stepper_.vocabulary().index(symbol);
    const SymbolScore score = stepper_.score(slot.session, came);
    stepper_.advance(slot.session, came);
    return score;
  }
  /// The session so far; null where there is none of this key. Valid until the next step.
  const SessionScore* session(const Key& key) const {
    const std::size_t number = places_[find(key)];
    return number == none ? nullptr : &slots_[number].session.score;
  }
  /// The session of this key is over: its score, with that of its end. Of no symbols where it is not
  /// remembered.
  SessionScore finish(const Key& key) {
    const std::size_t number = places_[find(key)];
    if (number == none) return {};
    Slot& slot = slots_[number];
    if (stepper_.vocabulary().has_end()) stepper_.score(slot.session, stepper_.vocabulary().end());
    const SessionScore result = slot.session.score;
    forget(key);
    unlink(number);
    slot.next = free_;
    free_ = number;
    --size_;
    return result;
  }

  /// Sessions that are remembered, and how many were forgotten to make room.
  Index size() const { return static_cast<Index>(size_); }
  Index forgotten() const { return forgotten_; }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  struct Slot {
    Key key{};
    detail::SymbolSession<Scalar> session;
    std::size_t next = none, before = none;  // in the order in which they were quiet, the longest first
  };

  /// Where the key stands among the places, or the free one where it would.
  std::size_t find(const Key& key) const {
    std::size_t place = home(key);
    while (places_[place] != none && !(slots_[places_[place]].key == key)) place = after(place);
    return place;
  }
  /// The hash of an integer is often itself: multiplied, neighbours do not crowd.
  std::size_t home(const Key& key) const {
    const std::uint64_t mixed = std::hash<Key>()(key) * std::uint64_t{0x9E3779B97F4A7C15};
    return static_cast<std::size_t>(mixed >> 32) & (places_.size() - 1);
  }
  std::size_t after(std::size_t place) const { return (place + 1) & (places_.size() - 1); }

  std::size_t begin(const Key& key) {
    std::size_t number = free_;
    if (number != none) {
      free_ = slots_[number].next;
    } else if (used_ < slots_.size()) {
      number = used_++;
    } else {
      number = quietest_;
      forget(slots_[number].key);
      unlink(number);
      --size_;
      ++forgotten_;
    }
    slots_[number].key = key;
    slots_[number].session = stepper_.first();
    link(number);
    ++size_;
    const std::size_t place = find_free(key);
    places_[place] = number;
    return place;
  }
  std::size_t find_free(const Key& key) const {
    std::size_t place = home(key);
    while (places_[place] != none) place = after(place);
    return place;
  }
  /// Takes the key out of the places, and moves those behind it that it kept from their own.
  void forget(const Key& key) {
    std::size_t hole = find(key);
    places_[hole] = none;
    for (std::size_t place = after(hole); places_[place] != none; place = after(place)) {
      const std::size_t number = places_[place];
      places_[place] = none;
      places_[find_free(slots_[number].key)] = number;
    }
  }

  void link(std::size_t number) {
    slots_[number].before = latest_;
    slots_[number].next = none;
    (latest_ == none ? quietest_ : slots_[latest_].next) = number;
    latest_ = number;
  }
  void unlink(std::size_t number) {
    const Slot& slot = slots_[number];
    (slot.before == none ? quietest_ : slots_[slot.before].next) = slot.next;
    (slot.next == none ? latest_ : slots_[slot.next].before) = slot.before;
  }
  void touch(std::size_t number) {
    unlink(number);
    link(number);
  }

  detail::SymbolStepper<Scalar, Symbol> stepper_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> places_;  // a hash table of slots, by key
  std::size_t used_ = 0, size_ = 0;
  std::size_t free_ = none, quietest_ = none, latest_ = none;
  Index forgotten_ = 0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
