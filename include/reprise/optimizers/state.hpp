#pragma once

#include <vector>

#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What an optimizer remembers between two steps. Each vector has one entry per parameter, or none where the
/// optimizer has no use for it; `initial_state` makes one. A plain value: copy it to keep it.
template <typename Scalar>
struct OptimizerState {
  /// Running mean of the gradients: Adam, AdamW, centered RMSprop.
  Vector<Scalar> first;
  /// Running mean of their squares: Adam, AdamW, RMSprop.
  Vector<Scalar> second;
  /// What momentum carries on: SGD and RMSprop with momentum.
  Vector<Scalar> velocity;
  /// Updates so far, counted once for all parameters; the next update has this number.
  Index step = 0;
  /// What an optimizer of the user's own remembers: as many vectors as it declares.
  std::vector<Vector<Scalar>> custom{};
  /// The update that the schedule of the learning rate counts as its first: that with which the rate came.
  Index schedule_start = 0;
};

namespace detail {

/// Which vectors of the state an optimizer uses.
struct Remembers {
  bool first;
  bool second;
  bool velocity;
  Index custom = 0;
};

/// Where the part of a moment that belongs to the parameter number `offset` begins; null for a moment that is
/// not used.
template <typename Scalar>
Scalar* moment_from(Vector<Scalar>& moment, Index offset) {
  return moment.size() == 0 ? nullptr : moment.data() + offset;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
