#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "../core/sequences.hpp"
#include "metrics.hpp"
#include "outlier_scorer.hpp"
#include "spot.hpp"
#include "statistics.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What telemanom's rule says of one window of smoothed errors.
struct TelemanomFindings {
  double threshold = 0.0;
  /// The runs of errors above the threshold that pruning left, in order.
  std::vector<IndexRange> runs;
};

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
    const double mean = mean_of(errors);
    const double deviation = standard_deviation_of(errors);
    if (*low == *high || !(deviation > 0.0)) return *high;
    const double highest = *high;
    double best = -1.0;
    double threshold = mean + 12.0 * deviation;
    for (int half_steps = 5; half_steps <= 23; ++half_steps) {
      const double epsilon = mean + 0.5 * half_steps * deviation;
      if (!(highest > epsilon)) break;
      const double value = gain(errors, epsilon, mean, deviation);
      // A later z may lie above the same points, and be as good but for rounding.
      if (value >= best * (1.0 - 1e-12) && value > 0.0) {
        best = value;
        threshold = epsilon;
      }
    }
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
  /// -1 where epsilon is not admissible.
  static double gain(std::span<const double> errors, double epsilon, double mean, double deviation) noexcept {
    Index above = 0;
    Index runs = 0;
    Index below = 0;
    double sum = 0.0;
    bool was_above = false;
    for (const double e : errors) {
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
    for (const double e : errors) {
      if (e < epsilon) squares += (e - mean_below) * (e - mean_below);
    }
    const double deviation_below = std::sqrt(squares / static_cast<double>(below));
    return ((mean - mean_below) / mean + (deviation - deviation_below) / deviation) /
           static_cast<double>(runs * runs + above);
  }
  void find_runs(std::span<const double> errors, double threshold) noexcept {
    for (std::size_t i = 0; i < errors.size(); ++i) {
      if (!(errors[i] > threshold)) continue;
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
      if (!(e > threshold)) unflagged = std::max(unflagged, e);
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
  if (!(pruning >= 0.0 && pruning < 1.0)) fail("telemanom", "pruning in [0, 1)", {pruning});
}

}  // namespace detail

/// Telemanom's rule on one window of errors, which are smoothed already.
inline TelemanomFindings telemanom_window(std::span<const double> errors, double pruning = 0.13) {
  detail::require_calibration_scores(errors, "telemanom");
  detail::require_pruning(pruning);
  detail::TelemanomRule rule(errors.size());
  TelemanomFindings findings;
  findings.threshold = rule.judge(errors, pruning);
  for (const auto& run : rule.runs()) findings.runs.push_back(run.range);
  std::sort(findings.runs.begin(), findings.runs.end(),
            [](const IndexRange& a, const IndexRange& b) { return a.start < b.start; });
  return findings;
}

struct TelemanomOptions {
  /// Smoothed errors that the rule looks at, the newest last.
  Index window = 2100;
  /// Errors are smoothed by s = a e + (1 - a) s before, a = 2 / (span + 1), from the first error on; 1
  /// smooths nothing.
  Index span = 105;
  /// A run whose peak stands out from the next by a smaller share than this, and those below it, are dropped.
  double pruning = 0.13;
};

/// The dynamic threshold of Hundman et al., "Detecting spacecraft anomalies using LSTMs and nonparametric
/// dynamic thresholding" (KDD 2018, arXiv 1802.04431), as the paper has it: a rule over trailing errors, not
/// a threshold fitted once. It promises nothing about false alarms. After construction a step allocates
/// nothing and does not throw; it takes time in proportion to the window (some 20 passes).
class Telemanom {
 public:
  explicit Telemanom(const TelemanomOptions& options = {})
      : options_(options), rule_(static_cast<std::size_t>(std::max<Index>(options.window, 0))) {
    if (options.window < 3) detail::fail("telemanom", "a window of at least 3", {options.window});
    detail::require_positive(options.span, "telemanom", "span");
    detail::require_pruning(options.pruning);
    // Twice the window, so that the newest errors always lie side by side.
    errors_.resize(2 * static_cast<std::size_t>(options.window));
  }

  /// Smooths the error and judges it by the window that it ends; `warming_up` before a window is full.
  /// `invalid` for one that is negative, NaN or infinite.
  StreamStep step(double error) noexcept {
    if (!(error >= 0.0) || std::isinf(error)) return {StreamStatus::invalid, threshold_};
    smoothed_ = is_started_ ? smoothed_ + (error - smoothed_) * (2.0 / static_cast<double>(options_.span + 1))
                            : error;
    is_started_ = true;
    const auto window = static_cast<std::size_t>(options_.window);
    if (end_ == errors_.size()) {
      std::copy(errors_.begin() + static_cast<std::ptrdiff_t>(window) + 1, errors_.end(), errors_.begin());
      end_ = window - 1;
    }
    errors_[end_++] = smoothed_;
    if (end_ < window) return {StreamStatus::warming_up, threshold_};
    threshold_ = rule_.judge({errors_.data() + end_ - window, window}, options_.pruning);
    for (const auto& run : rule_.runs()) {
      if (run.range.end == options_.window) return {StreamStatus::alarm, threshold_};
    }
    return {StreamStatus::normal, threshold_};
  }
  /// The newest error, smoothed.
  double smoothed() const { return smoothed_; }
  /// Of the newest window; 0 before it is full.
  double threshold() const { return threshold_; }

 private:
  TelemanomOptions options_;
  detail::TelemanomRule rule_;
  std::vector<double> errors_;
  std::size_t end_ = 0;
  double smoothed_ = 0.0;
  double threshold_ = 0.0;
  bool is_started_ = false;
};

/// The rule over a whole series of errors: a verdict for each, on its smoothed error, for `find_events`. The
/// first full window judges all that it holds, so that no error goes unjudged; from then on each error is
/// judged by the window that it ends. A series shorter than a window is one window.
inline std::vector<Verdict> telemanom(std::span<const double> errors, const TelemanomOptions& options = {}) {
  Telemanom rule(options);
  detail::require_calibration_scores(errors, "telemanom");
  std::vector<Verdict> verdicts(errors.size());
  std::vector<double> first;
  const std::size_t window = std::min(errors.size(), static_cast<std::size_t>(options.window));
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const StreamStep step = rule.step(errors[i]);
    verdicts[i] = {static_cast<Index>(i), rule.smoothed(), step.threshold, step.is_alarm()};
    if (i >= window) continue;
    first.push_back(rule.smoothed());
    if (i + 1 < window) continue;
    const TelemanomFindings findings = telemanom_window(first, options.pruning);
    for (std::size_t j = 0; j < window; ++j) verdicts[j].threshold = findings.threshold;
    for (const IndexRange& run : findings.runs) {
      for (Index j = run.start; j < run.end; ++j) verdicts[static_cast<std::size_t>(j)].is_outlier = true;
    }
  }
  return verdicts;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
