#pragma once

#include <doctest/doctest.h>

#include <cmath>

#include <reprise/scores/symbols.hpp>

namespace test {

/// Surprisals may differ by so much, all else is equal.
inline void check_near(const reprise::SessionScore& a, const reprise::SessionScore& b, double tolerance) {
  CHECK(std::abs(a.mean_surprisal - b.mean_surprisal) <= tolerance);
  CHECK(std::abs(a.largest_surprisal - b.largest_surprisal) <= tolerance);
  CHECK(a.symbols == b.symbols);
  CHECK(a.largest_rank == b.largest_rank);
  CHECK(a.strangest == b.strangest);
  CHECK(a.unseen == b.unseen);
}

}  // namespace test
