#pragma once

#include <algorithm>

#include "activations.hpp"
#include "initializers.hpp"
#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

template <typename Scalar>
class Gru;

/// One GRU layer's configuration, in Keras's names and defaults.
struct GruOptions {
  static constexpr const char* kind = "GRU";
  template <typename Scalar>
  using Layer = Gru<Scalar>;

  /// Size of the state h. Must be given.
  Index units = 0;
  /// Applied to the candidate g.
  Activation activation = activation::tanh;
  /// Applied to the gates z and r.
  Activation recurrent_activation = activation::sigmoid;
  bool use_bias = true;
  /// The state after every step, or only the last one.
  bool return_sequences = false;
  /// Reads the sequence from its end; with return_sequences the output comes in the order of reading.
  bool go_backwards = false;
  /// Share of the inputs, and of the recurrent state, set to zero in training; one mask for all steps.
  double dropout = 0.0;
  double recurrent_dropout = 0.0;
  Initializer kernel_initializer = initializer::glorot_uniform;
  Initializer recurrent_initializer = initializer::orthogonal;
  Initializer bias_initializer = initializer::zeros;
  /// Whether the reset gate acts after the product with the recurrent kernel, as in cuDNN, or before it, as
  /// in the paper.
  bool reset_after = true;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [units, activation, recurrent_activation, use_bias, return_sequences, go_backwards, dropout,
           recurrent_dropout, kernel_initializer, recurrent_initializer, bias_initializer, reset_after] =
        self;
    visit("units", units);
    visit("activation", activation);
    visit("recurrent_activation", recurrent_activation);
    visit("use_bias", use_bias);
    visit("return_sequences", return_sequences);
    visit("go_backwards", go_backwards);
    visit("dropout", dropout);
    visit("recurrent_dropout", recurrent_dropout);
    visit("kernel_initializer", kernel_initializer);
    visit("recurrent_initializer", recurrent_initializer);
    visit("bias_initializer", bias_initializer);
    visit("reset_after", reset_after);
  }

  friend bool operator==(const GruOptions&, const GruOptions&) = default;
};

/// One step of a GRU (Cho et al. 2014) as Keras defines it. For x of I inputs and h of H units, with s the
/// recurrent_activation, a the activation and * between vectors value by value:
///
///     reset_after (the form of cuDNN)                       else
///
///     [uz]   [    ]     [ ]     [vz]   [    ]      [ ]      uz = Wz x + bz + Uz h_prev
///     [ur] = [ W  ] x + [b]     [vr] = [ U  ] h_prev + [c]  ur = Wr x + br + Ur h_prev
///     [ug]   [3HxI]     [ ]     [vg]   [3HxH]      [ ]      ug = Wg x + bg + Ug q
///
///     z = s(uz + vz)   r = s(ur + vr)                       z = s(uz)   r = s(ur)   q = r*h_prev
///     g = a(ug + r*vg)                                      g = a(ug)
///
///     h = z*h_prev + (1 - z)*g                              h = z*h_prev + (1 - z)*g
///
/// and backwards, with dh the gradient that arrives from later and s', a' written in outputs:
///
///     duz = dh*(h_prev - g)*s'(z)    dug = dh*(1 - z)*a'(g)
///
///     dur = dug*vg*s'(r)                                    dq = Ug^T dug    dur = dq*h_prev*s'(r)
///     dv = [duz; dur; dug*r]
///     dh_prev = dh*z + U^T dv                               dh_prev = dh*z + dq*r + Uz^T duz + Ur^T dur
///     dU += dv h_prev^T    dc += dv                         dUz += duz h_prev^T  dUr += dur h_prev^T
///                                                           dUg += dug q^T
///     dx = W^T du    dW += du x^T    db += du               the same
///
/// Parameters are one vector: W (named kernel, column-major; rows of z, r and g in this order), U
/// (recurrent_kernel), b (bias), c (recurrent_bias, with reset_after). Keras stores b and c as the two rows
/// of one tensor.
///
/// This class has what is done value by value; the products are the layer's. `batch` are the columns.
template <typename Scalar_>
class GruCell {
 public:
  using Scalar = Scalar_;

  /// `inputs`: features of x.
  GruCell(Index inputs, const GruOptions& options) : inputs_(inputs), options_(options) {
    detail::require_size(options.units, "Gru", "units");
    detail::require_size(inputs, "Gru", "number of input features");
    detail::require_rate(options.dropout, "Gru", "dropout");
    detail::require_rate(options.recurrent_dropout, "Gru", "recurrent_dropout");
  }

  const GruOptions& options() const { return options_; }
  Index inputs() const { return inputs_; }
  Index units() const { return options_.units; }
  bool has_recurrent_bias() const { return options_.use_bias && options_.reset_after; }

  /// Where each tensor begins in a slice of the parameters; null where there is none.
  template <typename S>
  S* recurrent_kernel(S* theta) const {
    return theta + 3 * units() * inputs();
  }
  template <typename S>
  S* bias(S* theta) const {
    return options_.use_bias ? recurrent_kernel(theta) + 3 * units() * units() : nullptr;
  }
  template <typename S>
  S* recurrent_bias(S* theta) const {
    return has_recurrent_bias() ? bias(theta) + 3 * units() : nullptr;
  }

  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    table.add(prefix + "kernel", 3 * units(), inputs(), false);
    table.add(prefix + "recurrent_kernel", 3 * units(), units(), false);
    if (options_.use_bias) table.add(prefix + "bias", 3 * units(), 1, true);
    if (has_recurrent_bias()) table.add(prefix + "recurrent_bias", 3 * units(), 1, true);
  }

  void initialize(Scalar* theta, RandomStream& random) const {
    const Index rows = 3 * units();
    detail::initialize<Scalar>(options_.kernel_initializer, {theta, rows, inputs()}, random);
    detail::initialize<Scalar>(options_.recurrent_initializer, {recurrent_kernel(theta), rows, units()},
                               random);
    if (options_.use_bias)
      detail::initialize<Scalar>(options_.bias_initializer, {bias(theta), rows, 1}, random);
    if (has_recurrent_bias())
      detail::initialize<Scalar>(options_.bias_initializer, {recurrent_bias(theta), rows, 1}, random);
  }

  /// The first two thirds of u (3H x batch) become z and r.
  void activate_gates(Scalar* u, Index batch) const {
    const Index H = units();
    detail::apply_activation(options_.recurrent_activation, u, 3 * H, u, 3 * H, 2 * H, batch);
  }
  /// With reset_after: u and v (3H x batch) become z, r and, not yet activated, g, in the place of u; vg
  /// (H x batch) is kept.
  void join(Scalar* u, const Scalar* v, Scalar* vg, Index batch) const {
    const Index H = units();
    for (Index b = 0; b < batch; ++b) detail::add(u + b * 3 * H, v + b * 3 * H, 2 * H);
    activate_gates(u, batch);
    each_unit(batch, [=](Index gate, Index state) {
      const Scalar r = u[gate + H];
      vg[state] = v[gate + 2 * H];
      u[gate + 2 * H] += r * vg[state];
    });
  }
  /// q = r*h_prev.
  void reset(const Scalar* gates, const Scalar* h_prev, Scalar* q, Index batch) const {
    const Index H = units();
    each_unit(batch, [=](Index gate, Index state) { q[state] = gates[gate + H] * h_prev[state]; });
  }
  /// g is activated, and h made of it. `h` may be `h_prev`.
  void next_state(Scalar* gates, const Scalar* h_prev, Scalar* h, Index batch) const {
    const Index H = units();
    detail::apply_activation(options_.activation, gates + 2 * H, 3 * H, gates + 2 * H, 3 * H, H, batch);
    each_unit(batch, [=](Index gate, Index state) {
      const Scalar z = gates[gate], g = gates[gate + 2 * H];
      h[state] = z * h_prev[state] + (Scalar(1) - z) * g;
    });
  }

  /// duz and dug in du (3H x batch); dh (H x batch) becomes dh*z.
  void next_state_backward(const Scalar* gates, const Scalar* h_prev, Scalar* dh, Scalar* du,
                           Index batch) const {
    const Index H = units();
    each_unit(batch, [=](Index gate, Index state) {
      const Scalar z = gates[gate], g = gates[gate + 2 * H], dh_now = dh[state];
      du[gate] = dh_now * (h_prev[state] - g);
      du[gate + 2 * H] = dh_now * (Scalar(1) - z);
      dh[state] = dh_now * z;
    });
    detail::multiply_by_derivative(options_.recurrent_activation, gates, 3 * H, du, 3 * H, H, batch);
    detail::multiply_by_derivative(options_.activation, gates + 2 * H, 3 * H, du + 2 * H, 3 * H, H, batch);
  }
  /// With reset_after: dur and dv, from the rest of du.
  void join_backward(const Scalar* gates, const Scalar* vg, Scalar* du, Scalar* dv, Index batch) const {
    const Index H = units();
    each_unit(batch, [=](Index gate, Index state) { du[gate + H] = du[gate + 2 * H] * vg[state]; });
    reset_gate_derivative(gates, du, batch);
    each_unit(batch, [=](Index gate, Index) {
      const Scalar r = gates[gate + H];
      dv[gate] = du[gate];
      dv[gate + H] = du[gate + H];
      dv[gate + 2 * H] = du[gate + 2 * H] * r;
    });
  }
  /// dur from dq; dq (H x batch) becomes dq*r.
  void reset_backward(const Scalar* gates, const Scalar* h_prev, Scalar* dq, Scalar* du, Index batch) const {
    const Index H = units();
    each_unit(batch, [=](Index gate, Index state) {
      const Scalar r = gates[gate + H];
      du[gate + H] = dq[state] * h_prev[state];
      dq[state] *= r;
    });
    reset_gate_derivative(gates, du, batch);
  }

 private:
  /// use(where the unit's z stands in blocks of 3H x batch, where its state stands in blocks of H x batch).
  template <typename Use>
  void each_unit(Index batch, Use use) const {
    const Index H = units();
    for (Index b = 0; b < batch; ++b) {
      for (Index unit = 0; unit < H; ++unit) use(b * 3 * H + unit, b * H + unit);
    }
  }
  void reset_gate_derivative(const Scalar* gates, Scalar* du, Index batch) const {
    const Index H = units();
    detail::multiply_by_derivative(options_.recurrent_activation, gates + H, 3 * H, du + H, 3 * H, H, batch);
  }

  Index inputs_;
  GruOptions options_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
