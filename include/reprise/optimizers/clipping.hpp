#pragma once

#include <cmath>
#include <span>
#include <string>
#include <variant>

#include "../core/lanes.hpp"
#include "../core/parameters.hpp"
#include "convention.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct NoClip {
  friend bool operator==(const NoClip&, const NoClip&) = default;
};

/// Each value of the gradient is brought into [-value, value]: Keras's `clipvalue`.
struct ClipValue {
  double value = 1.0;
  friend bool operator==(const ClipValue&, const ClipValue&) = default;
};

/// The gradient of each tensor is scaled down so that its own Euclidean norm is at most `norm`: Keras's
/// `clipnorm`.
struct ClipNorm {
  double norm = 1.0;
  friend bool operator==(const ClipNorm&, const ClipNorm&) = default;
};

/// The whole gradient is scaled down so that its Euclidean norm is at most `norm`: Keras's `global_clipnorm`.
/// (PyTorch's `clip_grad_norm_` also adds 1e-6 to the norm that it divides by.)
struct GlobalClipNorm {
  double norm = 1.0;
  friend bool operator==(const GlobalClipNorm&, const GlobalClipNorm&) = default;
};

/// How a gradient is kept from being too large: in one way at most.
using Clip = std::variant<NoClip, ClipValue, ClipNorm, GlobalClipNorm>;

/// The Euclidean norm of a vector, added in double in an order that its size alone decides. NaN or infinite
/// when, and for float only when, one of the values is (of doubles also when the sum of squares overflows).
template <typename Scalar>
double gradient_norm(std::span<const Scalar> gradient) {
  detail::LaneSum<Scalar> sum;
  detail::for_lanes<Scalar>(static_cast<Index>(gradient.size()), [&](auto at, Index i) REPRISE_DETAIL_INLINE {
    sum.add_square(at.load(gradient.data() + i));
  });
  return std::sqrt(sum.total());
}
template <typename Derived>
double gradient_norm(const Eigen::MatrixBase<Derived>& gradient) {
  using Scalar = typename Derived::Scalar;
  const Eigen::Ref<const Vector<Scalar>> values(gradient.derived());
  return gradient_norm(std::span<const Scalar>(values.data(), static_cast<std::size_t>(values.size())));
}

namespace detail {

inline void validate(const NoClip&, const Text&) {}
inline void validate(const ClipValue& clip, const Text& place) {
  require_positive_option(clip.value, {place, ": ClipValue"}, "value");
}
inline void validate(const ClipNorm& clip, const Text& place) {
  require_positive_option(clip.norm, {place, ": ClipNorm"}, "norm");
}
inline void validate(const GlobalClipNorm& clip, const Text& place) {
  require_positive_option(clip.norm, {place, ": GlobalClipNorm"}, "norm");
}

template <typename Scalar>
void clip_to_norm(Scalar* values, Index size, double largest) {
  const double norm = gradient_norm(std::span<const Scalar>(values, static_cast<std::size_t>(size)));
  if (!(norm > largest)) return;
  const auto factor = static_cast<Scalar>(largest / norm);
  for_lanes<Scalar>(size, [=](auto at, Index i)
                              REPRISE_DETAIL_INLINE { at.store(values + i, at.load(values + i) * factor); });
}

template <typename Scalar>
void clip_gradient(const NoClip&, const ParameterTable&, Scalar*) {}
template <typename Scalar>
void clip_gradient(const ClipValue& clip, const ParameterTable& table, Scalar* gradient) {
  const auto value = static_cast<Scalar>(clip.value);
  for_lanes<Scalar>(table.size(), [=](auto at, Index i) REPRISE_DETAIL_INLINE {
    const Lanes<Scalar> most = same_in_all(value);
    // The gradient second: where it is NaN it stays so.
    at.store(gradient + i, smaller<Scalar>(most, larger<Scalar>(-most, at.load(gradient + i))));
  });
}
template <typename Scalar>
void clip_gradient(const ClipNorm& clip, const ParameterTable& table, Scalar* gradient) {
  for (const ParameterInfo& tensor : table) {
    clip_to_norm(gradient + tensor.offset, tensor.size(), clip.norm);
  }
}
template <typename Scalar>
void clip_gradient(const GlobalClipNorm& clip, const ParameterTable& table, Scalar* gradient) {
  clip_to_norm(gradient, table.size(), clip.norm);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
