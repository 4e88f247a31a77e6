#include "common.hpp"

namespace {

using namespace bench;

/// One LSTM layer with everything a pass over it reads and writes.
struct LayerRun {
  explicit LayerRun(const LayerShape& s)
      : layer(s.inputs, options(s)),
        theta(layer.parameter_count()),
        x({.samples = s.batch, .steps = s.steps, .features = s.inputs}),
        y({.samples = s.batch, .steps = s.steps, .features = s.units}),
        dx({.samples = s.batch, .steps = s.steps, .features = s.inputs}) {
    // As a model asks for its memory.
    reprise::detail::grow(gradient, layer.parameter_count());
    reprise::detail::grow(tape, layer.tape_size(x.shape(), s.batch));
    reprise::detail::grow(scratch, layer.scratch_size(x.shape(), s.batch));
    reprise::RandomStream random(1, reprise::Purpose::other);
    layer.initialize(theta.data(), random);
    for (Index i = 0; i < x.values().size(); ++i) x.values().data()[i] = static_cast<float>(random.normal());
    dy = reprise::Matrix<float>::Constant(s.units, s.batch * s.steps, 0.01f);
  }
  static reprise::LstmOptions options(const LayerShape& s) {
    reprise::LstmOptions options;
    options.units = s.units;
    options.return_sequences = true;
    return options;
  }
  reprise::LayerCall<float> call() {
    return {
        .theta = theta.data(), .tape = tape.data(), .scratch = scratch.data(), .gradient = gradient.data()};
  }
  void forward() { layer.forward(std::as_const(x).view(), y.view(), call()); }
  void backward() {
    const reprise::SequenceView<const float> gradient_of_y(
        dy.data(), {.samples = y.batch(), .steps = y.steps(), .features = y.features()});
    gradient.setZero();
    layer.backward(std::as_const(x).view(), std::as_const(y).view(), gradient_of_y, dx.view(), call());
  }

  reprise::Lstm<float> layer;
  reprise::Vector<float> theta, gradient;
  reprise::Sequences<float> x, y, dx;
  reprise::Matrix<float> dy;
  reprise::Vector<float> tape, scratch;
};

void lstm_forward(benchmark::State& state, LayerShape shape) {
  LayerRun run(shape);
  run.forward();
  const Meter meter;
  for (auto _ : state) run.forward();
  meter.report(state, forward_flops(shape));
}

/// As in training.
void lstm_forward_backward(benchmark::State& state, LayerShape shape) {
  LayerRun run(shape);
  run.forward();
  const Meter meter;
  for (auto _ : state) {
    run.forward();
    run.backward();
  }
  meter.report(state, 3.0 * forward_flops(shape));
}

const int registered = [] {
  for (const LayerShape& shape : layer_shapes) {
    benchmark::RegisterBenchmark(("lstm_forward/" + name(shape)).c_str(), lstm_forward, shape)
        ->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("lstm_forward_backward/" + name(shape)).c_str(), lstm_forward_backward,
                                 shape)
        ->Unit(benchmark::kMicrosecond);
  }
  return 0;
}();

}  // namespace
