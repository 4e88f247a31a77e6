#include <doctest/doctest.h>

#include <cmath>
#include <list>
#include <string>
#include <vector>

#include <reprise/core/random.hpp>
#include <reprise/layers/gru.hpp>
#include <reprise/models/symbol_stream.hpp>

#include "differences.hpp"
#include "errors.hpp"
#include "session_scores.hpp"

using reprise::Index;
using reprise::SessionScore;
using reprise::SymbolPredictor;
using reprise::SymbolStream;
using reprise::SymbolStreams;
using reprise::Vocabulary;

namespace {

using Session = std::vector<int>;

std::vector<Session> sessions(int count) {
  reprise::RandomStream random(3, reprise::Purpose::other, 1);
  std::vector<Session> result;
  for (int s = 0; s < count; ++s) {
    Session session = {7};
    for (int i = 0; i < static_cast<int>(9 * random.uniform()); ++i) {
      session.push_back(random.uniform() < 0.7 ? session.back() % 4 + 1
                                               : static_cast<int>(9 * random.uniform()));
    }
    result.push_back(session);
  }
  return result;
}

SymbolPredictor<double> trained(const reprise::VocabularyOptions& vocabulary = {}) {
  const auto normal = sessions(40);
  SymbolPredictor<double> model(
      Vocabulary<int>(normal, vocabulary),
      {.embedding = 3, .layers = {reprise::LstmOptions{.units = 6}, reprise::GruOptions{.units = 5}}});
  model.fit(normal, {.epochs = 3, .optimizer = reprise::Adam{.learning_rate = 0.01}});
  return model;
}

}  // namespace

TEST_CASE("symbol stream: step by step it says what the model says of the whole session") {
  for (const bool end : {true, false}) {
    const auto model = trained({.end = end});
    SymbolStream<double> stream(model);
    auto all = sessions(20);
    all.push_back({7, 1, 1000, 2});  // never seen
    if (end) all.emplace_back();
    const auto expected = model.score(all);
    for (std::size_t s = 0; s < all.size(); ++s) {
      CAPTURE(s);
      const auto symbols = model.symbol_scores(all[s]);
      const auto probabilities = model.probabilities(all[s]);
      for (std::size_t i = 0; i < all[s].size(); ++i) {
        CHECK(test::largest_difference(stream.probabilities(), probabilities.col(static_cast<Index>(i))) <
              1e-12);
        const auto score = stream.step(all[s][i]);
        CHECK(score.came == symbols[i].came);
        CHECK(score.rank == symbols[i].rank);
        CHECK(score.unseen == symbols[i].unseen);
        CHECK(std::abs(score.surprisal - symbols[i].surprisal) < 1e-11);
        CHECK(stream.session().symbols == static_cast<Index>(i) + 1);
      }
      test::check_near(stream.finish(), expected[s], 1e-12);
      CHECK(stream.session().symbols == 0);
    }
    stream.step(3);
    stream.reset();
    stream.step(7);
    CHECK(stream.session().mean_surprisal == doctest::Approx(model.symbol_scores(Session{7})[0].surprisal));
  }
}

TEST_CASE("symbol streams: sessions that come mixed are told apart by their keys") {
  const auto model = trained();
  SymbolStreams<double, int, std::string> streams(model, 20);
  const auto all = sessions(20);
  const auto expected = model.score(all);
  std::vector<std::size_t> next(all.size());
  reprise::RandomStream random(5, reprise::Purpose::other, 2);
  std::size_t finished = 0;
  while (finished < all.size()) {
    const auto s = static_cast<std::size_t>(static_cast<double>(all.size()) * random.uniform());
    const std::string key = "session " + std::to_string(s);
    if (next[s] > all[s].size()) continue;
    if (next[s] < all[s].size()) {
      streams.step(key, all[s][next[s]]);
      REQUIRE(streams.session(key) != nullptr);
      CHECK(streams.session(key)->symbols == static_cast<Index>(next[s]) + 1);
    } else {
      test::check_near(streams.finish(key), expected[s], 1e-12);
      CHECK(streams.session(key) == nullptr);
      CHECK(streams.finish(key).symbols == 0);
      ++finished;
    }
    ++next[s];
  }
  CHECK(streams.size() == 0);
  CHECK(streams.forgotten() == 0);
}

TEST_CASE("symbol streams: beyond their number the one that was quiet for longest is forgotten") {
  const auto model = trained();
  constexpr std::size_t capacity = 5;
  SymbolStreams<double, int, int> streams(model, capacity);
  // The same by a list, the most recent last, with many more keys than room, and sessions that end.
  std::list<std::pair<int, Index>> expected;
  Index forgotten = 0;
  reprise::RandomStream random(8, reprise::Purpose::other, 3);
  for (int i = 0; i < 3000; ++i) {
    const int key = static_cast<int>(13 * random.uniform()) * 64;  // whose hashes crowd
    auto at = expected.begin();
    while (at != expected.end() && at->first != key) ++at;
    if (random.uniform() < 0.2) {
      const SessionScore score = streams.finish(key);
      CHECK(score.symbols == (at == expected.end() ? 0 : at->second + 1));
      if (at != expected.end()) expected.erase(at);
    } else {
      streams.step(key, 1);
      if (at != expected.end()) {
        ++at->second;
        expected.splice(expected.end(), expected, at);
      } else {
        if (expected.size() == capacity) {
          expected.pop_front();
          ++forgotten;
        }
        expected.emplace_back(key, 1);
      }
    }
    REQUIRE(streams.size() == static_cast<Index>(expected.size()));
    REQUIRE(streams.forgotten() == forgotten);
    for (const auto& [known, symbols] : expected) {
      const SessionScore* const session = streams.session(known);
      REQUIRE(session != nullptr);
      REQUIRE(session->symbols == symbols);
    }
  }
  CHECK(forgotten > 100);
}

TEST_CASE("symbol stream: models that it cannot follow are refused by name") {
  CHECK(test::contains(test::error_of([] { SymbolStream<double>{trained({.start = false})}; }),
                       "one with an index for start, got none"));
  const SymbolPredictor<double> windows(Vocabulary<int>(sessions(3)),
                                        {.layers = {{.units = 2}}, .window = 2});
  CHECK(test::contains(test::error_of([&] { SymbolStream<double>{windows}; }),
                       "SymbolStream: expected a model that reads whole sessions, got one of windows"));
  const auto model = trained();
  CHECK(test::contains(test::error_of([&] { SymbolStreams<double>(model, 0); }), "capacity > 0, got 0"));
  CHECK(test::contains(test::error_of([&] { SymbolStream<double>(model, {.floor = 0}); }),
                       "a floor in (0, 1)"));
}
