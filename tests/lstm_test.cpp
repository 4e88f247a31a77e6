#include <vector>

#include "lstm_run.hpp"

namespace {

using reprise::Activation;
using reprise::Index;
using reprise::Lstm;
using reprise::LstmOptions;
using reprise::Matrix;
using reprise::Purpose;
using reprise::Sequences;
using reprise::Vector;
using test::contains;
using test::error_of;
using test::LstmRun;
using test::relative_difference;

static_assert(reprise::Layer<Lstm<float>> && reprise::Layer<Lstm<double, 3, 5>>);

const char* const gate_names[] = {"i", "f", "g", "o"};

std::vector<Activation> all_activations() {
  std::vector<Activation> all;
  for (const auto name : reprise::detail::activation_names)
    all.push_back(reprise::activation_from_name(name));
  return all;
}

/// Every block of parameters, each gate's rows on their own; the input; both initial states. The gradient
/// flows in through the output and both final states.
void check_lstm_gradients(LstmRun<Lstm<double>>& run) {
  run.loss();
  run.backward_with_states();
  const auto loss = [&] { return run.loss(); };
  const Index H = run.layer.units();
  for (const auto& info : run.table) {
    auto values = run.tensor(info, run.theta);
    const auto gradient = run.tensor(info, run.gradient);
    for (Index gate = 0; gate < 4; ++gate) {
      test::check_gradient(info.name + ", gate " + gate_names[gate], values.middleRows(gate * H, H),
                           gradient.middleRows(gate * H, H), loss);
    }
  }
  test::check_gradient("input", run.x.values(), run.dx.values(), loss);
  test::check_gradient("initial h", run.h0, run.dh0, loss);
  test::check_gradient("initial c", run.c0, run.dc0, loss);
}

// ---- The equations once more, in plain loops ----

double apply(Activation activation, double x) {
  double y = 0;
  reprise::detail::with_activation(activation, [&](auto f) { y = f.value(x); });
  return y;
}

struct Expected {
  Matrix<double> y, h, c;
};

/// One step and one sample after the other. `run` gives the parameters, the input, the initial states and the
/// masks.
Expected plain_lstm(const LstmRun<Lstm<double>>& run) {
  const LstmOptions& options = run.layer.options();
  const Index H = options.units, B = run.x.batch(), T = run.x.steps();
  const auto w = run.layer.cell().kernel(run.theta.data());
  const auto u = run.layer.cell().recurrent_kernel(run.theta.data());
  const auto b = run.layer.cell().bias(run.theta.data());
  const auto mask = [&](const Matrix<double>& masks, Index gate, Index feature, Index sample) {
    if (masks.size() == 0) return 1.;
    return masks(feature, (masks.cols() == B ? 0 : gate) * B + sample);
  };
  Expected expected{Matrix<double>(H, B * (options.return_sequences ? T : 1)), run.h0, run.c0};
  for (Index k = 0; k < T; ++k) {
    const Index t = options.go_backwards ? T - 1 - k : k;
    for (Index s = 0; s < B; ++s) {
      Matrix<double> z(H, 4);
      for (Index gate = 0; gate < 4; ++gate) {
        for (Index unit = 0; unit < H; ++unit) {
          const Index row = gate * H + unit;
          double sum = options.use_bias ? b(row) : 0;
          for (Index i = 0; i < run.x.features(); ++i) {
            sum += w(row, i) * run.x(s, t, i) * mask(run.input_masks, gate, i, s);
          }
          for (Index j = 0; j < H; ++j)
            sum += u(row, j) * expected.h(j, s) * mask(run.recurrent_masks, gate, j, s);
          z(unit, gate) = sum;
        }
      }
      for (Index unit = 0; unit < H; ++unit) {
        const double i = apply(options.recurrent_activation, z(unit, 0));
        const double f = apply(options.recurrent_activation, z(unit, 1));
        const double g = apply(options.activation, z(unit, 2));
        const double o = apply(options.recurrent_activation, z(unit, 3));
        expected.c(unit, s) = f * expected.c(unit, s) + i * g;
        expected.h(unit, s) = o * apply(options.activation, expected.c(unit, s));
      }
    }
    expected.y.middleCols(options.return_sequences ? k * B : 0, B) = expected.h;
  }
  return expected;
}

void check_against_plain_loops(LstmRun<Lstm<double>>& run) {
  const Expected expected = plain_lstm(run);
  CHECK(relative_difference(run.forward_with_states(), expected.y) <= 1e-12);
  CHECK(relative_difference(run.hT, expected.h) <= 1e-12);
  CHECK(relative_difference(run.cT, expected.c) <= 1e-12);
}

// ---- Values that others state ----

/// x = arange(...) as (batch, steps, features), like NumPy.
Sequences<double> arange(Index batch, Index steps, Index features) {
  Sequences<double> x({.samples = batch, .steps = steps, .features = features});
  double next = 0;
  for (Index b = 0; b < batch; ++b) {
    for (Index t = 0; t < steps; ++t) {
      for (Index f = 0; f < features; ++f) x(b, t, f) = next++;
    }
  }
  return x;
}

/// Kernel .01, recurrent kernel .02, bias .03, as in Keras 3, layers/rnn/lstm_test.py.
LstmRun<Lstm<double>> keras_case(LstmOptions options, const Sequences<double>& x) {
  options.kernel_initializer = reprise::initializer::constant(.01);
  options.recurrent_initializer = reprise::initializer::constant(.02);
  options.bias_initializer = reprise::initializer::constant(.03);
  LstmRun<Lstm<double>> run(options, x);
  reprise::RandomStream random(1, Purpose::initial_weights);
  run.layer.initialize(run.theta.data(), random);
  run.h0.setZero();
  run.c0.setZero();
  return run;
}

TEST_CASE("outputs are those of Keras's own tests") {  // Keras 3, layers/rnn/lstm_test.py, stated in single
                                                       // precision
  const auto check = [](const LstmOptions& options, const std::vector<double>& expected) {
    auto run = keras_case(options, arange(3, 6, 4));
    run.forward();
    for (Index b = 0; b < 3; ++b) {
      for (Index u = 0; u < 3; ++u)
        CHECK(std::abs(run.y(b, 0, u) - expected[static_cast<std::size_t>(b)]) < 1e-6);
    }
    run.infer();
    for (Index b = 0; b < 3; ++b)
      CHECK(std::abs(run.y(b, 0, 1) - expected[static_cast<std::size_t>(b)]) < 1e-6);
  };
  SUBCASE("forget bias 1") {
    check({.units = 3}, {0.6288686710336335, 0.8689914482110748, 0.9460772839198447});
  }
  SUBCASE("no unit_forget_bias") {
    check({.units = 3, .unit_forget_bias = false},
          {0.5701970264041606, 0.8661914649856934, 0.9459621662400367});
  }
  SUBCASE("no bias") {
    check({.units = 3, .use_bias = false}, {0.5498691994154603, 0.8622679087487307, 0.9443935207418774});
  }
}

TEST_CASE("a second run from the first's final states gives the value of Keras's stateful test") {
  auto run = keras_case({.units = 4}, arange(2, 3, 4));
  run.forward_with_states();
  run.h0 = run.hT;
  run.c0 = run.cT;
  run.forward_with_states();
  const double expected[] = {0.3124785616208238, 0.6863671321105562};
  for (Index b = 0; b < 2; ++b) {
    for (Index u = 0; u < 4; ++u) CHECK(std::abs(run.y(b, 0, u) - expected[b]) < 1e-6);
  }
}

TEST_CASE("initial states give the values of Keras's own test") {
  auto run = keras_case({.units = 2}, arange(2, 4, 3));
  run.h0 << 0, 2, 1, 3;  // [[0, 1], [2, 3]] as batch x units
  run.c0 = run.h0;
  run.forward_with_states();
  const double expected[] = {0.20574440639987787, 0.35588224599668367, 0.6493083163444769,
                             0.6627600169943563};
  for (Index i = 0; i < 4; ++i) CHECK(std::abs(run.y(i / 2, 0, i % 2) - expected[i]) < 1e-6);
}

// ---- Closed forms ----

/// One unit, one feature; all weights zero.
LstmRun<Lstm<double>> zeroed(Index steps) {
  Sequences<double> x({.samples = 1, .steps = steps, .features = 1});
  for (Index t = 0; t < steps; ++t) x(0, t, 0) = .3 - .4 * static_cast<double>(t);
  LstmRun<Lstm<double>> run({.units = 1, .return_sequences = true}, x);
  run.theta.setZero();
  run.h0.setConstant(.6);
  run.c0.setConstant(.8);
  return run;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST_CASE("without weights every gate is half open and nothing comes in") {
  auto run = zeroed(3);
  run.forward_with_states();
  for (Index t = 0; t < 3; ++t) {
    CHECK(std::abs(run.y(0, t, 0) - .5 * std::tanh(.8 * std::pow(.5, static_cast<double>(t + 1)))) < 1e-15);
  }
}

TEST_CASE("with one gate's kernel alone the output is an expression of that gate") {
  const double w = 1.7, bias = .9;
  for (int gate = 0; gate < 4; ++gate) {
    CAPTURE(gate_names[gate]);
    auto run = zeroed(3);
    run.layer.cell().kernel(run.theta.data())(gate, 0) = w;
    if (gate == 0) run.layer.cell().bias(run.theta.data())(2) = bias;  // else i multiplies 0
    run.forward_with_states();
    double c = .8;
    for (Index t = 0; t < 3; ++t) {
      const double z = w * run.x(0, t, 0);
      double h = 0;
      if (gate == 0) h = .5 * std::tanh(c = .5 * c + sigmoid(z) * std::tanh(bias));
      if (gate == 1) h = .5 * std::tanh(c = sigmoid(z) * c);
      if (gate == 2) h = .5 * std::tanh(c = .5 * c + .5 * std::tanh(z));
      if (gate == 3) h = sigmoid(z) * std::tanh(c = .5 * c);
      CHECK(std::abs(run.y(0, t, 0) - h) < 1e-15);
    }
    CHECK(std::abs(run.cT(0, 0) - c) < 1e-15);
  }
}

TEST_CASE("with one gate's recurrent kernel alone the output is an expression of that gate") {
  const double u = 1.7, bias = .9;
  for (int gate = 0; gate < 4; ++gate) {
    CAPTURE(gate_names[gate]);
    auto run = zeroed(3);
    run.layer.cell().recurrent_kernel(run.theta.data())(gate, 0) = u;
    if (gate == 0) run.layer.cell().bias(run.theta.data())(2) = bias;
    run.forward_with_states();
    double c = .8, h = .6;
    for (Index t = 0; t < 3; ++t) {
      const double z = u * h;
      if (gate == 0) h = .5 * std::tanh(c = .5 * c + sigmoid(z) * std::tanh(bias));
      if (gate == 1) h = .5 * std::tanh(c = sigmoid(z) * c);
      if (gate == 2) h = .5 * std::tanh(c = .5 * c + .5 * std::tanh(z));
      if (gate == 3) h = sigmoid(z) * std::tanh(c = .5 * c);
      CHECK(std::abs(run.y(0, t, 0) - h) < 1e-15);
    }
  }
}

TEST_CASE("with every gate but the forget gate closed the cell remembers") {
  auto run = zeroed(20);
  auto bias = run.layer.cell().bias(run.theta.data());
  bias << -100, 100, 1, 100;
  run.forward_with_states();
  CHECK(std::abs(run.cT(0, 0) - .8) < 1e-14);
  CHECK(std::abs(run.y(0, 19, 0) - std::tanh(.8)) < 1e-14);
}

TEST_CASE("outputs equal plain loops, with each pair of activations") {
  for (const Activation activation : all_activations()) {
    for (const Activation recurrent : all_activations()) {
      CAPTURE(reprise::name_of(activation));
      CAPTURE(reprise::name_of(recurrent));
      LstmRun<Lstm<double>> run({.units = 5, .activation = activation, .recurrent_activation = recurrent},
                                test::uniform_sequences<double>(3, 3, 5, 9));
      check_against_plain_loops(run);
    }
  }
}

TEST_CASE("outputs equal plain loops, with each option") {
  for (int options = 0; options < 32; ++options) {
    CAPTURE(options);
    LstmRun<Lstm<double>> run({.units = 7,
                               .use_bias = (options & 1) != 0,
                               .return_sequences = (options & 2) != 0,
                               .go_backwards = (options & 4) != 0,
                               .dropout = (options & 8) != 0 ? .3 : 0,
                               .recurrent_dropout = (options & 16) != 0 ? .4 : 0},
                              test::uniform_sequences<double>(5, 3, 6, 9));
    run.hold_masks();
    check_against_plain_loops(run);
  }
}

TEST_CASE("outputs equal plain loops, at many sizes") {
  for (const Index units : {1, 3, 16, 49}) {
    for (const Index features : {1, 2, 17}) {
      for (const Index batch : {1, 2, 5, 33}) {
        CAPTURE(units);
        CAPTURE(features);
        CAPTURE(batch);
        LstmRun<Lstm<double>> run({.units = units, .return_sequences = true},
                                  test::uniform_sequences<double>(features, batch, 4, 9));
        check_against_plain_loops(run);
        run.layer =
            Lstm<double>(features, {.units = units, .return_sequences = true, .recurrent_dropout = .5});
        run.scratch.resize(run.layer.scratch_size(run.x.shape(), batch));
        run.tape.resize(run.layer.tape_size(run.x.shape(), batch));
        run.hold_masks();
        check_against_plain_loops(run);
      }
    }
  }
}

// ---- Gradients ----

TEST_CASE("gradients of an LSTM, with each pair of activations") {
  for (const Activation activation : all_activations()) {
    for (const Activation recurrent : all_activations()) {
      CAPTURE(reprise::name_of(activation));
      CAPTURE(reprise::name_of(recurrent));
      LstmRun<Lstm<double>> run(
          {.units = 5, .activation = activation, .recurrent_activation = recurrent, .return_sequences = true},
          test::uniform_sequences<double>(3, 3, 5, 9));
      run.layer.cell().bias(run.theta.data()).array() +=
          .4;  // else relu gates shut and hide what lies behind
      check_lstm_gradients(run);
    }
  }
}

TEST_CASE("gradients of an LSTM, with each option and masks held") {
  for (int options = 0; options < 32; ++options) {
    CAPTURE(options);
    LstmRun<Lstm<double>> run({.units = 5,
                               .use_bias = (options & 1) != 0,
                               .return_sequences = (options & 2) != 0,
                               .go_backwards = (options & 4) != 0,
                               .dropout = (options & 8) != 0 ? .3 : 0,
                               .recurrent_dropout = (options & 16) != 0 ? .4 : 0},
                              test::uniform_sequences<double>(3, 3, 5, 9));
    run.hold_masks();
    check_lstm_gradients(run);
  }
}

TEST_CASE("gradients with masks drawn by the layer from one context") {
  LstmRun<Lstm<double>> run({.units = 5, .return_sequences = true, .dropout = .3, .recurrent_dropout = .4},
                            test::uniform_sequences<double>(3, 3, 5, 9));
  run.context = {.training = true, .seed = 8};
  check_lstm_gradients(run);
}

TEST_CASE("gradients of a single step and of a single unit") {
  LstmRun<Lstm<double>> one_step({.units = 5, .return_sequences = true},
                                 test::uniform_sequences<double>(3, 3, 1, 9));
  check_lstm_gradients(one_step);
  LstmRun<Lstm<double>> one_unit({.units = 1}, test::uniform_sequences<double>(1, 2, 5, 9));
  check_lstm_gradients(one_unit);
}

enum class Column { first, last };

/// Rows [first, first + count) of each gate in one column of every tensor, and the input: of layers too large
/// to vary every weight.
void check_some_gradients(LstmRun<Lstm<double>>& run, Column column, Index first, Index count) {
  const Index H = run.layer.units();
  run.theta *= .3;
  run.loss();
  run.backward_with_states();
  const auto loss = [&] { return run.loss(); };
  for (const auto& info : run.table) {
    const Index col = column == Column::first ? 0 : run.tensor(info, run.theta).cols() - 1;
    for (Index gate = 0; gate < 4; ++gate) {
      test::check_gradient(info.name + ", gate " + gate_names[gate],
                           run.tensor(info, run.theta).block(gate * H + first, col, count, 1),
                           run.tensor(info, run.gradient).block(gate * H + first, col, count, 1), loss);
    }
  }
  test::check_gradient("input", run.x.values(), run.dx.values(), loss);
}

TEST_CASE("gradients of a layer of more than one panel of rows") {
  for (const bool go_backwards : {false, true}) {
    LstmRun<Lstm<double>> run({.units = 65, .return_sequences = true, .go_backwards = go_backwards},
                              test::uniform_sequences<double>(3, 3, 4, 9));
    check_some_gradients(run, Column::first, 0, 65);
  }
}

TEST_CASE("gradients of a layer so large that what dz is multiplied with is packed too") {
  LstmRun<Lstm<double>> run({.units = 128, .return_sequences = true},
                            test::uniform_sequences<double>(2, 2, 4, 9));
  check_some_gradients(run, Column::last, 100, 28);
}

TEST_CASE("gradients through two layers, one on the other") {
  for (const bool go_backwards : {false, true}) {
    CAPTURE(go_backwards);
    LstmRun<Lstm<double>> lower({.units = 5, .return_sequences = true, .go_backwards = go_backwards},
                                test::uniform_sequences<double>(3, 3, 5, 9));
    LstmRun<Lstm<double>> upper({.units = 4, .activation = reprise::activation::softsign}, lower.y);
    upper.theta *= -1;  // not the lower layer's numbers
    const auto loss = [&] {
      lower.forward_with_states();
      upper.x = lower.y;
      return upper.loss() + lower.dhT.cwiseProduct(lower.hT).sum() + lower.dcT.cwiseProduct(lower.cT).sum();
    };
    loss();
    upper.backward_with_states();
    lower.dy = upper.dx;
    lower.backward_with_states();
    int layer = 0;
    for (LstmRun<Lstm<double>>* run : {&lower, &upper}) {
      const std::string name = layer++ == 0 ? "lower " : "upper ";
      for (const auto& info : run->table) {
        const Index H = run->layer.units();
        for (Index gate = 0; gate < 4; ++gate) {
          test::check_gradient(name + info.name + ", gate " + gate_names[gate],
                               run->tensor(info, run->theta).middleRows(gate * H, H),
                               run->tensor(info, run->gradient).middleRows(gate * H, H), loss);
        }
      }
      test::check_gradient(name + "initial h", run->h0, run->dh0, loss);
      test::check_gradient(name + "initial c", run->c0, run->dc0, loss);
    }
    test::check_gradient("input", lower.x.values(), lower.dx.values(), loss);
  }
}

TEST_CASE("states, their gradients and the input's gradient need not be given or wanted") {
  LstmRun<Lstm<double>> run({.units = 5, .return_sequences = true},
                            test::uniform_sequences<double>(3, 3, 5, 9));
  run.h0.setZero();
  run.c0.setZero();
  run.dhT.setZero();
  run.dcT.setZero();
  run.forward_with_states();
  const Matrix<double> y = run.y.values();
  run.backward_with_states();
  const Vector<double> gradient = run.gradient;

  CHECK((run.forward() == y));
  run.backward(false);
  CHECK((run.gradient == gradient));
  CHECK(run.dx.values().array().isNaN().all());
  CHECK((run.infer() == run.infer_with_states()));
}

TEST_CASE("a gradient is added to what was there") {
  for (const double dropout : {0., .4}) {
    LstmRun<Lstm<double>> run({.units = 5, .dropout = dropout, .recurrent_dropout = dropout},
                              test::uniform_sequences<double>(3, 3, 5, 9));
    run.hold_masks();
    run.loss();
    run.backward_with_states();
    const Vector<double> once = run.gradient;
    run.layer.backward(run.x.view(), std::as_const(run.y).view(), std::as_const(run.dy).view(), run.dx.view(),
                       run.call(run.states()));
    CHECK(relative_difference(run.gradient, 2 * once) <= 1e-15);
  }
}

TEST_CASE("an input that is one repeated step equals that step written out, forwards and backwards") {
  for (const Index batch : {1, 4}) {
    for (const int variant : {0, 1, 2, 3}) {
      const double dropout = variant % 2 == 0 ? 0. : .4;
      const bool go_backwards = variant / 2 == 1;
      CAPTURE(batch);
      CAPTURE(variant);
      const LstmOptions options{.units = 5,
                                .return_sequences = true,
                                .go_backwards = go_backwards,
                                .dropout = dropout,
                                .recurrent_dropout = dropout};
      Sequences<double> x = test::uniform_sequences<double>(3, batch, 9, 9);
      for (Index t = 1; t < 9; ++t) x.view().step(t) = x.view().step(0);
      LstmRun<Lstm<double>> run(options, x);
      run.hold_masks();
      run.loss();
      run.backward_with_states();
      Matrix<double> dx = Matrix<double>::Zero(3, batch);
      for (Index t = 0; t < 9; ++t) dx += run.dx.view().step(t);

      Sequences<double> y = run.y, once({.samples = batch, .steps = 1, .features = 3});
      y.values().setZero();
      Vector<double> gradient = Vector<double>::Zero(run.gradient.size());
      const reprise::SequenceView<double> repeated(x.values().data(),
                                                   {.samples = batch, .steps = 9, .features = 3}, true);
      const reprise::SequenceView<double> dx_once(once.values().data(),
                                                  {.samples = batch, .steps = 9, .features = 3}, true);
      run.layer.forward(repeated, y.view(), run.call(run.states(), run.masks()));
      CHECK(relative_difference(y.values(), run.y.values()) <= 1e-14);
      auto call = run.call(run.states());
      call.gradient = gradient.data();
      run.layer.backward(repeated, std::as_const(y).view(), std::as_const(run.dy).view(), dx_once, call);
      CHECK(relative_difference(gradient, run.gradient) <= 1e-13);
      CHECK(relative_difference(once.values(), dx) <= 1e-13);

      run.infer_with_states();
      run.layer.infer(repeated, y.view(), run.call(run.states()));
      CHECK(relative_difference(y.values(), run.y.values()) <= 1e-14);
    }
  }
}

// ---- Properties ----

template <typename Scalar>
constexpr double tolerance = std::is_same_v<Scalar, double> ? 1e-12 : 1e-5;

TEST_CASE_TEMPLATE("inference equals training without dropout, at every length", Scalar, float, double) {
  for (const Index steps : {1, 2, 7, 8, 15, 16, 17, 32, 40, 48, 49, 100}) {
    for (int options = 0; options < 16; ++options) {
      const Index batch = (options & 8) != 0 ? 1 : 5;
      CAPTURE(steps);
      CAPTURE(options);
      LstmRun<Lstm<Scalar>> run({.units = 9,
                                 .use_bias = (options & 1) != 0,
                                 .return_sequences = (options & 2) != 0,
                                 .go_backwards = (options & 4) != 0},
                                test::uniform_sequences<Scalar>(3, batch, steps, 9));
      run.forward_with_states();
      const Matrix<Scalar> y = run.y.values(), h = run.hT, c = run.cT;
      CHECK((y.rightCols(batch) == h));
      run.hT.setZero();
      run.cT.setZero();
      CHECK(relative_difference(run.infer_with_states(), y) <= tolerance<Scalar>);
      CHECK(relative_difference(run.hT, h) <= tolerance<Scalar>);
      CHECK(relative_difference(run.cT, c) <= tolerance<Scalar>);
    }
  }
}

TEST_CASE("the scratch of inference does not grow with the length, nor is the tape touched") {
  const Lstm<float> layer(3, {.units = 9});
  CHECK(layer.scratch_size({.steps = 100, .features = 3}, 4) ==
        layer.scratch_size({.steps = 10000, .features = 3}, 4));
  CHECK(layer.tape_size({.steps = 32, .features = 3}, 4) > layer.tape_size({.steps = 16, .features = 3}, 4));
}

/// The run's samples [first, first + count) on their own.
template <typename L>
LstmRun<L> samples_of(const LstmRun<L>& all, Index first, Index count) {
  LstmRun<L> some(all.layer.options(), test::samples_of(all.x, first, count));
  some.theta = all.theta;
  some.context = all.context;
  some.context.first_sample = first;
  some.dy = test::samples_of(all.dy, first, count);
  some.h0 = all.h0.middleCols(first, count);
  some.c0 = all.c0.middleCols(first, count);
  some.dhT = all.dhT.middleCols(first, count);
  some.dcT = all.dcT.middleCols(first, count);
  return some;
}

TEST_CASE_TEMPLATE("a batch equals its samples one by one, gradients included", Scalar, float, double) {
  for (const double dropout : {0., .4}) {
    CAPTURE(dropout);
    LstmRun<Lstm<Scalar>> all(
        {.units = 9, .return_sequences = true, .dropout = dropout, .recurrent_dropout = dropout},
        test::uniform_sequences<Scalar>(3, 7, 6, 9));
    all.context = {.training = true, .seed = 3, .step = 2, .layer = 1};
    all.forward_with_states();
    all.backward_with_states();
    Vector<Scalar> sum = Vector<Scalar>::Zero(all.theta.size());
    for (Index s = 0; s < 7; ++s) {
      LstmRun<Lstm<Scalar>> one = samples_of(all, s, 1);
      one.forward_with_states();
      one.backward_with_states();
      CHECK(relative_difference(one.y.values(), test::samples_of(all.y, s, 1).values()) <= tolerance<Scalar>);
      CHECK(relative_difference(one.dx.values(), test::samples_of(all.dx, s, 1).values()) <=
            tolerance<Scalar>);
      CHECK(relative_difference(one.dh0, Matrix<Scalar>(all.dh0.col(s))) <= tolerance<Scalar>);
      sum += one.gradient;
    }
    CHECK(relative_difference(sum, all.gradient) <= tolerance<Scalar>);
  }
}

TEST_CASE_TEMPLATE("a large layer equals itself sample by sample, whatever is packed for its gradients",
                   Scalar, float, double) {
  struct Case {
    Index inputs, units, batch;
    double dropout;
  };
  // tiles of more inputs than units; blocks with masks; rows, and then columns, that are not packed
  for (const Case& c :
       {Case{150, 128, 3, 0.}, Case{3, 512, 2, .4}, Case{3, 129, 3, 0.}, Case{1, 128, 257, 0.}}) {
    CAPTURE(c.inputs);
    CAPTURE(c.units);
    CAPTURE(c.batch);
    LstmRun<Lstm<Scalar>> all(
        {.units = c.units, .return_sequences = true, .dropout = c.dropout, .recurrent_dropout = c.dropout},
        test::uniform_sequences<Scalar>(c.inputs, c.batch, 2, 9));
    all.theta *= Scalar(.3);
    all.context = {.training = true, .seed = 3, .step = 2, .layer = 1};
    all.forward_with_states();
    all.backward_with_states();
    Vector<Scalar> sum = Vector<Scalar>::Zero(all.theta.size());
    for (Index s = 0; s < c.batch; ++s) {
      LstmRun<Lstm<Scalar>> one = samples_of(all, s, 1);
      one.forward_with_states();
      one.backward_with_states();
      sum += one.gradient;
    }
    CHECK(relative_difference(sum, all.gradient) <= 10 * tolerance<Scalar>);
  }
}

TEST_CASE_TEMPLATE("a permuted batch gives permuted outputs and the same gradient", Scalar, float, double) {
  LstmRun<Lstm<Scalar>> run({.units = 9, .return_sequences = true},
                            test::uniform_sequences<Scalar>(3, 7, 6, 9));
  LstmRun<Lstm<Scalar>> permuted = run;
  const auto permute = [](const auto& from, auto& to) {  // sample s to place 3 s mod 7
    for (Index s = 0; s < 7; ++s) {
      for (Index t = 0; t < from.cols() / 7; ++t) to.col(t * 7 + 3 * s % 7) = from.col(t * 7 + s);
    }
  };
  permute(run.x.values(), permuted.x.values());
  permute(run.dy.values(), permuted.dy.values());
  permute(run.h0, permuted.h0);
  permute(run.c0, permuted.c0);
  permute(run.dhT, permuted.dhT);
  permute(run.dcT, permuted.dcT);
  run.forward_with_states();
  run.backward_with_states();
  permuted.forward_with_states();
  permuted.backward_with_states();
  Matrix<Scalar> expected = run.y.values();
  permute(run.y.values(), expected);
  CHECK(relative_difference(permuted.y.values(), expected) <= tolerance<Scalar>);
  CHECK(relative_difference(permuted.gradient, run.gradient) <= tolerance<Scalar>);
}

/// Steps [first, first + count) of a batch.
template <typename Scalar>
Sequences<Scalar> steps_of(const Sequences<Scalar>& all, Index first, Index count) {
  Sequences<Scalar> some({.samples = all.batch(), .steps = count, .features = all.features()});
  some.values() = all.values().middleCols(first * all.batch(), count * all.batch());
  return some;
}

TEST_CASE_TEMPLATE("a stream split in two equals the whole", Scalar, float, double) {
  const LstmOptions options{.units = 9, .return_sequences = true};
  LstmRun<Lstm<Scalar>> whole(options, test::uniform_sequences<Scalar>(3, 5, 40, 9));
  whole.forward_with_states();
  for (const bool training : {true, false}) {
    for (const Index cut : {1, 7, 16, 39}) {
      CAPTURE(training);
      CAPTURE(cut);
      LstmRun<Lstm<Scalar>> first(options, steps_of(whole.x, 0, cut));
      LstmRun<Lstm<Scalar>> second(options, steps_of(whole.x, cut, 40 - cut));
      const auto run = [&](auto& part) { training ? part.forward_with_states() : part.infer_with_states(); };
      run(first);
      second.h0 = first.hT;
      second.c0 = first.cT;
      run(second);
      CHECK(relative_difference(first.y.values(), steps_of(whole.y, 0, cut).values()) <= tolerance<Scalar>);
      CHECK(relative_difference(second.y.values(), steps_of(whole.y, cut, 40 - cut).values()) <=
            tolerance<Scalar>);
      CHECK(relative_difference(second.hT, whole.hT) <= tolerance<Scalar>);
      CHECK(relative_difference(second.cT, whole.cT) <= tolerance<Scalar>);
    }
  }
}

TEST_CASE("gradients of a stream split in two add up to those of the whole") {
  const LstmOptions options{.units = 5, .return_sequences = true};
  LstmRun<Lstm<double>> whole(options, test::uniform_sequences<double>(3, 4, 9, 9));
  whole.forward_with_states();
  whole.backward_with_states();
  LstmRun<Lstm<double>> first(options, steps_of(whole.x, 0, 4)), second(options, steps_of(whole.x, 4, 5));
  first.dy = steps_of(whole.dy, 0, 4);
  second.dy = steps_of(whole.dy, 4, 5);
  first.forward_with_states();
  second.h0 = first.hT;
  second.c0 = first.cT;
  second.forward_with_states();
  second.backward_with_states();
  first.dhT = second.dh0;
  first.dcT = second.dc0;
  first.backward_with_states();
  CHECK(relative_difference(first.gradient + second.gradient, whole.gradient) <= 1e-12);
  CHECK(relative_difference(first.dh0, whole.dh0) <= 1e-12);
  CHECK(relative_difference(first.dc0, whole.dc0) <= 1e-12);
}

TEST_CASE_TEMPLATE("going backwards is reading the reversed sequence", Scalar, float, double) {
  const auto reverse = [](const Sequences<Scalar>& from) {
    Sequences<Scalar> to = from;
    for (Index t = 0; t < from.steps(); ++t) to.view().step(t) = from.view().step(from.steps() - 1 - t);
    return to;
  };
  for (const bool return_sequences : {true, false}) {
    const Sequences<Scalar> x = test::uniform_sequences<Scalar>(3, 5, 20, 9);
    LstmRun<Lstm<Scalar>> backwards({.units = 9, .return_sequences = return_sequences, .go_backwards = true},
                                    x);
    LstmRun<Lstm<Scalar>> by_hand({.units = 9, .return_sequences = return_sequences}, reverse(x));
    for (auto* run : {&backwards, &by_hand}) {
      run->forward_with_states();
      run->backward_with_states();
    }
    CHECK(relative_difference(backwards.y.values(), by_hand.y.values()) <= tolerance<Scalar>);
    CHECK(relative_difference(backwards.hT, by_hand.hT) <= tolerance<Scalar>);
    CHECK(relative_difference(backwards.gradient, by_hand.gradient) <= tolerance<Scalar>);
    CHECK(relative_difference(backwards.dx.values(), reverse(by_hand.dx).values()) <= tolerance<Scalar>);
    CHECK(relative_difference(backwards.dc0, by_hand.dc0) <= tolerance<Scalar>);
    CHECK(relative_difference(backwards.infer_with_states(), by_hand.infer_with_states()) <=
          tolerance<Scalar>);
  }
}

TEST_CASE("the last output is the same with and without the whole sequence") {
  const Sequences<double> x = test::uniform_sequences<double>(3, 5, 20, 9);
  LstmRun<Lstm<double>> all({.units = 9, .return_sequences = true}, x), last({.units = 9}, x);
  all.forward_with_states();
  CHECK((last.forward_with_states() == all.y.values().rightCols(5)));
  CHECK(last.y.shape() == reprise::SequenceShape{.steps = 1, .features = 9});
  CHECK(all.y.shape() == reprise::SequenceShape{.steps = 20, .features = 9});
}

TEST_CASE("fixed sizes equal sizes at run time") {
  for (const double dropout : {0., .4}) {
    const LstmOptions options{
        .units = 5, .return_sequences = true, .dropout = dropout, .recurrent_dropout = dropout};
    const Sequences<double> x = test::uniform_sequences<double>(3, 4, 20, 9);
    LstmRun<Lstm<double>> dynamic(options, x);
    LstmRun<Lstm<double, 3, 5>> fixed(options, x);
    dynamic.context = fixed.context = {.training = true, .seed = 2};
    CHECK(relative_difference(fixed.forward_with_states(), dynamic.forward_with_states()) <= 1e-12);
    dynamic.backward_with_states();
    fixed.backward_with_states();
    CHECK(relative_difference(fixed.gradient, dynamic.gradient) <= 1e-12);
    CHECK(relative_difference(fixed.dx.values(), dynamic.dx.values()) <= 1e-12);
    CHECK(relative_difference(fixed.dh0, dynamic.dh0) <= 1e-12);
    CHECK(relative_difference(fixed.infer_with_states(), dynamic.infer_with_states()) <= 1e-12);
  }
}

TEST_CASE("the same call gives the same bits, whatever the tape and scratch held before") {
  LstmRun<Lstm<float>> run({.units = 9, .dropout = .2, .recurrent_dropout = .2},
                           test::uniform_sequences<float>(3, 5, 20, 9));
  run.context = {.training = true, .seed = 3};
  run.forward_with_states();
  run.backward_with_states();
  const Matrix<float> y = run.y.values(), dx = run.dx.values();
  const Vector<float> gradient = run.gradient;
  run.scratch.setConstant(1e30f);
  run.tape.setConstant(-1e30f);
  run.forward_with_states();
  run.backward_with_states();
  CHECK((run.y.values() == y));
  CHECK((run.dx.values() == dx));
  CHECK((run.gradient == gradient));
}

// ---- Dropout ----

TEST_CASE("nothing is dropped outside training") {
  for (const double recurrent : {0., .5}) {
    const Sequences<double> x = test::uniform_sequences<double>(3, 5, 20, 9);
    LstmRun<Lstm<double>> without({.units = 9, .return_sequences = true}, x);
    LstmRun<Lstm<double>> with(
        {.units = 9, .return_sequences = true, .dropout = .5, .recurrent_dropout = recurrent}, x);
    const Matrix<double> expected = without.forward_with_states();
    CHECK(relative_difference(with.forward_with_states(), expected) <= 1e-12);
    CHECK(relative_difference(with.infer_with_states(), expected) <= 1e-12);
    with.context.training = true;
    CHECK(relative_difference(with.infer_with_states(), expected) <= 1e-12);
    CHECK(relative_difference(with.forward_with_states(), expected) > .01);
    with.hold_masks();
    with.context.training = false;
    CHECK(relative_difference(with.forward_with_states(), expected) <= 1e-12);
  }
}

TEST_CASE(
    "masks drawn by the layer are those of its context, one for x alone, one a gate with recurrent dropout") {
  for (const double dropout : {0., .3}) {
    for (const double recurrent : {0., .4}) {
      LstmRun<Lstm<double>> run(
          {.units = 9, .return_sequences = true, .dropout = dropout, .recurrent_dropout = recurrent},
          test::uniform_sequences<double>(3, 5, 6, 9));
      run.hold_masks();
      CHECK(run.input_masks.cols() == (dropout == 0 ? 0 : recurrent == 0 ? 5 : 20));
      const Matrix<double> held = run.forward_with_states();
      run.input_masks.resize(0, 0);
      run.recurrent_masks.resize(0, 0);
      CHECK((run.forward_with_states() == held));
      if (dropout + recurrent == 0) continue;
      for (auto change : {&reprise::LayerContext::step, &reprise::LayerContext::layer}) {
        auto other = run;
        other.context.*change += 1;
        CHECK(relative_difference(other.forward_with_states(), held) > .01);
      }
      auto other = run;
      other.context.seed += 1;
      CHECK(relative_difference(other.forward_with_states(), held) > .01);
    }
  }
}

TEST_CASE("masks keep their share, and differ between gates, purposes and samples") {
  constexpr Index features = 61, batch = 200;
  const reprise::LayerContext context{.training = true, .seed = 5, .step = 3, .layer = 1};
  for (const double rate : {.2, .5}) {
    std::vector<Matrix<double>> masks;
    for (const Purpose purpose : {Purpose::dropout, Purpose::recurrent_dropout}) {
      for (std::uint32_t gate = 0; gate < 4; ++gate) {
        Matrix<double> mask(features, batch);
        reprise::detail::draw_dropout_mask(rate, features, batch, purpose, gate, context, mask.data());
        masks.push_back(mask);
      }
    }
    const double n = features * batch;
    const double agreeing = rate * rate + (1 - rate) * (1 - rate);
    for (std::size_t i = 0; i < masks.size(); ++i) {
      const double dropped = static_cast<double>((masks[i].array() == 0).count()) / n;
      CHECK(std::abs(dropped - rate) < 5 * std::sqrt(rate * (1 - rate) / n));
      CHECK(((masks[i].array() == 0) || (masks[i].array() == 1 / (1 - rate))).all());
      for (std::size_t j = 0; j < i; ++j) {
        const double same = static_cast<double>((masks[i].array() == masks[j].array()).count()) / n;
        CHECK(std::abs(same - agreeing) < 5 * std::sqrt(agreeing * (1 - agreeing) / n));
      }
    }
  }
}

TEST_CASE("masks belong to samples, not to shards") {
  for (const double recurrent : {0., .4}) {
    LstmRun<Lstm<double>> all(
        {.units = 9, .return_sequences = true, .dropout = .3, .recurrent_dropout = recurrent},
        test::uniform_sequences<double>(3, 11, 6, 9));
    all.context = {.training = true, .seed = 3, .step = 2, .layer = 1};
    all.forward_with_states();
    for (const Index width : {2, 4}) {
      for (Index first = 0; first < 11; first += width) {
        const Index count = std::min<Index>(width, 11 - first);
        LstmRun<Lstm<double>> shard = samples_of(all, first, count);
        CHECK(relative_difference(shard.forward_with_states(),
                                  test::samples_of(all.y, first, count).values()) <= 1e-12);
      }
    }
  }
}

// ---- Errors ----

TEST_CASE("wrong use of an LSTM is named") {
  for (const Index size : {0, -3}) {
    CHECK(contains(error_of([&] { Lstm<float>(3, {.units = size}); }),
                   "Lstm: expected units > 0, got " + std::to_string(size)));
    const std::string message = error_of([&] { Lstm<float>(size, {.units = 3}); });
    CHECK(contains(message, "Lstm"));
    CHECK(contains(message, "input features"));
    CHECK(contains(message, "got " + std::to_string(size)));
  }
  CHECK(contains(error_of([] { Lstm<float>(3, {}); }), "units > 0"));
  for (const double rate : {1., 1.5, -.1, std::nan(""), HUGE_VAL}) {
    CAPTURE(rate);
    CHECK(contains(error_of([&] { Lstm<float>(3, {.units = 2, .dropout = rate}); }),
                   "Lstm: expected dropout in [0, 1), got"));
    CHECK(contains(error_of([&] { Lstm<float>(3, {.units = 2, .recurrent_dropout = rate}); }),
                   "Lstm: expected recurrent_dropout in [0, 1), got"));
  }
  CHECK(contains(error_of([] { Lstm<float>(3, {.units = 2}).output_shape({.steps = 6, .features = 4}); }),
                 "Lstm: expected 3 input features, got 4"));
  const std::string message = error_of([] { Lstm<float, 3, 2>(3, {.units = 4}); });
  CHECK(contains(message, "3 inputs and 2 units"));
  CHECK(contains(message, "got 3 and 4"));
  CHECK(contains(error_of([] { Lstm<float, 3, 2>(5, {.units = 2}); }), "got 5 and 2"));
  CHECK(contains(error_of([] { Lstm<float, Eigen::Dynamic, 2>(5, {.units = 3}); }), "units"));
}

}  // namespace
