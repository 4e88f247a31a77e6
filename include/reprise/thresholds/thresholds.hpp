#pragma once

#include <cmath>
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "../core/detail/visit.hpp"
#include "../core/fields.hpp"
#include "../core/finite.hpp"
#include "conformal.hpp"
#include "custom.hpp"
#include "detail/rule.hpp"
#include "f_beta.hpp"
#include "factor.hpp"
#include "iqr.hpp"
#include "mad.hpp"
#include "manual.hpp"
#include "pot.hpp"
#include "quantile.hpp"
#include "standard_deviations.hpp"

// Rules that turn calibration scores (of normal data that was not trained on, in any order) into a threshold;
// a score strictly above it is an outlier. Each rule is a class in a file of its own, with
//   - `fit(scores)`, which gives the threshold and throws where the scores do not suffice,
//   - `description()`, the rule with its parameters, for reports,
//   - `kind`, what its factory and a file call it (`name` is the same),
//   - `each_field`, its parameters, which a file holds (core/fields.hpp).
// Parameters that make no sense throw when the rule is made. A rule that is added needs a line in
// `Threshold::Rule` below, and none elsewhere.
namespace reprise {
inline namespace REPRISE_ABI {

/// Any of the rules, exchangeable at run time.
class Threshold {
 public:
  using Rule = std::variant<threshold::Manual, threshold::Quantile, threshold::StandardDeviations,
                            threshold::Mad, threshold::Iqr, threshold::Factor, threshold::MaxFactor,
                            threshold::FBeta, threshold::Pot, threshold::Conformal, threshold::Custom>;

  template <typename T>
    requires(!std::same_as<std::remove_cvref_t<T>, Threshold> && std::constructible_from<Rule, T>)
  Threshold(T&& rule) : rule_(new Rule(std::forward<T>(rule))) {}
  // Copied where others are moved, so that none is ever without a rule.
  Threshold(const Threshold&) = default;
  Threshold& operator=(const Threshold&) = default;

  /// The threshold that the calibration scores lead to; throws when it is not finite.
  double fit(std::span<const double> calibration) const {
    const double value = detail::visit([&](const auto& rule) { return rule.fit(calibration); }, *rule_);
    if (!detail::is_finite(value)) {
      detail::fail({"threshold::", name()}, "a finite threshold from these calibration scores", {value});
    }
    return value;
  }
  /// The identifier of the rule, as its factory is called.
  std::string name() const {
    return detail::visit([](const auto& rule) { return std::string(rule.kind); }, *rule_);
  }
  /// Why the threshold that these calibration scores lead to may not keep what the rule promises; empty where
  /// nothing speaks against it. Throws as `fit`.
  std::string doubt(std::span<const double> calibration) const {
    return detail::visit(
        [&](const auto& rule) {
          if constexpr (requires { rule.doubt(calibration); }) return rule.doubt(calibration);
          return std::string();
        },
        *rule_);
  }
  /// The rule with its parameter, for reports.
  std::string description() const {
    return detail::visit([](const auto& rule) { return rule.description(); }, *rule_);
  }
  bool needs_calibration() const {
    return detail::visit([]<typename R>(const R&) { return detail::needs_calibration<R>(); }, *rule_);
  }
  const Rule& rule() const { return *rule_; }

  /// {"rule": kind, and a member for each parameter}. Throws for a rule that holds a callable.
  void write(FieldWriter& writer) const {
    detail::visit(
        [&]<typename R>(const R& rule) {
          if constexpr (detail::ListsFields<const R>) {
            writer.begin_object({});
            writer.member("rule");
            writer.text(R::kind);
            detail::write_fields(writer, rule);
            writer.end_object();
          } else {
            detail::fail("saving a threshold", "a rule that can be written down",
                         {"a callable (", rule.description(), ")"});
          }
        },
        *rule_);
  }
  void read(FieldReader& reader) {
    reader.begin_object();
    if (!reader.enter_member("rule")) reader.refuse("an object with a rule");
    const std::string kind = reader.text();
    reader.leave();
    std::shared_ptr<const Rule> rule = detail::read_rule<Rule>(reader, kind);
    if (!rule) reader.refuse("a rule that is known", kind);
    reader.end_object();
    rule_ = std::move(rule);
  }

 private:
  /// Shared by copies: a rule never changes, and a pointer is copied by less code than a variant.
  std::shared_ptr<const Rule> rule_;
};

/// What `OutlierScorer` holds scores against where no rule is named: conformal at level 0.03. It promises at
/// most 3 % of false alarms where calibration scores and normal ones are exchangeable, and of all rules it is
/// the only one whose promise needs neither a large n nor a distribution. On heart beats it finds 99 % of the
/// abnormal ones (docs/detection.md has the table, from which the level was picked). Needs 33 calibration
/// scores.
[[nodiscard]] inline Threshold default_threshold() { return threshold::conformal(0.03); }

}  // namespace REPRISE_ABI
}  // namespace reprise
