#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "../core/detail/require_finite.hpp"
#include "../core/padded.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Samples that stand in memory: inputs, and targets unless a network shall reproduce its inputs. Samples may
/// have different lengths, valid steps first. A `DataSource`, see source.hpp; networks of either scalar may
/// be trained on it.
template <typename Scalar>
class ArraySource {
 public:
  /// The inputs are the targets. `lengths`: valid steps of each sample; empty where all are full.
  explicit ArraySource(Sequences<Scalar> inputs, std::vector<Index> lengths = {})
      : inputs_(std::move(inputs)), lengths_(std::move(lengths)) {
    require_lengths();
    require_finite("inputs", inputs_, true);
  }
  explicit ArraySource(PaddedSequences<Scalar> inputs)
      : ArraySource(std::move(inputs.values), std::move(inputs.lengths)) {}
  /// Targets of as many steps as the inputs have the inputs' lengths, others are full.
  ArraySource(Sequences<Scalar> inputs, Sequences<Scalar> targets, std::vector<Index> lengths = {})
      : inputs_(std::move(inputs)), targets_(std::move(targets)), lengths_(std::move(lengths)) {
    has_targets_ = true;
    if (targets_.batch() != inputs_.batch()) {
      detail::fail("array source", {"a target for each of ", inputs_.batch(), " samples"},
                   {targets_.batch()});
    }
    require_lengths();
    require_finite("inputs", inputs_, true);
    require_finite("targets", targets_, targets_.steps() == inputs_.steps());
  }
  ArraySource(PaddedSequences<Scalar> inputs, Sequences<Scalar> targets)
      : ArraySource(std::move(inputs.values), std::move(targets), std::move(inputs.lengths)) {}

  Index size() const { return inputs_.batch(); }
  SequenceShape input_shape() const { return inputs_.shape(); }
  SequenceShape target_shape() const { return has_targets_ ? targets_.shape() : inputs_.shape(); }
  bool targets_are_inputs() const { return !has_targets_; }
  bool has_lengths() const { return !lengths_.empty(); }
  Index length(Index sample) const {
    return lengths_.empty() ? inputs_.steps() : lengths_[static_cast<std::size_t>(sample)];
  }

  template <typename Batch>
  void gather(std::span<const Index> samples, SequenceView<Batch> inputs, SequenceView<Batch> targets) const {
    copy(inputs_, samples, inputs);
    if (targets.data != nullptr) copy(has_targets_ ? targets_ : inputs_, samples, targets);
  }

 private:
  template <typename Batch>
  static void copy(const Sequences<Scalar>& from, std::span<const Index> samples, SequenceView<Batch> to) {
    const Index features = from.features();
    for (Index t = 0; t < to.steps; ++t) {
      Batch* place = to.step_data(t);
      for (const Index sample : samples) {
        const Scalar* const values = from.view().step_data(t) + sample * features;
        place =
            std::transform(values, values + features, place, [](Scalar v) { return static_cast<Batch>(v); });
      }
    }
  }

  void require_lengths() const {
    if (!lengths_.empty() && static_cast<Index>(lengths_.size()) != inputs_.batch()) {
      detail::fail("array source", {inputs_.batch(), " lengths, one for each sample"}, {lengths_.size()});
    }
    for (const Index length : lengths_) {
      if (length >= 1 && length <= inputs_.steps()) continue;
      detail::fail("array source", {"lengths of 1 to ", inputs_.steps(), " steps"}, {length});
    }
  }
  /// What lies behind a sample's end may be anything.
  void require_finite(const char* what, const Sequences<Scalar>& values, bool of_length) const {
    detail::require_finite({"array source: ", what}, values,
                           [&](Index sample) { return of_length ? length(sample) : values.steps(); });
  }

  Sequences<Scalar> inputs_, targets_;
  std::vector<Index> lengths_;
  bool has_targets_ = false;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
