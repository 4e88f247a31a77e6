#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "chain.hpp"
#include "detail/batch_pass.hpp"
#include "detail/frozen.hpp"
#include "fit.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
/// How a model that is trained hands itself over to files, see core/snapshot.hpp.
using WriteSnapshot = std::function<void(SnapshotWriter&)>;

namespace detail {

/// The source's samples must be what the network takes and gives.
template <typename Scalar>
void require_source(const Sequential<Scalar>& network, const Source& source, const char* what) {
  if (network.size() == 0) fail(what, "a network of at least one layer", "none");
  if (source.input_shape() != network.input_shape()) {
    fail(what, to_string(network.input_shape()), to_string(source.input_shape()));
  }
  if (source.target_shape() != network.output_shape()) {
    fail({what, ": targets"}, to_string(network.output_shape()), to_string(source.target_shape()));
  }
  require_samples(source, what);
}

/// One call of fit.
template <typename Scalar>
class Training final : private TrainingAccess {
 public:
  Training(const Sequential<Scalar>& network, Vector<Scalar>& theta, TrainingState<Scalar>& state,
           const Source& source, FitOptions options, WriteSnapshot write_snapshot = {})
      : network_(network),
        theta_(theta),
        state_(state),
        options_((check(network, source, options), std::move(options))),
        source_(source),
        train_size_(source.size()),
        validation_(options_.validation_data),
        pass_(network, options_.threads),
        trainable_(trainable_ranges(network.parameters(), options_.frozen)),
        kept_(options_.callbacks.size()),
        write_snapshot_(std::move(write_snapshot)) {
    event_.access.training = this;
    grow(gradient_, theta.size());
    if (options_.validation_split > 0.0) hold_out();
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
    for (Index epoch = 1; epoch <= options_.epochs && !stopped_; ++epoch) {
      event_.epoch = epoch;
      event_.validation_loss.reset();
      event_.loss = train_epoch();
      if (validation_) event_.validation_loss = validation_loss();
      ++state_.epochs;
      history_.loss.push_back(event_.loss);
      if (validation_) history_.validation_loss.push_back(*event_.validation_loss);
      history_.learning_rate.push_back(learning_rate());
      call_back(TrainingStage::epoch_end);
    }
    if (!validation_) check_last_update();
    call_back(TrainingStage::end);
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

  /// A callback that refuses its own options leaves the model with the state of its earlier training.
  void begin() {
    TrainingState<Scalar> earlier = state_;
    take_over();
    try {
      call_back(TrainingStage::begin);
    } catch (...) {
      state_ = std::move(earlier);
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
    }
    state_.optimizer = options_.optimizer;
    state_.loss = options_.loss;
  }

  static void check(const Sequential<Scalar>& network, const Source& source, const FitOptions& options) {
    require_positive(options.epochs, "fit", "epochs");
    require_positive(options.batch_size, "fit", "batch_size");
    require_positive(options.threads, "fit", "threads");
    require_source(network, source, source.get_if<Windows>() != nullptr ? "fit: windows" : "fit: samples");
    reprise::validate(options.optimizer);
    reprise::validate(options.loss);
    if (!(options.validation_split >= 0.0 && options.validation_split < 1.0)) {
      fail("fit", "validation_split in [0, 1)", {options.validation_split});
    }
    if (options.validation_data) {
      require_source(network, *options.validation_data, "fit: validation_data");
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
      if (!(std::isfinite(weight) && weight >= 0.0)) fail("fit", "finite sample_weights >= 0", {weight});
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
    if (!std::isfinite(loss)) stop_not_finite("the loss", loss);
    clear_frozen(gradient_, trainable_);
    event_.gradient_norm = gradient_norm(gradient_);
    if (!std::isfinite(event_.gradient_norm)) {
      // The loss of these very parameters was finite: they stay.
      throw_not_finite("the gradient's norm", event_.gradient_norm);
    }
    last_finite_theta_ = theta_;
    last_finite_moments_ = state_.moments;
    apply_update<Scalar>(options_.optimizer, network_.parameters(), state_.moments,
                         state_.learning_rate_scale, gradient_, theta_, trainable_);
    return loss;
  }

  /// The mean loss of the samples to validate on; weighted where a split took them from weighted samples, as
  /// in Keras.
  double validation_loss() {
    const bool weighted = options_.validation_split > 0.0;
    order_.resize(static_cast<std::size_t>(std::max(options_.batch_size, train_size_)));
    double sum = 0.0, positions = 0.0;
    for (Index first = first_to_validate_; first < validation_->size(); first += options_.batch_size) {
      const Index count = std::min(options_.batch_size, validation_->size() - first);
      std::iota(order_.begin(), order_.begin() + count, first);
      const auto batch = std::span<const Index>(order_).first(static_cast<std::size_t>(count));
      sum += pass_.loss_total(theta_.data(), *validation_, batch,
                              weighted ? weights_of(batch) : std::span<const double>{}, options_.loss);
      positions += valid_positions(*validation_, batch);
    }
    order_.resize(static_cast<std::size_t>(train_size_));
    const double loss = sum / positions;
    if (!std::isfinite(loss)) stop_not_finite("the validation loss", loss);
    return loss;
  }

  /// No later loss tells whether the very last update was a good one.
  void check_last_update() {
    const auto batch = std::span<const Index>(order_).last(
        static_cast<std::size_t>(std::min(options_.batch_size, train_size_)));
    const double loss = pass_.loss_total(theta_.data(), source_, batch, {}, options_.loss);
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
    return rate_at(options_.optimizer, state_.moments.step - state_.moments.schedule_start) *
           state_.learning_rate_scale;
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

  // What callbacks see through their event.
  const History& history() const override { return history_; }
  const ParameterTable& parameters() const override { return network_.parameters(); }
  Matrix<double> read(const ParameterInfo& tensor) const override {
    return Eigen::Map<const Matrix<Scalar>>(theta_.data() + tensor.offset, tensor.rows, tensor.cols)
        .template cast<double>();
  }
  void write(const ParameterInfo& tensor, const Matrix<double>& values) override {
    if (values.rows() != tensor.rows || values.cols() != tensor.cols) {
      fail({"set_parameter: ", tensor.name}, {tensor.rows, " x ", tensor.cols, " values"},
           {values.rows(), " x ", values.cols()});
    }
    const Matrix<Scalar> converted = values.template cast<Scalar>();
    if (!converted.allFinite()) fail({"set_parameter: ", tensor.name}, "finite values", "others");
    Eigen::Map<Matrix<Scalar>>(theta_.data() + tensor.offset, tensor.rows, tensor.cols) = converted;
  }
  void write_snapshot(SnapshotWriter& writer) const override {
    if (write_snapshot_) return write_snapshot_(writer);
    Chain<Scalar>::write(writer, network_, theta_, state_);
  }

  const Sequential<Scalar>& network_;
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
  Vector<Scalar> last_finite_theta_;
  OptimizerState<Scalar> last_finite_moments_;
  std::vector<Vector<Scalar>> kept_;  // one for each callback
  std::vector<Index> order_;
  std::vector<double> weights_;
  TrainingEvent event_;
  History history_;
  WriteSnapshot write_snapshot_;
  bool stopped_ = false;
};

template <typename Scalar>
void require_parameters(const Sequential<Scalar>& network, const Vector<Scalar>& theta, const char* what) {
  if (theta.size() == network.parameters().size()) return;
  fail(what, {network.parameters().size(), " values"}, {theta.size()});
}

}  // namespace detail

/// Mean loss over a source's samples at inference, without dropout or teacher forcing; where samples have
/// lengths, over all valid positions. Without a loss in the options, the mean squared error. Throws `Error`
/// where source, parameters or options do not fit.
template <typename Scalar>
double evaluate(const Sequential<Scalar>& network, const Vector<Scalar>& parameters,
                const std::type_identity_t<Source>& source, const EvaluateOptions& options = {}) {
  detail::require_parameters(network, parameters, "evaluate: parameters");
  detail::require_source(network, source,
                         source.get_if<Windows>() != nullptr ? "evaluate: windows" : "evaluate: samples");
  detail::require_positive(options.batch_size, "evaluate", "batch_size");
  const Loss loss = options.loss.value_or(MeanSquaredError{});
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

  /// Throws `Error` on options, samples or parameters that cannot be, and `NotFiniteError` when loss or
  /// gradient stop being finite; the parameters are then the last that had a finite loss.
  History fit(const Source& source, FitOptions options = {}) {
    detail::require_parameters(*network_, *parameters_, "fit: parameters");
    return detail::Training<Scalar>(*network_, *parameters_, *state_, source, std::move(options),
                                    write_snapshot_)
        .run();
  }
  /// Mean loss over the samples, without dropout or teacher forcing; without a loss in the options, that
  /// which the last fit minimised.
  double evaluate(const Source& source, EvaluateOptions options = {}) const {
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
