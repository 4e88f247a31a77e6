#pragma once

#include "dense.hpp"
#include "lstm_cell.hpp"

namespace reprise::inline REPRISE_ABI {

/// An LSTM layer and a dense layer on its state, one sample at a time, for code that must answer in time: the
/// sizes are known to the compiler, weights and state are inside the object, and `step` neither allocates nor
/// throws nor looks for NaN (which stays in the state until `reset`).
///
///     LstmStream<float, 1, 32> stream(lstm, theta_of_lstm, dense, theta_of_dense);
///     const float y = stream.step(Eigen::Matrix<float, 1, 1>(x))[0];
template <typename Scalar, int Inputs, int Units, int Outputs = 1>
class LstmStream {
 public:
  using Input = Eigen::Matrix<Scalar, Inputs, 1>;
  using State = Eigen::Matrix<Scalar, Units, 1>;
  using Output = Eigen::Matrix<Scalar, Outputs, 1>;

  /// Copies the parameters: of the LSTM as `Lstm` has them, of the dense layer as `Dense` has them. Throws
  /// when sizes differ from those that it was compiled for.
  LstmStream(const LstmOptions& lstm, const Scalar* lstm_theta, const DenseOptions& dense,
             const Scalar* dense_theta)
      : cell_(Inputs, lstm), dense_(Units, dense) {
    const auto rows = detail::as_is(lstm_theta, 4 * Units, Inputs + Units);  // W and U side by side
    detail::pack(rows, weights_.data());
    bias_.setZero();
    if (lstm.use_bias) bias_ = cell_.bias(lstm_theta);
    kernel_ = dense_.kernel(dense_theta);
    output_bias_.setZero();
    if (dense.use_bias) output_bias_ = dense_.bias(dense_theta);
    reset();
  }

  /// Back to a zero state.
  void reset() noexcept {
    seen_.setZero();
    c_.setZero();
  }

  /// The output for the next sample.
  const Output& step(const Input& x) noexcept {
    seen_.template head<Inputs>() = x;
    detail::multiply_packed<Scalar, 1>(
        gates_.data(), 4 * Units, 4 * Units, 1, {bias_.data(), 0},
        {{{weights_.data(), detail::as_is<Scalar>(seen_.data(), Inputs + Units, 1)}}});
    Scalar* h = seen_.data() + Inputs;
    cell_.gates_forward(gates_.data(), c_.data(), c_.data(), h, h, 1);
    output_.noalias() = kernel_ * seen_.template tail<Units>();
    output_ += output_bias_;
    detail::apply_activation<Scalar>(dense_.options().activation, output_.data(), Outputs, output_.data(),
                                     Outputs, Outputs, 1);
    return output_;
  }

  auto h() const { return seen_.template tail<Units>(); }
  const State& c() const { return c_; }

 private:
  static constexpr Index packed_rows =
      (4 * Units + detail::lane_count<Scalar> - 1) / detail::lane_count<Scalar> * detail::lane_count<Scalar>;

  LstmCell<Scalar, Inputs, Units> cell_;
  Dense<Scalar, Units, Outputs> dense_;
  alignas(64) std::array<Scalar, static_cast<std::size_t>(packed_rows*(Inputs + Units))> weights_;
  Eigen::Matrix<Scalar, 4 * Units, 1> bias_, gates_;
  Eigen::Matrix<Scalar, Outputs, Units, Outputs == 1 ? Eigen::RowMajor : Eigen::ColMajor> kernel_;
  Output output_bias_, output_;
  /// The input above the state h.
  Eigen::Matrix<Scalar, Inputs + Units, 1> seen_;
  State c_;
};

}  // namespace reprise::inline REPRISE_ABI
