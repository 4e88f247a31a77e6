// As a program that has made rows Eigen's default order sees the library: its layouts stay what they are. In
// a program of its own, since the macro must be the same in all files of one.
#ifndef EIGEN_DEFAULT_TO_ROW_MAJOR
#define EIGEN_DEFAULT_TO_ROW_MAJOR
#endif
#include <doctest/doctest.h>

#include <cmath>
#include <type_traits>

#include <reprise/layers/lstm_stream.hpp>
#include <reprise/models/autoencoder.hpp>
#include <reprise/scores/scores.hpp>

using reprise::Index;

static_assert(Eigen::MatrixXd::IsRowMajor);

TEST_CASE("row-major Eigen: each matrix of the library names its order") {
  CHECK_FALSE(bool(reprise::Matrix<double>::IsRowMajor));
  CHECK_FALSE(bool(reprise::Vector<double>::IsRowMajor));
  CHECK_FALSE(bool(reprise::SequenceView<const float>::Block::IsRowMajor));
  const auto is_row_major = [](const auto& map) {
    return bool(std::remove_cvref_t<decltype(map)>::IsRowMajor);
  };
  float theta[200] = {};
  const reprise::LstmCell<float, 3, 5> cell(3, {.units = 5});
  CHECK_FALSE(is_row_major(cell.kernel(theta)));
  CHECK_FALSE(is_row_major(cell.recurrent_kernel(theta)));
  const reprise::Dense<float, 3, 5> dense(3, {.units = 5});
  CHECK_FALSE(is_row_major(dense.kernel(theta)));
}

TEST_CASE("row-major Eigen: windows, reconstructions and parameters by index are where they are in memory") {
  Eigen::MatrixXd series(60, 2);
  for (Index t = 0; t < 60; ++t) {
    const auto x = static_cast<double>(t);
    series(t, 0) = std::sin(0.7 * x);
    series(t, 1) = std::cos(0.3 * x);
  }
  const auto windows = reprise::sliding_windows(series, {.length = 4});
  CHECK(windows(3, 2, 1) == series(5, 1));
  reprise::Autoencoder<double> model(
      {.steps = 4, .features = 2, .encoder = {{.units = 6}}, .decoder = {{.units = 6}}});
  model.fit(windows, {.epochs = 2});

  const auto& table = model.parameters();
  for (const reprise::ParameterInfo& tensor : table) {
    CAPTURE(tensor.name);
    const auto named = model.parameter(tensor.name);
    for (Index row = 0; row < tensor.rows; ++row) {
      for (Index column = 0; column < tensor.cols; ++column)
        CHECK(named(row, column) == model.weights()[tensor.offset + column * tensor.rows + row]);
    }
  }

  const auto reconstruction = model.reconstruct(windows);
  double sum = 0;
  for (Index window = 0; window < windows.size(); ++window) {
    for (Index t = 0; t < 4; ++t) {
      for (Index f = 0; f < 2; ++f) sum += std::pow(windows(window, t, f) - reconstruction(window, t, f), 2);
    }
  }
  CHECK(sum / static_cast<double>(windows.size() * 8) ==
        doctest::Approx(model.evaluate(windows)).epsilon(1e-12));
}

TEST_CASE("row-major Eigen: a stream of fixed sizes is the cell of sizes that only the run knows") {
  reprise::Vector<float> theta(4 * 5 * (3 + 5 + 1)), dense_theta(2 * 5 + 2);
  for (Index i = 0; i < theta.size(); ++i) theta[i] = 0.5f * std::sin(static_cast<float>(i));
  for (Index i = 0; i < dense_theta.size(); ++i) dense_theta[i] = std::cos(static_cast<float>(i));
  reprise::LstmStream<float, 3, 5, 2> stream({.units = 5}, theta.data(), {.units = 2}, dense_theta.data());
  const reprise::LstmCell<float> cell(3, {.units = 5});
  const Eigen::Vector3f x(0.3f, -0.2f, 0.9f);
  const reprise::Matrix<float> input = x;
  reprise::Matrix<float> h = reprise::Matrix<float>::Zero(5, 1), c = h, gates(20, 1);
  for (int t = 0; t < 4; ++t) {
    cell.step(theta.data(), input, h, c, gates);
    const auto& output = stream.step(x);
    for (Index o = 0; o < 2; ++o) {
      float expected = dense_theta[10 + o];
      for (Index unit = 0; unit < 5; ++unit) expected += dense_theta[unit * 2 + o] * h(unit, 0);
      CHECK(output[o] == doctest::Approx(expected).epsilon(1e-5));
    }
  }
}
