#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "../../core/error.hpp"
#include "../../core/finite.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A score is a number >= 0, higher is stranger. Infinity is one (an error too large to square), NaN is none.
inline void require_scores(std::span<const double> scores, const Text& place) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (is_nan(scores[i]) || scores[i] < 0.0) {
      fail(place, "scores >= 0", {scores[i], " at index ", i});
    }
  }
}

/// What a threshold is worked out from: at least one score, all of them finite.
inline void require_calibration_scores(std::span<const double> scores, const Text& place) {
  if (scores.empty()) fail(place, "at least one calibration score", "none");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!(is_finite(scores[i]) && scores[i] >= 0.0)) {
      fail(place, "finite calibration scores >= 0", {scores[i], " at index ", i});
    }
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
