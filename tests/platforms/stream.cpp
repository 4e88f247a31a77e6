// An LstmStream in a program without exceptions, RTTI, threads and heap, as on a microcontroller: it computes
// what the equations say, and wrong sizes reach the program's own function.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <reprise/layers/lstm_stream.hpp>

#ifdef __cpp_exceptions
#error "to be compiled with -fno-exceptions"
#endif

namespace {

constexpr int units = 3;
using Stream = reprise::LstmStream<float, 1, units>;

float lstm_theta[4 * units * (1 + units + 1)];
float dense_theta[units + 1];
float h[units], c[units];
char expected_refusal[100] = "";

float sigmoid(float z) { return 1.0f / (1.0f + std::exp(-z)); }

/// The equations in plain loops; theta holds W, U and b one behind the other, gates in the order i, f, g, o.
float by_hand(float x) {
  float z[4 * units];
  for (int row = 0; row < 4 * units; ++row) {
    z[row] = lstm_theta[row] * x + lstm_theta[4 * units * (1 + units) + row];
    for (int k = 0; k < units; ++k) z[row] += lstm_theta[4 * units * (1 + k) + row] * h[k];
  }
  float y = dense_theta[units];
  for (int u = 0; u < units; ++u) {
    c[u] = sigmoid(z[units + u]) * c[u] + sigmoid(z[u]) * std::tanh(z[2 * units + u]);
    h[u] = sigmoid(z[3 * units + u]) * std::tanh(c[u]);
    y += dense_theta[u] * h[u];
  }
  return y;
}

}  // namespace

[[noreturn]] void reprise_refused(const char* message) {
  std::exit(std::strcmp(message, expected_refusal) == 0 ? 0 : 4);
}

int main() {
  for (float& value : lstm_theta) value = 0.7f * std::sin(static_cast<float>(1 + (&value - lstm_theta)));
  for (float& value : dense_theta) value = 0.9f * std::cos(static_cast<float>(1 + (&value - dense_theta)));
  Stream stream({.units = units}, lstm_theta, {.units = 1}, dense_theta);
  for (int t = 0; t < 20; ++t) {
    const float x = std::sin(0.8f * static_cast<float>(t));
    const float expected = by_hand(x), got = stream.step(Eigen::Matrix<float, 1, 1>(x))[0];
    if (!(std::abs(got - expected) <= 2e-6f)) return 1;
  }
  std::strcpy(expected_refusal,
              "Lstm: expected the sizes it was compiled for, 1 inputs and 3 units, got 1 and 5");
  Stream wrong({.units = 5}, lstm_theta, {.units = 1}, dense_theta);
  return wrong.h().sum() == 0.0f ? 2 : 3;  // nothing was refused
}
