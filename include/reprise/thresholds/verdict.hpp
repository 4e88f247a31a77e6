#pragma once

#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What is said of one score.
struct Verdict {
  Index index = 0;
  double score = 0.0;
  /// What the score was held against.
  double threshold = 0.0;
  /// Strictly above the threshold.
  bool is_outlier = false;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
