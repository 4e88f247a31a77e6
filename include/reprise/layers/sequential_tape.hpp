#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "../core/sequences.hpp"

// The memory that a pass through a `Sequential` works in.
namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// Sizes of the parts of a scratch, and of the whole.
struct ScratchPlan {
  Index layer = 0;
  Index values = 0;
  Index size = 0;
};

/// A number that no other chain of layers has.
inline std::uint64_t next_chain() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

}  // namespace detail

/// What one forward and backward pass of a `Sequential` over one shard of a batch keeps. Reused: memory only
/// grows. It cannot be copied: its views would point into the memory of the first.
template <typename Scalar>
struct SequentialTape {
  SequentialTape() = default;
  SequentialTape(SequentialTape&&) noexcept = default;
  SequentialTape& operator=(SequentialTape&&) noexcept = default;

  SequenceView<Scalar> input;
  /// One for each layer.
  std::vector<SequenceView<Scalar>> outputs;
  std::vector<Scalar*> tapes;
  /// Handed from one layer to another; in `backward` their gradients.
  Scalar* states = nullptr;
  /// How many of the input's steps are valid, one number for each sample, the largest first; empty: all steps
  /// of all samples. Set it after `prepare`, or by `Sequential::set_lengths`; what it points to must live
  /// until `backward` is done.
  std::span<const Index> lengths{};
  Vector<Scalar> memory;
  /// Set by `prepare`: for which chain of layers, and how much scratch a pass over so many samples takes.
  std::uint64_t chain = 0;
  detail::ScratchPlan scratch{};
};

/// Buffers that a pass needs only while it runs: one set for each thread. Reused: memory only grows.
template <typename Scalar>
struct SequentialScratch {
  Vector<Scalar> memory;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
