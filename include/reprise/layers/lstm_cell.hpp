#pragma once

#include <algorithm>
#include <type_traits>

#include "../core/detail/product.hpp"
#include "activations.hpp"
#include "detail/lstm_kernels.hpp"
#include "initializers.hpp"
#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

template <typename Scalar, int Inputs = Eigen::Dynamic, int Units = Eigen::Dynamic>
class Lstm;

/// One LSTM layer's configuration, in Keras's names and defaults.
struct LstmOptions {
  static constexpr const char* kind = "LSTM";
  template <typename Scalar>
  using Layer = Lstm<Scalar>;

  /// Size of the state h (and c). Must be given.
  Index units = 0;
  /// Applied to the candidate g and to the cell state c.
  Activation activation = activation::tanh;
  /// Applied to the gates i, f and o.
  Activation recurrent_activation = activation::sigmoid;
  bool use_bias = true;
  /// The forget gate's bias starts at 1: Jozefowicz et al. (2015).
  bool unit_forget_bias = true;
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

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [units, activation, recurrent_activation, use_bias, unit_forget_bias, return_sequences,
           go_backwards, dropout, recurrent_dropout, kernel_initializer, recurrent_initializer,
           bias_initializer] = self;
    visit("units", units);
    visit("activation", activation);
    visit("recurrent_activation", recurrent_activation);
    visit("use_bias", use_bias);
    visit("unit_forget_bias", unit_forget_bias);
    visit("return_sequences", return_sequences);
    visit("go_backwards", go_backwards);
    visit("dropout", dropout);
    visit("recurrent_dropout", recurrent_dropout);
    visit("kernel_initializer", kernel_initializer);
    visit("recurrent_initializer", recurrent_initializer);
    visit("bias_initializer", bias_initializer);
  }

  friend bool operator==(const LstmOptions&, const LstmOptions&) = default;
};

/// One step of an LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), as Keras
/// defines it. For x of I inputs and h, c of H units:
///
///     [zi]   [    ]     [    ]         [ ]       i = s(zi)    s: recurrent_activation
///     [zf] = [ W  ] x + [ U  ] h_prev + [b]      f = s(zf)    a: activation
///     [zg]   [4HxI]     [4HxH]         [ ]       g = a(zg)    c = f*c_prev + i*g
///     [zo]   [    ]     [    ]         [ ]       o = s(zo)    h = o*a(c)
///
/// and backwards, with dh and dc the gradients that arrive from later and s', a' written in outputs:
///
///     do = dh*a(c)    dc += dh*o*a'(c)    di = dc*g   dg = dc*i   df = dc*c_prev   dc_prev = dc*f
///     dz = [di*s'(i); df*s'(f); dg*a'(g); do*s'(o)]    dh_prev = U^T dz    dx = W^T dz
///     dW += dz x^T    dU += dz h_prev^T    db += dz
///
/// Parameters are one vector: W (named kernel, column-major), U (recurrent_kernel), b (bias, unless use_bias
/// is off).
template <typename Scalar_, int Inputs = Eigen::Dynamic, int Units = Eigen::Dynamic>
class LstmCell {
 public:
  using Scalar = Scalar_;
  static constexpr int Gates = Units == Eigen::Dynamic ? Eigen::Dynamic : 4 * Units;
  template <typename S, int Rows, int Cols>
  using Weights =
      Eigen::Map<std::conditional_t<std::is_const_v<S>, const detail::SizedMatrix<Scalar, Rows, Cols>,
                                    detail::SizedMatrix<Scalar, Rows, Cols>>>;

  /// `inputs`: features of x.
  LstmCell(Index inputs, const LstmOptions& options) : inputs_(inputs), options_(options) {
    detail::require_size(options.units, "Lstm", "units");
    detail::require_size(inputs, "Lstm", "number of input features");
    detail::require_rate(options.dropout, "Lstm", "dropout");
    detail::require_rate(options.recurrent_dropout, "Lstm", "recurrent_dropout");
    if ((Inputs != Eigen::Dynamic && inputs != Inputs) ||
        (Units != Eigen::Dynamic && options.units != Units)) {
      detail::fail("Lstm", {"the sizes it was compiled for, ", Inputs, " inputs and ", Units, " units"},
                   {inputs, " and ", options.units});
    }
  }

  const LstmOptions& options() const { return options_; }
  Index inputs() const { return Inputs == Eigen::Dynamic ? inputs_ : Inputs; }
  Index units() const { return Units == Eigen::Dynamic ? options_.units : Units; }
  Index parameter_count() const { return 4 * units() * (inputs() + units() + (options_.use_bias ? 1 : 0)); }

  /// The named parts of a slice of `parameter_count()` scalars; const or not as the pointer is.
  template <typename S>
  Weights<S, Gates, Inputs> kernel(S* theta) const {
    return {theta, 4 * units(), inputs()};
  }
  template <typename S>
  Weights<S, Gates, Units> recurrent_kernel(S* theta) const {
    return {theta + 4 * units() * inputs(), 4 * units(), units()};
  }
  /// Empty when there is no bias.
  template <typename S>
  Weights<S, Eigen::Dynamic, 1> bias(S* theta) const {
    return {theta + 4 * units() * (inputs() + units()), options_.use_bias ? 4 * units() : 0};
  }

  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    table.add(prefix + "kernel", 4 * units(), inputs(), false);
    table.add(prefix + "recurrent_kernel", 4 * units(), units(), false);
    if (options_.use_bias) table.add(prefix + "bias", 4 * units(), 1, true);
  }

  void initialize(Scalar* theta, RandomStream& random) const {
    const Index H = units();
    detail::initialize<Scalar>(options_.kernel_initializer, {theta, 4 * H, inputs()}, random);
    detail::initialize<Scalar>(options_.recurrent_initializer, {recurrent_kernel(theta).data(), 4 * H, H},
                               random);
    if (!options_.use_bias) return;
    detail::initialize<Scalar>(options_.bias_initializer, {bias(theta).data(), 4 * H, 1}, random);
    if (options_.unit_forget_bias) bias(theta).segment(H, H).setOnes();
  }

  /// One step for a batch without dropout or tape: h and c (H x batch) go in as the previous state and come
  /// out as the next. `gates` (4H x batch) is scratch. x is I x batch. They may be blocks of other matrices;
  /// row-major states do not compile. Throws where sizes do not fit.
  void step(const Scalar* theta, const Eigen::Ref<const Matrix<Scalar>>& x, Eigen::Ref<Matrix<Scalar>> h,
            Eigen::Ref<Matrix<Scalar>> c, Eigen::Ref<Matrix<Scalar>> gates) const {
    const Index H = units(), B = x.cols();
    require_size("x", inputs(), B, x);
    require_size("h", H, B, h);
    require_size("c", H, B, c);
    require_size("gates", 4 * H, B, gates);
    gates.noalias() = kernel(theta).lazyProduct(x);
    gates.noalias() += recurrent_kernel(theta).lazyProduct(h);
    if (options_.use_bias) gates.colwise() += bias(theta);
    for (Index b = 0; b < B; ++b) {  // of a block, columns do not follow one another
      Scalar *const h_b = h.col(b).data(), *const c_b = c.col(b).data();
      gates_forward(gates.col(b).data(), c_b, c_b, h_b, h_b, 1);
    }
  }

  /// The elementwise part forwards: `z` (4H x batch) becomes [i; f; g; o]; c, a(c) and h (H x batch each) are
  /// written. `c` may be `c_prev`, and `activated_cell` may be `h` where a(c) is not to be kept.
  void gates_forward(Scalar* z, const Scalar* c_prev, Scalar* c, Scalar* activated_cell, Scalar* h,
                     Index batch) const {
    const Index H = units();
    const bool done = fused([&](auto a, auto fast_s) {
      detail::fused_gates_forward<decltype(a), decltype(fast_s)>(H, z, c_prev, c, activated_cell, h, batch);
    });
    if (done) return;
    const Activation s = options_.recurrent_activation;
    detail::apply_activation(s, z, 4 * H, z, 4 * H, 2 * H, batch);
    detail::apply_activation(options_.activation, z + 2 * H, 4 * H, z + 2 * H, 4 * H, H, batch);
    detail::apply_activation(s, z + 3 * H, 4 * H, z + 3 * H, 4 * H, H, batch);
    for (Index b = 0; b < batch; ++b) {
      const Scalar* i = z + b * 4 * H;
      const Scalar* f = i + H;
      const Scalar* g = f + H;
      for (Index u = 0; u < H; ++u) c[b * H + u] = f[u] * c_prev[b * H + u] + i[u] * g[u];
    }
    detail::apply_activation(options_.activation, c, H, activated_cell, H, H, batch);
    for (Index b = 0; b < batch; ++b) {
      const Scalar* o = z + b * 4 * H + 3 * H;
      for (Index u = 0; u < H; ++u) h[b * H + u] = o[u] * activated_cell[b * H + u];
    }
  }

  /// The elementwise part backwards: from the gates [i; f; g; o] (4H x batch) to dz; `dc` (H x batch) holds
  /// the gradient of c and becomes that of c_prev.
  void gates_backward(const Scalar* gates, const Scalar* c_prev, const Scalar* activated_cell,
                      const Scalar* dh, Scalar* dc, Scalar* dz, Index batch) const {
    const Index H = units();
    const bool done = fused([&](auto a, auto fast_s) {
      detail::fused_gates_backward<decltype(a), decltype(fast_s)>(H, gates, c_prev, activated_cell, dh, dc,
                                                                  dz, batch);
    });
    if (done) return;
    // The places of di and dg hold a'(a(c)) and a'(g) until they are overwritten.
    const Activation a = options_.activation;
    std::fill_n(dz, 4 * H * batch, Scalar(1));
    detail::multiply_by_derivative(a, activated_cell, H, dz, 4 * H, H, batch);
    detail::multiply_by_derivative(a, gates + 2 * H, 4 * H, dz + 2 * H, 4 * H, H, batch);
    for (Index b = 0; b < batch; ++b) {
      const Scalar* i = gates + b * 4 * H;
      const Scalar* f = i + H;
      const Scalar* g = f + H;
      const Scalar* o = g + H;
      Scalar* di = dz + b * 4 * H;  // the derivatives of i, f and o follow below
      Scalar* df = di + H;
      Scalar* dg = df + H;
      Scalar* d_o = dg + H;
      for (Index u = 0; u < H; ++u) {
        const Index at = b * H + u;
        const Scalar dc_total = dc[at] + dh[at] * o[u] * di[u];
        di[u] = dc_total * g[u];
        df[u] = dc_total * c_prev[at];
        dg[u] = dc_total * i[u] * dg[u];
        d_o[u] = dh[at] * activated_cell[at];
        dc[at] = dc_total * f[u];
      }
    }
    const Activation s = options_.recurrent_activation;
    detail::multiply_by_derivative(s, gates, 4 * H, dz, 4 * H, 2 * H, batch);
    detail::multiply_by_derivative(s, gates + 3 * H, 4 * H, dz + 3 * H, 4 * H, H, batch);
  }

 private:
  static void require_size(const char* what, Index rows, Index cols,
                           const Eigen::Ref<const Matrix<Scalar>>& matrix) {
    if (matrix.rows() == rows && matrix.cols() == cols) return;
    detail::fail({"LstmCell: step: ", what}, {rows, " x ", cols}, {matrix.rows(), " x ", matrix.cols()});
  }
  /// Calls use(A, S) where a fused kernel does the work of the plain equations; false where there is none.
  template <typename Use>
  bool fused([[maybe_unused]] Use use) const {
#ifndef REPRISE_PLAIN_KERNELS
    if constexpr (std::is_same_v<Scalar, float>) {
      return detail::with_fused_gates(options_.activation, options_.recurrent_activation, use);
    }
#endif
    return false;
  }

  Index inputs_;
  LstmOptions options_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
