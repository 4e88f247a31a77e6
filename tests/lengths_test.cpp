#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include <reprise/layers/dense.hpp>
#include <reprise/layers/dropout.hpp>
#include <reprise/layers/repeat_vector.hpp>
#include <reprise/layers/reverse.hpp>
#include <reprise/layers/sequential.hpp>

#include "lstm_run.hpp"

// Samples of different lengths in one batch: valid steps first, the longest sample first.
namespace {

using reprise::Index;
using reprise::Lstm;
using reprise::LstmOptions;
using reprise::Matrix;
using reprise::Sequences;
using reprise::Vector;
using test::contains;
using test::error_of;
using test::LstmRun;
using test::relative_difference;

const std::vector<Index> lengths{6, 6, 4, 3, 3, 1};
constexpr Index batch = 6, steps = 7;  // none is valid to the last step

LstmOptions options_number(int options) {
  return {.units = 5,
          .use_bias = (options & 1) != 0,
          .return_sequences = (options & 2) != 0,
          .go_backwards = (options & 4) != 0,
          .dropout = (options & 8) != 0 ? .3 : 0,
          .recurrent_dropout = (options & 16) != 0 ? .4 : 0};
}

/// Random values at valid steps, NaN beyond: whoever reads padding shows it.
template <typename Scalar>
Sequences<Scalar> padded_with_nan(Index features) {
  Sequences<Scalar> x = test::uniform_sequences<Scalar>(features, batch, steps, 9);
  for (Index b = 0; b < batch; ++b) {
    for (Index t = lengths[static_cast<std::size_t>(b)]; t < steps; ++t) {
      for (Index f = 0; f < features; ++f) x(b, t, f) = std::numeric_limits<Scalar>::quiet_NaN();
    }
  }
  return x;
}

TEST_CASE("lengths: gradients of an LSTM with each option, initial and final states included") {
  for (int options = 0; options < 32; ++options) {
    CAPTURE(options);
    LstmRun<Lstm<double>> run(options_number(options), test::uniform_sequences<double>(3, batch, steps, 9));
    run.lengths = lengths;
    run.hold_masks();
    run.loss();
    run.backward_with_states();
    const auto loss = [&] { return run.loss(); };
    for (const auto& info : run.table) {
      test::check_gradient(info.name, run.tensor(info, run.theta), run.tensor(info, run.gradient), loss);
    }
    test::check_gradient("input", run.x.values(), run.dx.values(), loss);
    test::check_gradient("initial h", run.h0, run.dh0, loss);
    test::check_gradient("initial c", run.c0, run.dc0, loss);
  }
}

TEST_CASE_TEMPLATE("lengths: a batch equals each sample alone at its own length", Scalar, float, double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-12 : 1e-5;
  for (int options = 0; options < 8; ++options) {
    CAPTURE(options);
    LstmRun<Lstm<Scalar>> all(options_number(options), padded_with_nan<Scalar>(3));
    all.lengths = lengths;
    all.forward_with_states();
    all.backward_with_states();
    Vector<Scalar> sum = Vector<Scalar>::Zero(all.theta.size());
    for (Index b = 0; b < batch; ++b) {
      CAPTURE(b);
      const Index length = lengths[static_cast<std::size_t>(b)];
      Sequences<Scalar> x({.samples = 1, .steps = length, .features = 3});
      for (Index t = 0; t < length; ++t) x.view().step(t) = all.x.view().step(t).col(b);
      LstmRun<Lstm<Scalar>> one(all.layer.options(), x);
      one.theta = all.theta;
      one.h0 = all.h0.col(b);
      one.c0 = all.c0.col(b);
      one.dhT = all.dhT.col(b);
      one.dcT = all.dcT.col(b);
      const bool sequences = all.layer.options().return_sequences;
      const Index last = one.y.steps() - 1;
      for (Index t = 0; t < one.y.steps(); ++t) one.dy.view().step(t) = all.dy.view().step(t).col(b);
      // What is held beyond the end counts at the end.
      for (Index t = last + 1; sequences && t < steps; ++t) {
        one.dy.view().step(last) += all.dy.view().step(t).col(b);
      }
      one.forward_with_states();
      one.backward_with_states();
      sum += one.gradient;
      for (Index t = 0; t < all.y.steps(); ++t) {
        CHECK(relative_difference(Matrix<Scalar>(all.y.view().step(t).col(b)),
                                  Matrix<Scalar>(one.y.view().step(std::min(t, last)))) <= tolerance);
      }
      CHECK(relative_difference(Matrix<Scalar>(all.hT.col(b)), one.hT) <= tolerance);
      CHECK(relative_difference(Matrix<Scalar>(all.cT.col(b)), one.cT) <= tolerance);
      CHECK(relative_difference(Matrix<Scalar>(all.dh0.col(b)), one.dh0) <= tolerance);
      for (Index t = 0; t < steps; ++t) {
        const Matrix<Scalar> dx = all.dx.view().step(t).col(b);
        if (t >= length) CHECK((dx.array() == 0).all());
        if (t < length) CHECK(relative_difference(dx, Matrix<Scalar>(one.dx.view().step(t))) <= tolerance);
      }
    }
    CHECK(relative_difference(sum, all.gradient) <= tolerance);
  }
}

TEST_CASE_TEMPLATE("lengths: inference equals training, and one sample likewise", Scalar, float, double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-12 : 1e-5;
  for (int options = 0; options < 8; ++options) {
    for (const Index count : {batch, Index(1)}) {
      CAPTURE(options);
      CAPTURE(count);
      LstmRun<Lstm<Scalar>> run(options_number(options),
                                test::samples_of(padded_with_nan<Scalar>(3), batch - count, count));
      run.lengths.assign(lengths.end() - count, lengths.end());
      const Matrix<Scalar> y = run.forward_with_states(), h = run.hT, c = run.cT;
      CHECK(relative_difference(run.infer_with_states(), y) <= tolerance);
      CHECK(relative_difference(run.hT, h) <= tolerance);
      CHECK(relative_difference(run.cT, c) <= tolerance);
    }
  }
}

TEST_CASE("lengths: full ones give the bits of none") {
  for (int options = 0; options < 32; ++options) {
    CAPTURE(options);
    LstmRun<Lstm<float>> without(options_number(options), test::uniform_sequences<float>(3, batch, steps, 9));
    without.hold_masks();
    LstmRun<Lstm<float>> with = without;
    with.lengths.assign(batch, steps);
    for (auto* run : {&without, &with}) {
      run->forward_with_states();
      run->backward_with_states();
    }
    CHECK((with.y.values() == without.y.values()));
    CHECK((with.hT == without.hT));
    CHECK((with.gradient == without.gradient));
    CHECK((with.dx.values() == without.dx.values()));
    CHECK((with.dc0 == without.dc0));
  }
}

TEST_CASE("lengths: masks go by the sample's place before sorting") {
  LstmRun<Lstm<double>> sorted({.units = 5, .dropout = .4, .recurrent_dropout = .4},
                               test::uniform_sequences<double>(3, 3, 4, 9));
  sorted.context = {.training = true, .seed = 7};
  LstmRun<Lstm<double>> as_given = sorted;
  const std::vector<Index> places{2, 0, 1};  // column 0 is the batch's sample 2, and so on
  sorted.context.places = places;
  for (Index column = 0; column < 3; ++column) {
    const Index place = places[static_cast<std::size_t>(column)];
    for (Index t = 0; t < 4; ++t) sorted.x.view().step(t).col(column) = as_given.x.view().step(t).col(place);
    sorted.h0.col(column) = as_given.h0.col(place);
    sorted.c0.col(column) = as_given.c0.col(place);
  }
  as_given.forward_with_states();
  sorted.forward_with_states();
  for (Index column = 0; column < 3; ++column) {
    CHECK(relative_difference(
              Matrix<double>(sorted.y.values().col(column)),
              Matrix<double>(as_given.y.values().col(places[static_cast<std::size_t>(column)]))) <= 1e-14);
  }
}

TEST_CASE("lengths: the valid part is turned round") {
  test::Run<reprise::Reverse<double>> run(reprise::Reverse<double>(), padded_with_nan<double>(2));
  run.lengths = lengths;
  run.forward();
  run.backward(true);
  for (Index b = 0; b < batch; ++b) {
    const Index length = lengths[static_cast<std::size_t>(b)];
    for (Index t = 0; t < length; ++t) {
      CHECK(run.y(b, t, 1) == run.x(b, length - 1 - t, 1));
      CHECK(run.dx(b, length - 1 - t, 0) == run.dy(b, t, 0));
    }
  }
}

// ---- Chains ----

reprise::Sequential<double> chain() {
  reprise::Sequential<double> network({.steps = steps, .features = 2});
  network.add("first", Lstm<double>(2, {.units = 4, .return_sequences = true}));
  network.add("dropout", reprise::Dropout<double>(.3));
  network.add("dense", reprise::Dense<double>(4, {.units = 3, .activation = reprise::activation::tanh}));
  network.add("code", Lstm<double>(3, {.units = 3}));
  network.add("repeat", reprise::RepeatVector<double>(steps));
  network.add("second", Lstm<double>(3, {.units = 4, .return_sequences = true}));
  network.add("output", reprise::Dense<double>(4, {.units = 2}));
  return network;
}

TEST_CASE("lengths: a chain's gradient, with a loss over valid steps") {
  const auto network = chain();
  Vector<double> theta(network.parameters().size()), gradient = Vector<double>::Zero(theta.size());
  test::fill_uniform(theta, 3, -.9, .9);
  const Sequences<double> x = test::uniform_sequences<double>(2, batch, steps, 4);
  Sequences<double> weights = test::uniform_sequences<double>(2, batch, steps, 5);
  for (Index b = 0; b < batch; ++b) {
    for (Index t = lengths[static_cast<std::size_t>(b)]; t < steps; ++t)
      weights(b, t, 0) = weights(b, t, 1) = 0;
  }
  reprise::SequentialTape<double> tape;
  reprise::SequentialScratch<double> scratch;
  network.prepare(scratch, batch);
  const reprise::LayerContext context{.training = true, .seed = 4};
  const auto loss = [&] {
    network.prepare(tape, batch);
    tape.input.matrix() = x.values();
    tape.lengths = lengths;
    return network.forward(theta.data(), tape, scratch, context)
        .matrix()
        .cwiseProduct(weights.values())
        .sum();
  };
  loss();
  network.output_gradient(tape, scratch).matrix() = weights.values();
  network.backward(theta.data(), tape, scratch, context, gradient.data());
  for (const auto& info : network.parameters()) {
    Eigen::Map<Matrix<double>> values(theta.data() + info.offset, info.rows, info.cols);
    Eigen::Map<Matrix<double>> expected(gradient.data() + info.offset, info.rows, info.cols);
    test::check_gradient(info.name, values, expected, loss);
  }
}

TEST_CASE("lengths: what a chain gives for a sample does not depend on its padding or its neighbours") {
  const auto network = chain();
  Vector<double> theta(network.parameters().size());
  test::fill_uniform(theta, 3, -.9, .9);
  const Sequences<double> x = padded_with_nan<double>(2);
  Sequences<double> y({.samples = batch, .steps = steps, .features = 2});
  reprise::SequentialScratch<double> scratch;
  network.infer(theta.data(), x.view(), y.view(), 0, 7, scratch, lengths);
  CHECK(y.values().allFinite());
  for (Index b = 0; b < batch; ++b) {
    const Index length = lengths[static_cast<std::size_t>(b)];
    const Sequences<double> one = test::samples_of(x, b, 1);
    Sequences<double> y_one({.samples = 1, .steps = steps, .features = 2});
    network.infer(theta.data(), one.view(), y_one.view(), 0, 7, scratch, std::vector<Index>{length});
    CHECK(relative_difference(y_one.values(), test::samples_of(y, b, 1).values()) <= 1e-12);
  }
}

struct Blind : reprise::LayerDefaults<double> {
  const char* name() const { return "Blind"; }
  void forward(Input x, Output y, const Call&) const { std::copy_n(x.data, x.size(), y.data); }
  void backward(Input, Input, Input dy, Output dx, const Call&) const {
    if (dx.data != nullptr) std::copy_n(dy.data, dy.size(), dx.data);
  }
};

TEST_CASE("lengths: those that cannot be are refused, and so is a layer that knows none") {
  reprise::Sequential<double> network({.steps = steps, .features = 2});
  network.add("lstm", Lstm<double>(2, {.units = 2, .return_sequences = true}));
  const Vector<double> theta = Vector<double>::Zero(network.parameters().size());
  const Sequences<double> x({.samples = 2, .steps = steps, .features = 2});
  Sequences<double> y({.samples = 2, .steps = steps, .features = 2});
  reprise::SequentialScratch<double> scratch;
  const auto refused = [&](std::vector<Index> given) {
    return error_of([&] {
      network.infer(theta.data(), x.view(), y.view(), 0, static_cast<std::size_t>(network.size()), scratch,
                    given);
    });
  };
  CHECK(refused({7, 2}) == error_of([] {}));
  CHECK(contains(refused({7}), "Sequential: lengths: expected 2 numbers, one for each sample, got 1"));
  CHECK(contains(refused({8, 2}), "numbers from 1 to 7, the largest first, got 8"));
  CHECK(contains(refused({2, 0}), "got 0"));
  CHECK(contains(refused({2, 3}), "got 3"));
  network.add("blind", Blind{});
  CHECK(
      contains(refused({7, 2}), "blind: expected samples that all have the same length, got different ones"));
  CHECK(refused({}) == error_of([] {}));
}

}  // namespace
