#pragma once

#include <algorithm>

#include "../../layers/sequential.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

// How a batch is cut. A shard is samples that go through the whole network at once; neighbouring shards make
// a group, whose gradient one thread adds up. Like all that decides on an order of sums, both are functions
// of sizes only, never of the number of threads, so that the numbers do not depend on it either.

/// Samples of a usual shard: few, so that a step stays in the second-level cache.
inline constexpr Index shard_width = 32;

/// Groups of a batch at most; also the most threads that can share a batch. Each has a gradient of its own in
/// memory.
inline constexpr Index most_groups = 8;

/// Steps from which on a batch of one usual shard is cut in two, so that two threads can share it. In shorter
/// sequences the weights, which each shard packs anew, are multiplied with too few columns to pay for that.
inline constexpr Index least_steps_to_halve = 16;

/// Whether the weights fill the second-level cache anyway. Then shards are twice as wide, and the weights are
/// read half as often.
template <typename Scalar>
bool has_large_weights(const Sequential<Scalar>& network) {
  constexpr Index cache = Index{512} * 1024 / static_cast<Index>(sizeof(Scalar));
  return std::any_of(network.parameters().begin(), network.parameters().end(),
                     [](const ParameterInfo& tensor) { return tensor.size() > cache; });
}

/// Samples of each shard of a batch but the last, which may have fewer. The shards of all but large batches
/// are even in number, so that two threads have equally much to do, and from three quarters of the usual
/// width to half as much again; a batch of fewer than 48 samples is halved or left whole. Where the weights
/// are large, all of this is twice as much, and nothing below 96 is cut.
template <typename Scalar>
Index shard_width_of(const Sequential<Scalar>& network, Index batch) {
  const bool large = has_large_weights(network);
  const Index usual = large ? 2 * shard_width : shard_width;
  const bool halved = !large && network.input_shape().steps >= least_steps_to_halve;
  if (batch < (halved ? usual : usual * 3 / 2)) return std::max<Index>(batch, 1);
  const Index shards = 2 * ((batch + usual) / (2 * usual));
  const Index width = (batch + shards - 1) / shards;
  return width + width % 2;  // a product works on two columns at least as fast as on one
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
