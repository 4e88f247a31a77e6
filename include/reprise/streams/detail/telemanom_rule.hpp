#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "../../core/error.hpp"
#include "../../core/finite.hpp"
#include "../../core/index_range.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// The rule of Hundman et al. 2018 over one window, with memory that is kept from window to window. On errors
/// e with mean mu and standard deviation sigma, for z = 2.5, 3.0 ... 11.5 and epsilon = mu + z sigma:
///   [(mu - mean(e < epsilon)) / mu + (sigma - sd(e < epsilon)) / sigma] / (runs^2 + points above)
/// The largest counts (of several, the largest epsilon) with at least one point above, fewer than half of the
/// points above, and at most 5 runs; if there is none, mu + 12 sigma.
class TelemanomRule {
 public:
  explicit TelemanomRule(std::size_t window) { runs_.reserve(window / 2 + 1); }

  /// Leaves the runs that count in `runs()`. At least one error; all >= 0 and finite.
  double judge(std::span<const double> errors, double pruning) noexcept {
    runs_.clear();
    const auto [low, high] = std::minmax_element(errors.begin(), errors.end());
    // In units in which the squares of very large and very small errors are numbers, and not 0.
    const double unit = *high > 1e100 || (*high > 0.0 && *high < 1e-100) ? *high : 1.0;
    const auto [mean, deviation] = moments(errors, unit);
    if (*low == *high || is_nan(deviation) || deviation <= 0.0) return *high;
    const double highest = *high / unit;
    double best = -1.0;
    double threshold = mean + 12.0 * deviation;
    for (int half_steps = 5; half_steps <= 23; ++half_steps) {
      const double epsilon = mean + 0.5 * half_steps * deviation;
      if (highest <= epsilon) break;
      const double value = gain(errors, unit, epsilon, mean, deviation);
      // A later z may lie above the same points, and be as good but for rounding.
      if (value >= best * (1.0 - 1e-12) && value > 0.0) {
        best = value;
        threshold = epsilon;
      }
    }
    threshold *= unit;
    find_runs(errors, threshold);
    prune(errors, threshold, pruning);
    return threshold;
  }
  struct Run {
    IndexRange range;
    double peak;
  };
  /// Sorted by peak, descending.
  const std::vector<Run>& runs() const { return runs_; }

 private:
  struct Moments {
    double mean;
    double deviation;
  };
  /// Of errors / unit.
  static Moments moments(std::span<const double> errors, double unit) noexcept {
    const auto n = static_cast<double>(errors.size());
    double sum = 0.0;
    for (const double e : errors) sum += e / unit;
    const double mean = sum / n;
    double squares = 0.0;
    for (const double e : errors) squares += (e / unit - mean) * (e / unit - mean);
    return {mean, std::sqrt(squares / n)};
  }
  /// -1 where epsilon is not admissible. All but the errors is in units.
  static double gain(std::span<const double> errors, double unit, double epsilon, double mean,
                     double deviation) noexcept {
    Index above = 0;
    Index runs = 0;
    Index below = 0;
    double sum = 0.0;
    bool was_above = false;
    for (const double error : errors) {
      const double e = error / unit;
      const bool is_above = e > epsilon;
      above += is_above ? 1 : 0;
      runs += is_above && !was_above ? 1 : 0;
      was_above = is_above;
      if (e < epsilon) {
        sum += e;
        ++below;
      }
    }
    const auto size = static_cast<Index>(errors.size());
    if (above == 0 || 2 * above >= size || runs > 5 || below == 0) return -1.0;
    const double mean_below = sum / static_cast<double>(below);
    double squares = 0.0;
    for (const double error : errors) {
      const double e = error / unit;
      if (e < epsilon) squares += (e - mean_below) * (e - mean_below);
    }
    const double deviation_below = std::sqrt(squares / static_cast<double>(below));
    return ((mean - mean_below) / mean + (deviation - deviation_below) / deviation) /
           static_cast<double>(runs * runs + above);
  }
  void find_runs(std::span<const double> errors, double threshold) noexcept {
    for (std::size_t i = 0; i < errors.size(); ++i) {
      if (errors[i] <= threshold) continue;
      const auto index = static_cast<Index>(i);
      if (runs_.empty() || runs_.back().range.end != index) runs_.push_back({{index, index}, errors[i]});
      ++runs_.back().range.end;
      runs_.back().peak = std::max(runs_.back().peak, errors[i]);
    }
  }
  /// With the peaks m_1 >= m_2 ... and then the largest error at or below the threshold, d_i = (m_i -
  /// m_{i+1}) / m_i: every run after the last i with d_i >= pruning goes, all of them where there is no such
  /// i.
  void prune(std::span<const double> errors, double threshold, double pruning) noexcept {
    std::sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) {
      return a.peak != b.peak ? a.peak > b.peak : a.range.start < b.range.start;
    });
    double unflagged = 0.0;
    for (const double e : errors) {
      if (e <= threshold) unflagged = std::max(unflagged, e);
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const double next = i + 1 < runs_.size() ? runs_[i + 1].peak : unflagged;
      if ((runs_[i].peak - next) / runs_[i].peak >= pruning) kept = i + 1;
    }
    runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(kept), runs_.end());
  }

  std::vector<Run> runs_;
};

inline void require_pruning(double pruning) {
  if (!(is_finite(pruning) && pruning >= 0.0 && pruning < 1.0))
    fail("telemanom", "pruning in [0, 1)", {pruning});
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
