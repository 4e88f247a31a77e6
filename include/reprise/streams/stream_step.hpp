#pragma once

#include "../core/version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What a rule over a stream says of one value.
enum class StreamStatus {
  /// Nothing to report.
  normal,
  /// In the tail, but not beyond the threshold.
  excess,
  /// Strictly above the threshold.
  alarm,
  /// Too few values so far to say.
  warming_up,
  /// NaN or minus infinity; the rule is as it was before.
  invalid
};

struct StreamStep {
  StreamStatus status = StreamStatus::normal;
  /// What the value was held against.
  double threshold = 0.0;

  bool is_alarm() const { return status == StreamStatus::alarm; }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
