#pragma once

#include "lstm_cell.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The states of an LSTM layer that a caller may hand in or ask for, H x batch each; null where not wanted. A
/// missing initial state is zero, a missing gradient of a final state likewise.
template <typename Scalar>
struct LstmStates {
  const Scalar* initial_h = nullptr;
  const Scalar* initial_c = nullptr;
  Scalar* final_h = nullptr;
  Scalar* final_c = nullptr;
  // for `backward`
  const Scalar* final_h_gradient = nullptr;
  const Scalar* final_c_gradient = nullptr;
  Scalar* initial_h_gradient = nullptr;
  Scalar* initial_c_gradient = nullptr;
};

/// Dropout masks handed in instead of drawn, scaled already: features x batch, four one after the other (for
/// i, f, g, o) where recurrent_dropout is on, else one. For tests against other implementations.
template <typename Scalar>
struct LstmMasks {
  const Scalar* inputs = nullptr;
  const Scalar* recurrent = nullptr;
};

/// An LSTM over a whole sequence: the equations of `LstmCell`, and backpropagation through time as one
/// reverse sweep (Werbos 1990). The weights are packed once for all steps, for batches of more than one.
///
/// Shapes: input I x batch x T; output H x batch x T with return_sequences, else H x batch x 1. Where every
/// step of the input is the same (`SequenceView::repeated`), W x is computed once, and its gradient from the
/// sum of dz over the steps.
template <typename Scalar_, int Inputs = Eigen::Dynamic, int Units = Eigen::Dynamic>
class Lstm {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;

  /// `inputs`: features of each step of the input.
  Lstm(Index inputs, const LstmOptions& options) : cell_(inputs, options) {}

  const LstmCell<Scalar, Inputs, Units>& cell() const { return cell_; }
  const LstmOptions& options() const { return cell_.options(); }
  Index units() const { return cell_.units(); }
  Index parameter_count() const { return cell_.parameter_count(); }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    cell_.add_parameters(table, prefix);
  }
  void initialize(Scalar* theta, RandomStream& random) const { cell_.initialize(theta, random); }

  SequenceShape output_shape(SequenceShape in) const {
    if (in.features != cell_.inputs()) {
      detail::fail("Lstm", {cell_.inputs(), " input features"}, {in.features});
    }
    return {units(), options().return_sequences ? in.steps : 1};
  }

  Index tape_size(SequenceShape in, Index batch) const { return tape(nullptr, in.steps, batch).size; }
  Index scratch_size(SequenceShape in, Index batch) const { return scratch(nullptr, in.steps, batch).size; }

  void forward(const Scalar* theta, Input x, Output y, Scalar* tape_memory, Scalar* scratch_memory,
               const LayerContext& context, const LstmStates<Scalar>& states = {},
               const LstmMasks<Scalar>& masks = {}) const {
    const Index H = units(), B = x.batch, T = x.steps, I = x.features;
    const Tape t = tape(tape_memory, T, B);
    const Scratch s = scratch(scratch_memory, T, B);
    set_or_zero(t.initial_h, states.initial_h, H * B);
    set_or_zero(t.initial_c, states.initial_c, H * B);
    take_masks(options().dropout, I, B, Purpose::dropout, masks.inputs, t.masks.inputs, context);
    take_masks(options().recurrent_dropout, H, B, Purpose::recurrent_dropout, masks.recurrent,
               t.masks.recurrent, context);

    Scalar* const hidden = options().return_sequences ? y.data : t.hidden;
    pack_weights(theta, false, s);
    if (x.repeated) project_input(theta, x, t.masks, s);
    for (Index k = 0; k < T; ++k) {
      const Scalar* h_prev = k == 0 ? t.initial_h : hidden + (k - 1) * H * B;
      const Scalar* c_prev = k == 0 ? t.initial_c : t.cell + (k - 1) * H * B;
      Scalar* gates = t.gates + k * 4 * H * B;
      preactivations(theta, x, k, h_prev, t.masks, gates, s);
      cell_.gates_forward(gates, c_prev, t.cell + k * H * B, t.activated_cell + k * H * B, hidden + k * H * B,
                          B);
    }
    const Index last = (T - 1) * H * B;
    if (!options().return_sequences) std::copy_n(hidden + last, H * B, y.data);
    if (states.final_h != nullptr) std::copy_n(hidden + last, H * B, states.final_h);
    if (states.final_c != nullptr) std::copy_n(t.cell + last, H * B, states.final_c);
  }

  /// The same without tape or dropout; its scratch grows with T up to a fixed number of steps only.
  void infer(const Scalar* theta, Input x, Output y, Scalar* scratch_memory, const LayerContext&,
             const LstmStates<Scalar>& states = {}) const {
    const Index H = units(), B = x.batch, T = x.steps;
    const Scratch s = scratch(scratch_memory, T, B);
    set_or_zero(s.h, states.initial_h, H * B);
    set_or_zero(s.c, states.initial_c, H * B);
    const Scalar* h_last = B == 1 ? infer_one(theta, x, y, s) : infer_batch(theta, x, y, s);
    if (!options().return_sequences) std::copy_n(s.h, H * B, y.data);
    if (states.final_h != nullptr) std::copy_n(h_last, H * B, states.final_h);
    if (states.final_c != nullptr) std::copy_n(s.c, H * B, states.final_c);
  }

  /// `dy` is the gradient of the output. dW, dU and db are added to `gradient`; `dx` is set where it has
  /// data. The tape is only read.
  void backward(const Scalar* theta, Input x, Input y, Input dy, Output dx, Scalar* tape_memory,
                Scalar* scratch_memory, Scalar* gradient, const LayerContext&,
                const LstmStates<Scalar>& states = {}) const {
    const Index H = units(), B = x.batch, T = x.steps;
    const bool sequences = options().return_sequences;
    const Tape t = tape(tape_memory, T, B);
    const Scratch s = scratch(scratch_memory, T, B);
    const Scalar* hidden = sequences ? y.data : t.hidden;
    Scalar* const dh = s.h;
    Scalar* const dc = s.c;
    set_or_zero(dh, states.final_h_gradient, H * B);
    set_or_zero(dc, states.final_c_gradient, H * B);
    detail::add(dh, dy.data + (sequences ? (T - 1) * H * B : 0), H * B);
    if (x.repeated) std::fill_n(s.repeated, 4 * H * B, Scalar(0));

    pack_weights(theta, true, s);
    // A few steps at a time: enough columns of dz for the products that make the weights' gradients, and few
    // enough to be still in a cache near the core by then.
    for (Index last = T; last > 0;) {
      const Index first = std::max(Index(0), last - steps_at_once(T, B));
      for (Index k = last - 1; k >= first; --k) {
        Scalar* dz = s.dz + (k - first) * 4 * H * B;
        const Scalar* c_prev = k == 0 ? t.initial_c : t.cell + (k - 1) * H * B;
        cell_.gates_backward(t.gates + k * 4 * H * B, c_prev, t.activated_cell + k * H * B, dh, dc, dz, B);
        if (x.repeated) detail::add(s.repeated, dz, 4 * H * B);
        if (k > 0 || states.initial_h_gradient != nullptr) {
          const Scalar* dy_before = sequences && k > 0 ? dy.data + (k - 1) * H * B : nullptr;
          previous_gradient(dh, {dy_before, H}, dz, s.recurrent, H, t.masks.recurrent, s.masked_h, B);
        }
      }
      // Steps whose inputs and previous states stand side by side are one product.
      const bool one_by_one =
          options().go_backwards || t.masks.inputs != nullptr || t.masks.recurrent != nullptr;
      for (Index k = first, steps = 0; k < last; k += steps) {
        steps = k == 0 || one_by_one ? 1 : last - k;
        const Scalar* dz = s.dz + (k - first) * 4 * H * B;
        const Scalar* h_prev = k == 0 ? t.initial_h : hidden + (k - 1) * H * B;
        pack_dz(dz, B * steps, s);
        recurrent_kernel_gradient(h_prev, B * steps, t.masks, gradient, s);
        if (!x.repeated) input_gradients(dz, x, k, steps, t.masks, dx, gradient, s);
        if (!x.repeated) bias_gradient(dz, B * steps, gradient);
      }
      last = first;
    }
    if (x.repeated) {
      pack_dz(s.repeated, B, s);
      input_gradients(s.repeated, x, 0, 1, t.masks, dx, gradient, s);
      bias_gradient(s.repeated, B, gradient);
    }
    if (states.initial_h_gradient != nullptr) std::copy_n(dh, H * B, states.initial_h_gradient);
    if (states.initial_c_gradient != nullptr) std::copy_n(dc, H * B, states.initial_c_gradient);
  }

 private:
  using Factor = detail::Factor<Scalar>;
  using Start = detail::Start<Scalar>;
  template <std::size_t count>
  using Terms = std::array<detail::Term<Scalar>, count>;

  // Everything with a step is in the order of reading, also with go_backwards. With return_sequences the
  // hidden states are the output.
  struct Masks {
    Scalar *inputs = nullptr, *recurrent = nullptr;
  };
  struct Tape {
    Scalar *gates, *cell, *activated_cell, *hidden, *initial_h, *initial_c;
    Masks masks;
    Index size;
  };
  struct Scratch {
    /// W and U, or their transposes, packed.
    Scalar *kernel, *recurrent;
    /// States at inference, their gradients backwards.
    Scalar *h, *c;
    /// dz of a few steps, as it is and packed; at inference the gates of one, or of some for a batch of one.
    Scalar *dz, *packed_dz;
    /// What dz is multiplied with for the weights' gradients, packed where that pays.
    Scalar* tiles;
    /// Of an input that is the same at every step: W x + b, or the sum of dz.
    Scalar* repeated;
    Scalar *masked_x, *masked_h;
    Index size;
  };

  /// Blocks of rows of W and U that see the same x and h: Keras draws one mask for each gate, for x and h
  /// alike, when recurrent_dropout is on; else one for x.
  Index blocks() const { return options().recurrent_dropout > 0 ? 4 : 1; }
  Index block_rows() const { return 4 * units() / blocks(); }

  /// Whether there are panels enough of dz to pay for packing what they are multiplied with.
  bool packs_tiles(Index columns) const {
    return block_rows() >= 512 && detail::can_pack_tiles<Scalar>(block_rows(), columns);
  }

  static constexpr Index columns_at_once = 256;
  static Index steps_at_once(Index T, Index B) { return std::clamp<Index>(columns_at_once / B, 1, T); }

  Tape tape(Scalar* memory, Index T, Index B) const {
    const Index H = units(), I = cell_.inputs();
    detail::Carver<Scalar> carve(memory);
    Tape t{};
    t.gates = carve.take(4 * H * B * T);
    t.cell = carve.take(H * B * T);
    t.activated_cell = carve.take(H * B * T);
    if (!options().return_sequences) t.hidden = carve.take(H * B * T);
    t.initial_h = carve.take(H * B);
    t.initial_c = carve.take(H * B);
    if (options().dropout > 0) t.masks.inputs = carve.take(blocks() * I * B);
    if (options().recurrent_dropout > 0) t.masks.recurrent = carve.take(4 * H * B);
    t.size = carve.used();
    return t;
  }
  Scratch scratch(Scalar* memory, Index T, Index B) const {
    const Index H = units(), I = cell_.inputs();
    // No batch up to B has more; a smaller one may have more than this one.
    const Index columns = std::min(B * T, std::max(columns_at_once, B));
    const Index tiled_columns = std::min(columns, columns_at_once);
    detail::Carver<Scalar> carve(memory);
    Scratch s{};
    s.kernel = carve.take(blocks() * packed_block(I));
    s.recurrent = carve.take(blocks() * packed_block(H));
    s.h = carve.take(H * B);
    s.c = carve.take(H * B);
    s.dz = carve.take(4 * H * columns);
    s.packed_dz = carve.take(blocks() * detail::packed_size<Scalar>(block_rows(), columns));
    if (packs_tiles(tiled_columns)) s.tiles = carve.take(std::max(I, H) * tiled_columns);
    s.repeated = carve.take(4 * H * B);
    s.masked_x = carve.take(I * B);
    s.masked_h = carve.take(H * B);
    s.size = carve.used();
    return s;
  }

  static void set_or_zero(Scalar* to, const Scalar* from, Index count) {
    if (from == nullptr) {
      std::fill_n(to, count, Scalar(0));
    } else {
      std::copy_n(from, count, to);
    }
  }
  /// `values` where there is no mask, else their product in `buffer`.
  static const Scalar* masked(const Scalar* values, const Scalar* mask, Index count, Scalar* buffer) {
    if (mask == nullptr) return values;
    detail::multiply_each(buffer, values, mask, count);
    return buffer;
  }
  static const Scalar* block_of(const Scalar* masks, Index block, Index count) {
    return masks == nullptr ? nullptr : masks + block * count;
  }
  /// Where the input of step k, in the order of reading, stands in time.
  Index time_of(Index k, Input x) const {
    if (x.repeated) return 0;
    return options().go_backwards ? x.steps - 1 - k : k;
  }

  void take_masks(double rate, Index features, Index batch, Purpose purpose, const Scalar* given,
                  Scalar* masks, const LayerContext& context) const {
    if (masks == nullptr) return;
    for (Index m = 0; m < blocks(); ++m) {
      Scalar* mask = masks + m * features * batch;
      if (!context.training) {
        std::fill_n(mask, features * batch, Scalar(1));
      } else if (given != nullptr) {
        std::copy_n(given + m * features * batch, features * batch, mask);
      } else {
        detail::draw_dropout_mask(rate, features, batch, purpose, static_cast<std::uint32_t>(m), context,
                                  mask);
      }
    }
  }

  /// Scalars that one packed block of W (cols = I) or U (cols = H) takes, transposed or not.
  Index packed_block(Index cols) const {
    return detail::whole_packets(std::max(detail::packed_size<Scalar>(block_rows(), cols),
                                          detail::packed_size<Scalar>(cols, block_rows())));
  }
  void pack_weights(const Scalar* theta, bool transpose, const Scratch& s) const {
    const Index H = units(), I = cell_.inputs(), rows = block_rows();
    const auto pack = [&](const Scalar* weights, Index cols, Scalar* packed) {
      for (Index m = 0; m < blocks(); ++m) {
        const Factor block = transpose ? Factor{weights + m * rows, cols, rows, 4 * H, true}
                                       : Factor{weights + m * rows, rows, cols, 4 * H, false};
        detail::pack(block, packed + m * packed_block(cols));
      }
    };
    pack(theta, I, s.kernel);
    pack(cell_.recurrent_kernel(theta).data(), H, s.recurrent);
  }
  /// Inference from the state in `s`; returns where the last hidden state is.
  const Scalar* infer_batch(const Scalar* theta, Input x, Output y, const Scratch& s) const {
    const Index H = units(), B = x.batch;
    pack_weights(theta, false, s);
    if (x.repeated) project_input(theta, x, {}, s);
    const Scalar* h_prev = s.h;
    for (Index k = 0; k < x.steps; ++k) {
      Scalar* h = options().return_sequences ? y.data + k * H * B : s.h;
      preactivations(theta, x, k, h_prev, {}, s.dz, s);
      cell_.gates_forward(s.dz, s.c, s.c, h, h, B);
      h_prev = h;
    }
    return h_prev;
  }
  /// The same for one sample, where a step's products have one column: W x of many steps is made at once,
  /// unless the steps are too few to pack W for them, and U, whose packing nothing would repay, is read as it
  /// stands.
  const Scalar* infer_one(const Scalar* theta, Input x, Output y, const Scratch& s) const {
    const Index H = units(), I = x.features, T = x.steps;
    const Factor W = detail::as_is(theta, 4 * H, I);
    const Factor U = detail::as_is(cell_.recurrent_kernel(theta).data(), 4 * H, H);
    const bool packed = !x.repeated && T >= 8;
    const Index at_once = packed ? std::min<Index>(48, steps_at_once(T, 1)) : T;
    if (packed) detail::pack(W, s.kernel);
    if (x.repeated) {
      set_or_zero(s.repeated, bias(theta), 4 * H);
      detail::add_vector_product(s.repeated, W, x.data, false);
    }
    const Scalar* h_prev = s.h;
    for (Index first = 0; first < T; first += at_once) {
      const Index steps = std::min(at_once, T - first);
      const Index earliest = options().go_backwards ? T - first - steps : first;
      if (packed) {
        detail::multiply_packed<Scalar, 1>(
            s.dz, 4 * H, 4 * H, steps, {bias(theta), 0},
            Terms<1>{{{s.kernel, detail::as_is(x.data + earliest * I, I, steps)}}});
      }
      for (Index k = first; k < first + steps; ++k) {
        Scalar* h = options().return_sequences ? y.data + k * H : s.h;
        Scalar* z = packed ? s.dz + (time_of(k, x) - earliest) * 4 * H : s.dz;
        if (!packed) set_or_zero(z, x.repeated ? s.repeated : bias(theta), 4 * H);
        if (!packed && !x.repeated) detail::add_vector_product(z, W, x.data + time_of(k, x) * I, false);
        detail::add_vector_product(z, U, h_prev, k % 2 == 1);
        cell_.gates_forward(z, s.c, s.c, h, h, 1);
        h_prev = h;
      }
    }
    return h_prev;
  }

  const Scalar* bias(const Scalar* theta) const {
    return options().use_bias ? cell_.bias(theta).data() : nullptr;
  }

  /// W x + b of an input that is the same at every step.
  void project_input(const Scalar* theta, Input x, const Masks& masks, const Scratch& s) const {
    const Index H = units(), B = x.batch, I = x.features, rows = block_rows();
    for (Index m = 0; m < blocks(); ++m) {
      const Scalar* seen = masked(x.data, block_of(masks.inputs, m, I * B), I * B, s.masked_x);
      detail::multiply_packed<Scalar, 1>(
          s.repeated + m * rows, 4 * H, rows, B, {block_of(bias(theta), m, rows), 0},
          Terms<1>{{{s.kernel + m * packed_block(I), detail::as_is(seen, I, B)}}});
    }
  }

  /// z = b + W x + U h_prev of step k.
  void preactivations(const Scalar* theta, Input x, Index k, const Scalar* h_prev, const Masks& masks,
                      Scalar* z, const Scratch& s) const {
    const Index H = units(), B = x.batch, I = x.features, rows = block_rows();
    for (Index m = 0; m < blocks(); ++m) {
      const Scalar* h = masked(h_prev, block_of(masks.recurrent, m, H * B), H * B, s.masked_h);
      const detail::Term<Scalar> recurrent{s.recurrent + m * packed_block(H), detail::as_is(h, H, B)};
      if (x.repeated) {
        detail::multiply_packed<Scalar, 1>(z + m * rows, 4 * H, rows, B, {s.repeated + m * rows, 4 * H},
                                           Terms<1>{{recurrent}});
        continue;
      }
      const Scalar* seen =
          masked(x.data + time_of(k, x) * I * B, block_of(masks.inputs, m, I * B), I * B, s.masked_x);
      detail::multiply_packed<Scalar, 2>(
          z + m * rows, 4 * H, rows, B, {block_of(bias(theta), m, rows), 0},
          Terms<2>{{{s.kernel + m * packed_block(I), detail::as_is(seen, I, B)}, recurrent}});
    }
  }

  /// result (size x B, size being I or H) = start + V^T dz, V being W or U packed transposed; each block's
  /// part through its mask.
  void previous_gradient(Scalar* result, Start start, const Scalar* dz, const Scalar* packed, Index size,
                         const Scalar* masks, Scalar* buffer, Index columns) const {
    const Index H = units(), rows = block_rows();
    const auto product = [&](Scalar* to, Start from, Index m) {
      detail::multiply_packed<Scalar, 1>(
          to, size, size, columns, from,
          Terms<1>{{{packed + m * packed_block(size), Factor{dz + m * rows, rows, columns, 4 * H}}}});
    };
    if (masks == nullptr) {
      product(result, start, 0);
      for (Index m = 1; m < blocks(); ++m) product(result, {result, size}, m);
      return;
    }
    set_or_zero(result, start.data, size * columns);
    for (Index m = 0; m < blocks(); ++m) {
      product(buffer, {}, m);
      detail::add(result, masked(buffer, masks + m * size * columns, size * columns, buffer), size * columns);
    }
  }

  void pack_dz(const Scalar* dz, Index columns, const Scratch& s) const {
    const Index H = units(), rows = block_rows();
    for (Index m = 0; m < blocks(); ++m) {
      detail::pack(Factor{dz + m * rows, rows, columns, 4 * H},
                   s.packed_dz + m * detail::packed_size<Scalar>(rows, columns));
    }
  }
  /// to (4H x size) += dz right^T, with dz packed; `right` is size x columns, seen through each block's mask.
  void add_outer_product(Scalar* to, const Scalar* right, Index size, Index columns, const Scalar* masks,
                         Scalar* buffer, const Scratch& s) const {
    const Index H = units(), rows = block_rows();
    for (Index m = 0; m < blocks(); ++m) {
      const Scalar* seen = masked(right, block_of(masks, m, size * columns), size * columns, buffer);
      Factor factor = detail::transposed(seen, size, columns);
      if (packs_tiles(columns)) factor = detail::pack_tiles(factor, s.tiles);
      detail::multiply_packed<Scalar, 1>(
          to + m * rows, 4 * H, rows, size, {to + m * rows, 4 * H},
          Terms<1>{{{s.packed_dz + m * detail::packed_size<Scalar>(rows, columns), factor}}});
    }
  }
  /// dU += dz h_prev^T.
  void recurrent_kernel_gradient(const Scalar* h_prev, Index columns, const Masks& masks, Scalar* gradient,
                                 const Scratch& s) const {
    add_outer_product(cell_.recurrent_kernel(gradient).data(), h_prev, units(), columns, masks.recurrent,
                      s.masked_h, s);
  }
  /// dW += dz x^T and dx = W^T dz for `steps` steps from k on.
  void input_gradients(const Scalar* dz, Input x, Index k, Index steps, const Masks& masks, Output dx,
                       Scalar* gradient, const Scratch& s) const {
    const Index I = x.features, columns = x.batch * steps, at = time_of(k, x) * I * x.batch;
    add_outer_product(gradient, x.data + at, I, columns, masks.inputs, s.masked_x, s);
    if (dx.data == nullptr) return;
    previous_gradient(dx.data + at, {}, dz, s.kernel, I, masks.inputs, s.masked_x, columns);
  }
  void bias_gradient(const Scalar* dz, Index columns, Scalar* gradient) const {
    if (!options().use_bias) return;
    detail::add_columns(cell_.bias(gradient).data(), dz, 4 * units(), columns);
  }

  LstmCell<Scalar, Inputs, Units> cell_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
