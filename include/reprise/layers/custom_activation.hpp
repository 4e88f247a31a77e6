#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "../core/custom.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

template <typename T, typename Scalar>
concept ActivationFunction = requires(const T& function, Scalar scalar) {
  { function.value(scalar) } -> std::convertible_to<Scalar>;
  { function.derivative(scalar) } -> std::convertible_to<Scalar>;
};

/// A block of rows x cols values in columns that are `stride` apart.
template <typename Scalar>
struct Block {
  Scalar* data;
  Index stride;
};

class ActivationCode : public CustomCode {
 public:
  virtual void apply(Block<const float> x, Block<float> y, Index rows, Index cols) const = 0;
  virtual void apply(Block<const double> x, Block<double> y, Index rows, Index cols) const = 0;
  virtual void multiply_by_derivative(Block<const float> y, Block<float> dy, Index rows,
                                      Index cols) const = 0;
  virtual void multiply_by_derivative(Block<const double> y, Block<double> dy, Index rows,
                                      Index cols) const = 0;
};

/// to(r, c) = f(from(r, c))
template <typename Function, typename Scalar>
void apply_each(const Function& f, Block<const Scalar> from, Block<Scalar> to, Index rows, Index cols) {
  for (Index c = 0; c < cols; ++c) {
    const Scalar* in = from.data + c * from.stride;
    Scalar* out = to.data + c * to.stride;
    for (Index r = 0; r < rows; ++r) out[r] = f.value(in[r]);
  }
}
/// dy(r, c) *= f'(x) at y(r, c) = f(x)
template <typename Function, typename Scalar>
void multiply_each_by_derivative(const Function& f, Block<const Scalar> outputs, Block<Scalar> gradient,
                                 Index rows, Index cols) {
  for (Index c = 0; c < cols; ++c) {
    const Scalar* y = outputs.data + c * outputs.stride;
    Scalar* dy = gradient.data + c * gradient.stride;
    for (Index r = 0; r < rows; ++r) dy[r] *= f.derivative(y[r]);
  }
}

template <typename T>
class ActivationHolder final : public CustomHolder<ActivationCode, T> {
 public:
  using CustomHolder<ActivationCode, T>::CustomHolder;
  void apply(Block<const float> x, Block<float> y, Index rows, Index cols) const override {
    apply_each(this->value_, x, y, rows, cols);
  }
  void apply(Block<const double> x, Block<double> y, Index rows, Index cols) const override {
    apply_each(this->value_, x, y, rows, cols);
  }
  void multiply_by_derivative(Block<const float> y, Block<float> dy, Index rows, Index cols) const override {
    multiply_each_by_derivative(this->value_, y, dy, rows, cols);
  }
  void multiply_by_derivative(Block<const double> y, Block<double> dy, Index rows,
                              Index cols) const override {
    multiply_each_by_derivative(this->value_, y, dy, rows, cols);
  }
};

}  // namespace detail

/// An activation of the user's own, made from a struct such as
///
///     struct Arctan {
///       static constexpr const char* kind = "arctan";
///       template <typename Scalar>
///       Scalar value(Scalar x) const {
///         return std::atan(x);
///       }
///       template <typename Scalar>
///       Scalar derivative(Scalar y) const {  // 1 / (1 + x^2), in the output y = atan(x)
///         return std::cos(y) * std::cos(y);
///       }
///     };
///
/// Its derivative is written in its output, since that is what layers keep; a function that takes one value
/// at two places with different slopes cannot be one. With members it lists them in `each_field` (see
/// core/fields.hpp). Files and comparisons know it by name and fields.
class CustomActivation : public detail::Custom<detail::ActivationCode> {
 public:
  static constexpr const char* category = "activation";

  template <typename T>
    requires(std::is_class_v<T> && !std::same_as<T, CustomActivation>)
  CustomActivation(T function) : Custom(holder(std::move(function))) {}

 private:
  template <typename T>
  static std::shared_ptr<const detail::ActivationCode> holder(T function) {
    constexpr bool named = detail::HasKind<T>, listed = detail::fields_are_known<T>;
    constexpr bool callable = detail::ActivationFunction<T, float> && detail::ActivationFunction<T, double>;
    static_assert(named,
                  "an own activation needs a name, such as static constexpr const char* kind = \"arctan\"");
    static_assert(listed,
                  "an own activation with members must list them in each_field (see core/fields.hpp)");
    static_assert(
        callable,
        "an own activation needs S value(S x) const and S derivative(S y) const, with S = float and "
        "with S = double");
    if constexpr (named && listed && callable) {
      return std::make_shared<const detail::ActivationHolder<T>>(std::move(function));
    } else {
      return nullptr;
    }
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
