#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "../../core/finite.hpp"
#include "../../thresholds/generalized_pareto.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// The generalised Pareto distribution by maximum likelihood from excesses y_i that are known to lie at or
/// below limits c_i (infinite: no limit): maximises sum log g(y_i) - log G(c_i), G = 1 - S, from `start`.
/// Newton's method with the scores' outer products for the Hessian (Berndt et al. 1974), in shape and log
/// scale; the step is halved until the likelihood grows.
class TruncatedFit {
 public:
  TruncatedFit(std::span<const double> excesses, std::span<const double> limits) noexcept
      : excesses_(excesses), limits_(limits), largest_(*std::max_element(excesses.begin(), excesses.end())) {}

  GeneralizedPareto operator()(const GeneralizedPareto& start) const noexcept {
    GeneralizedPareto best = start;
    Sums at = sums(best);
    if (at.likelihood == never) return start;
    for (int iteration = 0; iteration < 40; ++iteration) {
      // The ridge keeps a flat direction from taking a step without end.
      const double a = at.shape_shape * (1.0 + 1e-9);
      const double b = at.shape_scale;
      const double c = at.scale_scale * (1.0 + 1e-9);
      const double determinant = a * c - b * b;
      if (!(is_finite(determinant) && determinant > 0.0)) break;
      const double shape_step = (c * at.shape - b * at.scale) / determinant;
      const double scale_step = (a * at.scale - b * at.shape) / determinant;
      const double expected_gain = 0.5 * (at.shape * shape_step + at.scale * scale_step);
      double part = std::min(1.0, 0.5 / std::max(std::abs(shape_step), std::abs(scale_step)));
      bool has_grown = false;
      for (int halving = 0; halving < 20 && !has_grown; ++halving, part *= 0.5) {
        const GeneralizedPareto next{best.shape + part * shape_step,
                                     best.scale * std::exp(part * scale_step)};
        const Sums there = sums(next);
        if (there.likelihood > at.likelihood) {
          best = next;
          at = there;
          has_grown = true;
        }
      }
      if (!has_grown || expected_gain < 1e-10 * static_cast<double>(excesses_.size())) break;
    }
    return best;
  }

 private:
  /// The log-likelihood of what cannot be.
  static constexpr double never = std::numeric_limits<double>::lowest();

  struct Sums {
    double likelihood = 0.0;
    double shape = 0.0;
    double scale = 0.0;
    double shape_shape = 0.0;
    double shape_scale = 0.0;
    double scale_scale = 0.0;
  };
  /// Of y: log(1 + shape z) / shape with z = y / scale (that is -log S), and its derivatives after shape
  /// and, without the sign, after log scale.
  struct Exponent {
    double value;
    double by_shape;
    double by_scale;
  };
  static Exponent exponent(double z, double shape) noexcept {
    const double a = shape * z;
    const double w = z / (1.0 + a);
    if (std::abs(a) < 1e-4) return {z * (1.0 - a * (0.5 - a / 3.0)), -z * z * (0.5 - a * (2.0 / 3.0)), w};
    const double value = std::log1p(a) / shape;
    return {value, -(value - w) / shape, w};
  }
  Sums sums(const GeneralizedPareto& p) const noexcept {
    Sums result;
    // Below shape -1 the likelihood grows without end towards a tail that ends at the largest excess.
    if (!(is_finite(p.scale) && is_finite(p.shape) && p.scale > 0.0 && p.shape > -1.0 && p.shape < 10.0 &&
          1.0 + p.shape * largest_ / p.scale > 1e-9)) {
      result.likelihood = never;
      return result;
    }
    for (std::size_t i = 0; i < excesses_.size(); ++i) {
      // log g = -log scale - (1 + shape) E(y), E the exponent; the limit adds -log(1 - exp(-E(c))).
      const Exponent y = exponent(excesses_[i] / p.scale, p.shape);
      double likelihood = -std::log(p.scale) - (1.0 + p.shape) * y.value;
      double by_shape = -y.value - (1.0 + p.shape) * y.by_shape;
      double by_scale = -1.0 + (1.0 + p.shape) * y.by_scale;
      const double limit = limits_[i] / p.scale;
      if (is_finite(limit) && p.shape * limit > -1.0) {
        const Exponent c = exponent(limit, p.shape);
        const double odds = 1.0 / std::expm1(c.value);  // S / (1 - S)
        likelihood += std::log1p(odds);                 // -log(1 - S)
        by_shape -= odds * c.by_shape;
        by_scale += odds * c.by_scale;
      }
      result.likelihood += likelihood;
      result.shape += by_shape;
      result.scale += by_scale;
      result.shape_shape += by_shape * by_shape;
      result.shape_scale += by_shape * by_scale;
      result.scale_scale += by_scale * by_scale;
    }
    if (!is_finite(result.likelihood)) result.likelihood = never;
    return result;
  }

  std::span<const double> excesses_;
  std::span<const double> limits_;
  double largest_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
