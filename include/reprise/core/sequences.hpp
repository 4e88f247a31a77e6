#pragma once

#include <Eigen/Core>
#include <string>
#include <type_traits>

#include "error.hpp"
#include "version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

using Index = Eigen::Index;

/// Columns one behind the other, whatever order a program has made Eigen's default
/// (EIGEN_DEFAULT_TO_ROW_MAJOR): the layouts that this library documents depend on it.
template <typename Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
template <typename Scalar>
using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1, Eigen::ColMajor>;

namespace detail {

/// The same for sizes that the compiler knows, or Eigen::Dynamic. Eigen stores a single row in one order
/// only, which it calls row-major.
template <typename Scalar, int Rows, int Cols>
using SizedMatrix =
    Eigen::Matrix<Scalar, Rows, Cols, Rows == 1 && Cols != 1 ? Eigen::RowMajor : Eigen::ColMajor>;

}  // namespace detail

/// What one sample of a batch looks like: `features` values at each of `steps` points in time.
struct SequenceShape {
  Index features = 0;
  Index steps = 0;
  friend bool operator==(const SequenceShape&, const SequenceShape&) = default;
};

[[gnu::noinline]] inline std::string to_string(const SequenceShape& shape) {
  return detail::Text{shape.steps, " steps x ", shape.features, " features"}.string();
}

/// A batch of sequences that somebody else owns, time-major: a features x (batch * steps) column-major matrix
/// with the step slowest, so that one step of the whole batch is one contiguous block. `Scalar` is const for
/// reading.
template <typename Scalar>
struct SequenceView {
  using Value = std::remove_const_t<Scalar>;
  using Plain = std::conditional_t<std::is_const_v<Scalar>, const Matrix<Value>, Matrix<Value>>;
  using Block = Eigen::Map<Plain>;

  Scalar* data = nullptr;
  Index features = 0;
  Index batch = 0;
  Index steps = 0;
  /// Whether all steps are the same, and only one is in memory. Layers that take such an input say so.
  bool repeated = false;

  SequenceView() = default;
  SequenceView(Scalar* values, Index features_, Index batch_, Index steps_, bool repeated_ = false)
      : data(values), features(features_), batch(batch_), steps(steps_), repeated(repeated_) {}
  /// A view for writing is also one for reading.
  template <typename Writable>
    requires(std::is_const_v<Scalar> && std::is_same_v<Writable, Value>)
  SequenceView(const SequenceView<Writable>& other)
      : data(other.data),
        features(other.features),
        batch(other.batch),
        steps(other.steps),
        repeated(other.repeated) {}

  SequenceShape shape() const { return {features, steps}; }
  Index stored_steps() const { return repeated ? 1 : steps; }
  Index size() const { return features * batch * steps; }
  /// Values of one step of the whole batch, and where those of step t begin.
  Index step_size() const { return features * batch; }
  Scalar* step_data(Index t) const { return data + t * step_size(); }
  /// features x batch, the batch at step t.
  Block step(Index t) const { return Block(step_data(t), features, batch); }
  /// features x (batch * steps), everything.
  Block matrix() const { return Block(data, features, batch * steps); }
};

/// A batch of sequences that owns its values; the layout of `SequenceView`.
template <typename Scalar>
class Sequences {
 public:
  Sequences() = default;
  Sequences(Index features, Index batch, Index steps) { resize(features, batch, steps); }

  /// Keeps its memory when the number of values stays the same.
  void resize(Index features, Index batch, Index steps) {
    values_.resize(features, batch * steps);
    batch_ = batch;
    steps_ = steps;
  }

  Index features() const { return values_.rows(); }
  Index batch() const { return batch_; }
  Index steps() const { return steps_; }
  SequenceShape shape() const { return {features(), steps_}; }

  Scalar& operator()(Index sample, Index step, Index feature) {
    return values_(feature, step * batch_ + sample);
  }
  Scalar operator()(Index sample, Index step, Index feature) const {
    return values_(feature, step * batch_ + sample);
  }

  /// features x (batch * steps), step slowest.
  Matrix<Scalar>& values() { return values_; }
  const Matrix<Scalar>& values() const { return values_; }

  SequenceView<Scalar> view() { return {values_.data(), features(), batch_, steps_}; }
  SequenceView<const Scalar> view() const { return {values_.data(), features(), batch_, steps_}; }

 private:
  Matrix<Scalar> values_;
  Index batch_ = 0;
  Index steps_ = 0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
