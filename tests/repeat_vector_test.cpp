#include "gradient_check.hpp"

#include <reprise/layers/repeat_vector.hpp>

namespace {

using reprise::Index;
using reprise::RepeatVector;
using test::Run;

static_assert(reprise::Layer<RepeatVector<float>>);

TEST_CASE("every step of the output is the input") {
  Run<RepeatVector<double>> run(RepeatVector<double>(4), test::uniform_sequences<double>(3, 5, 1, 9));
  for (const bool training : {true, false}) {
    const auto& y = training ? run.forward() : run.infer();
    CHECK(run.y.shape() == reprise::SequenceShape{.steps = 4, .features = 3});
    for (Index t = 0; t < 4; ++t) CHECK((y.middleCols(t * 5, 5) == run.x.values()));
  }
  CHECK(run.table.size() == 0);
}

TEST_CASE("gradients of a repeated vector") {
  for (const Index steps : {1, 5}) {
    CAPTURE(steps);
    Run<RepeatVector<double>> run(RepeatVector<double>(steps), test::uniform_sequences<double>(3, 5, 1, 9));
    test::check_gradients(run);
    Run<RepeatVector<double>> not_wanted(RepeatVector<double>(steps),
                                         test::uniform_sequences<double>(3, 5, 1, 9));
    not_wanted.forward();
    not_wanted.backward(false);
    CHECK(not_wanted.dx.values().array().isNaN().all());
  }
}

TEST_CASE("wrong use of a repeated vector is named") {
  CHECK(test::contains(test::error_of([] { RepeatVector<float>(0); }),
                       "RepeatVector: expected steps > 0, got 0"));
  CHECK(test::contains(test::error_of([] { RepeatVector<float>(-2); }), "got -2"));
  CHECK(
      test::contains(test::error_of([] { RepeatVector<float>(4).output_shape({.steps = 2, .features = 3}); }),
                     "RepeatVector: expected an input of 1 step, got 2 steps"));
}

}  // namespace
