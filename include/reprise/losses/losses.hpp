#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <type_traits>
#include <variant>

#include "../core/error.hpp"
#include "../core/sequences.hpp"
#include "../core/visit.hpp"
#include "huber.hpp"
#include "log_cosh.hpp"
#include "mean_absolute_error.hpp"
#include "mean_squared_error.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What training makes small: a function of e = prediction - target at each step and feature of each sample.
using Loss = std::variant<MeanSquaredError, MeanAbsoluteError, Huber, LogCosh>;

/// Throws `Error` when an option of the loss cannot be.
inline void validate(const Loss& loss) {
  const Huber* huber = std::get_if<Huber>(&loss);
  if (huber != nullptr && !(huber->delta > 0.0 && std::isfinite(huber->delta))) {
    detail::fail("Huber", "delta > 0", {huber->delta});
  }
}

namespace detail {

/// The sum of the element losses of `count` neighbours; their slopes, times `factor`, go to `gradient` unless
/// null.
template <typename Kind, typename Scalar>
double loss_run(const Kind& kind, const Scalar* prediction, const Scalar* target, Index count, Scalar factor,
                Scalar* gradient) {
  LaneSum<Scalar> sum;
  for_lanes<Scalar>(count, [&](auto at, Index i) REPRISE_DETAIL_INLINE {
    const Lanes<Scalar> e = at.load(prediction + i) - at.load(target + i);
    sum.add(element_loss<Scalar>(kind, e));  // lanes beyond the last value have no error
    if (gradient != nullptr) at.store(gradient + i, element_slope<Scalar>(kind, e) * factor);
  });
  return sum.total();
}

template <typename A, typename B>
void require_same_shape(const char* what, const SequenceView<A>& expected, const SequenceView<B>& got) {
  if (expected.shape() == got.shape() && expected.batch == got.batch) return;
  fail({"loss: ", what}, {expected.batch, " samples of ", to_string(expected.shape())},
       {got.batch, " samples of ", to_string(got.shape())});
}

inline void require_one_per_sample(const char* what, std::size_t got, Index batch) {
  if (got == static_cast<std::size_t>(batch)) return;
  fail({"loss: ", what}, {"one per sample, that is ", batch}, {got});
}

inline Index values_of_last_step(Index features, Index last_step_features) {
  if (last_step_features > features) {
    fail("loss: last step", {"at most ", features, " features"}, {last_step_features});
  }
  return last_step_features > 0 ? last_step_features : features;
}

}  // namespace detail

/// The sum, over the samples b of a batch or a part of one, of weight_b * (mean of the element loss over b's
/// steps and features). `sample_weights` has one number per sample, or is empty for ones.
///
/// Where `gradient` has data, d(sum)/d(prediction) * scale is written to it; with scale = 1 / (samples in the
/// whole batch) that is the gradient of the batch's loss, which as in Keras is divided by the number of
/// samples and not by the sum of the weights. Adds in double, in an order that the shape alone decides, and
/// allocates nothing. Throws `Error` when shapes disagree.
///
/// `last_step_features`: where positive, only so many values of the last step are meant (the others pad the
/// last patch of a window): the mean is over the values that are, and the slope of the others is zero.
template <typename Scalar>
double loss_sum(const Loss& loss, std::type_identity_t<SequenceView<const Scalar>> prediction,
                std::type_identity_t<SequenceView<const Scalar>> target,
                std::span<const double> sample_weights, double scale, SequenceView<Scalar> gradient,
                Index last_step_features = 0) {
  detail::require_same_shape("target", prediction, target);
  if (gradient.data != nullptr) detail::require_same_shape("gradient", prediction, gradient);
  if (!sample_weights.empty()) {
    detail::require_one_per_sample("sample weights", sample_weights.size(), prediction.batch);
  }
  const Index in_last = detail::values_of_last_step(prediction.features, last_step_features);
  const Index first_of_last = prediction.batch * (prediction.steps - 1);
  const double per_element =
      1.0 / static_cast<double>(prediction.features * (prediction.steps - 1) + in_last);
  return detail::visit(
      [&](const auto& kind) {
        if (sample_weights.empty() && in_last == prediction.features) {
          return per_element * detail::loss_run(kind, prediction.data, target.data, prediction.size(),
                                                static_cast<Scalar>(scale * per_element), gradient.data);
        }
        const Index features = prediction.features;
        double sum = 0.0;
        for (Index column = 0; column < prediction.batch * prediction.steps; ++column) {
          const double weight = sample_weights.empty()
                                    ? 1.0
                                    : sample_weights[static_cast<std::size_t>(column % prediction.batch)];
          const Index count = column < first_of_last ? features : in_last;
          const Index offset = column * features;
          Scalar* const slope = gradient.data == nullptr ? nullptr : gradient.data + offset;
          sum += weight * detail::loss_run(kind, prediction.data + offset, target.data + offset, count,
                                           static_cast<Scalar>(weight * scale * per_element), slope);
          if (slope != nullptr) std::fill(slope + count, slope + features, Scalar(0));
        }
        return per_element * sum;
      },
      loss);
}

/// The loss of each sample: the mean of the element loss over its steps and features, unweighted. `losses`
/// has one place per sample. Allocates nothing; throws `Error` when shapes disagree.
template <typename Scalar>
void sample_losses(const Loss& loss, SequenceView<Scalar> prediction,
                   SequenceView<const std::remove_const_t<Scalar>> target, std::span<double> losses) {
  using Value = std::remove_const_t<Scalar>;
  detail::require_same_shape("target", prediction, target);
  detail::require_one_per_sample("losses", losses.size(), prediction.batch);
  std::fill(losses.begin(), losses.end(), 0.0);
  const Index features = prediction.features;
  const double per_element = 1.0 / static_cast<double>(features * prediction.steps);
  detail::visit(
      [&](const auto& kind) {
        for (Index column = 0; column < prediction.batch * prediction.steps; ++column) {
          const Value* const from = prediction.data + column * features;
          losses[static_cast<std::size_t>(column % prediction.batch)] +=
              per_element * detail::loss_run<std::decay_t<decltype(kind)>, Value>(
                                kind, from, target.data + column * features, features, Value(0), nullptr);
        }
      },
      loss);
}

/// The loss of a batch, Keras's meaning: the (weighted) sum of its samples' losses over their number.
template <typename Scalar>
double loss_value(const Loss& loss, SequenceView<Scalar> prediction,
                  SequenceView<const std::remove_const_t<Scalar>> target,
                  std::span<const double> sample_weights = {}) {
  validate(loss);
  detail::require_positive(prediction.batch, "loss", "number of samples");
  return loss_sum<std::remove_const_t<Scalar>>(loss, prediction, target, sample_weights, 1.0, {}) /
         static_cast<double>(prediction.batch);
}
template <typename Scalar>
double loss_value(const Loss& loss, const Sequences<Scalar>& prediction, const Sequences<Scalar>& target,
                  std::span<const double> sample_weights = {}) {
  return loss_value(loss, prediction.view(), target.view(), sample_weights);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
