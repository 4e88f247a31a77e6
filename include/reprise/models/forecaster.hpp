#pragma once

#include <string>
#include <utility>

#include "../layers/dense.hpp"
#include "../layers/recurrent_options.hpp"
#include "../layers/reshape.hpp"
#include "chain_model.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What a forecaster is made of.
struct ForecasterOptions {
  /// Time steps of a window; of windows with patches, the number of patches. Must be given.
  Index steps = 0;
  /// Features of such a step.
  Index features = 1;
  /// Time steps that are predicted: those that follow the window.
  Index horizon = 1;
  /// Features of a predicted time step; 0: as many as `features`, which is right unless windows have patches.
  Index target_features = 0;
  /// From the input on; at least one. All but the last return sequences, whatever `return_sequences` says.
  RecurrentLayers layers{};
  /// Of the dense layer that turns the last layer's state into the prediction.
  Activation output_activation = activation::linear;
  /// Of the initial weights.
  std::uint64_t seed = 1;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [steps, features, horizon, target_features, layers, output_activation, seed] = self;
    visit("steps", steps);
    visit("features", features);
    visit("horizon", horizon);
    visit("target_features", target_features);
    visit("layers", layers);
    visit("output_activation", output_activation);
    visit("seed", seed);
  }

  friend bool operator==(const ForecasterOptions&, const ForecasterOptions&) = default;
};

/// Recurrent layers that read a window, and a dense layer that predicts the values that follow it. Trained on
/// a normal series, its errors are large where a series does what it has not done before (Hundman et al.
/// 2018).
///
///     recurrent layers -> Dense(horizon * features) -> Reshape(horizon, features)
///
///     const Windows windows = sliding_windows(series, {.length = 24, .horizon = 1});
///     Forecaster<float> model({.steps = 24, .layers = {{.units = 32}}});
///     model.fit(windows, {.epochs = 50});
///     const auto errors = mean_absolute_errors(windows.following(), model.predict(windows));
template <typename Scalar_>
class Forecaster : public ChainModel<Scalar_> {
 public:
  using Scalar = Scalar_;

  /// Throws when sizes are not positive or too large, or there is no recurrent layer.
  explicit Forecaster(ForecasterOptions options)
      : ChainModel<Scalar>(kind, build(options), options.seed), options_(std::move(options)) {}
  /// With these parameters, in the order of `parameters()`, instead of initial ones; throws also when there
  /// are not as many.
  Forecaster(ForecasterOptions options, Vector<Scalar> weights)
      : ChainModel<Scalar>(kind, build(options), std::move(weights)), options_(std::move(options)) {}

  Forecaster(const Forecaster&) = default;
  Forecaster(Forecaster&&) noexcept = default;
  /// Where there is no memory for the copy, all stays as it was.
  Forecaster& operator=(const Forecaster& other) {
    ForecasterOptions options = other.options_;
    ChainModel<Scalar>::operator=(other);
    options_ = std::move(options);
    return *this;
  }
  Forecaster& operator=(Forecaster&&) noexcept = default;
  ~Forecaster() = default;

  const ForecasterOptions& options() const {
    this->theta();  // refuses a model that was moved from
    return options_;
  }
  Index steps() const { return options().steps; }
  Index horizon() const { return options().horizon; }

  /// Trains to predict the source's targets, such as what follows `Windows` of the same horizon. A second fit
  /// with the same optimizer goes on where the first ended: fit(10) then fit(20) equals fit(30) bit for bit.
  /// Throws `Error` on options or samples that cannot be, and `TrainingAborted` when loss or gradient stop
  /// being finite; the model is then again as it was before the fit or at the end of an epoch, whichever has
  /// the lowest loss (see `Trainer::fit`).
  History fit(const Source& source, FitOptions options = {}) {
    this->theta();
    return this->train(source, std::move(options), options_);
  }

  /// What follows each window, or other samples' inputs: windows x horizon x features. The windows themselves
  /// may have any horizon: at the end of a series nothing is known of what follows.
  [[nodiscard]] Sequences<Scalar> predict(const Source& source, const InferenceOptions& options = {}) const {
    return detail::infer_source(this->network(), this->theta(), source, this->all_layers(),
                                "predict: windows", options);
  }
  [[nodiscard]] Sequences<Scalar> predict(const Sequences<Scalar>& input,
                                          const InferenceOptions& options = {}) const {
    return detail::infer_sequences(this->network(), this->theta(), input, this->all_layers(),
                                   "predict: input", options);
  }
  /// The same into memory of the caller, all samples at once: the workspace grows with them. Allocates
  /// nothing once the workspace has seen a batch of this size.
  void predict(SequenceView<const Scalar> input, SequenceView<Scalar> output,
               InferenceWorkspace<Scalar>& workspace) const {
    detail::infer_views(this->network(), this->theta(), input, output, workspace, "predict");
  }

  /// Mean loss over the source's samples, without dropout. The loss is that of the last fit, unless the
  /// options name one; the mean squared error before the first.
  [[nodiscard]] double evaluate(const Source& source, EvaluateOptions options = {}) const {
    return this->measure(source, std::move(options));
  }

  [[nodiscard]] Summary summary() const {
    const std::size_t last = options_.layers.size() - 1;
    return this->summary_with([&](std::size_t l) { return l == last || l == last + 1; });
  }

  /// All that the model is, for files and whatever else keeps it.
  static constexpr const char* kind = "Forecaster";
  void write_snapshot(SnapshotWriter& writer) const { this->write(writer, options_); }
  static Forecaster read_snapshot(SnapshotReader& reader) {
    ForecasterOptions options;
    reader.section("options", options);
    detail::require_sizes(reader, "options", {.steps = options.steps, .features = options.features});
    detail::require_sizes(reader, "options",
                          {.steps = options.horizon, .features = target_features(options)});
    const Index count = build(options).parameters().size();
    reader.require_room(count);
    Forecaster model(std::move(options), Vector<Scalar>(count));
    model.read_values(reader);
    return model;
  }

 private:
  static Index target_features(const ForecasterOptions& options) {
    return options.target_features == 0 ? options.features : options.target_features;
  }

  static Sequential<Scalar> build(ForecasterOptions& options) {
    detail::require_size(options.horizon, "Forecaster", "horizon");
    detail::require_size(target_features(options), "Forecaster", "target_features");
    if (options.horizon > detail::largest_size / target_features(options)) {
      detail::fail("Forecaster", {"horizon x target_features of at most ", detail::largest_size},
                   {options.horizon, " x ", target_features(options)});
    }
    if (options.layers.empty()) detail::fail("Forecaster", "at least one recurrent layer", "none");
    Sequential<Scalar> network({.steps = options.steps, .features = options.features});
    for (std::size_t l = 0; l < options.layers.size(); ++l) {
      options.layers.layer(l).set_return_sequences(l + 1 < options.layers.size());
      network.add("layers." + std::to_string(l),
                  options.layers.layer(l).template make<Scalar>(network.output_shape().features));
    }
    network.add("output", Dense<Scalar>(network.output_shape().features,
                                        {.units = options.horizon * target_features(options),
                                         .activation = options.output_activation}));
    if (options.horizon > 1) {
      network.add("reshape",
                  Reshape<Scalar>({.steps = options.horizon, .features = target_features(options)}));
    }
    return network;
  }

  ForecasterOptions options_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
