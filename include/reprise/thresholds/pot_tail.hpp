#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../scores/detail/require_scores.hpp"
#include "detail/grimshaw.hpp"
#include "generalized_pareto.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Peaks over threshold: what a sample says of values beyond its own. Above `threshold` lie `excesses` of
/// `count` values, distributed as `beyond`.
struct PotTail {
  double threshold = 0.0;
  Index excesses = 0;
  Index count = 0;
  GeneralizedPareto beyond;

  /// P(X > x) for x > threshold; below, where the tail knows nothing, the share of excesses. 0 beyond the end
  /// of a tail with shape < 0.
  double tail_probability(double x) const { return share() * beyond.tail_probability(x - threshold); }
  /// The x with P(X > x) = risk:
  ///   threshold + scale / shape ((risk count / excesses)^-shape - 1), threshold - scale log(...) for shape
  /// 0; the threshold itself where the risk is larger than the share of excesses.
  double value_at(double risk) const { return threshold + beyond.value_at(std::min(risk / share(), 1.0)); }

 private:
  double share() const { return static_cast<double>(excesses) / static_cast<double>(count); }
};

namespace detail {

inline constexpr std::size_t fewest_excesses = 10;

/// The excesses of `values` above their quantile at `level`, in their order. Throws when there are too few.
inline std::vector<double> excesses_above_level(std::span<const double> values, double level, double& at,
                                                const Text& place) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (*low == *high) fail(place, "scores that differ", {"constant scores of ", *low});
  std::vector<double> excesses(values.begin(), values.end());
  at = quantile_of(excesses, level);
  excesses.clear();
  for (const double value : values) {
    // The difference of two numbers that differ is not 0.
    if (value > at) excesses.push_back(value - at);
  }
  if (excesses.size() < fewest_excesses) {
    const double needed = std::ceil(static_cast<double>(fewest_excesses) / (1.0 - level) - 1e-6);
    fail(place,
         {"at least ", fewest_excesses, " scores above their quantile ", level, ", which takes about ",
          needed, " scores that differ"},
         {excesses.size(), " of ", values.size()});
  }
  return excesses;
}

inline void require_pot_options(double risk, double level, const Text& place) {
  if (!(is_finite(level) && level > 0.0 && level < 1.0)) fail(place, "a level in (0, 1)", {level});
  if (!(is_finite(risk) && risk > 0.0 &&
        risk < (1.0 - level) * (1.0 - 1e-9))) {  // 1 - 0.98 is a little more than 0.02
    fail(place, {"a risk above 0 and below 1 - level = ", number_text(1.0 - level, 6)}, {risk});
  }
}

/// A tail of shape 1 or more has no mean: as a rule some outliers stand among the scores, and thresholds of
/// such a tail lie so far out that nothing ever passes them.
inline void require_mean(const PotTail& tail, const Text& place) {
  if (tail.beyond.shape < 1.0) return;
  fail(place, "scores without outliers, whose tail has a shape below 1",
       {"shape ", number_text(tail.beyond.shape, 3), ", which comes from a few scores far above the rest"});
}

}  // namespace detail

/// The tail above the empirical quantile at `level`, which at least 10 scores must exceed.
[[nodiscard]] inline PotTail fit_pot_tail(std::span<const double> calibration, double level = 0.98) {
  detail::require_calibration_scores(calibration, "fit_pot_tail");
  if (!(detail::is_finite(level) && level > 0.0 && level < 1.0)) {
    detail::fail("fit_pot_tail", "a level in (0, 1)", {level});
  }
  PotTail tail;
  tail.count = static_cast<Index>(calibration.size());
  std::vector<double> excesses =
      detail::excesses_above_level(calibration, level, tail.threshold, "fit_pot_tail");
  tail.excesses = static_cast<Index>(excesses.size());
  tail.beyond = detail::fit_excesses_in_place(excesses);
  return tail;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
