#include <doctest/doctest.h>

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::ArraySource;
using reprise::FitOptions;
using reprise::History;
using reprise::Index;
using reprise::JoinedWindows;
using reprise::Sequences;
using reprise::SequenceShape;
using reprise::SequenceView;
using reprise::Sequential;
using reprise::sliding_windows;
using reprise::Source;
using reprise::Trainer;
using reprise::TrainingState;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::error_of;
using test::same_bits;

namespace {

/// A source of a user's: the target of each step is the mean of the inputs so far.
struct RunningMean {
  Index count = 60;

  Index size() const { return count; }
  SequenceShape input_shape() const { return {.steps = 5, .features = 2}; }
  SequenceShape target_shape() const { return {.steps = 5, .features = 1}; }
  static double input(Index sample, Index step, Index feature) {
    return std::sin(static_cast<double>(3 * sample + 7 * step + 5 * feature));
  }
  template <typename Scalar>
  void gather(std::span<const Index> samples, SequenceView<Scalar> inputs,
              SequenceView<Scalar> targets) const {
    for (std::size_t b = 0; b < samples.size(); ++b) {
      double sum = 0;
      for (Index t = 0; t < 5; ++t) {
        for (Index f = 0; f < 2; ++f) {
          const double value = input(samples[b], t, f);
          sum += value;
          inputs.step_data(t)[static_cast<Index>(b) * 2 + f] = static_cast<Scalar>(value);
        }
        targets.step_data(t)[b] = static_cast<Scalar>(sum / static_cast<double>(2 * t + 2));
      }
    }
  }
};
static_assert(reprise::DataSource<RunningMean>);
static_assert(reprise::DataSource<Windows>);
static_assert(reprise::DataSource<JoinedWindows>);
static_assert(reprise::DataSource<ArraySource<float>>);
static_assert(!std::is_convertible_v<int, Source>);
static_assert(!std::is_convertible_v<std::optional<Windows>, Source>);

/// A network that is no autoencoder, with all that training it takes.
template <typename Scalar>
struct Chain {
  Sequential<Scalar> network;
  Vector<Scalar> parameters;
  TrainingState<Scalar> state{};

  explicit Chain(double dropout = 0.0) : network({.steps = 5, .features = 2}) {
    network.add("lstm", reprise::Lstm<Scalar>(2, {.units = 6, .return_sequences = true, .dropout = dropout}));
    network.add("output", reprise::TimeDistributed<Scalar>(6, {.units = 1}));
    parameters.resize(network.parameters().size());
    network.initialize(parameters.data(), 1);
  }
  History fit(const Source& source, FitOptions options) {
    return Trainer<Scalar>(network, parameters, state).fit(source, std::move(options));
  }
  double evaluate(const Source& source, const reprise::EvaluateOptions& options = {}) {
    return Trainer<Scalar>(network, parameters, state).evaluate(source, options);
  }
};

/// The user's source as arrays.
template <typename Scalar>
std::pair<Sequences<Scalar>, Sequences<Scalar>> arrays_of(const Source& source) {
  Sequences<Scalar> x(source.input_shape().batch(source.size()));
  Sequences<Scalar> y(source.target_shape().batch(source.size()));
  source.gather<Scalar>(test::numbers(0, source.size()), x.view(), y.view());
  return {std::move(x), std::move(y)};
}

FitOptions options(Index epochs) {
  return {.epochs = epochs,
          .batch_size = 16,
          .validation_split = 0.2,
          .sample_weights = std::vector<double>(60, 0.5),
          .optimizer = reprise::Adam{.learning_rate = 0.02}};
}

}  // namespace

TEST_CASE_TEMPLATE("source: a chain learns the targets of a user's source", Scalar, float, double) {
  Chain<Scalar> chain;
  const RunningMean source;
  const double before = chain.evaluate(source);
  const History history =
      chain.fit(source, {.epochs = 80, .optimizer = reprise::Adam{.learning_rate = 0.02}});
  CHECK(chain.evaluate(source) < 0.05 * before);
  CHECK(history.loss.back() < 0.1 * history.loss.front());
}

TEST_CASE_TEMPLATE("source: fit(10) and fit(20) are fit(30), for any number of threads", Scalar, float,
                   double) {
  const RunningMean source;
  Chain<Scalar> whole(0.2), parts(0.2);
  const History all = whole.fit(source, options(30));
  parts.fit(source, options(10));
  FitOptions threads = options(20);
  threads.threads = 3;
  const History rest = parts.fit(source, threads);
  CHECK(same_bits(parts.parameters, whole.parameters));
  CHECK(same_bits(parts.state.moments, whole.state.moments));
  CHECK(std::vector<double>(all.loss.begin() + 10, all.loss.end()) == rest.loss);
  CHECK(std::vector<double>(all.validation_loss.begin() + 10, all.validation_loss.end()) ==
        rest.validation_loss);
}

TEST_CASE("source: arrays give the bits of the source that they were copied from") {
  const RunningMean source;
  const auto [x, y] = arrays_of<double>(source);
  Chain<double> direct, copied;
  const History a = direct.fit(source, options(5));
  const History b = copied.fit(ArraySource(x, y), options(5));
  CHECK(same_bits(direct.parameters, copied.parameters));
  CHECK(a.validation_loss == b.validation_loss);

  // By hand: the mean squared error of the last fifth, times its weight.
  Sequences<double> predicted({.samples = 60, .steps = 5, .features = 1});
  reprise::SequentialScratch<double> scratch;
  direct.network.infer(direct.parameters.data(), x.view(), predicted.view(), 0, 2, scratch);
  double sum = 0;
  for (Index i = 48; i < 60; ++i) {
    for (Index t = 0; t < 5; ++t) sum += std::pow(predicted(i, t, 0) - y(i, t, 0), 2) * 0.5;
  }
  CHECK(a.validation_loss.back() == doctest::Approx(sum / 60).epsilon(1e-12));
}

TEST_CASE("source: arrays without targets are reproduced, of either scalar") {
  const auto windows = test::wave_windows(40, 5, 2);
  Sequences<float> x({.samples = 40, .steps = 5, .features = 2});
  windows.gather<float>(test::numbers(0, 40), x.view());
  const reprise::Autoencoder<float> start(test::small_model(5, 2));
  auto a = start, b = start;
  a.fit(windows, {.epochs = 3});
  b.fit(ArraySource(x), {.epochs = 3});
  CHECK(same_bits(a.weights(), b.weights()));
  CHECK(a.evaluate(windows) == b.evaluate(ArraySource(x)));
  CHECK(same_bits(a.reconstruct(windows).values(), b.reconstruct(ArraySource(x)).values()));
  reprise::Autoencoder<double> of_doubles(test::small_model(5, 2));
  CHECK(of_doubles.fit(ArraySource(x), {}).loss.size() == 1);
}

TEST_CASE("source: windows over several series never straddle a joint") {
  const std::vector<double> first = {1, 2, 3, 4, 5}, second = {10, 20, 30}, third = {100, 200, 300, 400};
  for (const Index horizon : {0, 1}) {
    CAPTURE(horizon);
    const JoinedWindows joined = reprise::joined_windows<std::vector<double>>(
        {first, second, third}, {.length = 2, .horizon = horizon});
    const Source source = joined;
    const std::vector<std::vector<double>> windows =
        horizon == 0 ? std::vector<std::vector<double>>{{1, 2},   {2, 3},     {3, 4},     {4, 5},    {10, 20},
                                                        {20, 30}, {100, 200}, {200, 300}, {300, 400}}
                     : std::vector<std::vector<double>>{{1, 2, 3},    {2, 3, 4},       {3, 4, 5},
                                                        {10, 20, 30}, {100, 200, 300}, {200, 300, 400}};
    REQUIRE(source.size() == static_cast<Index>(windows.size()));
    CHECK(source.target_shape() == SequenceShape{.steps = horizon == 0 ? 2 : 1, .features = 1});
    // All at once, and in another order.
    std::vector<Index> numbers = test::numbers(0, source.size());
    std::swap(numbers.front(), numbers.back());
    Sequences<float> x({.samples = source.size(), .steps = 2, .features = 1}),
        y({.samples = source.size(), .steps = source.target_shape().steps, .features = 1});
    source.gather<float>(numbers, x.view(), y.view());
    for (Index b = 0; b < source.size(); ++b) {
      const auto& window = windows[static_cast<std::size_t>(numbers[static_cast<std::size_t>(b)])];
      for (Index t = 0; t < 2; ++t)
        CHECK(x(b, t, 0) == static_cast<float>(window[static_cast<std::size_t>(t)]));
      if (horizon > 0) CHECK(y(b, 0, 0) == static_cast<float>(window[2]));
    }
  }
}

TEST_CASE("source: joined windows of one series give that series' bits, and patches are padded") {
  const auto series = test::wave(60, 2);
  const reprise::WindowOptions options{.length = 8, .stride = 2, .patch = 3};
  const Windows plain = sliding_windows(series, options);
  const JoinedWindows joined = reprise::joined_windows<reprise::Matrix<double>>({series}, options);
  const reprise::Autoencoder<float> start(test::small_model(3, 6));
  auto a = start, b = start;
  a.fit(plain, {.epochs = 2, .batch_size = 7});
  b.fit(joined, {.epochs = 2, .batch_size = 7});
  CHECK(same_bits(a.weights(), b.weights()));
  CHECK(same_bits(a.reconstruct(plain).values(), b.reconstruct(joined).values()));
  CHECK(a.evaluate(plain) == b.evaluate(joined));
}

TEST_CASE("source: joined windows that do not go together are refused") {
  const auto message = [](std::vector<Windows> parts) {
    return error_of([&] { JoinedWindows joined(std::move(parts)); });
  };
  const std::vector<double> series(20, 1.0);
  CHECK(contains(message({}), "joined windows: expected windows over at least one series, got none"));
  CHECK(contains(message({sliding_windows(series, {.length = 3}), sliding_windows(series, {.length = 4})}),
                 "joined windows: series 1: expected windows of length 3, got 4"));
  CHECK(contains(
      message({sliding_windows(series, {.length = 4}), sliding_windows(series, {.length = 4, .horizon = 1})}),
      "series 1: expected a horizon of 0, got 1"));
  CHECK(contains(
      message({sliding_windows(series, {.length = 4}), sliding_windows(series, {.length = 4, .patch = 2})}),
      "series 1: expected windows with patches of 1, got 2"));
  CHECK(contains(
      message({sliding_windows(series, {.length = 4}), sliding_windows(test::wave(9, 2), {.length = 4})}),
      "series 1: expected a number of features of 1, got 2"));
  CHECK(contains(error_of([&] {
                   return reprise::joined_windows<std::vector<double>>({series, {1, 2}}, {.length = 3});
                 }),
                 "series 1: sliding_windows: expected a series of at least 3 steps, got 2 steps"));
}

TEST_CASE("source: shapes and samples that do not fit are refused by name") {
  Chain<float> chain;
  const auto message = [&](const Source& source, FitOptions options = {}) {
    return error_of([&] { chain.fit(source, std::move(options)); });
  };
  const RunningMean good;
  CHECK(contains(message(test::wave_windows(9, 5)),
                 "fit: windows: expected 5 steps x 2 features, got 5 steps x 1"));
  CHECK(contains(message(test::wave_windows(9, 5, 2)),
                 "fit: windows: targets: expected 5 steps x 1 features, got 5 steps x 2 features"));
  CHECK(contains(message(RunningMean{.count = 0}), "fit: samples: expected at least one sample, got 0"));
  CHECK(contains(message(good, {.validation_data = test::wave_windows(9, 5)}),
                 "fit: validation_data: expected"));
  CHECK(contains(message(good, {.sample_weights = {1, 2}}), "60 sample_weights, one for each sample, got 2"));
  CHECK(contains(error_of([&] { chain.evaluate(test::wave_windows(9, 4)); }), "evaluate: windows: expected"));
  Vector<float> few(3);
  CHECK(contains(error_of([&] { Trainer<float>(chain.network, few, chain.state).fit(good); }),
                 "fit: parameters: expected"));
  const Sequences<float> x({.samples = 3, .steps = 5, .features = 2}),
      y({.samples = 4, .steps = 5, .features = 1});
  CHECK(contains(error_of([&] { ArraySource(x, y); }),
                 "array source: expected a target for each of 3 samples"));
}

TEST_CASE("source: a validation source of another kind, and what it was made from") {
  Chain<double> chain;
  const RunningMean source;
  const auto [x, y] = arrays_of<double>(RunningMean{.count = 7});
  const History history = chain.fit(source, {.epochs = 2, .validation_data = ArraySource(x, y)});
  CHECK(history.validation_loss.back() == doctest::Approx(chain.evaluate(ArraySource(x, y))).epsilon(1e-12));
  const Source copy = Source(source);
  REQUIRE(copy.get_if<RunningMean>() != nullptr);
  CHECK(copy.get_if<RunningMean>()->count == 60);
  CHECK(copy.get_if<Windows>() == nullptr);
}
