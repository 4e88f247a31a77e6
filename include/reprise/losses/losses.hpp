#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <variant>

#include "../core/detail/visit.hpp"
#include "../core/error.hpp"
#include "../core/sequences.hpp"
#include "custom_loss.hpp"
#include "detail/loss_call.hpp"
#include "huber.hpp"
#include "log_cosh.hpp"
#include "mean_absolute_error.hpp"
#include "mean_squared_error.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What training makes small: a function of e = prediction - target at each step and feature of each sample,
/// or whatever a struct of the user's makes of a position (see `CustomLoss`).
using Loss = std::variant<MeanSquaredError, MeanAbsoluteError, Huber, LogCosh, CustomLoss>;

namespace detail {

/// Losses without options have none that could be wrong.
template <typename Kind>
void validate_own(const Kind&) {}
inline void validate_own(const CustomLoss& loss) { loss.validate(); }

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

/// For the losses that are a function of e = prediction - target at each feature alone.
template <typename Kind, typename Scalar>
double loss_of_batch(const Kind& kind, const LossCall<Scalar>& call) {
  if (counts_all(call)) {
    return loss_run(kind, call.prediction.data, call.target.data, call.prediction.size(),
                    static_cast<Scalar>(call.scale * call.per_element), call.gradient);
  }
  return sum_over_positions(
      call, [&](const Scalar* prediction, const Scalar* target, Index count, Scalar factor,
                Scalar* gradient) { return loss_run(kind, prediction, target, count, factor, gradient); });
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

inline void require_lengths(std::span<const Index> lengths, Index batch, Index steps) {
  if (lengths.empty()) return;
  require_one_per_sample("lengths", lengths.size(), batch);
  for (const Index length : lengths) {
    if (length < 0 || length > steps) fail("loss: lengths", {"from 0 to ", steps, " steps"}, {length});
  }
}

/// A loss of a feature needs a target for each; what a user's loss needs, it knows itself.
template <typename Kind, typename Scalar>
void require_target_fits(const Kind&, const LossCall<Scalar>& call) {
  require_same_shape("target", call.prediction, call.target);
}
template <typename Scalar>
void require_target_fits(const CustomLoss&, const LossCall<Scalar>& call) {
  SequenceView<const Scalar> target = call.target;
  target.features = call.prediction.features;
  require_same_shape("target", call.prediction, target);
}

/// Checks the shapes, then calls the code of the loss; the sum is in element losses.
template <typename Scalar>
double sum_of_elements(const Loss& loss, LossCall<Scalar>& call, Index last_step_features) {
  detail::visit([&](const auto& kind) { require_target_fits(kind, call); }, loss);
  require_lengths(call.lengths, call.prediction.batch, call.prediction.steps);
  call.in_last = values_of_last_step(call.prediction.features, last_step_features);
  call.per_element =
      1.0 / static_cast<double>(call.prediction.features * (call.prediction.steps - 1) + call.in_last);
  return detail::visit([&](const auto& kind) { return loss_of_batch(kind, call); }, loss);
}

}  // namespace detail

/// Throws `Error` when an option of the loss cannot be.
template <detail::VariantOrAlternative<Loss> Kind>
void validate(const Kind& loss) {
  if constexpr (std::is_same_v<Kind, Loss>) {
    detail::visit([](const auto& kind) { detail::validate_own(kind); }, loss);
  } else {
    detail::validate_own(loss);
  }
}

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
///
/// `lengths`: the number of valid steps of each sample, which stand first; empty: all steps are. What lies
/// beyond is not read, and its slope is zero. The sum over the valid steps is divided by `steps` all the
/// same, so that a step weighs as much in a short sample as in a long one. For a loss that is divided by the
/// valid steps of the batch, as Keras divides under a mask, let scale be steps / (sum of the lengths of the
/// whole batch). With `last_step_features` the sum over the valid values is divided by the values that are
/// meant in a whole sample, and for such a loss steps are to be counted in these values too.
template <typename Scalar>
double loss_sum(const Loss& loss, std::type_identity_t<SequenceView<const Scalar>> prediction,
                std::type_identity_t<SequenceView<const Scalar>> target,
                std::span<const double> sample_weights, double scale, SequenceView<Scalar> gradient,
                Index last_step_features = 0, std::span<const Index> lengths = {}) {
  if (gradient.data != nullptr) detail::require_same_shape("gradient", prediction, gradient);
  if (!sample_weights.empty()) {
    detail::require_one_per_sample("sample weights", sample_weights.size(), prediction.batch);
  }
  detail::LossCall<Scalar> call{prediction, target, sample_weights, lengths, scale, gradient.data, nullptr,
                                0,          0.0};
  const double sum = detail::sum_of_elements(loss, call, last_step_features);
  return call.per_element * sum;
}

/// The loss of each sample: the mean of the element loss over the meant values of its valid steps,
/// unweighted; 0 for a sample of length 0. `losses` has one place per sample; the last two arguments are
/// those of `loss_sum`. Allocates nothing; throws `Error` when shapes disagree.
template <typename Scalar>
void sample_losses(const Loss& loss, SequenceView<Scalar> prediction,
                   SequenceView<const std::remove_const_t<Scalar>> target, std::span<double> losses,
                   Index last_step_features = 0, std::span<const Index> lengths = {}) {
  using Value = std::remove_const_t<Scalar>;
  detail::require_one_per_sample("losses", losses.size(), prediction.batch);
  std::fill(losses.begin(), losses.end(), 0.0);
  detail::LossCall<Value> call{prediction, target, {}, lengths, 1.0, nullptr, losses.data(), 0, 0.0};
  detail::sum_of_elements(loss, call, last_step_features);
  const Index values = prediction.features * (prediction.steps - 1) + call.in_last;
  for (std::size_t b = 0; b < losses.size(); ++b) {
    losses[b] *= call.per_element;
    if (lengths.empty() || lengths[b] == 0 || lengths[b] == prediction.steps) continue;
    losses[b] *= static_cast<double>(values) / static_cast<double>(prediction.features * lengths[b]);
  }
}

/// The loss of a batch, Keras's meaning: the (weighted) sum of its samples' losses over their number. With
/// lengths the (weighted) sum of the losses of all valid steps over the number of these steps.
template <typename Scalar>
[[nodiscard]] double loss_value(const Loss& loss, SequenceView<Scalar> prediction,
                                SequenceView<const std::remove_const_t<Scalar>> target,
                                std::span<const double> sample_weights = {},
                                std::span<const Index> lengths = {}) {
  validate(loss);
  detail::require_positive(prediction.batch, "loss", "number of samples");
  const double sum =
      loss_sum<std::remove_const_t<Scalar>>(loss, prediction, target, sample_weights, 1.0, {}, 0, lengths);
  if (lengths.empty()) return sum / static_cast<double>(prediction.batch);
  const Index valid = std::accumulate(lengths.begin(), lengths.end(), Index{0});
  detail::require_positive(valid, "loss", "number of valid steps");
  return sum / (static_cast<double>(valid) / static_cast<double>(prediction.steps));
}
template <typename Scalar>
[[nodiscard]] double loss_value(const Loss& loss, const Sequences<Scalar>& prediction,
                                const Sequences<Scalar>& target, std::span<const double> sample_weights = {},
                                std::span<const Index> lengths = {}) {
  return loss_value(loss, prediction.view(), target.view(), sample_weights, lengths);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
