#pragma once

#include <utility>
#include <variant>
#include <vector>

#include "../core/visit.hpp"
#include "decoder_input.hpp"
#include "dense.hpp"
#include "dropout.hpp"
#include "lstm.hpp"
#include "repeat_vector.hpp"
#include "reverse.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

template <typename Scalar>
using AnyLayer = std::variant<Lstm<Scalar>, Dense<Scalar>, RepeatVector<Scalar>, Dropout<Scalar>,
                              Zeros<Scalar>, PreviousValue<Scalar>, Reverse<Scalar>>;

/// What one forward and backward pass of a `Sequential` over one shard of a batch keeps. Reused: memory only
/// grows.
template <typename Scalar>
struct SequentialTape {
  SequenceView<Scalar> input;
  /// One for each layer.
  std::vector<SequenceView<Scalar>> outputs;
  std::vector<Scalar*> tapes;
  /// Handed from one LSTM to another; in `backward` their gradients.
  Scalar* states = nullptr;
  Vector<Scalar> memory;
};

/// Buffers that a pass needs only while it runs: one set for each thread. Reused: memory only grows.
template <typename Scalar>
struct SequentialScratch {
  Vector<Scalar> memory;
};

/// Layers one after the other, their shapes, and the table of all their parameters; like a layer, it holds no
/// parameters and no activations.
template <typename Scalar_>
class Sequential {
 public:
  using Scalar = Scalar_;

  explicit Sequential(SequenceShape input) : input_(input) {
    detail::require_positive(input.steps, "model", "steps");
    detail::require_positive(input.features, "model", "features");
  }

  /// Appends a layer whose parameters are named `<name>.kernel` and so on. Throws where it does not fit the
  /// one before.
  void add(const std::string& name, AnyLayer<Scalar> layer) {
    const SequenceShape in = output_shape();
    const Index offset = parameters_.size();
    const SequenceShape out = detail::visit(
        [&](const auto& l) {
          const SequenceShape shape = l.output_shape(in);  // may throw, and must come first
          l.add_parameters(parameters_, name + ".");
          return shape;
        },
        layer);
    // An LSTM takes a repeated input as one step.
    if (std::holds_alternative<Lstm<Scalar>>(layer) && !entries_.empty() &&
        std::holds_alternative<RepeatVector<Scalar>>(entries_.back().layer)) {
      entries_.back().repeated_output = true;
    }
    entries_.push_back({name, std::move(layer), in, out, offset});
  }

  /// LSTM layer `to` starts from the state, h and c, in which LSTM layer `from` ends, instead of from zeros;
  /// each hands over or is handed one state at most. Throws where that cannot be.
  void carry_state(std::size_t from, std::size_t to) {
    const auto is_lstm = [&](std::size_t l) {
      return l < entries_.size() && std::holds_alternative<Lstm<Scalar>>(entries_[l].layer);
    };
    if (!(from < to && is_lstm(from) && is_lstm(to) && entries_[from].sends < 0 &&
          entries_[to].receives < 0)) {
      detail::fail("Sequential: carry_state", "an LSTM and a later one, neither with such a state yet",
                   {"layers ", from, " and ", to});
    }
    const Index units = entries_[from].output.features;
    if (entries_[to].output.features != units) {
      detail::fail(entries_[to].name,
                   {units, " units, as many as ", entries_[from].name, ", from whose state it starts"},
                   {entries_[to].output.features});
    }
    entries_[from].sends = entries_[to].receives = state_size_;
    state_size_ += 2 * units;
  }

  struct Entry {
    std::string name;
    AnyLayer<Scalar> layer;
    SequenceShape input;
    SequenceShape output;
    /// Where its parameters begin.
    Index offset;
    /// Whether the next layer sees the output as one step that is repeated.
    bool repeated_output = false;
    /// Where, among a sample's states, that which it hands over and that which it is handed begin; < 0: none.
    Index sends = -1;
    Index receives = -1;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  Index size() const { return static_cast<Index>(entries_.size()); }
  const ParameterTable& parameters() const { return parameters_; }
  SequenceShape input_shape() const { return input_; }
  SequenceShape output_shape() const { return entries_.empty() ? input_ : entries_.back().output; }

  /// First values of all parameters; each layer has random numbers of its own.
  void initialize(Scalar* theta, std::uint64_t seed) const {
    for (std::size_t l = 0; l < entries_.size(); ++l) {
      RandomStream random(seed, Purpose::initial_weights, static_cast<std::uint32_t>(l));
      detail::visit([&](const auto& layer) { layer.initialize(theta + entries_[l].offset, random); },
                    entries_[l].layer);
    }
  }

  /// Lays the tape out for a batch; allocates only when none so large was seen before.
  void prepare(SequentialTape<Scalar>& tape, Index batch) const {
    const auto lay_out = [&](Scalar* memory) {
      detail::Carver<Scalar> carve(memory);
      tape.outputs.resize(entries_.size());
      tape.tapes.resize(entries_.size());
      tape.input = carve.take(input_.features, batch, input_.steps);
      for (std::size_t l = 0; l < entries_.size(); ++l) {
        const Entry& entry = entries_[l];
        tape.outputs[l] = output_view(carve.take(stored(entry) * batch), entry, batch);
        tape.tapes[l] = carve.take(detail::visit(
            [&](const auto& layer) { return layer.tape_size(entry.input, batch); }, entry.layer));
      }
      tape.states = carve.take(state_size_ * batch);
      return carve.used();
    };
    detail::grow(tape.memory, lay_out(nullptr));
    lay_out(tape.memory.data());
  }

  /// Scratch for passes of up to `batch` samples.
  void prepare(SequentialScratch<Scalar>& scratch, Index batch) const {
    detail::grow(scratch.memory, carve_scratch(nullptr, batch).size);
  }

  /// From `tape.input` to the output, keeping what `backward` needs.
  SequenceView<Scalar> forward(const Scalar* theta, SequentialTape<Scalar>& tape,
                               SequentialScratch<Scalar>& scratch, LayerContext context) const {
    const Scratch s = carve_scratch(scratch.memory.data(), tape.input.batch);
    for (std::size_t l = 0; l < entries_.size(); ++l) {
      context.layer = static_cast<std::uint32_t>(l);
      const LstmStates<Scalar> states = states_of(entries_[l], tape.states, tape.input.batch);
      visit_with_states(entries_[l], states, [&](const auto& layer, const auto&... with_states) {
        layer.forward(theta + entries_[l].offset, input_of(tape, l), tape.outputs[l], tape.tapes[l], s.layer,
                      context, with_states...);
      });
    }
    return tape.outputs.back();
  }

  /// Where `backward` expects the gradient of the output.
  SequenceView<Scalar> output_gradient(const SequentialTape<Scalar>& tape,
                                       SequentialScratch<Scalar>& scratch) const {
    const Scratch s = carve_scratch(scratch.memory.data(), tape.input.batch);
    return {s.gradient[size() % 2], output_shape().features, tape.input.batch, output_shape().steps};
  }

  /// From the gradient of the output to that of the parameters, which is *added* to `gradient`.
  void backward(const Scalar* theta, const SequentialTape<Scalar>& tape, SequentialScratch<Scalar>& scratch,
                LayerContext context, Scalar* gradient) const {
    const Index B = tape.input.batch;
    const Scratch s = carve_scratch(scratch.memory.data(), B);
    for (std::size_t l = entries_.size(); l-- > 0;) {
      const Entry& entry = entries_[l];
      const SequenceView<const Scalar> dy = output_view(s.gradient[(l + 1) % 2], entry, B);
      const SequenceView<Scalar> dx =
          l == 0 ? SequenceView<Scalar>() : output_view(s.gradient[l % 2], entries_[l - 1], B);
      context.layer = static_cast<std::uint32_t>(l);
      const LstmStates<Scalar> states = state_gradients_of(entry, tape.states, B);
      visit_with_states(entry, states, [&](const auto& layer, const auto&... with_states) {
        layer.backward(theta + entry.offset, input_of(tape, l), tape.outputs[l], dy, dx, tape.tapes[l],
                       s.layer, gradient + entry.offset, context, with_states...);
      });
    }
  }

  /// Layers [first, last) at inference, from `in` to `out`, without a tape. A state that no layer among them
  /// hands over is whatever the scratch holds, so both of its layers must be there.
  void infer(const Scalar* theta, SequenceView<const Scalar> in, SequenceView<Scalar> out, std::size_t first,
             std::size_t last, SequentialScratch<Scalar>& scratch) const {
    prepare(scratch, in.batch);
    const Scratch s = carve_scratch(scratch.memory.data(), in.batch);
    for (std::size_t l = first; l < last; ++l) {
      const Entry& entry = entries_[l];
      const SequenceView<Scalar> y = l + 1 == last ? out : output_view(s.gradient[l % 2], entry, in.batch);
      if (std::holds_alternative<PreviousValue<Scalar>>(entry.layer)) {
        if (last == entries_.size()) return infer_by_step(theta, out, l, s);
        detail::fail("Sequential: infer", {"all layers behind ", entry.name}, "some of them");
      }
      const LstmStates<Scalar> states = states_of(entry, s.states, in.batch);
      visit_with_states(entry, states, [&](const auto& layer, const auto&... with_states) {
        layer.infer(theta + entry.offset, in, y, s.layer, LayerContext{}, with_states...);
      });
      in = y;
    }
  }

 private:
  struct Scratch {
    /// What one layer needs.
    Scalar* layer;
    /// Of one layer's output and of its input, in turn; at inference the values themselves.
    Scalar* gradient[2];
    /// As on the tape.
    Scalar* states;
    Index size;
  };

  Scratch carve_scratch(Scalar* memory, Index batch) const {
    Index layer = 0;
    Index values = output_shape().features * output_shape().steps * batch;
    for (const Entry& entry : entries_) {
      layer = std::max(layer, detail::visit([&](const auto& l) { return l.scratch_size(entry.input, batch); },
                                            entry.layer));
      values = std::max(values, stored(entry) * batch);
    }
    detail::Carver<Scalar> carve(memory);
    Scratch s{};
    s.layer = carve.take(layer);
    s.gradient[0] = carve.take(values);
    s.gradient[1] = carve.take(values);
    s.states = carve.take(state_size_ * batch);
    s.size = carve.used();
    return s;
  }

  /// Scalars of a sample's output that stand in memory.
  static Index stored(const Entry& entry) {
    return entry.output.features * (entry.repeated_output ? 1 : entry.output.steps);
  }
  static SequenceView<Scalar> output_view(Scalar* data, const Entry& entry, Index batch) {
    return {data, entry.output.features, batch, entry.output.steps, entry.repeated_output};
  }

  /// The layers behind entry `previous`, one step after the other, each step's output the next one's input,
  /// to the end of the network.
  void infer_by_step(const Scalar* theta, SequenceView<Scalar> out, std::size_t previous,
                     const Scratch& s) const {
    const bool reversed = std::holds_alternative<Reverse<Scalar>>(entries_.back().layer);
    const std::size_t end = entries_.size() - (reversed ? 1 : 0);
    const Index B = out.batch;
    std::fill_n(s.gradient[previous % 2], out.features * B, Scalar(0));
    SequenceView<const Scalar> in(s.gradient[previous % 2], out.features, B, 1);
    for (Index t = 0; t < out.steps; ++t) {
      Scalar* const place = out.data + (reversed ? out.steps - 1 - t : t) * out.features * B;
      for (std::size_t l = previous + 1; l < end; ++l) {
        const Entry& entry = entries_[l];
        const SequenceView<Scalar> y(l + 1 == end ? place : s.gradient[l % 2], entry.output.features, B, 1);
        LstmStates<Scalar> states;
        if (std::holds_alternative<Lstm<Scalar>>(entry.layer)) {
          if (entry.receives < 0) detail::fail("Sequential: infer", {"a state for ", entry.name}, "none");
          states = states_of(entry, s.states, B);
          states.final_h = s.states + entry.receives * B;  // where the next step finds it
          states.final_c = states.final_h + entry.output.features * B;
        }
        visit_with_states(entry, states, [&](const auto& layer, const auto&... with_states) {
          layer.infer(theta + entry.offset, in, y, s.layer, LayerContext{}, with_states...);
        });
        in = y;
      }
    }
  }

  /// Calls use(layer, states) for an LSTM, use(layer) for another layer.
  template <typename Use>
  static void visit_with_states(const Entry& entry, const LstmStates<Scalar>& states, const Use& use) {
    detail::visit(
        [&](const auto& layer) {
          if constexpr (std::is_same_v<std::decay_t<decltype(layer)>, Lstm<Scalar>>) {
            use(layer, states);
          } else {
            use(layer);
          }
        },
        entry.layer);
  }
  static LstmStates<Scalar> states_of(const Entry& entry, Scalar* states, Index batch) {
    LstmStates<Scalar> result;
    const Index count = entry.output.features * batch;
    if (entry.receives >= 0) {
      result.initial_h = states + entry.receives * batch;
      result.initial_c = result.initial_h + count;
    }
    if (entry.sends >= 0) {
      result.final_h = states + entry.sends * batch;
      result.final_c = result.final_h + count;
    }
    return result;
  }
  static LstmStates<Scalar> state_gradients_of(const Entry& entry, Scalar* states, Index batch) {
    LstmStates<Scalar> result;
    const Index count = entry.output.features * batch;
    if (entry.receives >= 0) {
      result.initial_h_gradient = states + entry.receives * batch;
      result.initial_c_gradient = result.initial_h_gradient + count;
    }
    if (entry.sends >= 0) {
      result.final_h_gradient = states + entry.sends * batch;
      result.final_c_gradient = result.final_h_gradient + count;
    }
    return result;
  }

  SequenceView<const Scalar> input_of(const SequentialTape<Scalar>& tape, std::size_t layer) const {
    const bool of_network =
        layer == 0 || std::holds_alternative<PreviousValue<Scalar>>(entries_[layer].layer);
    return of_network ? tape.input : tape.outputs[layer - 1];
  }

  SequenceShape input_;
  std::vector<Entry> entries_;
  ParameterTable parameters_;
  Index state_size_ = 0;  // of a sample
};

}  // namespace REPRISE_ABI
}  // namespace reprise
