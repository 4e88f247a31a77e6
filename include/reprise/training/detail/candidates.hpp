#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "../../core/finite.hpp"
#include "../fit.hpp"

// What a fit goes back to when a loss or a gradient stops being finite. Most often the parameters of the last
// finite loss are a wreck already, some updates before the end: their loss is 1e30, or what the optimizer
// remembers of their gradients makes every further step useless. So the state before the fit and that at each
// epoch's end are judged by a loss at their own parameters.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Samples of `trained` whose loss is that of an epoch's end, where none are held out to validate on: one of
/// 32, evenly spread, but 32 at least and 256 at most (all, where there are fewer). To go forwards is a third
/// of the work of a training step, so that judging takes one part in 96 of an epoch's work from 1024 samples
/// on, less from 8192 on, and with fewer samples that of one shard. Samples that have no weight are left out,
/// unless none has.
inline std::vector<Index> judging_samples(Index trained, const std::vector<double>& weights) {
  std::vector<Index> counting;  // empty: all
  for (Index sample = 0; sample < trained && !weights.empty(); ++sample) {
    if (weights[static_cast<std::size_t>(sample)] > 0.0) counting.push_back(sample);
  }
  const Index all = counting.empty() ? trained : static_cast<Index>(counting.size());
  const Index count = std::min(all, std::clamp<Index>(all / 32, 32, 256));
  std::vector<Index> chosen(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) {
    const Index place = i * all / count;
    chosen[static_cast<std::size_t>(i)] =
        counting.empty() ? place : counting[static_cast<std::size_t>(place)];
  }
  return chosen;
}

/// Whether all that an optimizer remembers is finite.
template <typename Scalar>
bool all_finite(const OptimizerState<Scalar>& state) {
  return all_finite(state.first) && all_finite(state.second) && all_finite(state.velocity) &&
         std::all_of(state.custom.begin(), state.custom.end(),
                     [](const Vector<Scalar>& moment) { return all_finite(moment); });
}

/// The states that a fit may go back to: that before it, and that at the end of its best epoch. Each is
/// whole: parameters, moments, counters. `judge()` is the loss at the parameters as they are when it is
/// called.
template <typename Scalar>
class Candidates {
 public:
  void begin(const Vector<Scalar>& theta, const TrainingState<Scalar>& state) { before_ = {theta, state}; }
  /// Puts the state before the fit back without taking memory, of which there may not be enough.
  void put_back_before(Vector<Scalar>& theta, TrainingState<Scalar>& state) noexcept {
    if (theta.size() == before_.theta.size()) {
      theta = before_.theta;  // where it is, since the caller may have views of it
    } else {
      theta.swap(before_.theta);
    }
    state = std::move(before_.state);
  }

  /// The end of an epoch, which is kept where none before was better.
  void offer(const Vector<Scalar>& theta, const TrainingState<Scalar>& state, double loss) {
    if (!is_finite(loss) || (best_.is_judged && loss >= best_.loss)) return;
    best_.theta = theta;
    best_.state = state;
    best_.loss = loss;
    best_.is_judged = true;
  }
  /// Puts the state with the lowest finite loss back, marked as that of an abort; true where it is an epoch's
  /// end. The state before the fit stays where no other is left, whatever its loss.
  template <typename Judge>
  bool put_back(Vector<Scalar>& theta, TrainingState<Scalar>& state, const Judge& judge) {
    theta = before_.theta;
    state = TrainingState<Scalar>(before_.state);
    before_.loss = judge();
    const bool trained = best_.is_judged && (!is_finite(before_.loss) || best_.loss < before_.loss);
    if (trained) {
      theta = best_.theta;
      state = TrainingState<Scalar>(best_.state);
    }
    state.aborted_norm = std::max(state.aborted_norm, state.largest_norm);
    return trained;
  }
  /// Puts weights back that a callback kept, unless they are worse than those before the fit: they may be
  /// those that led to the end.
  template <typename Judge>
  void restore(Vector<Scalar>& theta, const Vector<Scalar>& kept, const Judge& judge) const {
    const Vector<Scalar> chosen = theta;
    theta = kept;
    const double loss = judge();
    if (!is_finite(loss) || (is_finite(before_.loss) && loss > before_.loss)) theta = chosen;
  }

 private:
  struct Candidate {
    Vector<Scalar> theta{};
    TrainingState<Scalar> state{};
    double loss = 0.0;
    bool is_judged = false;
  };
  Candidate before_;  // its loss is known only once it was asked for
  Candidate best_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
