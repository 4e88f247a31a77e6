#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "../../core/detail/eigen.hpp"
#include "../../core/finite.hpp"
#include "../../core/sequences.hpp"
#include "../generalized_pareto.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Grimshaw's u(x) v(x) - 1 with u = 1 + mean log(1 + x y), v = mean 1 / (1 + x y), and u - 1.
struct GrimshawPoint {
  double x;
  double residual;
  double shape;
};
using ExcessArray = Eigen::Map<const Eigen::ArrayXd>;

inline GrimshawPoint grimshaw(const ExcessArray& y, double x) {
  const double u = (1.0 + x * y).log().mean();       // less 1
  const double v = -(x * y / (1.0 + x * y)).mean();  // less 1, without the cancellation
  return {x, u + v + u * v, u};
}

/// Maximum likelihood for excesses whose largest is 1 (`excesses` / `unit`), by Grimshaw, "Computing maximum
/// likelihood estimates for the generalized Pareto distribution" (Technometrics 1993), as in Siffer et al.
/// (KDD 2017): x = shape / scale is a root of u(x) v(x) = 1, shape = u(x) - 1. Where the likelihood has no
/// such maximum (excesses that pile up at their largest, as uniform ones may) the exponential is left.
inline GeneralizedPareto fit_scaled_excesses(const ExcessArray& y, double unit) noexcept {
  const double mean = y.mean();
  const double smallest = *std::min_element(y.data(), y.data() + y.size());
  // At a root the log-likelihood is -n (log scale + shape + 1); for shape 0, -n (log mean + 1).
  GeneralizedPareto best{0.0, mean};
  double best_cost = std::log(mean);
  const auto offer = [&](const GrimshawPoint& root) {
    const double scale = root.shape / root.x;
    const double cost = std::log(scale) + root.shape;
    if (scale > 0.0 && cost < best_cost) {
      best = {root.shape, scale};
      best_cost = cost;
    }
  };
  const auto refine = [&](GrimshawPoint a, GrimshawPoint b) {
    // False position, the end that stays halved (Illinois); within a factor of two it needs about 8 steps.
    for (int i = 0; i < 60; ++i) {
      const double x = (a.x * b.residual - b.x * a.residual) / (b.residual - a.residual);
      const GrimshawPoint middle = grimshaw(y, is_finite(x) ? x : 0.5 * (a.x + b.x));
      if (middle.residual == 0.0 || std::abs(b.x - middle.x) <= 1e-14 * std::abs(middle.x)) return middle;
      if ((middle.residual < 0.0) == (b.residual < 0.0)) {
        a.residual *= 0.5;
      } else {
        a = b;
      }
      b = middle;
    }
    return b;
  };
  // The residual changes sign at 0 too, and is of second order there: roots nearer than this have a shape of
  // less than 1e-4, which the exponential serves as well.
  const double nearest = 1e-4;
  const auto visit = [&](GrimshawPoint& last, double x) {
    const GrimshawPoint next = grimshaw(y, x);
    if ((last.residual < 0.0) != (next.residual < 0.0)) offer(refine(last, next));
    last = next;
  };
  // (-1 / largest, 0): by factors away from 0, then by factors towards the end.
  GrimshawPoint last = grimshaw(y, -nearest);
  for (double x = 2.0 * nearest; x < 0.5; x *= 2.0) visit(last, -x);
  for (double left = 0.5; left > 1e-10; left *= 0.5) visit(last, -(1.0 - left));
  // (0, 2 (mean - smallest) / smallest^2), which has no end worth the name for heavy tails.
  const double end = std::min(2.0 * (mean - smallest) / (smallest * smallest), 1e60);
  if (end > nearest) {
    last = grimshaw(y, nearest);
    for (double x = 2.0 * nearest; x < end; x *= 2.0) visit(last, x);
    visit(last, end);
  }
  return {best.shape, best.scale * unit};
}

/// Scales the excesses in place. All > 0 and finite, at least one.
inline GeneralizedPareto fit_excesses_in_place(std::span<double> excesses) noexcept {
  const double largest = *std::max_element(excesses.begin(), excesses.end());
  for (double& excess : excesses) excess /= largest;
  return fit_scaled_excesses(ExcessArray(excesses.data(), static_cast<Index>(excesses.size())), largest);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
