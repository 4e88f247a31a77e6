#pragma once

#include <span>
#include <string>

#include "../core/text.hpp"
#include "pot_tail.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// The score that a fraction `risk` of normal scores exceeds, extrapolated by peaks over threshold (Siffer et
/// al., "Anomaly detection in streams with extreme value theory", KDD 2017): it can lie far beyond the
/// largest calibration score. It promises as much as the tail fits.
class Pot {
 public:
  static constexpr const char* name = "pot";
  explicit Pot(double risk, double level = 0.98) : risk_(risk), level_(level) {
    detail::require_pot_options(risk, level, "threshold::pot");
  }
  double fit(std::span<const double> calibration) const {
    return fit_pot_tail(calibration, level_).value_at(risk_);
  }
  std::string description() const {
    return "POT " + detail::number_text(risk_) + " above " + detail::number_text(level_);
  }
  double risk() const { return risk_; }
  double level() const { return level_; }

 private:
  double risk_;
  double level_;
};

inline Pot pot(double risk, double level = 0.98) { return Pot(risk, level); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
