#pragma once

#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "../core/detail/denormals.hpp"
#include "../core/detail/visit.hpp"
#include "../core/error.hpp"
#include "../core/parameters.hpp"
#include "../core/sequences.hpp"
#include "adam.hpp"
#include "clipping.hpp"
#include "convention.hpp"
#include "custom_optimizer.hpp"
#include "learning_rate.hpp"
#include "rms_prop.hpp"
#include "sgd.hpp"
#include "state.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How parameters follow their gradient: the options, compared by value, of one of ours or of a struct of the
/// user's (see `CustomOptimizer`). What is remembered is an `OptimizerState`.
using Optimizer = std::variant<Adam, AdamW, Sgd, RmsProp, CustomOptimizer>;

namespace detail {

// What every optimizer has, of one that is known at run time only.
inline const LearningRate& learning_rate_of(const Optimizer& optimizer) {
  return detail::visit([](const auto& kind) -> const LearningRate& { return learning_rate_of(kind); },
                       optimizer);
}
inline const Clip& clip_of(const Optimizer& optimizer) {
  return detail::visit([](const auto& kind) -> const Clip& { return clip_of(kind); }, optimizer);
}
inline Remembers remembers(const Optimizer& optimizer) {
  return detail::visit([](const auto& kind) { return remembers(kind); }, optimizer);
}
inline std::string_view kind_of(const Optimizer& optimizer) {
  return detail::visit([](const auto& kind) { return kind_of(kind); }, optimizer);
}
inline void validate_own(const Optimizer& optimizer) {
  detail::visit([](const auto& kind) { validate_own(kind); }, optimizer);
}

}  // namespace detail

/// Throws `Error` that names the option, what was expected and what came.
template <detail::VariantOrAlternative<Optimizer> Kind>
void validate(const Kind& optimizer) {
  const std::string name(detail::kind_of(optimizer));
  const detail::Text place(name);
  detail::validate(detail::learning_rate_of(optimizer), place);
  detail::validate_own(optimizer);
  detail::visit([&](const auto& clip) { detail::validate(clip, place); }, detail::clip_of(optimizer));
}

/// The rate that update number `step` (from 0) uses, before any reduction by a callback.
template <detail::VariantOrAlternative<Optimizer> Kind>
[[nodiscard]] double rate_at(const Kind& optimizer, Index step) {
  return rate_at(detail::learning_rate_of(optimizer), step);
}

/// The state before the first update, for so many parameters: zeros where the optimizer remembers something.
template <typename Scalar>
[[nodiscard]] OptimizerState<Scalar> initial_state(const Optimizer& optimizer, Index parameters) {
  const detail::Remembers used = detail::remembers(optimizer);
  const auto zeros = [&](bool needed) -> Vector<Scalar> {
    return Vector<Scalar>::Zero(needed ? parameters : 0);
  };
  return {zeros(used.first), zeros(used.second), zeros(used.velocity), 0,
          std::vector<Vector<Scalar>>(static_cast<std::size_t>(used.custom), zeros(true))};
}

namespace detail {

/// Whether what `a` remembers means the same to `b`: the kind is the same, and so are the options that shape
/// the moments. Rate, schedule and clip do not.
inline bool same_moments(const Optimizer& a, const Optimizer& b) {
  if (a.index() != b.index()) return false;
  return detail::visit(
      [&](const auto& kind) {
        return same_moments(kind, *std::get_if<std::remove_cvref_t<decltype(kind)>>(&b));
      },
      a);
}
inline bool same_rates(const Optimizer& a, const Optimizer& b) {
  return learning_rate_of(a) == learning_rate_of(b);
}

/// Calls use(prefix, vector, smallest value) for each vector that the optimizer remembers; the prefix names
/// it in a file. `State` is an `OptimizerState`, const or not.
template <typename State, typename Use>
void for_each_moment(const Optimizer& optimizer, State& state, const Use& use) {
  // A member that is added to the state must be added here: until then this does not compile.
  auto& [first, second, velocity, step, custom, schedule_start] = state;
  using Scalar = typename std::remove_cvref_t<decltype(first)>::Scalar;
  constexpr Scalar lowest = std::numeric_limits<Scalar>::lowest();
  const Remembers used = remembers(optimizer);
  if (used.first) use("optimizer.first.", first, lowest);
  if (used.second) use("optimizer.second.", second, Scalar(0));
  if (used.velocity) use("optimizer.velocity.", velocity, lowest);
  for (Index i = 0; i < used.custom; ++i) {
    const std::string prefix = "optimizer.custom_" + std::to_string(i) + ".";
    use(prefix.c_str(), custom[static_cast<std::size_t>(i)], lowest);
  }
}

/// The state must be one for this optimizer and so many parameters.
template <typename Scalar>
void require_state_fits(const Optimizer& optimizer, const OptimizerState<Scalar>& state, Index parameters) {
  const auto require = [&](const char* name, Index got, bool used) {
    const Index expected = used ? parameters : 0;
    if (got == expected) return;
    fail({"optimizer state: ", name}, {expected, " values (see initial_state)"}, {got});
  };
  const Remembers used = remembers(optimizer);
  require("first", state.first.size(), used.first);
  require("second", state.second.size(), used.second);
  require("velocity", state.velocity.size(), used.velocity);
  if (state.custom.size() != static_cast<std::size_t>(used.custom)) {
    fail("optimizer state: custom", {used.custom, " moments (see initial_state)"}, {state.custom.size()});
  }
  for (const Vector<Scalar>& moment : state.custom) require("custom", moment.size(), true);
}

/// Ranges must lie within the parameters, in their order, and not overlap.
inline void require_ranges(std::span<const ParameterRange> ranges, Index parameters) {
  Index end = 0;
  for (const ParameterRange& range : ranges) {
    if (range.size < 0 || range.offset < end || range.offset + range.size > parameters) {
      fail("optimizer: trainable", {"ranges in ascending order within ", parameters, " parameters"},
           {range.size, " from ", range.offset, " on, after ", end});
    }
    end = range.offset + range.size;
  }
}

}  // namespace detail

/// One update of all parameters: the gradient is clipped (in place), weights decay, the parameters move, and
/// the step is counted, in this order, which is Keras's. The rate is that of the schedule at this step,
/// counted from `state.schedule_start`, times `learning_rate_scale` (1 unless a callback reduces it).
/// `gradient` and `parameters` are the contiguous vectors that `table` describes; a gradient that is not
/// finite (see `gradient_norm`) makes parameters and state not finite. Numbers below the normal ones count as
/// zero. Allocates nothing; throws `Error` when sizes disagree or the state is of another optimizer.
///
/// `trainable`: where it is not empty, only the parameters in these ranges (ascending, without overlap) are
/// updated. All others are frozen: no step, decay or moment touches them, and their gradient counts in no
/// norm that the gradient is clipped to. One range of size 0 freezes all.
template <typename Scalar>
void apply_update(const Optimizer& optimizer, const ParameterTable& table, OptimizerState<Scalar>& state,
                  double learning_rate_scale, std::type_identity_t<Eigen::Ref<Vector<Scalar>>> gradient,
                  std::type_identity_t<Eigen::Ref<Vector<Scalar>>> parameters,
                  std::span<const ParameterRange> trainable = {}) {
  if (gradient.size() != table.size() || parameters.size() != table.size()) {
    detail::fail("optimizer", {table.size(), " parameters and gradients"},
                 {parameters.size(), " and ", gradient.size()});
  }
  detail::require_state_fits(optimizer, state, table.size());
  detail::require_ranges(trainable, table.size());
  const ParameterRange all{0, table.size()};
  if (trainable.empty()) trainable = {&all, 1};
  const double learning_rate = rate_at(optimizer, state.step - state.schedule_start) * learning_rate_scale;
  const detail::FlushDenormals flush;
  detail::visit([&](const auto& clip) { detail::clip_gradient(clip, table, trainable, gradient.data()); },
                detail::clip_of(optimizer));
  detail::visit(
      [&](const auto& kind) {
        for (const ParameterRange& range : trainable) {
          detail::update_step(kind, state, learning_rate, gradient.data(), parameters.data(), range);
        }
      },
      optimizer);
  ++state.step;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
