// Sessions of symbols made from a seed, whose rules are known, with anomalies planted: how many of those that
// somebody who knows the rules can see does `SymbolPredictor` find, at one false alarm in a hundred sessions?
// By hand: reprise_detection_symbols [SEED] [EPOCHS]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <reprise/models/symbol_predictor.hpp>
#include <reprise/thresholds/p_values.hpp>

namespace {

using Session = std::vector<int>;
using Sessions = std::vector<Session>;

/// Not std::uniform_int_distribution, which differs from library to library.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int below(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }

 private:
  std::mt19937 engine_;
};

constexpr int unseen = 1000;

/// What may come next, given what came; -1 is the end. All that may come has the same probability.
using Rules = std::function<std::vector<int>(const Session&)>;

/// Of eight symbols two or three may follow each run of `order` symbols; a session may end from its twelfth
/// on.
Rules markov(int order, unsigned seed) {
  return [order, seed](const Session& so_far) {
    unsigned context = seed;
    const int first = std::max(0, static_cast<int>(so_far.size()) - order);
    for (int i = first; i < static_cast<int>(so_far.size()); ++i) {
      context = context * 31 + static_cast<unsigned>(so_far[static_cast<std::size_t>(i)]) + 1;
    }
    Random random(context);
    std::vector<int> next;
    const int count = 2 + random.below(2);
    while (static_cast<int>(next.size()) < count) {
      const int symbol = random.below(8);
      if (std::find(next.begin(), next.end(), symbol) == next.end()) next.push_back(symbol);
    }
    if (so_far.size() >= 12) next.push_back(-1);
    return next.empty() ? std::vector<int>{-1} : next;
  };
}

/// Three kinds of brackets, 0 and 10, 1 and 11, 2 and 12, closed in the order in which they were opened, up
/// to four deep; 5 may stand anywhere. A session may end when all are closed, from its eighth symbol on.
std::vector<int> brackets(const Session& so_far) {
  std::vector<int> open;
  for (const int symbol : so_far) {
    if (symbol < 3) open.push_back(symbol);
    if (symbol >= 10 && !open.empty()) open.pop_back();
  }
  std::vector<int> next = {5};
  if (!open.empty()) next.insert(next.end(), {10 + open.back(), 10 + open.back()});
  if (open.size() < 4 && so_far.size() < 24) next.insert(next.end(), {0, 1, 2});
  if (open.empty() && so_far.size() >= 8) next.insert(next.end(), {-1, -1});
  return next;
}

/// Two processes side by side: one goes 0, 1, 2 or 3, 4 and again, the other 10, 11, 12 and again; a session
/// may end when both are at their beginning.
std::vector<int> two_processes(const Session& so_far) {
  int a = -1, b = -1;
  for (const int symbol : so_far) (symbol < 10 ? a : b) = symbol;
  std::vector<int> next;
  if (a == -1 || a == 4) next.push_back(0);
  if (a == 0) next.push_back(1);
  if (a == 1) next.insert(next.end(), {2, 3});
  if (a == 2 || a == 3) next.push_back(4);
  next.push_back(b == -1 || b == 12 ? 10 : b + 1);
  if (a == 4 && b == 12) next.insert(next.end(), {-1, -1});
  return next;
}

Session draw(const Rules& rules, Random& random) {
  Session session;
  while (true) {
    const std::vector<int> next = rules(session);
    const int symbol = next[static_cast<std::size_t>(random.below(static_cast<int>(next.size())))];
    if (symbol == -1) return session;
    session.push_back(symbol);
  }
}

Sessions draw(const Rules& rules, Random& random, int count) {
  Sessions sessions;
  while (count-- > 0) sessions.push_back(draw(rules, random));
  return sessions;
}

/// Whether the rules forbid some symbol of the session where it stands, or its end.
bool is_broken(const Rules& rules, const Session& session) {
  Session so_far;
  for (std::size_t i = 0; i <= session.size(); ++i) {
    const int symbol = i < session.size() ? session[i] : -1;
    const std::vector<int> next = rules(so_far);
    if (std::find(next.begin(), next.end(), symbol) == next.end()) return true;
    so_far.push_back(symbol);
  }
  return false;
}

enum class Anomaly { swapped, missing, inserted, never_seen, moved };
constexpr const char* names[] = {"neighbours swapped", "one missing", "one inserted", "one never seen",
                                 "two swapped far apart"};

void plant(Anomaly anomaly, Session& session, Random& random) {
  const auto at = [&](int last) { return random.below(static_cast<int>(session.size()) - last); };
  const int place = at(anomaly == Anomaly::moved ? 5 : 1);
  const auto position = session.begin() + place;
  switch (anomaly) {
    case Anomaly::swapped: std::swap(position[0], position[1]); break;
    case Anomaly::missing: session.erase(position); break;
    case Anomaly::inserted: session.insert(position, session[static_cast<std::size_t>(at(0))]); break;
    case Anomaly::never_seen: *position = unseen; break;
    case Anomaly::moved: std::swap(position[0], position[5]); break;
  }
}

void judge(const std::string& name, const Rules& rules, unsigned seed, reprise::Index epochs) {
  Random random(seed);
  const Sessions training = draw(rules, random, 3000), held_out = draw(rules, random, 1000);
  const Sessions normal = draw(rules, random, 2000);
  reprise::SymbolPredictor<float, int> model(reprise::Vocabulary<int>(training),
                                             {.layers = {{.units = 64}}, .seed = seed});
  model.fit(training, {.epochs = epochs, .optimizer = reprise::Adam{.learning_rate = 0.003}, .seed = seed});
  const auto calibration = reprise::largest_surprisals(model.score(held_out));
  const auto flagged = [&](const Sessions& sessions) {
    const auto p = reprise::p_values(calibration, reprise::largest_surprisals(model.score(sessions)));
    const auto small = std::count_if(p.begin(), p.end(), [](double value) { return value <= 0.01; });
    return static_cast<double>(small) / static_cast<double>(sessions.size());
  };
  std::printf("%-24s false alarms %.4f", name.c_str(), flagged(normal));
  for (int kind = 0; kind < 5; ++kind) {
    Sessions planted;
    while (planted.size() < 500) {
      Session session = draw(rules, random);
      if (session.size() < 7) continue;
      plant(static_cast<Anomaly>(kind), session, random);
      if (is_broken(rules, session)) planted.push_back(session);
    }
    std::printf(", %s %.3f", names[kind], flagged(planted));
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  const auto seed = static_cast<unsigned>(argc > 1 ? std::atoi(argv[1]) : 1);
  const reprise::Index epochs = argc > 2 ? std::atoi(argv[2]) : 40;
  for (const int order : {1, 2, 3})
    judge("Markov of order " + std::to_string(order), markov(order, seed), seed, epochs);
  judge("brackets", brackets, seed, epochs);
  judge("two processes", two_processes, seed, epochs);
} catch (const std::exception& error) {
  std::fprintf(stderr, "symbols: %s\n", error.what());
  return 1;
}
