#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// When a callback is called.
enum class TrainingStage { begin, batch_end, epoch_end, end };

/// What a callback sees of the training, and what it may ask for.
struct TrainingEvent {
  TrainingStage stage = TrainingStage::begin;
  /// Counted from 1 within this call of fit; 0 at `begin`.
  Index epoch = 0;
  Index epochs = 0;
  /// Counted from 1 within the epoch.
  Index batch = 0;
  Index batches = 0;
  /// Mean over the samples of the epoch so far (at `epoch_end`: of the epoch).
  double loss = 0.0;
  /// At `epoch_end` and `end`, when there is validation data.
  std::optional<double> validation_loss{};
  /// Of the optimizer's next step.
  double learning_rate = 0.0;

  /// Ends the training after this epoch (after this batch at `batch_end`).
  void stop_training() { stop_requested = true; }
  /// Keeps a copy of the weights as they are; each callback has one copy of its own.
  void keep_weights() { keep_requested = true; }
  /// Puts the kept copy back; without one, nothing happens.
  void restore_kept_weights() { restore_requested = true; }
  /// Multiplies the learning rate from now on, on top of its schedule.
  void scale_learning_rate(double factor) { learning_rate_factor *= factor; }

  // What was asked for, read by the training loop.
  bool stop_requested = false;
  bool keep_requested = false;
  bool restore_requested = false;
  double learning_rate_factor = 1.0;
};

/// Anything copyable that can be called with an event. `fit` works on copies, so a callback's state starts
/// anew with each fit.
using Callback = std::function<void(TrainingEvent&)>;

/// The losses of one call of fit, one number an epoch.
struct History {
  std::vector<double> loss{};
  /// Empty without validation data.
  std::vector<double> validation_loss{};
  std::vector<double> learning_rate{};
};

}  // namespace REPRISE_ABI
}  // namespace reprise
