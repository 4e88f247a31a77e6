#pragma once

#include <cmath>
#include <concepts>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "../core/visit.hpp"
#include "conformal.hpp"
#include "custom.hpp"
#include "f_beta.hpp"
#include "factor.hpp"
#include "iqr.hpp"
#include "mad.hpp"
#include "manual.hpp"
#include "pot.hpp"
#include "quantile.hpp"
#include "standard_deviations.hpp"

// Rules that turn calibration scores (of normal data that was not trained on, in any order) into a
// threshold; a score strictly above it is an outlier. Each is a value with `fit(scores)`, `description()`
// for reports, a `name` and its parameters. Parameters that make no sense throw when the rule is made,
// scores that do when it is fitted. `FBeta`, `Pot` and `Conformal` have headers of their own.
namespace reprise {
inline namespace REPRISE_ABI {

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
    return detail::visit(
        []<typename R>(const R&) {
          if constexpr (requires { R::needs_calibration; }) return R::needs_calibration;
          return true;
        },
        rule_);
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
