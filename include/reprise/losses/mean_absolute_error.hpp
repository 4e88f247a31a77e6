#pragma once

#include "../core/version.hpp"

namespace reprise::inline REPRISE_ABI {

/// |e| with e = prediction - target, averaged over steps and features. Keras's `mean_absolute_error`;
/// PyTorch's `L1Loss` is the same. The derivative at e = 0 is taken as 0.
struct MeanAbsoluteError {
  friend bool operator==(const MeanAbsoluteError&, const MeanAbsoluteError&) = default;
};

namespace detail {

template <typename Block>
Block element_loss(const MeanAbsoluteError&, const Block& e) {
  return e.abs();
}
template <typename Block>
Block element_slope(const MeanAbsoluteError&, const Block& e) {
  return e.sign();
}

}  // namespace detail
}  // namespace reprise::inline REPRISE_ABI
