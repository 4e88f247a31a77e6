#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "../core/error.hpp"
#include "../core/finite.hpp"

// Two detectors as one, by their p-values. Where each promises that a normal case has a p-value of at most
// alpha with a probability of at most alpha, so does what is made of the two, whatever the detectors have in
// common.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

inline void require_p_value(double p) {
  if (is_finite(p) && p >= 0.0 && p <= 1.0) return;
  fail("combined p-values", "p-values in [0, 1]", {p});
}
template <typename Combine>
std::vector<double> combined(std::span<const double> a, std::span<const double> b, const Combine& combine) {
  if (a.size() != b.size()) fail("combined p-values", {a.size(), " of each detector"}, {b.size()});
  std::vector<double> result;
  for (std::size_t i = 0; i < a.size(); ++i) result.push_back(combine(a[i], b[i]));
  return result;
}

}  // namespace detail

/// Small only where both detectors find a case strange: the larger of the two. Fewer false alarms than either
/// gives.
[[nodiscard]] inline double p_value_of_both(double a, double b) {
  detail::require_p_value(a);
  detail::require_p_value(b);
  return std::max(a, b);
}
/// Small where either detector finds a case strange: twice the smaller, at most 1, for there are two chances
/// of a false alarm (Bonferroni).
[[nodiscard]] inline double p_value_of_either(double a, double b) {
  detail::require_p_value(a);
  detail::require_p_value(b);
  return std::min(1.0, 2.0 * std::min(a, b));
}
/// The same of many cases, one p-value of each detector for each. Throw `Error` where they are not as many.
[[nodiscard]] inline std::vector<double> p_values_of_both(std::span<const double> a,
                                                          std::span<const double> b) {
  return detail::combined(a, b, p_value_of_both);
}
[[nodiscard]] inline std::vector<double> p_values_of_either(std::span<const double> a,
                                                            std::span<const double> b) {
  return detail::combined(a, b, p_value_of_either);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
