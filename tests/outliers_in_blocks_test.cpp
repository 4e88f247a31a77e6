#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <reprise/models/autoencoder.hpp>
#include <reprise/scores/in_blocks.hpp>
#include <string>
#include <vector>

#include "errors.hpp"
#include "training.hpp"

namespace {

using namespace reprise;
using test::contains;
using test::error_of;

/// A reconstruction that differs from window to window and from step to step.
Sequences<float> crooked(const Windows& windows) {
  Sequences<float> y({.samples = windows.size(), .steps = windows.length(), .features = windows.features()});
  for (Index w = 0; w < windows.size(); ++w) {
    for (Index t = 0; t < windows.length(); ++t) {
      const auto place = static_cast<double>(windows.start(w) * 7919 % 101 + 3 * t % 5);
      for (Index f = 0; f < windows.features(); ++f) {
        y(w, t, f) = static_cast<float>(0.9 * windows(w, t, f) + 0.013 * place);
      }
    }
  }
  return y;
}

Windows two_features(Index steps, const WindowOptions& options) {
  Matrix<double> values(steps, 2);
  for (Index i = 0; i < steps; ++i) values.row(i) << std::sin(0.7 * double(i)), std::cos(0.4 * double(i));
  return sliding_windows(values, options);
}

const Aggregate over_windows[] = {Aggregate::mean, Aggregate::median, Aggregate::max, Aggregate::min};

}  // namespace

TEST_CASE("scores in blocks: the same bits as all at once, in both orders") {
  for (const Index stride : {1, 3, 7}) {
    for (const bool tail : {false, true}) {
      const Windows windows =
          two_features(75, {.length = 7, .stride = stride, .tail_window = tail});  // 7 and 3 leave a tail
      const auto whole = crooked(windows);
      for (const ErrorMeasure measure : {ErrorMeasure::squared, ErrorMeasure::absolute}) {
        for (const Aggregate inner : {Aggregate::mean, Aggregate::median, Aggregate::max}) {
          const ScoreOptions errors{.measure = measure, .aggregate = inner};
          const auto by_window = window_scores(windows, whole, errors);
          const auto by_step = step_scores(windows, whole, errors);
          for (const Index block : {1, 2, 5, 64, 1000}) {
            CAPTURE(stride);
            CAPTURE(tail);
            CAPTURE(block);
            CHECK(window_scores_in_blocks(windows, crooked, errors, block) == by_window);
            for (const Aggregate over : over_windows) {
              PointScoreOptions options{.over_windows = over, .errors = errors, .block = block};
              CHECK(point_scores_in_blocks(windows, crooked, options) ==
                    point_scores(windows, by_window, over));
              options.order = PointOrder::point_first;
              CHECK(point_scores_in_blocks(windows, crooked, options) ==
                    point_scores(windows, by_step, over));
            }
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("scores in blocks: of a model, at the default size of a block", Scalar, float, double) {
  const Windows windows = test::wave_windows(700, 4);
  const Autoencoder<Scalar> model({.steps = 4, .encoder = {{.units = 5}}, .decoder = {{.units = 5}}});
  const auto whole = model.reconstruct(windows);
  CHECK(window_scores_in_blocks(windows, model) == window_scores(windows, whole));
  CHECK(point_scores_in_blocks(windows, model, {.order = PointOrder::point_first}) ==
        point_scores(windows, step_scores(windows, whole), Aggregate::max));
}

TEST_CASE("scores in blocks: never more windows at once than a block") {
  const Windows windows = two_features(200, {.length = 6});
  std::vector<Index> sizes;
  const auto reconstruct = [&](const Windows& part) {
    sizes.push_back(part.size());
    return crooked(part);
  };
  static_cast<void>(
      point_scores_in_blocks(windows, reconstruct, {.order = PointOrder::point_first, .block = 80}));
  CHECK(sizes == std::vector<Index>{80, 80, 35});
}

TEST_CASE("scores in blocks: wrong use") {
  const Windows windows = two_features(30, {.length = 6});
  CHECK(contains(error_of([&] { return point_scores_in_blocks(windows, crooked, {.block = 0}); }),
                 "block > 0"));
  for (const PointOrder order : {PointOrder::window_first, PointOrder::point_first}) {
    CHECK(contains(error_of([&] {
                     return point_scores_in_blocks(windows, crooked,
                                                   {.order = order, .over_windows = Aggregate::sum});
                   }),
                   "mean, median, max or min over the windows"));
    const auto too_few = [](const Windows& part) {
      return Sequences<double>({.samples = part.size() - 1, .steps = 6, .features = 2});
    };
    CHECK(contains(error_of([&] { return point_scores_in_blocks(windows, too_few, {.order = order}); }),
                   "a reconstruction of 25 windows"));
    const auto nan = [](const Windows& part) {
      auto y = crooked(part);
      if (part.start(0) <= 13 && 13 < part.start(0) + part.size())
        y(13 - part.start(0), 2, 1) = std::numeric_limits<float>::quiet_NaN();
      return y;
    };
    const auto message =
        error_of([&] { return point_scores_in_blocks(windows, nan, {.order = order, .block = 10}); });
    CHECK(contains(message, "windows 10 to 19: "));
    CHECK(contains(message, "window 3, step 2, feature 1"));
  }
  const Windows gaps = two_features(30, {.length = 3, .stride = 5});
  CHECK(contains(error_of([&] { return point_scores_in_blocks(gaps, crooked); }), "stride <= length"));
}
