#pragma once

#include <numeric>
#include <span>

#include "../../core/detail/denormals.hpp"
#include "../../layers/sequential.hpp"
#include "../../losses/losses.hpp"
#include "../source.hpp"
#include "length_order.hpp"
#include "thread_pool.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Samples that go through the whole network at once: few, so that a step stays in the second-level cache.
/// Like all that decides on an order of sums it is a function of sizes only, never of the number of threads,
/// so that the numbers do not depend on it either.
inline constexpr Index shard_width = 32;

/// Twice as many where that cache is full of weights anyway, which are then read half as often.
template <typename Scalar>
Index shard_width_of(const Sequential<Scalar>& network) {
  constexpr Index cache = Index{512} * 1024 / static_cast<Index>(sizeof(Scalar));
  const bool large = std::any_of(network.parameters().begin(), network.parameters().end(),
                                 [](const ParameterInfo& tensor) { return tensor.size() > cache; });
  return large ? 2 * shard_width : shard_width;
}

/// Shards are summed up in so many groups at most; also the most threads that can share a batch.
inline constexpr Index most_groups = 8;

/// Loss and gradient of one batch of a source's samples. The batch is split into shards,
/// neighbouring shards into groups. Threads share the groups: each goes forwards and backwards with one shard
/// after the other and adds up the group's gradient; then the groups' gradients are summed in their order.
/// Owns all memory that this takes, and allocates only when a batch is larger than any before.
template <typename Scalar>
class BatchPass {
 public:
  BatchPass(const Sequential<Scalar>& network, int threads)
      : network_(&network),
        width_(shard_width_of(network)),
        pool_(threads),
        workers_(static_cast<std::size_t>(threads)) {}

  /// Mean loss over the batch, each sample's times its weight (all 1 where `weights` is empty); where samples
  /// have lengths, over all valid positions of the batch. `gradient` is set.
  double loss_and_gradient(const Scalar* theta, const Source& source, std::span<const Index> batch,
                           std::span<const double> weights, const Loss& loss, LayerContext context,
                           Scalar* gradient) {
    const Index shards = prepare(source, batch.size()), size = network_->parameters().size();
    const Index groups = std::min(shards, most_groups);
    while (static_cast<Index>(gradients_.size()) + 1 < groups) {
      Vector<Scalar> next;
      grow(next, size);
      gradients_.push_back(std::move(next));
    }
    const double scale = 1.0 / valid_positions(source, batch);
    pool_.run(groups, [&](Index group, int worker) {
      const FlushDenormals flush;
      Worker& own = workers_[static_cast<std::size_t>(worker)];
      // The first group's is where the sum shall be.
      Scalar* sum = group == 0 ? gradient : gradients_[static_cast<std::size_t>(group - 1)].data();
      std::fill_n(sum, size, Scalar(0));
      for (Index shard = group * shards / groups; shard < (group + 1) * shards / groups; ++shard) {
        const Part part = gather(source, shard, batch, weights, own);
        LayerContext shard_context = context;
        shard_context.first_sample = shard * width_;
        shard_context.places = own.order.places();
        const SequenceView<const Scalar> output =
            network_->forward(theta, own.tape, own.scratch, shard_context);
        losses_[static_cast<std::size_t>(shard)] = loss_sum<Scalar>(
            loss, output, part.target, part.weights, scale, network_->output_gradient(own.tape, own.scratch),
            source.last_step_features(), own.order.target_lengths());
        network_->backward(theta, own.tape, own.scratch, shard_context, sum);
      }
    });
    if (groups > 1) {
      constexpr Index piece = 16384;
      pool_.run((size + piece - 1) / piece, [&](Index number, int) {
        const FlushDenormals flush;
        const Index first = number * piece, count = std::min(piece, size - first);
        for (Index group = 1; group < groups; ++group)
          add(gradient + first, gradients_[static_cast<std::size_t>(group - 1)].data() + first, count);
      });
    }
    return total(shards) * scale;
  }

  /// Sum over the samples of their (weighted) losses at inference, without dropout; to be divided by
  /// `valid_positions`.
  double loss_total(const Scalar* theta, const Source& source, std::span<const Index> batch,
                    std::span<const double> weights, const Loss& loss) {
    const Index shards = prepare(source, batch.size());
    pool_.run(shards, [&](Index shard, int worker) {
      const FlushDenormals flush;
      Worker& own = workers_[static_cast<std::size_t>(worker)];
      const Part part = gather(source, shard, batch, weights, own);
      const SequenceView<Scalar> output = own.tape.outputs.back();
      network_->infer(theta, own.tape.input, output, 0, static_cast<std::size_t>(network_->size()),
                      own.scratch, own.tape.lengths);
      losses_[static_cast<std::size_t>(shard)] =
          loss_sum<Scalar>(loss, output, part.target, part.weights, 1.0, {}, source.last_step_features(),
                           own.order.target_lengths());
    });
    return total(shards);
  }

 private:
  /// What one thread needs.
  struct Worker {
    SequentialTape<Scalar> tape;
    SequentialScratch<Scalar> scratch;
    Vector<Scalar> targets;  // where they are not the inputs
    LengthOrder order;
  };
  /// What belongs to one shard, beside the input on the tape.
  struct Part {
    SequenceView<const Scalar> target;
    std::span<const double> weights;
  };

  /// Memory for each thread, all of it now: which thread will take which shard is not known.
  Index prepare(const Source& source, std::size_t batch) {
    const Index size = static_cast<Index>(batch), shards = (size + width_ - 1) / width_;
    if (static_cast<Index>(losses_.size()) < shards) losses_.resize(static_cast<std::size_t>(shards));
    for (Worker& worker : workers_) {
      network_->prepare(worker.tape, std::min(size, width_));
      network_->prepare(worker.scratch, std::min(size, width_));
      worker.order.reserve(static_cast<std::size_t>(std::min(size, width_)));
      if (source.targets_are_inputs()) continue;
      const SequenceShape target = source.target_shape();
      grow(worker.targets, target.features * target.steps * std::min(size, width_));
    }
    return shards;
  }
  /// Puts a shard's samples onto the worker's tape, the longest first where their lengths differ.
  Part gather(const Source& source, Index shard, std::span<const Index> batch,
              std::span<const double> weights, Worker& own) const {
    const auto first = static_cast<std::size_t>(shard * width_);
    const std::size_t size = std::min(static_cast<std::size_t>(width_), batch.size() - first);
    std::span<const Index> samples = batch.subspan(first, size);
    if (!weights.empty()) weights = weights.subspan(first, size);
    own.order.set(source, samples);
    if (own.order.is_sorted()) {
      samples = own.order.samples();
      weights = own.order.sorted(weights);
    }
    const auto count = static_cast<Index>(size);
    network_->prepare(own.tape, count);
    own.tape.lengths = own.order.lengths();
    if (source.targets_are_inputs()) {
      source.gather(samples, own.tape.input, SequenceView<Scalar>());
      return {own.tape.input, weights};
    }
    const SequenceShape shape = source.target_shape();
    const SequenceView<Scalar> targets(own.targets.data(), shape.batch(count));
    source.gather(samples, own.tape.input, targets);
    return {targets, weights};
  }
  double total(Index shards) const { return std::accumulate(losses_.begin(), losses_.begin() + shards, 0.0); }

  const Sequential<Scalar>* network_;
  Index width_;
  ThreadPool pool_;
  std::vector<Worker> workers_;
  std::vector<Vector<Scalar>> gradients_;  // of all groups but the first
  std::vector<double> losses_;             // one for each shard
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
