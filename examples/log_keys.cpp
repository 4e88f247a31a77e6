// Integers that are names: how probable was each one where it came? A network learns sessions of log keys, of
// which each stands for a kind of event, and is then shown new ones, some of which broke the rules.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <random>
#include <reprise/models/symbol_predictor.hpp>
#include <reprise/thresholds/outlier_scorer.hpp>
#include <string>
#include <vector>

namespace {

using Session = std::vector<int>;

// A block of a file is written three times (5), each copy begins (11) and is received (9), in any order; it
// may be read (3) and sometimes moved (25 18) before it is deleted (23 21). The numbers have no size: 25 is
// no more than 5.
class Log {
 public:
  explicit Log(unsigned seed) : random_(seed) {}
  Session session() {
    Session keys = {22, 5, 5, 5};
    int to_begin = 3, begun = 0;
    while (to_begin + begun > 0) {
      if (to_begin > 0 && (begun == 0 || below(2) == 0)) {
        keys.push_back(11);
        --to_begin, ++begun;
      } else {
        keys.push_back(9);
        --begun;
      }
    }
    for (int reads = below(4); reads > 0; --reads) keys.push_back(3);
    if (below(5) == 0) keys.insert(keys.end(), {25, 18});
    keys.insert(keys.end(), {23, 21});
    return keys;
  }
  std::vector<Session> sessions(int count) {
    std::vector<Session> result;
    while (count-- > 0) result.push_back(session());
    return result;
  }

 private:
  // Not std::uniform_int_distribution, which differs from library to library.
  int below(unsigned n) { return static_cast<int>(random_() % n); }
  std::mt19937 random_;
};

struct Shown {
  const char* what;
  Session keys;
};

void run(unsigned seed, reprise::Index epochs) {
  Log log(seed);
  const std::vector<Session> training = log.sessions(600), held_out = log.sessions(400);

  reprise::SymbolPredictor<float, int> model(reprise::Vocabulary<int>(training),
                                             {.embedding = 8, .layers = {{.units = 24}}, .seed = seed});
  const auto history = model.fit(
      training,
      {.epochs = epochs, .batch_size = 8, .optimizer = reprise::Adam{.learning_rate = 0.005}, .seed = seed});
  std::printf("trained on %zu sessions: loss %.3f, then %.3f\n\n", training.size(), history.loss.front(),
              history.loss.back());

  // How improbable the least probable key of a normal session is, is known from sessions held out.
  reprise::OutlierScorer scorer(reprise::threshold::conformal(0.01));
  scorer.calibrate(reprise::largest_surprisals(model.score(held_out)));

  const std::vector<Shown> shown = {
      {"nothing, it is normal", {22, 5, 5, 5, 11, 9, 11, 11, 9, 9, 3, 23, 21}},
      {"a copy received before it began", {22, 5, 5, 5, 9, 11, 11, 9, 11, 9, 23, 21}},
      {"moved, but never arrived (18)", {22, 5, 5, 5, 11, 11, 11, 9, 9, 9, 25, 23, 21}},
      {"it ends too early", {22, 5, 5, 5, 11, 9, 11, 9}},
      {"a key never seen (77)", {22, 5, 5, 5, 11, 11, 9, 9, 11, 9, 77, 23, 21}}};
  std::vector<Session> sessions;
  for (const Shown& one : shown) sessions.push_back(one.keys);
  const auto scores = model.score(sessions);
  const auto verdicts = scorer.score(reprise::largest_surprisals(scores));
  const auto p_values = scorer.p_values(reprise::largest_surprisals(scores));

  for (std::size_t s = 0; s < shown.size(); ++s) {
    std::printf("session %zu, %s, p-value %.4f. What is wrong with it: %s\n", s + 1,
                verdicts[s].is_outlier ? "OUTLIER" : "ok", p_values[s], shown[s].what);
    std::printf("  key         ");
    for (const int key : shown[s].keys) std::printf("%6d", key);
    std::printf("   end\n  probability ");
    const auto symbols = model.symbol_scores(shown[s].keys);
    for (const auto& symbol : symbols) std::printf("%6.3f", symbol.probability);
    const auto& strangest = symbols[static_cast<std::size_t>(scores[s].strangest)];
    std::printf("\n  least probable: %s as number %d, of probability %.2g; most probable there was %s\n\n",
                model.vocabulary().name(strangest.came).c_str(), static_cast<int>(scores[s].strangest) + 1,
                strangest.probability, model.vocabulary().name(strangest.expected).c_str());
  }
  std::printf(
      "The probability of a key is what the network thought of it before it came, having read those to the\n"
      "left of it; a key that it never saw has the smallest that there is. Some are low by chance, as where\n"
      "any of several keys may come. So a session is judged by its lowest, and that is held against the "
      "lowest\n"
      "ones of %zu normal sessions that were not trained on: the p-value is the share of them that are at "
      "least\n"
      "as strange, and of normal sessions at most 1 in 100 is called an outlier. An outlier need not be\n"
      "broken; it only is what normal sessions seldom are.\n",
      held_out.size());
}

}  // namespace

int main(int argc, char** argv) {
  unsigned seed = 1;
  reprise::Index epochs = 60;
  CLI::App app("Learns sessions of log keys and says of new ones how probable each key was");
  app.add_option("--seed", seed, "Of the sessions, the initial weights and shuffling")->capture_default_str();
  app.add_option("--epochs", epochs, "Passes over the training sessions")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    run(seed, epochs);
  } catch (const std::exception& error) {
    std::cerr << "log_keys: " << error.what() << '\n';
    return 1;
  }
}
