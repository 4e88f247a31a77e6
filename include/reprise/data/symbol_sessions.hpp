#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/sequences.hpp"

// Sessions of symbols as samples to train on: what came so far, and the symbol that came next.
namespace reprise {
inline namespace REPRISE_ABI {

/// How much a session weighs that came several times in the training data: once, as the root of their number,
/// or as often as it came. Logs repeat the same few sessions thousands of times; by the root rare ones are
/// learnt too.
enum class SessionWeight { one, root, count };
constexpr std::array<std::string_view, 3> enumerator_names(SessionWeight) { return {"one", "root", "count"}; }

namespace detail {

inline double weight_of(SessionWeight how, Index count) {
  switch (how) {
    case SessionWeight::one: return 1.0;
    case SessionWeight::root: return std::sqrt(static_cast<double>(count));
    case SessionWeight::count: break;
  }
  return static_cast<double>(count);
}

/// Makes the mean of the weights, each as often as its sample has positions, 1: the loss of a batch is
/// divided by its positions, and not by the sum of their weights.
template <typename Length>
void set_mean_to_one(std::vector<double>& weights, const Length& length) {
  double sum = 0.0, positions = 0.0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto count = static_cast<double>(length(static_cast<Index>(i)));
    sum += weights[i] * count;
    positions += count;
  }
  for (double& weight : weights) weight *= positions / sum;
}

}  // namespace detail

/// Whole sessions of any length, each distinct one once. A sample's input is the session without its last
/// index, its target the session without its first one, so that at each step the next symbol is asked for.
/// Start and end, where there are any, belong to the session. A `DataSource` (see training/source.hpp), whose
/// samples have lengths; it holds indices, a batch is made from them as it is gathered.
class SymbolSessions {
 public:
  /// `sessions`: indices, each at least two, with start and end where the vocabulary has them. Throws `Error`
  /// where there are none, or one is too short to ask for anything.
  explicit SymbolSessions(const std::vector<std::vector<Index>>& sessions,
                          SessionWeight weight = SessionWeight::root) {
    if (sessions.empty()) detail::fail("symbol sessions", "at least one session", "none");
    auto made = std::make_shared<Data>();
    std::map<std::span<const Index>, Index, Before> distinct;
    std::vector<Index> counts;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      if (sessions[i].size() < 2) {
        detail::fail("symbol sessions", "sessions of at least 2 indices, start and end included",
                     {sessions[i].size(), " in session ", i});
      }
      const auto [at, is_new] = distinct.emplace(sessions[i], static_cast<Index>(counts.size()));
      made->distinct.push_back(at->second);
      if (is_new) {
        counts.push_back(0);
        made->symbols.insert(made->symbols.end(), sessions[i].begin(), sessions[i].end());
        made->starts.push_back(static_cast<Index>(made->symbols.size()));
        steps_ = std::max(steps_, static_cast<Index>(sessions[i].size()) - 1);
      }
      ++counts[static_cast<std::size_t>(at->second)];
    }
    for (const Index count : counts) made->weights.push_back(detail::weight_of(weight, count));
    detail::set_mean_to_one(made->weights, [&](Index sample) {
      const auto s = static_cast<std::size_t>(sample);
      return made->starts[s + 1] - made->starts[s] - 1;
    });
    data_ = std::move(made);
  }

  /// Number of distinct sessions.
  Index size() const { return static_cast<Index>(data_->starts.size()) - 1; }
  SequenceShape input_shape() const { return {.steps = steps_, .features = 1}; }
  SequenceShape target_shape() const { return input_shape(); }
  Index length(Index sample) const { return start_of(sample + 1) - start_of(sample) - 1; }
  template <typename Scalar>
  void gather(std::span<const Index> samples, SequenceView<Scalar> inputs,
              SequenceView<Scalar> targets) const {
    put(samples, 0, inputs);
    if (targets.data != nullptr) put(samples, 1, targets);
  }
  /// Of each session its indices from `first` (0 or 1) on, without the last one where that is 0.
  template <typename Scalar>
  void put(std::span<const Index> samples, Index first, SequenceView<Scalar> to) const {
    for (std::size_t column = 0; column < samples.size(); ++column) {
      const std::span<const Index> session = symbols(samples[column]);
      for (Index t = 0; t < length(samples[column]); ++t) {
        to.step_data(t)[column] = static_cast<Scalar>(session[static_cast<std::size_t>(t + first)]);
      }
    }
  }

  /// The same sessions in sequences of so many steps, at least as many as the longest has.
  SymbolSessions with_steps(Index steps) const {
    if (steps < steps_) detail::fail("symbol sessions", {"at least ", steps_, " steps"}, {steps});
    SymbolSessions result = *this;
    result.steps_ = steps;
    return result;
  }
  /// The indices of a distinct session.
  std::span<const Index> symbols(Index sample) const {
    return std::span<const Index>(data_->symbols)
        .subspan(static_cast<std::size_t>(start_of(sample)), static_cast<std::size_t>(length(sample) + 1));
  }
  /// For each session handed in, the number of the distinct one that it equals.
  const std::vector<Index>& distinct() const { return data_->distinct; }
  /// One for each distinct session, as `FitOptions::sample_weights` takes them.
  const std::vector<double>& weights() const { return data_->weights; }

 private:
  struct Before {
    bool operator()(std::span<const Index> a, std::span<const Index> b) const {
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    }
  };
  struct Data {
    std::vector<Index> symbols;  // one session behind the other
    std::vector<Index> starts = {0};
    std::vector<Index> distinct;
    std::vector<double> weights;
  };
  Index start_of(Index sample) const { return data_->starts[static_cast<std::size_t>(sample)]; }

  std::shared_ptr<const Data> data_;  // copies share it
  Index steps_ = 0;
};

/// The windows of sessions as DeepLog has them (Du et al. 2017): up to `window` indices, and the one that
/// comes next. The first windows of a session are shorter, so that each index but its first is asked for
/// once. Each distinct window is one sample, which points into the sessions, and weighs as much as all that
/// are equal to it together.
class SymbolWindows {
 public:
  /// Weighs windows by the weights of the sessions that they come from.
  SymbolWindows(SymbolSessions sessions, Index window) : sessions_(std::move(sessions)), window_(window) {
    detail::require_positive(window, "symbol windows", "window");
    std::map<std::pair<std::vector<Index>, Index>, std::size_t> distinct;
    for (Index s = 0; s < sessions_.size(); ++s) {
      const std::span<const Index> symbols = sessions_.symbols(s);
      for (Index next = 1; next < static_cast<Index>(symbols.size()); ++next) {
        const Index first = std::max<Index>(0, next - window);
        const auto window_symbols =
            symbols.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(next - first));
        const auto [at, is_new] =
            distinct.emplace(std::pair(std::vector<Index>(window_symbols.begin(), window_symbols.end()),
                                       symbols[static_cast<std::size_t>(next)]),
                             places_.size());
        if (is_new) {
          places_.push_back({s, first, next});
          weights_.push_back(0.0);
        }
        weights_[at->second] += sessions_.weights()[static_cast<std::size_t>(s)];
      }
    }
    detail::set_mean_to_one(weights_, [](Index) { return Index{1}; });
  }

  Index size() const { return static_cast<Index>(places_.size()); }
  SequenceShape input_shape() const { return {.steps = window_, .features = 1}; }
  SequenceShape target_shape() const { return {.steps = 1, .features = 1}; }
  Index length(Index sample) const { return place(sample).next - place(sample).first; }
  template <typename Scalar>
  void gather(std::span<const Index> samples, SequenceView<Scalar> inputs,
              SequenceView<Scalar> targets) const {
    for (std::size_t column = 0; column < samples.size(); ++column) {
      const Place at = place(samples[column]);
      const std::span<const Index> session = sessions_.symbols(at.session);
      for (Index t = at.first; t < at.next; ++t) {
        inputs.step_data(t - at.first)[column] = static_cast<Scalar>(session[static_cast<std::size_t>(t)]);
      }
      if (targets.data == nullptr) continue;
      targets.step_data(0)[column] = static_cast<Scalar>(session[static_cast<std::size_t>(at.next)]);
    }
  }
  const std::vector<double>& weights() const { return weights_; }

 private:
  /// [first, next) of a session is the window, and next what comes.
  struct Place {
    Index session, first, next;
  };
  Place place(Index sample) const { return places_[static_cast<std::size_t>(sample)]; }

  SymbolSessions sessions_;
  Index window_;
  std::vector<Place> places_;
  std::vector<double> weights_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
