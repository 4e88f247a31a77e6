#include <doctest/doctest.h>

#include <cmath>
#include <reprise/optimizers/optimizers.hpp>
#include <string>
#include <vector>

#include "differences.hpp"

namespace {

using reprise::Index;
using reprise::Optimizer;
using reprise::ParameterRange;
using Vector = reprise::Vector<double>;
using State = reprise::OptimizerState<double>;

const std::vector<Index> sizes = {7, 20, 1, 30, 5};
// The second and the third tensor are frozen; the last range is the end of a tensor whose start is frozen.
const std::vector<ParameterRange> trainable = {{0, 7}, {28, 30}, {61, 2}};

reprise::ParameterTable table_of(const std::vector<Index>& tensors) {
  reprise::ParameterTable table;
  for (const Index size : tensors)
    table.add("tensor" + std::to_string(table.entries().size()), size, 1, true);
  return table;
}

Vector wiggle(Index size, double phase) {
  return Vector::NullaryExpr(size,
                             [&](Index i) { return std::sin(12.9898 * static_cast<double>(i) + phase); });
}

/// The values that train, and those that do not, one after the other.
Vector those(const Vector& all, bool that_train) {
  Vector result(all.size());
  Index count = 0;
  for (Index i = 0; i < all.size(); ++i) {
    bool trains = false;
    for (const ParameterRange& range : trainable)
      trains = trains || (i >= range.offset && i < range.offset + range.size);
    if (trains == that_train) result(count++) = all(i);
  }
  return result.head(count);
}

std::vector<Optimizer> optimizers(const reprise::Clip& clip) {
  return {reprise::Adam{.weight_decay = 0.1, .clip = clip},
          reprise::Adam{.convention = reprise::Convention::pytorch, .weight_decay = 0.1, .clip = clip},
          reprise::AdamW{.clip = clip}, reprise::Sgd{.momentum = 0.9, .nesterov = true, .clip = clip},
          reprise::RmsProp{.momentum = 0.9, .centered = true, .clip = clip}};
}

}  // namespace

TEST_CASE("trainable ranges: an update is that of a model which has only these parameters") {
  const auto table = table_of(sizes), part = table_of({7, 30, 2});
  for (const reprise::Clip& clip :
       {reprise::Clip{reprise::NoClip{}}, reprise::Clip{reprise::ClipValue{0.3}},
        reprise::Clip{reprise::ClipNorm{1.1}}, reprise::Clip{reprise::GlobalClipNorm{1.5}}}) {
    for (const Optimizer& optimizer : optimizers(clip)) {
      CAPTURE(clip.index());
      CAPTURE(optimizer.index());
      State state = reprise::initial_state<double>(optimizer, table.size());
      State expected_state = reprise::initial_state<double>(optimizer, part.size());
      Vector parameters = wiggle(table.size(), 0.5);
      const Vector start = parameters;
      Vector expected = those(parameters, true);
      for (int step = 0; step < 4; ++step) {
        Vector gradient = wiggle(table.size(), 1.0 + step);
        Vector expected_gradient = those(gradient, true);
        // Were they counted in a norm, these would leave nothing of the others.
        gradient.segment(7, 21) *= 1e6;
        const Vector untouched = those(gradient, false);
        reprise::apply_update(optimizer, table, state, 0.5, gradient, parameters, trainable);
        reprise::apply_update(optimizer, part, expected_state, 0.5, expected_gradient, expected);
        CHECK(those(gradient, false) == untouched);
        CHECK(test::largest_difference(those(gradient, true), expected_gradient) <= 1e-15);
      }
      CHECK(test::largest_difference(those(parameters, true), expected) <= 1e-15);
      CHECK(test::largest_difference(those(parameters, true), those(start, true)) > 1e-4);
      CHECK(those(parameters, false) == those(start, false));
      CHECK(state.step == 4);
      reprise::detail::for_each_moment(optimizer, state,
                                       [&](const char* prefix, const Vector& moment, double) {
                                         CAPTURE(prefix);
                                         CHECK(those(moment, false).isZero(0.0));
                                         CHECK(test::smallest(those(moment, true).cwiseAbs()) > 0.0);
                                       });
    }
  }
}

TEST_CASE(
    "trainable ranges: all parameters named are the bits of none named, a range of size 0 freezes all") {
  const auto table = table_of(sizes);
  for (const Optimizer& optimizer : optimizers(reprise::GlobalClipNorm{1.5})) {
    State state = reprise::initial_state<double>(optimizer, table.size()), other = state, frozen = state;
    Vector parameters = wiggle(table.size(), 0.5), others = parameters, still = parameters;
    const Vector start = parameters;
    const std::vector<ParameterRange> all = {{0, table.size()}}, none = {{0, 0}};
    for (int step = 0; step < 3; ++step) {
      Vector gradient = wiggle(table.size(), 1.0 + step), same = gradient, unused = gradient;
      reprise::apply_update(optimizer, table, state, 1.0, gradient, parameters);
      reprise::apply_update(optimizer, table, other, 1.0, same, others, all);
      reprise::apply_update(optimizer, table, frozen, 1.0, unused, still, none);
    }
    CHECK(parameters == others);
    CHECK(still == start);
    CHECK(frozen.step == 3);
  }
}

TEST_CASE("trainable ranges: the gradient's norm over them") {
  const Vector gradient = wiggle(63, 0.3);
  CHECK(std::abs(reprise::gradient_norm(gradient, trainable) - those(gradient, true).norm()) <= 1e-15);
  CHECK(reprise::gradient_norm(gradient, std::vector<ParameterRange>{{0, 63}}) ==
        reprise::gradient_norm(gradient));
  Vector broken = gradient;
  broken(8) = std::nan("");  // frozen
  CHECK(std::isfinite(reprise::gradient_norm(broken, trainable)));
}

TEST_CASE("trainable ranges: those that overlap or lie outside are refused") {
  const auto table = table_of(sizes);
  const auto message = [&](const std::vector<ParameterRange>& wrong) -> std::string {
    const Optimizer optimizer = reprise::Sgd{};
    State state = reprise::initial_state<double>(optimizer, table.size());
    Vector gradient = wiggle(table.size(), 0.5), parameters = gradient;
    try {
      reprise::apply_update(optimizer, table, state, 1.0, gradient, parameters, wrong);
    } catch (const reprise::Error& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::string expected =
      "optimizer: trainable: expected ranges in ascending order within 63 parameters, got ";
  CHECK(message({{0, 10}, {9, 3}}) == expected + "3 from 9 on, after 10");
  CHECK(message({{60, 4}}) == expected + "4 from 60 on, after 0");
  CHECK(message({{-1, 4}}) == expected + "4 from -1 on, after 0");
  CHECK(message({{5, -1}}) == expected + "-1 from 5 on, after 0");
  CHECK(message({{0, 10}, {10, 53}}) == "accepted");
}
