#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"

// How strange a symbol is, and a session of them, by the probability that a model gave to what came. The
// model is any: these functions see plain arrays of probabilities. Higher scores are stranger, so thresholds
// and p-values (thresholds/) apply to them as to reconstruction errors.
namespace reprise {
inline namespace REPRISE_ABI {

/// What a model said of one symbol that came.
struct SymbolScore {
  /// Its index.
  Index came = 0;
  /// Between the floor and 1: low is strange.
  double probability = 0.0;
  /// -log(probability): 0 for what was certain, and the sum over a session is that of its probability.
  double surprisal = 0.0;
  /// 1 for the most probable symbol: one more than there are symbols of a higher probability.
  Index rank = 1;
  /// The most probable symbol, which was expected instead where that is another.
  Index expected = 0;
  /// Never seen in training: an outlier by rule, of the floor's probability and the last rank.
  bool unseen = false;
};

struct SymbolScoreOptions {
  /// The smallest probability, which unseen symbols have: 0 would make a surprisal infinite, and one such
  /// symbol decide a mean.
  double floor = 1e-9;
  /// The index that stands for unseen symbols; < 0: there is none.
  Index unseen = -1;
};

namespace detail {

inline void validate(const SymbolScoreOptions& options) {
  if (is_finite(options.floor) && options.floor > 0.0 && options.floor < 1.0) return;
  fail("symbol scores", "a floor in (0, 1)", {options.floor});
}

}  // namespace detail

/// The score of symbol `came` among symbols of these probabilities, one for each index. Throws `Error` where
/// a probability is not in [0, 1], or `came` has none.
template <typename Scalar>
[[nodiscard]] SymbolScore symbol_score(std::span<const Scalar> probabilities, Index came,
                                       const SymbolScoreOptions& options = {}) {
  detail::validate(options);
  const auto count = static_cast<Index>(probabilities.size());
  if (came < 0 || came >= count) {
    detail::fail("symbol score", {"an index from 0 to ", count - 1}, {came});
  }
  SymbolScore score;
  score.came = came;
  score.unseen = came == options.unseen;
  const Scalar own = probabilities[static_cast<std::size_t>(came)];
  for (Index k = 0; k < count; ++k) {
    const Scalar p = probabilities[static_cast<std::size_t>(k)];
    if (!(detail::is_finite(p) && p >= Scalar(0) && p <= Scalar(1))) {
      detail::fail("symbol score", "probabilities in [0, 1]", {p, " for index ", k});
    }
    if (p > own) ++score.rank;
    if (p > probabilities[static_cast<std::size_t>(score.expected)]) score.expected = k;
  }
  score.probability = std::clamp(static_cast<double>(own), options.floor, 1.0);
  if (score.unseen) {
    score.probability = options.floor;
    score.rank = count;
  }
  score.surprisal = -std::log(score.probability);
  return score;
}

/// The top-g rule (DeepLog, Du et al. 2017): a symbol is strange that is none of the g most probable ones, or
/// was never seen.
[[nodiscard]] inline bool outside_top(const SymbolScore& score, Index g) {
  return score.unseen || score.rank > g;
}

/// What is strange about a session, from the scores of its symbols.
struct SessionScore {
  /// The mean of -log(probability): many symbols that are a little strange count as one that is very strange.
  double mean_surprisal = 0.0;
  /// The largest, and which symbol of the session it is of.
  double largest_surprisal = 0.0;
  Index strangest = 0;
  /// The largest rank: above g, the top-g rule flags the session.
  Index largest_rank = 0;
  /// Symbols that were scored, the end among them where there is one.
  Index symbols = 0;
  /// Whether one of them was never seen in training: an outlier by rule.
  bool unseen = false;

  /// Takes one more symbol in. (Numbers are added one after the other, so that a stream has a batch's bits.)
  void add(const SymbolScore& score) {
    sum_ += score.surprisal;
    if (symbols == 0 || score.surprisal > largest_surprisal) {
      largest_surprisal = score.surprisal;
      strangest = symbols;
    }
    largest_rank = std::max(largest_rank, score.rank);
    unseen = unseen || score.unseen;
    ++symbols;
    mean_surprisal = sum_ / static_cast<double>(symbols);
  }

 private:
  double sum_ = 0.0;
};

/// Of a whole session. Throws `Error` where nothing was scored.
[[nodiscard]] inline SessionScore session_score(std::span<const SymbolScore> symbols) {
  if (symbols.empty()) detail::fail("session score", "at least one symbol", "none");
  SessionScore score;
  for (const SymbolScore& symbol : symbols) score.add(symbol);
  return score;
}
[[nodiscard]] inline bool outside_top(const SessionScore& score, Index g) {
  return score.unseen || score.largest_rank > g;
}

/// One number a session, as thresholds and p-values take them.
[[nodiscard]] inline std::vector<double> mean_surprisals(std::span<const SessionScore> sessions) {
  std::vector<double> result;
  for (const SessionScore& session : sessions) result.push_back(session.mean_surprisal);
  return result;
}
[[nodiscard]] inline std::vector<double> largest_surprisals(std::span<const SessionScore> sessions) {
  std::vector<double> result;
  for (const SessionScore& session : sessions) result.push_back(session.largest_surprisal);
  return result;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
