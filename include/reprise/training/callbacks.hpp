#pragma once

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../optimizers/convention.hpp"
#include "events.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

inline void require_count(Index value, const Text& place, const char* what) {
  if (value < 0) fail(place, {what, " >= 0"}, {value});
}

}  // namespace detail

/// Stops when the validation loss has not improved for `patience` epochs, and with `restore_best_weights`
/// puts back the weights of the best epoch at the end. Names and defaults are Keras's; without validation
/// data, where Keras only warns, the loss is watched.
struct EarlyStopping {
  /// Epochs without an improvement after which the training stops; at 0, the first one.
  Index patience = 0;
  /// An improvement is a loss lower than the best by more than this.
  double min_delta = 0.0;
  /// Epochs before anything is watched: the first plateau of an LSTM is often not the last. A fit that is no
  /// longer than this keeps its last weights.
  Index start_from_epoch = 0;
  /// Also where the training ends without this callback. As in Keras, moments and counters of the optimizer
  /// stay those of the last epoch.
  bool restore_best_weights = false;

  void operator()(TrainingEvent& event) {
    if (event.stage == TrainingStage::begin) {
      detail::require_count(patience, "EarlyStopping", "patience");
      detail::require_count(start_from_epoch, "EarlyStopping", "start_from_epoch");
      detail::require_not_negative(min_delta, "EarlyStopping", "min_delta");
      best_ = std::numeric_limits<double>::max();
      waited_ = 0;
    }
    if (event.stage == TrainingStage::end && restore_best_weights) event.restore_kept_weights();
    if (event.stage != TrainingStage::epoch_end || event.epoch <= start_from_epoch) return;
    const double loss = event.validation_loss.value_or(event.loss);
    if (loss < best_ - min_delta) {
      best_ = loss;
      waited_ = 0;
      if (restore_best_weights) event.keep_weights();
    } else if (++waited_ >= patience) {
      event.stop_training();
    }
  }

  double best_ = std::numeric_limits<double>::max();
  Index waited_ = 0;
};

/// Multiplies the learning rate by `factor` when the validation loss has not improved for `patience` epochs.
/// Names and defaults are Keras's; without validation data, where Keras only warns, the loss is watched. The
/// rate may come from a schedule, which Keras refuses.
struct ReduceLROnPlateau {
  /// Between 0 and 1.
  double factor = 0.1;
  Index patience = 10;
  /// An improvement is a loss lower than the best by more than this.
  double min_delta = 1e-4;
  /// Epochs after a reduction in which nothing is counted.
  Index cooldown = 0;
  /// The rate is not reduced below this.
  double min_lr = 0.0;

  void operator()(TrainingEvent& event) {
    if (event.stage == TrainingStage::begin) {
      if (!(detail::is_finite(factor) && factor > 0.0 && factor < 1.0)) {
        detail::fail("ReduceLROnPlateau", "a factor between 0 and 1", {factor});
      }
      detail::require_count(patience, "ReduceLROnPlateau", "patience");
      detail::require_count(cooldown, "ReduceLROnPlateau", "cooldown");
      detail::require_not_negative(min_delta, "ReduceLROnPlateau", "min_delta");
      detail::require_not_negative(min_lr, "ReduceLROnPlateau", "min_lr");
      best_ = std::numeric_limits<double>::max();
      waited_ = resting_ = 0;
    }
    if (event.stage != TrainingStage::epoch_end) return;
    const double loss = event.validation_loss.value_or(event.loss);
    if (resting_ > 0) {
      --resting_;
      waited_ = 0;
    }
    if (loss < best_ - min_delta) {
      best_ = loss;
      waited_ = 0;
    } else if (resting_ == 0 && ++waited_ >= patience && event.learning_rate > min_lr) {
      event.scale_learning_rate(std::max(factor, min_lr / event.learning_rate));
      resting_ = cooldown;
      waited_ = 0;
    }
  }

  double best_ = std::numeric_limits<double>::max();
  Index waited_ = 0;
  Index resting_ = 0;
};
/// Its name in release 0.1.
using ReduceOnPlateau = ReduceLROnPlateau;

/// Writes a line an epoch: epoch, loss, validation_loss, learning_rate. Replaces an older file; throws
/// `FileError` when it cannot be written. Keras's `CSVLogger` is alike, but counts epochs from 0, names the
/// columns after its metrics and sorts them, and can append.
struct CsvLog {
  std::string path{};

  void operator()(TrainingEvent& event) {
    if (event.stage == TrainingStage::begin) {
      file_ = std::shared_ptr<std::FILE>(std::fopen(path.c_str(), "w"), [](std::FILE* f) {
        if (f != nullptr) std::fclose(f);
      });
      if (!file_) fail();
      std::fputs("epoch,loss,validation_loss,learning_rate\n", file_.get());
    } else if (event.stage == TrainingStage::epoch_end) {
      const std::string validation =
          event.validation_loss ? detail::number_text(*event.validation_loss, 9) : std::string();
      const std::string line = std::to_string(event.epoch) + ',' + detail::number_text(event.loss, 9) + ',' +
                               validation + ',' + detail::number_text(event.learning_rate, 9) + '\n';
      std::fputs(line.c_str(), file_.get());
      if (std::fflush(file_.get()) != 0) fail();
    } else if (event.stage == TrainingStage::end) {
      file_.reset();
    }
  }

  [[noreturn]] void fail() const { throw FileError("CsvLog: cannot write " + path); }

  std::shared_ptr<std::FILE> file_{};
};

}  // namespace REPRISE_ABI
}  // namespace reprise
