#pragma once

#include <array>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../core/detail/eigen.hpp"
#include "../core/detail/memory.hpp"
#include "../core/error.hpp"
#include "custom_activation.hpp"
#include "detail/activation_functions.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The elementwise function that a layer applies: one with Keras's name and definition, or one of the user's
/// (see `CustomActivation`). A small value that can be compared and switched over.
struct Activation {
  enum class Kind {
    linear,
    relu,
    tanh,
    sigmoid,
    hard_sigmoid,
    elu,
    selu,
    softplus,
    softsign,
    leaky_relu,
    custom
  };
  static const Activation linear, relu, tanh, sigmoid, hard_sigmoid, elu, selu, softplus, softsign,
      leaky_relu;

  constexpr Activation() = default;
  constexpr Activation(Kind which) : kind(which) {}
  /// By its number among the kinds.
  template <std::integral Number>
  explicit constexpr Activation(Number number) : kind(static_cast<Kind>(number)) {}
  /// From the user's struct, whose `validate() const` is called if it has one; what this makes lives as long
  /// as the program, once for each name and options.
  template <typename T>
    requires(std::is_class_v<T> && !std::same_as<T, Activation>)
  Activation(T function)
      : kind(Kind::custom), custom(detail::interned(CustomActivation(std::move(function)))) {}

  constexpr operator Kind() const { return kind; }
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  explicit constexpr operator Number() const {
    return static_cast<Number>(kind);
  }
  friend constexpr bool operator==(const Activation& a, const Activation& b) {
    return a.kind == b.kind && (a.custom == b.custom || *a.custom == *b.custom);
  }

  /// One of ours is its name, one of the user's an object with its kind and fields.
  void write(FieldWriter& writer) const;
  void read(FieldReader& reader);

  Kind kind = Kind::linear;
  /// Where kind is custom; else null.
  const CustomActivation* custom = nullptr;
};

inline constexpr Activation Activation::linear = Kind::linear;
inline constexpr Activation Activation::relu = Kind::relu;
inline constexpr Activation Activation::tanh = Kind::tanh;
inline constexpr Activation Activation::sigmoid = Kind::sigmoid;
inline constexpr Activation Activation::hard_sigmoid = Kind::hard_sigmoid;
inline constexpr Activation Activation::elu = Kind::elu;
inline constexpr Activation Activation::selu = Kind::selu;
inline constexpr Activation Activation::softplus = Kind::softplus;
inline constexpr Activation Activation::softsign = Kind::softsign;
inline constexpr Activation Activation::leaky_relu = Kind::leaky_relu;

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

/// In the order of the kinds.
inline constexpr std::array<std::string_view, 10> activation_names = {
    "linear", "relu", "tanh", "sigmoid", "hard_sigmoid", "elu", "selu", "softplus", "softsign", "leaky_relu"};
static_assert(activation_names.size() == static_cast<std::size_t>(Activation::Kind::custom));

/// Calls `use` with the functions of a kind known at run time only; not for the user's.
template <typename Use>
void with_activation(Activation activation, Use use) {
  using Kind = Activation::Kind;
  switch (activation.kind) {
    case Kind::linear: return use(LinearActivation{});
    case Kind::relu: return use(ReluActivation{});
    case Kind::tanh: return use(TanhActivation{});
    case Kind::sigmoid: return use(SigmoidActivation{});
    case Kind::hard_sigmoid: return use(HardSigmoidActivation{});
    case Kind::elu: return use(EluActivation{});
    case Kind::selu: return use(SeluActivation{});
    case Kind::softplus: return use(SoftplusActivation{});
    case Kind::softsign: return use(SoftsignActivation{});
    case Kind::leaky_relu: return use(LeakyReluActivation{});
    case Kind::custom: return;
  }
}

template <typename Function, typename Scalar>
concept HasLanes = std::same_as<Scalar, float> && requires { Function::has_lanes; };

/// y(r, c) = f(x(r, c)) with one of ours, by lanes where it has them; the sigmoid of doubles by Eigen.
template <typename Function, typename Scalar>
void apply_ours([[maybe_unused]] const Function& f, Block<const Scalar> x, Block<Scalar> y, Index rows,
                Index cols) {
#ifndef REPRISE_PLAIN_KERNELS
  for (Index c = 0; c < cols; ++c) {
    const Scalar* in = x.data + c * x.stride;
    Scalar* out = y.data + c * y.stride;
    if constexpr (HasLanes<Function, Scalar>) {
      for_lanes<Scalar>(rows, [=](auto at, Index r) REPRISE_DETAIL_INLINE {
        at.store(out + r, Function::value(at.load(in + r)));
      });
    } else if constexpr (std::same_as<Scalar, double> && std::same_as<Function, SigmoidActivation>) {
      // Of `Scalar`, so that no program compiles it that has no doubles.
      using Values = Eigen::Array<Scalar, Eigen::Dynamic, 1>;
      Eigen::Map<Values>(out, rows) = Eigen::Map<const Values>(in, rows).logistic();
    } else {
      for (Index r = 0; r < rows; ++r) out[r] = f.value(in[r]);
    }
  }
#else
  apply_each(f, x, y, rows, cols);
#endif
}

/// to(r, c) = f(from(r, c)) for rows x cols column-major blocks; `to` may be `from`.
template <typename Scalar>
void apply_activation(Activation activation, const Scalar* from, Index from_stride, Scalar* to,
                      Index to_stride, Index rows, Index cols) {
  const Block<const Scalar> x{from, from_stride};
  const Block<Scalar> y{to, to_stride};
  if (activation.custom != nullptr) return activation.custom->code().apply(x, y, rows, cols);
  with_activation(activation, [&](auto f) { apply_ours(f, x, y, rows, cols); });
}

/// gradient(r, c) *= f'(x) at y(r, c) = f(x).
template <typename Scalar>
void multiply_by_derivative(Activation activation, const Scalar* outputs, Index output_stride,
                            Scalar* gradient, Index gradient_stride, Index rows, Index cols) {
  const Block<const Scalar> y{outputs, output_stride};
  const Block<Scalar> dy{gradient, gradient_stride};
  if (activation.custom != nullptr) {
    return activation.custom->code().multiply_by_derivative(y, dy, rows, cols);
  }
  with_activation(activation, [&](auto f) { multiply_each_by_derivative(f, y, dy, rows, cols); });
}

/// The activation of ours with that name, if there is one.
inline bool find_activation(std::string_view name, Activation& found) {
  for (std::size_t i = 0; i < activation_names.size(); ++i) {
    if (activation_names[i] != name) continue;
    found = Activation(i);
    return true;
  }
  return false;
}

}  // namespace detail

inline std::string_view name_of(Activation activation) {
  if (activation.custom != nullptr) return activation.custom->kind();
  return detail::activation_names[static_cast<std::size_t>(activation)];
}

/// The activation with Keras's name for it; throws when there is none.
[[nodiscard]] inline Activation activation_from_name(std::string_view name) {
  Activation activation;
  if (detail::find_activation(name, activation)) return activation;
  detail::fail("activation", "a known name such as tanh, relu or sigmoid", std::string(name));
}

inline void Activation::write(FieldWriter& writer) const {
  custom == nullptr ? writer.text(name_of(*this)) : detail::write_value(writer, *custom);
}
inline void Activation::read(FieldReader& reader) {
  if (!reader.is_object()) {
    if (!detail::find_activation(reader.text(), *this)) reader.refuse("a known name");
    return;
  }
  reader.begin_object();
  *this = Activation(detail::read_erased<CustomActivation>(reader, detail::read_kind(reader)));
  reader.end_object();
}

}  // namespace REPRISE_ABI
}  // namespace reprise
