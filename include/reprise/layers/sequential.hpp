#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "any_layer.hpp"
#include "sequential_tape.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Layers one after the other, their shapes, and the table of all their parameters; like a layer, it holds no
/// parameters and no activations.
template <typename Scalar_>
class Sequential {
 public:
  using Scalar = Scalar_;

  explicit Sequential(SequenceShape input) : input_(input) {
    detail::require_size(input.steps, "model", "steps");
    detail::require_size(input.features, "model", "features");
  }

  /// Appends a layer whose parameters are named `<name>.kernel` and so on. Throws where it does not fit the
  /// one before, and where another layer has that name.
  void add(const std::string& name, AnyLayer<Scalar> layer) {
    Entry entry{name, std::move(layer)};
    entry.input = output_shape();
    entry.offset = parameters_.size();
    entry.traits = entry.layer.traits();
    require_name(name);
    entry.output = entry.layer.output_shape(entry.input);  // throws where the input does not fit
    if (entry.output.features < 1 || entry.output.steps < 1) {
      detail::fail({"Sequential: ", name}, "an output of at least one step and feature",
                   to_string(entry.output));
    }
    if (entry.traits.feeds_back != FeedsBack::no && entry.output != input_) {
      detail::fail({"Sequential: ", name}, {"an output of the network's input, ", to_string(input_)},
                   to_string(entry.output));
    }
    require_stepwise(entry);
    ParameterTable parameters = parameters_;
    entry.layer.add_parameters(parameters, name + ".");
    if (!entries_.empty()) {
      Entry& before = entries_.back();
      entry.sees_lengths = before.sees_lengths && before.traits.lengths == Lengths::kept;
      before.repeated_output = before.traits.makes_repeated && entry.traits.takes_repeated;
    }
    // What is fed back is shown the network's own input in training, padding and all.
    if (entry.traits.feeds_back != FeedsBack::no) entry.sees_lengths = true;
    entries_.push_back(std::move(entry));
    parameters_ = std::move(parameters);
    plan_of_one_ = plan_scratch(1);
    chain_ = detail::next_chain();
  }

  /// Layer `to` starts from the state in which layer `from` ends, instead of from zeros; each hands over or
  /// is handed one state at most. Throws where that cannot be.
  void carry_state(std::size_t from, std::size_t to) {
    const auto state_of = [&](std::size_t l) {
      return l < entries_.size() ? entries_[l].layer.state_size() : Index(0);
    };
    if (!(from < to && state_of(from) > 0 && state_of(to) > 0 && entries_[from].sends < 0 &&
          entries_[to].receives < 0)) {
      detail::fail("Sequential: carry_state",
                   "a layer that has a state and a later one, neither handing one over yet",
                   {"layers ", from, " and ", to});
    }
    const auto parts_of = [&](std::size_t l) { return entries_[l].traits.state_parts; };
    if (state_of(from) != state_of(to) || parts_of(from) != parts_of(to)) {
      detail::fail(entries_[to].name,
                   {"a state of ", state_of(from), " values in ", parts_of(from), ", as ",
                    entries_[from].name, " has, from whose state it starts"},
                   {state_of(to), " in ", parts_of(to)});
    }
    entries_[from].sends = entries_[to].receives = state_size_;
    state_size_ += state_of(from);
    plan_of_one_ = plan_scratch(1);
    chain_ = detail::next_chain();
  }

  struct Entry {
    std::string name;
    AnyLayer<Scalar> layer;
    SequenceShape input{};
    SequenceShape output{};
    /// Where its parameters begin.
    Index offset = 0;
    LayerTraits traits{};
    /// Whether its input has the steps, and so the lengths, of the network's input.
    bool sees_lengths = true;
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
      entries_[l].layer.initialize(theta + entries_[l].offset, random);
    }
  }

  /// Lays the tape out for a batch; allocates only when none so large was seen before. Where there is no
  /// memory for it, the tape stays as it was.
  void prepare(SequentialTape<Scalar>& tape, Index batch) const {
    tape.lengths = {};
    if (is_prepared(tape)) set_lengths(tape, {}, input_.steps);
    if (is_prepared(tape) && tape.input.batch == batch) return;
    // Without memory the sizes alone: the tape is written to only when nothing can fail any more.
    const auto lay_out = [&](Scalar* memory) {
      detail::Carver<Scalar> carve(memory);
      const SequenceView<Scalar> input = carve.take(input_.batch(batch));
      if (memory != nullptr) tape.input = input;
      for (std::size_t l = 0; l < entries_.size(); ++l) {
        const Entry& entry = entries_[l];
        Scalar* const output = carve.take(stored(entry) * batch);
        Scalar* const of_layer = carve.take(entry.layer.tape_size(entry.input, batch));
        if (memory == nullptr) continue;
        tape.outputs[l] = output_view(output, entry, batch);
        tape.tapes[l] = of_layer;
      }
      Scalar* const states = carve.take(state_size_ * batch);
      if (memory != nullptr) tape.states = states;
      return carve.used();
    };
    const detail::ScratchPlan scratch = plan_scratch(batch);
    const Index size = lay_out(nullptr);
    tape.outputs.reserve(entries_.size());
    tape.tapes.reserve(entries_.size());
    detail::grow(tape.memory, size);
    tape.outputs.resize(entries_.size());
    tape.tapes.resize(entries_.size());
    lay_out(tape.memory.data());
    tape.chain = chain_;
    tape.scratch = scratch;
  }

  /// Tells a tape, after `prepare`, how many steps of each sample are valid, the most first, and how many
  /// steps of the input are to be looked at: from the first on, at least as many as the longest sample has.
  /// What comes behind them costs nothing, in all layers up to the first that does not keep the lengths.
  void set_lengths(SequentialTape<Scalar>& tape, std::span<const Index> lengths, Index steps) const {
    tape.lengths = lengths;
    tape.input.steps = steps;
    for (std::size_t l = 0; l < entries_.size(); ++l) tape.outputs[l].steps = kept_steps(entries_[l], steps);
  }

  /// Scratch for passes of up to `batch` samples.
  void prepare(SequentialScratch<Scalar>& scratch, Index batch) const {
    detail::grow(scratch.memory, plan_scratch(batch).size);
  }

  /// From `tape.input` to the output, keeping what `backward` needs. Throws where tape or scratch were not
  /// prepared for it, or where a layer does not know what to do with the tape's lengths.
  SequenceView<Scalar> forward(const Scalar* theta, SequentialTape<Scalar>& tape,
                               SequentialScratch<Scalar>& scratch, LayerContext context) const {
    const Scratch s = checked_scratch(tape, scratch);
    require_lengths(tape.lengths, tape.input.batch, tape.input.steps, 0, entries_.size());
    for (std::size_t l = 0; l < entries_.size(); ++l) {
      const Entry& entry = entries_[l];
      context.layer = static_cast<std::uint32_t>(l);
      LayerCall<Scalar> call{.theta = theta + entry.offset, .tape = tape.tapes[l], .scratch = s.layer};
      call.states = states_of(entry, tape.states, tape.input.batch);
      if (entry.sees_lengths) call.lengths = tape.lengths;
      call.context = context;
      entry.layer.forward(input_of(tape, l), tape.outputs[l], call);
    }
    return tape.outputs.back();
  }

  /// Where `backward` expects the gradient of the output; throws as `forward` does.
  SequenceView<Scalar> output_gradient(const SequentialTape<Scalar>& tape,
                                       SequentialScratch<Scalar>& scratch) const {
    const Scratch s = checked_scratch(tape, scratch);
    return gradient_of(tape.outputs.back(), s.gradient[size() % 2]);
  }

  /// From the gradient of the output to that of the parameters, which is *added* to `gradient`.
  void backward(const Scalar* theta, const SequentialTape<Scalar>& tape, SequentialScratch<Scalar>& scratch,
                LayerContext context, Scalar* gradient) const {
    const Index B = tape.input.batch;
    const Scratch s = checked_scratch(tape, scratch);
    for (std::size_t l = entries_.size(); l-- > 0;) {
      const Entry& entry = entries_[l];
      const SequenceView<const Scalar> dy = gradient_of(tape.outputs[l], s.gradient[(l + 1) % 2]);
      const SequenceView<Scalar> dx =
          l == 0 ? SequenceView<Scalar>() : gradient_of(tape.outputs[l - 1], s.gradient[l % 2]);
      context.layer = static_cast<std::uint32_t>(l);
      LayerCall<Scalar> call{.theta = theta + entry.offset,
                             .tape = tape.tapes[l],
                             .scratch = s.layer,
                             .gradient = gradient + entry.offset};
      call.states = state_gradients_of(entry, tape.states, B);
      if (entry.sees_lengths) call.lengths = tape.lengths;
      call.context = context;
      entry.layer.backward(input_of(tape, l), tape.outputs[l], dy, dx, call);
    }
  }

  /// Layers [first, last) at inference, from `in` to `out`, without a tape. `lengths`: as on the tape, for an
  /// `in` that has the steps of the network's input, or with lengths only so many as the longest sample has;
  /// so has then an `out` whose steps are those of the input. Throws where there are no such layers, where in
  /// or out has other sizes than theirs, and where one of them starts from the state of a layer before them.
  void infer(const Scalar* theta, SequenceView<const Scalar> in, SequenceView<Scalar> out, std::size_t first,
             std::size_t last, SequentialScratch<Scalar>& scratch,
             std::span<const Index> lengths = {}) const {
    require_range(first, last);
    SequenceShape input = entries_[first].input, output = entries_[last - 1].output;
    const bool cut = !lengths.empty() && entries_[first].sees_lengths && in.steps < input.steps;
    const Index steps = cut ? in.steps : input_.steps;
    if (cut) input.steps = steps;
    output.steps = kept_steps(entries_[last - 1], steps);
    require_view("input", in, input, in.batch, entries_[first].traits.takes_repeated);
    require_view<const Scalar>("output", out, output, in.batch, false);
    require_lengths(lengths, in.batch, steps, first, last);
    const ScratchPlan plan = in.batch == 1 ? plan_of_one_ : plan_scratch(in.batch);
    detail::grow(scratch.memory, plan.size);
    const Scratch s = place(plan, scratch);
    for (std::size_t l = first; l < last; ++l) {
      const Entry& entry = entries_[l];
      SequenceView<Scalar> y = l + 1 == last ? out : output_view(s.gradient[l % 2], entry, in.batch);
      y.steps = kept_steps(entry, steps);
      if (entry.traits.feeds_back != FeedsBack::no) {
        require_whole();
        if (last == entries_.size()) return infer_by_step(theta, out, l, s);
        detail::fail("Sequential: infer", {"all layers behind ", entry.name}, "some of them");
      }
      LayerCall<Scalar> call{.theta = theta + entry.offset, .scratch = s.layer};
      call.states = states_of(entry, s.states, in.batch);
      if (entry.sees_lengths) call.lengths = lengths;
      entry.layer.infer(in, y, call);
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
  };
  using ScratchPlan = detail::ScratchPlan;

  void require_name(const std::string& name) const {
    if (name.empty()) detail::fail("Sequential: add", "a layer with a name", "an empty one");
    for (const Entry& entry : entries_) {
      if (entry.name == name) detail::fail("Sequential: add", "a name that no other layer has", name);
    }
  }
  /// What layers behind it are fed with; null where none is fed with the network's own output.
  const Entry* fed_back() const {
    for (const Entry& entry : entries_) {
      if (entry.traits.feeds_back != FeedsBack::no) return &entry;
    }
    return nullptr;
  }
  /// Layers that are fed with the network's own output run one step after the other, and what turns their
  /// order round is the last.
  void require_stepwise(const Entry& entry) const {
    const Entry* const fed = fed_back();
    if (fed == nullptr) return;
    if (entry.traits.feeds_back != FeedsBack::no) {
      detail::fail(entry.name, {"one layer that feeds the output back, which is ", fed->name}, "another");
    }
    const bool reversed = fed->traits.feeds_back == FeedsBack::reversed;
    if (reversed && entries_.back().traits.turns_round) {
      detail::fail(entry.name, {"no layer behind ", entries_.back().name, ", which turns the order round"},
                   entry.layer.name());
    }
    if (entry.traits.stepwise || (reversed && entry.traits.turns_round)) return;
    detail::fail(entry.name,
                 "a layer that reads forwards and makes a step from the one before, as all must "
                 "that are fed with their own output",
                 entry.layer.name());
  }
  /// A state that a layer starts from must be made by one among the layers.
  void require_range(std::size_t first, std::size_t last) const {
    if (entries_.empty()) detail::fail("Sequential", "at least one layer", "none");
    if (!(first < last && last <= entries_.size())) {
      detail::fail("Sequential: infer", {"a range of its ", size(), " layers"}, {first, " to ", last});
    }
    for (std::size_t l = 0; l < last; ++l) {
      const Index sent = entries_[l].sends;
      if (sent < 0 || l >= first) continue;
      for (std::size_t to = first; to < last; ++to) {
        if (entries_[to].receives != sent) continue;
        detail::fail("Sequential: infer",
                     {"layer ", entries_[l].name, " too, from whose state ", entries_[to].name, " starts"},
                     {"layers from ", entries_[first].name, " on"});
      }
    }
  }
  /// `repeated`: whether a view of one step for all is taken.
  template <typename Value>
  static void require_view(const char* what, const SequenceView<Value>& view, SequenceShape shape,
                           Index batch, bool repeated) {
    if (view.shape() != shape || view.batch != batch) {
      detail::fail({"Sequential: infer: ", what}, {batch, " samples of ", to_string(shape)},
                   {view.batch, " of ", to_string(view.shape())});
    }
    if (view.repeated && !repeated) {
      detail::fail({"Sequential: infer: ", what}, "a view of all steps", "one that is repeated");
    }
  }
  void require_lengths(std::span<const Index> lengths, Index batch, Index steps, std::size_t first,
                       std::size_t last) const {
    if (lengths.empty()) return;
    if (static_cast<Index>(lengths.size()) != batch) {
      detail::fail("Sequential: lengths", {batch, " numbers, one for each sample"}, {lengths.size()});
    }
    Index longest = steps;
    for (const Index length : lengths) {
      if (length < 1 || length > longest) {
        detail::fail("Sequential: lengths", {"numbers from 1 to ", steps, ", the largest first"}, {length});
      }
      longest = length;
    }
    for (std::size_t l = first; l < last; ++l) {
      if (!entries_[l].sees_lengths || entries_[l].traits.lengths != Lengths::refused) continue;
      detail::fail(entries_[l].name, "samples that all have the same length", "different ones");
    }
  }
  /// A chain that feeds its output back must be whole, and its output like its input.
  void require_whole() const {
    if (entries_.empty()) detail::fail("Sequential", "at least one layer", "none");
    const Entry* const fed = fed_back();
    if (fed == nullptr) return;
    if (fed == &entries_.back()) detail::fail("Sequential", {"a layer behind ", fed->name}, "none");
    if (output_shape() != input_) {
      detail::fail("Sequential",
                   {"an output of ", to_string(input_), ", which ", fed->name, " feeds back for the input"},
                   to_string(output_shape()));
    }
    if (fed->traits.feeds_back == FeedsBack::reversed && !entries_.back().traits.turns_round) {
      detail::fail("Sequential", {"a last layer that turns the order of ", fed->name, " round"},
                   entries_.back().layer.name());
    }
  }
  /// What a tape was moved to has its memory.
  bool is_prepared(const SequentialTape<Scalar>& tape) const {
    return tape.chain == chain_ && tape.memory.size() > 0 && tape.input.data == tape.memory.data();
  }
  /// The scratch, after a look at what the caller hands in.
  Scratch checked_scratch(const SequentialTape<Scalar>& tape, SequentialScratch<Scalar>& scratch) const {
    require_whole();
    if (!is_prepared(tape)) {
      detail::fail("Sequential: tape", "one that was prepared for this network", "another");
    }
    const ScratchPlan& plan = tape.scratch;
    if (scratch.memory.size() < plan.size) {
      detail::fail("Sequential: scratch",
                   {plan.size, " values, prepared for a batch of ", tape.input.batch, " samples"},
                   {scratch.memory.size()});
    }
    return place(plan, scratch);
  }

  ScratchPlan plan_scratch(Index batch) const {
    ScratchPlan plan;
    plan.values = output_shape().features * output_shape().steps * batch;
    for (const Entry& entry : entries_) {
      plan.layer = std::max(plan.layer, entry.layer.scratch_size(entry.input, batch));
      plan.values = std::max(plan.values, stored(entry) * batch);
    }
    plan.layer = detail::whole_packets(plan.layer);
    plan.values = detail::whole_packets(plan.values);
    plan.size = plan.layer + 2 * plan.values + detail::whole_packets(state_size_ * batch);
    return plan;
  }
  static Scratch place(const ScratchPlan& plan, SequentialScratch<Scalar>& scratch) {
    Scalar* const values = scratch.memory.data() + plan.layer;
    return {scratch.memory.data(), {values, values + plan.values}, values + 2 * plan.values};
  }

  /// Scalars of a sample's output that stand in memory.
  static Index stored(const Entry& entry) {
    return entry.output.features * (entry.repeated_output ? 1 : entry.output.steps);
  }
  static SequenceView<Scalar> output_view(Scalar* data, const Entry& entry, Index batch) {
    return {data, entry.output.batch(batch), entry.repeated_output};
  }
  static SequenceView<Scalar> gradient_of(SequenceView<Scalar> output, Scalar* data) {
    output.data = data;
    return output;
  }
  /// Steps of an entry's output where so many of the network's input are looked at.
  static Index kept_steps(const Entry& entry, Index steps) {
    const bool keeps = entry.sees_lengths && entry.traits.lengths == Lengths::kept;
    return keeps ? std::min(entry.output.steps, steps) : entry.output.steps;
  }

  /// The layers behind entry `previous`, one step after the other, each step's output the next one's input,
  /// to the end of the network.
  void infer_by_step(const Scalar* theta, SequenceView<Scalar> out, std::size_t previous,
                     const Scratch& s) const {
    const bool reversed = entries_[previous].traits.feeds_back == FeedsBack::reversed;
    const std::size_t end = entries_.size() - (reversed ? 1 : 0);
    const Index B = out.batch;
    std::fill_n(s.gradient[previous % 2], out.features * B, Scalar(0));
    SequenceView<const Scalar> in(s.gradient[previous % 2],
                                  {.samples = B, .steps = 1, .features = out.features});
    for (Index t = 0; t < out.steps; ++t) {
      Scalar* const place = out.data + (reversed ? out.steps - 1 - t : t) * out.features * B;
      for (std::size_t l = previous + 1; l < end; ++l) {
        const Entry& entry = entries_[l];
        const SequenceView<Scalar> y(l + 1 == end ? place : s.gradient[l % 2],
                                     {.samples = B, .steps = 1, .features = entry.output.features});
        LayerCall<Scalar> call{.theta = theta + entry.offset, .scratch = s.layer};
        if (entry.layer.state_size() > 0) {
          if (entry.receives < 0) detail::fail("Sequential: infer", {"a state for ", entry.name}, "none");
          call.states = states_of(entry, s.states, B);
          call.states.final = s.states + entry.receives * B;  // where the next step finds it
        }
        entry.layer.infer(in, y, call);
        in = y;
      }
    }
  }

  static LayerStates<Scalar> states_of(const Entry& entry, Scalar* states, Index batch) {
    LayerStates<Scalar> result;
    if (entry.receives >= 0) result.initial = states + entry.receives * batch;
    if (entry.sends >= 0) result.final = states + entry.sends * batch;
    return result;
  }
  static LayerStates<Scalar> state_gradients_of(const Entry& entry, Scalar* states, Index batch) {
    LayerStates<Scalar> result;
    if (entry.receives >= 0) result.initial_gradient = states + entry.receives * batch;
    if (entry.sends >= 0) result.final_gradient = states + entry.sends * batch;
    return result;
  }

  SequenceView<const Scalar> input_of(const SequentialTape<Scalar>& tape, std::size_t layer) const {
    const bool of_network = layer == 0 || entries_[layer].traits.feeds_back != FeedsBack::no;
    return of_network ? tape.input : tape.outputs[layer - 1];
  }

  SequenceShape input_;
  std::vector<Entry> entries_;
  ParameterTable parameters_;
  Index state_size_ = 0;  // of a sample
  /// For the inference of one sample: to plan anew would be a good part of it in a small network.
  ScratchPlan plan_of_one_;
  /// Changes with each layer; copies share it, for a tape that suits one suits the other.
  std::uint64_t chain_ = detail::next_chain();
};

}  // namespace REPRISE_ABI
}  // namespace reprise
