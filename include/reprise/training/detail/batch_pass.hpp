#pragma once

#include <numeric>
#include <span>

#include "../../core/detail/denormals.hpp"
#include "../../losses/losses.hpp"
#include "../source.hpp"
#include "length_order.hpp"
#include "shards.hpp"
#include "thread_pool.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Loss and gradient of one batch of a source's samples. The batch is split into shards, neighbouring shards
/// into groups (see shards.hpp). Threads share the groups: each goes forwards and backwards with one shard
/// after the other and adds up the group's gradient; then the groups' gradients are summed in their order.
/// Starts no more threads than there are groups. Owns all memory that this takes, and allocates only when
/// shards are wider, or more threads have work, than ever before.
template <typename Scalar>
class BatchPass {
 public:
  BatchPass(const Sequential<Scalar>& network, int threads) : network_(&network), pool_(threads) {}

  /// Threads that have worked so far, the calling one among them.
  int threads() const { return pool_.started(); }

  /// Mean loss over the batch, each sample's times its weight (all 1 where `weights` is empty); where samples
  /// have lengths, over all valid positions of the batch. `gradient` is set.
  double loss_and_gradient(const Scalar* theta, const Source& source, std::span<const Index> batch,
                           std::span<const double> weights, const Loss& loss, LayerContext context,
                           Scalar* gradient) {
    const Index shards = cut(batch.size()), size = network_->parameters().size();
    const Index groups = std::min(shards, most_groups);
    prepare(source, batch.size(), groups);
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
        losses_[static_cast<std::size_t>(shard)] =
            part.share * loss_sum<Scalar>(loss, output, part.target, part.weights, part.share * scale,
                                          network_->output_gradient(own.tape, own.scratch),
                                          last_step_features(source), own.order.target_lengths());
        network_->backward(theta, own.tape, own.scratch, shard_context, sum);
      }
    });
    if (groups > 1) add_groups(gradient, size, groups);
    return total(shards) * scale;
  }

  /// Sum over the samples of their (weighted) losses at inference, without dropout; to be divided by
  /// `valid_positions`.
  double loss_total(const Scalar* theta, const Source& source, std::span<const Index> batch,
                    std::span<const double> weights, const Loss& loss) {
    const Index shards = cut(batch.size());
    prepare(source, batch.size(), shards);
    pool_.run(shards, [&](Index shard, int worker) {
      const FlushDenormals flush;
      Worker& own = workers_[static_cast<std::size_t>(worker)];
      const Part part = gather(source, shard, batch, weights, own);
      const SequenceView<Scalar> output = own.tape.outputs.back();
      network_->infer(theta, own.tape.input, output, 0, static_cast<std::size_t>(network_->size()),
                      own.scratch, own.tape.lengths);
      losses_[static_cast<std::size_t>(shard)] =
          part.share * loss_sum<Scalar>(loss, output, part.target, part.weights, 1.0, {},
                                        last_step_features(source), own.order.target_lengths());
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
    /// Steps of the output among those of a whole sample: `loss_sum` divides by the steps that it is given.
    double share = 1.0;
  };

  /// Decides how wide the batch's shards are, and returns how many these are.
  Index cut(std::size_t batch) {
    const auto size = static_cast<Index>(batch);
    width_ = shard_width_of(*network_, size);
    const Index shards = (size + width_ - 1) / width_;
    if (static_cast<Index>(losses_.size()) < shards) losses_.resize(static_cast<std::size_t>(shards));
    return shards;
  }
  /// Memory for each thread that will have one of the tasks, all of it now: which takes which is not known.
  void prepare(const Source& source, std::size_t batch, Index tasks) {
    const auto threads = static_cast<std::size_t>(std::min<Index>(tasks, pool_.size()));
    if (workers_.size() < threads) workers_.resize(threads);
    const Index columns = std::min(static_cast<Index>(batch), width_);
    for (std::size_t w = 0; w < threads; ++w) {
      Worker& worker = workers_[w];
      network_->prepare(worker.tape, columns);
      network_->prepare(worker.scratch, columns);
      worker.order.reserve(static_cast<std::size_t>(columns));
      if (source.targets_are_inputs()) continue;
      const SequenceShape target = source.target_shape();
      grow(worker.targets, target.features * target.steps * columns);
    }
  }
  /// Adds the other groups' gradients to that of the first, each value's in the order of the groups.
  void add_groups(Scalar* gradient, Index size, Index groups) {
    constexpr Index for_a_thread = 65536;  // additions that take longer than to wake it
    constexpr Index piece = 16384;         // stays in the second-level cache while all groups are added to it
    const Index parts = std::clamp((groups - 1) * size / for_a_thread, Index{1}, groups);
    pool_.run(parts, [&](Index part, int) {
      const FlushDenormals flush;
      const Index end = (part + 1) * size / parts;
      for (Index first = part * size / parts; first < end; first += piece) {
        const Index count = std::min(piece, end - first);
        for (Index group = 1; group < groups; ++group)
          add(gradient + first, gradients_[static_cast<std::size_t>(group - 1)].data() + first, count);
      }
    });
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
    if (source.targets_are_inputs()) {
      source.gather(samples, own.tape.input, SequenceView<Scalar>());
      return cut_to_lengths(source, {own.tape.input, weights}, own);
    }
    const SequenceShape shape = source.target_shape();
    const SequenceView<Scalar> targets(own.targets.data(), shape.batch(count));
    source.gather(samples, own.tape.input, targets);
    return cut_to_lengths(source, {targets, weights}, own);
  }
  /// Steps that no sample of the shard has are left out of everything.
  Part cut_to_lengths(const Source& source, Part part, Worker& own) const {
    network_->set_lengths(own.tape, own.order.lengths(), steps_with_samples(source, own.order));
    part.target.steps = own.tape.outputs.back().steps;
    part.share = static_cast<double>(part.target.steps) / static_cast<double>(source.target_shape().steps);
    return part;
  }
  /// So many steps, from the first on, hold a valid step of an input or a target.
  static Index steps_with_samples(const Source& source, const LengthOrder& order) {
    const Index all = source.input_shape().steps;
    if (order.lengths().empty() || last_step_features(source) > 0) return all;
    const Index longest = order.lengths().front();
    if (source.target_shape().steps != all) return longest;
    if (order.target_lengths().empty()) return all;
    return std::max(longest, *std::max_element(order.target_lengths().begin(), order.target_lengths().end()));
  }
  /// As `loss_sum` takes it: 0 where all values of a target's last step count.
  static Index last_step_features(const Source& source) {
    const Index values = source.last_step_features();
    return values < source.target_shape().features ? values : 0;
  }
  double total(Index shards) const { return std::accumulate(losses_.begin(), losses_.begin() + shards, 0.0); }

  const Sequential<Scalar>* network_;
  Index width_ = 1;  // of this batch's shards
  ThreadPool pool_;
  std::vector<Worker> workers_;            // one for each thread that has had work
  std::vector<Vector<Scalar>> gradients_;  // of all groups but the first
  std::vector<double> losses_;             // one for each shard
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
