#pragma once

#include <array>
#include <concepts>
#include <initializer_list>
#include <string_view>

#include "../core/joined_windows.hpp"
#include "../layers/decoder_input.hpp"
#include "../layers/dense.hpp"
#include "../layers/recurrent_options.hpp"
#include "../layers/repeat_vector.hpp"
#include "../layers/reverse.hpp"
#include "chain_model.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What the first decoder layer reads at each step.
enum class DecoderInput {
  repeated_code,
  /// A single feature that is 0: all it knows is the encoder's state.
  zeros,
  /// The value of the step that it decoded before, zeros at the first: in training the true one (teacher
  /// forcing), at reconstruction its own output, step by step (Malhotra et al. 2016).
  previous_value
};
constexpr std::array<std::string_view, 3> enumerator_names(DecoderInput) {
  return {"repeated_code", "zeros", "previous_value"};
}

/// The state in which decoder layers start.
enum class DecoderState {
  zeros,
  /// The states in which the encoder ends, mirrored: the last encoder layer's goes to the first decoder
  /// layer, and so on. There must be as many layers on both sides, and their sizes equal.
  encoder
};
constexpr std::array<std::string_view, 2> enumerator_names(DecoderState) { return {"zeros", "encoder"}; }

/// What an autoencoder is made of.
struct AutoencoderOptions {
  /// Time steps of a window. Must be given.
  Index steps = 0;
  /// Features of a time step.
  Index features = 1;
  /// From the input on; at least one. All but the last return sequences, whatever `return_sequences` says.
  RecurrentLayers encoder{};
  /// From the repeated code on; at least one. All return sequences.
  RecurrentLayers decoder{};
  /// Either must bring what the encoder knows: the repeated code, its state, or both.
  DecoderInput decoder_input = DecoderInput::repeated_code;
  DecoderState decoder_state = DecoderState::zeros;
  /// The decoder makes the window's last step first (Srivastava et al. 2015, Malhotra et al. 2016), which is
  /// the one that the encoder's state is nearest to. What comes out of the model is in the window's order.
  bool reverse_decoder = false;
  /// Of the dense layer that turns each step of the last decoder layer into features.
  Activation output_activation = activation::linear;
  /// Of the initial weights.
  std::uint64_t seed = 1;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [steps, features, encoder, decoder, decoder_input, decoder_state, reverse_decoder,
           output_activation, seed] = self;
    visit("steps", steps);
    visit("features", features);
    visit("encoder", encoder);
    visit("decoder", decoder);
    visit("decoder_input", decoder_input, DecoderInput::repeated_code);
    visit("decoder_state", decoder_state, DecoderState::zeros);
    visit("reverse_decoder", reverse_decoder, false);
    visit("output_activation", output_activation);
    visit("seed", seed);
  }

  friend bool operator==(const AutoencoderOptions&, const AutoencoderOptions&) = default;
};

/// Recurrent layers that encode a window into one vector, the code, and others that decode the repeated code
/// back into the window (Malhotra et al. 2016 in the form that Keras users know). Trained on normal windows,
/// it reproduces normal windows well and others badly; the error says how strange a window is.
///
///     encoder layers -> RepeatVector(steps) -> decoder layers -> TimeDistributed(Dense(features))
///
/// Or, as Malhotra et al. themselves have it, with a decoder that starts from the encoder's state, makes the
/// window in reverse order, and sees its previous value: see the options.
///
/// A value, whose copies are models of their own; see `ChainModel` for what it shares with other models.
template <typename Scalar_>
class Autoencoder : public ChainModel<Scalar_> {
  using Base = ChainModel<Scalar_>;

 public:
  using Scalar = Scalar_;

  /// Throws when sizes are not positive or too large, encoder or decoder is empty, or the decoder's options
  /// do not go together.
  explicit Autoencoder(AutoencoderOptions options)
      : Base(kind, build(options), options.seed), options_(std::move(options)) {}
  /// With these parameters, in the order of `parameters()`, instead of initial ones; throws also when there
  /// are not as many.
  Autoencoder(AutoencoderOptions options, Vector<Scalar> weights)
      : Base(kind, build(options), std::move(weights)), options_(std::move(options)) {}

  Autoencoder(const Autoencoder&) = default;
  Autoencoder(Autoencoder&&) noexcept = default;
  /// Where there is no memory for the copy, all stays as it was.
  Autoencoder& operator=(const Autoencoder& other) {
    AutoencoderOptions options = other.options_;
    Base::operator=(other);
    options_ = std::move(options);
    return *this;
  }
  Autoencoder& operator=(Autoencoder&&) noexcept = default;
  ~Autoencoder() = default;

  const AutoencoderOptions& options() const {
    theta();  // refuses a model that was moved from
    return options_;
  }
  Index steps() const { return options().steps; }
  Index features() const { return options().features; }
  /// Size of the code.
  Index code_size() const { return this->network().entries()[encoder_size() - 1].output.features; }

  /// Trains to make the source's targets from its inputs: to reproduce them, where the source is `Windows`
  /// without a horizon. A second fit with the same optimizer goes on where the first ended: fit(10) then
  /// fit(20) equals fit(30) bit for bit. With another learning rate, schedule or clip its moments go on, and
  /// the schedule begins at this fit; with another kind, betas or momentum they start anew. Throws `Error` on
  /// options or samples that cannot be, and `TrainingAborted` when loss or gradient stop being finite; the
  /// model is then again as it was before the fit or at the end of an epoch, whichever has the lowest loss
  /// (see `Trainer::fit`).
  History fit(const Source& source, FitOptions options = {}) {
    theta();
    require_padding("fit: windows", source);
    if (options.validation_data) require_padding("fit: validation_data", *options.validation_data);
    return this->train(source, std::move(options), options_);
  }

  /// The windows, or other samples' inputs, as the model reproduces them.
  [[nodiscard]] Sequences<Scalar> reconstruct(const Source& source,
                                              const InferenceOptions& options = {}) const {
    detail::LayerRange layers = this->all_layers();
    layers.ends_with_input = true;
    return run(source, layers, "reconstruct: windows", options);
  }
  [[nodiscard]] Sequences<Scalar> reconstruct(const Sequences<Scalar>& input,
                                              const InferenceOptions& options = {}) const {
    return detail::infer_sequences(this->network(), theta(), input, this->all_layers(), "reconstruct: input",
                                   options);
  }
  /// The same of samples of different lengths, one a sample, valid steps first; zeros stand behind them.
  /// `lengths` is a `std::vector<Index>`. A template, since braces stand for options or for the list below.
  template <std::same_as<std::vector<Index>> Lengths>
  [[nodiscard]] Sequences<Scalar> reconstruct(Sequences<Scalar> input, Lengths lengths,
                                              const InferenceOptions& options = {}) const {
    return reconstruct(ArraySource<Scalar>(std::move(input), std::move(lengths)), options);
  }
  [[nodiscard]] Sequences<Scalar> reconstruct(Sequences<Scalar> input, std::initializer_list<Index> lengths,
                                              const InferenceOptions& options = {}) const {
    return reconstruct(std::move(input), std::vector<Index>(lengths), options);
  }
  /// The same into memory of the caller, all samples at once: the workspace grows with them. Allocates
  /// nothing once the workspace has seen a batch of this size, and does not look for NaN: a window that holds
  /// one comes out as NaN, the others as they would without it.
  void reconstruct(SequenceView<const Scalar> input, SequenceView<Scalar> output,
                   InferenceWorkspace<Scalar>& workspace) const {
    detail::infer_views(this->network(), theta(), input, output, workspace, "reconstruct");
  }

  /// The codes of the windows: batch x 1 step x code_size.
  [[nodiscard]] Sequences<Scalar> encode(const Source& source, const InferenceOptions& options = {}) const {
    return run(source, encoder(), "encode: windows", options);
  }
  [[nodiscard]] Sequences<Scalar> encode(const Sequences<Scalar>& input,
                                         const InferenceOptions& options = {}) const {
    return detail::infer_sequences(this->network(), theta(), input, encoder(), "encode: input", options);
  }
  /// From codes, as `encode` gives them, to windows. Throws for a decoder that starts from the encoder's
  /// state, of which the code is only a part.
  [[nodiscard]] Sequences<Scalar> decode(const Sequences<Scalar>& codes,
                                         const InferenceOptions& options = {}) const {
    if (options_.decoder_state == DecoderState::encoder) {
      detail::fail("decode", "a decoder that needs nothing but the code",
                   "one that starts from the encoder's state; use reconstruct");
    }
    return detail::infer_sequences(
        this->network(), theta(), codes,
        {encoder_size(), last(), {.steps = 1, .features = code_size()}, this->network().output_shape()},
        "decode: codes", options);
  }

  /// Mean loss over the source's samples as `reconstruct` gives them, without dropout or teacher forcing;
  /// where samples have lengths, over all their valid steps. The loss is that of the last fit, unless the
  /// options name one; the mean squared error before the first.
  [[nodiscard]] double evaluate(const Source& source, EvaluateOptions options = {}) const {
    theta();
    require_padding("evaluate: windows", source);
    return this->measure(source, std::move(options));
  }

  [[nodiscard]] Summary summary() const {
    return this->summary_with([&](std::size_t l) { return l + 1 == encoder_size(); });
  }

  /// All that the model is, for files and whatever else keeps it.
  static constexpr const char* kind = "Autoencoder";
  void write_snapshot(SnapshotWriter& writer) const { this->write(writer, options_); }
  static Autoencoder read_snapshot(SnapshotReader& reader) {
    AutoencoderOptions options;
    reader.section("options", options);
    detail::require_sizes(reader, "options", {.steps = options.steps, .features = options.features});
    const Index count = build(options).parameters().size();
    reader.require_room(count);
    Autoencoder model(std::move(options), Vector<Scalar>(count));
    model.read_values(reader);
    return model;
  }

 private:
  using Base::theta;

  static Sequential<Scalar> build(AutoencoderOptions& options) {
    Sequential<Scalar> network({.steps = options.steps, .features = options.features});
    if (options.encoder.empty()) detail::fail("Autoencoder", "at least one encoder layer", "none");
    if (options.decoder.empty()) detail::fail("Autoencoder", "at least one decoder layer", "none");
    require_decoder(options);
    const auto add = [&](RecurrentLayers& layers, const std::string& side, bool last_returns_sequences) {
      for (std::size_t l = 0; l < layers.size(); ++l) {
        layers.layer(l).set_return_sequences(l + 1 < layers.size() || last_returns_sequences);
        network.add(side + "." + std::to_string(l),
                    layers.layer(l).make<Scalar>(network.output_shape().features));
      }
    };
    add(options.encoder, "encoder", false);
    switch (options.decoder_input) {
      case DecoderInput::repeated_code: network.add("repeat", RepeatVector<Scalar>(options.steps)); break;
      case DecoderInput::zeros: network.add("zeros", Zeros<Scalar>(options.steps)); break;
      case DecoderInput::previous_value:
        network.add("previous", PreviousValue<Scalar>(network.input_shape(), options.reverse_decoder));
        break;
    }
    add(options.decoder, "decoder", true);
    if (options.decoder_state == DecoderState::encoder) {
      for (std::size_t l = 0; l < options.decoder.size(); ++l) {
        const std::size_t first_decoder = options.encoder.size() + 1;
        network.carry_state(options.encoder.size() - 1 - l, first_decoder + l);
      }
    }
    network.add("output", TimeDistributed<Scalar>(
                              network.output_shape().features,
                              {.units = options.features, .activation = options.output_activation}));
    if (options.reverse_decoder) network.add("reverse", Reverse<Scalar>());
    return network;
  }
  static void require_decoder(const AutoencoderOptions& options) {
    if (options.decoder_state == DecoderState::encoder) {
      if (options.encoder.size() == options.decoder.size()) return;
      detail::fail("Autoencoder",
                   {"as many decoder layers as encoder layers, from whose states they start, that is ",
                    options.encoder.size()},
                   {options.decoder.size()});
    }
    if (options.decoder_input != DecoderInput::repeated_code) {
      detail::fail("Autoencoder", "a decoder that reads the repeated code or starts from the encoder's state",
                   "one that does neither");
    }
  }

  /// A decoder that starts with the last step would read padding as a true value in training, and its own
  /// guess of it afterwards.
  void require_padding(const char* what, const Source& source) const {
    if (options_.decoder_input != DecoderInput::previous_value || !options_.reverse_decoder) return;
    if (source.has_lengths()) detail::fail(what, "samples that are all full, for such a decoder", "lengths");
    const auto* const joined = source.get_if<JoinedWindows>();
    const auto* const windows = joined != nullptr ? &joined->parts().front() : source.get_if<Windows>();
    if (windows == nullptr || windows->length() % windows->patch() == 0) return;
    detail::fail(what,
                 "whole patches, since the decoder starts with the last one and reads it as the value before",
                 {windows->length(), " steps in patches of ", windows->patch()});
  }

  std::size_t encoder_size() const { return options_.encoder.size(); }
  std::size_t last() const { return this->network().entries().size(); }

  detail::LayerRange encoder() const {
    return {0, encoder_size(), this->network().input_shape(), {.steps = 1, .features = code_size()}};
  }
  Sequences<Scalar> run(const Source& source, const detail::LayerRange& layers, const char* what,
                        const InferenceOptions& options) const {
    detail::require_equal_shape(what, layers.input, source.input_shape());  // before the padding
    require_padding(what, source);
    return detail::infer_source(this->network(), theta(), source, layers, what, options);
  }

  AutoencoderOptions options_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
