#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "../core/sequences.hpp"
#include "../core/windows.hpp"

// Windows as columns: what a baseline sees.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Values of one window: length * features.
inline Index flat_size(const Windows& windows) { return windows.length() * windows.features(); }

/// Windows [first, first + to.cols()), one a column, its points in order and the features of a point side by
/// side. `to` has flat_size rows.
template <typename Scalar>
void read_flat(const Windows& windows, Index first, Eigen::Ref<Matrix<Scalar>> to) {
  const SequenceShape shape = windows.shape();
  Sequences<Scalar> block(shape.batch(to.cols()));
  std::vector<Index> numbers(static_cast<std::size_t>(to.cols()));
  std::iota(numbers.begin(), numbers.end(), first);
  windows.gather(std::span<const Index>(numbers), block.view());
  for (Index t = 0; t < shape.steps; ++t) {
    const Index row = t * shape.features;
    const Index rows = std::min(shape.features, to.rows() - row);  // a last step may end in padding
    to.middleRows(row, rows) = block.view().step(t).topRows(rows);
  }
}

/// Calls visit(first window, flat_size x windows) for one block after the other; what it is handed it may
/// change.
template <typename Scalar, typename Visit>
void for_each_flat_block(const Windows& windows, Index block, Visit visit) {
  Matrix<Scalar> values(flat_size(windows), std::min(block, windows.size()));
  for (Index first = 0; first < windows.size(); first += block) {
    auto part = values.leftCols(std::min(block, windows.size() - first));
    read_flat<Scalar>(windows, first, part);
    visit(first, part);
  }
}

/// Puts columns into windows [first, first + columns) of sequences that have a step for each point.
template <typename Derived, typename Scalar>
void write_flat(const Eigen::MatrixBase<Derived>& columns, Index first, Sequences<Scalar>& to) {
  const Index features = to.features();
  for (Index t = 0; t < to.steps(); ++t) {
    to.values().middleCols(t * to.batch() + first, columns.cols()) =
        columns.middleRows(t * features, features);
  }
}

/// The mean window. Its rounding does not grow with the number of windows as a plain sum's would.
inline Vector<double> mean_window(const Windows& windows, Index block) {
  Vector<double> mean = Vector<double>::Zero(flat_size(windows));
  for_each_flat_block<double>(windows, block, [&](Index first, const auto& part) {
    const double share = static_cast<double>(part.cols()) / static_cast<double>(first + part.cols());
    const Vector<double> here = part.rowwise().mean();
    mean += share * (here - mean);
  });
  return mean;
}

/// That a baseline was fitted, and to windows like these.
inline void require_fitted_to(bool is_fitted, const SequenceShape& fitted, const Windows& windows,
                              const std::string& place) {
  if (!is_fitted) fail(place, "fit() before it", "a baseline that was not fitted");
  const SequenceShape shape{.steps = windows.length(), .features = windows.features()};
  if (shape != fitted) fail(place, {"windows of ", to_string(fitted)}, to_string(shape));
}

/// Windows that a baseline reads at once.
inline constexpr Index flat_block = 256;

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
