#pragma once

#include <cmath>
#include <string>

#include "../core/detail/lanes.hpp"
#include "../core/parameters.hpp"
#include "clipping.hpp"
#include "convention.hpp"
#include "learning_rate.hpp"
#include "state.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Kingma and Ba, "Adam: a method for stochastic optimization" (2015). With gradient g and t = 1 in the first
/// step:
///
///     m <- m + (1 - beta_1) (g - m)          v <- v + (1 - beta_2) (g^2 - v)
///     keras:    theta <- theta - lr sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
///     pytorch:  theta <- theta - lr / (1 - beta_1^t) * m / (sqrt(v / (1 - beta_2^t)) + epsilon)
///
/// Keras's is the form at the end of section 2 of the paper, PyTorch's the paper's algorithm 1: epsilon is
/// added before or after the correction of v.
struct Adam {
  static constexpr const char* kind = "Adam";
  Convention convention = Convention::keras;
  LearningRate learning_rate = 1e-3;
  /// In [0, 1).
  double beta_1 = 0.9;
  /// In [0, 1).
  double beta_2 = 0.999;
  /// > 0; Keras 1e-7, PyTorch 1e-8.
  double epsilon = convention == Convention::keras ? 1e-7 : 1e-8;
  /// Keras: theta <- theta - lr weight_decay theta before the update, as in AdamW. PyTorch: weight_decay
  /// theta is added to the (clipped) gradient. For all parameters, biases too.
  double weight_decay = 0.0;
  Clip clip = NoClip{};

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [convention, learning_rate, beta_1, beta_2, epsilon, weight_decay, clip] = self;
    visit("convention", convention);
    visit("learning_rate", learning_rate);
    visit("beta_1", beta_1);
    visit("beta_2", beta_2);
    visit("epsilon", epsilon);
    visit("weight_decay", weight_decay);
    visit("clip", clip);
  }
  friend bool operator==(const Adam&, const Adam&) = default;
};

/// Loshchilov and Hutter, "Decoupled weight decay regularization" (2019): Adam, and before each update
/// theta <- theta - lr weight_decay theta for all parameters, biases too, with the rate of that step.
struct AdamW {
  static constexpr const char* kind = "AdamW";
  Convention convention = Convention::keras;
  LearningRate learning_rate = 1e-3;
  /// >= 0; Keras .004, PyTorch .01.
  double weight_decay = convention == Convention::keras ? 0.004 : 0.01;
  /// In [0, 1).
  double beta_1 = 0.9;
  /// In [0, 1).
  double beta_2 = 0.999;
  /// > 0; Keras 1e-7, PyTorch 1e-8.
  double epsilon = convention == Convention::keras ? 1e-7 : 1e-8;
  Clip clip = NoClip{};

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [convention, learning_rate, weight_decay, beta_1, beta_2, epsilon, clip] = self;
    visit("convention", convention);
    visit("learning_rate", learning_rate);
    visit("weight_decay", weight_decay);
    visit("beta_1", beta_1);
    visit("beta_2", beta_2);
    visit("epsilon", epsilon);
    visit("clip", clip);
  }
  friend bool operator==(const AdamW&, const AdamW&) = default;
};

namespace detail {

template <typename Kind>
void validate_adam(const Kind& adam) {
  const char* const place = Kind::kind;
  require_decay(adam.beta_1, place, "beta_1");
  require_decay(adam.beta_2, place, "beta_2");
  require_positive_option(adam.epsilon, place, "epsilon");
  require_not_negative(adam.weight_decay, place, "weight_decay");
}
inline void validate_own(const Adam& adam) { validate_adam(adam); }
inline void validate_own(const AdamW& adam) { validate_adam(adam); }

inline Remembers remembers(const Adam&) { return {true, true, false}; }
inline Remembers remembers(const AdamW&) { return {true, true, false}; }

// Rate, clip, decay and epsilon act on the parameters, or on the gradient before it gets here: the running
// means go on with others.
template <typename Kind>
bool same_means(const Kind& a, const Kind& b) {
  return a.convention == b.convention && a.beta_1 == b.beta_1 && a.beta_2 == b.beta_2;
}
inline bool same_moments(const Adam& a, const Adam& b) { return same_means(a, b); }
inline bool same_moments(const AdamW& a, const AdamW& b) { return same_means(a, b); }

/// Both conventions: theta <- theta - rate * m / (root_factor * sqrt(v) + epsilon).
template <typename Scalar>
void adam_step(const Adam& adam, OptimizerState<Scalar>& state, double learning_rate, double decoupled_decay,
               double gradient_decay, const Scalar* gradient, Scalar* parameters, ParameterRange range) {
  const bool keras = adam.convention == Convention::keras;
  const auto t = static_cast<double>(state.step + 1);
  const double correction_1 = 1.0 - std::pow(adam.beta_1, t);
  const double correction_2 = std::sqrt(1.0 - std::pow(adam.beta_2, t));
  const auto rate = static_cast<Scalar>(learning_rate * (keras ? correction_2 : 1.0) / correction_1);
  const auto root_factor = static_cast<Scalar>(keras ? 1.0 : 1.0 / correction_2);
  const auto epsilon = static_cast<Scalar>(adam.epsilon);
  const auto share_1 = static_cast<Scalar>(1.0 - adam.beta_1);
  const auto share_2 = static_cast<Scalar>(1.0 - adam.beta_2);
  const auto shrink = static_cast<Scalar>(learning_rate * decoupled_decay);
  const auto pull = static_cast<Scalar>(gradient_decay);
  Scalar* const first = moment_from(state.first, range.offset);
  Scalar* const second = moment_from(state.second, range.offset);
  gradient += range.offset;
  parameters += range.offset;
  for_lanes<Scalar>(range.size, [=](auto at, Index i) REPRISE_DETAIL_INLINE {
    const Lanes<Scalar> theta = at.load(parameters + i);
    const Lanes<Scalar> g = at.load(gradient + i) + theta * pull;
    Lanes<Scalar> m = at.load(first + i), v = at.load(second + i);
    m += (g - m) * share_1;
    v += (g * g - v) * share_2;
    at.store(first + i, m);
    at.store(second + i, v);
    at.store(parameters + i,
             theta - theta * shrink - m * rate / (square_root<Scalar>(v) * root_factor + epsilon));
  });
}
template <typename Scalar>
void update_step(const Adam& adam, OptimizerState<Scalar>& state, double learning_rate,
                 const Scalar* gradient, Scalar* parameters, ParameterRange range) {
  const bool keras = adam.convention == Convention::keras;
  adam_step(adam, state, learning_rate, keras ? adam.weight_decay : 0.0, keras ? 0.0 : adam.weight_decay,
            gradient, parameters, range);
}
template <typename Scalar>
void update_step(const AdamW& adam, OptimizerState<Scalar>& state, double learning_rate,
                 const Scalar* gradient, Scalar* parameters, ParameterRange range) {
  const Adam moments{
      .convention = adam.convention, .beta_1 = adam.beta_1, .beta_2 = adam.beta_2, .epsilon = adam.epsilon};
  adam_step(moments, state, learning_rate, adam.weight_decay, 0.0, gradient, parameters, range);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
