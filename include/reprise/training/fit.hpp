#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../core/windows.hpp"
#include "../losses/losses.hpp"
#include "../optimizers/optimizers.hpp"
#include "callbacks.hpp"
#include "progress_bar.hpp"
#include "source.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How to train. Every field has a default; name those that you change.
struct FitOptions {
  /// Passes over the training samples (windows, where the source is `Windows`).
  Index epochs = 1;
  /// Samples in a step of the optimizer; the last step of an epoch may have fewer.
  Index batch_size = 32;
  /// New order of the training samples in each epoch.
  bool shuffle = true;
  /// Share of the samples, taken from the end before any shuffling, that is held out to validate: the first
  /// floor(n * (1 - split)) train. Overlapping windows at the border share values; `Windows::split` leaves a
  /// gap.
  double validation_split = 0.0;
  /// Samples to validate on, instead of a split.
  std::optional<Source> validation_data{};
  /// One weight for each sample handed to fit, also those that a split holds out; empty: all 1. The loss is
  /// divided by the number of samples, not by the sum of the weights.
  std::vector<double> sample_weights{};
  Optimizer optimizer = Adam{};
  Loss loss = MeanSquaredError{};
  std::vector<Callback> callbacks{};
  /// Of the order of the samples and of dropout.
  std::uint64_t seed = 1;
  /// Threads that share the work of a batch; the result does not depend on it. A batch can use two from 32
  /// samples on (from 48 where a sample has fewer than 16 steps), four from 96, eight from 224, and never
  /// more; where a tensor has more than 512 kB, it takes twice the larger numbers. No more are started.
  int threads = 1;
  /// What stays as it is, by the beginnings of its names up to a dot: "encoder" (or "encoder.") is all of the
  /// encoder's layers, "encoder.1" one of them, "output.bias" a single tensor. No step, decay or moment
  /// touches it, and it does not count in the gradient's norm.
  std::vector<std::string> frozen{};
};

struct EvaluateOptions {
  /// Without one, what the last fit of the model minimised; the mean squared error where there was none.
  std::optional<Loss> loss{};
  Index batch_size = 32;
  /// Threads that share the work of a batch, as many as in training, and more than eight of large ones; the
  /// result does not depend on it. A larger batch_size gives more of them work.
  int threads = 1;
};

/// What a further fit goes on from.
template <typename Scalar>
struct TrainingState {
  /// None before the first fit.
  std::optional<Optimizer> optimizer{};
  OptimizerState<Scalar> moments{};
  /// Epochs that were finished so far, which number the shuffles.
  Index epochs = 0;
  /// What callbacks made of the learning rate.
  double learning_rate_scale = 1.0;
  /// Where the last fit was aborted, `largest_norm` as it was then; else 0. A further fit whose first
  /// gradient is less than a thousandth of it begins with new moments, and one with another rate without
  /// velocity.
  double aborted_norm = 0.0;
  /// The largest norm of a gradient that the moments may have seen, since they began.
  double largest_norm = 0.0;
  /// What the last fit minimised, and `evaluate` measures.
  Loss loss = MeanSquaredError{};
};

}  // namespace REPRISE_ABI
}  // namespace reprise
