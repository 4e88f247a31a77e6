#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "../training/callbacks.hpp"
#include "../training/events.hpp"
#include "detail/snapshot_file.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

enum class Monitor {
  /// The loss, where there is no validation data.
  validation_loss,
  loss
};

/// Saves the model while it is trained, as `save` would: Keras's `ModelCheckpoint`. `load` reads the file,
/// and a further fit of what it holds goes on bit for bit as this training did. Give it last in the list of
/// callbacks, so that a learning rate which another one has changed is in the file. A file is replaced as a
/// whole, never left half written. Throws `FileError` when a file cannot be written, and `Error` when what is
/// trained is no model that can be saved.
///
/// Keras calls `path` `filepath`, counts `every` as `save_freq` (in epochs or in batches), and can save the
/// weights alone; without validation data, where the loss is watched here, it only warns. Each fit begins
/// without a best loss; Keras's goes on with that of the fit before.
///
///     model.fit(windows, {.epochs = 100, .callbacks = {ModelCheckpoint{.path = "best.safetensors",
///                                                                      .save_best_only = true}}});
struct ModelCheckpoint {
  /// `{epoch}` in it becomes the number of the epoch, so that each has a file of its own.
  std::string path{};
  /// Keep only the model whose loss was lowest; else the last one.
  bool save_best_only = false;
  /// Which loss decides what is best.
  Monitor monitor = Monitor::validation_loss;
  /// Looks at every so many epochs, and saves then.
  Index every = 1;
  /// Without it the file is smaller, and a further fit starts anew.
  bool save_optimizer_state = true;

  void operator()(TrainingEvent& event) {
    if (event.stage == TrainingStage::begin) {
      if (path.empty()) detail::fail("ModelCheckpoint", "a path", "none");
      detail::require_positive(every, "ModelCheckpoint", "every");
      best_.reset();
    }
    if (event.stage != TrainingStage::epoch_end || event.epoch % every != 0) return;
    const double loss = monitor == Monitor::loss ? event.loss : event.validation_loss.value_or(event.loss);
    if (save_best_only && best_ && loss >= *best_) return;
    best_ = loss;
    detail::SnapshotFileWriter writer(path_of(event.epoch), {.optimizer_state = save_optimizer_state});
    event.write_snapshot(writer);
    writer.save();
  }

  /// The lowest loss of this fit; none before its first.
  std::optional<double> best_{};

  std::filesystem::path path_of(Index epoch) const {
    std::string result = path;
    const std::string place = "{epoch}";
    for (std::size_t at = 0; (at = result.find(place, at)) != std::string::npos;) {
      result.replace(at, place.size(), std::to_string(epoch));
    }
    return result;
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
