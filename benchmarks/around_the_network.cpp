#include <cmath>
#include <numeric>

#include "common.hpp"

// What stands before and behind the network: windows, the optimizer's sweep, errors, scores, thresholds.
namespace {

using namespace bench;

void adam_sweep(benchmark::State& state) {
  const Index size = state.range(0);
  reprise::ParameterTable table;
  table.add("all", size, 1, true);
  const reprise::Optimizer adam = reprise::Adam{};
  auto moments = reprise::initial_state<float>(adam, size);
  reprise::Vector<float> gradient = reprise::Vector<float>::Constant(size, 0.01f), weights = gradient;
  const Meter meter;
  for (auto _ : state) reprise::apply_update(adam, table, moments, 1.0, gradient, weights);
  meter.report(state, 0.0);
  state.SetItemsProcessed(state.iterations() * size);
}
BENCHMARK(adam_sweep)->Arg(10000)->Arg(1000000);

/// Series of 100,000 points: the windows and one pass over all of them in batches of 64.
void windows_gathered(benchmark::State& state) {
  const Index length = state.range(0);
  const std::vector<float> series(100000, 0.5f);
  std::vector<Index> batch(64);
  reprise::Sequences<float> values({.samples = 64, .steps = length, .features = 1});
  for (auto _ : state) {
    const reprise::Windows windows = reprise::sliding_windows(series, {.length = length});
    for (Index first = 0; first + 64 <= windows.size(); first += 64) {
      std::iota(batch.begin(), batch.end(), first);
      windows.gather<float>(batch, values.view());
    }
    benchmark::DoNotOptimize(values.values().data());
  }
  state.SetItemsProcessed(state.iterations() * 100000 * length);
}
BENCHMARK(windows_gathered)->Arg(48)->Arg(288)->Unit(benchmark::kMillisecond);

/// From a reconstruction to a score for each of 10,000 points.
void points_scored(benchmark::State& state) {
  const Index length = state.range(0);
  const reprise::Windows windows = some_windows(10000 - length + 1, length, 1);
  const reprise::Sequences<float> zeros = [&] {
    reprise::Sequences<float> result({.samples = windows.size(), .steps = length, .features = 1});
    result.values().setZero();
    return result;
  }();
  for (auto _ : state) {
    const auto errors = reprise::mean_squared_errors(windows, zeros);
    benchmark::DoNotOptimize(reprise::point_scores(windows, errors, reprise::Aggregate::max).size());
  }
  state.SetItemsProcessed(state.iterations() * 10000);
}
BENCHMARK(points_scored)->Arg(48)->Arg(288)->Unit(benchmark::kMillisecond);

void thresholds_fitted(benchmark::State& state) {
  std::vector<double> scores(10000);
  reprise::RandomStream random(7, reprise::Purpose::other);
  for (double& score : scores) score = std::abs(random.normal() * random.normal());
  for (auto _ : state) {
    reprise::OutlierScorer scorer{reprise::threshold::pot(1e-4)};
    scorer.calibrate(scores);
    benchmark::DoNotOptimize(scorer.threshold());
  }
}
BENCHMARK(thresholds_fitted)->Unit(benchmark::kMicrosecond);

}  // namespace
