#pragma once

#include <cmath>
#include <span>
#include <string>

#include "../core/error.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// A fixed number; needs no calibration.
class Manual {
 public:
  static constexpr const char* name = "manual";
  static constexpr bool needs_calibration = false;
  explicit Manual(double value) : value_(value) {
    if (!std::isfinite(value)) detail::fail("threshold::manual", "a finite value", {value});
  }
  double fit(std::span<const double>) const { return value_; }
  std::string description() const { return "manual"; }
  double value() const { return value_; }

 private:
  double value_;
};

inline Manual manual(double value) { return Manual(value); }

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
