#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <reprise/scores/symbols.hpp>
#include <reprise/thresholds/combine_p_values.hpp>
#include <reprise/thresholds/outlier_scorer.hpp>

#include "errors.hpp"

using reprise::Index;
using reprise::outside_top;
using reprise::SessionScore;
using reprise::SymbolScore;

namespace {

SymbolScore score(const std::vector<double>& probabilities, Index came,
                  const reprise::SymbolScoreOptions& options = {}) {
  return reprise::symbol_score(std::span<const double>(probabilities), came, options);
}

}  // namespace

TEST_CASE("symbol scores: probability, surprisal, rank, and what was expected") {
  const std::vector<double> p = {0.1, 0.5, 0.15, 0.15, 0.1};
  CHECK(score(p, 1).probability == 0.5);
  CHECK(score(p, 1).surprisal == doctest::Approx(std::log(2.0)));
  CHECK(score(p, 1).rank == 1);
  CHECK(score(p, 2).rank == 2);  // of equals each has the better rank
  CHECK(score(p, 3).rank == 2);
  CHECK(score(p, 0).rank == 4);
  CHECK(score(p, 4).rank == 4);
  CHECK(score(p, 4).expected == 1);
  CHECK(score(p, 4).came == 4);
  CHECK(!score(p, 4).unseen);
  CHECK(!outside_top(score(p, 0), 4));
  CHECK(outside_top(score(p, 0), 3));
}

TEST_CASE("symbol scores: an unseen symbol has the floor's probability and is outside any top") {
  const std::vector<double> p = {0.9, 0.1, 0.0};
  const SymbolScore unseen = score(p, 0, {.floor = 1e-4, .unseen = 0});
  CHECK(unseen.probability == 1e-4);
  CHECK(unseen.rank == 3);
  CHECK(unseen.unseen);
  CHECK(outside_top(unseen, 3));
  const SymbolScore impossible = score(p, 2, {.floor = 1e-4, .unseen = 0});
  CHECK(impossible.surprisal == doctest::Approx(-std::log(1e-4)));
  CHECK(!impossible.unseen);
  CHECK(score({1.0}, 0).surprisal == 0.0);  // a vocabulary of one
  CHECK(std::isfinite(score({0.0, 1.0}, 0).surprisal));
}

TEST_CASE("symbol scores: of a session the mean, the largest and its place, and the largest rank") {
  const std::vector<double> p = {0.5, 0.25, 0.25};
  const std::vector<SymbolScore> symbols = {score(p, 0), score(p, 1), score(p, 0), score(p, 2)};
  const SessionScore session = reprise::session_score(symbols);
  CHECK(session.mean_surprisal == doctest::Approx(1.5 * std::log(2.0)));
  CHECK(session.largest_surprisal == doctest::Approx(2 * std::log(2.0)));
  CHECK(session.strangest == 1);  // the first of equals
  CHECK(session.largest_rank == 2);
  CHECK(session.symbols == 4);
  CHECK(!session.unseen);
  CHECK(!outside_top(session, 2));
  CHECK(outside_top(session, 1));

  SessionScore with_unseen = session;
  with_unseen.add(score(p, 0, {.unseen = 0}));
  CHECK(with_unseen.unseen);
  CHECK(with_unseen.strangest == 4);
  CHECK(outside_top(with_unseen, 100));
  const std::vector<SessionScore> both = {session, with_unseen};
  CHECK(reprise::mean_surprisals(both)[0] == session.mean_surprisal);
  CHECK(reprise::largest_surprisals(both)[1] == with_unseen.largest_surprisal);
}

TEST_CASE("symbol scores: thresholds and p-values take surprisals as they take errors") {
  std::vector<SessionScore> normal, others(2);
  for (int i = 1; i < 100; ++i) {
    const double p = 1.0 - 0.005 * i;
    normal.emplace_back();
    normal.back().add(score({p, 1.0 - p}, 0));
  }
  others[0].add(score({0.9, 0.1}, 0));
  others[1].add(score({0.9, 0.1}, 1));
  reprise::OutlierScorer scorer(reprise::threshold::conformal(0.01));
  scorer.calibrate(reprise::mean_surprisals(normal));
  const auto verdicts = scorer.score(reprise::mean_surprisals(others));
  CHECK(!verdicts[0].is_outlier);
  CHECK(verdicts[1].is_outlier);
  CHECK(scorer.p_values(reprise::mean_surprisals(others))[1] == doctest::Approx(0.01));
}

TEST_CASE("symbol scores: what cannot be is refused by name") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(test::contains(test::error_of([] { return score({0.5, 0.5}, 2); }), "an index from 0 to 1, got 2"));
  CHECK(test::contains(test::error_of([] { return score({0.5, 0.5}, -1); }), "got -1"));
  CHECK(test::contains(test::error_of([&] {
                         score({nan, 0.5}, 1);
                       }),
                       "probabilities in [0, 1], got nan for index 0"));
  CHECK(test::contains(test::error_of([&] { return score({0.5, 1.5}, 0); }), "got 1.5 for index 1"));
  for (const double floor : {0.0, 1.0, -0.1, nan}) {
    CHECK(test::contains(test::error_of([&] {
                           score({0.5, 0.5}, 0, {.floor = floor});
                         }),
                         "a floor in (0, 1)"));
  }
  CHECK(test::contains(test::error_of([] { return reprise::session_score({}); }),
                       "at least one symbol, got none"));
}

TEST_CASE("combined p-values: both is the larger, either twice the smaller, and neither breaks the promise") {
  CHECK(reprise::p_value_of_both(0.01, 0.3) == 0.3);
  CHECK(reprise::p_value_of_both(0.3, 0.01) == 0.3);
  CHECK(reprise::p_value_of_either(0.01, 0.3) == 0.02);
  CHECK(reprise::p_value_of_either(0.3, 0.01) == 0.02);
  CHECK(reprise::p_value_of_either(0.7, 0.9) == 1.0);
  const std::vector<double> a = {0.1, 0.2}, b = {0.3, 0.05};
  CHECK(reprise::p_values_of_both(a, b) == std::vector<double>{0.3, 0.2});
  CHECK(reprise::p_values_of_either(a, b) == std::vector<double>{0.2, 0.1});
  // p-values that hold for each detector, 1/1000 ... 1: of detectors that agree, and of those that disagree.
  for (const double alpha : {0.01, 0.05, 0.2}) {
    int both_agree = 0, either_agree = 0, both_disagree = 0, either_disagree = 0;
    for (int i = 1; i <= 1000; ++i) {
      const double p = i / 1000.0, q = (1001 - i) / 1000.0;
      both_agree += reprise::p_value_of_both(p, p) <= alpha;
      either_agree += reprise::p_value_of_either(p, p) <= alpha;
      both_disagree += reprise::p_value_of_both(p, q) <= alpha;
      either_disagree += reprise::p_value_of_either(p, q) <= alpha;
    }
    const int most = static_cast<int>(alpha * 1000 + 0.5);
    CHECK(both_agree == most);
    CHECK(either_agree == most / 2);
    CHECK(both_disagree == 0);
    CHECK(either_disagree == most / 2 * 2);
  }
  CHECK(test::contains(test::error_of([] { return reprise::p_value_of_both(0.1, 1.1); }),
                       "p-values in [0, 1], got 1.1"));
  CHECK(test::contains(test::error_of([] { return reprise::p_value_of_either(std::nan(""), 1.0); }),
                       "got nan"));
  CHECK(test::contains(test::error_of([&] { return reprise::p_values_of_both(a, std::vector<double>{1.0}); }),
                       "2 of each detector, got 1"));
}
