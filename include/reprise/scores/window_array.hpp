#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Another library's array of windows, seen through a view: (windows, steps, features) row-major, as NumPy,
/// Keras and PyTorch (batch_first) hold it.
template <std::floating_point Scalar>
class WindowArray {
 public:
  /// Throws when the window's sizes are not positive, or the number of values is not a multiple of theirs.
  WindowArray(std::span<const Scalar> values, const SequenceShape& window) : values_(values), shape_(window) {
    detail::require_positive(window.steps, "window array", "steps");
    detail::require_positive(window.features, "window array", "number of features");
    Index of_one = 0;
    if (__builtin_mul_overflow(window.steps, window.features, &of_one)) {
      detail::fail("window array", "a window whose values an index can count", to_string(window));
    }
    if (static_cast<Index>(values.size()) % of_one != 0) {
      detail::fail("window array", {"a multiple of ", to_string(window), " values"}, {values.size()});
    }
  }

  Index size() const { return static_cast<Index>(values_.size()) / (shape_.steps * shape_.features); }
  SequenceShape shape() const { return shape_; }
  /// Each index is asserted where Eigen's are, that is unless NDEBUG is defined.
  Scalar operator()(Index window, Index step, Index feature) const {
    eigen_assert(window >= 0 && window < size() && step >= 0 && step < shape_.steps && feature >= 0 &&
                 feature < shape_.features);
    return values_[static_cast<std::size_t>((window * shape_.steps + step) * shape_.features + feature)];
  }

 private:
  std::span<const Scalar> values_;
  SequenceShape shape_;
};
[[nodiscard]] inline WindowArray<float> window_array(std::span<const float> values,
                                                     const SequenceShape& window) {
  return {values, window};
}
[[nodiscard]] inline WindowArray<double> window_array(std::span<const double> values,
                                                      const SequenceShape& window) {
  return {values, window};
}
// The values of a temporary would be gone before they are read.
template <std::floating_point Scalar>
void window_array(const std::vector<Scalar>&& values, const SequenceShape& window) = delete;

}  // namespace REPRISE_ABI
}  // namespace reprise
