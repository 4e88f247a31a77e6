#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "../core/sequences.hpp"
#include "../scores/detail/require_scores.hpp"
#include "p_values.hpp"
#include "thresholds.hpp"
#include "verdict.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Holds scores against a threshold worked out from calibration scores. Scores are numbers >= 0, higher is
/// stranger, of windows or of points, from whatever model; calibrate on the same kind of score that is judged
/// later, from normal data that was not trained on.
class OutlierScorer {
 public:
  explicit OutlierScorer(const Threshold& rule = default_threshold()) : rule_(rule) {
    if (!rule_.needs_calibration()) threshold_ = rule_.fit({});
  }

  /// As it was written to a file: calibrated with these scores, be their tail such as `threshold::pot`
  /// refuses today. Release 0.1 did not refuse it, and its files must be read.
  static OutlierScorer from_calibration(const Threshold& rule, std::span<const double> scores) {
    detail::require_calibration_scores(scores, "outlier scorer: calibrate");
    OutlierScorer scorer(rule);
    scorer.calibration_.assign(scores.begin(), scores.end());
    std::sort(scorer.calibration_.begin(), scorer.calibration_.end());
    if (const auto* const pot = std::get_if<threshold::Pot>(&scorer.rule_.rule())) {
      scorer.threshold_ = pot->fit_any_tail(scorer.calibration_);
    } else {
      scorer.threshold_ = scorer.rule_.fit(scorer.calibration_);
    }
    return scorer;
  }

  /// Replaces the calibration scores. Throws, and leaves the scorer as it was, when there are none, one is
  /// negative, NaN or infinite, or the rule cannot do with them.
  void calibrate(std::span<const double> scores) {
    detail::require_calibration_scores(scores, "outlier scorer: calibrate");
    std::vector<double> sorted(scores.begin(), scores.end());
    std::sort(sorted.begin(), sorted.end());
    threshold_ = rule_.fit(sorted);
    calibration_ = std::move(sorted);
  }
  void calibrate(std::span<const float> scores) {
    calibrate(std::vector<double>(scores.begin(), scores.end()));
  }

  /// Another rule over the same calibration scores. Throws, and keeps the rule it had, when it cannot do with
  /// them.
  void set_threshold(const Threshold& rule) {
    std::optional<double> value;
    if (is_calibrated() || !rule.needs_calibration()) value = rule.fit(calibration_);
    rule_ = rule;
    threshold_ = value;
  }

  /// One verdict per score, numbered from `first_index`. Throws when not calibrated (`manual` needs no
  /// calibration), or when a score is negative or NaN, naming its place.
  [[nodiscard]] std::vector<Verdict> score(std::span<const double> scores, Index first_index = 0) const {
    const double limit = threshold();
    detail::require_scores(scores, "outlier scorer: score");
    std::vector<Verdict> verdicts(scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
      verdicts[i] = {first_index + static_cast<Index>(i), scores[i], limit, scores[i] > limit};
    }
    return verdicts;
  }
  [[nodiscard]] std::vector<Verdict> score(std::span<const float> scores, Index first_index = 0) const {
    return score(std::vector<double>(scores.begin(), scores.end()), first_index);
  }

  /// One p-value per score against the calibration scores, numbered from `first_index`; what they promise is
  /// said in p_values.hpp. Throws when not calibrated, or when a score is negative or NaN.
  [[nodiscard]] std::vector<double> p_values(std::span<const double> scores,
                                             const PValueOptions& options = {}, Index first_index = 0) const {
    if (!is_calibrated()) {
      detail::fail("outlier scorer: p_values", "calibrate() before it", "no calibration scores");
    }
    return reprise::p_values(calibration_, scores, options, first_index);
  }

  /// Throws when not calibrated.
  [[nodiscard]] double threshold() const {
    if (!threshold_)
      detail::fail("outlier scorer", "calibrate() before the first score", "no calibration scores");
    return *threshold_;
  }
  /// `Threshold::doubt` of the calibration scores; empty before calibrating.
  std::string doubt() const { return is_calibrated() ? rule_.doubt(calibration_) : std::string(); }
  const Threshold& rule() const { return rule_; }
  [[nodiscard]] bool is_calibrated() const { return !calibration_.empty(); }
  /// Ascending; empty before calibrating.
  const std::vector<double>& calibration_scores() const { return calibration_; }

 private:
  Threshold rule_;
  std::vector<double> calibration_;
  std::optional<double> threshold_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
