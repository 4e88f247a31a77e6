#pragma once

#include <algorithm>
#include <numeric>
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
  /// `window`: 0 for a network that reads whole sessions and says at each step what comes next, else the
  /// length of the windows behind each of which a network predicts one symbol.
  SessionScoring(const Sequential<Scalar>& network, const Scalar* theta, const SymbolSessions& sessions,
                 Index window, Sink sink)
      : network_(&network), theta_(theta), sessions_(&sessions), window_(window), sink_(std::move(sink)) {}

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
    Sequences<Scalar> input, output;
    SequentialScratch<Scalar> scratch;
    std::vector<Index> lengths;
  };

  void infer(Worker& own) const {
    network_->infer(theta_, std::as_const(own.input).view(), own.output.view(), 0, network_->entries().size(),
                    own.scratch, own.lengths);
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
    const Index steps = sessions_->length(samples.front());
    own.lengths.clear();
    for (const Index sample : samples) own.lengths.push_back(sessions_->length(sample));
    own.input = Sequences<Scalar>({.samples = count, .steps = steps, .features = 1});
    own.output.resize({.samples = count, .steps = steps, .features = network_->output_shape().features});
    sessions_->gather(samples, own.input.view(), SequenceView<Scalar>());
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
      own.lengths.clear();
      own.input = Sequences<Scalar>({.samples = count, .steps = window_, .features = 1});
      own.output.resize({.samples = count, .steps = 1, .features = network_->output_shape().features});
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

  const Sequential<Scalar>* network_;
  const Scalar* theta_;
  const SymbolSessions* sessions_;
  Index window_;
  Sink sink_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
