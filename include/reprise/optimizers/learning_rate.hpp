#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <numbers>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "../core/detail/visit.hpp"
#include "../core/sequences.hpp"
#include "convention.hpp"
#include "custom_schedule.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// initial_learning_rate * decay_rate^(step / decay_steps): Keras's `ExponentialDecay`.
struct ExponentialDecay {
  static constexpr const char* kind = "ExponentialDecay";
  double initial_learning_rate = 1e-3;
  /// Steps (batches, not epochs) after which the rate has been multiplied by decay_rate once. Must be given.
  Index decay_steps = 0;
  /// > 0. Must be given.
  double decay_rate = 0.0;
  /// Rounds step / decay_steps down, so that the rate falls in stairs.
  bool staircase = false;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [initial_learning_rate, decay_steps, decay_rate, staircase] = self;
    visit("initial_learning_rate", initial_learning_rate);
    visit("decay_steps", decay_steps);
    visit("decay_rate", decay_rate);
    visit("staircase", staircase);
  }
  friend bool operator==(const ExponentialDecay&, const ExponentialDecay&) = default;
};

/// Half a cosine from the initial rate r to alpha * r within decay_steps, constant from then on: Keras's
/// `CosineDecay`, r * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha). Loshchilov and Hutter,
/// "SGDR" (2017), without restarts. With a warmup_target the rate first climbs in a straight line from
/// initial_learning_rate to it within warmup_steps; the decay then starts from there and takes decay_steps
/// more.
struct CosineDecay {
  static constexpr const char* kind = "CosineDecay";
  double initial_learning_rate = 1e-3;
  /// Steps (batches, not epochs) of the decay, those of the warm-up not counted. Must be given.
  Index decay_steps = 0;
  /// The last rate as a fraction of the highest, >= 0.
  double alpha = 0.0;
  std::optional<double> warmup_target = std::nullopt;
  Index warmup_steps = 0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [initial_learning_rate, decay_steps, alpha, warmup_target, warmup_steps] = self;
    visit("initial_learning_rate", initial_learning_rate);
    visit("decay_steps", decay_steps);
    visit("alpha", alpha);
    visit("warmup_target", warmup_target);
    visit("warmup_steps", warmup_steps);
  }
  friend bool operator==(const CosineDecay&, const CosineDecay&) = default;
};

/// A constant, or a schedule that the number of the step decides: one of ours, or a struct of the user's (see
/// `CustomSchedule`).
struct LearningRate {
  LearningRate(double constant) : value(constant) {}
  LearningRate(const ExponentialDecay& schedule) : value(schedule) {}
  LearningRate(const CosineDecay& schedule) : value(schedule) {}

  template <typename T>
    requires(std::is_class_v<T> && !std::convertible_to<T, double> && !std::same_as<T, LearningRate>)
  LearningRate(T schedule) : value(CustomSchedule(std::move(schedule))) {}

  std::variant<double, ExponentialDecay, CosineDecay, CustomSchedule> value;

  /// It is written as what it holds.
  template <typename Self>
  static auto& stored(Self& self) {
    return self.value;
  }
  friend bool operator==(const LearningRate&, const LearningRate&) = default;
};

namespace detail {

inline double rate_at(double constant, Index) { return constant; }

inline double rate_at(const ExponentialDecay& decay, Index step) {
  const double decays = static_cast<double>(step) / static_cast<double>(decay.decay_steps);
  return decay.initial_learning_rate *
         std::pow(decay.decay_rate, decay.staircase ? std::floor(decays) : decays);
}

inline double rate_at(const CosineDecay& decay, Index step) {
  const Index warmup = decay.warmup_target ? decay.warmup_steps : 0;
  const double top = decay.warmup_target.value_or(decay.initial_learning_rate);
  if (step < warmup) {
    const double done = static_cast<double>(step) / static_cast<double>(warmup);
    return decay.initial_learning_rate + (top - decay.initial_learning_rate) * done;
  }
  const double done = static_cast<double>(std::min(step - warmup, decay.decay_steps)) /
                      static_cast<double>(decay.decay_steps);
  const double cosine = 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  return top * ((1.0 - decay.alpha) * cosine + decay.alpha);
}

inline void validate(double constant, const Text& place) {
  require_not_negative(constant, place, "learning_rate");
}

inline void validate(const ExponentialDecay& decay, const Text& place) {
  const std::string here = place.string() + ": ExponentialDecay";
  require_not_negative(decay.initial_learning_rate, here, "initial_learning_rate");
  require_positive(decay.decay_steps, here, "decay_steps");
  require_positive_option(decay.decay_rate, here, "decay_rate");
}

inline void validate(const CosineDecay& decay, const Text& place) {
  const std::string here = place.string() + ": CosineDecay";
  require_not_negative(decay.initial_learning_rate, here, "initial_learning_rate");
  require_positive(decay.decay_steps, here, "decay_steps");
  require_not_negative(decay.alpha, here, "alpha");
  if (decay.warmup_target) require_not_negative(*decay.warmup_target, here, "warmup_target");
  if (decay.warmup_steps < 0) fail(here, "warmup_steps >= 0", {decay.warmup_steps});
  if (decay.warmup_steps > 0 && !decay.warmup_target) {
    fail(here, "a warmup_target to go with warmup_steps", {"warmup_steps = ", decay.warmup_steps});
  }
}

inline void validate(const LearningRate& rate, const Text& place) {
  detail::visit([&](const auto& schedule) { validate(schedule, place); }, rate.value);
}

}  // namespace detail

/// The rate for the step with the given number; the first step is number 0.
[[nodiscard]] inline double rate_at(const LearningRate& rate, Index step) {
  return detail::visit([&](const auto& schedule) { return detail::rate_at(schedule, step); }, rate.value);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
