#pragma once

#include <cmath>
#include <span>
#include <string>

#include "../core/finite.hpp"
#include "../core/text.hpp"
#include "detail/rule.hpp"
#include "pot_tail.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// The score that a fraction `risk` of normal scores exceeds, extrapolated by peaks over threshold (Siffer et
/// al., "Anomaly detection in streams with extreme value theory", KDD 2017): it can lie far beyond the
/// largest calibration score. It promises as much as the tail fits. Throws where the tail's shape is 1 or
/// more, which outliers among the calibration scores make.
class Pot {
 public:
  static constexpr const char* kind = "pot";
  static constexpr const char* name = kind;
  explicit Pot(double risk, double level = 0.98) : risk_(risk), level_(level) { check(); }
  double fit(std::span<const double> calibration) const {
    const PotTail tail = fit_pot_tail(calibration, level_);
    detail::require_mean(tail, "threshold::pot");
    return tail.value_at(risk_);
  }
  /// The same of a tail of whatever shape, which throws only where the threshold is not finite.
  double fit_any_tail(std::span<const double> calibration) const {
    const double value = fit_pot_tail(calibration, level_).value_at(risk_);
    if (!detail::is_finite(value))
      detail::fail("threshold::pot", "a finite threshold from these scores", {value});
    return value;
  }
  /// With few excesses a risk far below 1 / n is missed by a factor of up to ten: docs/detection.md has the
  /// rates that were measured.
  std::string doubt(std::span<const double> calibration) const {
    const PotTail tail = fit_pot_tail(calibration, level_);
    const auto count = static_cast<double>(tail.count);
    if (risk_ * count >= 0.2) return "";
    return "a risk of " + detail::number_text(risk_) + " is far beyond what " + std::to_string(tail.count) +
           " scores can tell: several times as many false alarms are likely";
  }
  std::string description() const {
    return "POT " + detail::number_text(risk_) + " above " + detail::number_text(level_);
  }
  double risk() const { return risk_; }
  double level() const { return level_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("risk", self.risk_);
    visit("level", self.level_);
  }

 private:
  friend detail::RuleReader;
  Pot() = default;
  void check() const { detail::require_pot_options(risk_, level_, "threshold::pot"); }
  double risk_ = 0.0;
  double level_ = 0.0;
};

inline Pot pot(double risk, double level = 0.98) { return Pot(risk, level); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
