#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "../layers/sequential.hpp"
#include "../training/detail/length_order.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Buffers of a model's inference, to be kept between calls so that these allocate nothing. One for each
/// thread; any model may use it.
template <typename Scalar>
using InferenceWorkspace = SequentialScratch<Scalar>;

namespace detail {

/// Which layers of a network, [first, last), and what comes out of them.
struct LayerRange {
  std::size_t first;
  std::size_t last;
  SequenceShape input;
  SequenceShape output;
  /// Whether a step of the output belongs to the same step of the input, and ends with it.
  bool ends_with_input = false;
};

inline void require_equal_shape(const char* what, SequenceShape expected, SequenceShape got) {
  if (got != expected) fail(what, to_string(expected), to_string(got));
}

/// Copies the sorted columns of a block to the samples that they belong to.
template <typename Scalar>
void put_back(const Sequences<Scalar>& block, std::span<const Index> samples, std::span<const Index> lengths,
              bool has_lengths, Sequences<Scalar>& result) {
  for (std::size_t column = 0; column < samples.size(); ++column) {
    const Index end = has_lengths && !lengths.empty() ? lengths[column] : block.steps();
    for (Index t = 0; t < block.steps(); ++t) {
      auto to = result.view().step(t).col(samples[column]);
      if (t < end) {
        to = block.view().step(t).col(static_cast<Index>(column));
      } else {
        to.setZero();
      }
    }
  }
}

/// What the layers make of each sample's input, in blocks, so that the memory is that of the result. Where
/// samples have lengths and the output ends with the input, zeros stand behind a sample's end.
template <typename Scalar>
Sequences<Scalar> infer_source(const Sequential<Scalar>& network, const Scalar* theta, const Source& source,
                               const LayerRange& layers, const char* what) {
  require_equal_shape(what, layers.input, source.input_shape());
  constexpr Index at_once = 64;
  const Index most = std::min(at_once, source.size());
  const SequenceShape unused = source.targets_are_inputs() ? SequenceShape{} : source.target_shape();
  Sequences<Scalar> result(layers.output.batch(source.size()));
  Sequences<Scalar> input({.samples = 0, .steps = 0, .features = layers.input.features}),
      targets({.samples = 0, .steps = 0, .features = unused.features}), output;
  SequentialScratch<Scalar> scratch;
  std::vector<Index> numbers(static_cast<std::size_t>(most));
  LengthOrder order;
  for (Index first = 0; first < source.size(); first += most) {
    const Index count = std::min(most, source.size() - first);
    std::iota(numbers.begin(), numbers.end(), first);
    std::span<const Index> samples = std::span<const Index>(numbers).first(static_cast<std::size_t>(count));
    order.set(source, samples);
    if (order.is_sorted()) samples = order.samples();
    input.resize(layers.input.batch(count));
    targets.resize(unused.batch(count));
    output.resize(layers.output.batch(count));
    source.gather(samples, input.view(), targets.view());
    network.infer(theta, std::as_const(input).view(), output.view(), layers.first, layers.last, scratch,
                  order.lengths());
    if (order.is_sorted()) {
      put_back(output, samples, order.lengths(), layers.ends_with_input, result);
      continue;
    }
    for (Index t = 0; t < layers.output.steps; ++t) {
      result.view().step(t).middleCols(first, count) = output.view().step(t);
    }
  }
  return result;
}

template <typename Scalar>
void require_finite(const char* what, const Sequences<Scalar>& input) {
  for (Index b = 0; b < input.batch(); ++b) {
    for (Index t = 0; t < input.steps(); ++t) {
      for (Index f = 0; f < input.features(); ++f) {
        if (std::isfinite(input(b, t, f))) continue;
        fail(what, "finite values", {input(b, t, f), " at sample ", b, ", step ", t, ", feature ", f});
      }
    }
  }
}

/// The same of sequences, all at once. Throws where a value is not finite.
template <typename Scalar>
Sequences<Scalar> infer_sequences(const Sequential<Scalar>& network, const Scalar* theta,
                                  const Sequences<Scalar>& input, const LayerRange& layers,
                                  const char* what) {
  require_equal_shape(what, layers.input, input.shape());
  require_finite(what, input);
  Sequences<Scalar> output(layers.output.batch(input.batch()));
  SequentialScratch<Scalar> scratch;
  network.infer(theta, input.view(), output.view(), layers.first, layers.last, scratch);
  return output;
}

/// All layers, into memory of the caller. `what`: the call that messages name.
template <typename Scalar>
void infer_views(const Sequential<Scalar>& network, const Scalar* theta, SequenceView<const Scalar> input,
                 SequenceView<Scalar> output, SequentialScratch<Scalar>& workspace, const char* what) {
  const auto require = [&](const char* of, SequenceShape expected, SequenceShape got) {
    if (got != expected) fail({what, ": ", of}, to_string(expected), to_string(got));
  };
  require("input", network.input_shape(), input.shape());
  require("output", network.output_shape(), output.shape());
  if (output.batch != input.batch) fail({what, ": output"}, {input.batch, " windows"}, {output.batch});
  network.infer(theta, input, output, 0, network.entries().size(), workspace);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
