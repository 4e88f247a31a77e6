#include <doctest/doctest.h>

#include <cmath>
#include <reprise/core/fields_text.hpp>
#include <reprise/layers/dense.hpp>
#include <reprise/models/autoencoder.hpp>
#include <string>
#include <vector>

#include "gradient_check.hpp"
#include "own_kinds.hpp"
#include "training.hpp"

namespace {

using reprise::Activation;
using reprise::Index;
using reprise::Matrix;

// What an enumerator could do, the value still can.
static_assert(Activation::relu == reprise::activation::relu);
static_assert(Activation::relu != Activation::tanh);
static_assert(Activation{} == Activation::linear);
static_assert(static_cast<int>(Activation::relu) == 1 && static_cast<Activation>(1) == Activation::relu);
template <Activation activation>
constexpr bool is_tanh = activation == Activation::tanh;
static_assert(is_tanh<Activation::tanh> && !is_tanh<Activation::sigmoid>);

constexpr int number(Activation activation) {
  switch (activation) {
    case Activation::relu: return 1;
    case Activation::tanh: return 2;
    default: return 0;
  }
}
static_assert(number(Activation::tanh) == 2 && number(reprise::activation::selu) == 0);

/// Another type of the same name.
struct Impostor {
  static constexpr const char* kind = "arctan";
  template <typename Scalar>
  Scalar value(Scalar x) const {
    return x;
  }
  template <typename Scalar>
  Scalar derivative(Scalar) const {
    return 1;
  }
};

template <typename Scalar>
Matrix<Scalar> applied(Activation activation, const Matrix<Scalar>& x) {
  Matrix<Scalar> y(x.rows(), x.cols());
  reprise::detail::apply_activation<Scalar>(activation, x.data(), x.rows(), y.data(), x.rows(), x.rows(),
                                            x.cols());
  return y;
}

reprise::AutoencoderOptions model_with(Activation activation) {
  return {.steps = 5,
          .features = 2,
          .encoder = {{.units = 6, .activation = activation}},
          .decoder = {{.units = 6, .activation = activation}},
          .output_activation = activation};
}

}  // namespace

TEST_CASE_TEMPLATE("custom activation: value and derivative, block by block", Scalar, float, double) {
  const Matrix<Scalar> x = test::uniform_matrix<Scalar>(19, 3, 1, -4, 4);
  const Matrix<Scalar> y = applied<Scalar>(own::Arctan{}, x);
  CHECK(test::relative_difference(y, x.array().atan().matrix().eval()) <= 1e-6);
  Matrix<Scalar> gradient = Matrix<Scalar>::Constant(19, 3, 2);
  reprise::detail::multiply_by_derivative<Scalar>(own::Arctan{}, y.data() + 1, 19, gradient.data() + 1, 19,
                                                  17, 3);
  for (Index c = 0; c < 3; ++c) {
    CHECK(gradient(0, c) == 2);
    CHECK(gradient(18, c) == 2);
    for (Index r = 1; r < 18; ++r)
      CHECK(std::abs(gradient(r, c) - 2 / (1 + x(r, c) * x(r, c))) <= Scalar(1e-6));
  }
}

TEST_CASE("custom activation: two are equal when name and options are") {
  const Activation arctan = own::Arctan{}, steep = own::SteepTanh{2.0};
  CHECK(arctan == Activation(own::Arctan{}));
  CHECK(arctan.custom == Activation(own::Arctan{}).custom);  // made once
  CHECK(steep == Activation(own::SteepTanh{2.0}));
  CHECK(steep != Activation(own::SteepTanh{3.0}));
  CHECK(steep != arctan);
  CHECK(steep != Activation::tanh);
  CHECK(Activation::tanh != steep);
  CHECK(reprise::name_of(steep) == "steep_tanh");
  CHECK(reprise::LstmOptions{.activation = steep} == reprise::LstmOptions{.activation = own::SteepTanh{2.0}});
  CHECK_THROWS_AS(reprise::activation_from_name("arctan"), reprise::Error);
  CHECK(reprise::options_text(reprise::DenseOptions{.units = 3, .activation = steep}) ==
        "Dense{.units = 3, .activation = steep_tanh{.steepness = 2}, .use_bias = true, .kernel_initializer = "
        "glorot_uniform{.value = 1}, .bias_initializer = zeros{.value = 1}}");
}

TEST_CASE("custom activation: two types of one name keep their own functions") {
  const Matrix<double> x = Matrix<double>::Constant(1, 1, 2.0);
  const Activation arctan = own::Arctan{}, impostor = Impostor{};
  CHECK(applied(arctan, x)(0, 0) == std::atan(2.0));
  CHECK(applied(impostor, x)(0, 0) == 2.0);
}

TEST_CASE("custom activation: it refuses its own options where it is made") {
  CHECK_THROWS_WITH_AS(Activation(own::SteepTanh{-1.0}), "steep_tanh: expected steepness > 0",
                       reprise::Error);
}

TEST_CASE("custom activation: gradients of a dense layer") {
  const reprise::DenseOptions options{.units = 5, .activation = own::Arctan{}};
  test::Run<reprise::Dense<double>> run(reprise::Dense<double>(3, options),
                                        test::uniform_sequences<double>(3, 3, 5, 9));
  test::check_gradients(run);
}

TEST_CASE_TEMPLATE("custom activation: a model trained with an own tanh is one trained with ours", Scalar,
                   float, double) {
  const reprise::Windows windows = test::wave_windows(40, 5, 2);
  reprise::Autoencoder<Scalar> ours(model_with(Activation::tanh)), own(model_with(own::SteepTanh{1.0})),
      steeper(model_with(own::SteepTanh{1.5}));
  const reprise::FitOptions options{.epochs = 4, .optimizer = reprise::Adam{.learning_rate = 0.01}};
  ours.fit(windows, options);
  own.fit(windows, options);
  steeper.fit(windows, options);
  // The LSTM in float has its own tanh, which is exact to 5e-7.
  const double tolerance = sizeof(Scalar) == sizeof(float) ? 1e-3 : 1e-12;
  CHECK(test::largest_difference(ours.weights(), own.weights()) <= tolerance);
  CHECK(test::largest_difference(ours.weights(), steeper.weights()) > 5e-3);
}

TEST_CASE("custom activation: gradients of an LSTM, in the state and in the gates") {
  for (const bool in_gates : {false, true}) {
    reprise::AutoencoderOptions options = model_with(own::Arctan{});
    if (in_gates) {
      options.encoder.front().activation = Activation::tanh;
      options.encoder.front().recurrent_activation = own::SteepTanh{0.75};
    }
    const reprise::Autoencoder<double> model(options);
    const reprise::Windows windows = test::wave_windows(3, 5, 2);
    test::Steps<double> steps(model, reprise::Sgd{});
    const auto batch = test::numbers(0, 3);
    steps.loss(windows, batch);
    const reprise::Vector<double> gradient = steps.gradient;
    double worst = 0.0;
    for (Index i = 0; i < steps.theta.size(); ++i) {
      const double before = steps.theta(i), h = 1e-5;
      steps.theta(i) = before + h;
      const double above = steps.loss(windows, batch);
      steps.theta(i) = before - h;
      const double below = steps.loss(windows, batch);
      steps.theta(i) = before;
      worst = test::larger(worst, std::abs((above - below) / (2 * h) - gradient(i)));
    }
    CHECK(worst <= 1e-9);
    CHECK(test::largest(gradient.cwiseAbs()) > 1e-2);
  }
}
