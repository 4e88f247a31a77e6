#pragma once

#include "../core/sequences.hpp"
#include "../core/windows.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Where windows lie, for those who have no `Windows`: window i starts at point i * stride.
struct WindowGrid {
  Index windows = 0;
  Index length = 1;
  Index stride = 1;
  /// From the start of the first window to the end of the last. 0: (windows - 1) * stride + length. Less than
  /// that: the last window is a tail window and ends at the last of these points.
  Index points = 0;

  WindowGrid() = default;
  WindowGrid(Index windows_, Index length_, Index stride_ = 1, Index points_ = 0)
      : windows(windows_), length(length_), stride(stride_), points(points_) {
    detail::require_positive(windows, "point scores", "number of windows");
    detail::require_positive(length, "point scores", "length");
    detail::require_positive(stride, "point scores", "stride");
    if (stride > length) {
      detail::fail("point scores", {"windows that leave no point out: stride <= length ", length},
                   {"stride ", stride});
    }
    const Index most = (windows - 1) * stride + length;
    if (points == 0) points = most;
    const Index least = windows == 1 ? most : most - stride + 1;
    if (points < least || points > most) {
      detail::fail("point scores", {least, " to ", most, " points under the windows"}, {points});
    }
  }
  /// Implicit: point k is time step windows.start(0) + k of the series.
  WindowGrid(const Windows& source)
      : WindowGrid(source.size(), source.length(), source.stride(),
                   source.start(source.size() - 1) + source.length() - source.start(0)) {}
};

}  // namespace REPRISE_ABI
}  // namespace reprise
