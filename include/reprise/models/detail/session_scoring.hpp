#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "../../data/symbol_sessions.hpp"
#include "../../layers/sequential.hpp"
#include "../../layers/softmax.hpp"
#include "../../training/detail/thread_pool.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A network's probabilities of the symbols of sessions, for whoever looks at them: calls
///
///     sink(sample, position, probabilities, came)
///
/// for each symbol that is asked for, those of one session by one thread and in their order.
template <typename Scalar, typename Sink>
class SessionScoring {
 public:
  /// The network for sequences of so many steps.
  using NetworkOf = std::function<Sequential<Scalar>(Index steps)>;

  /// `window`: 0 for a network that reads whole sessions and says something at each step, else the length of
  /// the windows behind each of which a network predicts one symbol. `reproduces`: whether a network sees the
  /// symbols that it is asked for, instead of those before them.
  SessionScoring(NetworkOf network_of, const Scalar* theta, const SymbolSessions& sessions, Index window,
                 bool reproduces, Sink sink)
      : network_of_(std::move(network_of)),
        theta_(theta),
        sessions_(&sessions),
        window_(window),
        reproduces_(reproduces),
        sink_(std::move(sink)) {}

  void run(int threads) {
    const Index size = sessions_->size();
    ThreadPool pool(threads);
    std::vector<Worker> workers(static_cast<std::size_t>(pool.size()));
    if (window_ > 0) {
      pool.run(size, [&](Index sample, int worker) {
        windows_of(sample, workers[static_cast<std::size_t>(worker)]);
      });
      return;
    }
    // The longest first: a block's sessions are then of about the same length.
    std::vector<Index> order(static_cast<std::size_t>(size));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](Index a, Index b) { return sessions_->length(a) > sessions_->length(b); });
    pool.run((size + block - 1) / block, [&](Index number, int worker) {
      const auto first = static_cast<std::size_t>(number * block);
      const std::size_t count = std::min(static_cast<std::size_t>(block), order.size() - first);
      whole(std::span<const Index>(order).subspan(first, count), workers[static_cast<std::size_t>(worker)]);
    });
  }

 private:
  static constexpr Index block = 64;
  struct Worker {
    std::optional<Sequential<Scalar>> network;  // for the steps of the block at hand
    Sequences<Scalar> input, output;
    SequentialScratch<Scalar> scratch;
    std::vector<Index> lengths;
  };

  /// Room for a block of so many samples and steps, all values zero.
  void prepare(Worker& own, Index samples, Index steps) const {
    if (!own.network || own.network->input_shape().steps != steps) own.network = network_of_(steps);
    own.input = Sequences<Scalar>({.samples = samples, .steps = steps, .features = 1});
    own.output.resize(own.network->output_shape().batch(samples));
    own.lengths.clear();
  }
  void infer(Worker& own) const {
    own.network->infer(theta_, std::as_const(own.input).view(), own.output.view(), 0,
                       own.network->entries().size(), own.scratch, own.lengths);
  }
  void tell(Worker& own, Index sample, Index position, Index step, Index column) const {
    const Index features = own.output.features();
    const std::span<Scalar> values(own.output.view().step_data(step) + column * features,
                                   static_cast<std::size_t>(features));
    softmax(values);
    sink_(sample, position, std::span<const Scalar>(values),
          sessions_->symbols(sample)[static_cast<std::size_t>(position) + 1]);
  }

  /// Sessions side by side, the longest first.
  void whole(std::span<const Index> samples, Worker& own) const {
    const auto count = static_cast<Index>(samples.size());
    prepare(own, count, sessions_->length(samples.front()));
    for (const Index sample : samples) own.lengths.push_back(sessions_->length(sample));
    sessions_->put(samples, reproduces_ ? 1 : 0, own.input.view());
    infer(own);
    for (Index column = 0; column < count; ++column) {
      const auto at = static_cast<std::size_t>(column);
      for (Index t = 0; t < own.lengths[at]; ++t) tell(own, samples[at], t, t, column);
    }
  }

  /// All windows of one session, a block at a time. In a block the last comes first, since the first ones of
  /// a session are shorter.
  void windows_of(Index sample, Worker& own) const {
    const std::span<const Index> symbols = sessions_->symbols(sample);
    const Index size = sessions_->length(sample);
    for (Index first = 0; first < size; first += block) {
      const Index count = std::min(block, size - first);
      prepare(own, count, window_);
      for (Index column = 0; column < count; ++column) {
        const Index next = first + count - column;
        const Index length = std::min(next, window_);
        own.lengths.push_back(length);
        for (Index t = 0; t < length; ++t) {
          own.input(column, t, 0) = static_cast<Scalar>(symbols[static_cast<std::size_t>(next - length + t)]);
        }
      }
      infer(own);
      for (Index i = 0; i < count; ++i) tell(own, sample, first + i, 0, count - 1 - i);
    }
  }

  NetworkOf network_of_;
  const Scalar* theta_;
  const SymbolSessions* sessions_;
  Index window_;
  bool reproduces_;
  Sink sink_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
