#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "../core/finite.hpp"
#include "chain.hpp"
#include "detail/batch_pass.hpp"
#include "detail/candidates.hpp"
#include "detail/frozen.hpp"
#include "fit.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
/// How a model that is trained hands itself over to files, see core/snapshot.hpp.
using WriteSnapshot = std::function<void(SnapshotWriter&)>;

namespace detail {

/// The source's samples must be what the network takes and the loss compares. A loss of the user's own may
/// say how many features its targets have, such as one, the index of a class.
template <typename Scalar>
void require_source(const Sequential<Scalar>& network, const Source& source, const Loss& loss,
                    const char* what) {
  if (network.size() == 0) fail(what, "a network of at least one layer", "none");
  if (source.input_shape() != network.input_shape()) {
    fail(what, to_string(network.input_shape()), to_string(source.input_shape()));
  }
  SequenceShape target = network.output_shape();
  const auto* const own = std::get_if<CustomLoss>(&loss);
  if (own != nullptr && own->code().target_features() > 0) target.features = own->code().target_features();
  if (source.target_shape() != target) {
    fail({what, ": targets"}, to_string(target), to_string(source.target_shape()));
  }
  require_samples(source, what);
}

template <typename Scalar>
void require_parameters(const Sequential<Scalar>& network, const Vector<Scalar>& theta, const char* what) {
  if (theta.size() == network.parameters().size()) return;
  fail(what, {network.parameters().size(), " values"}, {theta.size()});
}

/// One call of fit.
template <typename Scalar>
class Training final : private TrainingAccess {
 public:
  Training(const Sequential<Scalar>& network, Vector<Scalar>& theta, TrainingState<Scalar>& state,
           const Source& source, FitOptions&& options, WriteSnapshot write_snapshot)
      : network_(network),
        theta_(theta),
        state_(state),
        options_((check(network, source, options), std::move(options))),
        source_(source),
        train_size_(source.size()),
        validation_(options_.validation_data),
        pass_(network_, options_.threads),
        trainable_(trainable_ranges(network.parameters(), options_.frozen)),
        kept_(options_.callbacks.size()),
        write_snapshot_(std::move(write_snapshot)) {
    event_.access.training = this;
    grow(gradient_, theta.size());
    if (options_.validation_split > 0.0) hold_out();
    choose_judges();
    options_.batch_size =
        std::min(options_.batch_size, std::max(train_size_, validation_ ? validation_->size() : 0));
  }

  History run() {
    event_.epochs = options_.epochs;
    event_.batches = (train_size_ + options_.batch_size - 1) / options_.batch_size;
    order_.resize(static_cast<std::size_t>(train_size_));
    // So that no epoch allocates, up to a number of epochs that a long run with early stopping may exceed.
    const auto expected = static_cast<std::size_t>(std::min<Index>(options_.epochs, 10000));
    history_.loss.reserve(expected);
    if (validation_) history_.validation_loss.reserve(expected);
    history_.learning_rate.reserve(expected);
    begin();
    try {
      for (Index epoch = 1; epoch <= options_.epochs && !stopped_; ++epoch) {
        event_.epoch = epoch;
        event_.validation_loss.reset();
        event_.loss = train_epoch();
        end_epoch();
      }
      // No later loss tells whether the very last update was a good one.
      if (!is_finite(judged_)) stop_not_finite("the loss after the last update", judged_);
      call_back(TrainingStage::end);
    } catch (const std::bad_alloc&) {
      candidates_.put_back_before(theta_, state_);
      throw;
    }
    return std::move(history_);
  }

 private:
  /// The last samples are there to validate on. All keep their numbers.
  void hold_out() {
    // As Keras: in double, so that 10 * (1 - .1) counts as 9.
    train_size_ = static_cast<Index>(
        std::floor(static_cast<double>(source_.size()) * (1.0 - options_.validation_split)));
    if (train_size_ < 1 || train_size_ >= source_.size()) {
      fail("fit",
           {"a validation_split that leaves samples to train and to validate on (of ", source_.size(), ")"},
           {options_.validation_split});
    }
    validation_ = source_;
    first_to_validate_ = train_size_;
  }

  /// The samples whose loss says how good the parameters are at an epoch's end.
  void choose_judges() {
    if (!validation_) {
      judges_ = judging_samples(train_size_, options_.sample_weights);
      return;
    }
    judges_.resize(static_cast<std::size_t>(validation_->size() - first_to_validate_));
    std::iota(judges_.begin(), judges_.end(), first_to_validate_);
  }

  /// A callback that refuses its own options leaves the model with the state of its earlier training.
  void begin() {
    candidates_.begin(theta_, state_);
    try {
      take_over();
      call_back(TrainingStage::begin);
    } catch (...) {
      candidates_.put_back_before(theta_, state_);
      throw;
    }
  }

  /// Goes on from what the last fit remembered, where it means the same to this optimizer. A rate that is new
  /// is as the options say, whatever callbacks made of the one before, and its schedule begins now.
  void take_over() {
    if (!state_.optimizer || !same_moments(*state_.optimizer, options_.optimizer)) {
      state_ = {options_.optimizer, initial_state<Scalar>(options_.optimizer, theta_.size())};
    } else if (!same_rates(*state_.optimizer, options_.optimizer)) {
      state_.learning_rate_scale = 1.0;
      state_.moments.schedule_start = state_.moments.step;
      // In Keras's convention a velocity keeps the rate of its steps, which may be what led to an abort.
      if (state_.aborted_norm > 0.0) state_.moments.velocity.setZero();
    }
    state_.optimizer = options_.optimizer;
    state_.loss = options_.loss;
  }

  static void check(const Sequential<Scalar>& network, const Source& source, const FitOptions& options) {
    require_positive(options.epochs, "fit", "epochs");
    require_positive(options.batch_size, "fit", "batch_size");
    require_positive(options.threads, "fit", "threads");
    require_source(network, source, options.loss,
                   source.get_if<Windows>() != nullptr ? "fit: windows" : "fit: samples");
    reprise::validate(options.optimizer);
    reprise::validate(options.loss);
    if (!(is_finite(options.validation_split) && options.validation_split >= 0.0 &&
          options.validation_split < 1.0)) {
      fail("fit", "validation_split in [0, 1)", {options.validation_split});
    }
    if (options.validation_data) {
      require_source(network, *options.validation_data, options.loss, "fit: validation_data");
      if (options.validation_split > 0.0) fail("fit", "validation_data or validation_split", "both");
    }
    for (const Callback& callback : options.callbacks) {
      if (!callback) fail("fit", "callbacks that can be called", "an empty one");
    }
    if (options.sample_weights.empty()) return;
    if (static_cast<Index>(options.sample_weights.size()) != source.size()) {
      fail("fit", {source.size(), " sample_weights, one for each sample"}, {options.sample_weights.size()});
    }
    for (const double weight : options.sample_weights) {
      if (!(is_finite(weight) && weight >= 0.0)) fail("fit", "finite sample_weights >= 0", {weight});
    }
  }

  /// Mean loss over the samples, or where they have lengths over all valid positions.
  double train_epoch() {
    std::iota(order_.begin(), order_.end(), Index{0});
    if (options_.shuffle) {
      RandomStream random(options_.seed, Purpose::shuffle, static_cast<std::uint32_t>(state_.epochs));
      detail::shuffle(order_, random);
    }
    const std::span<const Index> order(order_);
    const auto batch_size = static_cast<std::size_t>(options_.batch_size);
    double sum = 0.0, positions = 0.0;
    for (std::size_t first = 0; first < order.size() && !stopped_; first += batch_size) {
      const auto batch = order.subspan(first, std::min(batch_size, order.size() - first));
      event_.batch = static_cast<Index>(first / batch_size) + 1;
      const double in_batch = valid_positions(source_, batch);
      sum += train_batch(batch) * in_batch;
      positions += in_batch;
      event_.loss = sum / positions;
      if (!options_.callbacks.empty()) call_back(TrainingStage::batch_end);
    }
    return event_.loss;
  }

  std::span<const double> weights_of(std::span<const Index> batch) {
    weights_.clear();
    if (!options_.sample_weights.empty()) {
      for (const Index sample : batch) {
        weights_.push_back(options_.sample_weights[static_cast<std::size_t>(sample)]);
      }
    }
    return weights_;
  }

  double train_batch(std::span<const Index> batch) {
    LayerContext context;
    context.training = true;
    context.seed = options_.seed;
    context.step = static_cast<std::uint32_t>(state_.moments.step);
    const double loss = pass_.loss_and_gradient(theta_.data(), source_, batch, weights_of(batch),
                                                options_.loss, context, gradient_.data());
    if (!is_finite(loss)) stop_not_finite("the loss", loss);
    clear_frozen(gradient_, trainable_);
    event_.gradient_norm =
        gradient_norm(std::span<const Scalar>(gradient_.data(), static_cast<std::size_t>(gradient_.size())));
    if (!is_finite(event_.gradient_norm)) {
      stop_not_finite("the gradient's norm", event_.gradient_norm);
    }
    forget_other_scale();
    apply_update<Scalar>(options_.optimizer, network_.parameters(), state_.moments,
                         state_.learning_rate_scale, gradient_, theta_, trainable_);
    // Adam and RMSprop remember squares of gradients, which leave the scalar's range long before these do.
    const double root = std::sqrt(static_cast<double>(std::numeric_limits<Scalar>::max()));
    if (event_.gradient_norm > 0.5 * root) require_finite_state();
    return loss;
  }
  /// After an abort the inputs may have been scaled, as its message advises. What is remembered of gradients
  /// a thousand times as large or more would keep the parameters from moving, or throw them far away.
  void forget_other_scale() {
    if (state_.aborted_norm > 1e3 * event_.gradient_norm) {
      state_.moments = initial_state<Scalar>(options_.optimizer, theta_.size());
      state_.largest_norm = 0.0;
    }
    state_.aborted_norm = 0.0;
    state_.largest_norm = std::max(state_.largest_norm, event_.gradient_norm);
  }
  /// A moment that is infinite stays so, and its parameter never moves again; the loss need not tell.
  void require_finite_state() {
    const double infinity = std::numeric_limits<double>::infinity();
    if (!all_finite(state_.moments)) stop_not_finite("what the optimizer remembers", infinity);
    if (!all_finite(theta_)) stop_not_finite("the parameters", infinity);
  }

  /// Judges the parameters, which become the candidate where none before were better.
  void end_epoch() {
    require_finite_state();
    judged_ = judged_loss();
    if (validation_ && !is_finite(judged_)) stop_not_finite("the validation loss", judged_);
    ++state_.epochs;
    history_.loss.push_back(event_.loss);
    history_.learning_rate.push_back(learning_rate());
    if (validation_) {
      event_.validation_loss = judged_;
      history_.validation_loss.push_back(judged_);
    }
    candidates_.offer(theta_, state_, judged_);
    call_back(TrainingStage::epoch_end);
  }

  /// Mean loss at the parameters as they are, without dropout: of the samples to validate on, weighted where
  /// a split took them from weighted samples, as in Keras; else of a share of those that are trained on.
  double judged_loss() {
    const Source& source = validation_ ? *validation_ : source_;
    const bool weighted = !options_.validation_data;
    const std::span<const Index> samples(judges_);
    const auto batch_size = static_cast<std::size_t>(options_.batch_size);
    double sum = 0.0, positions = 0.0;
    for (std::size_t first = 0; first < samples.size(); first += batch_size) {
      const auto batch = samples.subspan(first, std::min(batch_size, samples.size() - first));
      sum += pass_.loss_total(theta_.data(), source, batch,
                              weighted ? weights_of(batch) : std::span<const double>{}, options_.loss);
      positions += valid_positions(source, batch);
    }
    return sum / positions;
  }

  /// Puts the best candidate back as a whole, lets callbacks hear of the end, then throws.
  [[noreturn]] void stop_not_finite(const char* what, double value) {
    const bool trained = candidates_.put_back(theta_, state_, [&] { return judged_loss(); });
    const char* const back = trained ? "at the end of its best epoch" : "before the fit";
    const char* const advice =
        ". Try a smaller learning rate, gradient clipping, scaled inputs, or tanh instead of an unbounded "
        "activation";
    const std::string message = Text{"fit: expected ",
                                     what,
                                     " to stay finite, got ",
                                     value,
                                     " in epoch ",
                                     event_.epoch,
                                     ", batch ",
                                     event_.batch,
                                     " of ",
                                     event_.batches,
                                     "; the model is again as it was ",
                                     back,
                                     advice}
                                    .string();
    if (!history_.validation_loss.empty()) event_.validation_loss = history_.validation_loss.back();
    event_.aborted = true;
    call_back(TrainingStage::end);
    throw TrainingAborted(message, std::move(history_));
  }

  double learning_rate() const {
    return rate_at(options_.optimizer, state_.moments.step - state_.moments.schedule_start) *
           state_.learning_rate_scale;
  }

  void call_back(TrainingStage stage) {
    event_.stage = stage;
    for (std::size_t i = 0; i < options_.callbacks.size(); ++i) {
      event_.learning_rate = learning_rate();
      options_.callbacks[i](event_);
      require_parameters(network_, theta_, "fit: parameters");  // it may know them by another way
      if (std::exchange(event_.stop_requested, false)) stopped_ = true;
      if (std::exchange(event_.keep_requested, false)) kept_[i] = theta_;
      if (std::exchange(event_.restore_requested, false) && kept_[i].size() > 0) restore(kept_[i]);
      const double factor = std::exchange(event_.learning_rate_factor, 1.0);
      if (!(factor >= 0.0 && is_finite(factor))) {
        fail("scale_learning_rate", "a finite factor >= 0", {factor});
      }
      state_.learning_rate_scale *= factor;
    }
  }

  void restore(const Vector<Scalar>& kept) {
    if (!event_.aborted) {
      theta_ = kept;
    } else {
      candidates_.restore(theta_, kept, [&] { return judged_loss(); });
    }
  }

  // What callbacks see through their event.
  const History& history() const override { return history_; }
  const ParameterTable& parameters() const override { return network_.parameters(); }
  Matrix<double> read(const ParameterInfo& tensor) const override {
    Matrix<double> values(tensor.rows, tensor.cols);
    for (Index i = 0; i < values.size(); ++i) {
      values.data()[i] = static_cast<double>(theta_[tensor.offset + i]);
    }
    return values;
  }
  void write(const ParameterInfo& tensor, const Matrix<double>& values) override {
    if (values.rows() != tensor.rows || values.cols() != tensor.cols) {
      fail({"set_parameter: ", tensor.name}, {tensor.rows, " x ", tensor.cols, " values"},
           {values.rows(), " x ", values.cols()});
    }
    for (Index i = 0; i < values.size(); ++i) {
      if (is_finite(static_cast<Scalar>(values.data()[i]))) continue;
      fail({"set_parameter: ", tensor.name}, "finite values", "others");
    }
    for (Index i = 0; i < values.size(); ++i) {
      theta_[tensor.offset + i] = static_cast<Scalar>(values.data()[i]);
    }
  }
  void write_snapshot(SnapshotWriter& writer) const override {
    if (write_snapshot_) return write_snapshot_(writer);
    Chain<Scalar>::write(writer, network_, theta_, state_);
  }

  const Sequential<Scalar> network_;  // a copy, since a callback may replace the caller's
  Vector<Scalar>& theta_;
  TrainingState<Scalar>& state_;
  FitOptions options_;
  Source source_;
  Index train_size_;  // samples [0, train_size_) are trained on
  std::optional<Source> validation_;
  Index first_to_validate_ = 0;
  BatchPass<Scalar> pass_;
  std::vector<ParameterRange> trainable_;  // empty: everything
  Vector<Scalar> gradient_;
  Candidates<Scalar> candidates_;
  std::vector<Index> judges_;         // whose loss judges the parameters
  double judged_ = 0.0;               // at the last epoch's end
  std::vector<Vector<Scalar>> kept_;  // one for each callback
  std::vector<Index> order_;
  std::vector<double> weights_;
  TrainingEvent event_;
  History history_;
  WriteSnapshot write_snapshot_;
  bool stopped_ = false;
};

}  // namespace detail

/// Mean loss over a source's samples at inference, without dropout or teacher forcing; where samples have
/// lengths, over all valid positions. Without a loss in the options, the mean squared error. Throws `Error`
/// where source, parameters or options do not fit.
template <typename Scalar>
[[nodiscard]] double evaluate(const Sequential<Scalar>& network, const Vector<Scalar>& parameters,
                              const std::type_identity_t<Source>& source,
                              const EvaluateOptions& options = {}) {
  detail::require_parameters(network, parameters, "evaluate: parameters");
  const Loss loss = options.loss.value_or(MeanSquaredError{});
  detail::require_source(network, source, loss,
                         source.get_if<Windows>() != nullptr ? "evaluate: windows" : "evaluate: samples");
  detail::require_positive(options.batch_size, "evaluate", "batch_size");
  validate(loss);
  detail::BatchPass<Scalar> pass(network, options.threads);
  std::vector<Index> numbers(static_cast<std::size_t>(std::min(options.batch_size, source.size())));
  double sum = 0.0, positions = 0.0;
  for (Index first = 0; first < source.size(); first += options.batch_size) {
    const auto count = static_cast<std::size_t>(std::min(options.batch_size, source.size() - first));
    std::iota(numbers.begin(), numbers.end(), first);
    const auto batch = std::span<const Index>(numbers).first(count);
    sum += pass.loss_total(parameters.data(), source, batch, {}, loss);
    positions += detail::valid_positions(source, batch);
  }
  return sum / positions;
}

/// The training loop over any chain of layers: what `Autoencoder::fit` does for its own.
///
///     Sequential<float> network({.steps = 24, .features = 1});
///     network.add("lstm", Lstm<float>(1, {.units = 16}));
///     network.add("output", Dense<float>(16, {.units = 1}));
///     Vector<float> parameters(network.parameters().size());
///     network.initialize(parameters.data(), 1);
///     TrainingState<float> state;
///     Trainer<float>(network, parameters, state).fit(windows, {.epochs = 10});
///
/// Network, parameters and state belong to the caller and must live as long as the trainer. The state is what
/// a further fit goes on from: with an equal optimizer, fit(10) and then fit(20) is fit(30) bit for bit. With
/// another learning rate, schedule or clip the moments go on; with another kind of optimizer, other betas or
/// another momentum they start anew.
template <typename Scalar_>
class Trainer {
 public:
  using Scalar = Scalar_;

  /// `write_snapshot`: what `TrainingEvent::write_snapshot` calls; without it, the chain is handed over as
  /// `Chain` is.
  Trainer(const Sequential<Scalar>& network, Vector<Scalar>& parameters, TrainingState<Scalar>& state,
          WriteSnapshot write_snapshot = {})
      : network_(&network),
        parameters_(&parameters),
        state_(&state),
        write_snapshot_(std::move(write_snapshot)) {}

  /// Throws `Error` on options, samples or parameters that cannot be, and `TrainingAborted` when loss,
  /// gradient or moments stop being finite. Parameters and state are then again what they were before the fit
  /// or at the end of one of its epochs, whichever has the lowest loss: of the validation data or, where
  /// there are none, of one sample in 32, but of 32 at least (or all) and 256 at most. That costs one part in
  /// 96 of an epoch's work from 1024 samples on, and a greater part of a small epoch (see
  /// training/detail/candidates.hpp).
  History fit(const Source& source, FitOptions options = {}) {
    detail::require_parameters(*network_, *parameters_, "fit: parameters");
    return detail::Training<Scalar>(*network_, *parameters_, *state_, source, std::move(options),
                                    write_snapshot_)
        .run();
  }
  /// Mean loss over the samples, without dropout or teacher forcing; without a loss in the options, that
  /// which the last fit minimised.
  [[nodiscard]] double evaluate(const Source& source, EvaluateOptions options = {}) const {
    if (!options.loss) options.loss = state_->loss;
    return reprise::evaluate(*network_, *parameters_, source, options);
  }

 private:
  const Sequential<Scalar>* network_;
  Vector<Scalar>* parameters_;
  TrainingState<Scalar>* state_;
  WriteSnapshot write_snapshot_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
