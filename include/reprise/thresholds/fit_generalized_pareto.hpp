#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "detail/grimshaw.hpp"
#include "generalized_pareto.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The maximum-likelihood fit to excesses > 0, of which there must be at least 10.
[[nodiscard]] inline GeneralizedPareto fit_generalized_pareto(std::span<const double> excesses) {
  constexpr std::size_t fewest = 10;
  if (excesses.size() < fewest) {
    detail::fail("fit_generalized_pareto", {"at least ", fewest, " excesses"}, {excesses.size()});
  }
  for (std::size_t i = 0; i < excesses.size(); ++i) {
    if (!(detail::is_finite(excesses[i]) && excesses[i] > 0.0)) {
      detail::fail("fit_generalized_pareto", "finite excesses > 0", {excesses[i], " at index ", i});
    }
  }
  std::vector<double> scaled(excesses.begin(), excesses.end());
  return detail::fit_excesses_in_place(scaled);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
