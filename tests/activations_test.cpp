#include "gradient_check.hpp"

#include <cmath>
#include <functional>
#include <set>
#include <vector>

#include <reprise/layers/activations.hpp>

namespace {

using reprise::Activation;
using reprise::Index;
using reprise::Matrix;
using reprise::name_of;

struct Definition {
  Activation activation;
  const char* name;
  std::function<double(double)> value;
  double kink = std::nan("");  // where the derivative jumps (besides hard_sigmoid's two places)
};

// Keras's definitions, written once more and plainly.
const std::vector<Definition>& definitions() {
  static const std::vector<Definition> all = {
      {Activation::linear, "linear", [](double x) { return x; }},
      {Activation::relu, "relu", [](double x) { return x > 0 ? x : 0; }, 0},
      {Activation::tanh, "tanh",
       [](double x) { return (std::exp(x) - std::exp(-x)) / (std::exp(x) + std::exp(-x)); }},
      {Activation::sigmoid, "sigmoid", [](double x) { return .5 + .5 * std::tanh(x / 2); }},
      {Activation::hard_sigmoid, "hard_sigmoid",
       [](double x) { return x < -3 ? 0. : (x > 3 ? 1. : x / 6 + .5); }},
      {Activation::elu, "elu", [](double x) { return x < 0 ? std::exp(x) - 1 : x; }, 0},
      {Activation::selu, "selu",
       [](double x) { return 1.05070098735548 * (x < 0 ? 1.67326324235438 * (std::exp(x) - 1) : x); }, 0},
      {Activation::softplus, "softplus", [](double x) { return std::log(1 + std::exp(x)); }},
      {Activation::softsign, "softsign", [](double x) { return x < 0 ? x / (1 - x) : x / (1 + x); }},
      {Activation::leaky_relu, "leaky_relu", [](double x) { return x < 0 ? .2 * x : x; }, 0}};
  return all;
}

template <typename Scalar>
Matrix<Scalar> apply(Activation activation, const Matrix<Scalar>& x) {
  Matrix<Scalar> y(x.rows(), x.cols());
  reprise::detail::apply_activation<Scalar>(activation, x.data(), x.rows(), y.data(), x.rows(), x.rows(),
                                            x.cols());
  return y;
}

/// One value, once in each position of a column that no packet divides, so that vectorised and single code
/// are seen.
template <typename Scalar>
Matrix<Scalar> apply_to_one(Activation activation, double x) {
  return apply<Scalar>(activation, Matrix<Scalar>::Constant(19, 1, static_cast<Scalar>(x)));
}

template <typename Scalar>
Scalar derivative(Activation activation, Scalar y) {
  Scalar gradient = 1;
  reprise::detail::multiply_by_derivative<Scalar>(activation, &y, 1, &gradient, 1, 1, 1);
  return gradient;
}

TEST_CASE("there are ten activations, known by Keras's names") {
  CHECK(definitions().size() == reprise::detail::activation_names.size());
  std::set<Activation> seen;
  for (const auto& [activation, name, value, kink] : definitions()) {
    CHECK(name_of(activation) == name);
    CHECK(reprise::activation_from_name(name) == activation);
    seen.insert(activation);
  }
  CHECK(seen.size() == 10);
  CHECK(reprise::activation::leaky_relu == Activation::leaky_relu);
  for (const char* unknown : {"gelu", "", "Tanh", "relu "}) {
    const std::string message = test::error_of([&] { return reprise::activation_from_name(unknown); });
    CHECK(test::contains(message, "activation"));
    CHECK(test::contains(message, std::string("got ") + unknown));
  }
}

TEST_CASE_TEMPLATE("values are those of the definition", Scalar, float, double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 4e-15 : 3e-6;
  for (const auto& definition : definitions()) {
    CAPTURE(definition.name);
    for (int i = -480; i <= 480; ++i) {
      const double x = i / 32.;
      CAPTURE(x);
      const double expected = definition.value(x);
      const Matrix<Scalar> y = apply_to_one<Scalar>(definition.activation, x);
      const double difference = test::largest((y.template cast<double>().array() - expected).abs());
      CHECK(difference <= tolerance * test::larger(1., std::abs(expected)));
    }
  }
}

TEST_CASE("single values that can be written down") {
  const auto at = [](Activation activation, double x) { return apply_to_one<double>(activation, x)(0, 0); };
  using namespace reprise::activation;
  CHECK(at(relu, -2) == 0);
  CHECK(at(relu, 2) == 2);
  CHECK(at(sigmoid, 0) == .5);
  CHECK(at(hard_sigmoid, -3) == 0);
  CHECK(at(hard_sigmoid, 1) == doctest::Approx(4. / 6).epsilon(1e-15));
  CHECK(at(hard_sigmoid, 3) == 1);
  CHECK(at(elu, -1) == doctest::Approx(-0.6321205588285577).epsilon(1e-15));
  CHECK(at(selu, -1) == doctest::Approx(-1.1113307378125625).epsilon(1e-15));
  CHECK(at(selu, 1) == doctest::Approx(1.0507009873554805).epsilon(1e-15));
  CHECK(at(softplus, 0) == doctest::Approx(std::log(2.)).epsilon(1e-15));
  CHECK(at(softsign, -3) == -.75);
  CHECK(at(leaky_relu, -3) == doctest::Approx(-.6).epsilon(1e-15));
}

TEST_CASE("values near zero keep their relative precision") {
  for (const Activation activation :
       {Activation::elu, Activation::selu, Activation::tanh, Activation::softsign}) {
    CAPTURE(name_of(activation));
    const double slope = activation == Activation::selu ? 1.0507009873554805 * 1.6732632423543772 : 1;
    CHECK(apply_to_one<double>(activation, -1e-9)(0, 0) == doctest::Approx(-1e-9 * slope).epsilon(1e-8));
    CHECK(apply_to_one<float>(activation, -1e-6)(0, 0) == doctest::Approx(-1e-6 * slope).epsilon(1e-5));
  }
}

TEST_CASE("derivatives, written in the output, are those of central differences") {
  for (const auto& definition : definitions()) {
    CAPTURE(definition.name);
    for (int i = -127; i <= 127; i += 2) {
      const double x = i / 16.;  // never at 0 or +-3, where a derivative may jump
      CAPTURE(x);
      const double step = 1e-5;
      const double numeric = (definition.value(x + step) - definition.value(x - step)) / (2 * step);
      const double y = apply_to_one<double>(definition.activation, x)(0, 0);
      CHECK(std::abs(derivative(definition.activation, y) - numeric) <= 1e-9);
    }
  }
}

TEST_CASE("at a kink the derivative is one of its two sides") {
  for (const auto& definition : definitions()) {
    if (std::isnan(definition.kink)) continue;
    CAPTURE(definition.name);
    const double y = definition.value(definition.kink);
    const double left = derivative(definition.activation, definition.value(definition.kink - 1e-12));
    const double right = derivative(definition.activation, definition.value(definition.kink + 1e-12));
    const double at = derivative(definition.activation, y);
    CHECK((std::abs(at - left) < 1e-9 || std::abs(at - right) < 1e-9));
  }
}

TEST_CASE_TEMPLATE("a NaN stays a NaN wherever it stands, and spoils nothing else", Scalar, float, double) {
  for (const auto& definition : definitions()) {
    CAPTURE(definition.name);
    for (Index place = 0; place < 35; ++place) {
      CAPTURE(place);
      Matrix<Scalar> x = Matrix<Scalar>::Constant(35, 1, Scalar(.5));
      const Matrix<Scalar> clean = apply(definition.activation, x);
      x(place) = std::numeric_limits<Scalar>::quiet_NaN();
      const Matrix<Scalar> y = apply(definition.activation, x);
      for (Index i = 0; i < 35; ++i) {
        if (i == place) {
          CHECK(std::isnan(y(i)));
        } else {
          CHECK(y(i) == clean(i));
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("far out, values and derivatives are at their limits", Scalar, float, double) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  struct Limits {
    Activation activation;
    double low, high, low_slope, high_slope;
  };
  const double selu_low = -1.0507009873554805 * 1.6732632423543772;
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-14 : 1e-6;
  const std::vector<Limits> bounded = {
      {Activation::tanh, -1, 1, 0, 0},          {Activation::sigmoid, 0, 1, 0, 0},
      {Activation::hard_sigmoid, 0, 1, 0, 0},   {Activation::relu, 0, infinity, 0, 1},
      {Activation::elu, -1, infinity, 0, 1},    {Activation::selu, selu_low, infinity, 0, 1.0507009873554805},
      {Activation::softplus, 0, infinity, 0, 1}};
  for (const Limits& limits : bounded) {
    const Activation activation = limits.activation;
    const double high = limits.high;
    CAPTURE(name_of(activation));
    for (const double size : {1e3, 1e30, infinity}) {
      CAPTURE(size);
      const Matrix<Scalar> below = apply_to_one<Scalar>(activation, -size);
      const Matrix<Scalar> above = apply_to_one<Scalar>(activation, size);
      for (Index i = 0; i < below.size(); ++i) {
        CHECK(std::abs(static_cast<double>(below(i)) - limits.low) <= tolerance);
        CHECK(std::abs(static_cast<double>(derivative(activation, below(i))) - limits.low_slope) <=
              4 * tolerance);
        if (std::isfinite(high)) {
          CHECK(std::abs(static_cast<double>(above(i)) - high) <= tolerance);
          CHECK(std::abs(above(i)) <= 1);  // else 1 - y * y and y * (1 - y) change sign
        } else if (std::isfinite(size)) {
          CHECK(above(i) == doctest::Approx(size * limits.high_slope).epsilon(1e-6));
        }
        CHECK(std::abs(static_cast<double>(derivative(activation, above(i))) - limits.high_slope) <=
              4 * tolerance);
      }
    }
  }
  for (const double size : {1e3, 1e30}) {
    CHECK(apply_to_one<Scalar>(Activation::softsign, size)(0, 0) == doctest::Approx(1).epsilon(.002));
    CHECK(apply_to_one<Scalar>(Activation::softsign, -size)(0, 0) == doctest::Approx(-1).epsilon(.002));
  }
}

TEST_CASE_TEMPLATE("bounded activations stay within their bounds everywhere", Scalar, float, double) {
  for (int i = -2000; i <= 2000; ++i) {
    const double x = i / 50.;
    CAPTURE(x);
    const Matrix<Scalar> t = apply_to_one<Scalar>(Activation::tanh, x);
    const Matrix<Scalar> s = apply_to_one<Scalar>(Activation::sigmoid, x);
    CHECK(test::largest(t.cwiseAbs()) <= 1);
    CHECK(test::largest(s) <= 1);
    CHECK(test::smallest(s) >= 0);
  }
}

TEST_CASE_TEMPLATE("only the block that is meant is written, in place or not", Scalar, float, double) {
  for (const auto& definition : definitions()) {
    CAPTURE(definition.name);
    for (const Index rows : {1, 7, 16, 19}) {
      CAPTURE(rows);
      const Matrix<Scalar> x = test::uniform_matrix<Scalar>(rows + 4, 3, 1, -4, 4);
      const Matrix<Scalar> everywhere = apply(definition.activation, x);

      Matrix<Scalar> in_place = x;
      reprise::detail::apply_activation<Scalar>(definition.activation, in_place.data() + 1, rows + 4,
                                                in_place.data() + 1, rows + 4, rows, 3);
      CHECK(test::relative_difference(in_place.middleRows(1, rows), everywhere.middleRows(1, rows)) <= 1e-6);
      CHECK((in_place.topRows(1) == x.topRows(1)));
      CHECK((in_place.bottomRows(3) == x.bottomRows(3)));

      Matrix<Scalar> elsewhere = Matrix<Scalar>::Constant(rows + 1, 3, 77);
      reprise::detail::apply_activation<Scalar>(definition.activation, x.data() + 1, rows + 4,
                                                elsewhere.data(), rows + 1, rows, 3);
      CHECK(test::relative_difference(elsewhere.topRows(rows), everywhere.middleRows(1, rows)) <= 1e-6);
      CHECK((elsewhere.row(rows).array() == 77).all());

      Matrix<Scalar> gradient = test::uniform_matrix<Scalar>(rows + 2, 3, 2);
      const Matrix<Scalar> before = gradient;
      reprise::detail::multiply_by_derivative<Scalar>(definition.activation, in_place.data() + 1, rows + 4,
                                                      gradient.data() + 1, rows + 2, rows, 3);
      for (Index c = 0; c < 3; ++c) {
        CHECK(gradient(0, c) == before(0, c));
        CHECK(gradient(rows + 1, c) == before(rows + 1, c));
        for (Index r = 1; r <= rows; ++r) {
          CHECK(gradient(r, c) == before(r, c) * derivative(definition.activation, in_place(r, c)));
        }
      }
    }
  }
}

}  // namespace
