#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <reprise/baselines/symbols.hpp>

#include "errors.hpp"

using reprise::Index;
using reprise::NgramModel;
using reprise::UnseenCounts;
using reprise::UnseenNgrams;

namespace {

using Sessions = std::vector<std::vector<std::string>>;
const Sessions training = {{"a", "b", "a", "c"}, {"a", "b"}};

}  // namespace

TEST_CASE("symbol baselines: runs of symbols that no training session has are counted") {
  const Sessions sessions = {{"a", "b"}, {"a", "c", "b"}, {"b", "a", "c"}, {"x", "x"}, {}};
  const std::vector<double> ones = UnseenNgrams<std::string>(training, 1).score(sessions);
  CHECK(ones == std::vector<double>{0, 0, 0, 2, 0});
  // With start and end: c b; start b; start x, x x, x end; start end.
  const std::vector<double> pairs = UnseenNgrams<std::string>(training, 2).score(sessions);
  CHECK(pairs == std::vector<double>{0, 1, 1, 3, 1});
  const std::vector<double> bare =
      UnseenNgrams<std::string>(training, 2, {.start = false, .end = false}).score(sessions);
  CHECK(bare == std::vector<double>{0, 1, 0, 1, 0});
  // A session shorter than a run is one run.
  CHECK(UnseenNgrams<std::string>(training, 9).score(sessions) == std::vector<double>{0, 1, 1, 1, 1});
  CHECK(test::contains(test::error_of([] { UnseenNgrams<std::string>(training, 0); }), "n > 0, got 0"));
}

TEST_CASE("symbol baselines: sessions that have each symbol as often as one in training, in any order") {
  const UnseenCounts<std::string> counts(training);
  CHECK(
      counts.score(Sessions{{"b", "a"}, {"c", "b", "a", "a"}, {"a"}, {"a", "b", "b"}, {"a", "b", "x"}, {}}) ==
      std::vector<double>{0, 0, 1, 1, 1, 1});
}

TEST_CASE("symbol baselines: an n-gram model's probabilities are those of its formula") {
  // Indices: unseen, start, end, a, b, c. After nothing: a 3, b 2, c 1, end 2 of 8, of four kinds.
  const double base = 1.0 / 6, k = 4.0 / 12;
  const double a = 3.0 / 12 + k * base, b = 2.0 / 12 + k * base, end = 2.0 / 12 + k * base;
  const NgramModel<std::string> one(training, 1);
  const auto scores = one.symbol_scores(std::vector<std::string>{"a", "b"});
  REQUIRE(scores.size() == 3);
  CHECK(scores[0].probability == doctest::Approx(a));
  CHECK(scores[1].probability == doctest::Approx(b));
  CHECK(scores[2].probability == doctest::Approx(end));
  CHECK(scores[2].came == one.vocabulary().end());
  CHECK(scores[1].rank == 2);
  CHECK(scores[1].expected == one.vocabulary().index("a"));

  // After a: b twice, c once. After start: a twice.
  const NgramModel<std::string> two(training, 2);
  const auto pairs = two.symbol_scores(std::vector<std::string>{"a", "b", "x", "b"});
  CHECK(pairs[0].probability == doctest::Approx((2 + a) / 3));
  CHECK(pairs[1].probability == doctest::Approx((2 + 2 * b) / 5));
  CHECK(pairs[2].unseen);
  CHECK(pairs[2].probability == 1e-9);
  CHECK(pairs[3].probability == doctest::Approx(b));                  // nothing is known of what follows x
  CHECK(pairs[4].probability == doctest::Approx((1 + 2 * end) / 4));  // after b: a, end

  // Of all symbols together 1, whatever came before.
  const NgramModel<int> numbers(std::vector<std::vector<int>>{{5, 6, 5, 7, 5}, {6, 6}}, 3, {.end = false});
  double sum = 0.0;
  for (const int next : {5, 6, 7}) {
    sum += numbers.symbol_scores(std::vector<int>{6, 5, next})[2].probability;
  }
  CHECK(sum < 1.0);
  CHECK(sum > 0.9);
  const auto sessions = numbers.score(std::vector<std::vector<int>>{{5, 6, 5, 7}, {7, 7, 7}});
  CHECK(sessions[0].mean_surprisal < sessions[1].mean_surprisal);
  CHECK(test::contains(test::error_of([] { NgramModel<std::string>(training, 0); }), "n > 0, got 0"));
  const NgramModel<int> bare(std::vector<std::vector<int>>{{5}}, 2, {.start = false, .end = false});
  CHECK(test::contains(test::error_of([&] { return bare.score(std::vector<std::vector<int>>{{}}); }),
                       "at least one symbol, got none"));
}
