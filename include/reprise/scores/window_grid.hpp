#pragma once

#include "../core/sequences.hpp"
#include "../core/windows.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What a `WindowGrid` is made from, given by name: `{.windows = 30, .length = 4}`.
struct WindowGridOptions {
  [[no_unique_address]] detail::ByName by_name = detail::ByName();
  /// Number of windows. Must be given.
  Index windows = 0;
  /// Points in each window. Must be given.
  Index length = 0;
  /// Points from the start of a window to the start of the next.
  Index stride = 1;
  /// From the start of the first window to the end of the last. 0: (windows - 1) * stride + length. Less than
  /// that: the last window is a tail window and ends at the last of these points.
  Index points = 0;
};

/// Where windows lie, for those who have no `Windows`: window i starts at point i * stride.
struct WindowGrid {
  Index windows = 0;
  Index length = 1;
  Index stride = 1;
  /// As in the options, and never 0 there.
  Index points = 0;

  WindowGrid() = default;
  WindowGrid(const WindowGridOptions& options)
      : windows(options.windows), length(options.length), stride(options.stride), points(options.points) {
    detail::require_positive(windows, "point scores", "number of windows");
    detail::require_positive(length, "point scores", "length");
    detail::require_positive(stride, "point scores", "stride");
    if (stride > length) {
      detail::fail("point scores", {"windows that leave no point out: stride <= length ", length},
                   {"stride ", stride});
    }
    Index most = 0;
    if (__builtin_mul_overflow(windows - 1, stride, &most) || __builtin_add_overflow(most, length, &most)) {
      detail::fail("point scores", "windows whose points an index can count",
                   {windows, " windows with stride ", stride});
    }
    if (points == 0) points = most;
    const Index least = windows == 1 ? most : most - stride + 1;
    if (points < least || points > most) {
      detail::fail("point scores", {least, " to ", most, " points under the windows"}, {points});
    }
  }
  /// Implicit: point k is time step windows.start(0) + k of the series.
  WindowGrid(const Windows& source)
      : WindowGrid({.windows = source.size(),
                    .length = source.length(),
                    .stride = source.stride(),
                    .points = source.start(source.size() - 1) + source.length() - source.start(0)}) {}
};

}  // namespace REPRISE_ABI
}  // namespace reprise
