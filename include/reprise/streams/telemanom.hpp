#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "../core/finite.hpp"
#include "../core/index_range.hpp"
#include "../core/sequences.hpp"
#include "../scores/detail/require_scores.hpp"
#include "../thresholds/verdict.hpp"
#include "detail/telemanom_rule.hpp"
#include "stream_step.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What telemanom's rule says of one window of smoothed errors.
struct TelemanomFindings {
  double threshold = 0.0;
  /// The runs of errors above the threshold that pruning left, in order.
  std::vector<IndexRange> runs;
};

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
    if (!(detail::is_finite(error) && error >= 0.0)) return {StreamStatus::invalid, threshold_};
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
[[nodiscard]] inline std::vector<Verdict> telemanom(std::span<const double> errors,
                                                    const TelemanomOptions& options = {}) {
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
