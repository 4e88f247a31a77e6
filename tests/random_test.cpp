#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include <reprise/core/random.hpp>

#include "differences.hpp"

namespace {

using reprise::Purpose;
using reprise::RandomStream;
using reprise::detail::philox;
using Block = std::array<std::uint32_t, 4>;

TEST_CASE("Philox4x32-10 gives the known answers of Random123") {  // its file kat_vectors
  CHECK(philox({0, 0, 0, 0}, 0) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox({ones, ones, ones, ones}, ~std::uint64_t{0}) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream hands out the blocks of its counter one number after the other") {
  RandomStream stream(7, Purpose::shuffle, 11, 13);
  for (std::uint32_t block = 0; block < 3; ++block) {
    for (const std::uint32_t expected : philox({block, 2, 11, 13}, 7)) CHECK(stream.bits() == expected);
  }
}

TEST_CASE("a uniform number is made of 53 bits") {
  RandomStream bits(7, Purpose::shuffle), stream(7, Purpose::shuffle);
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t high = bits.bits(), low = bits.bits();
    CHECK(stream.uniform() == std::ldexp(high / 32, -27) + std::ldexp(low / 64, -53));
  }
}

TEST_CASE("streams differ in seed, purpose and both numbers, and only then") {
  const auto first = [](std::uint64_t seed, Purpose purpose, std::uint32_t a, std::uint32_t b) {
    return RandomStream(seed, purpose, a, b).uniform();
  };
  const std::set<double> values = {first(1, Purpose::shuffle, 0, 0),
                                   first(2, Purpose::shuffle, 0, 0),
                                   first(std::uint64_t{1} << 32, Purpose::shuffle, 0, 0),
                                   first(1, Purpose::dropout, 0, 0),
                                   first(1, Purpose::shuffle, 1, 0),
                                   first(1, Purpose::shuffle, 0, 1)};
  CHECK(values.size() == 6);
  CHECK(first(1, Purpose::shuffle, 0, 0) == first(1, Purpose::shuffle, 0, 0));
}

TEST_CASE("uniform numbers are uniform") {
  RandomStream stream(1, Purpose::other);
  constexpr int n = 200000, bins = 64;
  std::vector<int> counts(bins);
  double sum = 0, products = 0, previous = 0;
  for (int i = 0; i < n; ++i) {
    const double u = stream.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    sum += u;
    products += (u - .5) * (previous - .5);
    previous = u;
    ++counts[static_cast<std::size_t>(u * bins)];
  }
  // within five standard deviations, so that the mean, the serial correlation and chi squared can each be
  // held tight
  CHECK(std::abs(sum / n - .5) < 5 * std::sqrt(1. / 12 / n));
  CHECK(std::abs(products / n * 12) < 5 / std::sqrt(n));
  double chi_squared = 0;
  for (const int count : counts) chi_squared += std::pow(count - double{n} / bins, 2) / (double{n} / bins);
  CHECK(chi_squared < bins - 1 + 5 * std::sqrt(2. * (bins - 1)));
}

TEST_CASE("uniform_from keeps the 24 high bits") {
  CHECK(reprise::detail::uniform_from(0) == 0);
  CHECK(reprise::detail::uniform_from(0xff) == 0);
  CHECK(reprise::detail::uniform_from(0x80000000) == .5);
  CHECK(reprise::detail::uniform_from(0xffffffff) == 1 - 0x1p-24);
}

TEST_CASE("normal numbers have the moments and the tails of the normal distribution") {
  RandomStream stream(2, Purpose::other);
  constexpr int n = 200000;
  double sum = 0, squares = 0, fourth = 0;
  int beyond_two = 0;
  for (int i = 0; i < n; ++i) {
    const double z = stream.normal();
    REQUIRE(std::isfinite(z));
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
    beyond_two += std::abs(z) > 2;
  }
  const double root = std::sqrt(n);
  CHECK(std::abs(sum / n) < 5 / root);
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2.) / root);
  CHECK(std::abs(fourth / n - 3) < 5 * std::sqrt(96.) / root);
  CHECK(std::abs(beyond_two / double{n} - .0455003) < 5 * std::sqrt(.0455 * .9545) / root);
}

TEST_CASE("truncated normal numbers end at two standard deviations") {
  RandomStream stream(3, Purpose::other);
  constexpr int n = 200000;
  double squares = 0, largest = 0;
  for (int i = 0; i < n; ++i) {
    const double z = stream.truncated_normal();
    squares += z * z;
    largest = test::larger(largest, std::abs(z));
  }
  CHECK(largest <= 2);
  CHECK(largest > 1.999);
  CHECK(squares / n == doctest::Approx(.87962566103423978 * .87962566103423978).epsilon(.01));
}

TEST_CASE("below(bound) gives each number below the bound equally often") {
  for (const std::uint32_t bound : {1u, 2u, 3u, 10u, 7u}) {
    RandomStream stream(4, Purpose::other, bound);
    std::vector<int> counts(bound);
    constexpr int n = 100000;
    for (int i = 0; i < n; ++i) ++counts.at(stream.below(bound));
    for (const int count : counts) {
      const double p = 1. / bound;
      CHECK(std::abs(count - n * p) <= 5 * std::sqrt(n * p * (1 - p)));
    }
  }
}

TEST_CASE("below(bound) has no bias where bits % bound or a plain product would have a large one") {
  // Of 2^32 values, bound 3 * 2^30 takes the first or every third third of its range twice as often without
  // rejection.
  const std::uint32_t bound = 3u << 30;
  RandomStream stream(5, Purpose::other);
  constexpr int n = 30000;
  int low = 0, multiple = 0;
  for (int i = 0; i < n; ++i) {
    const std::uint32_t drawn = stream.below(bound);
    REQUIRE(drawn < bound);
    low += drawn < 1u << 30;
    multiple += drawn % 3 == 0;
  }
  CHECK(std::abs(low - n / 3.) < 5 * std::sqrt(n * 2 / 9.));
  CHECK(std::abs(multiple - n / 3.) < 5 * std::sqrt(n * 2 / 9.));
}

TEST_CASE("shuffle gives every permutation equally often, and the same one for the same stream") {
  std::map<std::vector<int>, int> counts;
  RandomStream stream(6, Purpose::shuffle);
  constexpr int n = 24000;
  for (int i = 0; i < n; ++i) {
    std::vector<int> items = {0, 1, 2, 3};
    reprise::detail::shuffle(items, stream);
    ++counts[items];
  }
  CHECK(counts.size() == 24);
  for (const auto& [permutation, count] : counts) {
    CHECK(std::is_permutation(permutation.begin(), permutation.end(), std::vector<int>{0, 1, 2, 3}.begin()));
    CHECK(std::abs(count - n / 24.) < 5 * std::sqrt(n / 24.));
  }

  std::vector<int> large(1000);
  std::iota(large.begin(), large.end(), 0);
  std::vector<int> once = large, twice = large;
  RandomStream first(8, Purpose::shuffle), second(8, Purpose::shuffle);
  reprise::detail::shuffle(once, first);
  reprise::detail::shuffle(twice, second);
  CHECK(once == twice);
  CHECK(once != large);
  std::sort(once.begin(), once.end());
  CHECK(once == large);

  std::vector<int> none;
  reprise::detail::shuffle(none, first);
  CHECK(none.empty());
}

}  // namespace
