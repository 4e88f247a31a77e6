#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "../core/detail/symbol_index.hpp"
#include "custom_loss.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How badly a network predicts which of several symbols comes: -log p of the one that came, with p the
/// softmax of what the network gives, its logits z (Keras's loss of that name with from_logits=True; the
/// network ends without an activation).
///
///     loss = log(sum_k exp(z_k)) - z_came        d loss / d z_k = p_k - [k = came]
///
/// The prediction has a feature for each symbol; the target has one feature, the index of the symbol that
/// came. Throws `Error` where that is no whole number, or no symbol. The largest logit is taken off first, so
/// that no exponential overflows.
///
/// It stands where a loss of the user's own would: `.loss = SparseCategoricalCrossentropy{}`.
struct SparseCategoricalCrossentropy {
  static constexpr const char* kind = "SparseCategoricalCrossentropy";
  static constexpr Index target_features = 1;

  template <typename Scalar>
  double operator()(std::span<const Scalar> logits, std::span<const Scalar> target,
                    std::span<Scalar> gradient) const {
    constexpr const char* place = "SparseCategoricalCrossentropy";
    if (target.size() != 1) {
      detail::fail(place, "a target of 1 feature, the index of the symbol that came", {target.size()});
    }
    const auto came =
        static_cast<std::size_t>(detail::symbol_index(target[0], static_cast<Index>(logits.size()), place));
    const Scalar largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0.0;
    for (std::size_t k = 0; k < logits.size(); ++k) {
      const Scalar e = std::exp(logits[k] - largest);
      if (!gradient.empty()) gradient[k] = e;
      sum += static_cast<double>(e);
    }
    if (!gradient.empty()) {
      for (Scalar& slope : gradient) slope = static_cast<Scalar>(static_cast<double>(slope) / sum);
      gradient[came] -= Scalar(1);
    }
    return std::log(sum) + static_cast<double>(largest) - static_cast<double>(logits[came]);
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
