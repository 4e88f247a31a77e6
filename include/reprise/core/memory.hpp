#pragma once

#include "sequences.hpp"

namespace reprise::inline REPRISE_ABI::detail {

/// The next multiple of 16 scalars: whatever starts there is aligned for every packet when its buffer is.
inline Index whole_packets(Index count) { return (count + 15) / 16 * 16; }

/// Hands out pieces of one buffer, each aligned to 16 scalars relative to its start. With a null buffer it
/// only counts, so that a layout is written once: `used()` then tells how large the buffer must be.
template <typename Scalar>
class Carver {
 public:
  explicit Carver(Scalar* buffer) : buffer_(buffer) {}

  Scalar* take(Index count) {
    Scalar* piece = buffer_ == nullptr ? nullptr : buffer_ + used_;
    used_ += whole_packets(count);
    return piece;
  }
  SequenceView<Scalar> take(Index features, Index batch, Index steps) {
    return {take(features * batch * steps), features, batch, steps};
  }
  Index used() const { return used_; }

 private:
  Scalar* buffer_;
  Index used_ = 0;
};

template <typename Scalar>
using MatrixMap = Eigen::Map<Matrix<Scalar>, Eigen::Unaligned, Eigen::OuterStride<>>;
template <typename Scalar>
using ConstMatrixMap = Eigen::Map<const Matrix<Scalar>, Eigen::Unaligned, Eigen::OuterStride<>>;

}  // namespace reprise::inline REPRISE_ABI::detail
