#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "../core/detail/require_finite.hpp"
#include "../layers/sequential.hpp"
#include "../training/detail/length_order.hpp"
#include "../training/detail/thread_pool.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Buffers of a model's inference, to be kept between calls so that these allocate nothing. One for each
/// thread; any model may use it.
template <typename Scalar>
using InferenceWorkspace = SequentialScratch<Scalar>;

/// Options of `reconstruct`, `encode`, `decode` and `predict`.
struct InferenceOptions {
  /// Threads that share the samples; the result does not depend on it. Each takes blocks of 64 samples, so no
  /// more are started than there are such blocks, and each needs memory for one block beside the result.
  int threads = 1;

  friend bool operator==(const InferenceOptions&, const InferenceOptions&) = default;
};

namespace detail {

/// Samples that go through a network together at inference, by whatever number of threads.
inline constexpr Index inference_block = 64;

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
      Scalar* const to = result.view().step_data(t) + samples[column] * result.features();
      const Scalar* const from = block.view().step_data(t) + static_cast<Index>(column) * block.features();
      if (t < end) {
        std::copy_n(from, block.features(), to);
      } else {
        std::fill_n(to, block.features(), Scalar(0));
      }
    }
  }
}

/// One thread's part in the inference of a source: blocks of its samples, one after the other.
template <typename Scalar>
class BlockInference {
 public:
  BlockInference(const Sequential<Scalar>& network, const Scalar* theta, const Source& source,
                 const LayerRange& layers)
      : network_(&network), theta_(theta), source_(&source), layers_(&layers) {}

  /// Writes what the layers make of samples [first, first + count) to their columns of `result`.
  void operator()(Index first, Index count, Sequences<Scalar>& result) {
    const LayerRange& layers = *layers_;
    const SequenceShape targets =
        source_->targets_are_inputs() ? SequenceShape{} : source_->target_shape();  // not used
    numbers_.resize(static_cast<std::size_t>(count));
    std::iota(numbers_.begin(), numbers_.end(), first);
    std::span<const Index> samples(numbers_);
    order_.set(*source_, samples);
    if (order_.is_sorted()) samples = order_.samples();
    input_.resize(layers.input.batch(count));
    targets_.resize(targets.batch(count));
    output_.resize(layers.output.batch(count));
    source_->gather(samples, input_.view(), targets_.view());
    network_->infer(theta_, std::as_const(input_).view(), output_.view(), layers.first, layers.last, scratch_,
                    order_.lengths());
    if (order_.is_sorted()) {
      return put_back(output_, samples, order_.lengths(), layers.ends_with_input, result);
    }
    for (Index t = 0; t < layers.output.steps; ++t) {
      std::copy_n(output_.view().step_data(t), output_.view().step_size(),
                  result.view().step_data(t) + first * result.features());
    }
  }

 private:
  const Sequential<Scalar>* network_;
  const Scalar* theta_;
  const Source* source_;
  const LayerRange* layers_;
  Sequences<Scalar> input_, targets_, output_;
  SequentialScratch<Scalar> scratch_;
  std::vector<Index> numbers_;
  LengthOrder order_;
};

/// What the layers make of each sample's input, block by block, so that the memory is that of the result and
/// of one block for each thread. Where samples have lengths and the output ends with the input, zeros stand
/// behind a sample's end.
template <typename Scalar>
Sequences<Scalar> infer_source(const Sequential<Scalar>& network, const Scalar* theta, const Source& source,
                               const LayerRange& layers, const char* what,
                               const InferenceOptions& options = {}) {
  require_equal_shape(what, layers.input, source.input_shape());
  const Index size = source.size(), blocks = (size + inference_block - 1) / inference_block;
  ThreadPool pool(options.threads);
  std::vector<BlockInference<Scalar>> workers(
      static_cast<std::size_t>(std::min<Index>(blocks, options.threads)),
      BlockInference<Scalar>(network, theta, source, layers));
  Sequences<Scalar> result(layers.output.batch(size));
  pool.run(blocks, [&](Index block, int worker) {
    const Index first = block * inference_block;
    workers[static_cast<std::size_t>(worker)](first, std::min(inference_block, size - first), result);
  });
  return result;
}

/// Somebody else's sequences as a source.
template <typename Scalar>
struct BorrowedSequences {
  SequenceView<const Scalar> values;

  Index size() const { return values.batch; }
  SequenceShape input_shape() const { return values.shape(); }
  SequenceShape target_shape() const { return values.shape(); }
  bool targets_are_inputs() const { return true; }
  template <typename Batch>
  void gather(std::span<const Index> samples, SequenceView<Batch> inputs, SequenceView<Batch>) const {
    for (Index t = 0; t < values.steps; ++t) {
      for (std::size_t column = 0; column < samples.size(); ++column) {
        const Scalar* const from = values.step_data(t) + samples[column] * values.features;
        std::transform(from, from + values.features,
                       inputs.step_data(t) + static_cast<Index>(column) * values.features,
                       [](Scalar value) { return static_cast<Batch>(value); });
      }
    }
  }
};

/// The same of sequences. Throws where a value is not finite.
template <typename Scalar>
Sequences<Scalar> infer_sequences(const Sequential<Scalar>& network, const Scalar* theta,
                                  const Sequences<Scalar>& input, const LayerRange& layers, const char* what,
                                  const InferenceOptions& options = {}) {
  require_equal_shape(what, layers.input, input.shape());
  require_finite(what, input, [&](Index) { return input.steps(); });
  return infer_source(network, theta, Source(BorrowedSequences<Scalar>{input.view()}), layers, what, options);
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
