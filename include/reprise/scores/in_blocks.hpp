#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "../core/needs_exceptions.hpp"
#include "../core/sequences.hpp"
#include "../core/windows.hpp"
#include "aggregate.hpp"
#include "detail/point_folds.hpp"
#include "point_scores.hpp"
#include "scores.hpp"

// Scores of long series, block by block: the reconstruction of all windows at once has windows * length
// values, 66 million of them for 230,400 points and windows of 288. The functions here hold that of one block
// of windows and give the same bits as those of scores.hpp and point_scores.hpp on the whole.
//
// `reconstruct` is a model or baseline with a member `reconstruct(windows)`, or any callable: it is handed a
// block of the windows as `Windows` and returns its reconstruction (`Sequences`, `WindowArray`). A window's
// reconstruction must not depend on the block that it lies in.
namespace reprise {
inline namespace REPRISE_ABI {

/// What comes first where a point has errors in many windows.
enum class PointOrder {
  /// Each window's error, then over the windows that hold the point.
  window_first,
  /// The point's own error in each window, then over the windows.
  point_first
};

struct PointScoreOptions {
  PointOrder order = PointOrder::window_first;
  /// Over the windows that hold a point: mean, median, max or min. With `point_first` the median keeps the
  /// errors of the points that later windows hold too: length * length / stride numbers beside the block, the
  /// others one for each point.
  Aggregate over_windows = Aggregate::max;
  /// What makes a window's error of its values (`window_first`), or a point's of its features
  /// (`point_first`).
  ScoreOptions errors{};
  /// Windows in a block.
  Index block = 512;
};

namespace detail {

template <typename Reconstruct>
auto reconstruction_of(const Reconstruct& reconstruct, const Windows& block) {
  if constexpr (requires { reconstruct.reconstruct(block); }) {
    return reconstruct.reconstruct(block);
  } else {
    return reconstruct(block);
  }
}

}  // namespace detail

/// Calls visit(first window, block of windows, their reconstruction) for one block after the other.
template <typename Reconstruct, typename Visit>
void for_each_reconstructed_block(const Windows& windows, const Reconstruct& reconstruct, Index block,
                                  Visit visit) {
  detail::require_positive(block, "scores in blocks", "windows in a block");
  for (Index first = 0; first < windows.size(); first += block) {
    const Windows part = windows.subset(first, std::min(block, windows.size() - first));
    try {
      visit(first, part, detail::reconstruction_of(reconstruct, part));
    } catch (const NotFiniteError&) {
      throw;
    } catch (const FileError&) {
      throw;
    } catch (const Error& error) {
      // What is at fault counts from the start of its block.
      if (windows.size() <= block) throw;
      throw Error("windows " + std::to_string(first) + " to " + std::to_string(first + part.size() - 1) +
                  ": " + error.what());
    }
  }
}

/// `window_scores` in memory of one block.
template <typename Reconstruct>
[[nodiscard]] std::vector<double> window_scores_in_blocks(const Windows& windows,
                                                          const Reconstruct& reconstruct,
                                                          const ScoreOptions& options = {},
                                                          Index block = 512) {
  std::vector<double> scores;
  scores.reserve(static_cast<std::size_t>(windows.size()));
  for_each_reconstructed_block(windows, reconstruct, block,
                               [&](Index, const Windows& part, const auto& reconstruction) {
                                 const auto found = window_scores(part, reconstruction, options);
                                 scores.insert(scores.end(), found.begin(), found.end());
                               });
  return scores;
}

/// One score for each point of a series from the first window's start to the last one's end, in memory of the
/// series and one block: the same as `point_scores` of all windows' errors.
template <typename Reconstruct>
[[nodiscard]] std::vector<double> point_scores_in_blocks(const Windows& windows,
                                                         const Reconstruct& reconstruct,
                                                         const PointScoreOptions& options = {}) {
  const WindowGrid grid(windows);
  const Aggregate over = options.over_windows;
  if (over == Aggregate::sum || over == Aggregate::quantile) {
    detail::fail("point scores", "mean, median, max or min over the windows", "another aggregate");
  }
  if (options.order == PointOrder::window_first) {
    return point_scores(grid, window_scores_in_blocks(windows, reconstruct, options.errors, options.block),
                        over);
  }
  detail::PointFold fold(grid, over);
  for_each_reconstructed_block(
      windows, reconstruct, options.block, [&](Index first, const Windows& part, const auto& reconstruction) {
        const Matrix<double> errors = step_scores(part, reconstruction, options.errors);
        for (Index w = 0; w < errors.rows(); ++w) {
          for (Index t = 0; t < errors.cols(); ++t) fold.add(first + w, t, errors(w, t));
        }
      });
  return std::move(fold).scores();
}

}  // namespace REPRISE_ABI
}  // namespace reprise
