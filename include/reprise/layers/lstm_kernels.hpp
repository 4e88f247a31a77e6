#pragma once

#include "../core/lanes.hpp"
#include "activations.hpp"

// The elementwise half of an LSTM step in float, fused: each unit's four gates, cell and state are computed
// in registers in one pass over the step, as many units at a time as a register holds. The plain version,
// which says what is meant, is in `LstmCell`; tests hold the two together. tanh and sigmoid are a rational
// function whose largest absolute error over all floats is below 5e-7.
namespace reprise::inline REPRISE_ABI::detail {

using FloatLanes = Lanes<float>;
inline constexpr Index float_lanes = lane_count<float>;

/// x P(x^2) / Q(x^2), fitted to tanh in the maximum norm on [0, 7.8]; beyond, the argument is held, where the
/// value is within 5e-7 of 1. NaN stays NaN.
struct FastTanh {
  REPRISE_DETAIL_INLINE static FloatLanes value(const FloatLanes& argument) {
    const FloatLanes bound = FloatLanes{} + 7.8f;
    const FloatLanes x = larger(-bound, smaller(bound, argument));
    const FloatLanes y = x * x;
    const FloatLanes p = ((1.1519635e-05f * y + 2.9581619e-03f) * y + 1.2931670e-01f) * y + 9.9999946e-01f;
    const FloatLanes q =
        (((2.4910045e-07f * y + 2.3976234e-04f) * y + 2.3842976e-02f) * y + 4.6264812e-01f) * y + 1.0f;
    return x * p / q;
  }
  REPRISE_DETAIL_INLINE static FloatLanes derivative(const FloatLanes& y) { return 1.0f - y * y; }
};
/// 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2.
struct FastSigmoid {
  REPRISE_DETAIL_INLINE static FloatLanes value(const FloatLanes& x) {
    return 0.5f * FastTanh::value(0.5f * x) + 0.5f;
  }
  REPRISE_DETAIL_INLINE static FloatLanes derivative(const FloatLanes& y) { return y - y * y; }
};
struct FastRelu {
  REPRISE_DETAIL_INLINE static FloatLanes value(const FloatLanes& x) {
    return x < FloatLanes{} ? FloatLanes{} : x;
  }
  REPRISE_DETAIL_INLINE static FloatLanes derivative(const FloatLanes& y) {
    return y > FloatLanes{} ? FloatLanes{} + 1.0f : FloatLanes{};
  }
};

/// Reads and writes neighbours; the constant `whole` decides whether they fill the register.
template <bool whole>
struct LaneAccess {
  Index count = float_lanes;

  REPRISE_DETAIL_INLINE FloatLanes load(const float* from) const {
    FloatLanes lanes{};
    if constexpr (whole) {
      std::memcpy(&lanes, from, sizeof(FloatLanes));
    } else {
      copy(from, reinterpret_cast<float*>(&lanes));
    }
    return lanes;
  }
  REPRISE_DETAIL_INLINE void store(float* to, const FloatLanes& lanes) const {
    if constexpr (whole) {
      std::memcpy(to, &lanes, sizeof(FloatLanes));
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
    if constexpr (piece < float_lanes) {
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
  for (; u + float_lanes <= units; u += float_lanes) kernel(LaneAccess<true>{}, u);
  if (u < units) kernel(LaneAccess<false>{units - u}, u);
}

/// See LstmCell::gates_forward.
template <typename A, typename S>
void fused_gates_forward(Index H, float* z, const float* c_prev, float* c, float* activated_cell, float* h,
                         Index batch) {
  for (Index b = 0; b < batch; ++b, z += 4 * H, c_prev += H, c += H, activated_cell += H, h += H) {
    for_lanes(H, [=](auto at, Index u) REPRISE_DETAIL_INLINE {
      const FloatLanes i = S::value(at.load(z + u));
      const FloatLanes f = S::value(at.load(z + H + u));
      const FloatLanes g = A::value(at.load(z + 2 * H + u));
      const FloatLanes o = S::value(at.load(z + 3 * H + u));
      const FloatLanes cell = f * at.load(c_prev + u) + i * g;
      const FloatLanes activated = A::value(cell);
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
void fused_gates_backward(Index H, const float* gates, const float* c_prev, const float* activated_cell,
                          const float* dh, float* dc, float* dz, Index batch) {
  for (Index b = 0; b < batch;
       ++b, gates += 4 * H, c_prev += H, activated_cell += H, dh += H, dc += H, dz += 4 * H) {
    for_lanes(H, [=](auto at, Index u) REPRISE_DETAIL_INLINE {
      const FloatLanes i = at.load(gates + u);
      const FloatLanes f = at.load(gates + H + u);
      const FloatLanes g = at.load(gates + 2 * H + u);
      const FloatLanes o = at.load(gates + 3 * H + u);
      const FloatLanes activated = at.load(activated_cell + u);
      const FloatLanes dh_now = at.load(dh + u);
      const FloatLanes dc_now = at.load(dc + u) + dh_now * o * A::derivative(activated);
      at.store(dz + u, dc_now * g * S::derivative(i));
      at.store(dz + H + u, dc_now * at.load(c_prev + u) * S::derivative(f));
      at.store(dz + 2 * H + u, dc_now * i * A::derivative(g));
      at.store(dz + 3 * H + u, dh_now * activated * S::derivative(o));
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
