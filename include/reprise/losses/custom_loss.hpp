#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "../core/custom.hpp"
#include "detail/loss_call.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// Compares what a network made of one position with its target.
template <typename T, typename Scalar>
concept PositionLoss = requires(const T& loss, std::span<const Scalar> values, std::span<Scalar> gradient) {
  { loss(values, values, gradient) } -> std::convertible_to<double>;
};

class LossCode : public CustomCode {
 public:
  virtual double sum(const LossCall<float>& call) const = 0;
  virtual double sum(const LossCall<double>& call) const = 0;
  /// Features of a target; 0: as many as the prediction has.
  virtual Index target_features() const = 0;
};

template <typename T>
class LossHolder final : public CustomHolder<LossCode, T> {
 public:
  using CustomHolder<LossCode, T>::CustomHolder;
  double sum(const LossCall<float>& call) const override { return over_positions(call); }
  double sum(const LossCall<double>& call) const override { return over_positions(call); }
  Index target_features() const override {
    if constexpr (requires { T::target_features; }) return T::target_features;
    return 0;
  }

 private:
  template <typename Scalar>
  double over_positions(const LossCall<Scalar>& call) const {
    const Index target_features = call.target.features;
    const bool same_features = target_features == call.prediction.features;
    return sum_over_positions(call, [&](const Scalar* prediction, const Scalar* target, Index count,
                                        Scalar factor, Scalar* gradient) {
      const auto size = static_cast<std::size_t>(count);
      const std::span<Scalar> slope(gradient, gradient == nullptr ? 0 : size);
      // The loop's sums are in values, of which this position has `count`.
      const auto values = static_cast<double>(count);
      const double sum =
          values * this->value_(std::span<const Scalar>(prediction, size),
                                std::span<const Scalar>(
                                    target, same_features ? size : static_cast<std::size_t>(target_features)),
                                slope);
      for (Scalar& each : slope) each *= factor * static_cast<Scalar>(count);
      return sum;
    });
  }
};

}  // namespace detail

/// A loss of the user's own, made from a struct such as
///
///     struct Quantile {
///       static constexpr const char* kind = "Quantile";
///       double q = 0.9;
///
///       template <typename Scalar>
///       double operator()(std::span<const Scalar> prediction, std::span<const Scalar> target,
///                         std::span<Scalar> gradient) const {
///         const auto n = static_cast<Scalar>(prediction.size());
///         Scalar sum = 0;
///         for (std::size_t i = 0; i < prediction.size(); ++i) {
///           const Scalar e = target[i] - prediction[i];
///           const auto slope = static_cast<Scalar>(e > 0 ? q : q - 1.0);
///           sum += slope * e;
///           if (!gradient.empty()) gradient[i] = -slope / n;
///         }
///         return sum / n;
///       }
///       template <typename Self, typename Visit>
///       static void each_field(Self& self, const Visit& visit) {
///         visit("q", self.q);
///       }
///     };
///
/// It is called for each position, which is one step of one sample, with all features of prediction and
/// target, in float or double. It returns the loss of the position, which for losses like ours is the mean
/// over its features, and writes the derivative by each value of the prediction to `gradient`, all of it,
/// unless that is empty. Which positions count, weights, means over steps and samples, and the padding of a
/// last step (left out of the spans) are the library's part. The target may have another number of features
/// than the prediction; where it always has, say so for training: `static constexpr Index target_features =
/// 1;`. Calls come from several threads at once.
///
/// Files and comparisons know it by its name and fields; a `validate() const` is called before training.
class CustomLoss : public detail::Custom<detail::LossCode> {
 public:
  static constexpr const char* category = "loss";

  template <typename T>
    requires(std::is_class_v<T> && !std::same_as<T, CustomLoss>)
  CustomLoss(T loss) : Custom(holder(std::move(loss))) {}

 private:
  template <typename T>
  static std::shared_ptr<const detail::LossCode> holder(T loss) {
    constexpr bool named = detail::HasKind<T>, listed = detail::fields_are_known<T>;
    constexpr bool callable = detail::PositionLoss<T, float> && detail::PositionLoss<T, double>;
    static_assert(named,
                  "an own loss needs a name, such as static constexpr const char* kind = \"Quantile\"");
    static_assert(listed, "an own loss with members must list them in each_field (see core/fields.hpp)");
    static_assert(callable,
                  "an own loss must be callable as double(std::span<const S> prediction, std::span<const S> "
                  "target, std::span<S> gradient) const, with S = float and with S = double");
    if constexpr (named && listed && callable) {
      return std::make_shared<const detail::LossHolder<T>>(std::move(loss));
    } else {
      return nullptr;
    }
  }
};

namespace detail {

template <typename Scalar>
double loss_of_batch(const CustomLoss& loss, const LossCall<Scalar>& call) {
  static_assert(std::same_as<Scalar, float> || std::same_as<Scalar, double>);
  return loss.code().sum(call);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
