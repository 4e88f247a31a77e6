#pragma once

#include <algorithm>
#include <array>

#include "lanes.hpp"
#include "memory.hpp"

// Matrix products into memory of the caller. Eigen's `A * B` allocates its packing buffers and chooses its
// blocking from the caches it finds; here nothing is allocated, and the same shapes give the same bits on any
// machine of one kind. A left factor that is used many times (an LSTM's weights, once a step) is packed once.
// With REPRISE_PLAIN_KERNELS the same functions are written in plain Eigen, for tests to compare.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A column-major matrix factor, read as it stands or transposed, or a right factor from `pack_tiles`.
template <typename Scalar>
struct Factor {
  const Scalar* data;
  Index rows;  // of the factor as it enters the product
  Index cols;
  Index stride;  // between stored columns
  bool transposed = false;
  bool tiled = false;

  /// Rows [first, first + count) of the factor.
  Factor rows_from(Index first, Index count) const {
    eigen_assert(!tiled);
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

/// What products are added to: a column-major matrix, one column for all (stride 0), or zero (null).
template <typename Scalar>
struct Start {
  const Scalar* data = nullptr;
  Index stride = 0;
};

/// One product of a sum: a left factor packed by `pack` times a right factor.
template <typename Scalar>
struct Term {
  const Scalar* packed_left;
  Factor<Scalar> right;
};

#ifndef REPRISE_PLAIN_KERNELS

/// Rows of a panel: what the innermost loop multiplies with each value of the right factor.
inline constexpr Index panel_vectors = 4;
template <typename Scalar>
inline constexpr Index panel_rows = panel_vectors * lane_count<Scalar>;
/// Columns that the innermost loop works on: as many as there are registers for panel_vectors sums each.
inline constexpr int tile_cols = register_bytes == 64 ? 6 : 3;
/// Depth after which the sums go back to memory: so deep a panel stays in a first-level cache of 32 kB.
inline constexpr Index block_depth = 256;

/// Bytes of a packed factor from which on it is taken not to be in the second-level cache any more.
inline constexpr Index large_factor = Index{1024} * 1024;

/// Scalars that a packed factor takes: its rows up to whole registers.
template <typename Scalar>
Index packed_size(Index rows, Index cols) {
  constexpr Index lanes = lane_count<Scalar>;
  return (rows + lanes - 1) / lanes * lanes * cols;
}

/// Rows of a transposed factor that are packed side by side: what is written for one k is a whole line of the
/// cache. One row at a time would come back to each line when it has left the first-level cache.
inline constexpr Index pack_rows = 16;

/// Packs panel by panel, each column of a panel side by side, the last panel only as many registers high as
/// it needs and filled up with zeros.
template <typename Scalar>
void pack(const Factor<Scalar>& left, Scalar* packed) {
  constexpr Index lanes = lane_count<Scalar>;
  for (Index row = 0; row < left.rows; row += panel_rows<Scalar>) {
    const Index rows = std::min(panel_rows<Scalar>, left.rows - row);
    const Index height = (rows + lanes - 1) / lanes * lanes;
    if (left.transposed) {
      for (Index r = 0; r < rows; r += pack_rows) {
        const Scalar* from = left.data + (row + r) * left.stride;
        if (r + pack_rows <= rows) {
          for (Index k = 0; k < left.cols; ++k) {
#pragma GCC unroll 16
            for (Index i = 0; i < pack_rows; ++i) packed[k * height + r + i] = from[i * left.stride + k];
          }
        } else {
          for (Index i = 0; i < rows - r; ++i) {
            for (Index k = 0; k < left.cols; ++k) packed[k * height + r + i] = from[i * left.stride + k];
          }
        }
      }
    } else if (rows == panel_rows<Scalar>) {  // a constant size compiles to moves
      for (Index k = 0; k < left.cols; ++k)
        std::copy_n(left.data + row + k * left.stride, panel_rows<Scalar>, packed + k * height);
    } else {
      for (Index k = 0; k < left.cols; ++k)
        std::copy_n(left.data + row + k * left.stride, rows, packed + k * height);
    }
    for (Index k = 0; k < left.cols && rows < height; ++k)
      std::fill(packed + k * height + rows, packed + (k + 1) * height, Scalar(0));
    packed += height * left.cols;
  }
}

/// Columns of the next tile where so many are left: two tiles of 4 rather than one of 6 and one of 2, which
/// would wait for the left factor.
inline constexpr int next_tile(Index left) {
  if (left >= tile_cols && !(tile_cols == 6 && left == 8)) return tile_cols;
  if (left >= 4) return 4;
  return left >= 2 ? 2 : 1;
}

/// Whether `pack_tiles` can serve a product of so many rows and such a depth.
template <typename Scalar>
bool can_pack_tiles(Index rows, Index depth) {
  return rows % panel_rows<Scalar> == 0 && depth <= block_depth;
}
/// Packs a transposed right factor tile by tile, each row of a tile side by side: rows * cols scalars. Pays
/// where its rows are far apart in memory and many panels read them. For products of this one term.
template <typename Scalar>
Factor<Scalar> pack_tiles(const Factor<Scalar>& right, Scalar* packed) {
  eigen_assert(right.transposed);
  for (Index col = 0, width = 0; col < right.cols; col += width) {
    width = next_tile(right.cols - col);
    for (Index k = 0; k < right.rows; ++k) {
      const Scalar* from = right.data + k * right.stride + col;
      Scalar* to = packed + col * right.rows + k * width;
      if (width == tile_cols) {  // a constant size compiles to moves
        std::copy_n(from, tile_cols, to);
      } else {
        std::copy_n(from, width, to);
      }
    }
  }
  return {packed, right.rows, right.cols, 0, false, true};
}

/// A stretch of one term's depth, for one panel.
template <typename Scalar>
struct Stretch {
  const Scalar* left = nullptr;
  const Scalar* right = nullptr;
  Index depth = 0;
  Index right_step = 0;    // to the next row of the right factor; 0 where that is tiled
  Index right_column = 0;  // to its next column
  // In large products:
  Index right_tile = 0;           // to the tile of its column c: c times this
  const Scalar* ahead = nullptr;  // what of the left factor to fetch meanwhile, where it is large
};

/// vectors x cols registers of sums, from `start`, over both stretches, to `result`. Where these are few,
/// each sum is split by turns of k, so that an addition need not wait for the one before. In a `large`
/// product the right factor may be tiled, and what comes next of a left factor beyond the cache is fetched
/// meanwhile.
template <int vectors, int cols, bool large, typename Scalar>
REPRISE_DETAIL_INLINE inline void multiply_tile(Scalar* result, Index stride, Start<Scalar> start,
                                                const std::array<Stretch<Scalar>, 2>& stretches, Index col) {
  constexpr Index lanes = lane_count<Scalar>;
  constexpr int turns = vectors * cols >= 8 ? 1 : vectors * cols >= 4 ? 2 : 4;
  constexpr bool fetches = large && cols == tile_cols;
  Lanes<Scalar> sum[std::size_t{turns}][std::size_t{cols}][std::size_t{vectors}] = {};
  if (fetches && stretches[0].ahead != nullptr && start.data == result) {  // the next tile of the result
#pragma GCC unroll 8
    for (int c = 0; c < cols; ++c) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) __builtin_prefetch(result + (col + cols + c) * stride + v * lanes, 1);
    }
  }
  if (start.data != nullptr) {
#pragma GCC unroll 8
    for (int c = 0; c < cols; ++c) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v)
        sum[0][c][v] = load_lanes(start.data + (col + c) * start.stride + v * lanes);
    }
  }
  for (const Stretch<Scalar>& stretch : stretches) {
    const Scalar* left = stretch.left;
    const Scalar* right = stretch.right + col * (large ? stretch.right_tile : stretch.right_column);
    const Index step = large && stretch.right_step == 0 ? cols : stretch.right_step;
    const auto add = [&](int turn) REPRISE_DETAIL_INLINE {
      Lanes<Scalar> value[std::size_t{cols}];
#pragma GCC unroll 8
      for (int c = 0; c < cols; ++c) value[c] = same_in_all(right[c * stretch.right_column]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        Lanes<Scalar> factor = load_lanes(left + v * lanes);
#if defined(__AVX512F__)
        if constexpr (lanes > 1)
          asm("" : "+v"(factor));  // one load for all columns: g++ would load it again for each
#elif defined(__SSE2__)
        if constexpr (lanes > 1) asm("" : "+x"(factor));
#endif
#pragma GCC unroll 8
        for (int c = 0; c < cols; ++c) sum[turn][c][v] += factor * value[c];
      }
      left += vectors * lanes;
      right += step;
    };
    Index k = 0;
    if constexpr (fetches) {
      // A register for every two k: all is fetched after 2 * vectors tiles, of which there should be so many.
      if (stretch.ahead != nullptr && col < Index{2} * vectors * cols) {
        const Scalar* ahead = stretch.ahead + col / cols * (stretch.depth / 2) * lanes;
        for (; k + 2 <= stretch.depth; k += 2, ahead += lanes) {
          add(0);
          add(0);
          __builtin_prefetch(ahead);
        }
      }
    }
    for (; k + turns <= stretch.depth; k += turns) {
#pragma GCC unroll 4
      for (int turn = 0; turn < turns; ++turn) add(turn);
    }
    for (; k < stretch.depth; ++k) add(0);
  }
#pragma GCC unroll 8
  for (int c = 0; c < cols; ++c) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
#pragma GCC unroll 4
      for (int turn = 1; turn < turns; ++turn) sum[0][c][v] += sum[turn][c][v];
      store_lanes(result + (col + c) * stride + v * lanes, sum[0][c][v]);
    }
  }
}

/// All columns of one panel of `vectors` registers.
template <int vectors, bool large, typename Scalar>
void multiply_panel(Scalar* result, Index stride, Index cols, Start<Scalar> start,
                    const std::array<Stretch<Scalar>, 2>& stretches) {
  Index col = 0;  // in tiles as `next_tile` cuts them, written out for speed
  for (; col + tile_cols <= cols && !(tile_cols == 6 && cols - col == 8); col += tile_cols)
    multiply_tile<vectors, tile_cols, large>(result, stride, start, stretches, col);
  if constexpr (tile_cols > 4) {
    for (; col + 4 <= cols; col += 4) multiply_tile<vectors, 4, large>(result, stride, start, stretches, col);
  }
  if (col + 2 <= cols) {
    multiply_tile<vectors, 2, large>(result, stride, start, stretches, col);
    col += 2;
  }
  if (col < cols) multiply_tile<vectors, 1, large>(result, stride, start, stretches, col);
}
template <typename Scalar>
void multiply_panel(Index vectors, Scalar* result, Index stride, Index cols, Start<Scalar> start,
                    const std::array<Stretch<Scalar>, 2>& stretches) {
  switch (vectors) {
    case 4: return multiply_panel<4, false>(result, stride, cols, start, stretches);
    case 3: return multiply_panel<3, false>(result, stride, cols, start, stretches);
    case 2: return multiply_panel<2, false>(result, stride, cols, start, stretches);
    default: return multiply_panel<1, false>(result, stride, cols, start, stretches);
  }
}

/// The same for a last panel whose registers reach beyond its rows: column by column through a buffer.
template <typename Scalar>
void multiply_last_panel(Index rows, Scalar* result, Index stride, Index cols, Start<Scalar> start,
                         std::array<Stretch<Scalar>, 2> stretches) {
  constexpr Index lanes = lane_count<Scalar>;
  constexpr Index height = panel_rows<Scalar>;
  std::array<Scalar, static_cast<std::size_t>(height * tile_cols)> buffer{};
  for (Index col = 0; col < cols; col += tile_cols) {
    const Index count = std::min<Index>(tile_cols, cols - col);
    for (Index c = 0; c < count && start.data != nullptr; ++c)
      std::copy_n(start.data + (col + c) * start.stride, rows, buffer.data() + c * height);
    multiply_panel((rows + lanes - 1) / lanes, buffer.data(), height, count,
                   start.data == nullptr ? Start<Scalar>{} : Start<Scalar>{buffer.data(), height}, stretches);
    for (Index c = 0; c < count; ++c)
      std::copy_n(buffer.data() + c * height, rows, result + (col + c) * stride);
    for (Stretch<Scalar>& stretch : stretches) stretch.right += count * stretch.right_column;
  }
}

/// result (rows x cols, column-major) = start + the sum of the terms. `result` may be `start`.
template <typename Scalar, std::size_t count>
void multiply_packed(Scalar* result, Index stride, Index rows, Index cols, Start<Scalar> start,
                     const std::array<Term<Scalar>, count>& terms) {
  constexpr Index lanes = lane_count<Scalar>;
  const Index depth_of_last = terms[count - 1].right.rows;
  const bool beyond_cache = rows * depth_of_last * static_cast<Index>(sizeof(Scalar)) >= large_factor;
  const bool tiled = terms[count - 1].right.tiled, large = beyond_cache || tiled;
  eigen_assert(!tiled || (count == 1 && can_pack_tiles<Scalar>(rows, depth_of_last)));
  for (Index row = 0; row < rows; row += panel_rows<Scalar>) {
    const Index panel = std::min(panel_rows<Scalar>, rows - row);
    const Index height = (panel + lanes - 1) / lanes * lanes;
    Start<Scalar> from = start;
    if (from.data != nullptr) from.data += row;
    std::size_t term = 0;
    Index done = 0;  // of this term's depth
    do {
      std::array<Stretch<Scalar>, 2> stretches{};
      Index room = block_depth;
      for (std::size_t s = 0; s < 2 && term < count && room > 0; ++s) {
        const Factor<Scalar>& right = terms[term].right;
        const Index depth = std::min(room, right.rows - done);
        const Index step = right.tiled ? 0 : right.transposed ? right.stride : 1;
        const Index column = right.tiled || right.transposed ? 1 : right.stride;
        const Scalar* left = terms[term].packed_left + row * right.rows + done * height;
        stretches[s] = {left, right.data + done * step, depth, step, column};
        if (large) {
          stretches[s].right_tile = right.tiled ? right.rows : column;
          // At one distance all along, so that all is fetched, whatever the stretches are.
          if (beyond_cache) stretches[s].ahead = left + std::min(right.rows, block_depth) * height;
        }
        room -= depth;
        done += depth;
        if (done == right.rows) {
          ++term;
          done = 0;
        }
      }
      if (large && panel == panel_rows<Scalar>) {
        multiply_panel<panel_vectors, true>(result + row, stride, cols, from, stretches);
      } else if (panel == height) {
        multiply_panel(height / lanes, result + row, stride, cols, from, stretches);
      } else {
        multiply_last_panel(panel, result + row, stride, cols, from, stretches);
      }
      from = {result + row, stride};
    } while (term < count);
  }
}

/// result += the `count` columns of a matrix, each times its factor.
template <int count, typename Scalar>
void add_multiples(Scalar* result, Index rows, const Scalar* columns, Index stride, const Scalar* factors) {
  Lanes<Scalar> factor[std::size_t{count}];
#pragma GCC unroll 16
  for (int c = 0; c < count; ++c) factor[c] = same_in_all(factors[c]);
  for_lanes<Scalar>(rows, [&](auto at, Index i) REPRISE_DETAIL_INLINE {
    // Two sums, so that an addition need not wait for the one before.
    Lanes<Scalar> even = at.load(result + i), odd{};
#pragma GCC unroll 16
    for (int c = 0; c < count; ++c)
      (c % 2 == 0 ? even : odd) += at.load(columns + c * stride + i) * factor[c];
    at.store(result + i, even + odd);
  });
}

/// result (rows) += left * right for one column on the right. The left factor (not transposed) is read once
/// as it stands, without packing, from its last columns on where `backwards`: who multiplies with it again
/// and again and changes the direction each time finds a part of it still in the nearest cache.
template <typename Scalar>
void add_vector_product(Scalar* result, const Factor<Scalar>& left, const Scalar* right, bool backwards) {
  constexpr Index group = 16, few = 4;
  const auto add = [&](auto count, Index k) {
    add_multiples<count()>(result, left.rows, left.data + k * left.stride, left.stride, right + k);
  };
  const Index whole = left.cols / group * group;
  const auto rest = [&] {
    Index k = whole;
    for (; k + few <= left.cols; k += few) add(std::integral_constant<int, few>{}, k);
    for (; k < left.cols; ++k) add(std::integral_constant<int, 1>{}, k);
  };
  if (backwards) rest();
  for (Index k = 0; k < whole; k += group)
    add(std::integral_constant<int, group>{}, backwards ? whole - group - k : k);
  if (!backwards) rest();
}

#else

template <typename Scalar>
Index packed_size(Index rows, Index cols) {
  return rows * cols;
}
template <typename Scalar>
bool can_pack_tiles(Index, Index) {
  return false;
}
template <typename Scalar>
Factor<Scalar> pack_tiles(const Factor<Scalar>& right, Scalar*) {
  return right;
}

template <typename Scalar>
void pack(const Factor<Scalar>& left, Scalar* packed) {
  MatrixMap<Scalar> to(packed, left.rows, left.cols, Eigen::OuterStride<>(left.rows));
  if (left.transposed) {
    to = ConstMatrixMap<Scalar>(left.data, left.cols, left.rows, Eigen::OuterStride<>(left.stride))
             .transpose();
  } else {
    to = ConstMatrixMap<Scalar>(left.data, left.rows, left.cols, Eigen::OuterStride<>(left.stride));
  }
}

template <typename Scalar, std::size_t count>
void multiply_packed(Scalar* result, Index stride, Index rows, Index cols, Start<Scalar> start,
                     const std::array<Term<Scalar>, count>& terms) {
  MatrixMap<Scalar> to(result, rows, cols, Eigen::OuterStride<>(stride));
  if (start.data == nullptr) {
    to.setZero();
  } else if (start.data != result) {
    to = ConstMatrixMap<Scalar>(start.data, rows, cols, Eigen::OuterStride<>(start.stride));
  }
  for (const Term<Scalar>& term : terms) {
    const Factor<Scalar>& right = term.right;
    if (right.rows == 0) continue;  // Eigen adds to the null pointer of a matrix without values
    const ConstMatrixMap<Scalar> a(term.packed_left, rows, right.rows, Eigen::OuterStride<>(rows));
    if (right.transposed) {
      to += a.lazyProduct(
          ConstMatrixMap<Scalar>(right.data, right.cols, right.rows, Eigen::OuterStride<>(right.stride))
              .transpose());
    } else {
      to += a.lazyProduct(
          ConstMatrixMap<Scalar>(right.data, right.rows, right.cols, Eigen::OuterStride<>(right.stride)));
    }
  }
}

template <typename Scalar>
void add_vector_product(Scalar* result, const Factor<Scalar>& left, const Scalar* right, bool) {
  Eigen::Map<Vector<Scalar>>(result, left.rows) +=
      ConstMatrixMap<Scalar>(left.data, left.rows, left.cols, Eigen::OuterStride<>(left.stride))
          .lazyProduct(Eigen::Map<const Vector<Scalar>>(right, left.cols));
}

#endif

/// result = start + left * right; packs left into `scratch`, packed_size(left.rows, left.cols) scalars.
template <typename Scalar>
void multiply(Scalar* result, Index stride, Start<Scalar> start, const Factor<Scalar>& left,
              const Factor<Scalar>& right, Scalar* scratch) {
  pack(left, scratch);
  multiply_packed<Scalar, 1>(result, stride, left.rows, right.cols, start, {{{scratch, right}}});
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
