#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../scores/detail/require_scores.hpp"
#include "conformal.hpp"
#include "detail/smoothing.hpp"
#include "pot_tail.hpp"

// Numbers between 0 and 1 for scores, and what each promises.
//
// Conformal p-value (plain): P(p <= alpha) <= alpha for a normal score, whatever the distribution, where it
//   and the n calibration scores are exchangeable: drawn alike, in no particular order. Averaged over
//   calibration sets: one set may be unlucky. Never below 1 / (n + 1).
// Smoothed: uniform for normal scores under the same assumption, ties included (plain values then are too
//   large). What martingales and tests of uniformity need.
// Windows that overlap are not exchangeable: thin them (stride >= length) for calibration. Serial correlation
//   remains, and with it a promise that holds only about.
// Beyond the calibration scores, with a fitted tail: an extrapolation, without the conformal promise.
namespace reprise {
inline namespace REPRISE_ABI {

/// The p-values of scores against a fixed set of calibration scores.
class ConformalPValues {
 public:
  explicit ConformalPValues(std::span<const double> calibration)
      : sorted_(calibration.begin(), calibration.end()) {
    detail::require_calibration_scores(calibration, "conformal p-values");
    std::sort(sorted_.begin(), sorted_.end());
  }

  /// (1 + #{s_i >= s}) / (n + 1).
  [[nodiscard]] double plain(double score) const {
    require_score(score);
    const auto below = std::lower_bound(sorted_.begin(), sorted_.end(), score) - sorted_.begin();
    return (1.0 + count() - static_cast<double>(below)) / (count() + 1.0);
  }
  /// (#{s_i > s} + u (1 + #{s_i = s})) / (n + 1), u uniform in (0, 1].
  [[nodiscard]] double smoothed(double score, double u) const {
    require_score(score);
    if (!(detail::is_finite(u) && u > 0.0 && u <= 1.0))
      detail::fail("conformal p-values", "u in (0, 1]", {u});
    const auto [first, last] = std::equal_range(sorted_.begin(), sorted_.end(), score);
    const auto above = static_cast<double>(sorted_.end() - last);
    return (above + u * (1.0 + static_cast<double>(last - first))) / (count() + 1.0);
  }
  /// As `plain` up to the largest calibration score; beyond it, where that is 1 / (n + 1), multiplied by
  /// tail(s) / tail(largest): an extrapolation that tells scores apart which are all larger than any seen. At
  /// least 1e-12, never rising with the score. `tail` is fitted to the same calibration scores.
  [[nodiscard]] double extrapolated(double score, const PotTail& tail) const {
    const double p = plain(score);
    const double largest = sorted_.back();
    if (score <= largest) return p;
    const double reference = tail.tail_probability(largest);
    const double ratio = reference > 0.0 ? tail.tail_probability(score) / reference : 0.0;
    return std::max(p * std::min(ratio, 1.0), smallest);
  }
  /// Ascending.
  const std::vector<double>& calibration_scores() const { return sorted_; }

  static constexpr double smallest = 1e-12;

 private:
  double count() const { return static_cast<double>(sorted_.size()); }
  static void require_score(double score) {
    if (detail::is_nan(score) || score < 0.0) detail::fail("conformal p-values", "a score >= 0", {score});
  }

  std::vector<double> sorted_;
};

struct PValueOptions {
  /// Smoothed instead of plain p-values.
  bool smoothed = false;
  /// Of the random numbers that smooth: one for each index, whatever the order of the calls.
  std::uint64_t seed = 0;
  /// Fit a tail above this quantile of the calibration scores and extrapolate beyond the largest; needs 10
  /// scores above it, and plain p-values.
  std::optional<double> tail_level{};  // the initialiser keeps g++ from warning the user
};

/// One p-value per score, numbered from `first_index`.
[[nodiscard]] inline std::vector<double> p_values(std::span<const double> calibration,
                                                  std::span<const double> scores,
                                                  const PValueOptions& options = {}, Index first_index = 0) {
  if (options.smoothed && options.tail_level) {
    detail::fail("p_values", "smoothed p-values or a tail beyond the calibration scores", "both");
  }
  const ConformalPValues conformal(calibration);
  detail::require_scores(scores, "p_values");
  std::optional<PotTail> tail;
  if (options.tail_level) tail = fit_pot_tail(calibration, *options.tail_level);
  std::vector<double> result(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (tail) {
      result[i] = conformal.extrapolated(scores[i], *tail);
    } else if (options.smoothed) {
      const auto index = static_cast<std::uint64_t>(first_index) + i;
      result[i] = conformal.smoothed(scores[i], detail::smoothing_uniform(options.seed, index));
    } else {
      result[i] = conformal.plain(scores[i]);
    }
  }
  return result;
}

/// Which of many p-values to reject so that of those rejected at most a fraction alpha is expected to be
/// normal (Benjamini and Hochberg 1995): those up to the k-th smallest, k the largest with p_(k) <= alpha k /
/// m. The promise holds for independent p-values, and for conformal ones that share a calibration set (Bates
/// et al. 2023).
[[nodiscard]] inline std::vector<bool> benjamini_hochberg(std::span<const double> p_values, double alpha) {
  if (!(detail::is_finite(alpha) && alpha > 0.0 && alpha < 1.0)) {
    detail::fail("benjamini_hochberg", "alpha in (0, 1)", {alpha});
  }
  for (std::size_t i = 0; i < p_values.size(); ++i) {
    if (!(detail::is_finite(p_values[i]) && p_values[i] >= 0.0 && p_values[i] <= 1.0)) {
      detail::fail("benjamini_hochberg", "p-values in [0, 1]", {p_values[i], " at index ", i});
    }
  }
  std::vector<double> sorted(p_values.begin(), p_values.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<bool> rejected(p_values.size());
  const auto m = static_cast<double>(sorted.size());
  for (std::size_t k = sorted.size(); k > 0; --k) {
    // Multiplied out, and but for rounding: of m p-values equal to alpha all are rejected.
    constexpr double rounding = 1.0 + 8.0 * std::numeric_limits<double>::epsilon();
    if (sorted[k - 1] * m > alpha * static_cast<double>(k) * rounding) continue;
    for (std::size_t i = 0; i < p_values.size(); ++i) rejected[i] = p_values[i] <= sorted[k - 1];
    break;
  }
  return rejected;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
