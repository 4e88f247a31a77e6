#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <reprise/core/random.hpp>
#include <reprise/layers/gru.hpp>
#include <reprise/models/symbol_predictor.hpp>

#include "differences.hpp"
#include "errors.hpp"
#include "session_scores.hpp"

using reprise::Index;
using reprise::SessionScore;
using reprise::SessionWeight;
using reprise::SymbolPredictor;
using reprise::SymbolScore;
using reprise::Vocabulary;

namespace {

using Words = std::vector<std::string>;

/// "open", then "read" or "write" several times, never both, then "close".
std::vector<Words> sessions(int count, std::uint32_t number) {
  reprise::RandomStream random(7, reprise::Purpose::other, number);
  std::vector<Words> result;
  for (int s = 0; s < count; ++s) {
    Words session = {"open"};
    const char* const what = random.uniform() < 0.5 ? "read" : "write";
    for (int i = 0; i < 1 + static_cast<int>(4 * random.uniform()); ++i) session.emplace_back(what);
    session.emplace_back("close");
    result.push_back(session);
  }
  return result;
}

SymbolPredictor<float, std::string> trained(reprise::SymbolPredictorOptions options, Index epochs = 120) {
  const auto normal = sessions(60, 1);
  SymbolPredictor<float, std::string> model(Vocabulary<std::string>(normal), std::move(options));
  model.fit(normal, {.epochs = epochs, .batch_size = 4, .optimizer = reprise::Adam{.learning_rate = 0.02}});
  return model;
}

reprise::SymbolPredictorOptions small() { return {.embedding = 6, .layers = {{.units = 12}}}; }

}  // namespace

TEST_CASE(
    "symbol predictor: what does not belong where it stands is improbable, whole sessions and windows") {
  for (const bool windows : {false, true}) {
    for (const bool one_hot : {false, true}) {
      CAPTURE(windows);
      CAPTURE(one_hot);
      auto options = small();
      if (windows) options.window = 3;
      if (one_hot) {
        options.embedding = 0;
        options.layers = {reprise::GruOptions{.units = 12}};
      }
      const auto model = trained(options);
      const std::vector<Words> strange = {{"open", "read", "write", "close"},
                                          {"read", "read", "close"},
                                          {"open", "read"},
                                          {"open", "delete", "close"},
                                          {}};
      const Index place[] = {2, 0, 2, 1, 0};  // of the end, of the missing open, ...
      double most_normal = 0.0;
      for (const SessionScore& normal : model.score(sessions(40, 2))) {
        most_normal = test::larger(most_normal, normal.largest_surprisal);
        CHECK(!normal.unseen);
      }
      CHECK(most_normal < 3.0);
      const auto scores = model.score(strange);
      for (std::size_t s = 0; s < scores.size(); ++s) {
        CAPTURE(s);
        CHECK(scores[s].largest_surprisal > most_normal + 0.5);
        CHECK(scores[s].strangest == place[s]);
        CHECK(scores[s].symbols == static_cast<Index>(strange[s].size()) + 1);
        CHECK(scores[s].unseen == (s == 3));
      }
    }
  }
}

TEST_CASE(
    "symbol predictor: a session's scores are those of its symbols' probabilities, alone or among others") {
  for (const Index window : {0, 3}) {
    CAPTURE(window);
    auto options = small();
    options.window = window;
    const auto model = trained(options, 5);
    auto all = sessions(90, 3);    // more than a block, of different lengths, many of them equal
    all.emplace_back(70, "read");  // longer than any in training, and than a block
    all.back().emplace_back("never");
    all.push_back({"open", "never", "seen", "close"});
    const auto scores = model.score(all);
    const auto with_threads = model.score(all, {.threads = 3});
    REQUIRE(scores.size() == all.size());
    for (std::size_t s = 0; s < all.size(); ++s) {
      CHECK(scores[s].mean_surprisal == with_threads[s].mean_surprisal);
      CHECK(scores[s].largest_surprisal == with_threads[s].largest_surprisal);
      if (s % 7 != 0 && s < 90) continue;
      const auto symbols = model.symbol_scores(all[s]);
      REQUIRE(symbols.size() == all[s].size() + 1);
      test::check_near(reprise::session_score(symbols), scores[s], 1e-4);
      const auto probabilities = model.probabilities(all[s]);
      REQUIRE(probabilities.cols() == static_cast<Index>(symbols.size()));
      REQUIRE(probabilities.rows() == model.vocabulary().size());
      for (Index t = 0; t < probabilities.cols(); ++t) {
        CHECK(std::abs(probabilities.col(t).sum() - 1.0f) < 1e-5f);
        const SymbolScore& symbol = symbols[static_cast<std::size_t>(t)];
        const bool is_end = t + 1 == probabilities.cols();
        CHECK(symbol.came == (is_end ? model.vocabulary().end()
                                     : model.vocabulary().index(all[s][static_cast<std::size_t>(t)])));
        if (!symbol.unseen) {
          CHECK(symbol.probability == static_cast<double>(probabilities(symbol.came, t)));
        } else {
          CHECK(symbol.probability == 1e-9);
        }
      }
    }
  }
}

TEST_CASE("symbol predictor: the loss is the mean surprisal of what came") {
  const auto normal = sessions(60, 1);
  const auto model = trained(small(), 3);
  double sum = 0.0, count = 0.0;
  for (const Words& session : std::vector<Words>{normal[0], normal[1], {"open", "close"}}) {
    for (const SymbolScore& symbol : model.symbol_scores(session)) sum += symbol.surprisal, ++count;
  }
  CHECK(normal[0] != normal[1]);
  CHECK(model.evaluate(std::vector<Words>{normal[0], normal[1], {"open", "close"}, normal[1]}) ==
        doctest::Approx(sum / count).epsilon(1e-5));
}

TEST_CASE("symbol predictor: a window of as many symbols as a session has is the whole session") {
  // The same weights, but for the form of the last layer's output.
  auto options = small();
  const auto whole = trained(options, 3);
  options.window = 30;
  const SymbolPredictor<float, std::string> windows(whole.vocabulary(), options, whole.weights());
  const auto all = sessions(20, 5);
  const auto expected = whole.score(all), scores = windows.score(all);
  for (std::size_t s = 0; s < all.size(); ++s) test::check_near(scores[s], expected[s], 1e-4);
  // A shorter one forgets the start.
  options.window = 1;
  const SymbolPredictor<float, std::string> bigrams(whole.vocabulary(), options, whole.weights());
  CHECK(std::abs(bigrams.score(all)[0].mean_surprisal - expected[0].mean_surprisal) > 1e-4);
}

TEST_CASE("symbol predictor: fits go on bit for bit, with validation, weights and any number of threads") {
  const auto normal = sessions(60, 1), longer = std::vector<Words>{Words(12, "read"), normal[0]};
  const auto fit = [&](auto& model, Index epochs, int threads) {
    reprise::FitOptions options{.epochs = epochs, .batch_size = 8};
    options.threads = threads;
    options.validation_data = model.source(longer);
    return model.fit(normal, options, SessionWeight::count);
  };
  const Vocabulary<std::string> vocabulary(normal);
  SymbolPredictor<float, std::string> a(vocabulary, small()), b(vocabulary, small());
  const auto history = fit(a, 4, 1);
  CHECK(history.validation_loss.size() == 4);
  fit(b, 1, 2);
  fit(b, 3, 1);
  CHECK((a.weights() == b.weights()));
  SymbolPredictor<float, std::string> one(vocabulary, small());
  one.fit(normal, {.epochs = 4, .batch_size = 8}, SessionWeight::one);
  CHECK((a.weights() != one.weights()));
  SymbolPredictor<float, std::string> own(vocabulary, small());
  const auto source = own.source(normal, SessionWeight::one);
  reprise::FitOptions options{.epochs = 4, .batch_size = 8};
  options.sample_weights = std::vector<double>(static_cast<std::size_t>(source.size()), 1.0);
  own.fit(source, options);
  CHECK((own.weights() == one.weights()));
}

TEST_CASE("symbol predictor: what cannot be is refused by name") {
  const Vocabulary<int> bare(reprise::VocabularyOptions{.start = false, .end = false});
  using Numbers = std::vector<std::vector<int>>;
  CHECK(test::contains(test::error_of([&] { SymbolPredictor<float>(bare, {}); }),
                       "SymbolPredictor: expected at least one recurrent layer, got none"));
  CHECK(test::contains(
      test::error_of([&] { SymbolPredictor<float>(bare, {.layers = {{.units = 2, .go_backwards = true}}}); }),
      "a layer that reads forwards"));
  SymbolPredictor<float> model(bare, {.layers = {{.units = 2}}});  // a vocabulary of one, the unseen
  CHECK(test::contains(test::error_of([&] {
                         return model.score(Numbers{{1, 2}, {}});
                       }),
                       "sessions of at least 2 indices, start and end included, got 0 in session 1"));
  CHECK(test::contains(test::error_of([&] { model.fit(Numbers{{1}}); }), "got 1 in session 0"));
  CHECK(test::contains(test::error_of([&] { model.fit(Numbers{}); }), "at least one session, got none"));
  CHECK(test::contains(test::error_of([&] {
                         model.fit(Numbers{{1, 2}}, {.loss = reprise::MeanAbsoluteError{}});
                       }),
                       "fit: expected the loss SparseCategoricalCrossentropy, or none, got another"));
  CHECK(model.score(Numbers{}).empty());
  model.fit(Numbers{{4, 4, 4}});
  const auto scores = model.score(Numbers{{1, 2, 3}});
  CHECK(scores[0].unseen);
  CHECK(std::isfinite(scores[0].largest_surprisal));
}
