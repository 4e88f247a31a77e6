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

/// Stochastic gradient descent. Without momentum theta <- theta - lr g; with it
///
///     keras:    v <- momentum v - lr g    theta <- theta + v
///               nesterov:                 theta <- theta + momentum v - lr g
///     pytorch:  v <- momentum v + g       theta <- theta - lr v
///               nesterov:                 theta <- theta - lr (g + momentum v)
///
/// The two are the same as long as the rate stays the same; when it changes, Keras's velocity keeps the old
/// rate.
struct Sgd {
  static constexpr const char* kind = "Sgd";
  Convention convention = Convention::keras;
  /// Keras .01, PyTorch .001.
  LearningRate learning_rate = convention == Convention::keras ? 0.01 : 0.001;
  /// In [0, 1).
  double momentum = 0.0;
  /// Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013). Needs a
  /// momentum.
  bool nesterov = false;
  Clip clip = NoClip{};

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [convention, learning_rate, momentum, nesterov, clip] = self;
    visit("convention", convention);
    visit("learning_rate", learning_rate);
    visit("momentum", momentum);
    visit("nesterov", nesterov);
    visit("clip", clip);
  }
  friend bool operator==(const Sgd&, const Sgd&) = default;
};

namespace detail {

inline void validate_own(const Sgd& sgd) {
  require_decay(sgd.momentum, "Sgd", "momentum");
  if (sgd.nesterov) require_positive_option(sgd.momentum, "Sgd", "with nesterov a momentum");
}

inline Remembers remembers(const Sgd& sgd) { return {false, false, sgd.momentum != 0.0}; }

inline bool same_moments(const Sgd& a, const Sgd& b) {
  return a.convention == b.convention && a.momentum == b.momentum;
}

/// Both conventions: v <- momentum v + into g, theta <- theta + out (v, or with nesterov into g + momentum
/// v).
template <typename Scalar>
void update_step(const Sgd& sgd, OptimizerState<Scalar>& state, double learning_rate, const Scalar* gradient,
                 Scalar* parameters, ParameterRange range) {
  const bool keras = sgd.convention == Convention::keras;
  const auto into = static_cast<Scalar>(keras ? -learning_rate : 1.0);
  const auto out = static_cast<Scalar>(keras ? 1.0 : -learning_rate);
  const auto momentum = static_cast<Scalar>(sgd.momentum);
  const bool moves_on = sgd.momentum != 0.0, nesterov = sgd.nesterov;
  Scalar* const velocity = moment_from(state.velocity, range.offset);
  gradient += range.offset;
  parameters += range.offset;
  for_lanes<Scalar>(range.size, [=](auto at, Index i) REPRISE_DETAIL_INLINE {
    Lanes<Scalar> push = at.load(gradient + i) * into;
    if (moves_on) {
      const Lanes<Scalar> v = at.load(velocity + i) * momentum + push;
      at.store(velocity + i, v);
      push = nesterov ? push + v * momentum : v;
    }
    at.store(parameters + i, at.load(parameters + i) + push * out);
  });
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
