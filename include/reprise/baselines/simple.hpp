#pragma once

#include <algorithm>
#include "../core/sequences.hpp"
#include "../core/windows.hpp"
#include "flat_windows.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Every window is reconstructed as the mean training window: its error is that of knowing nothing but where
/// in a window a value lies.
class MeanWindowBaseline {
 public:
  static constexpr const char* name = "mean window";

  void fit(const Windows& windows) {
    mean_ = detail::mean_window(windows, detail::flat_block);
    shape_ = {.steps = windows.length(), .features = windows.features()};
  }
  /// windows x length x features. Throws before `fit` and where the windows have another shape.
  [[nodiscard]] Sequences<double> reconstruct(const Windows& windows) const {
    detail::require_fitted_to(is_fitted(), shape_, windows, "mean window baseline: reconstruct");
    Sequences<double> result(shape_.batch(windows.size()));
    detail::write_flat(mean_.replicate(1, windows.size()), 0, result);
    return result;
  }
  bool is_fitted() const { return mean_.size() > 0; }

 private:
  SequenceShape shape_;
  Vector<double> mean_;
};

/// Each value is predicted as the one before it in the series: also the first of a window, so that a point
/// has the same error in every window. The first of the series is predicted as itself. Nothing is learnt.
class PersistenceBaseline {
 public:
  static constexpr const char* name = "persistence";

  void fit(const Windows& windows) { static_cast<void>(windows); }
  /// windows x length x features.
  [[nodiscard]] Sequences<double> reconstruct(const Windows& windows) const {
    Sequences<double> result(
        {.samples = windows.size(), .steps = windows.length(), .features = windows.features()});
    for (Index w = 0; w < windows.size(); ++w) {
      for (Index t = 0; t < windows.length(); ++t) {
        const Index before = std::max<Index>(windows.start(w) + t - 1, 0);
        for (Index f = 0; f < windows.features(); ++f) result(w, t, f) = windows.series_value(before, f);
      }
    }
    return result;
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
