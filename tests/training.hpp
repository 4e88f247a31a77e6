#pragma once

#include <cmath>
#include <cstring>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <reprise/models/autoencoder.hpp>

// Small series and models for the tests of training, and a training loop written out, to hold `fit` against.
namespace test {

/// A smooth series of `steps` x `features` with no two windows alike.
inline reprise::Matrix<double> wave(reprise::Index steps, reprise::Index features = 1) {
  reprise::Matrix<double> series(steps, features);
  for (reprise::Index t = 0; t < steps; ++t) {
    for (reprise::Index f = 0; f < features; ++f) {
      const auto x = static_cast<double>(t + 5 * f);
      series(t, f) = 0.6 * std::sin(0.7 * x) + 0.3 * std::sin(0.13 * x * x + static_cast<double>(f));
    }
  }
  return series;
}

inline reprise::Windows wave_windows(reprise::Index count, reprise::Index length,
                                     reprise::Index features = 1) {
  return reprise::sliding_windows(wave(count + length - 1, features), {.length = length});
}

inline reprise::Windows constant_windows(reprise::Index count, reprise::Index length, double value) {
  const std::vector<double> series(static_cast<std::size_t>(count + length - 1), value);
  return reprise::sliding_windows(series, {.length = length});
}

/// Shuffles, validation, a schedule and a clip: all that could lose its place between two fits.
inline reprise::FitOptions many_features(reprise::Index epochs) {
  return {.epochs = epochs,
          .batch_size = 8,
          .validation_split = 0.2,
          .optimizer = reprise::Adam{.learning_rate = reprise::ExponentialDecay{.initial_learning_rate = 0.02,
                                                                                .decay_steps = 7,
                                                                                .decay_rate = 0.9},
                                     .clip = reprise::GlobalClipNorm{0.05}},
          .seed = 3};
}

/// On the way from 0 to the 1 that it learns, the output passes the 0.5 that it is validated on.
inline const reprise::Windows ones = constant_windows(16, 4, 1.0);
inline const reprise::Windows halves = constant_windows(16, 4, 0.5);
inline reprise::FitOptions passing_by(reprise::Index epochs, std::vector<reprise::Callback> callbacks) {
  return {.epochs = epochs,
          .batch_size = 8,
          .validation_data = halves,
          .optimizer = reprise::Sgd{.learning_rate = 0.01},
          .callbacks = std::move(callbacks)};
}

/// Two layers a side.
inline reprise::AutoencoderOptions small_model(reprise::Index steps, reprise::Index features = 1) {
  return {.steps = steps,
          .features = features,
          .encoder = {{.units = 5}, {.units = 3}},
          .decoder = {{.units = 3}, {.units = 5}}};
}

/// The same with dropout everywhere.
inline reprise::AutoencoderOptions small_model_with_dropout(reprise::Index steps,
                                                            reprise::Index features = 1) {
  reprise::AutoencoderOptions options = small_model(steps, features);
  for (auto* side : {&options.encoder, &options.decoder}) {
    for (reprise::LstmOptions& layer : *side) {
      layer.dropout = 0.2;
      layer.recurrent_dropout = 0.3;
    }
  }
  return options;
}

template <typename A, typename B>
bool same_bits(const Eigen::PlainObjectBase<A>& a, const Eigen::PlainObjectBase<B>& b) {
  static_assert(std::is_same_v<typename A::Scalar, typename B::Scalar>);
  if (a.rows() != b.rows() || a.cols() != b.cols()) return false;
  return a.size() == 0 ||  // with no data, which memcmp must not be given
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(typename A::Scalar)) ==
             0;
}

template <typename Scalar>
bool same_bits(const reprise::OptimizerState<Scalar>& a, const reprise::OptimizerState<Scalar>& b) {
  return a.step == b.step && a.schedule_start == b.schedule_start && same_bits(a.first, b.first) &&
         same_bits(a.second, b.second) && same_bits(a.velocity, b.velocity) &&
         std::equal(a.custom.begin(), a.custom.end(), b.custom.begin(), b.custom.end(),
                    [](const auto& x, const auto& y) { return same_bits(x, y); });
}

/// Window numbers first, first + 1, ...
inline std::vector<reprise::Index> numbers(reprise::Index first, reprise::Index count) {
  std::vector<reprise::Index> result(static_cast<std::size_t>(count));
  std::iota(result.begin(), result.end(), first);
  return result;
}

/// One step of training after the other, in the order of the windows.
template <typename Scalar>
struct Steps {
  reprise::Autoencoder<Scalar> model;
  reprise::Optimizer optimizer;
  reprise::Vector<Scalar> theta, gradient;
  reprise::OptimizerState<Scalar> state;
  reprise::detail::BatchPass<Scalar> pass;

  Steps(const reprise::Autoencoder<Scalar>& start, const reprise::Optimizer& with)
      : model(start),
        optimizer(with),
        theta(start.weights()),
        gradient(theta.size()),
        state(reprise::initial_state<Scalar>(with, theta.size())),
        pass(model.network(), 1) {}

  double loss(const reprise::Windows& windows, std::span<const reprise::Index> batch,
              std::span<const double> weights = {}, std::uint64_t seed = 1) {
    reprise::LayerContext context;
    context.training = true;
    context.seed = seed;
    context.step = static_cast<std::uint32_t>(state.step);
    return pass.loss_and_gradient(theta.data(), windows, batch, weights, reprise::MeanSquaredError{}, context,
                                  gradient.data());
  }
  void update(double scale = 1.0) {
    reprise::apply_update<Scalar>(optimizer, model.parameters(), state, scale, gradient, theta);
  }
};

}  // namespace test
