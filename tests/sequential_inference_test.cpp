#include "gradient_check.hpp"

#include <utility>

#include <reprise/layers/dense.hpp>
#include <reprise/layers/lstm.hpp>
#include <reprise/layers/repeat_vector.hpp>
#include <reprise/layers/sequential.hpp>
#include <reprise/losses/losses.hpp>

// What a chain of layers says where it is handed other memory than it needs.
namespace {

using reprise::BatchShape;
using reprise::Index;
using reprise::Sequences;
using reprise::Sequential;
using reprise::Vector;
using test::error_of;

/// An autoencoder whose decoder starts from the encoder's state.
struct Chain {
  Chain() : network({.steps = 5, .features = 2}) {
    network.add("encoder", reprise::Lstm<double>(2, {.units = 3}));
    network.add("repeat", reprise::RepeatVector<double>(5));
    network.add("decoder", reprise::Lstm<double>(3, {.units = 3, .return_sequences = true}));
    network.add("output", reprise::TimeDistributed<double>(3, {.units = 2}));
    network.carry_state(0, 2);
    theta.resize(network.parameters().size());
    network.initialize(theta.data(), 1);
  }

  std::string message(const BatchShape& in, const BatchShape& out, std::size_t first, std::size_t last) {
    const Sequences<double> x(in);
    Sequences<double> y(out);
    reprise::SequentialScratch<double> scratch;
    return error_of([&] { network.infer(theta.data(), x.view(), y.view(), first, last, scratch); });
  }

  Sequential<double> network;
  Vector<double> theta;
};

constexpr BatchShape sizes(Index samples, Index steps, Index features) {
  return {.samples = samples, .steps = steps, .features = features};
}

TEST_CASE("sequential: inference refuses inputs and outputs of other sizes than its layers'") {
  Chain chain;
  CHECK(chain.message(sizes(4, 5, 2), sizes(4, 5, 2), 0, 4) == "nothing thrown");
  CHECK(chain.message(sizes(0, 5, 2), sizes(0, 5, 2), 0, 4) == "nothing thrown");
  CHECK(chain.message(sizes(4, 5, 2), sizes(4, 1, 3), 0, 1) == "nothing thrown");
  CHECK(
      chain.message(sizes(4, 4, 2), sizes(4, 5, 2), 0, 4) ==
      "Sequential: infer: input: expected 4 samples of 5 steps x 2 features, got 4 of 4 steps x 2 features");
  CHECK(
      chain.message(sizes(4, 5, 3), sizes(4, 5, 2), 0, 4) ==
      "Sequential: infer: input: expected 4 samples of 5 steps x 2 features, got 4 of 5 steps x 3 features");
  CHECK(
      chain.message(sizes(4, 5, 2), sizes(3, 5, 2), 0, 4) ==
      "Sequential: infer: output: expected 4 samples of 5 steps x 2 features, got 3 of 5 steps x 2 features");
  CHECK(
      chain.message(sizes(4, 5, 2), sizes(4, 1, 2), 0, 4) ==
      "Sequential: infer: output: expected 4 samples of 5 steps x 2 features, got 4 of 1 steps x 2 features");
  CHECK(
      chain.message(sizes(4, 5, 2), sizes(4, 5, 2), 0, 1) ==
      "Sequential: infer: output: expected 4 samples of 1 steps x 3 features, got 4 of 5 steps x 2 features");
}

TEST_CASE("sequential: inference refuses layers that there are not, and a state that nobody makes") {
  Chain chain;
  const std::string range = "Sequential: infer: expected a range of its 4 layers, got ";
  CHECK(chain.message(sizes(4, 5, 2), sizes(4, 5, 2), 0, 5) == range + "0 to 5");
  CHECK(chain.message(sizes(4, 5, 2), sizes(4, 5, 2), 2, 2) == range + "2 to 2");
  CHECK(chain.message(sizes(4, 5, 2), sizes(4, 5, 2), 3, 1) == range + "3 to 1");
  CHECK(chain.message(sizes(4, 1, 3), sizes(4, 5, 2), 1, 4) ==
        "Sequential: infer: expected layer encoder too, from whose state decoder starts, got layers from "
        "repeat "
        "on");
  CHECK(chain.message(sizes(4, 5, 3), sizes(4, 5, 2), 3, 4) == "nothing thrown");  // no state is wanted
}

TEST_CASE("sequential: inference refuses views of one step that stands for all") {
  Chain chain;
  Sequences<double> x(sizes(4, 5, 2)), y(sizes(4, 5, 2));
  reprise::SequentialScratch<double> scratch;
  const reprise::SequenceView<double> once(y.values().data(), y.sizes(), true);
  const auto infer = [&](reprise::SequenceView<const double> in, reprise::SequenceView<double> out,
                         std::size_t first) {
    return error_of([&] { chain.network.infer(chain.theta.data(), in, out, first, 4, scratch); });
  };
  CHECK(infer(x.view(), once, 0) ==
        "Sequential: infer: output: expected a view of all steps, got one that is repeated");
  CHECK(infer(x.view(), y.view(), 0) == "nothing thrown");
}

TEST_CASE("sequential: no place for a gradient without a tape and a scratch that are prepared") {
  Chain chain;
  reprise::SequentialTape<double> tape;
  reprise::SequentialScratch<double> scratch;
  CHECK(error_of([&] { chain.network.output_gradient(tape, scratch); }) ==
        "Sequential: tape: expected one that was prepared for this network, got another");
  chain.network.prepare(tape, 4);
  CHECK(test::contains(error_of([&] { chain.network.output_gradient(tape, scratch); }),
                       "Sequential: scratch: expected "));
  chain.network.prepare(scratch, 4);
  CHECK(chain.network.output_gradient(tape, scratch).size() == 40);
}

}  // namespace
