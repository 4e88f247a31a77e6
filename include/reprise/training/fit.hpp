#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "../optimizers/optimizers.hpp"
#include "batch_pass.hpp"
#include "callbacks.hpp"
#include "progress_bar.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How to train. Every field has a default; name those that you change.
struct FitOptions {
  /// Passes over the training windows.
  Index epochs = 1;
  /// Windows in a step of the optimizer; the last step of an epoch may have fewer.
  Index batch_size = 32;
  /// New order of the training windows in each epoch.
  bool shuffle = true;
  /// Share of the windows, taken from the end before any shuffling, that is held out to validate: the first
  /// floor(n * (1 - split)) train. Overlapping windows at the border share values; `Windows::split` leaves a
  /// gap.
  double validation_split = 0.0;
  /// Windows to validate on, instead of a split.
  std::optional<Windows> validation_data{};
  /// One weight for each window handed to fit, also those that a split holds out; empty: all 1. The loss is
  /// divided by the number of windows, not by the sum of the weights.
  std::vector<double> sample_weights{};
  Optimizer optimizer = Adam{};
  Loss loss = MeanSquaredError{};
  std::vector<Callback> callbacks{};
  /// Of the order of the windows and of dropout.
  std::uint64_t seed = 1;
  /// Threads that share the work of a batch; the result does not depend on it.
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
};

namespace detail {

/// The training loop: it sees windows, a network and a vector of parameters, and no model.
template <typename Scalar>
class Training {
 public:
  Training(const Sequential<Scalar>& network, Vector<Scalar>& theta, TrainingState<Scalar>& state,
           const Windows& windows, FitOptions options)
      : network_(network),
        theta_(theta),
        state_(state),
        options_((check(network, windows, options), std::move(options))),
        train_(windows),
        validation_(options_.validation_data),
        pass_(network, options_.threads),
        kept_(options_.callbacks.size()) {
    grow(gradient_, theta.size());
    if (options_.validation_split > 0.0) {
      // As Keras: in double, so that 10 * (1 - .1) counts as 9.
      const auto train = static_cast<Index>(
          std::floor(static_cast<double>(windows.size()) * (1.0 - options_.validation_split)));
      if (train < 1 || train >= windows.size()) {
        fail("fit",
             {"a validation_split that leaves windows to train and to validate on (of ", windows.size(), ")"},
             {options_.validation_split});
      }
      train_ = windows.subset(0, train);
      validation_ = windows.subset(train, windows.size() - train);
    }
    options_.batch_size =
        std::min(options_.batch_size, std::max(train_.size(), validation_ ? validation_->size() : 0));
  }

  History run() {
    History history;
    event_.epochs = options_.epochs;
    event_.batches = (train_.size() + options_.batch_size - 1) / options_.batch_size;
    order_.resize(static_cast<std::size_t>(train_.size()));
    // So that no epoch allocates, up to a number of epochs that a long run with early stopping may exceed.
    const auto expected = static_cast<std::size_t>(std::min<Index>(options_.epochs, 10000));
    history.loss.reserve(expected);
    if (validation_) history.validation_loss.reserve(expected);
    history.learning_rate.reserve(expected);
    begin();
    for (Index epoch = 1; epoch <= options_.epochs && !stopped_; ++epoch) {
      event_.epoch = epoch;
      event_.validation_loss.reset();
      event_.loss = train_epoch();
      if (validation_) event_.validation_loss = validation_loss();
      ++state_.epochs;
      history.loss.push_back(event_.loss);
      if (validation_) history.validation_loss.push_back(*event_.validation_loss);
      history.learning_rate.push_back(learning_rate());
      call_back(TrainingStage::epoch_end);
    }
    if (!validation_) check_last_update();
    call_back(TrainingStage::end);
    return history;
  }

 private:
  /// A callback that refuses its own options leaves the model with the state of its earlier training.
  void begin() {
    TrainingState<Scalar> earlier = state_;
    if (state_.optimizer != options_.optimizer) {
      state_ = {options_.optimizer, initial_state<Scalar>(options_.optimizer, theta_.size())};
    }
    try {
      call_back(TrainingStage::begin);
    } catch (...) {
      state_ = std::move(earlier);
      throw;
    }
  }

  static void check(const Sequential<Scalar>& network, const Windows& windows, const FitOptions& options) {
    require_positive(options.epochs, "fit", "epochs");
    require_positive(options.batch_size, "fit", "batch_size");
    require_positive(options.threads, "fit", "threads");
    require_shape(network, windows, "fit: windows");
    reprise::validate(options.optimizer);
    reprise::validate(options.loss);
    if (!(options.validation_split >= 0.0 && options.validation_split < 1.0)) {
      fail("fit", "validation_split in [0, 1)", {options.validation_split});
    }
    if (options.validation_data) {
      require_shape(network, *options.validation_data, "fit: validation_data");
      if (options.validation_split > 0.0) fail("fit", "validation_data or validation_split", "both");
    }
    for (const Callback& callback : options.callbacks) {
      if (!callback) fail("fit", "callbacks that can be called", "an empty one");
    }
    if (options.sample_weights.empty()) return;
    if (static_cast<Index>(options.sample_weights.size()) != windows.size()) {
      fail("fit", {windows.size(), " sample_weights, one for each window"}, {options.sample_weights.size()});
    }
    for (const double weight : options.sample_weights) {
      if (!(std::isfinite(weight) && weight >= 0.0)) fail("fit", "finite sample_weights >= 0", {weight});
    }
  }
  static void require_shape(const Sequential<Scalar>& network, const Windows& windows, const char* what) {
    if (windows.shape() != network.input_shape()) {
      fail(what, to_string(network.input_shape()), to_string(windows.shape()));
    }
  }

  /// Mean loss over the samples.
  double train_epoch() {
    std::iota(order_.begin(), order_.end(), Index{0});
    if (options_.shuffle) {
      RandomStream random(options_.seed, Purpose::shuffle, static_cast<std::uint32_t>(state_.epochs));
      detail::shuffle(order_, random);
    }
    const std::span<const Index> order(order_);
    const auto batch_size = static_cast<std::size_t>(options_.batch_size);
    double sum = 0.0;
    for (std::size_t first = 0; first < order.size() && !stopped_; first += batch_size) {
      const auto batch = order.subspan(first, std::min(batch_size, order.size() - first));
      event_.batch = static_cast<Index>(first / batch_size) + 1;
      sum += train_batch(batch) * static_cast<double>(batch.size());
      event_.loss = sum / static_cast<double>(first + batch.size());
      if (!options_.callbacks.empty()) call_back(TrainingStage::batch_end);
    }
    return event_.loss;
  }

  /// `first`: the number of the batch's window 0 among the windows handed to fit.
  std::span<const double> weights_of(std::span<const Index> batch, Index first) {
    weights_.clear();
    if (!options_.sample_weights.empty()) {
      for (const Index window : batch) {
        weights_.push_back(options_.sample_weights[static_cast<std::size_t>(first + window)]);
      }
    }
    return weights_;
  }

  double train_batch(std::span<const Index> batch) {
    LayerContext context;
    context.training = true;
    context.seed = options_.seed;
    context.step = static_cast<std::uint32_t>(state_.moments.step);
    const double loss = pass_.loss_and_gradient(theta_.data(), train_, batch, weights_of(batch, 0),
                                                options_.loss, context, gradient_.data());
    if (!std::isfinite(loss)) stop_not_finite("the loss", loss);
    const double norm = gradient_norm(gradient_);
    if (!std::isfinite(norm)) {
      // The loss of these very parameters was finite: they stay.
      throw_not_finite("the gradient's norm", norm);
    }
    last_finite_theta_ = theta_;
    last_finite_moments_ = state_.moments;
    apply_update<Scalar>(options_.optimizer, network_.parameters(), state_.moments,
                         state_.learning_rate_scale, gradient_, theta_);
    return loss;
  }

  /// The mean loss of the windows to validate on; weighted where a split took them from weighted windows, as
  /// in Keras.
  double validation_loss() {
    const bool weighted = options_.validation_split > 0.0;
    order_.resize(static_cast<std::size_t>(std::max(options_.batch_size, train_.size())));
    double sum = 0.0;
    for (Index first = 0; first < validation_->size(); first += options_.batch_size) {
      const Index count = std::min(options_.batch_size, validation_->size() - first);
      std::iota(order_.begin(), order_.begin() + count, first);
      const auto batch = std::span<const Index>(order_).first(static_cast<std::size_t>(count));
      sum += pass_.loss_total(theta_.data(), *validation_, batch,
                              weighted ? weights_of(batch, train_.size()) : std::span<const double>{},
                              options_.loss);
    }
    order_.resize(static_cast<std::size_t>(train_.size()));
    const double loss = sum / static_cast<double>(validation_->size());
    if (!std::isfinite(loss)) stop_not_finite("the validation loss", loss);
    return loss;
  }

  /// No later loss tells whether the very last update was a good one.
  void check_last_update() {
    const auto batch = std::span<const Index>(order_).last(
        static_cast<std::size_t>(std::min(options_.batch_size, train_.size())));
    const double loss = pass_.loss_total(theta_.data(), train_, batch, {}, options_.loss);
    if (!std::isfinite(loss)) stop_not_finite("the loss after the last update", loss);
  }

  /// Goes back to the last parameters whose loss was finite, then throws.
  [[noreturn]] void stop_not_finite(const char* what, double value) {
    if (last_finite_theta_.size() > 0) {
      theta_ = last_finite_theta_;
      state_.moments = last_finite_moments_;
    }
    throw_not_finite(what, value);
  }
  [[noreturn]] void throw_not_finite(const char* what, double value) const {
    constexpr const char* advice =
        "; the model keeps the last parameters with a finite loss. Try a smaller learning rate, "
        "gradient clipping, scaled inputs, or tanh instead of an unbounded activation";
    throw NotFiniteError(Text{"fit: expected ", what, " to stay finite, got ", value, " in epoch ",
                              event_.epoch, ", batch ", event_.batch, " of ", event_.batches, advice}
                             .string());
  }

  double learning_rate() const {
    return rate_at(options_.optimizer, state_.moments.step) * state_.learning_rate_scale;
  }

  void call_back(TrainingStage stage) {
    event_.stage = stage;
    for (std::size_t i = 0; i < options_.callbacks.size(); ++i) {
      event_.learning_rate = learning_rate();
      options_.callbacks[i](event_);
      if (std::exchange(event_.stop_requested, false)) stopped_ = true;
      if (std::exchange(event_.keep_requested, false)) kept_[i] = theta_;
      if (std::exchange(event_.restore_requested, false) && kept_[i].size() > 0) theta_ = kept_[i];
      const double factor = std::exchange(event_.learning_rate_factor, 1.0);
      if (!(factor >= 0.0 && std::isfinite(factor))) {
        fail("scale_learning_rate", "a finite factor >= 0", {factor});
      }
      state_.learning_rate_scale *= factor;
    }
  }

  const Sequential<Scalar>& network_;
  Vector<Scalar>& theta_;
  TrainingState<Scalar>& state_;
  FitOptions options_;
  Windows train_;
  std::optional<Windows> validation_;
  BatchPass<Scalar> pass_;
  Vector<Scalar> gradient_;
  Vector<Scalar> last_finite_theta_;
  OptimizerState<Scalar> last_finite_moments_;
  std::vector<Vector<Scalar>> kept_;  // one for each callback
  std::vector<Index> order_;
  std::vector<double> weights_;
  TrainingEvent event_;
  bool stopped_ = false;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
