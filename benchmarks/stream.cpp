#include "common.hpp"

namespace {

using namespace bench;

/// One step of LSTM(inputs -> units) + Dense(units -> 1); each output moves the next input, so that no two
/// steps overlap.
template <int inputs, int units>
void streaming_step(benchmark::State& state) {
  const reprise::Vector<float> theta =
      reprise::Vector<float>::Constant(4 * units * (inputs + units + 1), 0.01f);
  static reprise::LstmStream<float, inputs, units> stream({.units = units}, theta.data(), {.units = 1},
                                                          theta.data());
  Eigen::Matrix<float, inputs, 1> x;
  x.setConstant(0.3f);
  const Meter meter;
  for (auto _ : state) x[0] = 0.3f + 0.1f * stream.step(x)[0];
  meter.report(state, 8.0 * units * (inputs + units) + 2.0 * units);
}

const int registered = [] {
  benchmark::RegisterBenchmark("streaming_step/1,8", streaming_step<1, 8>);
  benchmark::RegisterBenchmark("streaming_step/1,16", streaming_step<1, 16>);
  benchmark::RegisterBenchmark("streaming_step/1,32", streaming_step<1, 32>);
  benchmark::RegisterBenchmark("streaming_step/1,64", streaming_step<1, 64>);
  benchmark::RegisterBenchmark("streaming_step/8,128", streaming_step<8, 128>);
  return 0;
}();

}  // namespace
