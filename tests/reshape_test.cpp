#include <doctest/doctest.h>

#include <reprise/layers/reshape.hpp>
#include <reprise/layers/sequential.hpp>

#include "errors.hpp"

using reprise::Index;
using reprise::Reshape;
using reprise::SequenceShape;
using test::contains;
using test::error_of;

TEST_CASE("reshape: a sample's values keep their order, step by step, and so do their gradients") {
  const Reshape<double> layer({.steps = 3, .features = 2});
  static_assert(reprise::Layer<Reshape<double>>);
  for (const SequenceShape in :
       {SequenceShape{.steps = 1, .features = 6}, SequenceShape{.steps = 2, .features = 3},
        SequenceShape{.steps = 6, .features = 1}}) {
    CHECK(layer.output_shape(in) == SequenceShape{.steps = 3, .features = 2});
    reprise::Sequences<double> x(in.batch(4)), y({.samples = 4, .steps = 3, .features = 2}), dx = x;
    for (Index b = 0; b < 4; ++b) {
      for (Index i = 0; i < 6; ++i) x(b, i / in.features, i % in.features) = static_cast<double>(10 * b + i);
    }
    const auto& input = x;
    layer.forward(input.view(), y.view(), {});
    for (Index b = 0; b < 4; ++b) {
      for (Index i = 0; i < 6; ++i) CHECK(y(b, i / 2, i % 2) == static_cast<double>(10 * b + i));
    }
    const auto& output = y;
    layer.backward(input.view(), output.view(), output.view(), dx.view(), {});
    CHECK(dx.values() == x.values());
    layer.backward(input.view(), output.view(), output.view(), {}, {});
  }
  CHECK(contains(
      error_of([&] { layer.output_shape({.steps = 2, .features = 4}); }),
      "Reshape: expected an input of as many values as 3 steps x 2 features, got 2 steps x 4 features"));
  CHECK(contains(error_of([] { Reshape<double>({.steps = 2, .features = 0}); }), "features > 0"));
}
