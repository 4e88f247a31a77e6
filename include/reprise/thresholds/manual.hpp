#pragma once

#include <cmath>
#include <span>
#include <string>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "detail/rule.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// A fixed number; needs no calibration.
class Manual {
 public:
  static constexpr const char* kind = "manual";
  static constexpr const char* name = kind;
  static constexpr bool needs_calibration = false;
  explicit Manual(double value) : value_(value) { check(); }
  double fit(std::span<const double>) const { return value_; }
  std::string description() const { return "manual"; }
  double value() const { return value_; }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("value", self.value_);
  }

 private:
  friend detail::RuleReader;
  Manual() = default;
  void check() const {
    if (!detail::is_finite(value_)) detail::fail("threshold::manual", "a finite value", {value_});
  }

  double value_ = 0.0;
};

inline Manual manual(double value) { return Manual(value); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
