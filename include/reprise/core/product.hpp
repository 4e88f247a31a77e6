#pragma once

#include <Eigen/Core>
#include <algorithm>

#include "memory.hpp"

// The one place that touches Eigen::internal. Eigen's `A * B` allocates its packing buffers and chooses its
// blocking from the caches it finds; here the caller owns the buffers and the blocking is fixed, so that
// nothing is allocated and the same shapes give the same bits. A left factor that is used many times (the
// recurrent weights, once a step) is packed once. With REPRISE_PLAIN_KERNELS the same functions are written
// in plain Eigen, for tests to compare.
namespace reprise::inline REPRISE_ABI::detail {

/// A column-major matrix factor, read as it stands or transposed.
template <typename Scalar>
struct Factor {
  const Scalar* data;
  Index rows;  // of the factor as it enters the product
  Index cols;
  Index stride;  // between stored columns
  bool transposed = false;

  /// Rows [first, first + count) of the factor.
  Factor rows_from(Index first, Index count) const {
    return {data + (transposed ? first * stride : first), count, cols, stride, transposed};
  }
};

template <typename Scalar>
Factor<Scalar> as_is(const Scalar* data, Index rows, Index cols) {
  return {data, rows, cols, rows, false};
}
/// The transpose of a stored rows x cols matrix.
template <typename Scalar>
Factor<Scalar> transposed(const Scalar* data, Index rows, Index cols) {
  return {data, cols, rows, rows, true};
}

#ifndef REPRISE_PLAIN_KERNELS

/// Blocks of 192 x 256 stay in a second-level cache of 256 kB and more, a panel of 48 x 256 near the core.
inline constexpr Index block_rows = 192;
inline constexpr Index block_depth = 256;
inline constexpr Index block_cols = 512;

template <typename Scalar>
struct Kernel {
  using Traits = Eigen::internal::gebp_traits<Scalar, Scalar>;
  using Result = Eigen::internal::blas_data_mapper<Scalar, Index, Eigen::ColMajor, Eigen::Unaligned, 1>;
  template <int Order>
  using Source = Eigen::internal::const_blas_data_mapper<Scalar, Index, Order>;

  template <int Order>
  static void pack_lhs(Scalar* to, const Factor<Scalar>& from, Index row, Index k, Index rows, Index depth) {
    Eigen::internal::gemm_pack_lhs<Scalar, Index, Source<Order>, Traits::mr, Traits::LhsProgress,
                                   typename Traits::LhsPacket4Packing, Order>
        pack;
    pack(to, Source<Order>(from.data, from.stride).getSubMapper(row, k), depth, rows);
  }
  static void pack_lhs(Scalar* to, const Factor<Scalar>& from, Index row, Index k, Index rows, Index depth) {
    if (from.transposed) {
      pack_lhs<Eigen::RowMajor>(to, from, row, k, rows, depth);
    } else {
      pack_lhs<Eigen::ColMajor>(to, from, row, k, rows, depth);
    }
  }
  template <int Order>
  static void pack_rhs(Scalar* to, const Factor<Scalar>& from, Index k, Index col, Index depth, Index cols) {
    Eigen::internal::gemm_pack_rhs<Scalar, Index, Source<Order>, Traits::nr, Order> pack;
    pack(to, Source<Order>(from.data, from.stride).getSubMapper(k, col), depth, cols);
  }
  static void pack_rhs(Scalar* to, const Factor<Scalar>& from, Index k, Index col, Index depth, Index cols) {
    if (from.transposed) {
      pack_rhs<Eigen::RowMajor>(to, from, k, col, depth, cols);
    } else {
      pack_rhs<Eigen::ColMajor>(to, from, k, col, depth, cols);
    }
  }
  static void multiply_add(Scalar* result, Index stride, const Scalar* lhs, const Scalar* rhs, Index rows,
                           Index depth, Index cols) {
    Eigen::internal::gebp_kernel<Scalar, Scalar, Index, Result, Traits::mr, Traits::nr, false, false> gebp;
    gebp(Result(result, stride), lhs, rhs, rows, depth, cols, Scalar(1));
  }
};

/// Scalars of scratch that `multiply_add` and `multiply_add_packed` need, whatever the sizes.
template <typename Scalar>
constexpr Index product_scratch() {
  return block_rows * block_depth + block_depth * block_cols;
}

template <typename Scalar>
Index packed_size(Index rows, Index cols) {
  return rows * cols;
}

/// Packs a factor that will stand at the left, block by block in the order in which `multiply_add_packed`
/// reads it.
template <typename Scalar>
void pack(const Factor<Scalar>& lhs, Scalar* packed) {
  for (Index k = 0; k < lhs.cols; k += block_depth) {
    const Index depth = std::min(block_depth, lhs.cols - k);
    for (Index row = 0; row < lhs.rows; row += block_rows) {
      const Index rows = std::min(block_rows, lhs.rows - row);
      Kernel<Scalar>::pack_lhs(packed, lhs, row, k, rows, depth);
      packed += rows * depth;
    }
  }
}

/// result (lhs rows x rhs cols, column-major) += lhs * rhs, with lhs packed by `pack`.
template <typename Scalar>
void multiply_add_packed(Scalar* result, Index stride, const Scalar* packed, Index lhs_rows,
                         const Factor<Scalar>& rhs, Scalar* scratch) {
  for (Index k = 0; k < rhs.rows; k += block_depth) {
    const Index depth = std::min(block_depth, rhs.rows - k);
    for (Index col = 0; col < rhs.cols; col += block_cols) {
      const Index cols = std::min(block_cols, rhs.cols - col);
      Kernel<Scalar>::pack_rhs(scratch, rhs, k, col, depth, cols);
      const Scalar* block = packed;
      for (Index row = 0; row < lhs_rows; row += block_rows) {
        const Index rows = std::min(block_rows, lhs_rows - row);
        Kernel<Scalar>::multiply_add(result + row + col * stride, stride, block, scratch, rows, depth, cols);
        block += rows * depth;
      }
    }
    packed += lhs_rows * depth;
  }
}

/// result (lhs rows x rhs cols, column-major with the given stride) += lhs * rhs.
template <typename Scalar>
void multiply_add(Scalar* result, Index stride, const Factor<Scalar>& lhs, const Factor<Scalar>& rhs,
                  Scalar* scratch) {
  Scalar* const block = scratch;
  Scalar* const panel = scratch + block_rows * block_depth;
  for (Index k = 0; k < lhs.cols; k += block_depth) {
    const Index depth = std::min(block_depth, lhs.cols - k);
    for (Index col = 0; col < rhs.cols; col += block_cols) {
      const Index cols = std::min(block_cols, rhs.cols - col);
      Kernel<Scalar>::pack_rhs(panel, rhs, k, col, depth, cols);
      for (Index row = 0; row < lhs.rows; row += block_rows) {
        const Index rows = std::min(block_rows, lhs.rows - row);
        Kernel<Scalar>::pack_lhs(block, lhs, row, k, rows, depth);
        Kernel<Scalar>::multiply_add(result + row + col * stride, stride, block, panel, rows, depth, cols);
      }
    }
  }
}

#else

template <typename Scalar>
constexpr Index product_scratch() {
  return 0;
}

template <typename Scalar>
Index packed_size(Index rows, Index cols) {
  return rows * cols;
}

template <typename Scalar>
void pack(const Factor<Scalar>& lhs, Scalar* packed) {
  MatrixMap<Scalar> to(packed, lhs.rows, lhs.cols, Eigen::OuterStride<>(lhs.rows));
  if (lhs.transposed) {
    to = ConstMatrixMap<Scalar>(lhs.data, lhs.cols, lhs.rows, Eigen::OuterStride<>(lhs.stride)).transpose();
  } else {
    to = ConstMatrixMap<Scalar>(lhs.data, lhs.rows, lhs.cols, Eigen::OuterStride<>(lhs.stride));
  }
}

template <typename Scalar>
void multiply_add(Scalar* result, Index stride, const Factor<Scalar>& lhs, const Factor<Scalar>& rhs,
                  Scalar*) {
  MatrixMap<Scalar> to(result, lhs.rows, rhs.cols, Eigen::OuterStride<>(stride));
  const ConstMatrixMap<Scalar> a(lhs.data, lhs.transposed ? lhs.cols : lhs.rows,
                                 lhs.transposed ? lhs.rows : lhs.cols, Eigen::OuterStride<>(lhs.stride));
  const ConstMatrixMap<Scalar> b(rhs.data, rhs.transposed ? rhs.cols : rhs.rows,
                                 rhs.transposed ? rhs.rows : rhs.cols, Eigen::OuterStride<>(rhs.stride));
  if (lhs.transposed && rhs.transposed) {
    to += a.transpose().lazyProduct(b.transpose());
  } else if (lhs.transposed) {
    to += a.transpose().lazyProduct(b);
  } else if (rhs.transposed) {
    to += a.lazyProduct(b.transpose());
  } else {
    to += a.lazyProduct(b);
  }
}

template <typename Scalar>
void multiply_add_packed(Scalar* result, Index stride, const Scalar* packed, Index lhs_rows,
                         const Factor<Scalar>& rhs, Scalar* scratch) {
  multiply_add(result, stride, as_is(packed, lhs_rows, rhs.rows), rhs, scratch);
}

#endif

}  // namespace reprise::inline REPRISE_ABI::detail
