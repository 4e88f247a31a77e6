#pragma once

#include "../error.hpp"
#include "../finite.hpp"
#include "../sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Throws where a value is not finite, among the first `length_of(sample)` steps of each sample.
template <typename Scalar, typename LengthOf>
void require_finite(const Text& place, const Sequences<Scalar>& values, const LengthOf& length_of) {
  for (Index b = 0; b < values.batch(); ++b) {
    for (Index t = 0; t < length_of(b); ++t) {
      for (Index f = 0; f < values.features(); ++f) {
        if (is_finite(values(b, t, f))) continue;
        fail(place, "finite values", {values(b, t, f), " at sample ", b, ", step ", t, ", feature ", f});
      }
    }
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
