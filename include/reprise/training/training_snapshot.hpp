#pragma once

#include <concepts>
#include <span>
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
  Index schedule_start = 0;
  double aborted_norm = 0.0;
  double largest_norm = 0.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [optimizer, step, epochs, learning_rate_scale, schedule_start, aborted_norm, largest_norm] = self;
    visit("optimizer", optimizer);
    visit("step", step);
    visit("epochs", epochs);
    visit("learning_rate_scale", learning_rate_scale);
    visit("schedule_start", schedule_start, Index{0});
    visit("aborted_norm", aborted_norm, 0.0);
    visit("largest_norm", largest_norm, 0.0);
  }
};

/// The name of a loss whose fields were not read. A file refuses it: written again, the loss would be lost.
struct UnreadLoss {
  std::string name{};
};
template <>
struct FieldForm<UnreadLoss> {
  static void write(FieldWriter& writer, const UnreadLoss& loss) {
    writer.refuse("a loss in the registry of load, or another in training_state().loss", loss.name);
    writer.text(loss.name);
  }
  static void read(FieldReader& reader, UnreadLoss& loss) { loss.name = reader.text(); }
};

/// Stands for a loss of the user's own that is not in the registry of who loads the model, which can do
/// without it: only `evaluate` has to be told another, and `save` refuses the model, whose file would no
/// longer hold the loss.
struct UnknownLoss {
  static constexpr const char* kind = "UnknownLoss";
  UnreadLoss unread{};

  template <typename Scalar>
  double operator()(std::span<const Scalar>, std::span<const Scalar>, std::span<Scalar>) const {
    validate();
    return 0.0;
  }
  void validate() const {
    fail("evaluate", "a loss in its options, or in the registry of load the one that was trained",
         unread.name);
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("name", self.unread);
  }
};

/// The loss that was trained, as a snapshot holds it.
struct LossSection {
  Loss& loss;
};
/// A template, so that only programs that read files compile it.
template <std::same_as<LossSection> Section>
struct FieldForm<Section> {
  static void read(FieldReader& reader, const Section& section) {
    if (FieldForm<Loss>::read_known(reader, section.loss)) return validate(section.loss);
    section.loss = UnknownLoss{{read_kind(reader)}};
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
  if (training.schedule_start < 0 || training.schedule_start > training.step) {
    fail("training", {"a schedule_start from 0 to ", training.step}, {training.schedule_start});
  }
  require_not_negative(training.learning_rate_scale, "training", "learning_rate_scale");
  require_not_negative(training.aborted_norm, "training", "aborted_norm");
  require_not_negative(training.largest_norm, "training", "largest_norm");
  validate(training.optimizer);
}

/// The loss that was trained, where it is not the mean squared error, which files of release 0.1 stand for.
/// Of the rest nothing is written before the first fit, or where the snapshot does not take it.
template <typename Scalar>
void write_training(SnapshotWriter& writer, const TrainingState<Scalar>& state, const ParameterTable& table) {
  // A part of the state that is added must be added to the section: until then this does not compile.
  const auto& [optimizer, moments, epochs, learning_rate_scale, aborted_norm, largest_norm, loss] = state;
  if (loss != Loss(MeanSquaredError{})) writer.section("loss", loss);
  if (!writer.takes_training() || !optimizer) return;
  const TrainingSection section{*optimizer,          moments.step,           epochs,
                                learning_rate_scale, moments.schedule_start, aborted_norm,
                                largest_norm};
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
  LossSection trained{state.loss};
  if (reader.has_section("loss")) reader.section("loss", trained);
  if (!reader.has_section("training")) return state;
  TrainingSection section;
  reader.section("training", section);
  require_training(section);
  state.optimizer = section.optimizer;
  state.epochs = section.epochs;
  state.learning_rate_scale = section.learning_rate_scale;
  state.aborted_norm = section.aborted_norm;
  state.largest_norm = section.largest_norm;
  state.moments = initial_state<Scalar>(section.optimizer, table.size());
  state.moments.step = section.step;
  state.moments.schedule_start = section.schedule_start;
  for_each_moment(section.optimizer, state.moments,
                  [&](const char* prefix, Vector<Scalar>& moment, Scalar lowest) {
                    reader.tensors(prefix, table, moment, values_allowed(lowest));
                  });
  return state;
}

/// Sizes of a network's input that a snapshot may claim: products of two of them then stay within 64 bits.
inline void require_sizes(const SnapshotReader& reader, const std::string& section, SequenceShape shape) {
  for (const auto& [name, size] : {std::pair("features", shape.features), std::pair("steps", shape.steps)}) {
    if (size >= 1 && size <= largest_size) continue;
    throw FileError(reader.place() + ": " + section + "." + name + ": expected a size from 1 to " +
                    std::to_string(largest_size) + ", got " + std::to_string(size));
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
