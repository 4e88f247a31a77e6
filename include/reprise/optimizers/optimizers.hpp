#pragma once

#include <string>
#include <type_traits>
#include <variant>

#include "../core/denormals.hpp"
#include "../core/error.hpp"
#include "../core/parameters.hpp"
#include "../core/sequences.hpp"
#include "../core/visit.hpp"
#include "adam.hpp"
#include "clipping.hpp"
#include "convention.hpp"
#include "learning_rate.hpp"
#include "rms_prop.hpp"
#include "sgd.hpp"
#include "state.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How parameters follow their gradient: the options, compared by value. What is remembered is an
/// `OptimizerState`.
using Optimizer = std::variant<Adam, AdamW, Sgd, RmsProp>;

/// Throws `Error` that names the option, what was expected and what came.
inline void validate(const Optimizer& optimizer) {
  detail::visit(
      [](const auto& kind) {
        const char* const place = detail::name_of(kind);
        detail::validate(kind.learning_rate, place);
        detail::validate_own(kind);
        detail::visit([&](const auto& clip) { detail::validate(clip, place); }, kind.clip);
      },
      optimizer);
}

/// The rate that update number `step` (from 0) uses, before any reduction by a callback.
inline double rate_at(const Optimizer& optimizer, Index step) {
  return detail::visit([&](const auto& kind) { return rate_at(kind.learning_rate, step); }, optimizer);
}

/// The state before the first update, for so many parameters: zeros where the optimizer remembers something.
template <typename Scalar>
OptimizerState<Scalar> initial_state(const Optimizer& optimizer, Index parameters) {
  const detail::Remembers used =
      detail::visit([](const auto& kind) { return detail::remembers(kind); }, optimizer);
  const auto zeros = [&](bool needed) -> Vector<Scalar> {
    return Vector<Scalar>::Zero(needed ? parameters : 0);
  };
  return {zeros(used.first), zeros(used.second), zeros(used.velocity), 0};
}

namespace detail {

/// The state must be one for this optimizer and so many parameters.
template <typename Scalar>
void require_state_fits(const Optimizer& optimizer, const OptimizerState<Scalar>& state, Index parameters) {
  const auto require = [&](const char* name, Index got, bool used) {
    const Index expected = used ? parameters : 0;
    if (got == expected) return;
    fail({"optimizer state: ", name}, {expected, " values (see initial_state)"}, {got});
  };
  const Remembers used = detail::visit([](const auto& kind) { return remembers(kind); }, optimizer);
  require("first", state.first.size(), used.first);
  require("second", state.second.size(), used.second);
  require("velocity", state.velocity.size(), used.velocity);
}

}  // namespace detail

/// One update of all parameters: the gradient is clipped (in place), weights decay, the parameters move, and
/// the step is counted, in this order, which is Keras's. The rate is that of the schedule at this step times
/// `learning_rate_scale` (1 unless a callback reduces it). `gradient` and `parameters` are the contiguous
/// vectors that `table` describes; a gradient that is not finite (see `gradient_norm`) makes parameters and
/// state not finite. Numbers below the normal ones count as zero. Allocates nothing; throws `Error` when
/// sizes disagree or the state is of another optimizer.
template <typename Scalar>
void apply_update(const Optimizer& optimizer, const ParameterTable& table, OptimizerState<Scalar>& state,
                  double learning_rate_scale, std::type_identity_t<Eigen::Ref<Vector<Scalar>>> gradient,
                  std::type_identity_t<Eigen::Ref<Vector<Scalar>>> parameters) {
  if (gradient.size() != table.size() || parameters.size() != table.size()) {
    detail::fail("optimizer", {table.size(), " parameters and gradients"},
                 {parameters.size(), " and ", gradient.size()});
  }
  detail::require_state_fits(optimizer, state, table.size());
  const double learning_rate = rate_at(optimizer, state.step) * learning_rate_scale;
  const detail::FlushDenormals flush;
  detail::visit(
      [&](const auto& kind) {
        detail::visit([&](const auto& clip) { detail::clip_gradient(clip, table, gradient.data()); },
                      kind.clip);
        detail::update_step(kind, state, learning_rate, gradient.data(), parameters.data(), table.size());
      },
      optimizer);
  ++state.step;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
