#include "gradient_check.hpp"

#include <limits>
#include <reprise/layers/lstm.hpp>
#include <reprise/layers/lstm_stream.hpp>

#include "errors.hpp"

namespace {

using namespace reprise;

template <typename Scalar, int I, int H, int O>
void check_stream(const LstmOptions& lstm_options, const DenseOptions& dense_options) {
  CAPTURE(H);
  constexpr Index T = 12;
  test::Run<Lstm<Scalar>> lstm(Lstm<Scalar>(I, lstm_options), test::uniform_sequences<Scalar>(I, 1, T, 9));
  test::Run<Dense<Scalar>> dense(Dense<Scalar>(H, dense_options),
                                 Sequences<Scalar>({.samples = 1, .steps = T, .features = H}));
  dense.x.values() = lstm.forward();
  const Matrix<Scalar> expected = dense.forward();
  LstmStream<Scalar, I, H, O> stream(lstm_options, lstm.theta.data(), dense_options, dense.theta.data());
  static_assert(noexcept(stream.step(std::declval<const Eigen::Matrix<Scalar, I, 1>&>())));
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 2e-6;
  for (int turn = 0; turn < 2; ++turn) {
    Matrix<Scalar> got(O, T);
    for (Index t = 0; t < T; ++t) got.col(t) = stream.step(lstm.x.values().col(t));
    CHECK(test::relative_difference(got, expected) <= tolerance);
    CHECK(test::relative_difference(stream.h(), lstm.y.values().rightCols(1)) <= tolerance);
    stream.reset();
  }
}

TEST_CASE_TEMPLATE("a stream's steps are the layers over the sequence, also after a reset", Scalar, float,
                   double) {
  const auto lstm = [](Index units) { return LstmOptions{.units = units, .return_sequences = true}; };
  check_stream<Scalar, 1, 8, 1>(lstm(8), {.units = 1});
  check_stream<Scalar, 3, 7, 2>(lstm(7), {.units = 2, .activation = activation::tanh});
  check_stream<Scalar, 2, 40, 1>(lstm(40), {.units = 1});
  check_stream<Scalar, 1, 32, 1>(lstm(32), {.units = 1, .use_bias = false});
  LstmOptions relu = lstm(10);
  relu.activation = activation::relu;
  relu.use_bias = false;
  check_stream<Scalar, 2, 10, 3>(relu, {.units = 3});
}

TEST_CASE(
    "an infinite sample saturates the gates as in the layers, and the padding of units does not turn into "
    "NaN") {
  constexpr Index T = 4;
  for (const float far : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    test::Run<Lstm<float>> lstm(Lstm<float>(1, {.units = 7, .return_sequences = true}),
                                Sequences<float>({.samples = 1, .steps = T, .features = 1}));
    lstm.x.values() << 0.5f, far, 0.5f, 0.25f;
    test::Run<Dense<float>> dense(Dense<float>(7, {.units = 1}),
                                  Sequences<float>({.samples = 1, .steps = T, .features = 7}));
    dense.x.values() = lstm.forward();
    const Matrix<float> expected = dense.forward();
    LstmStream<float, 1, 7> stream({.units = 7}, lstm.theta.data(), {.units = 1}, dense.theta.data());
    Matrix<float> got(1, T);
    for (Index t = 0; t < T; ++t) got.col(t) = stream.step(lstm.x.values().col(t));
    REQUIRE(expected.allFinite());
    CHECK(test::relative_difference(got, expected) <= 2e-6);
  }
}

TEST_CASE("a stream refuses an LSTM that goes backwards, and has no dropout") {
  const Vector<float> theta = Vector<float>::Constant(4 * 4 * 6, 0.3F);
  CHECK(test::error_of([&] {
          LstmStream<float, 1, 4>({.units = 4, .go_backwards = true}, theta.data(), {.units = 1},
                                  theta.data());
        }) == "LstmStream: expected an LSTM that reads forwards, got go_backwards");
  LstmStream<float, 1, 4> plain({.units = 4}, theta.data(), {.units = 1}, theta.data());
  LstmStream<float, 1, 4> dropping({.units = 4, .dropout = 0.5, .recurrent_dropout = 0.5}, theta.data(),
                                   {.units = 1}, theta.data());
  const Eigen::Matrix<float, 1, 1> x(0.7F);
  for (int t = 0; t < 3; ++t) CHECK(plain.step(x) == dropping.step(x));
}

TEST_CASE("what a stream has answered stays when it goes on") {
  const Vector<float> theta = Vector<float>::Constant(4 * 4 * 6, 0.3F);
  LstmStream<float, 1, 4> stream({.units = 4}, theta.data(), {.units = 1}, theta.data());
  const auto& first = stream.step(Eigen::Matrix<float, 1, 1>(1.0F));
  const float value = first[0];
  CHECK(stream.step(Eigen::Matrix<float, 1, 1>(-1.0F))[0] != value);
  CHECK(first[0] == value);
}

TEST_CASE("a stream of other sizes than those it was compiled for is refused") {
  const Vector<float> theta = Vector<float>::Zero(1000);
  const std::string message = test::error_of(
      [&] { LstmStream<float, 1, 4> stream({.units = 5}, theta.data(), {.units = 1}, theta.data()); });
  CHECK(test::contains(message, "1 inputs and 4 units"));
  CHECK(test::contains(message, "got 1 and 5"));
}

}  // namespace
