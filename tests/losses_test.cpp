#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/losses/losses.hpp>
#include <string>
#include <vector>

#include "differences.hpp"

namespace {

using reprise::Index;
using reprise::Loss;
using reprise::Sequences;

struct Named {
  std::string name;
  Loss loss;
  double (*formula)(double);  // the element loss, written as plainly as it can be
  double kink;                // |e| at which the derivative jumps or bends; negative where there is none
};

const std::vector<Named>& all_losses() {
  static const std::vector<Named> losses = {
      {"mean_squared_error", reprise::MeanSquaredError{}, [](double e) { return e * e; }, -1.0},
      {"mean_absolute_error", reprise::MeanAbsoluteError{}, [](double e) { return std::abs(e); }, 0.0},
      {"huber", reprise::Huber{}, [](double e) { return std::abs(e) <= 1.0 ? e * e / 2 : std::abs(e) - 0.5; },
       1.0},
      {"huber .35", reprise::Huber{.delta = 0.35},
       [](double e) { return std::abs(e) <= 0.35 ? e * e / 2 : 0.35 * std::abs(e) - 0.35 * 0.35 / 2; }, 0.35},
      {"log_cosh", reprise::LogCosh{}, [](double e) { return std::log(std::cosh(e)); }, -1.0}};
  return losses;
}

struct Case {
  Sequences<double> prediction;
  Sequences<double> target;
  std::vector<double> weights;
};

/// Errors between -2.5 and 2.5, none within .01 of a kink.
Case make_case(Index features, Index batch, Index steps, double kink) {
  reprise::RandomStream random(7, reprise::Purpose::other);
  const Sequences<double> zeros({.samples = batch, .steps = steps, .features = features});
  Case made{zeros, zeros, {}};
  for (Index i = 0; i < made.target.values().size(); ++i) {
    double error = 0.0;
    do {
      error = 5.0 * random.uniform() - 2.5;
    } while (std::abs(std::abs(error) - kink) < 0.01);
    made.target.values().data()[i] = 2.0 * random.uniform() - 1.0;
    made.prediction.values().data()[i] = made.target.values().data()[i] + error;
  }
  for (Index b = 0; b < batch; ++b) made.weights.push_back(0.1 + 2.0 * random.uniform());
  return made;
}

double plain_sum(const Named& loss, const Case& given, bool weighted) {
  double sum = 0.0;
  for (Index b = 0; b < given.target.batch(); ++b) {
    double mean = 0.0;
    for (Index t = 0; t < given.target.steps(); ++t) {
      for (Index f = 0; f < given.target.features(); ++f) {
        mean += loss.formula(given.prediction(b, t, f) - given.target(b, t, f));
      }
    }
    mean /= static_cast<double>(given.target.steps() * given.target.features());
    sum += mean * (weighted ? given.weights[static_cast<std::size_t>(b)] : 1.0);
  }
  return sum;
}

template <typename Scalar>
Sequences<Scalar> converted(const Sequences<double>& from) {
  Sequences<Scalar> to({.samples = from.batch(), .steps = from.steps(), .features = from.features()});
  to.values() = from.values().cast<Scalar>();
  return to;
}

// One feature, as many as a block, and more; every block with and without a rest.
const std::array<std::array<Index, 3>, 5> shapes = {
    {{1, 3, 4}, {2, 5, 7}, {16, 2, 3}, {19, 3, 4}, {1, 1, 1}}};

}  // namespace

TEST_CASE("each loss is its formula's mean, weighted or not") {
  for (const Named& loss : all_losses()) {
    for (const auto& shape : shapes) {
      const Index features = shape[0], batch = shape[1], steps = shape[2];
      CAPTURE(loss.name);
      CAPTURE(features);
      const Case given = make_case(features, batch, steps, loss.kink);
      for (const bool weighted : {false, true}) {
        const std::vector<double> weights = weighted ? given.weights : std::vector<double>{};
        const double expected = plain_sum(loss, given, weighted);
        const double sum = reprise::loss_sum<double>(loss.loss, given.prediction.view(), given.target.view(),
                                                     weights, 1.0, {});
        CHECK(std::abs(sum - expected) <= 1e-13 * expected);
        // Over the number of samples, not over the sum of the weights.
        const double value = reprise::loss_value(loss.loss, given.prediction, given.target, weights);
        CHECK(std::abs(value * static_cast<double>(batch) - expected) <= 1e-13 * expected);
        const double in_float = reprise::loss_value(loss.loss, converted<float>(given.prediction),
                                                    converted<float>(given.target), weights);
        CHECK(std::abs(in_float - value) <= 1e-5 * value);
      }
    }
  }
}

TEST_CASE("each loss's gradient is its central difference") {
  for (const Named& loss : all_losses()) {
    for (const auto& shape : shapes) {
      const Index features = shape[0], batch = shape[1], steps = shape[2];
      CAPTURE(loss.name);
      CAPTURE(features);
      Case given = make_case(features, batch, steps, loss.kink);
      for (const bool weighted : {false, true}) {
        const std::vector<double> weights = weighted ? given.weights : std::vector<double>{};
        const double scale = 1.0 / 11.0;  // of a batch of 11 of which this is a part
        Sequences<double> gradient({.samples = batch, .steps = steps, .features = features});
        const auto sum = [&](reprise::SequenceView<double> to) {
          return reprise::loss_sum<double>(loss.loss, given.prediction.view(), given.target.view(), weights,
                                           scale, to);
        };
        const double with_gradient = sum(gradient.view());
        CHECK(with_gradient == sum({}));
        const double largest = test::largest(gradient.values().cwiseAbs());
        REQUIRE(largest > 0.0);
        double worst = 0.0;
        for (Index i = 0; i < gradient.values().size(); ++i) {
          double& value = given.prediction.values().data()[i];
          const double before = value;
          const double h = 1e-4;
          value = before + h;
          const double above = sum({});
          value = before - h;
          const double below = sum({});
          value = before;
          worst =
              test::larger(worst, std::abs(scale * (above - below) / (2 * h) - gradient.values().data()[i]));
        }
        CHECK(worst <= 1e-6 * largest);

        const auto prediction = converted<float>(given.prediction);
        const auto target = converted<float>(given.target);
        Sequences<float> in_float({.samples = batch, .steps = steps, .features = features});
        reprise::loss_sum<float>(loss.loss, prediction.view(), target.view(), weights, scale,
                                 in_float.view());
        CHECK(test::largest_difference(in_float.values(), gradient.values()) <= 1e-5 * largest);
      }
    }
  }
}

TEST_CASE("the parts of a batch add up to the whole, in value and in gradient") {
  const Index features = 3, batch = 7, steps = 5, first = 3;
  for (const Named& loss : all_losses()) {
    CAPTURE(loss.name);
    const Case whole = make_case(features, batch, steps, loss.kink);
    Sequences<double> gradient({.samples = batch, .steps = steps, .features = features});
    const double value = reprise::loss_sum(loss.loss, whole.prediction.view(), whole.target.view(),
                                           whole.weights, 1.0 / static_cast<double>(batch), gradient.view());
    double sum = 0.0;
    for (const auto& [begin, count] : {std::array{Index{0}, first}, std::array{first, batch - first}}) {
      const Sequences<double> zeros({.samples = count, .steps = steps, .features = features});
      Case part{zeros, zeros, {}};
      for (Index t = 0; t < steps; ++t) {
        for (Index b = 0; b < count; ++b) {
          for (Index f = 0; f < features; ++f) {
            part.prediction(b, t, f) = whole.prediction(begin + b, t, f);
            part.target(b, t, f) = whole.target(begin + b, t, f);
          }
        }
      }
      const auto weights = std::span<const double>(whole.weights)
                               .subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
      Sequences<double> slope({.samples = count, .steps = steps, .features = features});
      sum += reprise::loss_sum(loss.loss, part.prediction.view(), part.target.view(), weights,
                               1.0 / static_cast<double>(batch), slope.view());
      double worst = 0.0;
      for (Index t = 0; t < steps; ++t) {
        for (Index b = 0; b < count; ++b) {
          for (Index f = 0; f < features; ++f) {
            worst = test::larger(worst, std::abs(slope(b, t, f) - std::as_const(gradient)(begin + b, t, f)));
          }
        }
      }
      CHECK(worst <= 1e-15);
    }
    CHECK(std::abs(sum - value) <= 1e-13 * value);
  }
}

TEST_CASE("losses per sample") {
  for (const Named& loss : all_losses()) {
    for (const auto& shape : shapes) {
      const Index features = shape[0], batch = shape[1], steps = shape[2];
      CAPTURE(loss.name);
      const Case given = make_case(features, batch, steps, loss.kink);
      std::vector<double> losses(static_cast<std::size_t>(batch), -1.0);
      reprise::sample_losses(loss.loss, given.prediction.view(), given.target.view(), losses);
      for (std::size_t b = 0; b < losses.size(); ++b) {
        std::vector<double> only(losses.size(), 0.0);
        only[b] = 1.0;
        const double expected =
            reprise::loss_sum<double>(loss.loss, given.prediction.view(), given.target.view(), only, 1.0, {});
        CHECK(std::abs(losses[b] - expected) <= 1e-13 * expected);
      }
    }
  }
}

TEST_CASE("the value does not depend on where the numbers lie in memory") {
  const Case given = make_case(5, 4, 6, -1.0);
  const Index count = given.target.values().size();
  std::vector<float> room(static_cast<std::size_t>(3 * (count + 40)));
  for (const Named& loss : all_losses()) {
    CAPTURE(loss.name);
    std::vector<float> first;
    double value = 0.0;
    const reprise::BatchShape sizes{.samples = 4, .steps = 6, .features = 5};
    for (Index shift = 0; shift < 17; ++shift) {
      float* const prediction = room.data() + shift;
      float* const target = prediction + count + 13;
      float* const gradient = target + count + 5;
      for (Index i = 0; i < count; ++i) {
        prediction[i] = static_cast<float>(given.prediction.values().data()[i]);
        target[i] = static_cast<float>(given.target.values().data()[i]);
      }
      const double sum = reprise::loss_sum<float>(loss.loss, {prediction, sizes}, {target, sizes}, {}, 0.25,
                                                  {gradient, sizes});
      if (shift == 0) {
        value = sum;
        first.assign(gradient, gradient + count);
      }
      CHECK(sum == value);
      CHECK(std::equal(first.begin(), first.end(), gradient));
    }
  }
}

TEST_CASE("at a kink, and far from it") {
  const auto of = [](const Loss& loss, double error) {
    double prediction = error, target = 0.0, slope = 0.0;
    const reprise::BatchShape one{.samples = 1, .steps = 1, .features = 1};
    const double value =
        reprise::loss_sum<double>(loss, {&prediction, one}, {&target, one}, {}, 1.0, {&slope, one});
    return std::pair{value, slope};
  };
  CHECK(of(reprise::MeanAbsoluteError{}, 0.0) == std::pair{0.0, 0.0});
  CHECK(of(reprise::MeanAbsoluteError{}, -3.0) == std::pair{3.0, -1.0});
  CHECK(of(reprise::Huber{}, 1.0) == std::pair{0.5, 1.0});
  CHECK(of(reprise::Huber{.delta = 2.0}, -5.0) == std::pair{8.0, -2.0});
  // cosh overflows at 711.
  CHECK(of(reprise::LogCosh{}, -1000.0).first == doctest::Approx(1000.0 - std::log(2.0)).epsilon(1e-15));
  CHECK(of(reprise::LogCosh{}, -1000.0).second == -1.0);
}

TEST_CASE("log-cosh of small errors in float is half their square") {
  for (const float error : {1e-2F, 1e-3F, 1e-4F, 1e-6F}) {
    for (const Index count : {Index{1}, Index{16}}) {
      const std::vector<float> prediction(static_cast<std::size_t>(count), error);
      const std::vector<float> target(static_cast<std::size_t>(count), 0.0F);
      const reprise::BatchShape sizes{.samples = 1, .steps = 1, .features = count};
      const double value = reprise::loss_sum<float>(reprise::LogCosh{}, {prediction.data(), sizes},
                                                    {target.data(), sizes}, {}, 1.0, {});
      const double x = static_cast<double>(error);
      const double expected = x * x / 2 - x * x * x * x / 12;
      CHECK(std::abs(value - expected) <= 2e-6 * expected);
    }
  }
}

TEST_CASE("a NaN or an infinity in the prediction shows in the value, wherever it stands") {
  for (const Named& loss : all_losses()) {
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      for (const Index place : {Index{0}, Index{15}, Index{16}, Index{19}}) {
        CAPTURE(loss.name);
        Case given = make_case(5, 2, 2, loss.kink);
        given.prediction.values().data()[place] = bad;
        CHECK_FALSE(std::isfinite(reprise::loss_value(loss.loss, given.prediction, given.target)));
        CHECK_FALSE(std::isfinite(reprise::loss_value(loss.loss, converted<float>(given.prediction),
                                                      converted<float>(given.target))));
      }
    }
  }
}

TEST_CASE("losses are values, and refuse what cannot be") {
  CHECK(Loss{reprise::Huber{}} == Loss{reprise::Huber{.delta = 1.0}});
  CHECK(Loss{reprise::Huber{}} != Loss{reprise::Huber{.delta = 2.0}});
  CHECK(Loss{reprise::LogCosh{}} != Loss{reprise::MeanSquaredError{}});

  CHECK_NOTHROW(reprise::validate(Loss{reprise::Huber{.delta = 0.1}}));
  CHECK_THROWS_WITH_AS(reprise::validate(Loss{reprise::Huber{.delta = -0.5}}),
                       "Huber: expected delta > 0, got -0.5", reprise::Error);
  CHECK_THROWS_AS(reprise::validate(Loss{reprise::Huber{.delta = 0.0}}), reprise::Error);
  CHECK_THROWS_AS(reprise::validate(Loss{reprise::Huber{.delta = std::nan("")}}), reprise::Error);

  const Sequences<double> a({.samples = 3, .steps = 4, .features = 2}),
      b({.samples = 3, .steps = 5, .features = 2});
  const std::vector<double> two(2, 1.0);
  std::vector<double> out(4);
  CHECK_THROWS_WITH_AS(
      reprise::loss_value(reprise::MeanSquaredError{}, a, b),
      "loss: target: expected 3 samples of 4 steps x 2 features, got 3 samples of 5 steps x 2 features",
      reprise::Error);
  CHECK_THROWS_WITH_AS(reprise::loss_value(reprise::MeanSquaredError{}, a, a, two),
                       "loss: sample weights: expected one per sample, that is 3, got 2", reprise::Error);
  CHECK_THROWS_WITH_AS(reprise::sample_losses(reprise::MeanSquaredError{}, a.view(), a.view(), out),
                       "loss: losses: expected one per sample, that is 3, got 4", reprise::Error);
}
