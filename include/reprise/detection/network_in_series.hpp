#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "../core/detail/lanes.hpp"
#include "../core/error.hpp"
#include "../core/sequences.hpp"
#include "../models/autoencoder.hpp"
#include "../training/detail/thread_pool.hpp"
#include "detail/view_source.hpp"
#include "nearest_in_series.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What `NetworkInSeries` is made of, and how it is trained.
struct NetworkInSeriesOptions {
  /// Steps of the network: a window of T points is read in patches of ceil(T / steps).
  Index steps = 24;
  /// LSTM units of the outer layers, and of the inner ones, which are the code.
  Index units = 32;
  Index code = 16;
  /// Steps of Adam, of `batch_size` windows each. The learning rate falls along half a cosine.
  Index updates = 200;
  Index batch_size = 64;
  double learning_rate = 3e-3;
  /// Training windows whose states are kept, evenly spread, to look for the nearest among.
  Index most_states = 2000;
  std::uint64_t seed = 1;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [steps, units, code, updates, batch_size, learning_rate, most_states, seed] = self;
    visit("steps", steps);
    visit("units", units);
    visit("code", code);
    visit("updates", updates);
    visit("batch_size", batch_size);
    visit("learning_rate", learning_rate);
    visit("most_states", most_states);
    visit("seed", seed);
  }
  friend bool operator==(const NetworkInSeriesOptions&, const NetworkInSeriesOptions&) = default;
};

/// Two errors for each window.
struct NetworkErrors {
  /// Mean squared error of the window's reconstruction.
  std::vector<double> reconstruction;
  /// Mean squared difference between the states in which the encoder's layers end and those of the nearest
  /// training window, each unit in standard deviations over the training windows.
  std::vector<double> states;
};

/// An LSTM autoencoder of windows of one length, in one view, with two errors: how badly it makes a window
/// again, and how far the states that its encoder is left in are from those of any training window. A
/// network may reproduce well what it never saw; its states then still say so.
///
/// The decoder starts from the encoder's states and makes the window backwards. All windows are read in
/// blocks of 64, so that a window's errors have the same bits whatever follows it.
class NetworkInSeries {
 public:
  /// Trains on the windows of `series` (a row for each time step, a column for each feature, each with mean 0
  /// and variance 1) that start at `starts`. Throws where there are none, or one reaches beyond the series.
  NetworkInSeries(const Matrix<double>& series, std::vector<Index> starts, Index length, View view,
                  const NetworkInSeriesOptions& options = {})
      : NetworkInSeries(length, view, options,
                        Autoencoder<float>(model_options(series.cols(), length, options))) {
    const detail::ViewSource windows(series, std::move(starts), length, view, patch_);
    // One epoch of as many samples as the updates can see, so that there are as many whatever the windows.
    network_->fit(
        windows.spread(options.updates * options.batch_size),
        {.epochs = 1,
         .batch_size = options.batch_size,
         .optimizer = Adam{.learning_rate = CosineDecay{.initial_learning_rate = options.learning_rate,
                                                        .decay_steps = options.updates},
                           .clip = GlobalClipNorm{1.0}},
         .seed = options.seed});
    remember(windows, options);
  }
  /// With a network that was trained on these windows already.
  NetworkInSeries(const Matrix<double>& series, std::vector<Index> starts, Index length, View view,
                  const NetworkInSeriesOptions& options, Autoencoder<float> network)
      : NetworkInSeries(length, view, options, std::move(network)) {
    remember(detail::ViewSource(series, std::move(starts), length, view, patch_), options);
  }

  /// Of the windows of a series that start at `starts`. The result does not depend on the threads.
  NetworkErrors errors(const Matrix<double>& series, std::vector<Index> starts, int threads = 1) const {
    const detail::ViewSource windows(series, std::move(starts), length_, view_, patch_);
    NetworkErrors errors;
    errors.reconstruction.resize(static_cast<std::size_t>(windows.size()));
    errors.states.resize(static_cast<std::size_t>(windows.size()));
    for_each_block(windows, threads, [&](Index first, Index count, const SequentialTape<float>& tape) {
      const SequenceView<float> output = tape.outputs.back();
      Vector<float> distances(states_.rows());
      for (Index b = 0; b < count; ++b) {
        const auto w = static_cast<std::size_t>(first + b);
        errors.reconstruction[w] = windows.squared_error(tape.input, output, b);
        errors.states[w] = distance_to_nearest(tape, b, distances);
      }
    });
    return errors;
  }

  Index length() const { return length_; }
  View view() const { return view_; }
  /// Points in a step of the network, and from a window to the next where a whole series is scored.
  Index patch() const { return patch_; }
  static Index patch_of(Index length, Index steps) { return (length + steps - 1) / steps; }
  /// What the network is made of.
  static AutoencoderOptions model_options(Index features, Index length,
                                          const NetworkInSeriesOptions& options) {
    detail::require_positive(length, place, "length");
    detail::require_positive(options.steps, place, "steps");
    const Index patch = patch_of(length, options.steps);
    return {.steps = (length + patch - 1) / patch,
            .features = features * patch,
            .encoder = {{.units = options.units}, {.units = options.code}},
            .decoder = {{.units = options.code}, {.units = options.units}},
            .decoder_state = DecoderState::encoder,
            .reverse_decoder = true,
            .seed = options.seed};
  }
  const Autoencoder<float>& network() const { return *network_; }

 private:
  static constexpr const char* place = "network in series";
  static constexpr Index block = 64;

  NetworkInSeries(Index length, View view, const NetworkInSeriesOptions& options, Autoencoder<float> network)
      : length_(length),
        view_(view),
        patch_(patch_of(length, options.steps)),
        network_(std::make_shared<Autoencoder<float>>(std::move(network))) {
    detail::require_positive(options.updates, place, "updates");
    detail::require_positive(options.batch_size, place, "batch_size");
    detail::require_positive(options.most_states, place, "most_states");
  }

  /// Calls visit(first window, windows, tape after a pass over them). The last block is filled up with its
  /// last window, since a product's bits may depend on its size.
  template <typename Visit>
  void for_each_block(const detail::ViewSource& windows, int threads, const Visit& visit) const {
    const Sequential<float>& chain = network_->network();
    struct Worker {
      SequentialTape<float> tape;
      SequentialScratch<float> scratch;
      std::vector<Index> numbers;
    };
    const Index blocks = (windows.size() + block - 1) / block;
    std::vector<Worker> workers(static_cast<std::size_t>(std::max(1, threads)));
    detail::ThreadPool pool(threads);
    pool.run(blocks, [&](Index number, int worker) {
      Worker& my = workers[static_cast<std::size_t>(worker)];
      const Index first = number * block, count = std::min(block, windows.size() - first);
      my.numbers.resize(static_cast<std::size_t>(block));
      for (Index b = 0; b < block; ++b)
        my.numbers[static_cast<std::size_t>(b)] = first + std::min(b, count - 1);
      chain.prepare(my.tape, block);
      chain.prepare(my.scratch, block);
      windows.gather(std::span<const Index>(my.numbers), my.tape.input, my.tape.input);
      chain.forward(network_->weights().data(), my.tape, my.scratch, {});
      visit(first, count, my.tape);
    });
  }

  /// The states in which the encoder's layers end for sample b, one layer after the other.
  static void states_of(const SequentialTape<float>& tape, Index b, float* states) {
    for (std::size_t layer = 0; layer < 2; ++layer) {
      const SequenceView<float>& output = tape.outputs[layer];
      const float* from = output.step_data(output.steps - 1) + b * output.features;
      states = std::copy_n(from, output.features, states);
    }
  }

  /// Keeps the states of so many of these windows, standardised: a row for each, a column for each unit.
  void remember(const detail::ViewSource& all, const NetworkInSeriesOptions& options) {
    const detail::ViewSource windows = all.spread(std::min(options.most_states, all.size()));
    const auto& entries = network_->network().entries();
    const Index units = entries[0].output.features + entries[1].output.features;
    states_.resize(windows.size(), units);
    for_each_block(windows, 1, [&](Index first, Index count, const SequentialTape<float>& tape) {
      Vector<float> states(units);
      for (Index b = 0; b < count; ++b) {
        states_of(tape, b, states.data());
        states_.row(first + b) = states.transpose();
      }
    });
    means_.resize(units);
    inverse_deviations_.resize(units);
    for (Index u = 0; u < units; ++u) {
      const float mean = states_.col(u).mean();
      const float variance = (states_.col(u).array() - mean).square().mean();
      means_(u) = mean;
      // A unit that does not vary has roundings alone to tell.
      inverse_deviations_(u) = 1.0f / std::max(1e-3f, std::sqrt(variance));
      states_.col(u) = (states_.col(u).array() - mean) * inverse_deviations_(u);
    }
  }

  double distance_to_nearest(const SequentialTape<float>& tape, Index b, Vector<float>& distances) const {
    Vector<float> states(states_.cols());
    states_of(tape, b, states.data());
    distances.setZero();
    for (Index u = 0; u < states_.cols(); ++u) {
      const float state = (states(u) - means_(u)) * inverse_deviations_(u);
      const float* const known = states_.data() + u * states_.rows();
      float* const sums = distances.data();
      detail::for_lanes<float>(states_.rows(), [=](auto at, Index j) REPRISE_DETAIL_INLINE {
        const auto between = state - at.load(known + j);
        at.store(sums + j, at.load(sums + j) + between * between);
      });
    }
    const float least = *std::min_element(distances.data(), distances.data() + distances.size());
    return static_cast<double>(least) / static_cast<double>(states_.cols());
  }

  Index length_;
  View view_;
  Index patch_;
  /// Shared by copies, and never changed.
  std::shared_ptr<Autoencoder<float>> network_;
  Matrix<float> states_;
  Vector<float> means_, inverse_deviations_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
