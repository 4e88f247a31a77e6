#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/layers/lstm_cell.hpp>

#include "differences.hpp"

namespace {

using namespace reprise;
using Lanes = reprise::detail::Lanes<float>;

Vector<double> normals(Index size, unsigned stream, double scale) {
  RandomStream random(3, Purpose::other, stream);
  Vector<double> values(size);
  // Rounded to float, so that both scalars start from the same numbers.
  for (Index i = 0; i < size; ++i) values[i] = static_cast<float>(scale * random.normal());
  return values;
}

double worst(const Vector<float>& fused, const Vector<double>& plain) {
  return test::largest_difference(fused, plain);
}

}  // namespace

TEST_CASE("lstm kernels: fused float equals the plain equations in double") {
  for (const Activation activation : {activation::tanh, activation::relu}) {
    for (const Index units : {1, 3, 8, 10, 15, 16, 17, 31, 32, 40}) {
      CAPTURE(name_of(activation));
      CAPTURE(units);
      constexpr Index batch = 3;
      LstmOptions options;
      options.units = units;
      options.activation = activation;
      const LstmCell<double> plain(2, options);
      const LstmCell<float> fused(2, options);

      Vector<double> z = normals(4 * units * batch, 0, 2.0), c_prev = normals(units * batch, 1, 1.0);
      Vector<double> c = c_prev, a = c_prev, h = c_prev;
      Vector<float> zf = z.cast<float>(), c_prev_f = c_prev.cast<float>(), cf = c_prev_f, af = cf, hf = cf;
      plain.gates_forward(z.data(), c_prev.data(), c.data(), a.data(), h.data(), batch);
      fused.gates_forward(zf.data(), c_prev_f.data(), cf.data(), af.data(), hf.data(), batch);
      CHECK(worst(zf, z) < 5e-6);  // the largest values are relu's, about 6
      CHECK(worst(cf, c) < 5e-6);
      CHECK(worst(af, a) < 5e-6);
      CHECK(worst(hf, h) < 5e-6);

      const Vector<double> dh = normals(units * batch, 2, 1.0);
      Vector<double> dc = normals(units * batch, 3, 1.0), dz(z.size());
      Vector<float> dhf = dh.cast<float>(), dcf = dc.cast<float>(), dzf(z.size());
      // Backwards from the same outputs: a relu of a value next to 0 may fall on either side.
      zf = z.cast<float>();
      af = a.cast<float>();
      plain.gates_backward(z.data(), c_prev.data(), a.data(), dh.data(), dc.data(), dz.data(), batch);
      fused.gates_backward(zf.data(), c_prev_f.data(), af.data(), dhf.data(), dcf.data(), dzf.data(), batch);
      CHECK(worst(dzf, dz) < 1e-5);
      CHECK(worst(dcf, dc) < 1e-5);
    }
  }
}

TEST_CASE("lstm kernels: tanh and sigmoid are within 5e-7 and keep NaN") {
  double worst_tanh = 0.0, worst_sigmoid = 0.0;
  bool kept_nan = true, within_bounds = true;
  // Every 1021st of all floats, infinities and NaN among them; 1021 is prime.
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 1021) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    const float tanh = detail::TanhActivation::value(Lanes{} + x)[0];
    const float sigmoid = detail::SigmoidActivation::value(Lanes{} + x)[0];
    if (std::isnan(x)) {
      kept_nan = kept_nan && std::isnan(tanh) && std::isnan(sigmoid);
      continue;
    }
    within_bounds = within_bounds && std::abs(tanh) <= 1.0f && sigmoid >= 0.0f && sigmoid <= 1.0f;
    const auto exact = static_cast<double>(x);
    worst_tanh = test::larger(worst_tanh, std::abs(static_cast<double>(tanh) - std::tanh(exact)));
    worst_sigmoid =
        test::larger(worst_sigmoid, std::abs(static_cast<double>(sigmoid) - 1.0 / (1.0 + std::exp(-exact))));
  }
  CHECK(worst_tanh < 5e-7);
  CHECK(worst_sigmoid < 5e-7);
  CHECK(kept_nan);
  CHECK(within_bounds);
  const float not_a_number = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(detail::ReluActivation::value(Lanes{} + not_a_number)[0]));
}
