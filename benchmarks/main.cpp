#include "../tests/allocation_counter.hpp"
#include "common.hpp"

long bench::allocation_count() { return test::allocations; }

int main(int argc, char** argv) {
  test::counting = true;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("multiply-add peak of one core, GFLOP/s", std::to_string(bench::peak_gflops()));
  benchmark::RunSpecifiedBenchmarks();
}
