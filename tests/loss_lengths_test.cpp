#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <reprise/core/random.hpp>
#include <reprise/losses/losses.hpp>
#include <vector>

#include "differences.hpp"

namespace {

using reprise::Index;
using reprise::Loss;
using Values = reprise::Sequences<double>;

const std::vector<Loss>& all_losses() {
  static const std::vector<Loss> losses = {reprise::MeanSquaredError{}, reprise::MeanAbsoluteError{},
                                           reprise::Huber{.delta = 0.5}, reprise::LogCosh{}};
  return losses;
}

constexpr Index features = 3, batch = 4, steps = 5;
const std::vector<Index> lengths = {5, 3, 3, 1};
const std::vector<double> weights = {0.5, 2.0, 1.25, 3.0};

/// Irregular numbers; what lies beyond the lengths is NaN where `poisoned`.
Values values(double phase, bool poisoned) {
  Values made({.samples = batch, .steps = steps, .features = features});
  for (Index b = 0; b < batch; ++b) {
    for (Index t = 0; t < steps; ++t) {
      for (Index f = 0; f < features; ++f) {
        const bool beyond = t >= lengths[static_cast<std::size_t>(b)];
        made(b, t, f) = poisoned && beyond
                            ? std::numeric_limits<double>::quiet_NaN()
                            : std::sin(12.9898 * static_cast<double>((b * steps + t) * 7 + f) + phase);
      }
    }
  }
  return made;
}

/// The loss of one position, as the loss of a batch of one sample and one step.
double of_position(const Loss& loss, const Values& prediction, const Values& target, Index b, Index t,
                   Index count) {
  Values p({.samples = 1, .steps = 1, .features = count}), q({.samples = 1, .steps = 1, .features = count});
  for (Index f = 0; f < count; ++f) {
    p(0, 0, f) = prediction(b, t, f);
    q(0, 0, f) = target(b, t, f);
  }
  return reprise::loss_value(loss, p, q);
}

}  // namespace

TEST_CASE("loss lengths: padding is not read, has no slope, and enters no divisor") {
  const Values prediction = values(0.1, true), target = values(0.7, true);
  for (const Loss& loss : all_losses()) {
    CAPTURE(loss.index());
    for (const bool weighted : {false, true}) {
      const std::vector<double> given = weighted ? weights : std::vector<double>{};
      double expected = 0.0;
      Index valid = 0;
      for (Index b = 0; b < batch; ++b) {
        for (Index t = 0; t < lengths[static_cast<std::size_t>(b)]; ++t, ++valid) {
          expected += (weighted ? weights[static_cast<std::size_t>(b)] : 1.0) *
                      of_position(loss, prediction, target, b, t, features);
        }
      }
      Values gradient({.samples = batch, .steps = steps, .features = features});
      gradient.values().setConstant(77.0);
      const double sum =
          reprise::loss_sum(loss, prediction.view(), target.view(), given, 1.0, gradient.view(), 0, lengths);
      CHECK(std::abs(sum - expected / static_cast<double>(steps)) <= 1e-14);
      CHECK(std::abs(reprise::loss_value(loss, prediction, target, given, lengths) -
                     expected / static_cast<double>(valid)) <= 1e-14);
      for (Index b = 0; b < batch; ++b) {
        for (Index t = lengths[static_cast<std::size_t>(b)]; t < steps; ++t) {
          for (Index f = 0; f < features; ++f) CHECK(gradient(b, t, f) == 0.0);
        }
      }
      CHECK(gradient.values().allFinite());
    }
  }
}

TEST_CASE("loss lengths: the gradient is the central difference") {
  Values prediction = values(0.1, false);
  const Values target = values(0.7, false);
  const double scale = static_cast<double>(steps) / 12.0;
  for (const Loss& loss : all_losses()) {
    CAPTURE(loss.index());
    for (const Index last_step_features : {Index{0}, Index{2}}) {
      const auto sum = [&](reprise::SequenceView<double> to) {
        return reprise::loss_sum(loss, prediction.view(), target.view(), weights, scale, to,
                                 last_step_features, lengths);
      };
      Values gradient({.samples = batch, .steps = steps, .features = features});
      sum(gradient.view());
      double worst = 0.0;
      for (Index i = 0; i < gradient.values().size(); ++i) {
        double& value = prediction.values().data()[i];
        const double before = value, h = 1e-5;
        value = before + h;
        const double above = sum({});
        value = before - h;
        const double below = sum({});
        value = before;
        worst =
            test::larger(worst, std::abs(scale * (above - below) / (2 * h) - gradient.values().data()[i]));
      }
      CHECK(worst <= 1e-8);
      CHECK(test::largest(gradient.values().cwiseAbs()) > 1e-2);
    }
  }
}

TEST_CASE("loss lengths: full lengths have the bits of no lengths") {
  const Values prediction = values(0.1, false), target = values(0.7, false);
  const std::vector<Index> full(static_cast<std::size_t>(batch), steps);
  for (const Loss& loss : all_losses()) {
    for (const bool weighted : {false, true}) {
      for (const Index last_step_features : {Index{0}, Index{2}}) {
        const std::vector<double> given = weighted ? weights : std::vector<double>{};
        Values with({.samples = batch, .steps = steps, .features = features}),
            without({.samples = batch, .steps = steps, .features = features});
        CHECK(reprise::loss_sum(loss, prediction.view(), target.view(), given, 0.3, with.view(),
                                last_step_features,
                                full) == reprise::loss_sum(loss, prediction.view(), target.view(), given, 0.3,
                                                           without.view(), last_step_features));
        CHECK(with.values() == without.values());
        CHECK(reprise::loss_value(loss, prediction, target, given, full) ==
              reprise::loss_value(loss, prediction, target, given));
      }
    }
  }
}

TEST_CASE("loss lengths: the loss of each sample is the mean over its valid steps") {
  const Values prediction = values(0.1, true), target = values(0.7, true);
  for (const Loss& loss : all_losses()) {
    std::vector<double> losses(static_cast<std::size_t>(batch), -1.0);
    reprise::sample_losses(loss, prediction.view(), target.view(), losses, 0, lengths);
    for (Index b = 0; b < batch; ++b) {
      const Index length = lengths[static_cast<std::size_t>(b)];
      double expected = 0.0;
      for (Index t = 0; t < length; ++t)
        expected += of_position(loss, prediction, target, b, t, features) / static_cast<double>(length);
      CHECK(std::abs(losses[static_cast<std::size_t>(b)] - expected) <= 1e-14);
    }
  }
}

TEST_CASE("loss lengths: the padding of a last step that is beyond the length changes no mean") {
  // Of the 10 values that are meant in 3 steps of 4, the first two steps have 8.
  Values prediction({.samples = 2, .steps = 3, .features = 4}),
      target({.samples = 2, .steps = 3, .features = 4});
  std::fill_n(prediction.view().data, prediction.view().size(), 1.0);
  std::fill_n(target.view().data, target.view().size(), 0.0);
  std::vector<double> losses(2);
  const std::vector<Index> some{3, 2};
  reprise::sample_losses(reprise::MeanAbsoluteError{}, prediction.view(), target.view(), losses, 2, some);
  CHECK(losses[0] == doctest::Approx(1.0));
  CHECK(losses[1] == doctest::Approx(1.0));
}

TEST_CASE("loss lengths: those that cannot be are refused") {
  const Values a({.samples = batch, .steps = steps, .features = features});
  const auto message = [&](const std::vector<Index>& wrong) -> std::string {
    try {
      static_cast<void>(reprise::loss_value(reprise::MeanSquaredError{}, a, a, {}, wrong));
    } catch (const reprise::Error& error) {
      return error.what();
    }
    return "accepted";
  };
  CHECK(message({5, 5}) == "loss: lengths: expected one per sample, that is 4, got 2");
  CHECK(message({5, 5, 5, 6}) == "loss: lengths: expected from 0 to 5 steps, got 6");
  CHECK(message({5, 5, 5, -1}) == "loss: lengths: expected from 0 to 5 steps, got -1");
  CHECK(message({0, 0, 0, 0}) == "loss: expected number of valid steps > 0, got 0");
}
