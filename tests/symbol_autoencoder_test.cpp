#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <reprise/core/random.hpp>
#include <reprise/models/symbol_autoencoder.hpp>

#include "differences.hpp"
#include "errors.hpp"

using reprise::Index;
using reprise::SessionScore;
using reprise::SymbolAutoencoder;
using reprise::SymbolScore;
using reprise::Vocabulary;

namespace {

using Session = std::vector<int>;

/// 1, then 2 or 3 several times, never both, then 4.
std::vector<Session> sessions(int count, std::uint32_t number) {
  reprise::RandomStream random(7, reprise::Purpose::other, number);
  std::vector<Session> result;
  for (int s = 0; s < count; ++s) {
    Session session = {1};
    session.insert(session.end(), 1 + static_cast<std::size_t>(5 * random.uniform()),
                   random.uniform() < 0.5 ? 2 : 3);
    session.push_back(4);
    result.push_back(session);
  }
  return result;
}

SymbolAutoencoder<float> trained(Index embedding, Index epochs) {
  const auto normal = sessions(60, 1);
  SymbolAutoencoder<float> model(
      Vocabulary<int>(normal),
      {.embedding = embedding, .encoder = {{.units = 12}}, .decoder = {{.units = 12}}});
  model.fit(normal, {.epochs = epochs, .batch_size = 4, .optimizer = reprise::Adam{.learning_rate = 0.02}});
  return model;
}

}  // namespace

TEST_CASE("symbol autoencoder: it reproduces what it was trained on, and finds the rest improbable") {
  for (const Index embedding : {0, 6}) {
    CAPTURE(embedding);
    const auto model = trained(embedding, 200);
    double most = 0.0;
    for (const SessionScore& score : model.score(sessions(40, 2))) {
      most = test::larger(most, score.largest_surprisal);
      CHECK(score.largest_rank == 1);
    }
    CHECK(most < 1.0);
    const std::vector<Session> strange = {{1, 2, 3, 2, 4}, {4, 2, 2, 1}, {1, 2, 99, 2, 4}};
    for (const SessionScore& score : model.score(strange)) CHECK(score.largest_surprisal > most + 0.5);
    CHECK(model.score(strange)[2].unseen);
  }
}

TEST_CASE(
    "symbol autoencoder: a session's scores do not depend on those beside it, nor the loss on padding") {
  const auto model = trained(4, 4);
  auto all = sessions(80, 3);
  all.push_back(Session(30, 2));  // longer than any in training
  all.emplace_back();
  const auto scores = model.score(all), with_threads = model.score(all, {.threads = 2});
  std::vector<Session> distinct;
  double sum = 0.0, count = 0.0;
  for (std::size_t s = 0; s < all.size(); ++s) {
    CHECK(scores[s].mean_surprisal == with_threads[s].mean_surprisal);
    const std::vector<SymbolScore> symbols = model.symbol_scores(all[s]);
    REQUIRE(symbols.size() == all[s].size() + 1);
    CHECK(symbols.back().came == model.vocabulary().end());
    CHECK(std::abs(reprise::session_score(symbols).mean_surprisal - scores[s].mean_surprisal) < 1e-4);
    CHECK(scores[s].symbols == static_cast<Index>(symbols.size()));
    if (std::find(distinct.begin(), distinct.end(), all[s]) != distinct.end()) continue;
    distinct.push_back(all[s]);
    for (const SymbolScore& symbol : symbols) sum += symbol.surprisal, ++count;
  }
  CHECK(model.evaluate(all) == doctest::Approx(sum / count).epsilon(1e-5));
  CHECK(model.probabilities(all[0]).cols() == static_cast<Index>(all[0].size()) + 1);
}

TEST_CASE("symbol autoencoder: what cannot be is refused by name") {
  const auto normal = sessions(3, 1);
  const auto refusal = [&](reprise::SymbolAutoencoderOptions options,
                           const reprise::VocabularyOptions& vocabulary) {
    return test::error_of([&] { SymbolAutoencoder<float>(Vocabulary<int>(normal, vocabulary), options); });
  };
  CHECK(test::contains(refusal({.decoder = {{.units = 2}}}, {}), "at least one encoder layer, got none"));
  CHECK(test::contains(refusal({.encoder = {{.units = 2}}}, {}), "at least one decoder layer, got none"));
  CHECK(test::contains(refusal({.encoder = {{.units = 2}}, .decoder = {{.units = 2}}}, {.start = false}),
                       "one with an index for start, got none"));
  CHECK(refusal({.encoder = {{.units = 2}}, .decoder = {{.units = 2}}}, {.end = false}) == "nothing thrown");
}
