#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <reprise/layers/activations.hpp>
#include <string>
#include <vector>

#include "differences.hpp"

// Measures how exact the activations are, and holds the table of docs/activations.md to it. To print the
// table anew: `reprise_tests -tc="activation accuracy: the table" --no-skip`.

namespace {

using reprise::Activation;
using reprise::Index;
using Wide = long double;
namespace detail = reprise::detail;

/// An activation once more, in the widest type there is: the value, and the derivative in the output.
struct Reference {
  Activation activation;
  Wide (*value)(Wide x);
  Wide (*derivative)(Wide y);
  double lowest;  // the ULP are those of x from here on; below, values are next to 0 and not normal
};

constexpr double everywhere = -std::numeric_limits<double>::infinity();
constexpr Wide selu_scale = 1.0507009873554804934193349852946L;
constexpr Wide selu_alpha = 1.6732632423543772848170429916717L;

const std::vector<Reference>& references() {
  static const std::vector<Reference> all = {
      {Activation::linear, [](Wide x) { return x; }, [](Wide) { return Wide(1); }, everywhere},
      {Activation::relu, [](Wide x) { return x < 0 ? 0 : x; }, [](Wide y) { return Wide(y > 0); },
       everywhere},
      {Activation::tanh, [](Wide x) { return std::tanh(x); }, [](Wide y) { return 1 - y * y; }, everywhere},
      {Activation::sigmoid, [](Wide x) { return 1 / (1 + std::exp(-x)); }, [](Wide y) { return y * (1 - y); },
       -80},
      {Activation::hard_sigmoid, [](Wide x) { return x <= -3  ? 0
                                                     : x >= 3 ? 1
                                                              : (x + 3) / 6; },
       [](Wide y) { return y > 0 && y < 1 ? Wide(1) / 6 : 0; }, everywhere},
      {Activation::elu, [](Wide x) { return x > 0 ? x : std::expm1(x); },
       [](Wide y) { return y > 0 ? 1 : y + 1; }, everywhere},
      {Activation::selu, [](Wide x) { return selu_scale * (x > 0 ? x : selu_alpha * std::expm1(x)); },
       [](Wide y) { return y > 0 ? selu_scale : y + selu_scale * selu_alpha; }, everywhere},
      {Activation::softplus, [](Wide x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x))); },
       [](Wide y) { return -std::expm1(-y); }, -80},
      {Activation::softsign, [](Wide x) { return x / (1 + std::abs(x)); },
       [](Wide y) { return (1 - std::abs(y)) * (1 - std::abs(y)); }, everywhere},
      {Activation::leaky_relu, [](Wide x) { return x > 0 ? x : 0.2L * x; },
       [](Wide y) { return y > 0 ? 1 : 0.2L; }, everywhere}};
  return all;
}

/// Numbers of all sizes, and neighbours of the places where something happens.
template <typename Scalar>
const std::vector<Scalar>& arguments() {
  static const std::vector<Scalar> all = [] {
    std::vector<Scalar> x;
    for (int i = -40000; i <= 40000; ++i) x.push_back(static_cast<Scalar>(i / 2000.0 + 1e-5 * (i % 7)));
    using Bits = std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint64_t>;
    constexpr Bits step = std::numeric_limits<Bits>::max() / 100003;
    for (Bits i = 0; i < 100003; ++i) {
      const Scalar value = std::bit_cast<Scalar>(static_cast<Bits>(i * step));
      // Numbers below the normal ones count as zero where a model trains.
      if (std::isnormal(value) && std::abs(value) < Scalar(1e30)) x.push_back(value);
    }
    while (x.size() % 16 != 0) x.push_back(Scalar(0));
    return x;
  }();
  return all;
}

/// The distance between neighbours of type Scalar where `value` lies.
template <typename Scalar>
Wide ulp(Wide value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  constexpr int smallest = std::numeric_limits<Scalar>::min_exponent;
  const int used = exponent < smallest ? smallest : exponent;
  return std::ldexp(Wide(1), used - std::numeric_limits<Scalar>::digits);
}

struct Errors {
  double ulp = 0.0, absolute = 0.0, derivative = 0.0;
};
struct Row {
  std::string key;  // the first columns of the table
  Errors errors;
};

/// `values` are what was made of the arguments.
template <typename Scalar>
void measure_values(const Reference& reference, double lowest, const std::vector<Scalar>& values,
                    Errors& errors) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto x = static_cast<double>(arguments<Scalar>()[i]);
    const Wide exact = reference.value(static_cast<Wide>(x));
    const Wide error = std::abs(static_cast<Wide>(values[i]) - exact);
    if (x >= lowest) errors.ulp = test::larger(errors.ulp, static_cast<double>(error / ulp<Scalar>(exact)));
    const bool is_near = x >= -20 && x <= 20;
    if (is_near) errors.absolute = test::larger(errors.absolute, static_cast<double>(error));
  }
}
template <typename Scalar, typename Derivative>
void measure_derivative(const Reference& reference, Derivative derivative, Errors& errors) {
  for (const Scalar x : arguments<Scalar>()) {
    if (!(std::abs(x) <= Scalar(20))) continue;
    const auto y = static_cast<Scalar>(reference.value(static_cast<Wide>(x)));
    const Wide error =
        std::abs(static_cast<Wide>(derivative(y)) - reference.derivative(static_cast<Wide>(y)));
    errors.derivative = test::larger(errors.derivative, static_cast<double>(error));
  }
}

std::string key_of(const Reference& reference, const char* type, double lowest) {
  std::string range = "all";
  if (lowest != everywhere) range = "from " + std::to_string(static_cast<int>(lowest));
  return "| " + std::string(reprise::name_of(reference.activation)) + " | " + type + " | " + range + " |";
}

/// Value and derivative of one number at a time.
template <typename Scalar, typename Function>
Row single(const Reference& reference, const char* type, Function f) {
  Row row{key_of(reference, type, reference.lowest), {}};
  std::vector<Scalar> values;
  for (const Scalar x : arguments<Scalar>()) values.push_back(f.value(x));
  measure_values(reference, reference.lowest, values, row.errors);
  measure_derivative<Scalar>(
      reference, [&](Scalar y) { return f.derivative(y); }, row.errors);
  return row;
}

/// By registers of floats.
template <typename Function>
Row by_lanes(const Reference& reference, Function) {
  // The sigmoid is half of 1 + tanh: below 0 it has an absolute error, but no relative one.
  const double lowest = reference.activation == Activation::sigmoid ? 0.0 : reference.lowest;
  Row row{key_of(reference, "float, lanes", lowest), {}};
  using Lanes = detail::FloatLanes;
  std::vector<float> values;
  for (const float x : arguments<float>()) values.push_back(Function::value(Lanes{} + x)[0]);
  measure_values(reference, lowest, values, row.errors);
  measure_derivative<float>(
      reference, [](float y) { return Function::derivative(Lanes{} + y)[0]; }, row.errors);
  return row;
}

/// The sigmoid of doubles, as layers apply it to a block.
Row by_eigen(const Reference& reference) {
  Row row{key_of(reference, "double, block", reference.lowest), {}};
  const auto rows = static_cast<Index>(arguments<double>().size());
  std::vector<double> values(arguments<double>().size());
  detail::apply_activation<double>(reference.activation, arguments<double>().data(), rows, values.data(),
                                   rows, rows, 1);
  measure_values(reference, reference.lowest, values, row.errors);
  measure_derivative<double>(
      reference, [](double y) { return detail::SigmoidActivation::derivative(y); }, row.errors);
  return row;
}

std::vector<Row> measured() {
  std::vector<Row> rows;
  for (const Reference& reference : references()) {
    detail::with_activation(reference.activation, [&](auto f) {
      rows.push_back(single<float>(reference, "float", f));
      if constexpr (detail::HasLanes<decltype(f), float>) rows.push_back(by_lanes(reference, f));
      // Where long double is double, there is nothing to measure a double with.
      if (std::numeric_limits<Wide>::digits <= std::numeric_limits<double>::digits) return;
      rows.push_back(single<double>(reference, "double", f));
      if (reference.activation == Activation::sigmoid) rows.push_back(by_eigen(reference));
    });
  }
  return rows;
}

/// The numbers that stand in the table after the key; empty where it has no such line.
std::vector<double> stated(const std::string& key) {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path().parent_path() / "docs" / "activations.md");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    Errors errors;
    REQUIRE(std::sscanf(line.c_str() + key.size(), " %lf | %lf | %lf |", &errors.ulp, &errors.absolute,
                        &errors.derivative) == 3);
    return {errors.ulp, errors.absolute, errors.derivative};
  }
  return {};
}

}  // namespace

TEST_CASE("activation accuracy: no function is less exact than its table says, and none much more") {
  for (const Row& row : measured()) {
    CAPTURE(row.key);
    const std::vector<double> bounds = stated(row.key);
    REQUIRE(bounds.size() == 3);
    const std::array<double, 3> found = {row.errors.ulp, row.errors.absolute, row.errors.derivative};
    for (std::size_t i = 0; i < 3; ++i) {
      CAPTURE(i);
      CHECK(found[i] <= bounds[i]);
      // Another libm or instruction set may be better by so much, not by more.
      CHECK(bounds[i] <= 6.0 * found[i]);
    }
  }
}

TEST_CASE("activation accuracy: the table" * doctest::skip()) {
  for (const Row& row : measured()) {
    std::printf("%s %.3g | %.2g | %.2g |\n", row.key.c_str(), row.errors.ulp, row.errors.absolute,
                row.errors.derivative);
  }
}
