#include "gradient_check.hpp"

#include <cmath>
#include <vector>

#include <reprise/layers/dropout.hpp>

namespace {

using reprise::Dropout;
using reprise::Index;
using reprise::LayerContext;
using reprise::Matrix;
using reprise::Sequences;
using reprise::Vector;
using test::Run;

static_assert(reprise::Layer<Dropout<float>>);

Run<Dropout<double>> ones(double rate, Index features, Index batch, Index steps,
                          const LayerContext& context) {
  Sequences<double> x({.samples = batch, .steps = steps, .features = features});
  x.values().setOnes();
  Run<Dropout<double>> run{Dropout<double>(rate), x};
  run.context = context;
  run.forward();
  return run;
}

TEST_CASE("nothing is dropped at inference, nor with a rate of 0") {
  for (const double rate : {0., .5}) {
    Run<Dropout<double>> run(Dropout<double>(rate), test::uniform_sequences<double>(3, 5, 4, 9));
    CHECK((run.infer() == run.x.values()));
    run.context.training = true;
    CHECK((run.infer() == run.x.values()));
    CHECK((run.forward() == run.x.values()) == (rate == 0));
    run.context.training = false;
    CHECK((run.forward() == run.x.values()));
    run.backward(true);
    CHECK((run.dx.values() == run.dy.values()));
  }
}

TEST_CASE("the share that is dropped is the rate, the rest is scaled, and so the mean stays") {
  for (const double rate : {.1, .5, .9}) {
    CAPTURE(rate);
    const Run<Dropout<double>> run = ones(rate, 50, 100, 20, {.training = true, .seed = 3});
    const auto& y = run.y.values();
    const double n = static_cast<double>(y.size());
    const double scale = 1 / (1 - rate);
    CHECK(((y.array() == 0) || ((y.array() - scale).abs() < 1e-14)).all());
    const double dropped = static_cast<double>((y.array() == 0).count()) / n;
    CHECK(std::abs(dropped - rate) < 5 * std::sqrt(rate * (1 - rate) / n));
    CHECK(std::abs(y.mean() - 1) < 5 * std::sqrt(rate / (1 - rate) / n));
  }
}

TEST_CASE("features, samples, steps, layers, seeds and steps of the optimizer have masks of their own") {
  const LayerContext context{.training = true, .seed = 3, .step = 4, .layer = 2};
  const Matrix<double> y = ones(.5, 60, 40, 3, context).y.values();
  const auto same = [](const Matrix<double>& a, const Matrix<double>& b) {
    return static_cast<double>((a.array() == b.array()).count()) / static_cast<double>(a.size());
  };
  // Independent masks of rate .5 agree in half of their places.
  const auto check_independent = [&](const Matrix<double>& a, const Matrix<double>& b) {
    CHECK(std::abs(same(a, b) - .5) < 5 * .5 / std::sqrt(static_cast<double>(a.size())));
  };
  CHECK((y == ones(.5, 60, 40, 3, context).y.values()));
  for (Index t = 1; t < 3; ++t) check_independent(y.middleCols(40 * t, 40), y.leftCols(40));
  for (Index f = 1; f < 60; ++f) check_independent(y.row(f), y.row(0));
  for (Index b = 1; b < 40; ++b) check_independent(y.col(b), y.col(0));
  check_independent(y, ones(.5, 60, 40, 3, {.training = true, .seed = 4, .step = 4, .layer = 2}).y.values());
  check_independent(y, ones(.5, 60, 40, 3, {.training = true, .seed = 3, .step = 5, .layer = 2}).y.values());
  check_independent(y, ones(.5, 60, 40, 3, {.training = true, .seed = 3, .step = 4, .layer = 3}).y.values());
  LayerContext later = context;
  later.first_sample = 40;
  check_independent(y, ones(.5, 60, 40, 3, later).y.values());
}

TEST_CASE("a shard of a batch has the masks that its samples have in the whole batch") {
  LayerContext context{.training = true, .seed = 3, .step = 4, .layer = 2};
  const Run<Dropout<double>> all = ones(.4, 7, 11, 3, context);
  for (const Index width : {1, 4, 5}) {
    for (Index first = 0; first < 11; first += width) {
      context.first_sample = first;
      const Index count = std::min<Index>(width, 11 - first);
      const Run<Dropout<double>> shard = ones(.4, 7, count, 3, context);
      CHECK((shard.y.values() == test::samples_of(all.y, first, count).values()));
    }
  }
}

TEST_CASE("gradients of dropout with its mask held") {
  Run<Dropout<double>> run(Dropout<double>(.4), test::uniform_sequences<double>(3, 5, 4, 9));
  run.context = {.training = true, .seed = 3, .step = 1};  // the same context draws the same mask
  test::check_gradients(run);
  CHECK((run.dx.values().array() == 0).any());
  run.forward();
  run.backward(false);
  CHECK(run.dx.values().array().isNaN().all());
}

TEST_CASE("a rate must leave something") {
  for (const double rate : {1., 1.5, -.1, std::nan(""), HUGE_VAL}) {
    CAPTURE(rate);
    CHECK(test::contains(test::error_of([&] { Dropout<float>{rate}; }),
                         "Dropout: expected rate in [0, 1), got"));
  }
  CHECK_NOTHROW(Dropout<float>(0));
  CHECK_NOTHROW(Dropout<float>(.999));
}

}  // namespace
