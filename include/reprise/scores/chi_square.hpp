#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "../core/finite.hpp"
#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// P(X > x) for X chi-squared with m degrees of freedom: the upper incomplete gamma function Q(m / 2, y), y =
/// x / 2, which has m / 2 terms for a whole m (Abramowitz and Stegun 26.4.4 and 26.4.5):
///   m even: exp(-y) sum of y^i / i! for i = 0 ... m / 2 - 1
///   m odd: erfc(sqrt y) + exp(-y) sum of y^i / Gamma(i + 1) for i = 1/2, 3/2 ... m / 2 - 1
/// All terms are positive, so that small probabilities are as precise as large ones. Throws on NaN and x < 0.
[[nodiscard]] inline double chi_square_tail(double x, Index m) {
  detail::require_positive(m, "chi_square_tail", "degrees of freedom");
  if (detail::is_nan(x) || x < 0.0) detail::fail("chi_square_tail", "x >= 0", {x});
  if (x == 0.0) return 1.0;
  const double y = 0.5 * x;
  // Beyond the mean of every m that an Index holds by more than any power of its deviation; terms would
  // overflow.
  if (y > 1e30) return 0.0;
  const bool is_odd = m % 2 == 1;
  double i = is_odd ? 0.5 : 0.0;
  double term = is_odd ? 2.0 * std::sqrt(y / std::numbers::pi) : 1.0;
  double sum = 0.0;
  double logarithm = -y;  // of what sum and term are multiplied by
  for (const double end = 0.5 * static_cast<double>(m); i < end; ++i) {
    sum += term;
    term *= y / (i + 1.0);
    if (term > 1e200) {
      term *= 1e-200;
      sum *= 1e-200;
      logarithm += 200.0 * std::numbers::ln10;
    }
  }
  // The two exponentials keep exp(-y) from becoming 0 before a large sum meets it.
  const double tail = sum * std::exp(0.5 * logarithm) * std::exp(0.5 * logarithm);
  return std::min(1.0, is_odd ? std::erfc(std::sqrt(y)) + tail : tail);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
