#pragma once

#include "../../core/detail/lanes.hpp"
#include "../layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// The steps of a recurrent layer's input in the order in which the layer reads them: step k stands at time
/// k, or, backwards, at time n - 1 - k, with n the number of the sample's valid steps. Where samples have
/// different lengths, the longest come first, so that a step has its samples side by side.
template <typename Scalar>
class ReadingOrder {
 public:
  ReadingOrder(SequenceView<const Scalar> x, bool backwards, std::span<const Index> lengths)
      : x_(x), backwards_(backwards), lengths_(lengths) {}

  /// Samples that have a step k.
  Index samples(Index k) const { return samples_at(lengths_, x_.batch, k); }
  /// Whether the samples of a step stand at different times.
  bool scattered() const { return backwards_ && !lengths_.empty() && !x_.repeated; }
  /// Whether neighbours in the order of reading are neighbours in memory.
  bool in_order() const { return !backwards_ || x_.repeated; }
  /// Where step k of all samples stands in time; for steps that are not scattered.
  Index time(Index k) const {
    if (x_.repeated) return 0;
    return backwards_ ? x_.steps - 1 - k : k;
  }

  /// How many steps from k on, up to `last`, can be one product: their inputs and the states before them
  /// stand side by side, and all but the last of them have all samples.
  Index side_by_side(Index k, Index last) const {
    if (k == 0 || !in_order()) return 1;
    Index count = 1;
    while (k + count < last && samples(k + count - 1) == x_.batch) ++count;
    return count;
  }

  /// The input of step k, features x samples(k); gathered into `buffer` where it is scattered.
  const Scalar* step(Index k, Scalar* buffer) const {
    if (!scattered()) return x_.step_data(time(k));
    const Index F = x_.features;
    for (Index b = 0; b < samples(k); ++b) {
      std::copy_n(x_.step_data(length_of(lengths_, b, x_.steps) - 1 - k) + b * F, F, buffer + b * F);
    }
    return buffer;
  }
  /// Where the gradient of the input of step k is to be written: its place in `dx`, or, where that is
  /// scattered, `buffer`, from which `put_gradient` takes it.
  Scalar* gradient_place(SequenceView<Scalar> dx, Index k, Scalar* buffer) const {
    return scattered() ? buffer : dx.step_data(time(k));
  }
  void put_gradient(SequenceView<Scalar> dx, Index k, const Scalar* buffer) const {
    if (!scattered()) return;
    const Index F = x_.features;
    for (Index b = 0; b < samples(k); ++b) {
      std::copy_n(buffer + b * F, F, dx.step_data(length_of(lengths_, b, x_.steps) - 1 - k) + b * F);
    }
  }
  /// No gradient reaches the steps beyond the samples' ends.
  void clear_padding(SequenceView<Scalar> dx) const {
    if (lengths_.empty() || x_.repeated) return;
    for (Index t = 0; t < x_.steps; ++t) {
      const Index valid = samples(t) * x_.features;
      std::fill(dx.step_data(t) + valid, dx.step_data(t) + x_.step_size(), Scalar(0));
    }
  }

 private:
  SequenceView<const Scalar> x_;
  bool backwards_;
  std::span<const Index> lengths_;
};

/// What a recurrent layer holds at and beyond the samples' ends, as Keras does under a mask: the output of
/// the last valid step. All blocks are H x batch, one a step.

/// The block of each sample's last valid step.
template <typename Scalar>
void copy_last_states(const Scalar* blocks, Index H, Index batch, Index steps, std::span<const Index> lengths,
                      Scalar* to) {
  if (lengths.empty()) {
    std::copy_n(blocks + (steps - 1) * H * batch, H * batch, to);
    return;
  }
  for (Index b = 0; b < batch; ++b) {
    std::copy_n(blocks + ((length_of(lengths, b, steps) - 1) * batch + b) * H, H, to + b * H);
  }
}
/// Fills the steps beyond the samples' ends.
template <typename Scalar>
void hold_last_states(Scalar* blocks, Index H, Index batch, Index steps, std::span<const Index> lengths) {
  for (Index k = 1; k < steps; ++k) {
    const Index valid = samples_at(lengths, batch, k) * H;
    Scalar* const block = blocks + k * H * batch;
    std::copy(block - H * batch + valid, block, block + valid);
  }
}
/// dh += the gradient of each sample's last valid step and of those that held its output.
template <typename Scalar>
void add_held_gradients(const Scalar* blocks, Index H, Index batch, Index steps,
                        std::span<const Index> lengths, Scalar* dh) {
  if (lengths.empty()) return add(dh, blocks + (steps - 1) * H * batch, H * batch);
  for (Index b = 0; b < batch; ++b) {
    for (Index k = length_of(lengths, b, steps) - 1; k < steps; ++k) {
      add(dh + b * H, blocks + (k * batch + b) * H, H);
    }
  }
}

template <typename Scalar>
void set_or_zero(Scalar* to, const Scalar* from, Index count) {
  if (from == nullptr) {
    std::fill_n(to, count, Scalar(0));
  } else {
    std::copy_n(from, count, to);
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
