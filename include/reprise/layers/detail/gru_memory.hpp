#pragma once

#include "recurrent_products.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What a `Gru` keeps between `forward` and `backward`. Everything with a step is in the order of reading,
/// also with go_backwards.
template <typename Scalar>
struct GruTape {
  /// [z; r; g], 3H x batch a step.
  Scalar* gates;
  /// What the reset gate acts on or makes, H x batch a step: vg with reset_after, else q.
  Scalar* past;
  /// h of each step; with return_sequences that is the output, and this is null.
  Scalar* hidden;
  Scalar* initial_h;
  /// Null without dropout.
  Scalar *input_masks, *recurrent_masks;
  Index size;
};

/// What it needs only while a call runs.
template <typename Scalar>
struct GruScratch {
  typename RecurrentProducts<Scalar>::Scratch products;
  /// The state at inference, its gradient backwards.
  Scalar* h;
  /// du and dv of a few steps; forwards the gates of one step (at inference) and its v.
  Scalar *du, *dv;
  /// At inference vg or q of a step; backwards dq.
  Scalar* past;
  /// h_prev seen through the candidate's mask.
  Scalar* seen;
  /// Of an input that is the same at every step: W x + b, or the sum of du.
  Scalar* repeated;
  /// The input of a step whose samples stand at different times, or its gradient.
  Scalar* gathered;
  Index size;
};

/// Where the parts of tape and scratch stand for T steps of B samples.
template <typename Scalar>
struct GruMemory {
  /// Inputs and units. X and not I, which C's <complex.h> defines as a macro.
  Index X, H;
  bool return_sequences;
  /// Masks for x and h, I or H values each for a sample; 0: no dropout.
  Index input_masks, recurrent_masks;

  GruTape<Scalar> tape(Scalar* memory, Index T, Index B) const {
    Carver<Scalar> carve(memory);
    GruTape<Scalar> t{};
    t.gates = carve.take(3 * H * B * T);
    t.past = carve.take(H * B * T);
    if (!return_sequences) t.hidden = carve.take(H * B * T);
    t.initial_h = carve.take(H * B);
    if (input_masks > 0) t.input_masks = carve.take(input_masks * X * B);
    if (recurrent_masks > 0) t.recurrent_masks = carve.take(recurrent_masks * H * B);
    t.size = carve.used();
    return t;
  }

  GruScratch<Scalar> scratch(const RecurrentProducts<Scalar>& products, Scalar* memory, Index T,
                             Index B) const {
    // No batch up to B has more columns; a smaller one may have more than this one.
    const Index columns = std::min(B * T, std::max(columns_at_once, B));
    Carver<Scalar> carve(memory);
    GruScratch<Scalar> s{};
    s.products = products.carve(carve, columns, columns_at_once, B);
    s.h = carve.take(H * B);
    s.du = carve.take(3 * H * columns);
    s.dv = carve.take(3 * H * columns);
    s.past = carve.take(H * B);
    s.seen = carve.take(H * B);
    s.repeated = carve.take(3 * H * B);
    s.gathered = carve.take(X * B);
    s.size = carve.used();
    return s;
  }
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
