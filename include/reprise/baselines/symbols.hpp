#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "../data/vocabulary.hpp"
#include "../scores/symbols.hpp"

// What a network of symbols must be better than: rules and counts. All know a session by its indices, with
// start and end where the vocabulary has them, and compare it with the training sessions.
namespace reprise {
inline namespace REPRISE_ABI {

/// How many runs of n neighbouring symbols of a session were in no training session: n = 1 are unseen
/// symbols, n = 2 unseen pairs, and so on (Forrest et al. 1996, stide). 0 is normal.
template <typename Symbol_>
class UnseenNgrams {
 public:
  using Symbol = Symbol_;

  /// `sessions`: a range of ranges of symbols, of which the vocabulary is.
  template <typename Sessions>
  UnseenNgrams(const Sessions& sessions, Index n, const VocabularyOptions& options = {})
      : vocabulary_(sessions, options), n_(n) {
    detail::require_positive(n, "UnseenNgrams", "n");
    for (const auto& session : sessions) {
      const std::vector<Index> indices = vocabulary_.encode(session);
      for_each(indices, [&](std::vector<Index> run) { known_.insert(std::move(run)); });
    }
  }

  template <typename Session>
  [[nodiscard]] double score_session(const Session& session) const {
    double unseen = 0.0;
    const std::vector<Index> indices = vocabulary_.encode(session);
    for_each(indices, [&](const std::vector<Index>& run) { unseen += known_.contains(run) ? 0.0 : 1.0; });
    return unseen;
  }
  /// One number for each session.
  template <typename Sessions>
  [[nodiscard]] std::vector<double> score(const Sessions& sessions) const {
    std::vector<double> result;
    for (const auto& session : sessions) result.push_back(score_session(session));
    return result;
  }

 private:
  /// A session shorter than n is one run.
  template <typename Use>
  void for_each(const std::vector<Index>& indices, const Use& use) const {
    const auto length = static_cast<std::ptrdiff_t>(std::min(static_cast<std::size_t>(n_), indices.size()));
    for (auto first = indices.begin(); indices.end() - first >= length && length > 0; ++first) {
      use(std::vector<Index>(first, first + length));
    }
  }

  Vocabulary<Symbol> vocabulary_;
  Index n_;
  std::set<std::vector<Index>> known_;
};

/// Whether a session has each symbol as often as some training session has (0), whatever their order, or not
/// (1).
template <typename Symbol_>
class UnseenCounts {
 public:
  using Symbol = Symbol_;

  template <typename Sessions>
  explicit UnseenCounts(const Sessions& sessions) {
    for (const auto& session : sessions) known_.insert(counts_of(session));
  }
  template <typename Session>
  [[nodiscard]] double score_session(const Session& session) const {
    return known_.contains(counts_of(session)) ? 0.0 : 1.0;
  }
  /// One number for each session.
  template <typename Sessions>
  [[nodiscard]] std::vector<double> score(const Sessions& sessions) const {
    std::vector<double> result;
    for (const auto& session : sessions) result.push_back(score_session(session));
    return result;
  }

 private:
  template <typename Session>
  static std::map<Symbol, Index> counts_of(const Session& session) {
    std::map<Symbol, Index> counts;
    for (const auto& symbol : session) ++counts[symbol];
    return counts;
  }
  std::set<std::map<Symbol, Index>> known_;
};

/// The probability of each symbol from how often it followed the same n - 1 symbols before it in training,
/// mixed with how often it followed fewer of them, down to none and to equal shares (Witten and Bell 1991):
///
///     p(s | h) = (count(h s) + kinds(h) p(s | h without its first)) / (count(h) + kinds(h))
///
/// kinds(h) is the number of different symbols that followed h. Its scores are those of `SymbolPredictor`.
template <typename Symbol_>
class NgramModel {
 public:
  using Symbol = Symbol_;

  /// `n`: symbols of a run, the predicted one among them.
  template <typename Sessions>
  NgramModel(const Sessions& sessions, Index n, const VocabularyOptions& options = {})
      : vocabulary_(sessions, options), n_(n) {
    detail::require_positive(n, "NgramModel", "n");
    for (const auto& session : sessions) {
      const std::vector<Index> indices = vocabulary_.encode(session);
      for (std::size_t at = first(); at < indices.size(); ++at) {
        for (std::size_t before = 0; before < static_cast<std::size_t>(n) && before <= at; ++before) {
          ++counts_[context(indices, at, before)][indices[at]];
        }
      }
    }
  }

  const Vocabulary<Symbol>& vocabulary() const { return vocabulary_; }
  /// The score of each symbol of a session, and of its end where the vocabulary has one.
  template <typename Session>
  [[nodiscard]] std::vector<SymbolScore> symbol_scores(const Session& session, double floor = 1e-9) const {
    const std::vector<Index> indices = vocabulary_.encode(session);
    std::vector<SymbolScore> result;
    std::vector<double> probabilities;
    for (std::size_t at = first(); at < indices.size(); ++at) {
      set_probabilities(indices, at, probabilities);
      result.push_back(symbol_score(std::span<const double>(probabilities), indices[at],
                                    {.floor = floor, .unseen = vocabulary_.unseen()}));
    }
    return result;
  }
  /// What is strange about each session. Throws `Error` where one has nothing to be asked for.
  template <typename Sessions>
  [[nodiscard]] std::vector<SessionScore> score(const Sessions& sessions, double floor = 1e-9) const {
    std::vector<SessionScore> result;
    for (const auto& session : sessions) result.push_back(session_score(symbol_scores(session, floor)));
    return result;
  }

 private:
  /// The start is not asked for.
  std::size_t first() const { return vocabulary_.has_start() ? 1 : 0; }
  static std::vector<Index> context(const std::vector<Index>& indices, std::size_t at, std::size_t before) {
    const auto end = indices.begin() + static_cast<std::ptrdiff_t>(at);
    return {end - static_cast<std::ptrdiff_t>(before), end};
  }
  void set_probabilities(const std::vector<Index>& indices, std::size_t at,
                         std::vector<double>& probabilities) const {
    const auto size = static_cast<std::size_t>(vocabulary_.size());
    probabilities.assign(size, 1.0 / static_cast<double>(size));
    for (std::size_t before = 0; before < static_cast<std::size_t>(n_) && before <= at; ++before) {
      const auto found = counts_.find(context(indices, at, before));
      if (found == counts_.end()) return;  // nor has a longer one come
      const auto kinds = static_cast<double>(found->second.size());
      double all = 0.0;
      for (const auto& [symbol, count] : found->second) all += static_cast<double>(count);
      for (double& p : probabilities) p *= kinds / (all + kinds);
      for (const auto& [symbol, count] : found->second) {
        probabilities[static_cast<std::size_t>(symbol)] += static_cast<double>(count) / (all + kinds);
      }
    }
  }

  Vocabulary<Symbol> vocabulary_;
  Index n_;
  /// How often each symbol followed each context.
  std::map<std::vector<Index>, std::map<Index, Index>> counts_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
