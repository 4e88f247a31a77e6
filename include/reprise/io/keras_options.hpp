#pragma once

#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How `load_keras` reads.
struct KerasOptions {
  /// Steps of the network's input, where the file leaves them open (`Input((None, 4))`).
  Index steps = 0;
  /// Passes over options that only training heeds and this library does not have: regularizers, constraints,
  /// layers that are not trainable. Without it they are refused, since a further fit would do without them.
  bool inference_only = false;

  friend bool operator==(const KerasOptions&, const KerasOptions&) = default;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
