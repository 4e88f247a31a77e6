#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <reprise/core/sequences.hpp>

#include "errors.hpp"

namespace {

using reprise::BatchShape;
using reprise::Index;
using reprise::Sequences;
using reprise::SequenceShape;
using reprise::SequenceView;

TEST_CASE("sequences have their sizes by name, in one order: samples, steps, features") {
  Sequences<float> batch({.samples = 4, .steps = 3, .features = 2});
  CHECK(batch.batch() == 4);
  CHECK(batch.steps() == 3);
  CHECK(batch.features() == 2);
  CHECK(batch.shape() == SequenceShape{.steps = 3, .features = 2});
  CHECK(batch.sizes() == BatchShape{.samples = 4, .steps = 3, .features = 2});
  CHECK(batch.shape().batch(4) == batch.sizes());
  CHECK(to_string(batch.shape()) == "3 steps x 2 features");

  batch(3, 1, 0) = 7.0F;  // sample, step, feature
  CHECK(std::as_const(batch)(3, 1, 0) == 7.0F);
  CHECK(batch.view().step(1)(0, 3) == 7.0F);
  CHECK(batch.values().sum() == 7.0F);
  const SequenceView<float> view(batch.values().data(), {.samples = 4, .steps = 3, .features = 2});
  CHECK(view.step(1)(0, 3) == 7.0F);
  CHECK(view.shape() == batch.shape());
  CHECK(view.batch == 4);
}

TEST_CASE("sizes cannot be told without their names") {
  // What must not compile is in must_not_compile/, too; a size more or less must not help.
  CHECK_FALSE(std::is_constructible_v<Sequences<float>, Index, Index, Index>);
  CHECK_FALSE(std::is_constructible_v<Sequences<double>, int, int, int>);
  CHECK_FALSE(std::is_constructible_v<SequenceView<float>, float*, Index, Index, Index>);
  CHECK_FALSE(std::is_convertible_v<Index, BatchShape>);
  CHECK_FALSE(std::is_convertible_v<Index, SequenceShape>);
  // The name costs nothing.
  CHECK(sizeof(SequenceShape) == 2 * sizeof(Index));
  CHECK(sizeof(BatchShape) == 3 * sizeof(Index));
}

TEST_CASE("sequences start at zero, and anew where their sizes change") {
  // Memory that held something else is likely to be handed out again.
  std::make_unique<Sequences<double>>(BatchShape{.samples = 5, .steps = 4, .features = 3})
      ->values()
      .setConstant(77.0);
  Sequences<double> batch({.samples = 5, .steps = 4, .features = 3});
  CHECK((batch.values().array() == 0.0).all());
  batch.values().setConstant(77.0);
  batch.resize(batch.sizes());
  CHECK((batch.values().array() == 77.0).all());  // nothing changed
  const double* const memory = batch.values().data();
  batch.resize({.samples = 4, .steps = 5, .features = 3});
  CHECK((batch.values().array() == 0.0).all());
  CHECK(batch.values().data() == memory);  // as many values
  CHECK(batch.sizes() == BatchShape{.samples = 4, .steps = 5, .features = 3});
  batch.resize({.samples = 40, .steps = 5, .features = 3});
  CHECK((batch.values().array() == 0.0).all());
}

TEST_CASE("sequences refuse sizes that cannot be, and stay as they were") {
  Sequences<float> batch({.samples = 5, .steps = 4, .features = 3});
  batch.values().setConstant(7.0F);
  const BatchShape sizes = batch.sizes();
  constexpr Index large = Index{1} << 62, most = std::numeric_limits<Index>::max();
  for (const BatchShape& wrong : {BatchShape{.samples = -1, .steps = 4, .features = 3},
                                  BatchShape{.samples = 5, .steps = -4, .features = 3},
                                  BatchShape{.samples = 5, .steps = 4, .features = -3},
                                  BatchShape{.samples = -5, .steps = -4, .features = 3},
                                  BatchShape{.samples = large, .steps = 4, .features = 3},
                                  BatchShape{.samples = large, .steps = 4, .features = 0},
                                  BatchShape{.samples = 2, .steps = 2, .features = large},
                                  BatchShape{.samples = most, .steps = 1, .features = most}}) {
    const std::string message = test::error_of([&] { batch.resize(wrong); });
    CHECK(test::contains(message, "sequences: expected sizes >= 0 whose product an index can hold, got "));
    CHECK(test::contains(message, std::to_string(wrong.samples) + " samples x "));
    CHECK(message == test::error_of([&] { Sequences<double> made(wrong); }));
  }
  CHECK(batch.sizes() == sizes);
  CHECK((batch.values().array() == 7.0F).all());
}

TEST_CASE("sequences whose values were given another number of columns refuse to be seen") {
  const BatchShape sizes{.samples = 3, .steps = 2, .features = 4};
  for (const Index columns : {Index{0}, Index{5}, Index{7}}) {
    Sequences<double> batch(sizes);
    batch.values().resize(4, columns);
    const std::string message =
        "sequences: values: expected 6 columns, one for each sample and step, got " + std::to_string(columns);
    CHECK(test::error_of([&] { batch.view(); }) == message);
    CHECK(test::error_of([&] { std::as_const(batch).view(); }) == message);
    batch.resize(sizes);
    CHECK(batch.view().size() == 24);
    CHECK(batch.values().cols() == 6);
    CHECK((batch.values().array() == 0.0).all());
  }
}

TEST_CASE("sequences whose values were taken are empty") {
  Sequences<double> batch({.samples = 3, .steps = 2, .features = 4});
  batch.values().setConstant(3.0);
  const reprise::Matrix<double> taken = std::move(batch).values();
  CHECK(taken.cols() == 6);
  CHECK((taken.array() == 3.0).all());
  CHECK(batch.sizes() == BatchShape{});
  CHECK(batch.view().size() == 0);
}

}  // namespace
