#include <numeric>

#include "common.hpp"

namespace {

using namespace bench;
using reprise::activation::relu;

/// Forward, backward and Adam on one batch.
void training_step(benchmark::State& state, ModelShape shape, int threads) {
  reprise::Autoencoder<float> model(options_of(shape, reprise::activation::tanh));
  const reprise::Windows windows = some_windows(shape.batch, shape.steps, shape.features);
  std::vector<Index> batch(static_cast<std::size_t>(shape.batch));
  std::iota(batch.begin(), batch.end(), Index{0});
  reprise::detail::BatchPass<float> pass(model.network(), threads);
  reprise::Vector<float> gradient(model.weights().size());
  const reprise::Optimizer adam = reprise::Adam{};
  auto moments = reprise::initial_state<float>(adam, gradient.size());
  const auto step = [&] {
    pass.loss_and_gradient(model.weights().data(), windows, batch, {}, reprise::MeanSquaredError{}, {},
                           gradient.data());
    reprise::apply_update(adam, model.parameters(), moments, 1.0, gradient, model.writable_weights());
  };
  step();
  const Meter meter;
  for (auto _ : state) step();
  meter.report(state, 3.0 * forward_flops(shape));
}

/// The whole fit of the model that integer_sequences shows: 700 epochs on 91 windows of 4 integers.
void whole_fit(benchmark::State& state) {
  std::vector<int> series;
  for (int i = 0; i < 94; ++i) series.push_back((i * i + i / 3) % 4);
  const reprise::Windows windows = reprise::sliding_windows(series, {.length = 4});
  for (auto _ : state) {
    reprise::Autoencoder<float> model(options_of(model_shapes.front(), relu));
    model.fit(windows, {.epochs = 700,
                        .batch_size = 32,
                        .validation_split = 0.1,
                        .optimizer = reprise::Adam{.learning_rate = 1e-4}});
  }
}

void reconstruct(benchmark::State& state, ModelShape shape, Index batch) {
  shape.batch = batch;
  const reprise::Autoencoder<float> model(options_of(shape, reprise::activation::tanh));
  reprise::Sequences<float> input({.samples = batch, .steps = shape.steps, .features = shape.features}),
      output = input;
  input.values().setConstant(0.5f);
  reprise::InferenceWorkspace<float> workspace;
  model.reconstruct(std::as_const(input).view(), output.view(), workspace);
  const Meter meter;
  for (auto _ : state) model.reconstruct(std::as_const(input).view(), output.view(), workspace);
  meter.report(state, forward_flops(shape));
}

const int registered = [] {
  for (const ModelShape& shape : model_shapes) {
    const std::string name = shape.name;
    for (const int threads : {1, 2}) {
      benchmark::RegisterBenchmark(("training_step/" + name + "/threads:" + std::to_string(threads)).c_str(),
                                   training_step, shape, threads)
          ->Unit(benchmark::kMicrosecond)
          ->UseRealTime();
    }
    for (const Index batch : {Index{1}, shape.batch}) {
      benchmark::RegisterBenchmark(("reconstruct/" + name + "/batch:" + std::to_string(batch)).c_str(),
                                   reconstruct, shape, batch)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  benchmark::RegisterBenchmark("whole_fit/700_epochs", whole_fit)->Unit(benchmark::kMillisecond);
  return 0;
}();

}  // namespace
