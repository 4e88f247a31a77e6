#pragma once

#include <utility>
#include <variant>
#include <vector>

#include "dense.hpp"
#include "dropout.hpp"
#include "lstm.hpp"
#include "repeat_vector.hpp"

namespace reprise::inline REPRISE_ABI {

template <typename Scalar>
using AnyLayer = std::variant<Lstm<Scalar>, Dense<Scalar>, RepeatVector<Scalar>, Dropout<Scalar>>;

/// What one forward and backward pass of a `Sequential` over one shard of a batch keeps. Reused: memory only
/// grows.
template <typename Scalar>
struct SequentialTape {
  SequenceView<Scalar> input;
  /// One for each layer.
  std::vector<SequenceView<Scalar>> outputs;
  std::vector<Scalar*> tapes;
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
    const SequenceShape out = std::visit(
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

  struct Entry {
    std::string name;
    AnyLayer<Scalar> layer;
    SequenceShape input;
    SequenceShape output;
    /// Where its parameters begin.
    Index offset;
    /// Whether the next layer sees the output as one step that is repeated.
    bool repeated_output = false;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  Index size() const { return static_cast<Index>(entries_.size()); }
  const ParameterTable& parameters() const { return parameters_; }
  SequenceShape input_shape() const { return input_; }
  SequenceShape output_shape() const { return entries_.empty() ? input_ : entries_.back().output; }

  /// First values of all parameters; each layer has random numbers of its own.
  void initialize(Scalar* theta, std::uint64_t seed) const {
    for (std::size_t l = 0; l < entries_.size(); ++l) {
      detail::RandomStream random(seed, detail::Purpose::initial_weights, static_cast<std::uint32_t>(l));
      std::visit([&](const auto& layer) { layer.initialize(theta + entries_[l].offset, random); },
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
        tape.tapes[l] = carve.take(
            std::visit([&](const auto& layer) { return layer.tape_size(entry.input, batch); }, entry.layer));
      }
      return carve.used();
    };
    grow(tape.memory, lay_out(nullptr));
    lay_out(tape.memory.data());
  }

  /// Scratch for passes of up to `batch` samples.
  void prepare(SequentialScratch<Scalar>& scratch, Index batch) const {
    grow(scratch.memory, carve_scratch(nullptr, batch).size);
  }

  /// From `tape.input` to the output, keeping what `backward` needs.
  SequenceView<Scalar> forward(const Scalar* theta, SequentialTape<Scalar>& tape,
                               SequentialScratch<Scalar>& scratch, LayerContext context) const {
    const Scratch s = carve_scratch(scratch.memory.data(), tape.input.batch);
    SequenceView<const Scalar> in = tape.input;
    for (std::size_t l = 0; l < entries_.size(); ++l) {
      context.layer = static_cast<std::uint32_t>(l);
      std::visit(
          [&](const auto& layer) {
            layer.forward(theta + entries_[l].offset, in, tape.outputs[l], tape.tapes[l], s.layer, context);
          },
          entries_[l].layer);
      in = tape.outputs[l];
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
      const SequenceView<const Scalar> input = l == 0 ? tape.input : tape.outputs[l - 1];
      const SequenceView<const Scalar> dy = output_view(s.gradient[(l + 1) % 2], entry, B);
      const SequenceView<Scalar> dx =
          l == 0 ? SequenceView<Scalar>() : output_view(s.gradient[l % 2], entries_[l - 1], B);
      context.layer = static_cast<std::uint32_t>(l);
      std::visit(
          [&](const auto& layer) {
            layer.backward(theta + entry.offset, input, tape.outputs[l], dy, dx, tape.tapes[l], s.layer,
                           gradient + entry.offset, context);
          },
          entry.layer);
    }
  }

  /// Layers [first, last) at inference, from `in` to `out`, without a tape.
  void infer(const Scalar* theta, SequenceView<const Scalar> in, SequenceView<Scalar> out, std::size_t first,
             std::size_t last, SequentialScratch<Scalar>& scratch) const {
    prepare(scratch, in.batch);
    const Scratch s = carve_scratch(scratch.memory.data(), in.batch);
    for (std::size_t l = first; l < last; ++l) {
      const Entry& entry = entries_[l];
      const SequenceView<Scalar> y = l + 1 == last ? out : output_view(s.gradient[l % 2], entry, in.batch);
      std::visit(
          [&](const auto& layer) { layer.infer(theta + entry.offset, in, y, s.layer, LayerContext{}); },
          entry.layer);
      in = y;
    }
  }

 private:
  struct Scratch {
    /// What one layer needs.
    Scalar* layer;
    /// Of one layer's output and of its input, in turn; at inference the values themselves.
    Scalar* gradient[2];
    Index size;
  };

  Scratch carve_scratch(Scalar* memory, Index batch) const {
    Index layer = 0;
    Index values = output_shape().features * output_shape().steps * batch;
    for (const Entry& entry : entries_) {
      layer = std::max(
          layer, std::visit([&](const auto& l) { return l.scratch_size(entry.input, batch); }, entry.layer));
      values = std::max(values, stored(entry) * batch);
    }
    detail::Carver<Scalar> carve(memory);
    Scratch s{};
    s.layer = carve.take(layer);
    s.gradient[0] = carve.take(values);
    s.gradient[1] = carve.take(values);
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
  static void grow(Vector<Scalar>& memory, Index size) {
    if (memory.size() < size) memory.resize(size);
  }

  SequenceShape input_;
  std::vector<Entry> entries_;
  ParameterTable parameters_;
};

}  // namespace reprise::inline REPRISE_ABI
