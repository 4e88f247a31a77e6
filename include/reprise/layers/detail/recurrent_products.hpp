#pragma once

#include <array>

#include "../../core/detail/memory.hpp"
#include "../../core/detail/product.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Columns of dz, samples times steps, that are made before they are used: enough for the products that make
/// the weights' gradients, and few enough to be still in a cache near the core by then.
inline constexpr Index columns_at_once = 256;
inline Index steps_at_once(Index T, Index B) { return std::clamp<Index>(columns_at_once / B, 1, T); }

/// The matrix products of a recurrent layer with I inputs, H units and G rows of weights for all of its gates
/// (4 H in an LSTM, 3 H in a GRU): z = b + W x + U h for a step, and backwards, from dz,
///
///     dx = W^T dz    dh_prev = U^T dz    dW += dz x^T    dU += dz h_prev^T    db += dz
///
/// The rows are cut into blocks. Rows of one block see the same dropout mask of x and of h; where no mask
/// differs, one block does for all of them. `columns` are samples, or steps times samples.
template <typename Scalar>
class RecurrentProducts {
 public:
  using Factor = detail::Factor<Scalar>;
  using Start = detail::Start<Scalar>;
  template <std::size_t count>
  using Terms = std::array<Term<Scalar>, count>;

  /// Where the tensors of a layer stand, or their gradients. `bias` is null where there is none.
  struct Weights {
    const Scalar *kernel, *recurrent, *bias;
  };
  struct Gradients {
    Scalar *kernel, *recurrent, *bias;
  };
  /// Memory for packed factors, which is written anew by each call that says so.
  struct Scratch {
    /// W and U, or their transposes, packed.
    Scalar *kernel, *recurrent;
    Scalar* packed_dz;
    /// What dz is multiplied with for the weights' gradients, packed where that pays.
    Scalar* tiles;
    /// x and h of a step seen through a mask, or gathered.
    Scalar *masked_x, *masked_h;
  };

  RecurrentProducts(Index inputs, Index units, Index rows, Index blocks)
      : I_(inputs), H_(units), G_(rows), blocks_(blocks), end_(blocks) {}

  Index blocks() const { return blocks_; }
  Index block_rows() const { return G_ / blocks_; }

  /// The same products for blocks [first, end) only; what is handed in and what is packed is that of all.
  RecurrentProducts only(Index first, Index end) const {
    RecurrentProducts some = *this;
    some.first_ = first;
    some.end_ = end;
    return some;
  }

  /// `columns`: the most that a product for the weights' gradients has; `batch`: of a step.
  Scratch carve(Carver<Scalar>& carver, Index columns, Index most_columns, Index batch) const {
    Scratch s{};
    s.kernel = carver.take(blocks_ * packed_block(I_));
    s.recurrent = carver.take(blocks_ * packed_block(H_));
    s.packed_dz = carver.take(blocks_ * packed_size<Scalar>(block_rows(), columns));
    const Index tiled_columns = std::min(columns, most_columns);
    if (packs_tiles(tiled_columns)) s.tiles = carver.take(std::max(I_, H_) * tiled_columns);
    s.masked_x = carver.take(I_ * batch);
    s.masked_h = carver.take(H_ * batch);
    return s;
  }

  /// `values` where there is no mask, else their product in `buffer`.
  static const Scalar* masked(const Scalar* values, const Scalar* mask, Index count, Scalar* buffer) {
    if (mask == nullptr) return values;
    multiply_each(buffer, values, mask, count);
    return buffer;
  }

  void pack_weights(const Weights& weights, bool transpose, const Scratch& s) const {
    pack_blocks(weights.kernel, I_, transpose, s.kernel);
    pack_blocks(weights.recurrent, H_, transpose, s.recurrent);
  }

  /// z (G x columns) = b + W x. `masks`: one after the other for the blocks, each I x batch; null for none.
  void input_product(const Weights& weights, const Scalar* x, const Scalar* masks, Index batch, Index columns,
                     Scalar* z, const Scratch& s) const {
    const Index rows = block_rows();
    for (Index m = first_; m < end_; ++m) {
      const Scalar* seen = masked(x, part_of(masks, m, I_ * batch), I_ * columns, s.masked_x);
      multiply_packed<Scalar, 1>(z + m * rows, G_, rows, columns, {part_of(weights.bias, m, rows), 0},
                                 Terms<1>{{{s.kernel + m * packed_block(I_), as_is(seen, I_, columns)}}});
    }
  }
  /// z (G x columns) = start + U h.
  void recurrent_product(Start start, const Scalar* h, const Scalar* masks, Index batch, Index columns,
                         Scalar* z, const Scratch& s) const {
    const Index rows = block_rows();
    for (Index m = first_; m < end_; ++m) {
      const Scalar* seen = masked(h, part_of(masks, m, H_ * batch), H_ * columns, s.masked_h);
      multiply_packed<Scalar, 1>(z + m * rows, G_, rows, columns,
                                 {part_of(start.data, m, rows), start.stride},
                                 Terms<1>{{{s.recurrent + m * packed_block(H_), as_is(seen, H_, columns)}}});
    }
  }
  /// z (G x columns) = b + W x + U h in one go.
  void both_products(const Weights& weights, const Scalar* x, const Scalar* x_masks, const Scalar* h,
                     const Scalar* h_masks, Index batch, Index columns, Scalar* z, const Scratch& s) const {
    const Index rows = block_rows();
    for (Index m = first_; m < end_; ++m) {
      const Scalar* seen_h = masked(h, part_of(h_masks, m, H_ * batch), H_ * columns, s.masked_h);
      const Scalar* seen_x = masked(x, part_of(x_masks, m, I_ * batch), I_ * columns, s.masked_x);
      multiply_packed<Scalar, 2>(
          z + m * rows, G_, rows, columns, {part_of(weights.bias, m, rows), 0},
          Terms<2>{{{s.kernel + m * packed_block(I_), as_is(seen_x, I_, columns)},
                    {s.recurrent + m * packed_block(H_), as_is(seen_h, H_, columns)}}});
    }
  }

  /// dh_prev (H x columns) = start + U^T dz, with U packed transposed; each block's part through its mask.
  void previous_state_gradient(Scalar* result, Start start, const Scalar* dz, const Scalar* masks,
                               Index batch, Index columns, const Scratch& s) const {
    transposed_product(result, start, dz, s.recurrent, H_, masks, batch, s.masked_h, columns);
  }
  /// dx (I x columns) = W^T dz, with W packed transposed.
  void input_gradient(Scalar* result, const Scalar* dz, const Scalar* masks, Index batch, Index columns,
                      const Scratch& s) const {
    transposed_product(result, {}, dz, s.kernel, I_, masks, batch, s.masked_x, columns);
  }

  /// What the next two products use.
  void pack_dz(const Scalar* dz, Index columns, const Scratch& s) const {
    const Index rows = block_rows();
    for (Index m = first_; m < end_; ++m) {
      pack(Factor{dz + m * rows, rows, columns, G_}, s.packed_dz + m * packed_size<Scalar>(rows, columns));
    }
  }
  /// dW += dz x^T, with dz packed.
  void add_kernel_gradient(Scalar* gradient, const Scalar* x, const Scalar* masks, Index batch, Index columns,
                           const Scratch& s) const {
    add_outer_product(gradient, x, I_, batch, columns, masks, s.masked_x, s);
  }
  /// dU += dz h_prev^T, with dz packed.
  void add_recurrent_gradient(Scalar* gradient, const Scalar* h_prev, const Scalar* masks, Index batch,
                              Index columns, const Scratch& s) const {
    add_outer_product(gradient, h_prev, H_, batch, columns, masks, s.masked_h, s);
  }
  /// db += dz; none where there is no bias.
  void add_bias_gradient(Scalar* gradient, const Scalar* dz, Index columns) const {
    if (gradient != nullptr) add_columns(gradient, dz, G_, columns);
  }

 private:
  static const Scalar* part_of(const Scalar* values, Index block, Index count) {
    return values == nullptr ? nullptr : values + block * count;
  }
  /// Scalars that one packed block of W (cols = I) or U (cols = H) takes, transposed or not.
  Index packed_block(Index cols) const {
    return whole_packets(
        std::max(packed_size<Scalar>(block_rows(), cols), packed_size<Scalar>(cols, block_rows())));
  }
  void pack_blocks(const Scalar* weights, Index cols, bool transpose, Scalar* packed) const {
    const Index rows = block_rows();
    for (Index m = first_; m < end_; ++m) {
      pack(transpose ? Factor{weights + m * rows, cols, rows, G_, true}
                     : Factor{weights + m * rows, rows, cols, G_, false},
           packed + m * packed_block(cols));
    }
  }
  /// Whether there are panels enough of dz to pay for packing what they are multiplied with.
  bool packs_tiles(Index columns) const {
    return block_rows() >= 512 && can_pack_tiles<Scalar>(block_rows(), columns);
  }

  /// result (size x columns) = start + V^T dz, V being W or U packed transposed.
  void transposed_product(Scalar* result, Start start, const Scalar* dz, const Scalar* packed, Index size,
                          const Scalar* masks, Index batch, Scalar* buffer, Index columns) const {
    const Index rows = block_rows();
    const auto product = [&](Scalar* to, Start from, Index m) {
      multiply_packed<Scalar, 1>(
          to, size, size, columns, from,
          Terms<1>{{{packed + m * packed_block(size), Factor{dz + m * rows, rows, columns, G_}}}});
    };
    if (masks == nullptr) {
      product(result, start, first_);
      for (Index m = first_ + 1; m < end_; ++m) product(result, {result, size}, m);
      return;
    }
    if (start.data == nullptr) {
      std::fill_n(result, size * columns, Scalar(0));
    } else if (start.data != result) {
      std::copy_n(start.data, size * columns, result);
    }
    for (Index m = first_; m < end_; ++m) {
      product(buffer, {}, m);
      add(result, masked(buffer, masks + m * size * batch, size * columns, buffer), size * columns);
    }
  }
  /// to (G x size) += dz right^T, with dz packed; `right` is size x columns, seen through each block's mask.
  void add_outer_product(Scalar* to, const Scalar* right, Index size, Index batch, Index columns,
                         const Scalar* masks, Scalar* buffer, const Scratch& s) const {
    const Index rows = block_rows();
    for (Index m = first_; m < end_; ++m) {
      const Scalar* seen = masked(right, part_of(masks, m, size * batch), size * columns, buffer);
      Factor factor = transposed(seen, size, columns);
      if (packs_tiles(columns)) factor = pack_tiles(factor, s.tiles);
      multiply_packed<Scalar, 1>(to + m * rows, G_, rows, size, {to + m * rows, G_},
                                 Terms<1>{{{s.packed_dz + m * packed_size<Scalar>(rows, columns), factor}}});
    }
  }

  Index I_, H_, G_, blocks_;
  Index first_ = 0, end_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
