#pragma once

#include <cmath>

#include "../core/finite.hpp"
#include "../core/version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The generalised Pareto distribution of what lies above a high threshold:
///   P(Y > y) = (1 + shape y / scale)^(-1 / shape), exp(-y / scale) for shape 0.
/// Shape > 0 has a heavy tail, shape < 0 ends at -scale / shape.
struct GeneralizedPareto {
  double shape = 0.0;
  double scale = 1.0;

  /// P(Y > y); 1 for y <= 0, 0 beyond the end.
  double tail_probability(double y) const {
    if (detail::is_nan(y) || y <= 0.0) return 1.0;
    const double z = y / scale;
    if (is_exponential()) return std::exp(-z);
    if (shape * z <= -1.0) return 0.0;
    return std::exp(-std::log1p(shape * z) / shape);
  }
  /// The y with P(Y > y) = probability, for a probability in (0, 1].
  double value_at(double probability) const {
    const double decades = -std::log(probability);
    return is_exponential() ? scale * decades : scale * (std::expm1(shape * decades) / shape);
  }

 private:
  bool is_exponential() const { return std::abs(shape) < 1e-15; }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
