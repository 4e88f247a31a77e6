#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Sequences of different lengths as one array: each sample's valid steps come first, zeros behind them.
template <typename Scalar>
struct PaddedSequences {
  Sequences<Scalar> values{};
  /// Valid steps, one number a sample.
  std::vector<Index> lengths{};
};

namespace detail {

/// For the samples [0, count): length_of(b) steps, copy(b, t, place of the features at step t).
template <typename Scalar, typename LengthOf, typename Copy>
PaddedSequences<Scalar> pad(Index features, std::size_t count, Index steps, const LengthOf& length_of,
                            const Copy& copy) {
  PaddedSequences<Scalar> result;
  Index longest = 0;
  for (std::size_t b = 0; b < count; ++b) {
    result.lengths.push_back(length_of(b));
    longest = std::max(longest, result.lengths.back());
  }
  if (steps > 0 && longest > steps) fail("padded", {"sequences of at most ", steps, " steps"}, {longest});
  require_positive(longest, "padded", "steps of the longest sequence");
  result.values = Sequences<Scalar>(
      {.samples = static_cast<Index>(count), .steps = steps > 0 ? steps : longest, .features = features});
  result.values.values().setZero();
  for (std::size_t b = 0; b < count; ++b) {
    for (Index t = 0; t < result.lengths[b]; ++t) {
      copy(b, t, result.values.view().step_data(t) + static_cast<Index>(b) * features);
    }
  }
  return result;
}

}  // namespace detail

/// Sequences of one feature, each a vector of its own. `steps`: those of the array, which must not be fewer
/// than the longest has; 0: as many.
template <typename Scalar, typename T>
  requires std::is_arithmetic_v<T>
[[nodiscard]] PaddedSequences<Scalar> padded(const std::vector<std::vector<T>>& sequences, Index steps = 0) {
  return detail::pad<Scalar>(
      1, sequences.size(), steps, [&](std::size_t b) { return static_cast<Index>(sequences[b].size()); },
      [&](std::size_t b, Index t, Scalar* to) {
        *to = static_cast<Scalar>(sequences[b][static_cast<std::size_t>(t)]);
      });
}

/// The same from Eigen matrices with a row for each step and a column for each feature.
template <typename Scalar, typename Derived>
  requires std::is_base_of_v<Eigen::PlainObjectBase<Derived>, Derived>
[[nodiscard]] PaddedSequences<Scalar> padded(const std::vector<Derived>& sequences, Index steps = 0) {
  const Index features = sequences.empty() ? 0 : sequences.front().cols();
  for (const Derived& sequence : sequences) {
    if (sequence.cols() == features) continue;
    detail::fail("padded", {features, " features in each sequence"}, {sequence.cols()});
  }
  return detail::pad<Scalar>(
      features, sequences.size(), steps, [&](std::size_t b) { return sequences[b].rows(); },
      [&](std::size_t b, Index t, Scalar* to) {
        for (Index f = 0; f < features; ++f) to[f] = static_cast<Scalar>(sequences[b](t, f));
      });
}

}  // namespace REPRISE_ABI
}  // namespace reprise
