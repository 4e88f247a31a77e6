#pragma once

#include <cstring>

#include "activations.hpp"

// The elementwise half of an LSTM step in float, fused: each unit's four gates, cell and state are computed
// in registers in one pass over the step, as many units at a time as a register holds. The plain version,
// which says what is meant, is in `LstmCell`; tests hold the two together. tanh and sigmoid are a rational
// function whose largest absolute error over all floats is below 5e-7.
#define REPRISE_DETAIL_INLINE __attribute__((always_inline))

namespace reprise::inline REPRISE_ABI::detail {

// As many neighbours as one register of this processor holds, by the vector extension of g++ and clang++:
// arithmetic on `Lanes` is arithmetic on each of its values, whatever the level of optimisation.
#if defined(__AVX512F__)
inline constexpr Index lane_count = 16;
#elif defined(__AVX__)
inline constexpr Index lane_count = 8;
#else
inline constexpr Index lane_count = 4;
#endif
typedef float Lanes __attribute__((vector_size(lane_count * sizeof(float))));

/// x P(x^2) / Q(x^2), fitted to tanh in the maximum norm on [0, 7.8]; beyond, the argument is held, where the
/// value is within 5e-7 of 1. NaN stays NaN.
struct FastTanh {
  REPRISE_DETAIL_INLINE static Lanes value(const Lanes& argument) {
    const Lanes bound = Lanes{} + 7.8f;
    const Lanes below = argument > bound ? bound : argument;
    const Lanes x = below < -bound ? -bound : below;
    const Lanes y = x * x;
    const Lanes p = ((1.1519635e-05f * y + 2.9581619e-03f) * y + 1.2931670e-01f) * y + 9.9999946e-01f;
    const Lanes q =
        (((2.4910045e-07f * y + 2.3976234e-04f) * y + 2.3842976e-02f) * y + 4.6264812e-01f) * y + 1.0f;
    return x * p / q;
  }
  REPRISE_DETAIL_INLINE static Lanes derivative(const Lanes& y) { return 1.0f - y * y; }
};
/// 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2.
struct FastSigmoid {
  REPRISE_DETAIL_INLINE static Lanes value(const Lanes& x) { return 0.5f * FastTanh::value(0.5f * x) + 0.5f; }
  REPRISE_DETAIL_INLINE static Lanes derivative(const Lanes& y) { return y - y * y; }
};
struct FastRelu {
  REPRISE_DETAIL_INLINE static Lanes value(const Lanes& x) { return x < Lanes{} ? Lanes{} : x; }
  REPRISE_DETAIL_INLINE static Lanes derivative(const Lanes& y) {
    return y > Lanes{} ? Lanes{} + 1.0f : Lanes{};
  }
};

/// Reads and writes neighbours; the constant `whole` decides whether they fill the register.
template <bool whole>
struct LaneAccess {
  Index count = lane_count;

  REPRISE_DETAIL_INLINE Lanes load(const float* from) const {
    Lanes lanes{};
    if constexpr (whole) {
      std::memcpy(&lanes, from, sizeof(Lanes));
    } else {
      copy(from, reinterpret_cast<float*>(&lanes));
    }
    return lanes;
  }
  REPRISE_DETAIL_INLINE void store(float* to, const Lanes& lanes) const {
    if constexpr (whole) {
      std::memcpy(to, &lanes, sizeof(Lanes));
    } else {
      copy(reinterpret_cast<const float*>(&lanes), to);
    }
  }
  /// In pieces of fixed sizes, which compile to moves where a variable size compiles to a call.
  REPRISE_DETAIL_INLINE void copy(const float* from, float* to) const {
    copy_if<8>(from, to);
    copy_if<4>(from, to);
    copy_if<2>(from, to);
    copy_if<1>(from, to);
  }
  template <Index piece>
  REPRISE_DETAIL_INLINE void copy_if(const float*& from, float*& to) const {
    if constexpr (piece < lane_count) {
      if ((count & piece) != 0) {
        std::memcpy(to, from, piece * sizeof(float));
        to += piece;
        from += piece;
      }
    }
  }
};

/// Calls kernel(access, u) for blocks of units u ... of `units`.
template <typename Kernel>
REPRISE_DETAIL_INLINE inline void for_lanes(Index units, Kernel kernel) {
  Index u = 0;
  for (; u + lane_count <= units; u += lane_count) kernel(LaneAccess<true>{}, u);
  if (u < units) kernel(LaneAccess<false>{units - u}, u);
}

/// See LstmCell::gates_forward.
template <typename A, typename S>
void fused_gates_forward(Index H, float* z, const float* c_prev, float* c, float* activated_cell, float* h,
                         Index batch) {
  for (Index b = 0; b < batch; ++b, z += 4 * H, c_prev += H, c += H, activated_cell += H, h += H) {
    for_lanes(H, [=](auto at, Index u) REPRISE_DETAIL_INLINE {
      const Lanes i = S::value(at.load(z + u));
      const Lanes f = S::value(at.load(z + H + u));
      const Lanes g = A::value(at.load(z + 2 * H + u));
      const Lanes o = S::value(at.load(z + 3 * H + u));
      const Lanes cell = f * at.load(c_prev + u) + i * g;
      const Lanes activated = A::value(cell);
      at.store(z + u, i);
      at.store(z + H + u, f);
      at.store(z + 2 * H + u, g);
      at.store(z + 3 * H + u, o);
      at.store(c + u, cell);
      at.store(activated_cell + u, activated);
      at.store(h + u, o * activated);
    });
  }
}

/// See LstmCell::gates_backward.
template <typename A, typename S>
void fused_gates_backward(Index H, float* z, const float* c_prev, const float* activated_cell,
                          const float* dh, float* dc, Index batch) {
  for (Index b = 0; b < batch; ++b, z += 4 * H, c_prev += H, activated_cell += H, dh += H, dc += H) {
    for_lanes(H, [=](auto at, Index u) REPRISE_DETAIL_INLINE {
      const Lanes i = at.load(z + u);
      const Lanes f = at.load(z + H + u);
      const Lanes g = at.load(z + 2 * H + u);
      const Lanes o = at.load(z + 3 * H + u);
      const Lanes activated = at.load(activated_cell + u);
      const Lanes dh_now = at.load(dh + u);
      const Lanes dc_now = at.load(dc + u) + dh_now * o * A::derivative(activated);
      at.store(z + u, dc_now * g * S::derivative(i));
      at.store(z + H + u, dc_now * at.load(c_prev + u) * S::derivative(f));
      at.store(z + 2 * H + u, dc_now * i * A::derivative(g));
      at.store(z + 3 * H + u, dh_now * activated * S::derivative(o));
      at.store(dc + u, dc_now * f);
    });
  }
}

/// Calls use(A, S) for the pairs of activations that have a fused version; false where there is none.
template <typename Use>
bool with_fused_gates(Activation activation, Activation recurrent_activation, Use use) {
  if (recurrent_activation != Activation::sigmoid) return false;
  if (activation == Activation::tanh) return use(FastTanh{}, FastSigmoid{}), true;
  if (activation == Activation::relu) return use(FastRelu{}, FastSigmoid{}), true;
  return false;
}

}  // namespace reprise::inline REPRISE_ABI::detail
