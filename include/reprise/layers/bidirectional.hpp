#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "recurrent_options.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What a `Bidirectional` makes of the outputs f of its forward and b of its backward half, as in Keras.
enum class MergeMode {
  /// [f; b]: the output has twice the features.
  concat,
  /// f + b
  sum,
  /// (f + b) / 2
  ave,
  /// f * b, value by value
  mul
};
constexpr std::array<std::string_view, 4> enumerator_names(MergeMode) {
  return {"concat", "sum", "ave", "mul"};
}

template <typename Scalar>
class Bidirectional;

/// A recurrent layer that is there twice, with parameters of its own for each: one reads the sequence
/// forwards, the other backwards (Schuster and Paliwal 1997). Keras's names and defaults.
struct BidirectionalOptions {
  static constexpr const char* kind = "Bidirectional";
  template <typename Scalar>
  using Layer = Bidirectional<Scalar>;

  /// Both halves; its `return_sequences` is the whole layer's, its `go_backwards` must be false. Must be
  /// given.
  RecurrentOptions layer{};
  MergeMode merge_mode = MergeMode::concat;

  bool return_sequences() const { return layer.return_sequences(); }
  void set_return_sequences(bool value) { layer.set_return_sequences(value); }
  bool go_backwards() const { return layer.go_backwards(); }
  void set_go_backwards(bool value) { layer.set_go_backwards(value); }

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [layer, merge_mode] = self;
    visit("layer", layer);
    visit("merge_mode", merge_mode);
  }

  friend bool operator==(const BidirectionalOptions&, const BidirectionalOptions&) = default;
};

/// Two layers over the same input, one of which reads it backwards. With f_t and b_t their outputs for time
/// t, y_t is what `MergeMode` says; backwards, each half gets its share of dy_t (all of it for sum, half of
/// it for ave, dy*b and dy*f for mul), and dx is the sum of what both give.
///
/// Without return_sequences the output merges the halves' last states: that of the forward half at the end of
/// the sequence, that of the backward half at its beginning. With it, the backward half's outputs, which come
/// in the order of reading, are turned round, so that f_t and b_t have both seen x_t.
///
/// Samples of different lengths: each half reads a sample's valid steps. The output beyond them is 0, as
/// Keras's is.
///
/// Parameters: `forward.` and then `backward.` before the names of the layer's own. State: the forward
/// half's, then the backward half's. Dropout masks are drawn for each half; those that a caller hands in are
/// not used.
template <typename Scalar_>
class Bidirectional {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  /// `inputs`: features of each step of the input.
  Bidirectional(Index inputs, const BidirectionalOptions& options)
      : options_(checked(options)),
        forward_(options.layer.make<Scalar>(inputs)),
        backward_(backwards(options.layer).make<Scalar>(inputs)) {
    ParameterTable table;
    forward_.add_parameters(table, "");
    half_parameters_ = table.size();
  }

  const BidirectionalOptions& options() const { return options_; }

  std::string name() const { return "Bidirectional(" + forward_.name() + ")"; }
  SequenceShape output_shape(SequenceShape in) const {
    SequenceShape out = forward_.output_shape(in);
    if (concatenates()) out.features *= 2;
    return out;
  }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    forward_.add_parameters(table, prefix + "forward.");
    backward_.add_parameters(table, prefix + "backward.");
  }
  void initialize(Scalar* theta, RandomStream& random) const {
    forward_.initialize(theta, random);
    backward_.initialize(theta + half_parameters_, random);
  }
  Index state_size() const { return forward_.state_size() + backward_.state_size(); }
  LayerTraits traits() const {
    const LayerTraits half = forward_.traits();
    return {
        .lengths = half.lengths, .takes_repeated = half.takes_repeated, .state_parts = 2 * half.state_parts};
  }
  Index tape_size(SequenceShape in, Index batch) const { return tape(nullptr, in, batch).size; }
  Index scratch_size(SequenceShape in, Index batch) const { return scratch(nullptr, in, batch).size; }

  void forward(Input x, Output y, const Call& call) const {
    const Tape t = tape(call.tape, x.shape(), x.batch);
    const Scratch s = scratch(call.scratch, x.shape(), x.batch);
    forward_.forward(x, t.output, half_call(call, false, t.forward, s.layer, x.batch));
    backward_.forward(x, t.backward_output, half_call(call, true, t.backward, s.layer, x.batch));
    merge(t.output, t.backward_output, y, call.lengths);
  }

  void infer(Input x, Output y, const Call& call) const {
    const Scratch s = scratch(call.scratch, x.shape(), x.batch);
    forward_.infer(x, s.half, half_call(call, false, nullptr, s.layer, x.batch));
    backward_.infer(x, s.other_half, half_call(call, true, nullptr, s.layer, x.batch));
    merge(s.half, s.other_half, y, call.lengths);
  }

  void backward(Input x, Input, Input dy, Output dx, const Call& call) const {
    const Tape t = tape(call.tape, x.shape(), x.batch);
    const Scratch s = scratch(call.scratch, x.shape(), x.batch);
    split_gradient(t, dy, s, call.lengths);
    forward_.backward(x, t.output, s.half, dx, half_call(call, false, t.forward, s.layer, x.batch));
    Output other_dx{};
    if (dx.data != nullptr) other_dx = {s.dx, dx.shape().batch(dx.batch), dx.repeated};
    backward_.backward(x, t.backward_output, s.other_half, other_dx,
                       half_call(call, true, t.backward, s.layer, x.batch));
    if (dx.data != nullptr) detail::add(dx.data, s.dx, dx.step_size() * dx.stored_steps());
  }

 private:
  struct Tape {
    /// Of the forward half, and of the backward half in its order of reading.
    Output output, backward_output;
    Scalar *forward, *backward;
    Index size;
  };
  struct Scratch {
    /// The outputs of both halves at inference, their gradients backwards.
    Output half, other_half;
    Scalar* dx;
    /// Of the half that runs.
    Scalar* layer;
    Index size;
  };

  static const BidirectionalOptions& checked(const BidirectionalOptions& options) {
    if (options.layer.go_backwards()) {
      detail::fail("Bidirectional: layer", "one that reads forwards, since its copy reads backwards",
                   "go_backwards = true");
    }
    return options;
  }
  static RecurrentOptions backwards(RecurrentOptions layer) {
    layer.set_go_backwards(true);
    return layer;
  }
  bool concatenates() const { return options_.merge_mode == MergeMode::concat; }

  Tape tape(Scalar* memory, SequenceShape in, Index batch) const {
    const SequenceShape out = forward_.output_shape(in);
    detail::Carver<Scalar> carve(memory);
    Tape t{};
    t.output = carve.take(out.batch(batch));
    t.backward_output = carve.take(out.batch(batch));
    t.forward = carve.take(forward_.tape_size(in, batch));
    t.backward = carve.take(backward_.tape_size(in, batch));
    t.size = carve.used();
    return t;
  }
  Scratch scratch(Scalar* memory, SequenceShape in, Index batch) const {
    const SequenceShape out = forward_.output_shape(in);
    detail::Carver<Scalar> carve(memory);
    Scratch s{};
    s.half = carve.take(out.batch(batch));
    s.other_half = carve.take(out.batch(batch));
    s.dx = carve.take(in.features * batch * in.steps);
    s.layer = carve.take(std::max(forward_.scratch_size(in, batch), backward_.scratch_size(in, batch)));
    s.size = carve.used();
    return s;
  }

  /// What one half gets of the whole layer's call.
  Call half_call(const Call& call, bool second, Scalar* tape, Scalar* scratch, Index batch) const {
    const Index state = second ? forward_.state_size() * batch : 0;
    const auto part = [](auto* whole, Index at) { return whole == nullptr ? nullptr : whole + at; };
    Call half = call;
    half.theta = call.theta + (second ? half_parameters_ : 0);
    half.gradient = part(call.gradient, second ? half_parameters_ : 0);
    half.tape = tape;
    half.scratch = scratch;
    half.states = {part(call.states.initial, state), part(call.states.final, state),
                   part(call.states.final_gradient, state), part(call.states.initial_gradient, state)};
    half.masks = {};
    // Other random numbers than the forward half's, and than those of any layer of a network.
    if (second) half.context.layer |= 1u << 23;
    return half;
  }

  /// Where the backward half's output for time t of a sample stands in its order of reading.
  Index reading_step(Index t, Index sample, Index steps, std::span<const Index> lengths) const {
    return options_.return_sequences() ? detail::length_of(lengths, sample, steps) - 1 - t : t;
  }

  /// Calls use(time, sample) for all valid steps of an output.
  template <typename Use>
  void each_valid(Index batch, Index steps, std::span<const Index> lengths, Use use) const {
    const bool padded = options_.return_sequences() && !lengths.empty();
    for (Index t = 0; t < steps; ++t) {
      const Index valid = padded ? detail::samples_at(lengths, batch, t) : batch;
      for (Index b = 0; b < valid; ++b) use(t, b);
    }
  }

  void merge(Input f, Input b, Output y, std::span<const Index> lengths) const {
    const Index F = f.features;
    if (!lengths.empty()) std::fill_n(y.data, y.size(), Scalar(0));
    each_valid(y.batch, y.steps, lengths, [&](Index t, Index sample) {
      const Scalar* from_f = f.step_data(t) + sample * F;
      const Scalar* from_b = b.step_data(reading_step(t, sample, f.steps, lengths)) + sample * F;
      Scalar* to = y.step_data(t) + sample * y.features;
      switch (options_.merge_mode) {
        case MergeMode::concat:
          std::copy_n(from_f, F, to);
          std::copy_n(from_b, F, to + F);
          return;
        case MergeMode::sum:
          for (Index i = 0; i < F; ++i) to[i] = from_f[i] + from_b[i];
          return;
        case MergeMode::ave:
          for (Index i = 0; i < F; ++i) to[i] = (from_f[i] + from_b[i]) / Scalar(2);
          return;
        case MergeMode::mul:
          for (Index i = 0; i < F; ++i) to[i] = from_f[i] * from_b[i];
          return;
      }
    });
  }

  /// The gradients of f and b, the latter in the backward half's order of reading; 0 beyond a sample's end.
  void split_gradient(const Tape& t, Input dy, const Scratch& s, std::span<const Index> lengths) const {
    const Index F = s.half.features;
    if (!lengths.empty()) {
      std::fill_n(s.half.data, s.half.size(), Scalar(0));
      std::fill_n(s.other_half.data, s.other_half.size(), Scalar(0));
    }
    each_valid(dy.batch, dy.steps, lengths, [&](Index time, Index sample) {
      const Index f_at = time * F * dy.batch + sample * F;
      const Index b_at = (reading_step(time, sample, s.half.steps, lengths) * dy.batch + sample) * F;
      const Scalar* from = dy.step_data(time) + sample * dy.features;
      Scalar* df = s.half.data + f_at;
      Scalar* db = s.other_half.data + b_at;
      switch (options_.merge_mode) {
        case MergeMode::concat:
          std::copy_n(from, F, df);
          std::copy_n(from + F, F, db);
          return;
        case MergeMode::sum:
          std::copy_n(from, F, df);
          std::copy_n(from, F, db);
          return;
        case MergeMode::ave:
          for (Index i = 0; i < F; ++i) df[i] = db[i] = from[i] / Scalar(2);
          return;
        case MergeMode::mul: {
          const Scalar* f = t.output.data + f_at;
          const Scalar* b = t.backward_output.data + b_at;
          for (Index i = 0; i < F; ++i) {
            df[i] = from[i] * b[i];
            db[i] = from[i] * f[i];
          }
          return;
        }
      }
    });
  }

  BidirectionalOptions options_;
  AnyLayer<Scalar> forward_, backward_;
  Index half_parameters_ = 0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
