#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "detail/eigen.hpp"
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

/// The first member of a struct of sizes, so that these can only be given by name: in `{3, 2}` the 3 would
/// have to become a `ByName`, which nothing can.
struct ByName {
  explicit constexpr ByName() = default;
  friend bool operator==(const ByName&, const ByName&) = default;
};

/// Gives a matrix another size, which loses its values; where there is no memory for it, all stays as it was.
/// (Eigen's own resize lets go of the old memory first, and leaves the matrix pointing to it.)
template <typename Scalar, int Rows, int Cols, int Order>
void set_size(Eigen::Matrix<Scalar, Rows, Cols, Order>& matrix, Eigen::Index rows, Eigen::Index cols) {
  Eigen::Index size = 0;
  if (!__builtin_mul_overflow(rows, cols, &size) && size == matrix.size()) return matrix.resize(rows, cols);
  Eigen::Matrix<Scalar, Rows, Cols, Order> other(rows, cols);
  matrix.swap(other);
}
/// to = from; where there is no memory for it, all stays as it was.
template <typename Matrix>
void copy_to(Matrix& to, const Matrix& from) {
  set_size(to, from.rows(), from.cols());
  to = from;
}

}  // namespace detail

/// The sizes of a batch, always in this order and given by name: `{.samples = 32, .steps = 24, .features =
/// 1}`.
struct BatchShape {
  [[no_unique_address]] detail::ByName by_name = detail::ByName();
  Index samples = 0;
  Index steps = 0;
  Index features = 0;
  friend bool operator==(const BatchShape&, const BatchShape&) = default;
};

/// What one sample of a batch looks like: `features` values at each of `steps` points in time. Its sizes are
/// given by name, `{.steps = 24, .features = 1}`.
struct SequenceShape {
  [[no_unique_address]] detail::ByName by_name = detail::ByName();
  Index steps = 0;
  Index features = 0;

  /// So many samples of this shape.
  BatchShape batch(Index samples) const { return {.samples = samples, .steps = steps, .features = features}; }
  friend bool operator==(const SequenceShape&, const SequenceShape&) = default;
};

[[gnu::noinline]] inline std::string to_string(const SequenceShape& shape) {
  return detail::Text{shape.steps, " steps x ", shape.features, " features"}.string();
}

namespace detail {

/// Refuses negative sizes, and more values than an index can count.
[[gnu::noinline]] inline void require_countable(const BatchShape& sizes) {
  Index columns = 0, values = 0;
  if (sizes.samples >= 0 && sizes.steps >= 0 && sizes.features >= 0 &&
      !__builtin_mul_overflow(sizes.samples, sizes.steps, &columns) &&
      !__builtin_mul_overflow(columns, sizes.features, &values)) {
    return;
  }
  fail("sequences", "sizes >= 0 whose product an index can hold",
       {sizes.samples, " samples x ", sizes.steps, " steps x ", sizes.features, " features"});
}

}  // namespace detail

/// A batch of sequences that somebody else owns, time-major: a features x (batch * steps) column-major matrix
/// with the step slowest, so that one step of the whole batch is one contiguous block. `Scalar` is const for
/// reading.
template <typename Scalar>
struct SequenceView {
  using Value = std::remove_const_t<Scalar>;
  using Plain = std::conditional_t<std::is_const_v<Scalar>, const Matrix<Value>, Matrix<Value>>;
  using Block = Eigen::Map<Plain>;

  Scalar* data = nullptr;
  Index batch = 0;
  Index steps = 0;
  Index features = 0;
  /// Whether all steps are the same, and only one is in memory. Layers that take such an input say so.
  bool repeated = false;

  SequenceView() = default;
  SequenceView(Scalar* values, const BatchShape& sizes, bool repeated_ = false)
      : data(values),
        batch(sizes.samples),
        steps(sizes.steps),
        features(sizes.features),
        repeated(repeated_) {}
  /// A view for writing is also one for reading.
  template <typename Writable>
    requires(std::is_const_v<Scalar> && std::is_same_v<Writable, Value>)
  SequenceView(const SequenceView<Writable>& other)
      : data(other.data),
        batch(other.batch),
        steps(other.steps),
        features(other.features),
        repeated(other.repeated) {}

  SequenceShape shape() const { return {.steps = steps, .features = features}; }
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
  /// All values are zero.
  explicit Sequences(const BatchShape& sizes) { resize(sizes); }
  Sequences(const Sequences&) = default;
  /// Where there is no memory for the values, all stays as it was.
  Sequences& operator=(const Sequences& other) {
    detail::copy_to(values_, other.values_);
    batch_ = other.batch_;
    steps_ = other.steps_;
    return *this;
  }
  /// What was moved from is empty.
  Sequences(Sequences&& other) noexcept { swap(other); }
  Sequences& operator=(Sequences&& other) noexcept {
    Sequences taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Sequences() = default;

  /// Keeps the values when the sizes stay the same; else all values are zero. Keeps its memory when the
  /// number of values stays the same. Where there is no memory for another number, all stays as it was.
  /// Throws `Error` on negative sizes, and on more values than an index can count.
  void resize(const BatchShape& sizes) {
    detail::require_countable(sizes);
    if (sizes == this->sizes() && is_whole()) return;
    detail::set_size(values_, sizes.features, sizes.samples * sizes.steps);
    values_.setZero();
    batch_ = sizes.samples;
    steps_ = sizes.steps;
  }

  Index batch() const { return batch_; }
  Index steps() const { return steps_; }
  Index features() const { return values_.rows(); }
  SequenceShape shape() const { return {.steps = steps_, .features = features()}; }
  BatchShape sizes() const { return {.samples = batch_, .steps = steps_, .features = features()}; }

  /// Each index is asserted where Eigen's are, that is unless NDEBUG is defined.
  Scalar& operator()(Index sample, Index step, Index feature) {
    return values_(feature, column(sample, step));
  }
  Scalar operator()(Index sample, Index step, Index feature) const {
    return values_(feature, column(sample, step));
  }

  /// features x (batch * steps), step slowest. Whoever writes them must not change their number: there is no
  /// view of sequences with another, and `resize` gives them their own again.
  Matrix<Scalar>& values() & { return values_; }
  const Matrix<Scalar>& values() const& { return values_; }
  Matrix<Scalar> values() && {
    Sequences taken(std::move(*this));
    return std::move(taken.values_);
  }

  /// Valid as long as the sequences live and keep their sizes; there is none of a temporary. Throws `Error`
  /// when `values()` was given another number of columns.
  SequenceView<Scalar> view() & {
    require_whole();
    return {values_.data(), sizes()};
  }
  SequenceView<const Scalar> view() const& {
    require_whole();
    return {values_.data(), sizes()};
  }
  void view() const&& = delete;

 private:
  void swap(Sequences& other) noexcept {
    values_.swap(other.values_);
    std::swap(batch_, other.batch_);
    std::swap(steps_, other.steps_);
  }
  /// Whether the values are as many as the sizes say.
  bool is_whole() const { return values_.cols() == batch_ * steps_; }
  void require_whole() const {
    if (is_whole()) return;
    detail::fail("sequences: values", {batch_ * steps_, " columns, one for each sample and step"},
                 {values_.cols()});
  }
  Index column(Index sample, Index step) const {
    eigen_assert(sample >= 0 && sample < batch_ && step >= 0 && step < steps_);
    return step * batch_ + sample;
  }

  Matrix<Scalar> values_;
  Index batch_ = 0;
  Index steps_ = 0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
