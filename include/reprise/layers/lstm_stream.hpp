#pragma once

#include <algorithm>
#include <array>

#include "dense.hpp"
#include "lstm_cell.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// An LSTM layer and a dense layer on its state, one sample at a time, for code that must answer in time: the
/// sizes are known to the compiler, weights and state are inside the object, and `step` neither allocates nor
/// throws nor looks for NaN (which stays in the state until `reset`).
///
///     LstmStream<float, 1, 32> stream(lstm, theta_of_lstm, dense, theta_of_dense);
///     const float y = stream.step(Eigen::Matrix<float, 1, 1>(x))[0];
///
/// Inside, units are padded to whole registers with weights of zero, and the weights stand in the order in
/// which they are read: for each one or two registers of units, for each value of [h; x], those of the four
/// gates. So the preactivations of these units are ready in registers at once, where the gates take them
/// over.
template <typename Scalar, int Inputs, int Units, int Outputs = 1>
class LstmStream {
 public:
  using Input = detail::SizedMatrix<Scalar, Inputs, 1>;
  using State = detail::SizedMatrix<Scalar, Units, 1>;
  using Output = detail::SizedMatrix<Scalar, Outputs, 1>;

  /// Copies the parameters: of the LSTM as `Lstm` has them, of the dense layer as `Dense` has them. Throws
  /// when sizes differ from those that it was compiled for, and where the LSTM goes backwards, which needs
  /// the end of a sequence first. Dropout acts in training only, so a stream has none; an output comes after
  /// each sample, whatever `return_sequences` says.
  LstmStream(const LstmOptions& lstm, const Scalar* lstm_theta, const DenseOptions& dense,
             const Scalar* dense_theta)
      : cell_(Inputs, lstm), dense_(Units, dense) {
    if (lstm.go_backwards) detail::fail("LstmStream", "an LSTM that reads forwards", "go_backwards");
    const auto U = cell_.recurrent_kernel(lstm_theta);
    const auto W = cell_.kernel(lstm_theta);
    const auto b = cell_.bias(lstm_theta);
    for (Index unit = 0; unit < Units; ++unit) {
      for (Index gate = 0; gate < 4; ++gate) {
        const Index row = gate * Units + unit;
        for (Index k = 0; k < Units; ++k) weights_[place(unit, gate, k)] = U(row, k);
        for (Index k = 0; k < Inputs; ++k) weights_[place(unit, gate, Units + k)] = W(row, k);
        if (!lstm.use_bias) continue;
        bias_[static_cast<std::size_t>((unit / lanes * 4 + gate) * lanes + unit % lanes)] = b(row);
      }
      for (Index o = 0; o < Outputs; ++o)
        kernel_[static_cast<std::size_t>(o * padded + unit)] = dense_.kernel(dense_theta)(o, unit);
    }
    output_bias_.setZero();
    if (dense.use_bias) output_bias_ = dense_.bias(dense_theta);
    reset();
  }

  /// Back to a zero state.
  void reset() noexcept {
    for (auto& h : h_) h.fill(Scalar(0));
    c_.fill(Scalar(0));
  }

  /// The output for the next sample.
  Output step(const Input& x) noexcept {
    const Scalar* const before = h_[now_].data();
    now_ = 1 - now_;
    Scalar* const h = h_[now_].data();
    if (!fused_step(before, x, h)) {
      for_blocks(before, x, [&](Index u, const Lanes* z) {
        for (Index gate = 0; gate < 4; ++gate) {
          Array<lanes> values;
          detail::store_lanes(values.data(), z[gate]);
          std::copy_n(values.data(), std::min(lanes, Units - u), z_.data() + gate * Units + u);
        }
      });
      cell_.gates_forward(z_.data(), c_.data(), c_.data(), h, h, 1);
    }
    Output y;
    for (Index o = 0; o < Outputs; ++o) {
      Lanes products{};
      for (Index u = 0; u < padded; u += lanes)
        products += detail::load_lanes(kernel_.data() + o * padded + u) * detail::load_lanes(h + u);
      y[o] = output_bias_[o] + sum_of(products);
    }
    detail::apply_activation<Scalar>(dense_.options().activation, y.data(), Outputs, y.data(), Outputs,
                                     Outputs, 1);
    return y;
  }

  /// The state; valid until the next step.
  Eigen::Map<const State> h() const { return Eigen::Map<const State>(h_[now_].data()); }
  Eigen::Map<const State> c() const { return Eigen::Map<const State>(c_.data()); }

 private:
  using Lanes = detail::Lanes<Scalar>;
  static constexpr Index lanes = detail::lane_count<Scalar>;
  static constexpr Index blocks = (Units + lanes - 1) / lanes;  // registers of units
  static constexpr Index padded = blocks * lanes;
  template <Index size>
  using Array = std::array<Scalar, static_cast<std::size_t>(size)>;

  /// Of the block that holds a unit: how many blocks are worked on together with it, and the first of these.
  static constexpr Index together(Index block) { return block / 2 * 2 + 1 < blocks ? 2 : 1; }
  static constexpr std::size_t place(Index unit, Index gate, Index k) {
    const Index block = unit / lanes, first = block / 2 * 2;
    return static_cast<std::size_t>(
        ((first * (Units + Inputs) + k * together(block) + block - first) * 4 + gate) * lanes + unit % lanes);
  }

  /// z of `count` neighbouring blocks from `first` on; then use(first unit of a block, its four gates' z).
  template <Index count, typename Use>
  REPRISE_DETAIL_INLINE void preactivations(Index first, const Scalar* h, const Scalar* x, Use use) const {
    constexpr Index width = 4 * count;
    constexpr Index turns = count == 1 ? 2 : 1;  // so that an addition need not wait for the one before
    Lanes z[std::size_t{turns}][std::size_t{width}] = {};
#pragma GCC unroll 8
    for (Index g = 0; g < width; ++g) z[0][g] = detail::load_lanes(bias_.data() + (first * 4 + g) * lanes);
    const Scalar* weights = weights_.data() + first * (Units + Inputs) * 4 * lanes;
    const auto add = [&](Index turn, Scalar value) REPRISE_DETAIL_INLINE {
      const Lanes factor = detail::same_in_all(value);
#pragma GCC unroll 8
      for (Index g = 0; g < width; ++g) z[turn][g] += detail::load_lanes(weights + g * lanes) * factor;
      weights += width * lanes;
    };
    for (Index k = 0; k + turns <= Units; k += turns) {
#pragma GCC unroll 2
      for (Index turn = 0; turn < turns; ++turn) add(turn, h[k + turn]);
    }
    if constexpr (Units % turns != 0) add(0, h[Units - 1]);
    for (Index k = 0; k < Inputs; ++k) add(0, x[k]);
    for (Index turn = 1; turn < turns; ++turn) {
#pragma GCC unroll 8
      for (Index g = 0; g < width; ++g) z[0][g] += z[turn][g];
    }
#pragma GCC unroll 2
    for (Index b = 0; b < count; ++b) use((first + b) * lanes, z[0] + 4 * b);
  }
  template <typename Use>
  REPRISE_DETAIL_INLINE void for_blocks(const Scalar* h, const Input& x, Use use) const {
    Index block = 0;
    for (; block + 2 <= blocks; block += 2) preactivations<2>(block, h, x.data(), use);
    if constexpr (blocks % 2 == 1) preactivations<1>(block, h, x.data(), use);
  }

  /// The whole LSTM step in registers; false where no fused kernel knows the activations.
  bool fused_step([[maybe_unused]] const Scalar* before, [[maybe_unused]] const Input& x,
                  [[maybe_unused]] Scalar* h) noexcept {
#ifndef REPRISE_PLAIN_KERNELS
    if constexpr (std::is_same_v<Scalar, float>) {
      const LstmOptions& options = cell_.options();
      return detail::with_fused_gates(options.activation, options.recurrent_activation, [&](auto a, auto s) {
        for_blocks(before, x, [&](Index u, const Lanes* z) REPRISE_DETAIL_INLINE {
          const auto y = detail::gate_lanes<decltype(a), decltype(s)>(z[0], z[1], z[2], z[3],
                                                                      detail::load_lanes(c_.data() + u));
          detail::store_lanes(c_.data() + u, y.cell);
          detail::store_lanes(h + u, without_padding(u, y.h));
        });
      });
    }
#endif
    return false;
  }

  /// Zeros for units that there are not: an infinite sample would make NaN of them, and of the output's sum.
  REPRISE_DETAIL_INLINE static Lanes without_padding(Index u, const Lanes& h) {
    if constexpr (padded == Units) {
      return h;
    } else {
      Lanes number{};
      for (Index lane = 0; lane < lanes; ++lane) number[lane] = static_cast<Scalar>(lane);
      return number < detail::same_in_all(static_cast<Scalar>(Units - u)) ? h : Lanes{};
    }
  }

  static Scalar sum_of(const Lanes& products) {
    Array<lanes> values;
    detail::store_lanes(values.data(), products);
    return Eigen::Map<const Eigen::Array<Scalar, static_cast<int>(lanes), 1>>(values.data()).sum();
  }

  LstmCell<Scalar, Inputs, Units> cell_;
  Dense<Scalar, Units, Outputs> dense_;
  alignas(64) Array<4 * padded*(Units + Inputs)> weights_{};
  alignas(64) Array<4 * padded> bias_{};
  alignas(64) Array<Outputs * padded> kernel_{};
  alignas(64) Array<padded> c_{};
  /// The state before and the one now, in turn.
  alignas(64) std::array<Array<padded>, 2> h_{};
  std::size_t now_ = 0;
  Array<Index{4} * Units> z_{};
  Output output_bias_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
