#pragma once

#include "detail/gru_memory.hpp"
#include "detail/reading_order.hpp"
#include "gru_cell.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// A GRU over a whole sequence: the equations of `GruCell`, step after step, and backpropagation through time
/// as one reverse sweep (Werbos 1990). With x_t and h_t of step t and dy_t the gradient of its output
/// (without return_sequences only the last step has one):
///
///     forward, t = 1 ... T             u_t and v_t from x_t and h_{t-1},
///                                      then z_t, r_t, g_t and h_t as in the cell
///
///     backward, t = T ... 1            dh_t = dy_t + (the cell's dh_prev of step t + 1)
///                                      du_t, dv_t and dh_prev as in the cell, from dh_t
///     for the first and last state     dh_T begins as the gradient of the final state; the cell's dh_prev of
///                                      step 1 is the gradient of the initial one
///     then, over all steps             dx_t = W^T du_t    dW = sum du_t x_t^T    db = sum du_t
///                                      dU = sum dv_t h_{t-1}^T    dc = sum dv_t
///
/// Shapes: input batch x T x I; output batch x T x H with return_sequences, else batch x 1 x H. State: h,
/// H x batch. Where every step of the input is the same (`SequenceView::repeated`), W x is computed once, and
/// its gradient from the sum of du over the steps.
///
/// Dropout multiplies x, recurrent dropout h_prev (in q too), by a mask that is the same for all steps: with
/// recurrent dropout one for each of z, r and g, for x and h alike, else one for x. Samples of different
/// lengths and go_backwards are what they are for an `Lstm`.
template <typename Scalar_>
class Gru {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  /// `inputs`: features of each step of the input.
  Gru(Index inputs, const GruOptions& options) : cell_(inputs, options) {}

  const GruCell<Scalar>& cell() const { return cell_; }
  const GruOptions& options() const { return cell_.options(); }
  Index units() const { return cell_.units(); }

  const char* name() const { return "GRU"; }
  SequenceShape output_shape(SequenceShape in) const {
    if (in.features != cell_.inputs()) {
      detail::fail("Gru", {cell_.inputs(), " input features"}, {in.features});
    }
    return {.steps = options().return_sequences ? in.steps : 1, .features = units()};
  }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    cell_.add_parameters(table, prefix);
  }
  void initialize(Scalar* theta, RandomStream& random) const { cell_.initialize(theta, random); }
  Index state_size() const { return units(); }
  LayerTraits traits() const {
    return {.lengths = options().return_sequences ? Lengths::kept : Lengths::dropped,
            .takes_repeated = true,
            .stepwise = options().return_sequences && !options().go_backwards};
  }
  Index tape_size(SequenceShape in, Index batch) const {
    return memory().tape(nullptr, in.steps, batch).size;
  }
  Index scratch_size(SequenceShape in, Index batch) const {
    return memory().scratch(products(), nullptr, in.steps, batch).size;
  }

  void forward(Input x, Output y, const Call& call) const {
    const Index H = units(), B = x.batch, T = x.steps;
    const Products W_and_U = products();
    const Tape t = memory().tape(call.tape, T, B);
    const Scratch s = memory().scratch(W_and_U, call.scratch, T, B);
    const Steps steps(x, options().go_backwards, call.lengths);
    detail::set_or_zero(t.initial_h, call.states.initial, H * B);
    fill_masks(x, call, t);

    Scalar* const hidden = options().return_sequences ? y.data : t.hidden;
    begin_steps(W_and_U, call.theta, x, t.input_masks, s);
    for (Index k = 0; k < T && steps.samples(k) > 0; ++k) {
      const Scalar* h_prev = k == 0 ? t.initial_h : hidden + (k - 1) * H * B;
      step(W_and_U, call.theta, steps, x, k, h_prev, {t.input_masks, t.recurrent_masks},
           t.gates + k * 3 * H * B, t.past + k * H * B, hidden + k * H * B, s);
    }
    if (!options().return_sequences) {
      detail::copy_last_states(hidden, H, B, T, call.lengths, y.data);
    } else if (!call.lengths.empty()) {
      detail::hold_last_states(hidden, H, B, T, call.lengths);
    }
    if (call.states.final != nullptr) {
      detail::copy_last_states(hidden, H, B, T, call.lengths, call.states.final);
    }
  }

  /// The same without tape or dropout; its scratch grows with T up to a fixed number of steps only.
  void infer(Input x, Output y, const Call& call) const {
    const Index H = units(), B = x.batch, T = x.steps;
    const bool sequences = options().return_sequences;
    const Products W_and_U = products();
    const Scratch s = memory().scratch(W_and_U, call.scratch, T, B);
    const Steps steps(x, options().go_backwards, call.lengths);
    detail::set_or_zero(s.h, call.states.initial, H * B);
    if (B > 1) begin_steps(W_and_U, call.theta, x, nullptr, s);
    const Scalar* h_prev = s.h;
    for (Index k = 0; k < T && steps.samples(k) > 0; ++k) {
      Scalar* h = sequences ? y.data + k * H * B : s.h;
      if (B == 1) {
        step_of_one(call.theta, steps.step(k, s.gathered), k, h_prev, h, s);
      } else {
        step(W_and_U, call.theta, steps, x, k, h_prev, {}, s.du, s.past, h, s);
      }
      h_prev = h;
    }
    if (!sequences) {
      std::copy_n(s.h, H * B, y.data);
    } else if (!call.lengths.empty()) {
      detail::hold_last_states(y.data, H, B, T, call.lengths);
    }
    if (call.states.final == nullptr) return;
    // With sequences the output's last step holds each sample's last state.
    std::copy_n(sequences ? y.step_data(T - 1) : s.h, H * B, call.states.final);
  }

  /// The tape is only read.
  void backward(Input x, Input y, Input dy, Output dx, const Call& call) const {
    const Index H = units(), B = x.batch, T = x.steps;
    const bool sequences = options().return_sequences;
    const Products W_and_U = products();
    const Tape t = memory().tape(call.tape, T, B);
    const Scratch s = memory().scratch(W_and_U, call.scratch, T, B);
    const Steps steps(x, options().go_backwards, call.lengths);
    const Scalar* hidden = sequences ? y.data : t.hidden;
    Scalar* const dh = s.h;
    detail::set_or_zero(dh, call.states.final_gradient, H * B);
    if (sequences) {
      detail::add_held_gradients(dy.data, H, B, T, call.lengths, dh);
    } else {
      detail::add(dh, dy.data, H * B);
    }
    if (x.repeated) std::fill_n(s.repeated, 3 * H * B, Scalar(0));

    W_and_U.pack_weights(weights_of(call.theta), true, s.products);
    for (Index last = T; last > 0;) {
      const Index first = std::max(Index(0), last - detail::steps_at_once(T, B));
      for (Index k = last - 1; k >= first; --k) {
        const Index n = steps.samples(k), at = (k - first) * 3 * H * B;
        const Scalar* h_prev = k == 0 ? t.initial_h : hidden + (k - 1) * H * B;
        step_backward(W_and_U, t, k, h_prev, B, n, s.du + at, s.dv + at, s);
        if (x.repeated) detail::add(s.repeated, s.du + at, 3 * H * n);
        // Of samples that ended in the step before, dy is in dh already.
        if (sequences && k > 0) detail::add(dh, dy.data + (k - 1) * H * B, H * n);
      }
      weight_gradients(W_and_U, steps, x, t, hidden, first, last, dx, call, s);
      last = first;
    }
    if (x.repeated) {
      input_gradients(W_and_U, s.repeated, x.data, t.input_masks, B, B, dx.data, call.gradient, s);
    } else if (dx.data != nullptr) {
      steps.clear_padding(dx);
    }
    if (call.states.initial_gradient != nullptr) std::copy_n(dh, H * B, call.states.initial_gradient);
  }

 private:
  using Products = detail::RecurrentProducts<Scalar>;
  using Steps = detail::ReadingOrder<Scalar>;
  using Tape = detail::GruTape<Scalar>;
  using Scratch = detail::GruScratch<Scalar>;

  bool reset_after() const { return options().reset_after; }
  /// Keras draws one mask for each gate, for x and h alike, when recurrent_dropout is on; else one for x.
  Index mask_count() const { return options().recurrent_dropout > 0 ? 3 : 1; }
  /// With the reset gate before the product, the candidate's product is another one than that of the gates.
  Index blocks() const { return reset_after() ? mask_count() : 3; }
  Products products() const { return {cell_.inputs(), units(), 3 * units(), blocks()}; }
  detail::GruMemory<Scalar> memory() const {
    return {cell_.inputs(), units(), options().return_sequences, options().dropout > 0 ? blocks() : 0,
            options().recurrent_dropout > 0 ? blocks() : 0};
  }
  typename Products::Weights weights_of(const Scalar* theta) const {
    return {theta, cell_.recurrent_kernel(theta), cell_.bias(theta)};
  }
  struct Masks {
    const Scalar *inputs = nullptr, *recurrent = nullptr;
  };

  void fill_masks(Input x, const Call& call, const Tape& t) const {
    const Index B = x.batch, one_mask = x.features * B;
    if (t.input_masks != nullptr) {
      detail::fill_dropout_masks(options().dropout, mask_count(), x.features, B, Purpose::dropout,
                                 call.masks.inputs, call.context, t.input_masks);
      for (Index m = mask_count(); m < blocks(); ++m) {
        std::copy_n(t.input_masks, one_mask, t.input_masks + m * one_mask);
      }
    }
    if (t.recurrent_masks != nullptr) {
      detail::fill_dropout_masks(options().recurrent_dropout, mask_count(), units(), B,
                                 Purpose::recurrent_dropout, call.masks.recurrent, call.context,
                                 t.recurrent_masks);
    }
  }
  /// The mask through which the candidate sees the state; null where there is none.
  const Scalar* candidate_mask(const Scalar* recurrent_masks, Index batch) const {
    return recurrent_masks == nullptr ? nullptr : recurrent_masks + 2 * units() * batch;
  }

  void begin_steps(const Products& W_and_U, const Scalar* theta, Input x, const Scalar* input_masks,
                   const Scratch& s) const {
    const auto weights = weights_of(theta);
    W_and_U.pack_weights(weights, false, s.products);
    if (x.repeated) {
      W_and_U.input_product(weights, x.data, input_masks, x.batch, x.batch, s.repeated, s.products);
    }
  }

  /// From h_prev to h, for the samples that have step k. `gates` becomes [z; r; g], `past` vg or q.
  void step(const Products& W_and_U, const Scalar* theta, const Steps& steps, Input x, Index k,
            const Scalar* h_prev, const Masks& masks, Scalar* gates, Scalar* past, Scalar* h,
            const Scratch& s) const {
    const Index H = units(), B = x.batch, n = steps.samples(k);
    const auto weights = weights_of(theta);
    const Scalar* const x_now = x.repeated ? nullptr : steps.step(k, s.gathered);
    if (reset_after()) {
      if (x.repeated) {
        std::copy_n(s.repeated, 3 * H * n, gates);
      } else {
        W_and_U.input_product(weights, x_now, masks.inputs, B, n, gates, s.products);
      }
      W_and_U.recurrent_product({cell_.recurrent_bias(theta), 0}, h_prev, masks.recurrent, B, n, s.dv,
                                s.products);
      cell_.join(gates, s.dv, past, n);
    } else {
      const auto add_products = [&](const Products& rows, const Scalar* state, const Scalar* state_masks) {
        if (x.repeated) {
          rows.recurrent_product({s.repeated, 3 * H}, state, state_masks, B, n, gates, s.products);
        } else {
          rows.both_products(weights, x_now, masks.inputs, state, state_masks, B, n, gates, s.products);
        }
      };
      add_products(W_and_U.only(0, 2), h_prev, masks.recurrent);
      cell_.activate_gates(gates, n);
      const Scalar* mask = candidate_mask(masks.recurrent, B);
      cell_.reset(gates, Products::masked(h_prev, mask, H * n, s.seen), past, n);
      add_products(W_and_U.only(2, 3), past, nullptr);
    }
    cell_.next_state(gates, h_prev, h, n);
  }

  /// The same for one sample at inference. A step's products then have one column, for which packing the
  /// weights would not pay: they are read as they stand.
  void step_of_one(const Scalar* theta, const Scalar* x, Index k, const Scalar* h_prev, Scalar* h,
                   const Scratch& s) const {
    const Index H = units(), X = cell_.inputs();
    const Scalar* const U = cell_.recurrent_kernel(theta);
    Scalar* const gates = s.du;
    const bool backwards = k % 2 == 1;  // the weights read last are still in the nearest cache
    detail::set_or_zero(gates, cell_.bias(theta), 3 * H);
    detail::add_vector_product(gates, detail::as_is(theta, 3 * H, X), x, backwards);
    if (reset_after()) {
      detail::set_or_zero(s.dv, cell_.recurrent_bias(theta), 3 * H);
      detail::add_vector_product(s.dv, detail::as_is(U, 3 * H, H), h_prev, backwards);
      cell_.join(gates, s.dv, s.past, 1);
    } else {
      detail::add_vector_product(gates, {U, 2 * H, H, 3 * H}, h_prev, backwards);
      cell_.activate_gates(gates, 1);
      cell_.reset(gates, h_prev, s.past, 1);
      detail::add_vector_product(gates + 2 * H, {U + 2 * H, H, H, 3 * H}, s.past, backwards);
    }
    cell_.next_state(gates, h_prev, h, 1);
  }

  /// du and dv of step k, for n samples of B; dh, in the scratch, becomes the cell's dh_prev.
  void step_backward(const Products& W_and_U, const Tape& t, Index k, const Scalar* h_prev, Index B, Index n,
                     Scalar* du, Scalar* dv, const Scratch& s) const {
    const Index H = units();
    const Scalar* gates = t.gates + k * 3 * H * B;
    Scalar* const dh = s.h;
    cell_.next_state_backward(gates, h_prev, dh, du, n);
    if (reset_after()) {
      cell_.join_backward(gates, t.past + k * H * B, du, dv, n);
      W_and_U.previous_state_gradient(dh, {dh, H}, dv, t.recurrent_masks, B, n, s.products);
      return;
    }
    const Scalar* mask = candidate_mask(t.recurrent_masks, B);
    Scalar* const dq = s.past;
    W_and_U.only(2, 3).previous_state_gradient(dq, {}, du, nullptr, B, n, s.products);
    cell_.reset_backward(gates, Products::masked(h_prev, mask, H * n, s.seen), dq, du, n);
    detail::add(dh, Products::masked(dq, mask, H * n, dq), H * n);
    W_and_U.only(0, 2).previous_state_gradient(dh, {dh, H}, du, t.recurrent_masks, B, n, s.products);
  }

  /// dW, dU, db, dc and dx of steps [first, last), whose du and dv are in the scratch.
  void weight_gradients(const Products& W_and_U, const Steps& steps, Input x, const Tape& t,
                        const Scalar* hidden, Index first, Index last, Output dx, const Call& call,
                        const Scratch& s) const {
    const Index H = units(), B = x.batch;
    const bool one_by_one = t.input_masks != nullptr || t.recurrent_masks != nullptr;
    Scalar* const recurrent = cell_.recurrent_kernel(call.gradient);
    for (Index k = first, count = 0; k < last; k += count) {
      count = one_by_one ? 1 : steps.side_by_side(k, last);
      const Index columns = (count - 1) * B + steps.samples(k + count - 1);
      if (columns == 0) continue;
      const Scalar* du = s.du + (k - first) * 3 * H * B;
      const Scalar* dv = s.dv + (k - first) * 3 * H * B;
      const Scalar* h_prev = k == 0 ? t.initial_h : hidden + (k - 1) * H * B;
      if (reset_after()) {
        W_and_U.pack_dz(dv, columns, s.products);
        W_and_U.add_recurrent_gradient(recurrent, h_prev, t.recurrent_masks, B, columns, s.products);
        W_and_U.add_bias_gradient(cell_.recurrent_bias(call.gradient), dv, columns);
      } else {
        W_and_U.pack_dz(du, columns, s.products);
        W_and_U.only(0, 2).add_recurrent_gradient(recurrent, h_prev, t.recurrent_masks, B, columns,
                                                  s.products);
        W_and_U.only(2, 3).add_recurrent_gradient(recurrent, t.past + k * H * B, nullptr, B, columns,
                                                  s.products);
      }
      if (x.repeated) continue;  // all steps at once, afterwards
      Scalar* const place = dx.data == nullptr ? nullptr : steps.gradient_place(dx, k, s.gathered);
      input_gradients(W_and_U, du, steps.step(k, s.gathered), t.input_masks, B, columns, place, call.gradient,
                      s);
      if (place != nullptr) steps.put_gradient(dx, k, place);
    }
  }
  /// dW, db and, where it is wanted, dx (which may be where x is, since x is read first).
  void input_gradients(const Products& W_and_U, const Scalar* du, const Scalar* x, const Scalar* masks,
                       Index batch, Index columns, Scalar* dx, Scalar* gradient, const Scratch& s) const {
    W_and_U.pack_dz(du, columns, s.products);
    W_and_U.add_kernel_gradient(gradient, x, masks, batch, columns, s.products);
    W_and_U.add_bias_gradient(cell_.bias(gradient), du, columns);
    if (dx != nullptr) W_and_U.input_gradient(dx, du, masks, batch, columns, s.products);
  }

  GruCell<Scalar> cell_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
