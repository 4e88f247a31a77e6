#include <doctest/doctest.h>

#include <reprise/core/fields_text.hpp>
#include <reprise/models/autoencoder.hpp>

#include "differences.hpp"
#include "own_kinds.hpp"

namespace {

using reprise::Index;
using reprise::Initializer;
using reprise::Matrix;

template <typename Scalar>
Matrix<Scalar> filled(const Initializer& how, Index rows, Index cols) {
  Matrix<Scalar> weights = Matrix<Scalar>::Constant(rows, cols, 77);
  reprise::RandomStream random(3, reprise::Purpose::initial_weights);
  reprise::detail::initialize<Scalar>(how, {weights.data(), rows, cols}, random);
  return weights;
}

struct Resizing {
  static constexpr const char* kind = "resizing";
  void operator()(Matrix<double>& weights, reprise::RandomStream&) const { weights.resize(1, 2); }
};

}  // namespace

TEST_CASE("custom initialiser: fills rows and columns from the stream, float as double") {
  const Initializer stairs = reprise::initializer::custom(own::Stairs{0.25});
  const Matrix<double> weights = filled<double>(stairs, 3, 40);
  for (Index r = 0; r < 3; ++r) {
    CHECK(test::largest((weights.row(r).array() - static_cast<double>(r)).abs()) <= 0.25);
    CHECK(test::largest((weights.row(r).array() - static_cast<double>(r)).abs()) > 0.2);
  }
  CHECK(filled<float>(stairs, 3, 40) == weights.cast<float>());
  CHECK(filled<double>(stairs, 3, 40) == weights);
}

TEST_CASE("custom initialiser: two are equal when name and options are") {
  const Initializer stairs = reprise::initializer::custom(own::Stairs{0.25});
  CHECK(stairs == reprise::initializer::custom(own::Stairs{0.25}));
  CHECK_FALSE(stairs == reprise::initializer::custom(own::Stairs{0.5}));
  CHECK_FALSE(stairs == reprise::initializer::zeros);
  CHECK_FALSE(reprise::initializer::constant(1.0) == reprise::initializer::constant(2.0));
  CHECK(reprise::name_of(stairs) == "stairs");
  CHECK(reprise::name_of(reprise::initializer::he_normal) == "he_normal");
  CHECK(reprise::options_text(stairs) == "stairs{.width = 0.25}");
}

TEST_CASE("custom initialiser: it must keep the size") {
  CHECK_THROWS_WITH_AS(filled<double>(reprise::initializer::custom(Resizing{}), 3, 4),
                       "resizing: expected an initialiser to keep the size 3 x 4, got 1 x 2", reprise::Error);
}

TEST_CASE("custom initialiser: a model starts from it") {
  const reprise::Autoencoder<float> model(
      {.steps = 4,
       .encoder = {{.units = 3, .kernel_initializer = reprise::initializer::custom(own::Stairs{0.25})}},
       .decoder = {{.units = 3}}});
  for (Index r = 0; r < 12; ++r) CHECK(std::abs(model.weights()(r) - static_cast<float>(r)) <= 0.25F);
}
