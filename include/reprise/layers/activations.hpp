#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <type_traits>

#include "../core/error.hpp"
#include "../core/memory.hpp"
#include "fast_activations.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The elementwise functions a layer may apply; Keras's names and definitions.
enum class Activation {
  linear,
  relu,
  tanh,
  sigmoid,
  hard_sigmoid,
  elu,
  selu,
  softplus,
  softsign,
  leaky_relu
};

/// `reprise::activation::relu` and so on; a namespace of its own, since a value named `tanh` in `reprise`
/// would hide the function.
namespace activation {
inline constexpr Activation linear = Activation::linear;
inline constexpr Activation relu = Activation::relu;
inline constexpr Activation tanh = Activation::tanh;
inline constexpr Activation sigmoid = Activation::sigmoid;
inline constexpr Activation hard_sigmoid = Activation::hard_sigmoid;
inline constexpr Activation elu = Activation::elu;
inline constexpr Activation selu = Activation::selu;
inline constexpr Activation softplus = Activation::softplus;
inline constexpr Activation softsign = Activation::softsign;
inline constexpr Activation leaky_relu = Activation::leaky_relu;
}  // namespace activation

namespace detail {

inline constexpr std::array<std::string_view, 10> activation_names = {
    "linear", "relu", "tanh", "sigmoid", "hard_sigmoid", "elu", "selu", "softplus", "softsign", "leaky_relu"};

// Klambauer et al., "Self-normalizing neural networks" (2017), as Keras rounds them.
inline constexpr double selu_alpha = 1.6732632423543772848170429916717;
inline constexpr double selu_scale = 1.0507009873554804934193349852946;
inline constexpr double leaky_relu_slope = 0.2;  // PyTorch: 0.01

// The table: for each activation the value f(x), and the derivative written in the *output* y = f(x), since
// outputs are what the tape keeps.
// clang-format off
template <Activation>
struct ActivationFunction;

template <>
struct ActivationFunction<Activation::linear> {
  template <typename S> static S value(S x) { return x; }
  template <typename S> static S derivative(S) { return S(1); }
};
template <>
struct ActivationFunction<Activation::relu> {
  template <typename S> static S value(S x) { return x < S(0) ? S(0) : x; }  // NaN stays NaN
  template <typename S> static S derivative(S y) { return y > S(0) ? S(1) : S(0); }
};
template <>
struct ActivationFunction<Activation::tanh> {
  template <typename S> static S value(S x) { return std::tanh(x); }
  template <typename S> static S derivative(S y) { return S(1) - y * y; }
};
template <>
struct ActivationFunction<Activation::sigmoid> {
  template <typename S> static S value(S x) { return S(1) / (S(1) + std::exp(-x)); }
  template <typename S> static S derivative(S y) { return y * (S(1) - y); }
};
template <>
struct ActivationFunction<Activation::hard_sigmoid> {  // relu6(x + 3) / 6
  template <typename S> static S value(S x) { return std::clamp(x + S(3), S(0), S(6)) / S(6); }
  template <typename S> static S derivative(S y) { return y > S(0) && y < S(1) ? S(1) / S(6) : S(0); }
};
template <>
struct ActivationFunction<Activation::elu> {  // alpha = 1
  template <typename S> static S value(S x) { return x > S(0) ? x : std::expm1(x); }
  template <typename S> static S derivative(S y) { return y > S(0) ? S(1) : y + S(1); }
};
template <>
struct ActivationFunction<Activation::selu> {
  template <typename S> static S value(S x) {
    return S(selu_scale) * (x > S(0) ? x : S(selu_alpha) * std::expm1(x));
  }
  template <typename S> static S derivative(S y) {
    return y > S(0) ? S(selu_scale) : y + S(selu_scale * selu_alpha);
  }
};
template <>
struct ActivationFunction<Activation::softplus> {  // log(1 + exp(x)), without overflow
  template <typename S> static S value(S x) { return std::max(x, S(0)) + std::log1p(std::exp(-std::abs(x))); }
  template <typename S> static S derivative(S y) { return -std::expm1(-y); }
};
template <>
struct ActivationFunction<Activation::softsign> {  // x / (1 + |x|)
  template <typename S> static S value(S x) { return x / (S(1) + std::abs(x)); }
  template <typename S> static S derivative(S y) { return (S(1) - std::abs(y)) * (S(1) - std::abs(y)); }
};
template <>
struct ActivationFunction<Activation::leaky_relu> {
  template <typename S> static S value(S x) { return x > S(0) ? x : S(leaky_relu_slope) * x; }
  template <typename S> static S derivative(S y) { return y > S(0) ? S(1) : S(leaky_relu_slope); }
};

// clang-format on

/// Calls `use` with the ActivationFunction of a value known at run time only: the one switch over the table.
template <typename Use>
void with_activation(Activation activation, Use use) {
  switch (activation) {
    case Activation::linear: return use(ActivationFunction<Activation::linear>{});
    case Activation::relu: return use(ActivationFunction<Activation::relu>{});
    case Activation::tanh: return use(ActivationFunction<Activation::tanh>{});
    case Activation::sigmoid: return use(ActivationFunction<Activation::sigmoid>{});
    case Activation::hard_sigmoid: return use(ActivationFunction<Activation::hard_sigmoid>{});
    case Activation::elu: return use(ActivationFunction<Activation::elu>{});
    case Activation::selu: return use(ActivationFunction<Activation::selu>{});
    case Activation::softplus: return use(ActivationFunction<Activation::softplus>{});
    case Activation::softsign: return use(ActivationFunction<Activation::softsign>{});
    case Activation::leaky_relu: return use(ActivationFunction<Activation::leaky_relu>{});
  }
}

/// to(r, c) = f(from(r, c)) for rows x cols column-major blocks; `to` may be `from`. tanh and sigmoid, which
/// stand in every usual LSTM, are vectorised for floats by the rational function of `FastTanh`, sigmoid for
/// doubles by Eigen.
template <typename Scalar>
void apply_activation(Activation activation, const Scalar* from, Index from_stride, Scalar* to,
                      Index to_stride, Index rows, Index cols) {
  const auto each_column = [&](auto use) {
    for (Index c = 0; c < cols; ++c) use(from + c * from_stride, to + c * to_stride);
  };
#ifndef REPRISE_PLAIN_KERNELS
  if constexpr (std::is_same_v<Scalar, float>) {
    const auto by_lanes = [&](auto f) {
      each_column([&](const float* in, float* out) {
        for_lanes<float>(rows, [=](auto at, Index r)
                                   REPRISE_DETAIL_INLINE { at.store(out + r, f.value(at.load(in + r))); });
      });
    };
    if (activation == Activation::tanh) return by_lanes(FastTanh{});
    if (activation == Activation::sigmoid) return by_lanes(FastSigmoid{});
  } else if constexpr (std::is_same_v<Scalar, double>) {
    using Column = Eigen::Map<Eigen::ArrayXd>;
    using ConstColumn = Eigen::Map<const Eigen::ArrayXd>;
    if (activation == Activation::sigmoid) {
      return each_column(
          [&](const double* in, double* out) { Column(out, rows) = ConstColumn(in, rows).logistic(); });
    }
  }
#endif
  with_activation(activation, [&](auto f) {
    each_column([&](const Scalar* in, Scalar* out) {
      for (Index r = 0; r < rows; ++r) out[r] = f.value(in[r]);
    });
  });
}

/// gradient(r, c) *= f'(x) at y(r, c) = f(x).
template <typename Scalar>
void multiply_by_derivative(Activation activation, const Scalar* outputs, Index output_stride,
                            Scalar* gradient, Index gradient_stride, Index rows, Index cols) {
  with_activation(activation, [&](auto f) {
    for (Index c = 0; c < cols; ++c) {
      const Scalar* y = outputs + c * output_stride;
      Scalar* dy = gradient + c * gradient_stride;
      for (Index r = 0; r < rows; ++r) dy[r] *= f.derivative(y[r]);
    }
  });
}

}  // namespace detail

/// In the order of the enumerators, as in files.
constexpr auto enumerator_names(Activation) { return detail::activation_names; }
inline std::string_view name_of(Activation activation) {
  return detail::activation_names[static_cast<std::size_t>(activation)];
}

/// The activation with Keras's name for it; throws when there is none.
inline Activation activation_from_name(std::string_view name) {
  for (std::size_t i = 0; i < detail::activation_names.size(); ++i) {
    if (detail::activation_names[i] == name) return static_cast<Activation>(i);
  }
  detail::fail("activation", "a known name such as tanh, relu or sigmoid", std::string(name));
}

}  // namespace REPRISE_ABI
}  // namespace reprise
