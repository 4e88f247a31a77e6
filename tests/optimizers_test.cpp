#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <reprise/optimizers/optimizers.hpp>
#include <string>
#include <vector>

#include "differences.hpp"

namespace {

using reprise::Adam;
using reprise::AdamW;
using reprise::Convention;
using reprise::Index;
using reprise::Optimizer;
using reprise::RmsProp;
using reprise::Sgd;
using Vector = reprise::Vector<double>;

/// One tensor of the given size for each of the sizes.
reprise::ParameterTable table_of(std::initializer_list<Index> sizes) {
  reprise::ParameterTable table;
  for (const Index size : sizes) table.add("tensor" + std::to_string(table.entries().size()), size, 1, true);
  return table;
}

/// Where one parameter goes from `start` when it is given the gradients one after the other.
std::vector<double> path(const Optimizer& optimizer, double start, const std::vector<double>& gradients) {
  reprise::validate(optimizer);
  const auto table = table_of({1});
  auto state = reprise::initial_state<double>(optimizer, 1);
  Vector parameter = Vector::Constant(1, start);
  std::vector<double> places;
  for (const double g : gradients) {
    Vector gradient = Vector::Constant(1, g);
    reprise::apply_update(optimizer, table, state, 1.0, gradient, parameter);
    places.push_back(parameter(0));
  }
  return places;
}

void check_path(const std::vector<double>& got, const std::vector<double>& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CAPTURE(got[i]);
    CAPTURE(expected[i]);
    CHECK(std::abs(got[i] - expected[i]) <= tolerance);
  }
}

const std::vector<double> four_gradients = {1.0, -0.5, 0.25, 2.0};

std::string message(const Optimizer& optimizer) {
  try {
    reprise::validate(optimizer);
  } catch (const reprise::Error& error) {
    return error.what();
  }
  return "accepted";
}

/// Numbers that look irregular, between -1 and 1.
Vector wiggle(Index size, double phase) {
  return Vector::NullaryExpr(size,
                             [&](Index i) { return std::sin(12.9898 * static_cast<double>(i) + phase); });
}

const std::vector<Optimizer>& all_optimizers() {
  static const std::vector<Optimizer> optimizers = {
      Adam{},
      Adam{.convention = Convention::pytorch, .weight_decay = 0.1},
      AdamW{},
      AdamW{.convention = Convention::pytorch},
      Sgd{},
      Sgd{.momentum = 0.9},
      Sgd{.convention = Convention::pytorch, .momentum = 0.9, .nesterov = true},
      RmsProp{},
      RmsProp{.momentum = 0.9, .centered = true},
      RmsProp{.convention = Convention::pytorch, .momentum = 0.9, .centered = true}};
  return optimizers;
}

}  // namespace

// -- each optimizer

TEST_CASE("Adam: four steps with epsilon before and after the correction") {
  // The printed digits of these are 15; the tolerance is what they leave.
  check_path(path(Adam{.learning_rate = 1e-3}, 1.0, four_gradients),
             {0.999000003162268, 0.998733666876222, 0.998393238668490, 0.997750347629859}, 1e-14);
  check_path(path(Adam{.convention = Convention::pytorch, .learning_rate = 1e-3}, 1.0, four_gradients),
             {0.999000000010000, 0.998733662973709, 0.998393233830648, 0.997750341915259}, 1e-14);
}

TEST_CASE("Adam: the first step's closed form") {
  const double g = -0.3, lr = 0.02, b1 = 0.8, b2 = 0.95, eps = 1e-2;
  const double keras =
      1.0 - lr * std::sqrt(1 - b2) / (1 - b1) * (1 - b1) * g / (std::sqrt(1 - b2) * -g + eps);
  check_path(path(Adam{.learning_rate = lr, .beta_1 = b1, .beta_2 = b2, .epsilon = eps}, 1.0, {g}), {keras},
             1e-15);
  const double pytorch = 1.0 - lr * g / (-g + eps);
  check_path(path(Adam{.convention = Convention::pytorch,
                       .learning_rate = lr,
                       .beta_1 = b1,
                       .beta_2 = b2,
                       .epsilon = eps},
                  1.0, {g}),
             {pytorch}, 1e-15);
  CHECK(std::abs(keras - pytorch) > 1e-4);
}

TEST_CASE("AdamW: the weight decays before the update, in both conventions alike") {
  for (const Convention convention : {Convention::keras, Convention::pytorch}) {
    const AdamW decaying{.convention = convention, .learning_rate = 0.05, .weight_decay = 0.1};
    const Adam plain{.convention = convention, .learning_rate = 0.05};
    double expected = 3.0;
    std::vector<double> places;
    double last = 0.0;
    for (const double place : path(plain, 0.0, four_gradients)) {
      expected = expected - expected * 0.1 * 0.05 +
                 (place - last);  // Adam's own move does not depend on where it is
      last = place;
      places.push_back(expected);
    }
    check_path(path(decaying, 3.0, four_gradients), places, 1e-14);
  }
  // Nothing but decay: the gradient is zero.
  check_path(path(AdamW{.learning_rate = 0.5}, 2.0, {0.0}), {2.0 * (1.0 - 0.5 * 0.004)}, 1e-15);
  check_path(path(AdamW{.convention = Convention::pytorch, .learning_rate = 0.5}, 2.0, {0.0}),
             {2.0 * (1.0 - 0.5 * 0.01)}, 1e-15);
}

TEST_CASE("Adam's own weight decay is AdamW's with Keras, a part of the gradient with PyTorch") {
  CHECK(path(Adam{.weight_decay = 0.1}, 3.0, four_gradients) ==
        path(AdamW{.weight_decay = 0.1}, 3.0, four_gradients));
  const Adam pytorch{.convention = Convention::pytorch, .weight_decay = 0.1};
  Adam plain = pytorch;
  plain.weight_decay = 0.0;
  check_path(path(pytorch, 3.0, {1.0}), path(plain, 3.0, {1.0 + 0.1 * 3.0}), 1e-16);
  check_path(path(pytorch, 1.0, {0.0}), {1.0 - 1e-3},
             1e-9);  // the sign of the parameter decides, not its size
}

TEST_CASE("SGD: plain, momentum, Nesterov") {
  const double lr = 0.1, mu = 0.8;
  check_path(path(Sgd{.learning_rate = lr}, 1.0, {2.0, -1.0}), {0.8, 0.9}, 1e-15);
  // v1 = -.2, v2 = -.16 + .1 = -.06
  check_path(path(Sgd{.learning_rate = lr, .momentum = mu}, 1.0, {2.0, -1.0}), {0.8, 0.74}, 1e-15);
  // mu v1 - lr g1 = -.36, mu v2 - lr g2 = -.048 + .1
  check_path(path(Sgd{.learning_rate = lr, .momentum = mu, .nesterov = true}, 1.0, {2.0, -1.0}),
             {0.64, 0.692}, 1e-15);
  for (const bool nesterov : {false, true}) {
    check_path(
        path(
            Sgd{.convention = Convention::pytorch, .learning_rate = lr, .momentum = mu, .nesterov = nesterov},
            1.0, four_gradients),
        path(Sgd{.learning_rate = lr, .momentum = mu, .nesterov = nesterov}, 1.0, four_gradients), 1e-14);
  }
}

TEST_CASE("SGD: when the rate changes, Keras's velocity keeps the old rate and PyTorch's does not") {
  const reprise::ExponentialDecay tenth{.initial_learning_rate = 0.1, .decay_steps = 1, .decay_rate = 0.1};
  // v1 = -.1 * 2; v2 = .8 v1 - .01 * 1
  check_path(path(Sgd{.learning_rate = tenth, .momentum = 0.8}, 1.0, {2.0, 1.0}), {0.8, 0.8 - 0.17}, 1e-15);
  // v2 = .8 * 2 + 1; theta -= .01 v2
  check_path(
      path(Sgd{.convention = Convention::pytorch, .learning_rate = tenth, .momentum = 0.8}, 1.0, {2.0, 1.0}),
      {0.8, 0.8 - 0.026}, 1e-15);
}

TEST_CASE("RMSprop: two steps, with epsilon inside the root or outside, centered, with momentum") {
  const double lr = 0.1, rho = 0.75, eps = 0.04, mu = 0.5, g1 = 2.0, g2 = -1.0;
  const double s1 = 0.25 * 4.0, s2 = 0.75 * s1 + 0.25;
  const double a1 = 0.25 * g1, a2 = 0.75 * a1 + 0.25 * g2;
  for (const Convention convention : {Convention::keras, Convention::pytorch}) {
    const auto root = [&](double s) {
      return convention == Convention::keras ? std::sqrt(s + eps) : std::sqrt(s) + eps;
    };
    for (const bool centered : {false, true}) {
      const double p1 = lr * g1 / root(s1 - (centered ? a1 * a1 : 0.0));
      const double p2 = lr * g2 / root(s2 - (centered ? a2 * a2 : 0.0));
      CAPTURE(centered);
      check_path(path(RmsProp{.convention = convention,
                              .learning_rate = lr,
                              .rho = rho,
                              .epsilon = eps,
                              .centered = centered},
                      1.0, {g1, g2}),
                 {1.0 - p1, 1.0 - p1 - p2}, 1e-15);
      check_path(path(RmsProp{.convention = convention,
                              .learning_rate = lr,
                              .rho = rho,
                              .momentum = mu,
                              .epsilon = eps,
                              .centered = centered},
                      1.0, {g1, g2}),
                 {1.0 - p1, 1.0 - p1 - (mu * p1 + p2)}, 1e-15);
    }
  }
}

TEST_CASE("centered RMSprop in float survives a variance that rounding makes negative") {
  const Optimizer optimizer = RmsProp{.centered = true};
  const Index size = 50;
  const auto table = table_of({size});
  auto state = reprise::initial_state<float>(optimizer, size);
  reprise::Vector<float> parameters = reprise::Vector<float>::Zero(size);
  // Gradients that were always 1000, as rounding may leave them.
  state.first.setConstant(1000.0F);
  state.second.setConstant(1000.0F * 1000.0F - 10.0F);
  reprise::Vector<float> gradient = reprise::Vector<float>::Constant(size, 1000.0F);
  reprise::apply_update(optimizer, table, state, 1.0, gradient, parameters);
  REQUIRE(test::largest(state.second.array() - state.first.array().square()) < -1.0F);
  CHECK(parameters.allFinite());
}

TEST_CASE("the defaults after the convention follow from it") {
  CHECK(Adam{}.epsilon == 1e-7);
  CHECK(Adam{.convention = Convention::pytorch}.epsilon == 1e-8);
  CHECK(Adam{.convention = Convention::pytorch, .epsilon = 1e-3}.epsilon == 1e-3);
  CHECK(AdamW{}.weight_decay == 0.004);
  CHECK(AdamW{.convention = Convention::pytorch}.weight_decay == 0.01);
  CHECK(rate_at(Sgd{}.learning_rate, 0) == 0.01);
  CHECK(rate_at(Sgd{.convention = Convention::pytorch}.learning_rate, 0) == 0.001);
  CHECK(RmsProp{}.rho == 0.9);
  const RmsProp pytorch{.convention = Convention::pytorch};
  CHECK(pytorch.rho == 0.99);
  CHECK(pytorch.epsilon == 1e-8);
  CHECK(rate_at(pytorch.learning_rate, 0) == 0.01);
  CHECK(rate_at(RmsProp{}.learning_rate, 0) == 0.001);
}

// -- all optimizers

TEST_CASE("the step counts once for all tensors, and parameters do not see each other") {
  const auto table = table_of({7, 1, 24, 19});
  for (const Optimizer& optimizer : all_optimizers()) {
    CAPTURE(optimizer.index());
    auto state = reprise::initial_state<double>(optimizer, table.size());
    Vector parameters = wiggle(table.size(), 0.5);
    const Vector start = parameters;
    std::vector<std::vector<double>> gradients(static_cast<std::size_t>(table.size()));
    for (int step = 0; step < 5; ++step) {
      Vector gradient = wiggle(table.size(), 1.0 + step);
      for (Index i = 0; i < table.size(); ++i) gradients[static_cast<std::size_t>(i)].push_back(gradient(i));
      reprise::apply_update(optimizer, table, state, 1.0, gradient, parameters);
      CHECK(state.step == step + 1);
    }
    double worst = 0.0;
    for (Index i = 0; i < table.size(); ++i) {
      const double alone = path(optimizer, start(i), gradients[static_cast<std::size_t>(i)]).back();
      worst = test::larger(worst, std::abs(parameters(i) - alone));
    }
    CHECK(worst <= 1e-15);
    CHECK(test::smallest((parameters - start).cwiseAbs()) > 1e-7);
  }
}

TEST_CASE("float follows double") {
  const auto table = table_of({40});
  for (const Optimizer& optimizer : all_optimizers()) {
    CAPTURE(optimizer.index());
    auto state = reprise::initial_state<double>(optimizer, 40);
    auto state_float = reprise::initial_state<float>(optimizer, 40);
    Vector parameters = wiggle(40, 0.5);
    reprise::Vector<float> parameters_float = parameters.cast<float>();
    const Vector start = parameters;
    for (int step = 0; step < 20; ++step) {
      Vector gradient = wiggle(40, 1.0 + step);
      reprise::Vector<float> gradient_float = gradient.cast<float>();
      reprise::apply_update(optimizer, table, state, 1.0, gradient, parameters);
      reprise::apply_update(optimizer, table, state_float, 1.0, gradient_float, parameters_float);
    }
    CHECK(test::largest_difference(parameters_float, parameters) <= 2e-6);
    CHECK(test::largest_difference(parameters, start) > 2e-3);
  }
}

TEST_CASE("the same numbers give the same bits wherever they lie in memory") {
  const Index size = 45;
  const auto table = table_of({size});
  std::vector<float> room(2 * static_cast<std::size_t>(size) + 64);
  for (const Optimizer& optimizer : all_optimizers()) {
    reprise::Vector<float> first;
    for (Index shift = 0; shift < 17; ++shift) {
      using Map = Eigen::Map<reprise::Vector<float>>;
      Map parameters(room.data() + shift, size);
      Map gradient(room.data() + size + 20 + 2 * (shift % 5), size);
      parameters = wiggle(size, 0.5).cast<float>();
      auto state = reprise::initial_state<float>(optimizer, size);
      for (int step = 0; step < 3; ++step) {
        gradient = wiggle(size, 1.0 + step).cast<float>();
        reprise::apply_update(optimizer, table, state, 1.0, gradient, parameters);
      }
      if (shift == 0) first = parameters;
      CHECK(first == parameters);
    }
  }
}

TEST_CASE("the scale of a callback multiplies the rate, weight decay's too") {
  for (const double scale : {1.0, 0.1}) {
    const Optimizer full = AdamW{.learning_rate = 0.02 * scale, .weight_decay = 0.1};
    const Optimizer scaled = AdamW{.learning_rate = 0.02, .weight_decay = 0.1};
    const auto table = table_of({1});
    auto state = reprise::initial_state<double>(scaled, 1);
    Vector parameter = Vector::Constant(1, 3.0);
    for (const double g : four_gradients) {
      Vector gradient = Vector::Constant(1, g);
      reprise::apply_update(scaled, table, state, scale, gradient, parameter);
    }
    CHECK(std::abs(parameter(0) - path(full, 3.0, four_gradients).back()) <= 1e-15);
  }
}

TEST_CASE("the state holds what the optimizer needs and nothing else") {
  const auto sizes = [](const Optimizer& optimizer) {
    const auto state = reprise::initial_state<float>(optimizer, 10);
    return std::to_string(state.first.size()) + ' ' + std::to_string(state.second.size()) + ' ' +
           std::to_string(state.velocity.size());
  };
  CHECK(sizes(Adam{}) == "10 10 0");
  CHECK(sizes(AdamW{}) == "10 10 0");
  CHECK(sizes(Sgd{}) == "0 0 0");
  CHECK(sizes(Sgd{.momentum = 0.5}) == "0 0 10");
  CHECK(sizes(RmsProp{}) == "0 10 0");
  CHECK(sizes(RmsProp{.momentum = 0.5, .centered = true}) == "10 10 10");
  const auto state = reprise::initial_state<float>(RmsProp{.momentum = 0.5, .centered = true}, 10);
  CHECK(state.step == 0);
  CHECK(state.first.isZero(0.0F));
  CHECK(state.second.isZero(0.0F));
  CHECK(state.velocity.isZero(0.0F));
}

// -- clipping

namespace {

/// The gradient after clipping; the sizes of the table's tensors are 20 and 30.
Vector clipped(const reprise::Clip& clip, const Vector& gradient) {
  const auto table = table_of({20, 30});
  const Optimizer optimizer = Sgd{.learning_rate = 1.0, .clip = clip};
  auto state = reprise::initial_state<double>(optimizer, 50);
  Vector changed = gradient;
  Vector parameters = Vector::Zero(50);
  reprise::apply_update(optimizer, table, state, 1.0, changed, parameters);
  CHECK(parameters == -changed);  // what is clipped is what is used
  return changed;
}

}  // namespace

TEST_CASE("clipping") {
  Vector gradient = wiggle(50, 0.3);
  gradient.head(20) *= 5.0;
  gradient.tail(30) *= 0.1;
  const double first = gradient.head(20).norm(), second = gradient.tail(30).norm(), all = gradient.norm();
  REQUIRE(first > 10.0);
  REQUIRE(second < 0.5);

  CHECK(clipped(reprise::NoClip{}, gradient) == gradient);

  const Vector by_value = clipped(reprise::ClipValue{0.7}, gradient);
  CHECK(test::largest(by_value.head(20).cwiseAbs()) == 0.7);
  CHECK(by_value ==
        gradient.unaryExpr([](double g) { return std::abs(g) > 0.7 ? std::copysign(0.7, g) : g; }));
  CHECK(by_value.tail(30) == gradient.tail(30));

  // The long tensor is brought to the norm, the short one keeps its bits.
  const Vector by_norm = clipped(reprise::ClipNorm{2.0}, gradient);
  CHECK(std::abs(by_norm.head(20).norm() - 2.0) <= 1e-14);
  CHECK(test::largest_difference(by_norm.head(20), gradient.head(20) * (2.0 / first)) <= 1e-15);
  CHECK(by_norm.tail(30) == gradient.tail(30));

  const Vector by_global = clipped(reprise::GlobalClipNorm{2.0}, gradient);
  CHECK(std::abs(by_global.norm() - 2.0) <= 1e-14);
  CHECK(test::largest_difference(by_global, gradient * (2.0 / all)) <= 1e-15);

  CHECK(clipped(reprise::ClipNorm{all}, gradient) == gradient);
  CHECK(clipped(reprise::GlobalClipNorm{all + 1e-9}, gradient) == gradient);
  CHECK(clipped(reprise::GlobalClipNorm{2.0}, Vector::Zero(50)) == Vector::Zero(50));
}

TEST_CASE("the gradient is clipped before the weight decay of PyTorch's Adam is added") {
  Adam clipping{.convention = Convention::pytorch, .weight_decay = 0.1, .clip = reprise::ClipValue{0.5}};
  Adam plain = clipping;
  plain.clip = reprise::NoClip{};
  CHECK(path(clipping, 3.0, {4.0, -0.25}) == path(plain, 3.0, {0.5, -0.25}));
}

TEST_CASE("the norm of a gradient") {
  Vector gradient = wiggle(50, 0.3);
  CHECK(std::abs(reprise::gradient_norm(gradient) - gradient.norm()) <= 1e-14);
  CHECK(std::abs(reprise::gradient_norm(gradient.segment(3, 41)) - gradient.segment(3, 41).norm()) <= 1e-14);
  CHECK(reprise::gradient_norm(Vector::Zero(0).eval()) == 0.0);

  // In float the squares would overflow or vanish; the sum is in double.
  CHECK(reprise::gradient_norm(reprise::Vector<float>::Constant(16, 1e30F).eval()) ==
        doctest::Approx(4e30).epsilon(1e-7));
  CHECK(reprise::gradient_norm(reprise::Vector<float>::Constant(16, 1e-30F).eval()) ==
        doctest::Approx(4e-30).epsilon(1e-7));

  for (const Index place : {Index{0}, Index{31}, Index{49}}) {
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      Vector broken = gradient;
      broken(place) = bad;
      CHECK_FALSE(std::isfinite(reprise::gradient_norm(broken)));
      CHECK_FALSE(std::isfinite(reprise::gradient_norm(broken.cast<float>().eval())));
    }
  }
}

// -- schedules

TEST_CASE("exponential decay") {
  reprise::ExponentialDecay decay{.initial_learning_rate = 0.5, .decay_steps = 4, .decay_rate = 0.25};
  CHECK(rate_at(decay, 0) == 0.5);
  CHECK(rate_at(decay, 2) == doctest::Approx(0.25).epsilon(1e-15));
  CHECK(rate_at(decay, 4) == doctest::Approx(0.125).epsilon(1e-15));
  CHECK(rate_at(decay, 8) == doctest::Approx(0.03125).epsilon(1e-15));
  decay.staircase = true;
  CHECK(rate_at(decay, 3) == 0.5);
  CHECK(rate_at(decay, 4) == 0.125);
  CHECK(rate_at(decay, 7) == 0.125);
}

TEST_CASE("cosine decay, with and without warm-up") {
  reprise::CosineDecay decay{.initial_learning_rate = 0.4, .decay_steps = 12, .alpha = 0.1};
  CHECK(rate_at(decay, 0) == 0.4);
  CHECK(rate_at(decay, 4) == doctest::Approx(0.4 * (0.9 * 0.75 + 0.1)).epsilon(1e-15));
  CHECK(rate_at(decay, 6) == doctest::Approx(0.4 * 0.55).epsilon(1e-15));
  CHECK(rate_at(decay, 12) == doctest::Approx(0.04).epsilon(1e-15));
  CHECK(rate_at(decay, 1000) == rate_at(decay, 12));

  decay.warmup_target = 0.8;
  decay.warmup_steps = 5;
  CHECK(rate_at(decay, 0) == 0.4);
  CHECK(rate_at(decay, 3) == doctest::Approx(0.64).epsilon(1e-15));
  CHECK(rate_at(decay, 5) == 0.8);
  CHECK(rate_at(decay, 9) == doctest::Approx(0.8 * (0.9 * 0.75 + 0.1)).epsilon(1e-15));
  CHECK(rate_at(decay, 17) == doctest::Approx(0.08).epsilon(1e-15));
  CHECK(rate_at(decay, 1000) == rate_at(decay, 17));

  decay.warmup_steps = 0;  // then the target is where the decay starts
  CHECK(rate_at(decay, 0) == 0.8);
}

TEST_CASE("the first update has number 0 in the schedule") {
  const reprise::ExponentialDecay half{.initial_learning_rate = 1.0, .decay_steps = 1, .decay_rate = 0.5};
  check_path(path(Sgd{.learning_rate = half}, 0.0, {1.0, 1.0, 1.0}), {-1.0, -1.5, -1.75}, 1e-15);
  // Adam's own count starts at 1 all the same.
  check_path(path(Adam{.learning_rate = half, .epsilon = 1e-12}, 0.0, {1.0, 1.0, 1.0}), {-1.0, -1.5, -1.75},
             1e-9);
}

// -- values

TEST_CASE("options are values that compare") {
  CHECK(Optimizer{Adam{}} == Optimizer{Adam{.learning_rate = 1e-3}});
  CHECK(Optimizer{Adam{}} != Optimizer{Adam{.learning_rate = 1e-4}});
  CHECK(Optimizer{Adam{}} != Optimizer{AdamW{}});
  CHECK(Optimizer{Adam{}} != Optimizer{Adam{.clip = reprise::ClipNorm{1.0}}});
  CHECK(Optimizer{Adam{.clip = reprise::ClipNorm{1.0}}} !=
        Optimizer{Adam{.clip = reprise::GlobalClipNorm{1.0}}});
  CHECK(Optimizer{Adam{}} != Optimizer{Adam{.convention = Convention::pytorch, .epsilon = 1e-7}});
  const reprise::CosineDecay cosine{.decay_steps = 10, .warmup_target = 0.1, .warmup_steps = 3};
  CHECK(Optimizer{Sgd{.learning_rate = cosine}} == Optimizer{Sgd{.learning_rate = cosine}});
  CHECK(Optimizer{Sgd{.learning_rate = cosine}} != Optimizer{Sgd{.learning_rate = 1e-3}});
  CHECK(Optimizer{Sgd{.learning_rate = 1}} == Optimizer{Sgd{.learning_rate = 1.0F}});
}

TEST_CASE("options that cannot be are named") {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (const Optimizer& optimizer : all_optimizers()) CHECK(message(optimizer) == "accepted");
  CHECK(message(Adam{.learning_rate = 0.0}) == "accepted");

  CHECK(message(Adam{.learning_rate = -0.1}) == "Adam: expected learning_rate >= 0, got -0.1");
  CHECK(message(Sgd{.learning_rate = nan}) == "Sgd: expected learning_rate >= 0, got nan");
  CHECK(message(Sgd{.learning_rate = infinity}) == "Sgd: expected learning_rate >= 0, got inf");
  CHECK(message(Adam{.beta_1 = 1.0}) == "Adam: expected beta_1 in [0, 1), got 1");
  CHECK(message(Adam{.beta_1 = nan}) == "Adam: expected beta_1 in [0, 1), got nan");
  CHECK(message(AdamW{.beta_2 = -0.5}) == "AdamW: expected beta_2 in [0, 1), got -0.5");
  CHECK(message(Adam{.epsilon = 0.0}) == "Adam: expected epsilon > 0, got 0");
  CHECK(message(AdamW{.weight_decay = -1e-9}) == "AdamW: expected weight_decay >= 0, got -1e-09");
  CHECK(message(Sgd{.momentum = 1.5}) == "Sgd: expected momentum in [0, 1), got 1.5");
  CHECK(message(Sgd{.nesterov = true}) == "Sgd: expected with nesterov a momentum > 0, got 0");
  CHECK(message(RmsProp{.rho = 1.0}) == "RmsProp: expected rho in [0, 1), got 1");
  CHECK(message(RmsProp{.momentum = -0.1}) == "RmsProp: expected momentum in [0, 1), got -0.1");
  CHECK(message(RmsProp{.epsilon = -1.0}) == "RmsProp: expected epsilon > 0, got -1");

  CHECK(message(Adam{.clip = reprise::ClipValue{0.0}}) == "Adam: ClipValue: expected value > 0, got 0");
  CHECK(message(Adam{.clip = reprise::ClipNorm{-1.0}}) == "Adam: ClipNorm: expected norm > 0, got -1");
  CHECK(message(Adam{.clip = reprise::GlobalClipNorm{nan}}) ==
        "Adam: GlobalClipNorm: expected norm > 0, got nan");

  using reprise::CosineDecay;
  using reprise::ExponentialDecay;
  CHECK(message(Adam{.learning_rate = ExponentialDecay{.decay_steps = 10, .decay_rate = 0.9}}) == "accepted");
  CHECK(message(Adam{.learning_rate = ExponentialDecay{.decay_rate = 0.9}}) ==
        "Adam: ExponentialDecay: expected decay_steps > 0, got 0");
  CHECK(message(Adam{.learning_rate = ExponentialDecay{.decay_steps = 10}}) ==
        "Adam: ExponentialDecay: expected decay_rate > 0, got 0");
  CHECK(message(Adam{
            .learning_rate =
                ExponentialDecay{.initial_learning_rate = -1.0, .decay_steps = 10, .decay_rate = 0.9}}) ==
        "Adam: ExponentialDecay: expected initial_learning_rate >= 0, got -1");
  CHECK(message(Adam{.learning_rate = CosineDecay{.decay_steps = 10}}) == "accepted");
  CHECK(message(Adam{.learning_rate = CosineDecay{.decay_steps = -3}}) ==
        "Adam: CosineDecay: expected decay_steps > 0, got -3");
  CHECK(message(Adam{.learning_rate = CosineDecay{.decay_steps = 10, .alpha = -0.1}}) ==
        "Adam: CosineDecay: expected alpha >= 0, got -0.1");
  CHECK(message(Adam{.learning_rate =
                         CosineDecay{.decay_steps = 10, .warmup_target = -0.1, .warmup_steps = 2}}) ==
        "Adam: CosineDecay: expected warmup_target >= 0, got -0.1");
  CHECK(message(Adam{.learning_rate =
                         CosineDecay{.decay_steps = 10, .warmup_target = 0.1, .warmup_steps = -2}}) ==
        "Adam: CosineDecay: expected warmup_steps >= 0, got -2");
  CHECK(message(Adam{.learning_rate = CosineDecay{.decay_steps = 10, .warmup_steps = 2}}) ==
        "Adam: CosineDecay: expected a warmup_target to go with warmup_steps, got warmup_steps = 2");
}

TEST_CASE("an update refuses vectors and states that do not belong together") {
  const auto table = table_of({2, 3});
  auto state = reprise::initial_state<double>(Adam{}, 5);
  Vector gradient = Vector::Ones(5), parameters = Vector::Ones(5), four = Vector::Ones(4);
  CHECK_THROWS_WITH_AS(reprise::apply_update(Adam{}, table, state, 1.0, four, parameters),
                       "optimizer: expected 5 parameters and gradients, got 5 and 4", reprise::Error);
  CHECK_THROWS_WITH_AS(reprise::apply_update(Sgd{}, table, state, 1.0, gradient, parameters),
                       "optimizer state: first: expected 0 values (see initial_state), got 5",
                       reprise::Error);
  reprise::OptimizerState<double> empty;
  CHECK_THROWS_AS(reprise::apply_update(Adam{}, table, empty, 1.0, gradient, parameters), reprise::Error);
  CHECK(state.step == 0);
  CHECK(parameters == Vector::Ones(5));
}
TEST_CASE("a moment that no gradient feeds does not become denormal, and the caller's numbers may") {
  reprise::ParameterTable table;
  table.add("tensor", 1, 1, false);
  const reprise::Optimizer adam = reprise::Adam{};
  auto state = reprise::initial_state<float>(adam, 1);
  reprise::Vector<float> gradient = reprise::Vector<float>::Ones(1), parameters = gradient;
  for (int step = 0; step < 2000; ++step) {
    reprise::apply_update(adam, table, state, 1.0, gradient, parameters);
    gradient.setZero();
  }
#ifdef __SSE2__
  CHECK(std::fpclassify(state.first[0]) != FP_SUBNORMAL);  // else some 1e-44, where each operation is slow
#endif
  volatile float denormal = 1e-40f;
  CHECK(denormal * 0.5f > 0.0f);
}
