#pragma once

#include <Eigen/Core>
#include <cmath>
#include <string>
#include <variant>

#include "../core/parameters.hpp"
#include "../core/sequences.hpp"
#include "convention.hpp"
#include "sweep.hpp"

namespace reprise::inline REPRISE_ABI {

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
template <typename Derived>
double gradient_norm(const Eigen::MatrixBase<Derived>& gradient) {
  using Scalar = typename Derived::Scalar;
  const Eigen::Ref<const Vector<Scalar>> values(gradient.derived());
  Eigen::Array<double, detail::sweep_block, 1> sums = Eigen::Array<double, detail::sweep_block, 1>::Zero();
  double rest = 0.0;
  detail::sweep(values.size(), [&](auto width, Index i) {
    using Block = Eigen::Array<Scalar, width(), 1>;
    const Eigen::Map<const Block> block(values.data() + i);
    if constexpr (width() == 1) {
      rest += static_cast<double>(block.value()) * static_cast<double>(block.value());
    } else {
      sums += block.template cast<double>().square();
    }
  });
  return std::sqrt(sums.sum() + rest);
}

namespace detail {

inline void validate(const NoClip&, const std::string&) {}
inline void validate(const ClipValue& clip, const std::string& place) {
  require_positive_option(clip.value, place + ": ClipValue", "value");
}
inline void validate(const ClipNorm& clip, const std::string& place) {
  require_positive_option(clip.norm, place + ": ClipNorm", "norm");
}
inline void validate(const GlobalClipNorm& clip, const std::string& place) {
  require_positive_option(clip.norm, place + ": GlobalClipNorm", "norm");
}

template <typename Scalar>
void clip_to_norm(Eigen::Ref<Vector<Scalar>> values, double largest) {
  const double norm = gradient_norm(values);
  if (norm > largest) values *= static_cast<Scalar>(largest / norm);
}

template <typename Scalar>
void clip_gradient(const NoClip&, const ParameterTable&, Eigen::Ref<Vector<Scalar>>) {}
template <typename Scalar>
void clip_gradient(const ClipValue& clip, const ParameterTable&, Eigen::Ref<Vector<Scalar>> gradient) {
  const auto value = static_cast<Scalar>(clip.value);
  gradient = gradient.cwiseMax(-value).cwiseMin(value);
}
template <typename Scalar>
void clip_gradient(const ClipNorm& clip, const ParameterTable& table, Eigen::Ref<Vector<Scalar>> gradient) {
  for (const ParameterInfo& tensor : table) {
    clip_to_norm<Scalar>(gradient.segment(tensor.offset, tensor.size()), clip.norm);
  }
}
template <typename Scalar>
void clip_gradient(const GlobalClipNorm& clip, const ParameterTable&, Eigen::Ref<Vector<Scalar>> gradient) {
  clip_to_norm<Scalar>(gradient, clip.norm);
}

}  // namespace detail
}  // namespace reprise::inline REPRISE_ABI
