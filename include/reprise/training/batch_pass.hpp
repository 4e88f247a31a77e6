#pragma once

#include <numeric>
#include <span>

#include "../core/windows.hpp"
#include "../layers/sequential.hpp"
#include "../losses/losses.hpp"
#include "thread_pool.hpp"

namespace reprise::inline REPRISE_ABI::detail {

/// Samples that one thread takes through the whole network at once. A function of sizes only, never of the
/// number of threads, so that the numbers do not depend on it either.
inline constexpr Index shard_width = 32;

/// Loss and gradient of one batch of windows that a network shall reproduce, split into shards that threads
/// share: first each shard forwards and backwards on its own, then each part of the weights' gradient is
/// summed over the shards in their order. Owns all memory that this takes, and allocates only when a batch is
/// larger than any before.
template <typename Scalar>
class BatchPass {
 public:
  BatchPass(const Sequential<Scalar>& network, int threads)
      : network_(&network),
        pool_(threads),
        scratch_(static_cast<std::size_t>(threads)),
        parts_(network.gradient_parts()) {}

  /// Mean loss over the batch, each sample's times its weight (all 1 where `weights` is empty); `gradient` is
  /// set.
  double loss_and_gradient(const Scalar* theta, const Windows& windows, std::span<const Index> batch,
                           std::span<const double> weights, const Loss& loss, const LayerContext& context,
                           Scalar* gradient) {
    const Index shards = prepare(static_cast<Index>(batch.size()));
    const double scale = 1.0 / static_cast<double>(batch.size());
    pool_.run(shards, [&](Index shard, int worker) {
      const auto at = static_cast<std::size_t>(shard);
      SequentialTape<Scalar>& tape = tapes_[at];
      SequentialScratch<Scalar>& scratch = scratch_[static_cast<std::size_t>(worker)];
      windows.gather(batch.subspan(offset(shard), length(shard, batch.size())), tape.input);
      const LayerContext shard_context = with_first_sample(context, shard);
      const SequenceView<const Scalar> output = network_->forward(theta, tape, scratch, shard_context);
      losses_[at] =
          loss_sum<Scalar>(loss, output, tape.input, weights_of(weights, shard, batch.size()), scale,
                           network_->output_gradient(tape, scratch), windows.last_step_features());
      network_->backward(theta, tape, scratch, shard_context);
    });
    Eigen::Map<Vector<Scalar>>(gradient, network_->parameters().size()).setZero();
    pool_.run(static_cast<Index>(parts_.size()), [&](Index part, int worker) {
      for (Index shard = 0; shard < shards; ++shard) {
        network_->parameter_gradient(
            parts_[static_cast<std::size_t>(part)], tapes_[static_cast<std::size_t>(shard)],
            scratch_[static_cast<std::size_t>(worker)], with_first_sample(context, shard), gradient);
      }
    });
    return total(shards) * scale;
  }

  /// Sum over the windows of their (weighted) losses at inference, without dropout.
  double loss_total(const Scalar* theta, const Windows& windows, std::span<const Index> batch,
                    std::span<const double> weights, const Loss& loss) {
    const Index shards = prepare(static_cast<Index>(batch.size()));
    pool_.run(shards, [&](Index shard, int worker) {
      const auto at = static_cast<std::size_t>(shard);
      SequentialTape<Scalar>& tape = tapes_[at];
      windows.gather(batch.subspan(offset(shard), length(shard, batch.size())), tape.input);
      const SequenceView<Scalar> output = tape.outputs.back();
      network_->infer(theta, tape.input, output, 0, static_cast<std::size_t>(network_->size()),
                      scratch_[static_cast<std::size_t>(worker)]);
      losses_[at] = loss_sum<Scalar>(loss, output, tape.input, weights_of(weights, shard, batch.size()), 1.0,
                                     {}, windows.last_step_features());
    });
    return total(shards);
  }

 private:
  Index prepare(Index batch) {
    const Index shards = (batch + shard_width - 1) / shard_width;
    if (tapes_.size() < static_cast<std::size_t>(shards)) tapes_.resize(static_cast<std::size_t>(shards));
    losses_.resize(tapes_.size());
    for (Index shard = 0; shard < shards; ++shard) {
      network_->prepare(tapes_[static_cast<std::size_t>(shard)],
                        static_cast<Index>(length(shard, static_cast<std::size_t>(batch))));
    }
    for (SequentialScratch<Scalar>& scratch : scratch_)
      network_->prepare(scratch, std::min(batch, shard_width));
    return shards;
  }

  static std::size_t offset(Index shard) { return static_cast<std::size_t>(shard * shard_width); }
  static std::size_t length(Index shard, std::size_t batch) {
    return std::min(static_cast<std::size_t>(shard_width), batch - offset(shard));
  }
  static std::span<const double> weights_of(std::span<const double> weights, Index shard, std::size_t batch) {
    return weights.empty() ? weights : weights.subspan(offset(shard), length(shard, batch));
  }
  static LayerContext with_first_sample(LayerContext context, Index shard) {
    context.first_sample = shard * shard_width;
    return context;
  }
  double total(Index shards) const { return std::accumulate(losses_.begin(), losses_.begin() + shards, 0.0); }

  const Sequential<Scalar>* network_;
  ThreadPool pool_;
  std::vector<SequentialTape<Scalar>> tapes_;       // one for each shard
  std::vector<SequentialScratch<Scalar>> scratch_;  // one for each thread
  std::vector<double> losses_;
  std::vector<typename Sequential<Scalar>::GradientPart> parts_;
};

}  // namespace reprise::inline REPRISE_ABI::detail
