#pragma once

#include <string>

#include "../core/detail/lanes.hpp"
#include "../core/parameters.hpp"
#include "clipping.hpp"
#include "convention.hpp"
#include "learning_rate.hpp"
#include "state.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Tieleman and Hinton, "Lecture 6.5: rmsprop" (2012), with Graves' centered variant (2013). With gradient g:
///
///     s <- rho s + (1 - rho) g^2      centered: a <- rho a + (1 - rho) g and s - a^2 in place of s below
///     keras:    d = sqrt(s + epsilon)     v <- momentum v + lr g / d    theta <- theta - v
///     pytorch:  d = sqrt(s) + epsilon     v <- momentum v + g / d       theta <- theta - lr v
struct RmsProp {
  static constexpr const char* kind = "RmsProp";
  Convention convention = Convention::keras;
  /// Keras .001, PyTorch .01.
  LearningRate learning_rate = convention == Convention::keras ? 0.001 : 0.01;
  /// In [0, 1); Keras .9, PyTorch .99, where it is called alpha.
  double rho = convention == Convention::keras ? 0.9 : 0.99;
  /// In [0, 1).
  double momentum = 0.0;
  /// > 0; Keras 1e-7 inside the root, PyTorch 1e-8 outside.
  double epsilon = convention == Convention::keras ? 1e-7 : 1e-8;
  bool centered = false;
  Clip clip = NoClip{};

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [convention, learning_rate, rho, momentum, epsilon, centered, clip] = self;
    visit("convention", convention);
    visit("learning_rate", learning_rate);
    visit("rho", rho);
    visit("momentum", momentum);
    visit("epsilon", epsilon);
    visit("centered", centered);
    visit("clip", clip);
  }
  friend bool operator==(const RmsProp&, const RmsProp&) = default;
};

namespace detail {

inline void validate_own(const RmsProp& rms_prop) {
  require_decay(rms_prop.rho, "RmsProp", "rho");
  require_decay(rms_prop.momentum, "RmsProp", "momentum");
  require_positive_option(rms_prop.epsilon, "RmsProp", "epsilon");
}

inline Remembers remembers(const RmsProp& rms_prop) {
  return {rms_prop.centered, true, rms_prop.momentum != 0.0};
}

inline bool same_moments(const RmsProp& a, const RmsProp& b) {
  return a.convention == b.convention && a.rho == b.rho && a.momentum == b.momentum &&
         a.centered == b.centered;
}

/// Both conventions: d = sqrt(s + inside) + outside, v <- momentum v + into g / d, theta <- theta - out v.
template <typename Scalar>
void update_step(const RmsProp& rms_prop, OptimizerState<Scalar>& state, double learning_rate,
                 const Scalar* gradient, Scalar* parameters, ParameterRange range) {
  const bool keras = rms_prop.convention == Convention::keras;
  const auto inside = static_cast<Scalar>(keras ? rms_prop.epsilon : 0.0);
  const auto outside = static_cast<Scalar>(keras ? 0.0 : rms_prop.epsilon);
  const auto into = static_cast<Scalar>(keras ? learning_rate : 1.0);
  const auto out = static_cast<Scalar>(keras ? 1.0 : learning_rate);
  const auto rho = static_cast<Scalar>(rms_prop.rho);
  const auto share = static_cast<Scalar>(1.0 - rms_prop.rho);
  const auto momentum = static_cast<Scalar>(rms_prop.momentum);
  const bool centered = rms_prop.centered, moves_on = rms_prop.momentum != 0.0;
  Scalar* const first = moment_from(state.first, range.offset);
  Scalar* const second = moment_from(state.second, range.offset);
  Scalar* const velocity = moment_from(state.velocity, range.offset);
  gradient += range.offset;
  parameters += range.offset;
  for_lanes<Scalar>(range.size, [=](auto at, Index i) REPRISE_DETAIL_INLINE {
    const Lanes<Scalar> g = at.load(gradient + i);
    const Lanes<Scalar> s = at.load(second + i) * rho + g * g * share;
    at.store(second + i, s);
    Lanes<Scalar> spread = s;
    if (centered) {
      const Lanes<Scalar> a = at.load(first + i) * rho + g * share;
      at.store(first + i, a);
      // A variance, but rounding can make it negative.
      spread = larger<Scalar>(Lanes<Scalar>{}, spread - a * a);
    }
    Lanes<Scalar> push = g * into / (square_root<Scalar>(spread + inside) + outside);
    if (moves_on) {
      push += at.load(velocity + i) * momentum;
      at.store(velocity + i, push);
    }
    at.store(parameters + i, at.load(parameters + i) - push * out);
  });
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
