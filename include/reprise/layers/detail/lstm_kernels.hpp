#pragma once

#include "../activations.hpp"

// The elementwise half of an LSTM step in float, fused: each unit's four gates, cell and state are computed
// in registers in one pass over the step, as many units at a time as a register holds. The plain version,
// which says what is meant, is in `LstmCell`; tests hold the two together.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What a step makes of the preactivations and the cell before.
struct GateLanes {
  FloatLanes i, f, g, o, cell, activated, h;
};
template <typename A, typename S>
REPRISE_DETAIL_INLINE inline GateLanes gate_lanes(const FloatLanes& zi, const FloatLanes& zf,
                                                  const FloatLanes& zg, const FloatLanes& zo,
                                                  const FloatLanes& c_prev) {
  GateLanes y;
  y.i = S::value(zi);
  y.f = S::value(zf);
  y.g = A::value(zg);
  y.o = S::value(zo);
  y.cell = y.f * c_prev + y.i * y.g;
  y.activated = A::value(y.cell);
  y.h = y.o * y.activated;
  return y;
}

/// See LstmCell::gates_forward.
template <typename A, typename S>
void fused_gates_forward(Index H, float* z, const float* c_prev, float* c, float* activated_cell, float* h,
                         Index batch) {
  for (Index b = 0; b < batch; ++b, z += 4 * H, c_prev += H, c += H, activated_cell += H, h += H) {
    for_lanes<float>(H, [=](auto at, Index u) REPRISE_DETAIL_INLINE {
      const GateLanes y = gate_lanes<A, S>(at.load(z + u), at.load(z + H + u), at.load(z + 2 * H + u),
                                           at.load(z + 3 * H + u), at.load(c_prev + u));
      at.store(z + u, y.i);
      at.store(z + H + u, y.f);
      at.store(z + 2 * H + u, y.g);
      at.store(z + 3 * H + u, y.o);
      at.store(c + u, y.cell);
      at.store(activated_cell + u, y.activated);
      at.store(h + u, y.h);
    });
  }
}

/// See LstmCell::gates_backward.
template <typename A, typename S>
void fused_gates_backward(Index H, const float* gates, const float* c_prev, const float* activated_cell,
                          const float* dh, float* dc, float* dz, Index batch) {
  for (Index b = 0; b < batch;
       ++b, gates += 4 * H, c_prev += H, activated_cell += H, dh += H, dc += H, dz += 4 * H) {
    for_lanes<float>(H, [=](auto at, Index u) REPRISE_DETAIL_INLINE {
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
  // By kind: comparing user-made activations means comparing texts, which an embedded program would carry in
  // vain.
  if (recurrent_activation.kind != Activation::Kind::sigmoid) return false;
  if (activation.kind == Activation::Kind::tanh) return use(TanhActivation{}, SigmoidActivation{}), true;
  if (activation.kind == Activation::Kind::relu) return use(ReluActivation{}, SigmoidActivation{}), true;
  return false;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
