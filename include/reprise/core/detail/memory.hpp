#pragma once

#include <memory>

#include "../sequences.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

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
  SequenceView<Scalar> take(const BatchShape& sizes) {
    return {take(sizes.samples * sizes.steps * sizes.features), sizes};
  }
  Index used() const { return used_; }

 private:
  Scalar* buffer_;
  Index used_ = 0;
};

/// Makes `memory` at least so large; what was in it is lost. Where the system has no more, all stays as it
/// was. Where it holds some, asks for pages of 2 MB: a pass over a large layer goes through thousands of
/// pages of 4 kB, and looking them up takes a twentieth of its time.
template <typename Scalar>
void grow(Vector<Scalar>& memory, Index size) {
  if (memory.size() >= size) return;
  set_size(memory, size, 1);
#if defined(MADV_HUGEPAGE)
  constexpr std::size_t page = std::size_t{2} * 1024 * 1024;
  void* first = memory.data();
  std::size_t room = static_cast<std::size_t>(size) * sizeof(Scalar);
  // Advice only: where the system does not take it, nothing changes.
  if (std::align(page, page, first, room) != nullptr) madvise(first, room / page * page, MADV_HUGEPAGE);
#endif
}

template <typename Scalar>
using MatrixMap = Eigen::Map<Matrix<Scalar>, Eigen::Unaligned, Eigen::OuterStride<>>;
template <typename Scalar>
using ConstMatrixMap = Eigen::Map<const Matrix<Scalar>, Eigen::Unaligned, Eigen::OuterStride<>>;

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
