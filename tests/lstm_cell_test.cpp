#include "gradient_check.hpp"

#include <cmath>
#include <vector>

#include <reprise/layers/lstm.hpp>
#include <reprise/layers/lstm_cell.hpp>

namespace {

using reprise::Activation;
using reprise::Index;
using reprise::Lstm;
using reprise::LstmCell;
using reprise::LstmOptions;
using reprise::Matrix;
using reprise::Vector;
using test::relative_difference;

/// Feeds a batch to a cell step by step and holds it against the layer.
template <typename Scalar>
void check_steps(const LstmOptions& options, Index features, Index batch, Index steps) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-12 : 1e-5;
  test::Run<Lstm<Scalar>> layer(Lstm<Scalar>(features, options),
                                test::uniform_sequences<Scalar>(features, batch, steps, 9));
  layer.forward();
  const LstmCell<Scalar> cell(features, options);
  Matrix<Scalar> h = Matrix<Scalar>::Zero(options.units, batch), c = h, gates(4 * options.units, batch);
  for (Index t = 0; t < steps; ++t) {
    cell.step(layer.theta.data(), layer.x.view().step(t), h, c, gates);
    CHECK(relative_difference(h, layer.y.view().step(t)) <= tolerance);
  }
}

TEST_CASE_TEMPLATE("a cell's steps one after the other are the layer", Scalar, float, double) {
  for (const auto name : reprise::detail::activation_names) {
    CAPTURE(name);
    const Activation activation = reprise::activation_from_name(name);
    check_steps<Scalar>({.units = 5, .activation = activation, .return_sequences = true}, 3, 4, 6);
    check_steps<Scalar>({.units = 5, .recurrent_activation = activation, .return_sequences = true}, 3, 4, 6);
  }
  check_steps<Scalar>({.units = 33, .use_bias = false, .return_sequences = true}, 7, 1, 20);
  check_steps<Scalar>({.units = 1, .return_sequences = true}, 1, 1, 20);
}

TEST_CASE("a cell of fixed size is the same without anything on the heap to hold it") {
  const LstmOptions options{.units = 5, .return_sequences = true};
  test::Run<Lstm<double>> layer(Lstm<double>(3, options), test::uniform_sequences<double>(3, 1, 20, 9));
  layer.forward();
  const LstmCell<double, 3, 5> cell(3, options);
  static_assert(decltype(cell.kernel(layer.theta.data()))::SizeAtCompileTime == 60);
  static_assert(decltype(cell.recurrent_kernel(layer.theta.data()))::SizeAtCompileTime == 100);
  Eigen::Matrix<double, 5, 1> h, c;
  Eigen::Matrix<double, 20, 1> gates;
  h.setZero();
  c.setZero();
  for (Index t = 0; t < 20; ++t) {
    const Eigen::Vector3d x = layer.x.view().step(t);
    cell.step(layer.theta.data(), x, h, c, gates);
    CHECK(relative_difference(h, layer.y.view().step(t)) <= 1e-12);
  }
}

TEST_CASE("one step is its equations") {
  const LstmCell<double> cell(1, {.units = 1});
  Vector<double> theta(cell.parameter_count());
  cell.kernel(theta.data()) << .1, -.2, .3, -.4;
  cell.recurrent_kernel(theta.data()) << .5, .6, -.7, .8;
  cell.bias(theta.data()) << -.9, 1, .11, -.12;
  const double x = 1.3, h_before = -.4, c_before = .7;
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  const double i = sigmoid(.1 * x + .5 * h_before - .9);
  const double f = sigmoid(-.2 * x + .6 * h_before + 1);
  const double g = std::tanh(.3 * x - .7 * h_before + .11);
  const double o = sigmoid(-.4 * x + .8 * h_before - .12);
  const double c_after = f * c_before + i * g;

  Matrix<double> input(1, 1), h(1, 1), c(1, 1), gates(4, 1);
  input << x;
  h << h_before;
  c << c_before;
  cell.step(theta.data(), input, h, c, gates);
  CHECK(std::abs(c(0) - c_after) < 1e-15);
  CHECK(std::abs(h(0) - o * std::tanh(c_after)) < 1e-15);
  CHECK(std::abs(gates(0) - i) < 1e-15);
  CHECK(std::abs(gates(1) - f) < 1e-15);
  CHECK(std::abs(gates(2) - g) < 1e-15);
  CHECK(std::abs(gates(3) - o) < 1e-15);
}

TEST_CASE("the elementwise part backwards is the gradient of the elementwise part forwards") {
  for (const auto name : reprise::detail::activation_names) {
    for (const bool recurrent : {false, true}) {
      CAPTURE(name);
      CAPTURE(recurrent);
      constexpr Index H = 5, B = 3;
      LstmOptions options{.units = H};
      (recurrent ? options.recurrent_activation : options.activation) = reprise::activation_from_name(name);
      const LstmCell<double> cell(1, options);
      Matrix<double> z = test::uniform_matrix<double>(4 * H, B, 1),
                     c_prev = test::uniform_matrix<double>(H, B, 2);
      const Matrix<double> dh = test::uniform_matrix<double>(H, B, 3),
                           dc = test::uniform_matrix<double>(H, B, 4);
      Matrix<double> gates(4 * H, B), c(H, B), activated(H, B), h(H, B), dz(4 * H, B);
      const auto loss = [&] {
        gates = z;
        cell.gates_forward(gates.data(), c_prev.data(), c.data(), activated.data(), h.data(), B);
        return dh.cwiseProduct(h).sum() + dc.cwiseProduct(c).sum();
      };
      loss();
      Matrix<double> dc_prev = dc;
      cell.gates_backward(gates.data(), c_prev.data(), activated.data(), dh.data(), dc_prev.data(), dz.data(),
                          B);
      test::check_gradient("zi", z.topRows(H), dz.topRows(H), loss);
      test::check_gradient("zf", z.middleRows(H, H), dz.middleRows(H, H), loss);
      test::check_gradient("zg", z.middleRows(2 * H, H), dz.middleRows(2 * H, H), loss);
      test::check_gradient("zo", z.bottomRows(H), dz.bottomRows(H), loss);
      test::check_gradient("c_prev", c_prev, dc_prev, loss);
    }
  }
}

TEST_CASE("parameters can be written through the maps, and read through a pointer to const") {
  const LstmCell<float, 2, 3> fixed(2, {.units = 3});
  const LstmCell<float> dynamic(2, {.units = 3});
  CHECK(fixed.parameter_count() == 4 * 3 * (2 + 3 + 1));
  Vector<float> theta(fixed.parameter_count());
  fixed.kernel(theta.data()).setConstant(1);
  fixed.recurrent_kernel(theta.data()).setConstant(2);
  fixed.bias(theta.data()).setConstant(3);
  const float* const read_only = theta.data();
  CHECK((dynamic.kernel(read_only).array() == 1).all());
  CHECK((dynamic.recurrent_kernel(read_only).array() == 2).all());
  CHECK((dynamic.bias(read_only).array() == 3).all());
  CHECK(dynamic.kernel(read_only).rows() == 12);
  CHECK(dynamic.kernel(read_only).cols() == 2);
  CHECK(dynamic.recurrent_kernel(read_only).cols() == 3);
  CHECK(dynamic.bias(read_only).size() == 12);
}

TEST_CASE("a cell steps in blocks of larger matrices, and writes nothing beside them") {
  const LstmCell<float> cell(2, {.units = 3});
  Vector<float> theta(cell.parameter_count());
  for (Index i = 0; i < theta.size(); ++i) theta[i] = 0.5F * std::sin(static_cast<float>(i));
  const Matrix<float> x = test::uniform_matrix<float>(2, 4, 5);
  Matrix<float> h = test::uniform_matrix<float>(3, 4, 6), c = test::uniform_matrix<float>(3, 4, 7);
  Matrix<float> gates(12, 4);
  Matrix<float> all_x = Matrix<float>::Constant(5, 4, 77), all_h = Matrix<float>::Constant(10, 6, 77);
  Matrix<float> all_c = all_h, all_gates = Matrix<float>::Constant(13, 4, 77);
  all_x.middleRows(1, 2) = x;
  all_h.block(2, 1, 3, 4) = h;
  all_c.block(4, 1, 3, 4) = c;
  for (int step = 0; step < 2; ++step) {
    cell.step(theta.data(), x, h, c, gates);
    cell.step(theta.data(), all_x.middleRows(1, 2), all_h.block(2, 1, 3, 4), all_c.block(4, 1, 3, 4),
              all_gates.topRows(12));
  }
  CHECK(relative_difference(all_h.block(2, 1, 3, 4), h) <= 1e-6);
  CHECK(relative_difference(all_c.block(4, 1, 3, 4), c) <= 1e-6);
  CHECK(test::smallest(h.cwiseAbs()) > 1e-3);
  for (Matrix<float>* const all : {&all_h, &all_c, &all_gates}) {
    const Index from = all == &all_h ? 2 : all == &all_c ? 4 : 0, rows = all == &all_gates ? 12 : 3;
    all->middleRows(from, rows).middleCols(all == &all_gates ? 0 : 1, 4).setConstant(77);
    CHECK((all->array() == 77.0F).all());
  }
}

TEST_CASE("a cell refuses states, inputs and scratch of other sizes") {
  const LstmCell<float> cell(2, {.units = 3});
  const Vector<float> theta = Vector<float>::Zero(cell.parameter_count());
  const auto message = [&](Index x_rows, Index h_cols, Index c_rows, Index gate_rows) {
    Matrix<float> x(x_rows, 2), h(3, h_cols), c(c_rows, 2), gates(gate_rows, 2);
    for (Matrix<float>* const all : {&x, &h, &c, &gates}) all->setZero();
    return test::error_of([&] { cell.step(theta.data(), x, h, c, gates); });
  };
  CHECK(message(2, 2, 3, 12) == "nothing thrown");
  CHECK(message(1, 2, 3, 12) == "LstmCell: step: x: expected 2 x 2, got 1 x 2");
  CHECK(message(2, 1, 3, 12) == "LstmCell: step: h: expected 3 x 2, got 3 x 1");
  CHECK(message(2, 2, 4, 12) == "LstmCell: step: c: expected 3 x 2, got 4 x 2");
  CHECK(message(2, 2, 3, 11) == "LstmCell: step: gates: expected 12 x 2, got 11 x 2");
}

TEST_CASE("wrong use of a cell is named") {
  CHECK(test::contains(test::error_of([] { LstmCell<float>(3, {.units = 0}); }),
                       "Lstm: expected units > 0, got 0"));
  CHECK(test::contains(test::error_of([] { LstmCell<float>(-1, {.units = 2}); }), "got -1"));
  CHECK(test::contains(test::error_of([] { LstmCell<float, 3, 2>(3, {.units = 4}); }), "got 3 and 4"));
}

}  // namespace
