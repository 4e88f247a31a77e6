#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

#include "version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"
/// (SC 2011): a pure function of counter and key, so that any thread can draw any number without a state to
/// share.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t key) {
  auto key0 = static_cast<std::uint32_t>(key);
  auto key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(product1),
        static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

}  // namespace detail

/// What a stream of random numbers is for; numbers of different purposes never coincide.
enum class Purpose : std::uint32_t {
  initial_weights = 1,
  shuffle = 2,
  dropout = 3,
  recurrent_dropout = 4,
  other = 5,
  p_value = 6
};

namespace detail {

/// A uniform number in [0, 1) with 24 random bits.
inline double uniform_from(std::uint32_t bits) { return static_cast<double>(bits >> 8) * 0x1p-24; }

}  // namespace detail

/// Random numbers one after the other, keyed by seed, purpose and two more numbers (a layer, an epoch, ...).
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint32_t a = 0, std::uint32_t b = 0)
      : seed_(seed), counter_{0, static_cast<std::uint32_t>(purpose), a, b} {}

  std::uint32_t bits() {
    if (used_ == 4) draw_block();
    return block_[static_cast<std::size_t>(used_++)];
  }
  /// In [0, 1), 53 random bits.
  double uniform() {
    const std::uint64_t high = bits() >> 5;
    const std::uint64_t low = bits() >> 6;
    return static_cast<double>(high * 67108864 + low) * 0x1p-53;
  }
  /// Standard normal, Box-Muller.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// Standard normal, drawn again beyond two standard deviations.
  double truncated_normal() {
    double value = normal();
    while (std::abs(value) > 2.0) value = normal();
    return value;
  }
  /// In [0, bound), without bias: Lemire, "Fast random integer generation in an interval" (2019), 32 bits.
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = std::uint64_t{bits()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t threshold = (0u - bound) % bound;
      while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{bits()} * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

 private:
  /// Ten rounds, which stand once in a program and not at each place that draws a number.
  [[gnu::noinline]] void draw_block() {
    block_ = detail::philox(counter_, seed_);
    ++counter_[0];
    used_ = 0;
  }

  std::uint64_t seed_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

namespace detail {

/// Fisher-Yates.
template <typename Container>
void shuffle(Container& items, RandomStream& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[random.below(static_cast<std::uint32_t>(i))]);
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
