#pragma once

#include "recurrent_products.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What an `Lstm` keeps between `forward` and `backward`. Everything with a step is in the order of reading,
/// also with go_backwards.
template <typename Scalar>
struct LstmTape {
  /// [i; f; g; o], 4H x batch a step; c and a(c), H x batch a step.
  Scalar *gates, *cell, *activated_cell;
  /// h of each step; with return_sequences that is the output, and this is null.
  Scalar* hidden;
  Scalar *initial_h, *initial_c;
  /// Null without dropout.
  Scalar *input_masks, *recurrent_masks;
  Index size;
};

/// What it needs only while a call runs.
template <typename Scalar>
struct LstmScratch {
  typename RecurrentProducts<Scalar>::Scratch products;
  /// States at inference, their gradients backwards.
  Scalar *h, *c;
  /// dz of a few steps; at inference the gates of one step, or of some for a batch of one.
  Scalar* dz;
  /// Of an input that is the same at every step: W x + b, or the sum of dz.
  Scalar* repeated;
  /// The input of a step whose samples stand at different times, or its gradient.
  Scalar* gathered;
  Index size;
};

/// Where the parts of tape and scratch stand for T steps of B samples.
template <typename Scalar>
struct LstmMemory {
  /// Inputs and units. X and not I, which C's <complex.h> defines as a macro.
  Index X, H;
  bool return_sequences;
  /// Masks for x and h, H or X values each for a sample; 0: no dropout.
  Index input_masks, recurrent_masks;

  LstmTape<Scalar> tape(Scalar* memory, Index T, Index B) const {
    Carver<Scalar> carve(memory);
    LstmTape<Scalar> t{};
    t.gates = carve.take(4 * H * B * T);
    t.cell = carve.take(H * B * T);
    t.activated_cell = carve.take(H * B * T);
    if (!return_sequences) t.hidden = carve.take(H * B * T);
    t.initial_h = carve.take(H * B);
    t.initial_c = carve.take(H * B);
    if (input_masks > 0) t.input_masks = carve.take(input_masks * X * B);
    if (recurrent_masks > 0) t.recurrent_masks = carve.take(recurrent_masks * H * B);
    t.size = carve.used();
    return t;
  }

  LstmScratch<Scalar> scratch(const RecurrentProducts<Scalar>& products, Scalar* memory, Index T,
                              Index B) const {
    // No batch up to B has more columns; a smaller one may have more than this one.
    const Index columns = std::min(B * T, std::max(columns_at_once, B));
    Carver<Scalar> carve(memory);
    LstmScratch<Scalar> s{};
    s.products = products.carve(carve, columns, columns_at_once, B);
    s.h = carve.take(H * B);
    s.c = carve.take(H * B);
    s.dz = carve.take(4 * H * columns);
    s.repeated = carve.take(4 * H * B);
    s.gathered = carve.take(X * B);
    s.size = carve.used();
    return s;
  }
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
