#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include <reprise/core/random.hpp>
#include <reprise/core/sequences.hpp>

namespace test {

/// Series for the tests of detectors: waves of period 20 with noise, a column for each feature. Those of one
/// seed differ by their key in nothing but the noise.
struct Waves {
  std::uint64_t seed;

  reprise::Matrix<double> operator()(reprise::Index steps, reprise::Index features,
                                     std::uint32_t key = 1) const {
    reprise::RandomStream random(seed, reprise::Purpose::other, key);
    reprise::Matrix<double> values(steps, features);
    for (reprise::Index t = 0; t < steps; ++t) {
      for (reprise::Index f = 0; f < features; ++f) {
        const double phase = 2.0 * std::numbers::pi * static_cast<double>(t) / 20.0;
        values(t, f) = 100.0 + 10.0 * std::sin(phase * static_cast<double>(f + 1)) + random.normal();
      }
    }
    return values;
  }
  /// Of one feature.
  std::vector<double> single(reprise::Index steps, std::uint32_t key = 1) const {
    const reprise::Matrix<double> values = (*this)(steps, 1, key);
    return {values.data(), values.data() + steps};
  }
};

}  // namespace test
