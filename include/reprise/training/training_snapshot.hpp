#pragma once

#include <string>

#include "../core/snapshot.hpp"
#include "fit.hpp"

// What a snapshot of a model says of its training: optimizer, moments, counters.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// The part of a `TrainingState` that is no tensor.
struct TrainingSection {
  Optimizer optimizer = Adam{};
  Index step = 0;
  Index epochs = 0;
  double learning_rate_scale = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [optimizer, step, epochs, learning_rate_scale] = self;
    visit("optimizer", optimizer);
    visit("step", step);
    visit("epochs", epochs);
    visit("learning_rate_scale", learning_rate_scale);
  }
};

/// `lowest` as `for_each_moment` gives it: 0 for a moment that is never negative.
template <typename Scalar>
TensorValues values_allowed(Scalar lowest) {
  return lowest < Scalar(0) ? TensorValues::finite : TensorValues::not_negative;
}

inline void require_training(const TrainingSection& training) {
  constexpr double largest = 9007199254740992.0;  // 2^53
  for (const Index counter : {training.step, training.epochs}) {
    if (counter < 0 || static_cast<double>(counter) > largest)
      fail("training", "counters from 0 to 2^53", {counter});
  }
  require_not_negative(training.learning_rate_scale, "training", "learning_rate_scale");
  validate(training.optimizer);
}

/// Nothing is written before the first fit, or where the snapshot does not take it.
template <typename Scalar>
void write_training(SnapshotWriter& writer, const TrainingState<Scalar>& state, const ParameterTable& table) {
  // A part of the state that is added must be added to the section: until then this does not compile.
  const auto& [optimizer, moments, epochs, learning_rate_scale] = state;
  if (!writer.takes_training() || !optimizer) return;
  const TrainingSection section{*optimizer, moments.step, epochs, learning_rate_scale};
  require_training(section);
  require_state_fits(*optimizer, moments, table.size());
  writer.section("training", section);
  for_each_moment(*optimizer, moments, [&](const char* prefix, const Vector<Scalar>& moment, Scalar lowest) {
    writer.tensors(prefix, table, moment, values_allowed(lowest));
  });
}

/// A snapshot without training gives the state of a model that was not trained.
template <typename Scalar>
TrainingState<Scalar> read_training(SnapshotReader& reader, const ParameterTable& table) {
  TrainingState<Scalar> state;
  if (!reader.has_section("training")) return state;
  TrainingSection section;
  reader.section("training", section);
  require_training(section);
  state.optimizer = section.optimizer;
  state.epochs = section.epochs;
  state.learning_rate_scale = section.learning_rate_scale;
  state.moments = initial_state<Scalar>(section.optimizer, table.size());
  state.moments.step = section.step;
  for_each_moment(section.optimizer, state.moments,
                  [&](const char* prefix, Vector<Scalar>& moment, Scalar lowest) {
                    reader.tensors(prefix, table, moment, values_allowed(lowest));
                  });
  return state;
}

/// Sizes of a network's input that a snapshot may claim: products of two of them then stay within 64 bits.
inline void require_sizes(const SnapshotReader& reader, const std::string& section, SequenceShape shape) {
  constexpr Index largest = 2147483647;
  for (const auto& [name, size] : {std::pair("features", shape.features), std::pair("steps", shape.steps)}) {
    if (size >= 1 && size <= largest) continue;
    throw FileError(reader.place() + ": " + section + "." + name + ": expected a size from 1 to " +
                    std::to_string(largest) + ", got " + std::to_string(size));
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
