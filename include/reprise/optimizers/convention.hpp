#pragma once

#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "../core/error.hpp"
#include "../core/finite.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Whose meaning an optimizer follows where two well-known libraries differ. It stands first in each
/// optimizer's options, since the defaults of those after it follow from it: `Adam{.convention =
/// Convention::pytorch}` is PyTorch's Adam with PyTorch's defaults. (Changing it later in an existing value
/// changes no other option.)
enum class Convention { keras, pytorch };
constexpr std::array<std::string_view, 2> enumerator_names(Convention) { return {"keras", "pytorch"}; }

namespace detail {

// Each names the option in what it expected, the optimizer in its place.
inline void require_option(bool holds, double value, const Text& place, const Text& expected) {
  if (!holds) fail(place, expected, {value});
}
inline void require_positive_option(double value, const Text& place, const char* what) {
  require_option(is_finite(value) && value > 0.0, value, place, {what, " > 0"});
}
inline void require_not_negative(double value, const Text& place, const char* what) {
  require_option(is_finite(value) && value >= 0.0, value, place, {what, " >= 0"});
}
inline void require_decay(double value, const Text& place, const char* what) {
  require_option(is_finite(value) && value >= 0.0 && value < 1.0, value, place, {what, " in [0, 1)"});
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
