#pragma once

#include <algorithm>
#include <vector>

#include "../../core/error.hpp"
#include "../../core/sequences.hpp"
#include "../block_calibration.hpp"
#include "../detector_options.hpp"
#include "../network_members.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Which lengths a detector uses, and which rows of the training series do what.
struct DetectorPlan {
  std::vector<Index> lengths;
  /// Those of them that networks have too.
  std::vector<Index> network_lengths{};
  /// Points between a training window and those it is compared with.
  Index gap = 1;
  /// [0, scale_end) tell scales, [scale_end, calibration_end) calibrate.
  Index scale_end = 0;
  Index calibration_end = 0;

  Index block() const { return lengths.back(); }
  Index calibration_rows() const { return calibration_end - scale_end; }
};

/// Rows that windows of this length need. With 3 length + 2 gap - 1 every one finds another outside the zone
/// around it, but the middle ones just one.
inline Index rows_for_length(Index length, Index gap) { return 4 * length + 2 * gap; }

inline void choose_network_lengths(const DetectorOptions& options, Index rows, DetectorPlan& plan) {
  const auto needed = [&](Index length) {
    return NetworkMembers::rows_for_length(length, plan.gap, options.folds);
  };
  for (const Index length : plan.lengths) {
    if (rows >= needed(length)) plan.network_lengths.push_back(length);
  }
  if (plan.network_lengths.empty()) {
    const Index shortest = options.lengths.empty() ? 24 : options.lengths.front();
    fail("detector: fit",
         {"at least ", needed(shortest), " rows to train networks on, for windows of ", shortest}, {rows});
  }
  if (options.networks == 1.0) plan.lengths = plan.network_lengths;
}

/// For a training series of so many rows that remembers so far. Throws where they are too few.
inline DetectorPlan plan_for(const DetectorOptions& options, Index rows, Index gap) {
  DetectorPlan plan{.lengths = options.lengths, .gap = gap};
  if (plan.lengths.empty()) {
    for (const Index length : {24, 48, 96, 144, 192, 288}) {
      if (rows >= rows_for_length(length, gap)) plan.lengths.push_back(length);
    }
    if (plan.lengths.empty()) plan.lengths = {std::max<Index>(8, (rows - 2 * gap) / 4)};
  }
  if (options.networks > 0.0) choose_network_lengths(options, rows, plan);
  const Index longest = plan.lengths.back();
  if (rows < rows_for_length(longest, gap)) {
    fail("detector: fit",
         {"at least ", rows_for_length(longest, gap), " rows to train on, for windows of ", longest}, {rows});
  }
  plan.scale_end = std::max(longest - 1, rows / 4);
  plan.calibration_end = rows - longest + 1;
  return plan;
}

/// The least number of rows that can promise this rate, of a series that remembers so far.
inline Index rows_for_rate(const DetectorOptions& options, Index gap, double rate) {
  const Index longest = options.lengths.empty() ? 8 : options.lengths.back();
  Index least = rows_for_length(longest, gap);
  if (options.networks > 0.0) {
    const Index shortest = options.lengths.empty() ? 24 : options.lengths.front();
    least = std::max(least, NetworkMembers::rows_for_length(shortest, gap, options.folds));
  }
  for (Index rows = least;; rows += std::max<Index>(1, rows / 200)) {
    const DetectorPlan plan = plan_for(options, rows, gap);
    if (BlockCalibration::least_rate(plan.calibration_rows(), plan.block()) <= rate) return rows;
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
