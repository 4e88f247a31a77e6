#pragma once

#include "lstm_cell.hpp"

namespace reprise::inline REPRISE_ABI {

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

/// An LSTM over a whole sequence: the equations of `LstmCell`, with the input projections of all steps as one
/// product before the loop over time, and backpropagation through time as one reverse sweep (Werbos 1990).
///
/// Shapes: input I x batch x T; output H x batch x T with return_sequences, else H x batch x 1.
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
  void initialize(Scalar* theta, detail::RandomStream& random) const { cell_.initialize(theta, random); }

  SequenceShape output_shape(SequenceShape in) const {
    if (in.features != cell_.inputs()) {
      detail::fail("Lstm", std::to_string(cell_.inputs()) + " input features", std::to_string(in.features));
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
    take_masks(options().dropout, I, B, detail::Purpose::dropout, masks.inputs, t.input_masks, context);
    take_masks(options().recurrent_dropout, H, B, detail::Purpose::recurrent_dropout, masks.recurrent,
               t.recurrent_masks, context);

    project_inputs(theta, x, t.gates, t.input_masks, s);
    pack_recurrent(theta, false, s);
    for (Index k = 0; k < T; ++k) {  // k counts in the order of reading, time(k) in that of the input
      const Index time = time_of(k, T);
      const Scalar* h_prev = k == 0 ? t.initial_h : t.hidden + time_of(k - 1, T) * H * B;
      const Scalar* c_prev = k == 0 ? t.initial_c : t.cell + time_of(k - 1, T) * H * B;
      Scalar* gates = t.gates + time * 4 * H * B;
      Scalar* h = t.hidden + time * H * B;
      add_recurrent(gates, h_prev, t.recurrent_masks, B, s);
      cell_.gates_forward(gates, c_prev, t.cell + time * H * B, t.activated_cell + time * H * B, h, B);
      if (options().return_sequences) std::copy_n(h, H * B, y.data + k * H * B);
    }
    const Index last = time_of(T - 1, T) * H * B;
    if (!options().return_sequences) std::copy_n(t.hidden + last, H * B, y.data);
    if (states.final_h != nullptr) std::copy_n(t.hidden + last, H * B, states.final_h);
    if (states.final_c != nullptr) std::copy_n(t.cell + last, H * B, states.final_c);
  }

  /// The same without tape or dropout; its scratch does not grow with T.
  void infer(const Scalar* theta, Input x, Output y, Scalar* scratch_memory, const LayerContext&,
             const LstmStates<Scalar>& states = {}) const {
    const Index H = units(), B = x.batch, T = x.steps;
    const Scratch s = scratch(scratch_memory, T, B);
    set_or_zero(s.h, states.initial_h, H * B);
    set_or_zero(s.c, states.initial_c, H * B);
    pack_recurrent(theta, false, s);
    for (Index first = 0; first < T; first += steps_at_once) {
      const Index steps = std::min(steps_at_once, T - first);
      const Index begin = options().go_backwards ? T - first - steps : first;
      project_inputs(theta, Input(x.data + begin * x.features * B, x.features, B, steps), s.gates, nullptr,
                     s);
      for (Index k = 0; k < steps; ++k) {
        Scalar* gates = s.gates + time_of(k, steps) * 4 * H * B;
        add_recurrent(gates, s.h, nullptr, B, s);
        cell_.gates_forward(gates, s.c, s.c, s.h, s.h, B);
        if (options().return_sequences) std::copy_n(s.h, H * B, y.data + (first + k) * H * B);
      }
    }
    if (!options().return_sequences) std::copy_n(s.h, H * B, y.data);
    if (states.final_h != nullptr) std::copy_n(s.h, H * B, states.final_h);
    if (states.final_c != nullptr) std::copy_n(s.c, H * B, states.final_c);
  }

  /// `dy` is the gradient of the output. Leaves dz of all steps on the tape, in place of the gates.
  void backward(const Scalar* theta, Input x, Input, Input dy, Output dx, Scalar* tape_memory,
                Scalar* scratch_memory, const LayerContext&, const LstmStates<Scalar>& states = {}) const {
    const Index H = units(), B = x.batch, T = x.steps;
    const Tape t = tape(tape_memory, T, B);
    const Scratch s = scratch(scratch_memory, T, B);
    Scalar* dh = s.h;
    Scalar* dc = s.c;
    set_or_zero(dh, states.final_h_gradient, H * B);
    set_or_zero(dc, states.final_c_gradient, H * B);
    if (!options().return_sequences) add(dh, dy.data, H * B);

    pack_recurrent(theta, true, s);
    for (Index k = T - 1; k >= 0; --k) {
      const Index time = time_of(k, T);
      if (options().return_sequences) add(dh, dy.data + k * H * B, H * B);
      const Scalar* c_prev = k == 0 ? t.initial_c : t.cell + time_of(k - 1, T) * H * B;
      Scalar* gates = t.gates + time * 4 * H * B;
      cell_.gates_backward(gates, c_prev, t.activated_cell + time * H * B, dh, dc, s.gates, B);
      if (k > 0 || states.initial_h_gradient != nullptr)
        recurrent_gradient(dh, gates, t.recurrent_masks, B, s);
    }
    if (states.initial_h_gradient != nullptr) std::copy_n(dh, H * B, states.initial_h_gradient);
    if (states.initial_c_gradient != nullptr) std::copy_n(dc, H * B, states.initial_c_gradient);
    if (dx.data != nullptr) input_gradient(theta, x, t, dx, s);
  }

  /// Large layers and those with a mask for each gate are split by gate.
  Index gradient_parts() const { return mask_count() == 4 || units() >= 64 ? 4 : 1; }

  /// Adds part `part` of dW, dU and db, each one product over all steps.
  void parameter_gradient(Input x, Input, Scalar* tape_memory, Index part, Scalar* gradient,
                          Scalar* scratch_memory, const LayerContext&) const {
    const Index H = units(), B = x.batch, T = x.steps, I = x.features;
    const Tape t = tape(tape_memory, T, B);
    const Scratch s = scratch(scratch_memory, T, B);
    const Index rows = 4 * H / gradient_parts();
    const Index first = part * rows;
    // dZ, (its rows) x (B * T), in the order of the input's time
    const detail::Factor<Scalar> dz = detail::as_is(t.gates, 4 * H, B * T).rows_from(first, rows);
    const auto dz_of = [&](Index time, Index steps) {
      return detail::Factor<Scalar>{dz.data + time * 4 * H * B, rows, B * steps, 4 * H};
    };
    Scalar* dw = gradient + first;
    Scalar* du = gradient + 4 * H * I + first;

    for (Index time = 0; t.input_masks != nullptr && time < T; ++time) {
      masked(s.masked, x.data + time * I * B, t.input_masks + (mask_count() == 4 ? part * I * B : 0), I * B);
      detail::multiply_add(dw, 4 * H, dz_of(time, 1), detail::transposed<Scalar>(s.masked, I, B), s.product);
    }
    if (t.input_masks == nullptr) {
      detail::multiply_add(dw, 4 * H, dz, detail::transposed(x.data, I, B * T), s.product);
    }

    // dU pairs dz of each step with h of the step read before it.
    const auto pair = [&](Index time, Index steps, const Scalar* h_prev) {
      if (t.recurrent_masks == nullptr) {
        detail::multiply_add(du, 4 * H, dz_of(time, steps), detail::transposed(h_prev, H, B * steps),
                             s.product);
        return;
      }
      for (Index k = 0; k < steps; ++k) {
        masked(s.masked, h_prev + k * H * B, t.recurrent_masks + part * H * B, H * B);
        detail::multiply_add(du, 4 * H, dz_of(time + k, 1), detail::transposed<Scalar>(s.masked, H, B),
                             s.product);
      }
    };
    pair(time_of(0, T), 1, t.initial_h);
    if (T > 1 && options().go_backwards) pair(0, T - 1, t.hidden + H * B);
    if (T > 1 && !options().go_backwards) pair(1, T - 1, t.hidden);

    if (options().use_bias) {
      Eigen::Map<Vector<Scalar>> db(gradient + 4 * H * (I + H) + first, rows);
      for (Index column = 0; column < B * T; ++column) {
        db += Eigen::Map<const Vector<Scalar>>(dz.data + column * 4 * H, rows);
      }
    }
  }

 private:
  /// Steps whose input projections are one product at inference.
  static constexpr Index steps_at_once = 16;

  struct Tape {
    Scalar *gates, *cell, *activated_cell, *hidden, *initial_h, *initial_c, *input_masks, *recurrent_masks;
    Index size;
  };
  struct Scratch {
    Scalar *product, *packed, *h, *c, *gates, *masked;
    Index size;
  };

  /// Keras draws one mask for each gate, for x and h alike, when recurrent_dropout is on; else one for x.
  Index mask_count() const { return options().recurrent_dropout > 0 ? 4 : 1; }

  // Everything with a step is in the order of the input's time, also with go_backwards.
  Tape tape(Scalar* memory, Index T, Index B) const {
    const Index H = units(), I = cell_.inputs();
    detail::Carver<Scalar> carve(memory);
    Tape t{};
    t.gates = carve.take(4 * H * B * T);
    t.cell = carve.take(H * B * T);
    t.activated_cell = carve.take(H * B * T);
    t.hidden = carve.take(H * B * T);
    t.initial_h = carve.take(H * B);
    t.initial_c = carve.take(H * B);
    if (options().dropout > 0) t.input_masks = carve.take(mask_count() * I * B);
    if (options().recurrent_dropout > 0) t.recurrent_masks = carve.take(4 * H * B);
    t.size = carve.used();
    return t;
  }
  Scratch scratch(Scalar* memory, Index T, Index B) const {
    const Index H = units(), I = cell_.inputs();
    detail::Carver<Scalar> carve(memory);
    Scratch s{};
    s.product = carve.take(detail::product_scratch<Scalar>());
    s.packed = carve.take(options().recurrent_dropout > 0 ? 4 * packed_gate()
                                                          : detail::packed_size<Scalar>(4 * H, H));
    s.h = carve.take(H * B);
    s.c = carve.take(H * B);
    s.gates = carve.take(4 * H * B * std::min(T, steps_at_once));
    if (options().dropout > 0 || options().recurrent_dropout > 0) s.masked = carve.take(std::max(I, H) * B);
    s.size = carve.used();
    return s;
  }

  /// From one gate's packed block to the next; the kernel loads packed factors aligned.
  Index packed_gate() const { return detail::whole_packets(detail::packed_size<Scalar>(units(), units())); }

  Index time_of(Index k, Index T) const { return options().go_backwards ? T - 1 - k : k; }

  static void set_or_zero(Scalar* to, const Scalar* from, Index count) {
    if (from == nullptr) {
      std::fill_n(to, count, Scalar(0));
    } else {
      std::copy_n(from, count, to);
    }
  }
  static void add(Scalar* to, const Scalar* from, Index count) {
    Eigen::Map<Vector<Scalar>>(to, count) += Eigen::Map<const Vector<Scalar>>(from, count);
  }
  static void masked(Scalar* to, const Scalar* from, const Scalar* mask, Index count) {
    Eigen::Map<Vector<Scalar>>(to, count) = Eigen::Map<const Vector<Scalar>>(from, count)
                                                .cwiseProduct(Eigen::Map<const Vector<Scalar>>(mask, count));
  }

  void take_masks(double rate, Index features, Index batch, detail::Purpose purpose, const Scalar* given,
                  Scalar* masks, const LayerContext& context) const {
    if (masks == nullptr) return;
    const Index count = purpose == detail::Purpose::recurrent_dropout ? 4 : mask_count();
    for (Index m = 0; m < count; ++m) {
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

  /// gates = W x + b for all steps.
  void project_inputs(const Scalar* theta, Input x, Scalar* gates, const Scalar* masks,
                      const Scratch& s) const {
    const Index H = units(), B = x.batch, I = x.features;
    Eigen::Map<Matrix<Scalar>> z(gates, 4 * H, B * x.steps);
    if (options().use_bias) {
      z.colwise() = Vector<Scalar>::Map(cell_.bias(theta).data(), 4 * H);
    } else {
      z.setZero();
    }
    const auto w = detail::as_is(theta, 4 * H, I);
    if (masks == nullptr) {
      detail::multiply_add(gates, 4 * H, w, detail::as_is(x.data, I, B * x.steps), s.product);
      return;
    }
    const Index rows = 4 * H / mask_count();
    for (Index time = 0; time < x.steps; ++time) {
      for (Index m = 0; m < mask_count(); ++m) {
        masked(s.masked, x.data + time * I * B, masks + m * I * B, I * B);
        detail::multiply_add(gates + time * 4 * H * B + m * rows, 4 * H, w.rows_from(m * rows, rows),
                             detail::as_is<Scalar>(s.masked, I, B), s.product);
      }
    }
  }

  // With recurrent dropout each gate sees its own masked h, so that U is packed gate by gate.
  void pack_recurrent(const Scalar* theta, bool transpose, const Scratch& s) const {
    const Index H = units();
    const Scalar* u = cell_.recurrent_kernel(theta).data();
    if (options().recurrent_dropout > 0) {
      for (Index gate = 0; gate < 4; ++gate) {
        const detail::Factor<Scalar> block{u + gate * H, H, H, 4 * H, transpose};
        detail::pack(block, s.packed + gate * packed_gate());
      }
    } else if (transpose) {
      detail::pack(detail::transposed(u, 4 * H, H), s.packed);
    } else {
      detail::pack(detail::as_is(u, 4 * H, H), s.packed);
    }
  }

  /// gates += U h, each gate's part with its masked h where there are masks.
  void add_recurrent(Scalar* gates, const Scalar* h, const Scalar* masks, Index B, const Scratch& s) const {
    const Index H = units();
    if (options().recurrent_dropout == 0) {
      detail::multiply_add_packed(gates, 4 * H, s.packed, 4 * H, detail::as_is(h, H, B), s.product);
      return;
    }
    for (Index gate = 0; gate < 4; ++gate) {
      const Scalar* seen = h;
      if (masks != nullptr) {
        masked(s.masked, h, masks + gate * H * B, H * B);
        seen = s.masked;
      }
      detail::multiply_add_packed(gates + gate * H, 4 * H, s.packed + gate * packed_gate(), H,
                                  detail::as_is(seen, H, B), s.product);
    }
  }

  /// dh = U^T dz.
  void recurrent_gradient(Scalar* dh, const Scalar* dz, const Scalar* masks, Index B,
                          const Scratch& s) const {
    const Index H = units();
    std::fill_n(dh, H * B, Scalar(0));
    if (masks == nullptr) {
      detail::multiply_add_packed(dh, H, s.packed, H, detail::as_is(dz, 4 * H, B), s.product);
      return;
    }
    for (Index gate = 0; gate < 4; ++gate) {
      std::fill_n(s.masked, H * B, Scalar(0));
      detail::multiply_add_packed<Scalar>(s.masked, H, s.packed + gate * packed_gate(), H,
                                          {dz + gate * H, H, B, 4 * H}, s.product);
      masked(s.masked, s.masked, masks + gate * H * B, H * B);
      add(dh, s.masked, H * B);
    }
  }

  /// dx = W^T dz for all steps.
  void input_gradient(const Scalar* theta, Input x, const Tape& t, Output dx, const Scratch& s) const {
    const Index H = units(), B = x.batch, I = x.features;
    dx.matrix().setZero();
    if (t.input_masks == nullptr) {
      detail::multiply_add(dx.data, I, detail::transposed(theta, 4 * H, I),
                           detail::as_is<Scalar>(t.gates, 4 * H, B * x.steps), s.product);
      return;
    }
    const Index rows = 4 * H / mask_count();
    for (Index time = 0; time < x.steps; ++time) {
      for (Index m = 0; m < mask_count(); ++m) {
        std::fill_n(s.masked, I * B, Scalar(0));
        const detail::Factor<Scalar> dz{t.gates + time * 4 * H * B + m * rows, rows, B, 4 * H};
        detail::multiply_add<Scalar>(s.masked, I, {theta + m * rows, I, rows, 4 * H, true}, dz, s.product);
        masked(s.masked, s.masked, t.input_masks + m * I * B, I * B);
        add(dx.data + time * I * B, s.masked, I * B);
      }
    }
  }

  LstmCell<Scalar, Inputs, Units> cell_;
};

}  // namespace reprise::inline REPRISE_ABI
