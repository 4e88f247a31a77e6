#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "../../core/finite.hpp"
#include "../../core/sequences.hpp"
#include "../../core/windows.hpp"
#include "../window_array.hpp"

// Windows of any origin, read block by block as doubles: what every error and score is made from.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

inline Index window_count(const Windows& windows) { return windows.size(); }
template <typename Scalar>
Index window_count(const Sequences<Scalar>& sequences) {
  return sequences.batch();
}
template <typename Scalar>
Index window_count(const WindowArray<Scalar>& array) {
  return array.size();
}

/// In points, not in patches.
inline SequenceShape point_shape(const Windows& windows) {
  return {.steps = windows.length(), .features = windows.features()};
}
template <typename Source>
SequenceShape point_shape(const Source& source) {
  return source.shape();
}

/// Copies windows [first, first + to.batch) as doubles, point by point.
inline void read_windows(const Windows& windows, Index first, SequenceView<double> to) {
  std::vector<Index> numbers(static_cast<std::size_t>(to.batch));
  for (Index i = 0; i < to.batch; ++i) numbers[static_cast<std::size_t>(i)] = first + i;
  windows.points().gather(std::span<const Index>(numbers), to);
}
template <typename Scalar>
void read_windows(const Sequences<Scalar>& sequences, Index first, SequenceView<double> to) {
  for (Index t = 0; t < to.steps; ++t) {
    const Scalar* from = sequences.view().data + (t * sequences.batch() + first) * to.features;
    std::transform(from, from + to.step_size(), to.step_data(t),
                   [](Scalar v) { return static_cast<double>(v); });
  }
}
template <typename Scalar>
void read_windows(const WindowArray<Scalar>& array, Index first, SequenceView<double> to) {
  for (Index t = 0; t < to.steps; ++t) {
    auto step = to.step(t);
    for (Index w = 0; w < to.batch; ++w) {
      for (Index f = 0; f < to.features; ++f) step(f, w) = static_cast<double>(array(first + w, t, f));
    }
  }
}

template <typename T>
concept WindowSource = requires(const T& source, SequenceView<double> to) {
  window_count(source);
  source.shape();
  read_windows(source, Index{}, to);
};

/// The steps of a reconstruction are patches where those of its input are.
template <typename Input, typename Reconstruction>
bool is_patched(const Input& input, const Reconstruction& reconstruction) {
  return input.shape() != point_shape(input) && reconstruction.shape() == input.shape() &&
         reconstruction.shape() == point_shape(reconstruction);
}

template <WindowSource Input, WindowSource Reconstruction>
void require_reconstruction(const char* what, const Input& input, const Reconstruction& reconstruction) {
  const Index count = window_count(input);
  if (count == window_count(reconstruction) &&
      (point_shape(input) == point_shape(reconstruction) || is_patched(input, reconstruction))) {
    return;
  }
  fail(what, {"a reconstruction of ", count, " windows of ", to_string(input.shape())},
       {window_count(reconstruction), " windows of ", to_string(reconstruction.shape())});
}

/// Copies the reconstruction of windows [first, first + to.batch) as doubles, point by point.
template <WindowSource Input, WindowSource Reconstruction>
void read_reconstruction(const Input& input, const Reconstruction& reconstruction, Index first,
                         SequenceView<double> to) {
  if (!is_patched(input, reconstruction)) return read_windows(reconstruction, first, to);
  Sequences<double> patches(input.shape().batch(to.batch));
  read_windows(reconstruction, first, patches.view());
  unpatch<double>(patches.view(), to);
}

inline void require_finite(const SequenceView<double>& block, Index first_window, const char* what) {
  if (std::all_of(block.data, block.data + block.size(), [](double v) { return is_finite(v); })) return;
  // Window by window, so that the place named is the first and does not depend on the size of a block.
  for (Index w = 0; w < block.batch; ++w) {
    for (Index t = 0; t < block.steps; ++t) {
      for (Index f = 0; f < block.features; ++f) {
        const double value = block.step(t)(f, w);
        if (!is_finite(value)) {
          fail("errors", {"finite values in the ", what},
               {value, " at window ", first_window + w, ", step ", t, ", feature ", f});
        }
      }
    }
  }
}

/// Calls visit(first window, x, y) for one block of windows after the other.
template <WindowSource Input, WindowSource Reconstruction, typename Visit>
void for_each_block(const Input& input, const Reconstruction& reconstruction, Visit visit) {
  require_reconstruction("errors", input, reconstruction);
  const SequenceShape shape = point_shape(input);
  const Index count = window_count(input);
  const Index block = std::min<Index>(count, 64);
  Sequences<double> expected(shape.batch(block));
  Sequences<double> actual(shape.batch(block));
  for (Index first = 0; first < count; first += block) {
    const Index windows = std::min(block, count - first);
    const SequenceView<double> x(expected.view().data, shape.batch(windows));
    const SequenceView<double> y(actual.view().data, shape.batch(windows));
    read_windows(input, first, x);
    read_reconstruction(input, reconstruction, first, y);
    require_finite(x, first, "input");
    require_finite(y, first, "reconstruction");
    visit(first, x, y);
  }
}

/// Calls visit(window, step, feature, input - reconstruction) for each value, every window's steps in order.
template <WindowSource Input, WindowSource Reconstruction, typename Visit>
void for_each_error(const Input& input, const Reconstruction& reconstruction, Visit visit) {
  for_each_block(input, reconstruction,
                 [&](Index first, const SequenceView<double>& x, const SequenceView<double>& y) {
                   for (Index t = 0; t < x.steps; ++t) {
                     const auto x_t = x.step(t);
                     const auto y_t = y.step(t);
                     for (Index w = 0; w < x.batch; ++w) {
                       for (Index f = 0; f < x.features; ++f) visit(first + w, t, f, x_t(f, w) - y_t(f, w));
                     }
                   }
                 });
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
