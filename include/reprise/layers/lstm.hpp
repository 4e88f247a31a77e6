#pragma once

#include "detail/lstm_memory.hpp"
#include "detail/reading_order.hpp"
#include "lstm_cell.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// An LSTM over a whole sequence: the equations of `LstmCell`, step after step, and backpropagation through
/// time as one reverse sweep (Werbos 1990). With x_t, h_t, c_t of step t and dy_t the gradient of its output
/// (without return_sequences only the last step has one), * between vectors value by value:
///
///     forward, t = 1 ... T             z_t = W x_t + U h_{t-1} + b,  then gates, c_t and h_t as in the cell
///
///     backward, t = T ... 1            dh_t = dy_t + U^T dz_{t+1}
///                                      dc_t = dh_t * o_t * a'(a(c_t)) + dc_{t+1} * f_{t+1}
///                                      dz_t as in the cell, from dh_t and dc_t
///     for the last states              dz_{T+1} = 0: dh_T and dc_T begin as the final states' gradients
///     for the first states             dh_0 and dc_0 are the initial states' gradients
///     then, over all steps             dx_t = W^T dz_t
///                                      dW = sum dz_t x_t^T    dU = sum dz_t h_{t-1}^T    db = sum dz_t
///
/// Shapes: input batch x T x I; output batch x T x H with return_sequences, else batch x 1 x H. State: h,
/// then c, H x batch each. Where every step of the input is the same (`SequenceView::repeated`), W x is
/// computed once, and its gradient from the sum of dz over the steps.
///
/// Samples of different lengths (`LayerCall::lengths`) end at their last valid step: state and output are
/// held from there on, as Keras does under a mask, and padding costs no product. With go_backwards a sample's
/// valid steps are read from the last to the first, and padding stays at the end; Keras reads the padding
/// first, so that its sequences of outputs begin with it.
template <typename Scalar_, int Inputs, int Units>
class Lstm {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  /// `inputs`: features of each step of the input.
  Lstm(Index inputs, const LstmOptions& options) : cell_(inputs, options) {}

  const LstmCell<Scalar, Inputs, Units>& cell() const { return cell_; }
  const LstmOptions& options() const { return cell_.options(); }
  Index units() const { return cell_.units(); }
  Index parameter_count() const { return cell_.parameter_count(); }

  const char* name() const { return "LSTM"; }
  SequenceShape output_shape(SequenceShape in) const {
    if (in.features != cell_.inputs()) {
      detail::fail("Lstm", {cell_.inputs(), " input features"}, {in.features});
    }
    return {.steps = options().return_sequences ? in.steps : 1, .features = units()};
  }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    cell_.add_parameters(table, prefix);
  }
  void initialize(Scalar* theta, RandomStream& random) const { cell_.initialize(theta, random); }
  Index state_size() const { return 2 * units(); }
  LayerTraits traits() const {
    return {.lengths = options().return_sequences ? Lengths::kept : Lengths::dropped,
            .takes_repeated = true,
            .stepwise = options().return_sequences && !options().go_backwards,
            .state_parts = 2};
  }
  Index tape_size(SequenceShape in, Index batch) const {
    return memory().tape(nullptr, in.steps, batch).size;
  }
  Index scratch_size(SequenceShape in, Index batch) const {
    return memory().scratch(products(), nullptr, in.steps, batch).size;
  }

  void forward(Input x, Output y, const Call& call) const {
    const Index H = units(), B = x.batch, T = x.steps, X = x.features;
    const Products W_and_U = products();
    const Tape t = memory().tape(call.tape, T, B);
    const Scratch s = memory().scratch(W_and_U, call.scratch, T, B);
    const Steps steps(x, options().go_backwards, call.lengths);
    const auto weights = weights_of(call.theta);
    const States initial = states_of(call.states.initial, B);
    detail::set_or_zero(t.initial_h, initial.h, H * B);
    detail::set_or_zero(t.initial_c, initial.c, H * B);
    if (t.input_masks != nullptr) {
      detail::fill_dropout_masks(options().dropout, blocks(), X, B, Purpose::dropout, call.masks.inputs,
                                 call.context, t.input_masks);
    }
    if (t.recurrent_masks != nullptr) {
      detail::fill_dropout_masks(options().recurrent_dropout, blocks(), H, B, Purpose::recurrent_dropout,
                                 call.masks.recurrent, call.context, t.recurrent_masks);
    }

    Scalar* const hidden = options().return_sequences ? y.data : t.hidden;
    W_and_U.pack_weights(weights, false, s.products);
    if (x.repeated) W_and_U.input_product(weights, x.data, t.input_masks, B, B, s.repeated, s.products);
    for (Index k = 0; k < T && steps.samples(k) > 0; ++k) {
      const Scalar* h_prev = k == 0 ? t.initial_h : hidden + (k - 1) * H * B;
      const Scalar* c_prev = k == 0 ? t.initial_c : t.cell + (k - 1) * H * B;
      Scalar* gates = t.gates + k * 4 * H * B;
      preactivations(W_and_U, weights, steps, x, k, h_prev, t.input_masks, t.recurrent_masks, gates, s);
      cell_.gates_forward(gates, c_prev, t.cell + k * H * B, t.activated_cell + k * H * B, hidden + k * H * B,
                          steps.samples(k));
    }
    if (!options().return_sequences) {
      detail::copy_last_states(hidden, H, B, T, call.lengths, y.data);
    } else if (!call.lengths.empty()) {
      detail::hold_last_states(hidden, H, B, T, call.lengths);
    }
    if (call.states.final == nullptr) return;
    detail::copy_last_states(hidden, H, B, T, call.lengths, call.states.final);
    detail::copy_last_states(t.cell, H, B, T, call.lengths, call.states.final + H * B);
  }

  /// The same without tape or dropout; its scratch grows with T up to a fixed number of steps only.
  void infer(Input x, Output y, const Call& call) const {
    const Index H = units(), B = x.batch;
    const Scratch s = memory().scratch(products(), call.scratch, x.steps, B);
    const States initial = states_of(call.states.initial, B);
    detail::set_or_zero(s.h, initial.h, H * B);
    detail::set_or_zero(s.c, initial.c, H * B);
    if (B == 1) {
      x.steps = detail::length_of(call.lengths, 0, x.steps);
      infer_one(call.theta, x, y, s);
    } else {
      infer_batch(call.theta, x, y, call.lengths, s);
    }
    if (!options().return_sequences) {
      std::copy_n(s.h, H * B, y.data);
    } else {
      if (!call.lengths.empty()) detail::hold_last_states(y.data, H, B, y.steps, call.lengths);
      // Held up to the last step, so that its block has each sample's last state.
      if (call.states.final != nullptr) std::copy_n(y.step_data(y.steps - 1), H * B, s.h);
    }
    if (call.states.final == nullptr) return;
    std::copy_n(s.h, H * B, call.states.final);
    std::copy_n(s.c, H * B, call.states.final + H * B);
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
    const States final_gradient = states_of(call.states.final_gradient, B);
    Scalar* const dh = s.h;
    Scalar* const dc = s.c;
    detail::set_or_zero(dh, final_gradient.h, H * B);
    detail::set_or_zero(dc, final_gradient.c, H * B);
    if (sequences) {
      detail::add_held_gradients(dy.data, H, B, T, call.lengths, dh);
    } else {
      detail::add(dh, dy.data, H * B);
    }
    if (x.repeated) std::fill_n(s.repeated, 4 * H * B, Scalar(0));

    W_and_U.pack_weights(weights_of(call.theta), true, s.products);
    for (Index last = T; last > 0;) {
      const Index first = std::max(Index(0), last - detail::steps_at_once(T, B));
      for (Index k = last - 1; k >= first; --k) {
        const Index n = steps.samples(k);
        Scalar* dz = s.dz + (k - first) * 4 * H * B;
        const Scalar* c_prev = k == 0 ? t.initial_c : t.cell + (k - 1) * H * B;
        cell_.gates_backward(t.gates + k * 4 * H * B, c_prev, t.activated_cell + k * H * B, dh, dc, dz, n);
        if (x.repeated) detail::add(s.repeated, dz, 4 * H * n);
        if (k > 0 || call.states.initial_gradient != nullptr) {
          // dh of the step before; of samples that ended there it is in dh already.
          const Scalar* dy_before = sequences && k > 0 ? dy.data + (k - 1) * H * B : nullptr;
          W_and_U.previous_state_gradient(dh, {dy_before, H}, dz, t.recurrent_masks, B, n, s.products);
        }
      }
      weight_gradients(W_and_U, steps, x, t, hidden, first, last, dx, call, s);
      last = first;
    }
    if (x.repeated) {
      const auto gradients = gradients_of(call.gradient);
      W_and_U.pack_dz(s.repeated, B, s.products);
      W_and_U.add_kernel_gradient(gradients.kernel, x.data, t.input_masks, B, B, s.products);
      W_and_U.add_bias_gradient(gradients.bias, s.repeated, B);
      if (dx.data != nullptr) {
        W_and_U.input_gradient(dx.data, s.repeated, t.input_masks, B, B, s.products);
      }
    } else if (dx.data != nullptr) {
      steps.clear_padding(dx);
    }
    if (call.states.initial_gradient == nullptr) return;
    std::copy_n(dh, H * B, call.states.initial_gradient);
    std::copy_n(dc, H * B, call.states.initial_gradient + H * B);
  }

 private:
  using Products = detail::RecurrentProducts<Scalar>;
  using Steps = detail::ReadingOrder<Scalar>;
  using Tape = detail::LstmTape<Scalar>;
  using Scratch = detail::LstmScratch<Scalar>;
  struct States {
    const Scalar *h, *c;
  };

  /// Keras draws one mask for each gate, for x and h alike, when recurrent_dropout is on; else one for x.
  Index blocks() const { return options().recurrent_dropout > 0 ? 4 : 1; }
  Products products() const { return {cell_.inputs(), units(), 4 * units(), blocks()}; }
  detail::LstmMemory<Scalar> memory() const {
    return {cell_.inputs(), units(), options().return_sequences, options().dropout > 0 ? blocks() : 0,
            options().recurrent_dropout > 0 ? blocks() : 0};
  }
  States states_of(const Scalar* states, Index batch) const {
    return {states, states == nullptr ? nullptr : states + units() * batch};
  }
  typename Products::Weights weights_of(const Scalar* theta) const {
    return {theta, cell_.recurrent_kernel(theta).data(),
            options().use_bias ? cell_.bias(theta).data() : nullptr};
  }
  typename Products::Gradients gradients_of(Scalar* gradient) const {
    return {gradient, cell_.recurrent_kernel(gradient).data(),
            options().use_bias ? cell_.bias(gradient).data() : nullptr};
  }

  /// z_t of step k, for the samples that have it.
  void preactivations(const Products& W_and_U, const typename Products::Weights& weights, const Steps& steps,
                      Input x, Index k, const Scalar* h_prev, const Scalar* input_masks,
                      const Scalar* recurrent_masks, Scalar* z, const Scratch& s) const {
    const Index B = x.batch, n = steps.samples(k);
    if (x.repeated) {
      W_and_U.recurrent_product({s.repeated, 4 * units()}, h_prev, recurrent_masks, B, n, z, s.products);
    } else {
      W_and_U.both_products(weights, steps.step(k, s.gathered), input_masks, h_prev, recurrent_masks, B, n, z,
                            s.products);
    }
  }

  /// dW, dU, db and dx of steps [first, last), whose dz is in the scratch. Steps whose inputs and previous
  /// states stand side by side are one product.
  void weight_gradients(const Products& W_and_U, const Steps& steps, Input x, const Tape& t,
                        const Scalar* hidden, Index first, Index last, Output dx, const Call& call,
                        const Scratch& s) const {
    const Index H = units(), B = x.batch;
    const bool one_by_one = t.input_masks != nullptr || t.recurrent_masks != nullptr;
    const auto gradients = gradients_of(call.gradient);
    for (Index k = first, count = 0; k < last; k += count) {
      count = one_by_one ? 1 : steps.side_by_side(k, last);
      const Index columns = (count - 1) * B + steps.samples(k + count - 1);
      if (columns == 0) continue;
      const Scalar* dz = s.dz + (k - first) * 4 * H * B;
      const Scalar* h_prev = k == 0 ? t.initial_h : hidden + (k - 1) * H * B;
      W_and_U.pack_dz(dz, columns, s.products);
      W_and_U.add_recurrent_gradient(gradients.recurrent, h_prev, t.recurrent_masks, B, columns, s.products);
      if (x.repeated) continue;  // all steps at once, afterwards
      W_and_U.add_kernel_gradient(gradients.kernel, steps.step(k, s.gathered), t.input_masks, B, columns,
                                  s.products);
      if (dx.data != nullptr) {
        Scalar* const place = steps.gradient_place(dx, k, s.gathered);
        W_and_U.input_gradient(place, dz, t.input_masks, B, columns, s.products);
        steps.put_gradient(dx, k, place);
      }
      W_and_U.add_bias_gradient(gradients.bias, dz, columns);
    }
  }

  /// Inference from the state in `s`, which becomes the final one, but for h with return_sequences.
  void infer_batch(const Scalar* theta, Input x, Output y, std::span<const Index> lengths,
                   const Scratch& s) const {
    const Index H = units(), B = x.batch;
    const Products W_and_U = products();
    const Steps steps(x, options().go_backwards, lengths);
    const auto weights = weights_of(theta);
    W_and_U.pack_weights(weights, false, s.products);
    if (x.repeated) W_and_U.input_product(weights, x.data, nullptr, B, B, s.repeated, s.products);
    const Scalar* h_prev = s.h;
    for (Index k = 0; k < x.steps && steps.samples(k) > 0; ++k) {
      Scalar* h = options().return_sequences ? y.data + k * H * B : s.h;
      preactivations(W_and_U, weights, steps, x, k, h_prev, nullptr, nullptr, s.dz, s);
      cell_.gates_forward(s.dz, s.c, s.c, h, h, steps.samples(k));
      h_prev = h;
    }
  }
  /// The same for one sample, where a step's products have one column: W x of many steps is made at once,
  /// unless the steps are too few to pack W for them, and U, whose packing nothing would repay, is read as it
  /// stands.
  void infer_one(const Scalar* theta, Input x, Output y, const Scratch& s) const {
    const Index H = units(), X = x.features, T = x.steps;
    const auto weights = weights_of(theta);
    const Steps steps(x, options().go_backwards, {});
    const detail::Factor<Scalar> W = detail::as_is(weights.kernel, 4 * H, X);
    const detail::Factor<Scalar> U = detail::as_is(weights.recurrent, 4 * H, H);
    const bool packed = !x.repeated && T >= 8;
    const Index at_once = packed ? std::min<Index>(48, detail::steps_at_once(T, 1)) : T;
    if (packed) detail::pack(W, s.products.kernel);
    if (x.repeated) {
      detail::set_or_zero(s.repeated, weights.bias, 4 * H);
      detail::add_vector_product(s.repeated, W, x.data, false);
    }
    const Scalar* h_prev = s.h;
    for (Index first = 0; first < T; first += at_once) {
      const Index count = std::min(at_once, T - first);
      const Index earliest = options().go_backwards ? T - first - count : first;
      if (packed) {
        detail::multiply_packed<Scalar, 1>(
            s.dz, 4 * H, 4 * H, count, {weights.bias, 0},
            std::array<detail::Term<Scalar>, 1>{
                {{s.products.kernel, detail::as_is(x.data + earliest * X, X, count)}}});
      }
      for (Index k = first; k < first + count; ++k) {
        Scalar* h = options().return_sequences ? y.data + k * H : s.h;
        Scalar* z = packed ? s.dz + (steps.time(k) - earliest) * 4 * H : s.dz;
        if (!packed) detail::set_or_zero(z, x.repeated ? s.repeated : weights.bias, 4 * H);
        if (!packed && !x.repeated) detail::add_vector_product(z, W, x.data + steps.time(k) * X, false);
        detail::add_vector_product(z, U, h_prev, k % 2 == 1);
        cell_.gates_forward(z, s.c, s.c, h, h, 1);
        h_prev = h;
      }
    }
  }

  LstmCell<Scalar, Inputs, Units> cell_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
