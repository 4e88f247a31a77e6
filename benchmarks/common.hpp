#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <reprise/reprise.hpp>
#include <string>
#include <vector>

// What every benchmark reports: multiply-adds counted as two operations, the share of what one core can do at
// best (measured here, not read off a data sheet), and the allocations of one iteration.
namespace bench {

using reprise::Index;

/// Allocations of the process so far; main.cpp counts them.
long allocation_count();

/// Single-precision multiply-add peak of this core in GFLOP/s: twelve independent chains in registers.
inline double peak_gflops() {
  static const double peak = [] {
    constexpr int lanes = EIGEN_MAX_ALIGN_BYTES / 4;
    constexpr int chains = 12;
    using Lane = Eigen::Array<float, lanes, 1>;
    double best = 0.0;
    for (int trial = 0; trial < 20; ++trial) {
      Lane sums[chains];
      for (int k = 0; k < chains; ++k) sums[k] = Lane::Constant(1.0f + static_cast<float>(k));
      Lane factor = Lane::Constant(0.999f);
      benchmark::DoNotOptimize(factor);
      constexpr int rounds = 200000;
      const auto start = std::chrono::steady_clock::now();
      for (int round = 0; round < rounds; ++round) {
        for (int k = 0; k < chains; ++k) sums[k] = sums[k] * factor + factor;
      }
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      for (int k = 0; k < chains; ++k) benchmark::DoNotOptimize(sums[k]);
      best = std::max(best, 2.0 * chains * lanes * rounds / seconds * 1e-9);
    }
    return best;
  }();
  return peak;
}

/// Counts over the measured loop; `report` fills the counters in.
class Meter {
 public:
  Meter() : allocations_(allocation_count()) {}

  void report(benchmark::State& state, double flops_per_iteration) const {
    const auto iterations = static_cast<double>(state.iterations());
    const auto allocations = static_cast<double>(allocation_count() - allocations_);
    state.counters["allocations"] = benchmark::Counter(allocations / iterations);
    if (flops_per_iteration == 0.0) return;
    state.counters["GFLOP/s"] =
        benchmark::Counter(flops_per_iteration * 1e-9 * iterations, benchmark::Counter::kIsRate);
    state.counters["of_peak"] = benchmark::Counter(flops_per_iteration * 1e-9 * iterations / peak_gflops(),
                                                   benchmark::Counter::kIsRate);
  }

 private:
  long allocations_;
};

/// An LSTM layer's sizes.
struct LayerShape {
  Index inputs, units, steps, batch;
};
inline const std::vector<LayerShape> layer_shapes = {
    {1, 32, 4, 32},      {32, 16, 4, 32},      {8, 64, 50, 64}, {64, 32, 50, 64}, {128, 128, 100, 128},
    {64, 512, 100, 128}, {256, 512, 100, 128}, {1, 10, 50, 17}, {8, 64, 50, 1},
};
inline std::string name(const LayerShape& s) {
  return std::to_string(s.inputs) + "," + std::to_string(s.units) + "," + std::to_string(s.steps) + "," +
         std::to_string(s.batch);
}
/// Multiply-adds of W x + U h over all steps and samples, counted as two operations.
inline double forward_flops(const LayerShape& s) {
  return 8.0 * static_cast<double>(s.units * (s.inputs + s.units) * s.steps * s.batch);
}

/// An autoencoder u1 -> u2 -> u2 -> u1.
struct ModelShape {
  const char* name;
  Index features, outer, inner, steps, batch;
};
inline const std::vector<ModelShape> model_shapes = {{"S", 1, 32, 16, 4, 32},
                                                     {"M", 8, 64, 32, 50, 64},
                                                     {"L", 25, 128, 64, 100, 128},
                                                     {"XL", 64, 512, 256, 100, 128}};

inline reprise::AutoencoderOptions options_of(const ModelShape& s, reprise::Activation activation) {
  const auto layer = [&](Index units) {
    reprise::LstmOptions options;
    options.units = units;
    options.activation = activation;
    return options;
  };
  reprise::AutoencoderOptions options;
  options.steps = s.steps;
  options.features = s.features;
  options.encoder = {layer(s.outer), layer(s.inner)};
  options.decoder = {layer(s.inner), layer(s.outer)};
  return options;
}
/// Forward operations of the whole model for a batch.
inline double forward_flops(const ModelShape& s) {
  const auto layer = [&](Index inputs, Index units) {
    return forward_flops(LayerShape{inputs, units, s.steps, s.batch});
  };
  return layer(s.features, s.outer) + layer(s.outer, s.inner) + layer(s.inner, s.inner) +
         layer(s.inner, s.outer) + 2.0 * static_cast<double>(s.outer * s.features * s.steps * s.batch);
}

/// Some smooth series with a little noise of our own, the same everywhere.
inline reprise::Windows some_windows(Index windows, Index steps, Index features) {
  reprise::RandomStream random(7, reprise::Purpose::other);
  reprise::Matrix<float> series(windows + steps - 1, features);
  for (Index t = 0; t < series.rows(); ++t) {
    for (Index f = 0; f < features; ++f) {
      series(t, f) = static_cast<float>(std::sin(0.1 * static_cast<double>(t) + static_cast<double>(f)) +
                                        0.1 * random.normal());
    }
  }
  return reprise::sliding_windows(series, {.length = steps});
}

}  // namespace bench
