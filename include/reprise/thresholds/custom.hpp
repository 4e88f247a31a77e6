#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>

#include "../core/error.hpp"
#include "../scores/detail/require_scores.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace threshold {

/// Any copyable callable from calibration scores to a threshold. The one rule that cannot be written to a
/// file.
class Custom {
 public:
  static constexpr const char* kind = "custom";
  static constexpr const char* name = kind;
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

inline Custom custom(Custom::Function function, std::string description = "custom") {
  return Custom(std::move(function), std::move(description));
}

}  // namespace threshold
}  // namespace REPRISE_ABI
}  // namespace reprise
