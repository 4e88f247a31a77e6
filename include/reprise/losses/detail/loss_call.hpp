#pragma once

#include <algorithm>
#include <span>

#include "../../core/sequences.hpp"

// How a loss goes over the positions of a batch: which of them count, and with which weight. A position is
// one step of one sample, with all its features.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What the code of a loss is given, of shapes that were checked; see `loss_sum`.
template <typename Scalar>
struct LossCall {
  SequenceView<const Scalar> prediction, target;
  /// One per sample, or empty for ones.
  std::span<const double> sample_weights;
  /// Valid steps of each sample, or empty where all are.
  std::span<const Index> lengths;
  double scale;
  /// Null, or of the prediction's shape: where d(sum) / d(prediction) * scale * per_element goes.
  Scalar* gradient;
  /// Null, or one number per sample to which its (unweighted) element losses are added.
  double* of_samples;
  /// How many values of the last step are meant.
  Index in_last;
  /// 1 / (the number of values of a sample that are meant).
  double per_element;
};

/// True when every value counts, and equally.
template <typename Scalar>
bool counts_all(const LossCall<Scalar>& call) {
  return call.sample_weights.empty() && call.in_last == call.prediction.features &&
         call.of_samples == nullptr &&
         std::all_of(call.lengths.begin(), call.lengths.end(),
                     [&](Index length) { return length == call.prediction.steps; });
}

/// Adds up weight * position(prediction, target, count, factor, gradient) over all valid positions: the
/// first three arguments are the position's values and how many of them are meant; the function returns the
/// sum of their element losses and writes the slopes times `factor` to `gradient` unless that is null.
template <typename Scalar, typename Position>
double sum_over_positions(const LossCall<Scalar>& call, const Position& position) {
  const SequenceView<const Scalar>& shape = call.prediction;
  double sum = 0.0;
  for (Index column = 0; column < shape.batch * shape.steps; ++column) {
    const auto sample = static_cast<std::size_t>(column % shape.batch);
    const Index step = column / shape.batch;
    Scalar* const slope = call.gradient == nullptr ? nullptr : call.gradient + column * shape.features;
    const bool valid = call.lengths.empty() || step < call.lengths[sample];
    const Index meant = step + 1 < shape.steps ? shape.features : call.in_last;
    const Index count = valid ? meant : 0;
    if (valid) {
      const double weight = call.sample_weights.empty() ? 1.0 : call.sample_weights[sample];
      const double value =
          position(shape.data + column * shape.features, call.target.data + column * call.target.features,
                   count, static_cast<Scalar>(weight * call.scale * call.per_element), slope);
      sum += weight * value;
      if (call.of_samples != nullptr) call.of_samples[sample] += value;
    }
    if (slope != nullptr) std::fill(slope + count, slope + shape.features, Scalar(0));
  }
  return sum;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
