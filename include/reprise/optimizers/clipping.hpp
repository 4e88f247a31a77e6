#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <variant>

#include "../core/detail/lanes.hpp"
#include "../core/finite.hpp"
#include "../core/parameters.hpp"
#include "convention.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct NoClip {
  static constexpr const char* kind = "NoClip";
  friend bool operator==(const NoClip&, const NoClip&) = default;
};

/// Each value of the gradient is brought into [-value, value]: Keras's `clipvalue`.
struct ClipValue {
  static constexpr const char* kind = "ClipValue";
  double value = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [value] = self;
    visit("value", value);
  }
  friend bool operator==(const ClipValue&, const ClipValue&) = default;
};

/// The gradient of each tensor is scaled down so that its own Euclidean norm is at most `norm`: Keras's
/// `clipnorm`.
struct ClipNorm {
  static constexpr const char* kind = "ClipNorm";
  double norm = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [norm] = self;
    visit("norm", norm);
  }
  friend bool operator==(const ClipNorm&, const ClipNorm&) = default;
};

/// The whole gradient is scaled down so that its Euclidean norm is at most `norm`: Keras's `global_clipnorm`.
/// (PyTorch's `clip_grad_norm_` also adds 1e-6 to the norm that it divides by.)
struct GlobalClipNorm {
  static constexpr const char* kind = "GlobalClipNorm";
  double norm = 1.0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [norm] = self;
    visit("norm", norm);
  }
  friend bool operator==(const GlobalClipNorm&, const GlobalClipNorm&) = default;
};

/// How a gradient is kept from being too large: in one way at most.
using Clip = std::variant<NoClip, ClipValue, ClipNorm, GlobalClipNorm>;

namespace detail {

/// Adds the squares of the values in `range` to `sum`.
template <typename Scalar>
void add_squares(LaneSum<Scalar>& sum, const Scalar* values, ParameterRange range) {
  const Scalar* const from = values + range.offset;
  for_lanes<Scalar>(range.size,
                    [&](auto at, Index i) REPRISE_DETAIL_INLINE { sum.add_square(at.load(from + i)); });
}

}  // namespace detail

/// The Euclidean norm of a vector, added in double in an order that its size alone decides. NaN or infinite
/// when, and for float only when, one of the values is (of doubles also when the sum of squares overflows).
/// With `ranges` the norm of the values in them alone; without, of all.
template <typename Scalar>
[[nodiscard]] double gradient_norm(std::span<const Scalar> gradient,
                                   std::span<const ParameterRange> ranges = {}) {
  detail::LaneSum<Scalar> sum;
  const ParameterRange all{0, static_cast<Index>(gradient.size())};
  if (ranges.empty()) detail::add_squares(sum, gradient.data(), all);
  for (const ParameterRange& range : ranges) detail::add_squares(sum, gradient.data(), range);
  return std::sqrt(sum.total());
}
template <typename Derived>
[[nodiscard]] double gradient_norm(const Eigen::MatrixBase<Derived>& gradient,
                                   std::span<const ParameterRange> ranges = {}) {
  using Scalar = typename Derived::Scalar;
  const Eigen::Ref<const Vector<Scalar>> values(gradient.derived());
  return gradient_norm(std::span<const Scalar>(values.data(), static_cast<std::size_t>(values.size())),
                       ranges);
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

/// Calls use(part) for the part of each range that lies within `whole`.
template <typename Use>
void for_each_part(std::span<const ParameterRange> ranges, ParameterRange whole, const Use& use) {
  for (const ParameterRange& range : ranges) {
    const Index first = std::max(range.offset, whole.offset);
    const Index end = std::min(range.offset + range.size, whole.offset + whole.size);
    if (first < end) use(ParameterRange{first, end - first});
  }
}

/// Scales the values of `whole` that lie in `ranges` down to a common norm.
template <typename Scalar>
void clip_to_norm(Scalar* values, std::span<const ParameterRange> ranges, ParameterRange whole,
                  double largest) {
  LaneSum<Scalar> sum;
  for_each_part(ranges, whole, [&](ParameterRange part) { add_squares<Scalar>(sum, values, part); });
  const double norm = std::sqrt(sum.total());
  if (is_nan(norm) || norm <= largest) return;
  const auto factor = static_cast<Scalar>(largest / norm);
  for_each_part(ranges, whole, [&](ParameterRange part) {
    Scalar* const to = values + part.offset;
    for_lanes<Scalar>(part.size, [=](auto at, Index i)
                                     REPRISE_DETAIL_INLINE { at.store(to + i, at.load(to + i) * factor); });
  });
}

// Each clips the gradient within the given ranges of all parameters; what lies outside is neither read nor
// written.
template <typename Scalar>
void clip_gradient(const NoClip&, const ParameterTable&, std::span<const ParameterRange>, Scalar*) {}
template <typename Scalar>
void clip_gradient(const ClipValue& clip, const ParameterTable&, std::span<const ParameterRange> ranges,
                   Scalar* gradient) {
  const auto value = static_cast<Scalar>(clip.value);
  for (const ParameterRange& range : ranges) {
    Scalar* const to = gradient + range.offset;
    for_lanes<Scalar>(range.size, [=](auto at, Index i) REPRISE_DETAIL_INLINE {
      const Lanes<Scalar> most = same_in_all(value);
      // The gradient second: where it is NaN it stays so.
      at.store(to + i, smaller<Scalar>(most, larger<Scalar>(-most, at.load(to + i))));
    });
  }
}
template <typename Scalar>
void clip_gradient(const ClipNorm& clip, const ParameterTable& table, std::span<const ParameterRange> ranges,
                   Scalar* gradient) {
  for (const ParameterInfo& tensor : table) {
    clip_to_norm(gradient, ranges, {tensor.offset, tensor.size()}, clip.norm);
  }
}
template <typename Scalar>
void clip_gradient(const GlobalClipNorm& clip, const ParameterTable& table,
                   std::span<const ParameterRange> ranges, Scalar* gradient) {
  clip_to_norm(gradient, ranges, {0, table.size()}, clip.norm);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
