#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../core/visit.hpp"
#include "f_beta.hpp"
#include "p_values.hpp"
#include "pot.hpp"
#include "statistics.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Rules that turn calibration scores (of normal data that was not trained on, in any order) into a
/// threshold; a score strictly above it is an outlier. Each is a value with `fit(scores)`, `description()`
/// for reports, a `name` and its parameters. Parameters that make no sense throw when the rule is made,
/// scores that do when it is fitted. `FBeta`, `Pot` and `Conformal` have headers of their own.
namespace threshold {

/// A fixed number; needs no calibration.
class Manual {
 public:
  static constexpr const char* name = "manual";
  explicit Manual(double value) : value_(value) {
    if (!std::isfinite(value)) detail::fail("threshold::manual", "a finite value", {value});
  }
  double fit(std::span<const double>) const { return value_; }
  std::string description() const { return "manual"; }
  double value() const { return value_; }

 private:
  double value_;
};

/// The q-quantile, by linear interpolation (NumPy's default). Needs n (1 - q) >= 1 scores, for else no
/// calibration score is expected above it and its place is a guess.
class Quantile {
 public:
  static constexpr const char* name = "quantile";
  explicit Quantile(double q) : q_(q) {
    if (!(q >= 0.0 && q < 1.0)) {
      detail::fail("threshold::quantile", "q in [0, 1) (max_factor(1) is the largest score)", {q});
    }
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::quantile");
    // 10 * (1 - 0.9) is a little less than 1 in binary.
    const double needed = std::ceil((1.0 - 1e-9) / (1.0 - q_));
    if (static_cast<double>(calibration.size()) < needed) {
      detail::fail("threshold::quantile", {"at least ", needed, " calibration scores for q = ", q_},
                   {calibration.size()});
    }
    std::vector<double> scores(calibration.begin(), calibration.end());
    return detail::quantile_of(scores, q_);
  }
  std::string description() const { return "quantile " + detail::number_text(q_); }
  double q() const { return q_; }

 private:
  double q_;
};

/// mean + k * standard deviation (divided by n).
class StandardDeviations {
 public:
  static constexpr const char* name = "standard_deviations";
  explicit StandardDeviations(double k) : k_(k) {
    if (!(k >= 0.0) || std::isinf(k)) {
      detail::fail("threshold::standard_deviations", "a finite k >= 0", {k});
    }
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::standard_deviations");
    const auto [low, high] = std::minmax_element(calibration.begin(), calibration.end());
    if (*low == *high && k_ > 0.0) {
      detail::fail("threshold::standard_deviations", "calibration scores that differ",
                   {"constant scores of ", *low});
    }
    return detail::mean_of(calibration) + k_ * detail::standard_deviation_of(calibration);
  }
  std::string description() const { return "mean + " + detail::number_text(k_) + " sd"; }
  double k() const { return k_; }

 private:
  double k_;
};

/// median + k * 1.4826 * median absolute deviation; the factor makes it a standard deviation where scores are
/// normal.
class Mad {
 public:
  static constexpr const char* name = "mad";
  explicit Mad(double k) : k_(k) {
    if (!(k >= 0.0) || std::isinf(k)) detail::fail("threshold::mad", "a finite k >= 0", {k});
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::mad");
    std::vector<double> scores(calibration.begin(), calibration.end());
    const double median = detail::median_of(scores);
    for (double& score : scores) score = std::abs(score - median);
    const double deviation = detail::median_of(scores);
    if (deviation == 0.0 && k_ > 0.0) {
      detail::fail("threshold::mad", "calibration scores less than half of which are equal",
                   {"a median absolute deviation of 0 around ", median});
    }
    return median + k_ * 1.4826 * deviation;
  }
  std::string description() const { return "median + " + detail::number_text(k_) + " MAD"; }
  double k() const { return k_; }

 private:
  double k_;
};

/// Q3 + k * (Q3 - Q1), the quartiles by linear interpolation (NumPy's default).
class Iqr {
 public:
  static constexpr const char* name = "iqr";
  explicit Iqr(double k) : k_(k) {
    if (!(k >= 0.0) || std::isinf(k)) detail::fail("threshold::iqr", "a finite k >= 0", {k});
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::iqr");
    std::vector<double> scores(calibration.begin(), calibration.end());
    const double low = detail::quantile_of(scores, 0.25);
    const double high = detail::quantile_of(scores, 0.75);
    if (low == high && k_ > 0.0) {
      detail::fail("threshold::iqr", "calibration scores whose middle half differ",
                   {"an interquartile range of 0 at ", low});
    }
    return high + k_ * (high - low);
  }
  std::string description() const { return "Q3 + " + detail::number_text(k_) + " IQR"; }
  double k() const { return k_; }

 private:
  double k_;
};

/// What `Factor` multiplies.
enum class Statistic { max, mean, median };

/// factor * the largest, mean or median calibration score.
class Factor {
 public:
  static constexpr const char* name = "factor";
  Factor(double factor, Statistic statistic) : factor_(factor), statistic_(statistic) {
    if (!(factor > 0.0) || std::isinf(factor)) {
      detail::fail("threshold::factor", "a finite factor > 0", {factor});
    }
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::factor");
    return factor_ * value_of(calibration);
  }
  std::string description() const {
    const char* const statistics[] = {"max", "mean", "median"};
    return detail::number_text(factor_) + " x " + statistics[static_cast<std::size_t>(statistic_)];
  }
  double factor() const { return factor_; }
  Statistic statistic() const { return statistic_; }

 private:
  double value_of(std::span<const double> calibration) const {
    if (statistic_ == Statistic::mean) return detail::mean_of(calibration);
    std::vector<double> scores(calibration.begin(), calibration.end());
    return statistic_ == Statistic::median ? detail::median_of(scores)
                                           : *std::max_element(scores.begin(), scores.end());
  }

  double factor_;
  Statistic statistic_;
};

/// factor * the largest calibration score.
class MaxFactor {
 public:
  static constexpr const char* name = "max_factor";
  explicit MaxFactor(double factor) : factor_(factor) {
    if (!(factor > 0.0) || std::isinf(factor)) {
      detail::fail("threshold::max_factor", "a finite factor > 0", {factor});
    }
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::max_factor");
    return factor_ * *std::max_element(calibration.begin(), calibration.end());
  }
  std::string description() const { return detail::number_text(factor_) + " x max"; }
  double factor() const { return factor_; }

 private:
  double factor_;
};

/// Any copyable callable from calibration scores to a threshold. The one rule that cannot be written to a
/// file.
class Custom {
 public:
  static constexpr const char* name = "custom";
  using Function = std::function<double(std::span<const double>)>;
  explicit Custom(Function function, std::string description = "custom")
      : function_(std::move(function)), description_(std::move(description)) {
    if (!function_) detail::fail("threshold::custom", "a callable", "an empty one");
  }
  double fit(std::span<const double> calibration) const {
    detail::require_calibration_scores(calibration, "threshold::custom");
    return function_(calibration);
  }
  std::string description() const { return description_; }

 private:
  Function function_;
  std::string description_;
};

inline Manual manual(double value) { return Manual(value); }
inline Quantile quantile(double q) { return Quantile(q); }
/// The share of the calibration scores, in (0, 1], that may lie above the threshold: the quantile 1 - share.
inline Quantile contamination(double share) {
  if (!(share > 0.0 && share <= 1.0)) {
    detail::fail("threshold::contamination", "a share in (0, 1]", {share});
  }
  return Quantile(1.0 - share);
}
inline StandardDeviations standard_deviations(double k) { return StandardDeviations(k); }
inline Mad mad(double k) { return Mad(k); }
inline Iqr iqr(double k) { return Iqr(k); }
inline Factor factor(double factor, Statistic statistic) { return {factor, statistic}; }
inline MaxFactor max_factor(double factor) { return MaxFactor(factor); }
inline Custom custom(Custom::Function function, std::string description = "custom") {
  return Custom(std::move(function), std::move(description));
}

}  // namespace threshold

/// Any of the rules above, exchangeable at run time.
class Threshold {
 public:
  using Rule = std::variant<threshold::Manual, threshold::Quantile, threshold::StandardDeviations,
                            threshold::Mad, threshold::Iqr, threshold::Factor, threshold::MaxFactor,
                            threshold::FBeta, threshold::Pot, threshold::Conformal, threshold::Custom>;

  template <typename T>
    requires(!std::same_as<std::remove_cvref_t<T>, Threshold> && std::constructible_from<Rule, T>)
  Threshold(T&& rule) : rule_(std::forward<T>(rule)) {}

  /// The threshold that the calibration scores lead to; throws when it is not finite.
  double fit(std::span<const double> calibration) const {
    const double value = detail::visit([&](const auto& rule) { return rule.fit(calibration); }, rule_);
    if (!std::isfinite(value)) {
      detail::fail({"threshold::", name()}, "a finite threshold from these calibration scores", {value});
    }
    return value;
  }
  /// The identifier of the rule, as its factory is called.
  std::string name() const {
    return detail::visit([](const auto& rule) { return std::string(rule.name); }, rule_);
  }
  /// The rule with its parameter, for reports.
  std::string description() const {
    return detail::visit([](const auto& rule) { return rule.description(); }, rule_);
  }
  bool needs_calibration() const {
    return !std::holds_alternative<threshold::Manual>(rule_) &&
           !std::holds_alternative<threshold::FBeta>(rule_);
  }
  const Rule& rule() const { return rule_; }

 private:
  Rule rule_;
};

/// What `OutlierScorer` holds scores against where no rule is named: conformal at level 0.03. It promises at
/// most 3 % of false alarms where calibration scores and normal ones are exchangeable, and of all rules it is
/// the only one whose promise needs neither a large n nor a distribution. On heart beats it finds 99 % of the
/// abnormal ones (docs/detection.md has the table, from which the level was picked). Needs 33 calibration
/// scores.
inline Threshold default_threshold() { return threshold::conformal(0.03); }

}  // namespace REPRISE_ABI
}  // namespace reprise
