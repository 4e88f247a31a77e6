#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string>

#include "../core/parameters.hpp"
#include "../core/random.hpp"
#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What a call of a layer needs besides its numbers.
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
};

/// A layer holds its configuration and nothing else: parameters, outputs, tape, gradients and scratch belong
/// to the caller, so that one const layer serves many threads. All sizes are in scalars; `theta` points to
/// the layer's slice of the parameters. Scratch must be aligned as Eigen aligns its own arrays
/// (EIGEN_MAX_ALIGN_BYTES; a `Vector` is).
///
/// * `forward` for training keeps on the tape what `backward` needs; `infer` keeps nothing.
/// * `backward` turns the gradient of the output into that of the input (none where it has no data) and
/// *adds*
///   the gradient of the parameters.
template <typename L>
concept Layer = requires(const L layer, typename L::Scalar* mutable_data, const typename L::Scalar* data,
                         SequenceShape shape, Index batch, SequenceView<const typename L::Scalar> in,
                         SequenceView<typename L::Scalar> out, const LayerContext& context,
                         ParameterTable& table, RandomStream& random) {
  { layer.output_shape(shape) } -> std::same_as<SequenceShape>;
  layer.add_parameters(table, std::string());
  layer.initialize(mutable_data, random);
  { layer.tape_size(shape, batch) } -> std::same_as<Index>;
  { layer.scratch_size(shape, batch) } -> std::same_as<Index>;
  layer.forward(data, in, out, mutable_data, mutable_data, context);
  layer.infer(data, in, out, mutable_data, context);
  layer.backward(data, in, out, out, out, mutable_data, mutable_data, mutable_data, context);
};

namespace detail {

/// Inverted dropout: 1 / (1 - rate) with probability 1 - rate, else 0. One number a feature and sample.
template <typename Scalar>
void draw_dropout_mask(double rate, Index features, Index batch, Purpose purpose, std::uint32_t which,
                       const LayerContext& context, Scalar* mask) {
  const auto keep = static_cast<Scalar>(1.0 / (1.0 - rate));
  const std::uint64_t key = context.seed;
  for (Index b = 0; b < batch; ++b) {
    const auto sample = static_cast<std::uint32_t>(context.first_sample + b);
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

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
