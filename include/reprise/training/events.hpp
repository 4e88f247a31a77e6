#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/parameters.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

class SnapshotWriter;

/// When a callback is called.
enum class TrainingStage { begin, batch_end, epoch_end, end };

/// The losses of one call of fit, one number an epoch.
struct History {
  std::vector<double> loss{};
  /// Empty without validation data.
  std::vector<double> validation_loss{};
  std::vector<double> learning_rate{};
};

/// What fit throws when a loss, a gradient or what the optimizer remembers stops being finite: with the
/// losses of the epochs that were over. The model is again as it was before the fit or at the end of one of
/// these epochs, whichever has the lowest loss.
class TrainingAborted : public NotFiniteError {
 public:
  TrainingAborted(const std::string& message, History history)
      : NotFiniteError(message), history_(std::make_shared<const History>(std::move(history))) {}
  const History& history() const { return *history_; }

 private:
  std::shared_ptr<const History> history_;  // so that a copy of the error cannot fail
};

namespace detail {

/// What a training lends to its callbacks while it calls them.
class TrainingAccess {
 public:
  virtual ~TrainingAccess() = default;
  virtual const History& history() const = 0;
  virtual const ParameterTable& parameters() const = 0;
  virtual Matrix<double> read(const ParameterInfo& tensor) const = 0;
  virtual void write(const ParameterInfo& tensor, const Matrix<double>& values) = 0;
  virtual void write_snapshot(SnapshotWriter& writer) const = 0;
};

/// Which training an event may ask: none in a copy of the event, which may outlive the training.
struct LentAccess {
  LentAccess() = default;
  LentAccess(const LentAccess&) {}
  LentAccess& operator=(const LentAccess& other) {
    if (this != &other) training = nullptr;
    return *this;
  }
  TrainingAccess* training = nullptr;
};

}  // namespace detail

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
  /// At `epoch_end` and `end`, when there is validation data: of the last epoch that is over.
  std::optional<double> validation_loss{};
  /// Of the optimizer's next step.
  double learning_rate = 0.0;
  /// Euclidean norm of the last batch's gradient, before any clipping; what is frozen does not count.
  double gradient_norm = 0.0;
  /// At `end`, where a loss stopped being finite: the model has its best state back, and fit throws a
  /// `TrainingAborted` next. Kept weights come back only where they are as good as those before the fit.
  bool aborted = false;

  /// The epochs of this call of fit that are over; at `epoch_end`, this one too.
  const History& history() const { return training().history(); }
  /// Names and shapes of what is trained.
  const ParameterTable& parameters() const { return training().parameters(); }
  /// A copy of one tensor, exact whatever the network's scalar; throws when there is none of that name.
  Matrix<double> parameter(const std::string& name) const { return training().read(parameters().at(name)); }
  /// Writes a tensor; the training goes on from there. Throws on another shape, and on values that are not
  /// finite.
  void set_parameter(const std::string& name, const Matrix<double>& values) {
    training().write(parameters().at(name), values);
  }
  /// Hands over the model as it is now, with the state of its training. At `epoch_end`, a further fit of the
  /// copy goes on as this training does. Throws when what is trained is no model that can be saved.
  void write_snapshot(SnapshotWriter& writer) const { training().write_snapshot(writer); }

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

  // Set by the training loop.
  detail::LentAccess access{};

 private:
  detail::TrainingAccess& training() const {
    if (access.training == nullptr) {
      detail::fail("TrainingEvent", "an event that a training sent, while it is called",
                   "a copy, or one of its own");
    }
    return *access.training;
  }
};

/// Anything copyable that can be called with an event. `fit` works on copies, so a callback's state starts
/// anew with each fit. One handed in by `std::ref` keeps its state, to be read afterwards; those of this
/// library start anew at `begin` all the same.
using Callback = std::function<void(TrainingEvent&)>;

}  // namespace REPRISE_ABI
}  // namespace reprise
