#include "gradient_check.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <reprise/layers/dense.hpp>
#include <reprise/layers/initializers.hpp>
#include <reprise/layers/lstm_cell.hpp>

namespace {

namespace initializer = reprise::initializer;
using reprise::Index;
using reprise::Initializer;
using reprise::Matrix;
using reprise::Purpose;
using reprise::RandomStream;
using reprise::Vector;

template <typename Scalar>
Matrix<Scalar> make(const Initializer& how, Index rows, Index cols, std::uint64_t seed = 1) {
  RandomStream random(seed, Purpose::initial_weights);
  Matrix<Scalar> weights(rows, cols);
  weights.setConstant(std::numeric_limits<Scalar>::quiet_NaN());
  reprise::detail::initialize<Scalar>(how, {weights.data(), rows, cols}, random);
  return weights;
}

struct Expected {
  const char* name;
  Initializer how;
  bool uniform;
  double variance;  // for fan_in 300, fan_out 900
};

const std::vector<Expected> random_initializers = {
    {"glorot_uniform", initializer::glorot_uniform, true, 2. / 1200},
    {"glorot_normal", initializer::glorot_normal, false, 2. / 1200},
    {"he_uniform", initializer::he_uniform, true, 2. / 300},
    {"he_normal", initializer::he_normal, false, 2. / 300},
    {"lecun_uniform", initializer::lecun_uniform, true, 1. / 300},
    {"lecun_normal", initializer::lecun_normal, false, 1. / 300}};

/// Mean, variance and limit of values that should be drawn from a distribution of Keras's.
void check_distribution(const Expected& expected, const Matrix<double>& weights) {
  CAPTURE(expected.name);
  const double n = static_cast<double>(weights.size());
  const double sd = std::sqrt(expected.variance);
  const double mean = weights.mean();
  const double variance = (weights.array() - mean).square().mean();
  CHECK(std::abs(mean) < 5 * sd / std::sqrt(n));
  // The variance of an estimated variance is (kurtosis - 1) / n of its square: 1.8 when uniform, 2.37 when
  // cut at 2 sd.
  const double kurtosis = expected.uniform ? 1.8 : 2.37;
  CHECK(std::abs(variance / expected.variance - 1) < 5 * std::sqrt((kurtosis - 1) / n));
  const double fourth = (weights.array() - mean).pow(4).mean() / (variance * variance);
  CHECK(std::abs(fourth - kurtosis) < .02);
  const double limit = expected.uniform ? std::sqrt(3.) * sd : 2 * sd / .87962566103423978;
  CHECK(test::largest(weights) <= limit);
  CHECK(test::smallest(weights) >= -limit);
  CHECK(test::largest(weights) > .995 * limit);
  CHECK(test::smallest(weights) < -.995 * limit);
}

TEST_CASE("random weights have the mean, variance, shape and limits of Keras's distributions") {
  for (const auto& expected : random_initializers) {
    check_distribution(expected, make<double>(expected.how, 900, 300));
    check_distribution(expected, make<float>(expected.how, 900, 300).cast<double>());
  }
}

TEST_CASE("an LSTM's kernel is one matrix of 4H outputs, as Keras counts") {
  for (const auto& expected : random_initializers) {
    const reprise::LstmCell<double> cell(300, {.units = 225, .kernel_initializer = expected.how});
    Vector<double> theta(cell.parameter_count());
    RandomStream random(3, Purpose::initial_weights);
    cell.initialize(theta.data(), random);
    check_distribution(expected, cell.kernel(theta.data()));
  }
}

TEST_CASE("a dense layer's kernel has its units as outputs") {
  for (const auto& expected : random_initializers) {
    const reprise::Dense<double> dense(300, {.units = 900, .kernel_initializer = expected.how});
    Vector<double> theta(dense.parameter_count());
    RandomStream random(4, Purpose::initial_weights);
    dense.initialize(theta.data(), random);
    check_distribution(expected, dense.kernel(theta.data()));
    CHECK((dense.bias(theta.data()).array() == 0).all());
  }
}

TEST_CASE("constant initialisers") {
  CHECK((make<double>(initializer::zeros, 3, 4).array() == 0).all());
  CHECK((make<double>(initializer::ones, 3, 4).array() == 1).all());
  CHECK((make<float>(initializer::constant(-.25), 3, 4).array() == -.25f).all());
}

TEST_CASE("the shorter side of an orthogonal matrix is orthonormal") {
  const std::vector<std::pair<Index, Index>> sizes = {{1, 1},   {4, 1},   {1, 4},     {64, 16},
                                                      {16, 64}, {20, 20}, {400, 100}, {100, 400}};
  for (const auto& size : sizes) {
    const Index rows = size.first, cols = size.second;
    CAPTURE(rows);
    CAPTURE(cols);
    const Matrix<double> q = make<double>(initializer::orthogonal, rows, cols);
    const Index side = std::min(rows, cols);
    const Matrix<double> product =
        rows >= cols ? Matrix<double>(q.transpose() * q) : Matrix<double>(q * q.transpose());
    CHECK(test::largest_difference(product, Matrix<double>::Identity(side, side)) <= 1e-12);
  }
  for (std::uint64_t seed = 0; seed < 500; ++seed) {  // some begin with columns that are nearly parallel
    const Matrix<double> q = make<double>(initializer::orthogonal, 8, 8, seed);
    CHECK(test::largest((q.transpose() * q - Matrix<double>::Identity(8, 8)).cwiseAbs()) <= 3e-15);
  }
  const Matrix<float> q = make<float>(initializer::orthogonal, 64, 16);
  CHECK(test::largest((q.transpose() * q - Matrix<float>::Identity(16, 16)).cwiseAbs()) <= 1e-6f);
}

TEST_CASE("an orthogonal matrix has its gain, and no preferred direction") {
  const Matrix<double> q = make<double>({Initializer::Kind::orthogonal, 3.}, 40, 10);
  CHECK(test::largest((q.transpose() * q - 9 * Matrix<double>::Identity(10, 10)).cwiseAbs()) <= 1e-11);
  // A value's mean over many seeds is 0 and its variance 1 / (longer side).
  double sum = 0, squares = 0;
  constexpr int n = 4000;
  for (int seed = 0; seed < n; ++seed) {
    const double value = make<double>(initializer::orthogonal, 8, 2, static_cast<std::uint64_t>(seed))(0, 1);
    sum += value;
    squares += value * value;
  }
  CHECK(std::abs(sum / n) < 5 * std::sqrt(1. / 8 / n));
  CHECK(std::abs(squares / n * 8 - 1) < 5 * std::sqrt(2. / n));
}

TEST_CASE("an LSTM's recurrent kernel is one orthogonal H x 4H matrix in Keras's shape") {
  const reprise::LstmCell<double> cell(3, {.units = 12});
  Vector<double> theta(cell.parameter_count());
  RandomStream random(5, Purpose::initial_weights);
  cell.initialize(theta.data(), random);
  const auto u = cell.recurrent_kernel(theta.data());
  CHECK(test::largest((u.transpose() * u - Matrix<double>::Identity(12, 12)).cwiseAbs()) <= 1e-12);
}

TEST_CASE("the forget gate's bias starts at one unless it is not to") {
  for (const bool unit_forget_bias : {true, false}) {
    const reprise::LstmCell<double> cell(
        3,
        {.units = 5, .unit_forget_bias = unit_forget_bias, .bias_initializer = initializer::constant(.25)});
    Vector<double> theta(cell.parameter_count());
    RandomStream random(6, Purpose::initial_weights);
    cell.initialize(theta.data(), random);
    const auto bias = cell.bias(theta.data());
    for (Index i = 0; i < 20; ++i) {
      const bool forget = i >= 5 && i < 10;
      CHECK(bias(i) == (forget && unit_forget_bias ? 1 : .25));
    }
  }
  const reprise::LstmCell<double> plain(3, {.units = 5});
  Vector<double> theta(plain.parameter_count());
  RandomStream random(6, Purpose::initial_weights);
  plain.initialize(theta.data(), random);
  CHECK(plain.bias(theta.data()).sum() == 5);
}

TEST_CASE("without a bias nothing is written behind the kernels") {
  const reprise::LstmCell<double> cell(3, {.units = 5, .use_bias = false});
  Vector<double> theta = Vector<double>::Constant(cell.parameter_count() + 1, 77);
  RandomStream random(7, Purpose::initial_weights);
  cell.initialize(theta.data(), random);
  CHECK(theta(theta.size() - 1) == 77);
  CHECK((theta.head(theta.size() - 1).array() != 77).all());
}

TEST_CASE("the same seed gives the same values, another seed others") {
  std::vector<Initializer> all = {initializer::orthogonal};
  for (const auto& expected : random_initializers) all.push_back(expected.how);
  for (const Initializer& how : all) {
    CAPTURE(static_cast<int>(how.kind));
    const Matrix<double> first = make<double>(how, 12, 5);
    CHECK((first == make<double>(how, 12, 5)));
    CHECK((first.array() != make<double>(how, 12, 5, 2).array()).all());
    CHECK((first.cast<float>() == make<float>(how, 12, 5)));
  }
}

}  // namespace
