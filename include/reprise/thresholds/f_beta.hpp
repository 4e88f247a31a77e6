#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../evaluation/labels.hpp"
#include "../evaluation/metrics.hpp"
#include "../scores/detail/require_scores.hpp"
#include "detail/rule.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// The threshold with the largest F_beta on labelled scores that the rule carries with it; the larger one of
/// two that are as good. Needs no calibration scores. It knows the labelled outliers and promises nothing of
/// others.
class FBeta {
 public:
  static constexpr const char* kind = "f_beta";
  static constexpr const char* name = kind;
  static constexpr bool needs_calibration = false;
  FBeta(double beta, std::vector<double> scores, Labels labels)
      : beta_(beta), scores_(std::move(scores)), labels_(std::move(labels)) {
    check();
  }
  double fit(std::span<const double>) const { return value_; }
  std::string description() const { return "best F" + detail::number_text(beta_); }
  double beta() const { return beta_; }
  [[nodiscard]] const std::vector<double>& scores() const { return scores_; }
  const Labels& labels() const { return labels_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("beta", self.beta_);
    visit("scores", detail::or_infinity(self.scores_));
    visit("labels", self.labels_);
  }

 private:
  friend detail::RuleReader;
  FBeta() = default;
  void check() {
    detail::require_scores(scores_, "threshold::f_beta");
    detail::require_as_many(scores_.size(), labels_, "threshold::f_beta", "scores");
    detail::require_both_classes(labels_, "threshold::f_beta");
    const auto [low, high] = std::minmax_element(scores_.begin(), scores_.end());
    if (*low == *high) {
      detail::fail("threshold::f_beta", "labelled scores that differ", {"constant scores of ", *low});
    }
    value_ = best_f_beta(scores_, labels_, beta_).threshold;
  }

  double beta_ = 1.0;
  std::vector<double> scores_;
  Labels labels_;
  double value_ = 0.0;
};

inline FBeta f_beta(double beta, std::vector<double> scores, Labels labels) {
  return {beta, std::move(scores), std::move(labels)};
}

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
