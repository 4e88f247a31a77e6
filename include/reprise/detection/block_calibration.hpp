#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numbers>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../core/text.hpp"

// How often a threshold on a series of dependent scores is exceeded by chance. What a person counts is
// episodes, not points: neighbouring points exceed it together. So rates are counted in blocks as long as the
// longest window: a block counts once, however many of its points are above.
namespace reprise {
inline namespace REPRISE_ABI {

/// What the rate of false alarms rests on.
enum class CalibrationStatus {
  /// On the calibrating blocks: no more than named, where later normal blocks are exchangeable with them.
  promised,
  /// The same, but at the lowest rate that so few rows can carry; a lower one was wanted, yet not named.
  widened,
  /// On a tail fitted to the largest scores of the blocks: an extrapolation, and no promise.
  estimated,
  /// On nothing: there are too few rows for a verdict.
  none
};
inline const char* to_string(CalibrationStatus status) {
  switch (status) {
    case CalibrationStatus::promised: return "promised";
    case CalibrationStatus::widened: return "widened";
    case CalibrationStatus::estimated: return "estimated";
    case CalibrationStatus::none: break;
  }
  return "none";
}
constexpr std::array<std::string_view, 4> enumerator_names(CalibrationStatus) {
  return {"promised", "widened", "estimated", "none"};
}

/// Where a rate of false alarms leads.
struct BlockThreshold {
  /// An alarm is a score above it.
  double value = 0.0;
  /// False episodes in 1,000 points of a normal series.
  double rate = 0.0;
  /// What the rate will not exceed in 95 of 100 such calibrations: the one at hand may have been lucky.
  double rate_in_95_percent = 0.0;
  CalibrationStatus status = CalibrationStatus::none;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [value, rate, rate_in_95_percent, status] = self;
    visit("value", value);
    visit("rate", rate);
    visit("rate_in_95_percent", rate_in_95_percent);
    visit("status", status);
  }
  friend bool operator==(const BlockThreshold&, const BlockThreshold&) = default;
};

/// Calibrates thresholds on scores of a normal stretch, neighbours in order, that what scores was not trained
/// on. The stretch is cut into m blocks of B points (what does not fill a block is left out at its start),
/// and only the largest score M_b of each block counts. Of a normal block that is exchangeable with them,
///
///     p = (1 + #{b: M_b >= its largest score}) / (m + 1)
///
/// is at most alpha with a chance of at most alpha (split conformal prediction, Vovk et al. 2005). So
/// a threshold that p <= alpha = rate * B / 1000 exceeds gives at most `rate` false episodes in 1,000 points,
/// since each episode makes at least one block count. Below alpha = 1 / (m + 1) the blocks say nothing.
/// Blocks of a series depend on their neighbours; B should be so long that this does not reach far.
class BlockCalibration {
 public:
  /// Throws where the scores do not fill a block, or one is NaN.
  BlockCalibration(std::span<const double> scores, Index block) : block_(block) {
    detail::require_positive(block, place, "block");
    const auto size = static_cast<std::size_t>(block);
    if (scores.size() < size)
      detail::fail(place, {"scores of at least one block of ", block}, {scores.size()});
    for (const double score : scores) {
      if (detail::is_nan(score)) detail::fail(place, "scores that are numbers", {score});
    }
    for (std::size_t first = scores.size() % size; first < scores.size(); first += size) {
      const auto part = scores.subspan(first, size);
      largest_.push_back(*std::max_element(part.begin(), part.end()));
    }
    std::sort(largest_.begin(), largest_.end(), std::greater<>());
  }

  /// As a file holds it: the largest score of each block, the highest first. Throws where there is none, one
  /// is not finite, or they are in another order.
  static BlockCalibration from_largest(std::vector<double> largest, Index block) {
    detail::require_positive(block, place, "block");
    if (largest.empty()) detail::fail(place, "the largest score of at least one block", "none");
    for (std::size_t b = 0; b < largest.size(); ++b) {
      if (!detail::is_finite(largest[b]) || (b > 0 && largest[b] > largest[b - 1]))
        detail::fail(place, "finite largest scores, the highest first", {largest[b], " at ", b});
    }
    BlockCalibration calibration;
    calibration.block_ = block;
    calibration.largest_ = std::move(largest);
    return calibration;
  }

  /// Points in a block.
  Index block() const { return block_; }
  /// How many there are.
  Index blocks() const { return static_cast<Index>(largest_.size()); }
  /// The largest score of each block, the highest first.
  const std::vector<double>& largest() const { return largest_; }

  /// The lowest rate that can be promised.
  double least_rate() const { return rate_of(1.0 / static_cast<double>(blocks() + 1)); }
  /// The lowest rate that a stretch of so many rows could promise.
  static double least_rate(Index rows, Index block) {
    const Index count = rows / block + 1;
    return 1000.0 / static_cast<double>(block * count);
  }

  /// Of a block by its largest score.
  [[nodiscard]] double p_value(double largest_score) const {
    const auto as_high = std::upper_bound(largest_.begin(), largest_.end(), largest_score, std::greater<>()) -
                         largest_.begin();
    return static_cast<double>(1 + as_high) / static_cast<double>(blocks() + 1);
  }
  /// The rate at which a block with this largest score would just be an alarm.
  double rate_of_score(double largest_score) const { return rate_of(p_value(largest_score)); }

  /// Promised. Throws where the rate is not > 0, or lower than `least_rate`; says how many rows are missing.
  BlockThreshold promised(double rate) const {
    require_rate(rate);
    const auto count = static_cast<double>(blocks() + 1);
    // Rounding must not cost a whole rank.
    const auto rank = static_cast<Index>(std::floor(alpha_of(rate) * count * (1.0 + 1e-12)));
    if (rank < 1) {
      const auto wanted = static_cast<Index>(std::ceil(1.0 / alpha_of(rate) * (1.0 - 1e-12))) - 1;
      detail::fail(place,
                   {"a rate of at least ", least_rate(), " false episodes in 1,000 points, which ", blocks(),
                    " blocks can carry, or ", (wanted - blocks()) * block_, " more rows to calibrate on"},
                   {rate});
    }
    return at_rank(std::min(rank, blocks()), rate, CalibrationStatus::promised);
  }
  /// The lowest rate that can be promised.
  BlockThreshold widened() const { return at_rank(1, least_rate(), CalibrationStatus::widened); }
  /// Promised where that is possible. Beyond, by a Gumbel distribution (that of the largest of many values
  /// with a light tail) with the mean and variance of the blocks' largest scores, and never below the highest
  /// of them. Throws where the rate is not > 0, or beyond fewer than 5 blocks.
  BlockThreshold estimated(double rate) const {
    require_rate(rate);
    if (rate >= least_rate()) return promised(rate);
    if (blocks() < 5) detail::fail(place, "at least 5 blocks, whose tail can be fitted", {blocks()});
    constexpr double euler = 0.57721566490153286;
    const double scale = detail::standard_deviation_of(largest_) * std::sqrt(6.0) / std::numbers::pi;
    const double mode = detail::mean_of(largest_) - euler * scale;
    const double level = mode - scale * std::log(-std::log1p(-alpha_of(rate)));
    return {std::max(level, largest_.front()), rate, rate_of(exceeded_by(1)), CalibrationStatus::estimated};
  }

 private:
  static constexpr const char* place = "block calibration";
  BlockCalibration() = default;

  static void require_rate(double rate) {
    if (!(rate > 0.0 && detail::is_finite(rate))) detail::fail(place, "a finite rate > 0", {rate});
  }
  /// Of one block to be above, where so many episodes come in 1,000 points.
  double alpha_of(double rate) const { return std::min(1.0, rate * static_cast<double>(block_) / 1000.0); }
  double rate_of(double alpha) const { return 1000.0 * alpha / static_cast<double>(block_); }

  BlockThreshold at_rank(Index rank, double rate, CalibrationStatus status) const {
    return {largest_[static_cast<std::size_t>(rank - 1)], rate, rate_of(exceeded_by(rank)), status};
  }

  /// The share of all blocks that is above the highest but rank - 1 of m is distributed as Beta(rank,
  /// m - rank + 1), where they are independent: below x with the chance that of m blocks at least `rank` fall
  /// into a share of x. Its .95-quantile; for rank 1 that is 1 - .05^(1/m).
  double exceeded_by(Index rank) const {
    const auto m = static_cast<double>(blocks());
    const auto chance_of_fewer = [&](double x) {
      double term = m * std::log1p(-x), sum = 0.0;  // of exactly i of m, as a logarithm
      for (Index i = 0; i < rank; ++i) {
        sum += std::exp(term);
        const auto next = static_cast<double>(i + 1);
        term += std::log((m - static_cast<double>(i)) / next) + std::log(x) - std::log1p(-x);
      }
      return sum;
    };
    double low = 0.0, high = 1.0;
    for (int step = 0; step < 60; ++step) {
      const double middle = 0.5 * (low + high);
      (chance_of_fewer(middle) > 0.05 ? low : high) = middle;
    }
    return high;
  }

  Index block_ = 1;
  std::vector<double> largest_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
