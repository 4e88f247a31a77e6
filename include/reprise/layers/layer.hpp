#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "../core/parameters.hpp"
#include "../core/random.hpp"
#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What decides on a layer's random numbers, and whether it draws any.
struct LayerContext {
  /// Dropout acts in training only.
  bool training = false;
  /// Random numbers are a function of seed, step (of the optimizer), layer, sample and unit, so that neither
  /// the number of threads nor the order of calls changes them.
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint32_t layer = 0;
  /// Number, within the whole batch, of the first sample in the shard that this call sees.
  Index first_sample = 0;
  /// Where the samples of the shard are not in the order of the batch (they are sorted when their lengths
  /// differ): the number of each, counted from `first_sample`.
  std::span<const Index> places{};

  /// The number, within the whole batch, of sample b of this call.
  Index sample(Index b) const {
    return first_sample + (places.empty() ? b : places[static_cast<std::size_t>(b)]);
  }
};

/// The states that a layer starts from and ends in: `state_size()` scalars for each sample. What a layer's
/// state consists of stands one part after the other, each with one column per sample (an LSTM: h, H x batch,
/// then c). Null where not wanted: a missing initial state is zero, and so is a missing gradient of a final
/// one. `initial` and `final` are for `forward` and `infer`; what `backward` needs of them goes onto the
/// tape.
template <typename Scalar>
struct LayerStates {
  const Scalar* initial = nullptr;
  Scalar* final = nullptr;
  // For `backward`.
  const Scalar* final_gradient = nullptr;
  Scalar* initial_gradient = nullptr;
};

/// Dropout masks that are handed in instead of drawn, scaled already: features x batch; more than one after
/// the other where a layer draws one for each of its gates. For tests against other implementations.
template <typename Scalar>
struct DropoutMasks {
  const Scalar* inputs = nullptr;
  const Scalar* recurrent = nullptr;
};

/// What a call of a layer gets besides input and output. All of it belongs to the caller.
template <typename Scalar>
struct LayerCall {
  /// The layer's own parameters.
  const Scalar* theta = nullptr;
  /// `tape_size()` scalars that `forward` fills and `backward` reads; null at inference.
  Scalar* tape = nullptr;
  /// `scratch_size()` scalars, with anything in them. Aligned as Eigen aligns its own arrays.
  Scalar* scratch = nullptr;
  /// For `backward`: where the gradient of the parameters is *added*.
  Scalar* gradient = nullptr;
  LayerStates<Scalar> states{};
  /// How many of the steps of each sample are valid: the first ones. Longest samples first. Empty: all steps
  /// of all samples are. A layer sees it only if its traits say what it does with it.
  std::span<const Index> lengths{};
  DropoutMasks<Scalar> masks{};
  LayerContext context{};
};

/// What a layer does with samples of different lengths.
enum class Lengths {
  /// It does not know of lengths: a `Sequential` that meets some refuses them.
  refused,
  /// Its output has the input's steps, and the same of them are valid.
  kept,
  /// All steps of its output are valid, such as the last state, or a vector that is repeated.
  dropped
};

/// Whether a layer stands for the network's own output of the step before: in training it is shown the
/// network's input in its place, at inference the layers behind it run one step after the other. `reversed`:
/// those layers make the last step first, and the last of them turns the order round.
enum class FeedsBack { no, forwards, reversed };

/// What those who put layers together must know of one.
struct LayerTraits {
  Lengths lengths = Lengths::refused;
  /// It reads an input that is the same at all steps from one step in memory (`SequenceView::repeated`).
  bool takes_repeated = false;
  /// Its output is the same at all steps, and it writes only one where the view is marked as repeated.
  bool makes_repeated = false;
  /// Step t of its output needs only step t of the input, and the state in which step t - 1 ended.
  bool stepwise = false;
  FeedsBack feeds_back = FeedsBack::no;
  /// Its output is its input with the steps from the last to the first.
  bool turns_round = false;
  /// How many parts its state has, all of one size (an LSTM's has two, h and c).
  Index state_parts = 1;
};

/// A layer holds its configuration and nothing else: parameters, outputs, tape, gradients and scratch belong
/// to the caller, so that one const layer serves many threads. All sizes are in scalars.
///
/// * `name` is the type's name in summaries, Keras's where it has one.
/// * `output_shape` throws where the input does not fit.
/// * `add_parameters` appends the names and shapes of its tensors, each name with the prefix;
///   `initialize` fills them.
/// * `tape_size` and `scratch_size` are never larger for a smaller batch.
/// * `forward` keeps on the tape what `backward` needs.
/// * `infer(in, out, call)` does the same without a tape. A layer that has none is inferred by `forward`.
/// * `backward` turns the gradient dy of the output into dx, that of the input (not wanted where dx has no
///   data), and *adds* the gradient of the parameters to `call.gradient`.
///
/// `LayerDefaults` has the answers of a layer without parameters, memory and state. What each function must
/// do is said in docs/own-layers.md.
template <typename L>
concept Layer =
    requires(const L layer, SequenceShape shape, Index batch, typename L::Scalar* theta,
             ParameterTable& table, RandomStream& random, SequenceView<const typename L::Scalar> in,
             SequenceView<typename L::Scalar> out, const LayerCall<typename L::Scalar>& call) {
      { layer.name() } -> std::convertible_to<std::string>;
      { layer.output_shape(shape) } -> std::same_as<SequenceShape>;
      layer.add_parameters(table, std::string());
      layer.initialize(theta, random);
      { layer.tape_size(shape, batch) } -> std::same_as<Index>;
      { layer.scratch_size(shape, batch) } -> std::same_as<Index>;
      { layer.state_size() } -> std::same_as<Index>;
      { layer.traits() } -> std::same_as<LayerTraits>;
      layer.forward(in, out, call);
      layer.backward(in, in, in, out, call);
    };

/// The answers of a layer that has no parameters, tape, scratch or state, and whose output has the shape of
/// its input. A layer derives from it and says what is different.
template <typename Scalar_>
struct LayerDefaults {
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  SequenceShape output_shape(SequenceShape in) const { return in; }
  void add_parameters(ParameterTable&, const std::string&) const {}
  void initialize(Scalar*, RandomStream&) const {}
  Index tape_size(SequenceShape, Index) const { return 0; }
  Index scratch_size(SequenceShape, Index) const { return 0; }
  Index state_size() const { return 0; }
  LayerTraits traits() const { return {}; }
};

namespace detail {

/// Inverted dropout: 1 / (1 - rate) with probability 1 - rate, else 0. One number a feature and sample.
template <typename Scalar>
void draw_dropout_mask(double rate, Index features, Index batch, Purpose purpose, std::uint32_t which,
                       const LayerContext& context, Scalar* mask) {
  const auto keep = static_cast<Scalar>(1.0 / (1.0 - rate));
  const std::uint64_t key = context.seed;
  for (Index b = 0; b < batch; ++b) {
    const auto sample = static_cast<std::uint32_t>(context.sample(b));
    for (Index f = 0; f < features; f += 4) {
      const auto draw = philox({static_cast<std::uint32_t>(f / 4) | which << 28, context.step, sample,
                                static_cast<std::uint32_t>(purpose) << 24 | context.layer},
                               key);
      for (Index k = 0; k < std::min<Index>(4, features - f); ++k) {
        mask[b * features + f + k] =
            uniform_from(draw[static_cast<std::size_t>(k)]) < rate ? Scalar(0) : keep;
      }
    }
  }
}

/// Fills `count` masks one after the other: with those handed in, with drawn ones in training, else with
/// ones.
template <typename Scalar>
void fill_dropout_masks(double rate, Index count, Index features, Index batch, Purpose purpose,
                        const Scalar* given, const LayerContext& context, Scalar* masks) {
  for (Index m = 0; m < count; ++m) {
    Scalar* const mask = masks + m * features * batch;
    if (!context.training) {
      std::fill_n(mask, features * batch, Scalar(1));
    } else if (given != nullptr) {
      std::copy_n(given + m * features * batch, features * batch, mask);
    } else {
      draw_dropout_mask(rate, features, batch, purpose, static_cast<std::uint32_t>(m), context, mask);
    }
  }
}

/// Samples that have a step k: the first ones, since the longest come first.
inline Index samples_at(std::span<const Index> lengths, Index batch, Index k) {
  if (lengths.empty()) return batch;
  Index count = batch;
  while (count > 0 && lengths[static_cast<std::size_t>(count - 1)] <= k) --count;
  return count;
}
/// The last step at which the sample is valid, plus one.
inline Index length_of(std::span<const Index> lengths, Index sample, Index steps) {
  return lengths.empty() ? steps : lengths[static_cast<std::size_t>(sample)];
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
