// What is not finite is refused, also with -ffast-math and -Ofast, for which no number is NaN or infinite: CI
// compiles this file with that flag too. So the numbers are made from their bits, and asked by them.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <reprise/baselines.hpp>
#include <reprise/reprise.hpp>
#include <reprise/scores/mahalanobis.hpp>

#include "errors.hpp"
#include "training.hpp"

using reprise::Index;
using reprise::Optimizer;
using reprise::detail::is_finite;
using reprise::detail::is_infinite;
using reprise::detail::is_nan;
using test::contains;
using test::error_of;

namespace {

// Volatile, so that the compiler does not see them through.
volatile std::uint64_t bits_of_nan = 0x7ff8000000000000U;
volatile std::uint64_t bits_of_infinity = 0x7ff0000000000000U;
volatile std::uint64_t bits_of_minus_infinity = 0xfff0000000000000U;
double nan() { return std::bit_cast<double>(std::uint64_t{bits_of_nan}); }
double infinity() { return std::bit_cast<double>(std::uint64_t{bits_of_infinity}); }
double minus_infinity() { return std::bit_cast<double>(std::uint64_t{bits_of_minus_infinity}); }

std::vector<double> ramp(std::size_t size) {
  std::vector<double> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<double>(i) / static_cast<double>(size);
  return values;
}
std::vector<double> noise(std::size_t size) {
  std::vector<double> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = std::sin(0.37 * static_cast<double>(i * i));
  return values;
}
std::vector<double> ramp_with(std::size_t size, double value) {
  std::vector<double> values = ramp(size);
  values[size / 2] = value;
  return values;
}

/// Whether `call` throws an error that says "got <value>".
template <typename Call>
bool refuses(const char* value, Call&& call) {
  const std::string message = error_of(call);
  CAPTURE(message);
  CHECK(contains(message, std::string("got ") + value));
  return contains(message, std::string("got ") + value);
}
template <typename Call>
bool refuses_nan(Call&& call) {
  return refuses("nan", call);
}

}  // namespace

TEST_CASE("not finite: what a number is, by its bits") {
  for (const double value :
       {0.0, -0.0, 1.0, -5e-324, std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest()}) {
    CAPTURE(value);
    CHECK(is_finite(value));
    CHECK_FALSE(is_nan(value));
    CHECK_FALSE(is_infinite(value));
  }
  for (const double value : {infinity(), minus_infinity()}) {
    CHECK_FALSE(is_finite(value));
    CHECK_FALSE(is_nan(value));
    CHECK(is_infinite(value));
    const auto narrow = static_cast<float>(value);
    CHECK_FALSE(is_finite(narrow));
    CHECK_FALSE(is_nan(narrow));
    CHECK(is_infinite(narrow));
  }
  CHECK(is_nan(nan()));
  CHECK_FALSE(is_finite(nan()));
  CHECK_FALSE(is_infinite(nan()));
  CHECK(is_nan(static_cast<float>(nan())));
  CHECK_FALSE(is_finite(static_cast<float>(nan())));
  CHECK(is_finite(std::numeric_limits<float>::max()));
  CHECK(is_finite(-1e-45F));
  CHECK(reprise::detail::number_text(nan()) == "nan");
  CHECK(reprise::detail::number_text(infinity()) == "inf");
}

TEST_CASE("not finite: series are refused where they come in") {
  for (const double value : {nan(), infinity(), minus_infinity()}) {
    const char* const text = is_nan(value) ? "nan at step 20"
                             : value > 0   ? "inf at step 20"
                                           : "-inf at step 20";
    const std::vector<double> series = ramp_with(40, value);
    const std::vector<float> floats(series.begin(), series.end());
    CHECK(refuses(text, [&] { static_cast<void>(reprise::sliding_windows(series, {.length = 4})); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::sliding_windows(floats, {.length = 4})); }));
    CHECK(refuses(text, [&] { reprise::StandardScaler().fit(series); }));
    CHECK(refuses(text, [&] { reprise::MinMaxScaler().fit(floats); }));
    CHECK(refuses(text, [&] { reprise::RobustScaler().fit(series); }));
    reprise::StandardScaler scaler;
    scaler.fit(ramp(40));
    CHECK(refuses(text, [&] { static_cast<void>(scaler.transform(series)); }));
    CHECK(refuses(text, [&] { static_cast<void>(scaler.inverse_transform(series)); }));
  }
  const reprise::Autoencoder<float> model(test::small_model(4));
  auto input = model.reconstruct(test::wave_windows(3, 4));
  input(1, 2, 0) = static_cast<float>(nan());
  CHECK(refuses_nan([&] { static_cast<void>(model.reconstruct(input)); }));
  CHECK(refuses_nan([&] { static_cast<void>(model.encode(input)); }));
  CHECK(refuses_nan([&] { static_cast<void>(reprise::ArraySource<float>(input)); }));
}

TEST_CASE("not finite: a fit that explodes is told, and options of a fit are refused") {
  const auto windows = test::wave_windows(40, 6);
  const auto relu = reprise::activation::relu;
  for (const auto& activation : {relu, reprise::activation::tanh, reprise::activation::linear}) {
    reprise::Autoencoder<float> model({.steps = 6,
                                       .encoder = {{.units = 8, .activation = activation}, {.units = 4}},
                                       .decoder = {{.units = 4}, {.units = 8, .activation = activation}}});
    CHECK_THROWS_AS(model.fit(windows, {.epochs = 5,
                                        .batch_size = 8,
                                        .shuffle = false,
                                        .optimizer = reprise::Sgd{.learning_rate = 1e38}}),
                    reprise::NotFiniteError);
    CHECK(reprise::detail::all_finite(model.weights()));
  }
  reprise::Autoencoder<float> model(test::small_model(6));
  const auto fit = [&](reprise::FitOptions options) {
    return [&model, &windows, options] { model.fit(windows, options); };
  };
  CHECK(refuses_nan(fit({.validation_split = nan()})));
  CHECK(refuses_nan(fit({.sample_weights = ramp_with(40, nan())})));
  CHECK(refuses("inf", fit({.sample_weights = ramp_with(40, infinity())})));
  for (const double value : {nan(), infinity()}) {
    const char* const text = is_nan(value) ? "nan" : "inf";
    for (const Optimizer& optimizer :
         {Optimizer(reprise::Adam{.learning_rate = value}), Optimizer(reprise::Adam{.beta_1 = value}),
          Optimizer(reprise::Adam{.epsilon = value}), Optimizer(reprise::AdamW{.weight_decay = value}),
          Optimizer(reprise::Sgd{.momentum = value}), Optimizer(reprise::RmsProp{.rho = value}),
          Optimizer(reprise::Adam{.clip = reprise::GlobalClipNorm{value}}),
          Optimizer(reprise::Adam{.clip = reprise::ClipValue{value}})})
      CHECK(refuses(text, fit({.optimizer = optimizer})));
    CHECK(refuses(text, fit({.loss = reprise::Huber{.delta = value}})));
    CHECK(refuses(text, [&] {
      reprise::Autoencoder<float>(
          {.steps = 4, .encoder = {{.units = 3, .dropout = value}}, .decoder = {{.units = 3}}});
    }));
    CHECK(refuses(text, fit({.callbacks = {[value](reprise::TrainingEvent& event) {
                               if (event.stage == reprise::TrainingStage::epoch_end)
                                 event.scale_learning_rate(value);
                             }}})));
    CHECK(contains(error_of(fit({.callbacks = {[value](reprise::TrainingEvent& event) {
                                   if (event.stage != reprise::TrainingStage::epoch_end) return;
                                   event.set_parameter("output.bias",
                                                       reprise::Matrix<double>::Constant(1, 1, value));
                                 }}})),
                   "finite values"));
  }
  CHECK(refuses_nan(fit({.callbacks = {reprise::ReduceLROnPlateau{.factor = nan()}}})));
  CHECK(reprise::detail::all_finite(model.weights()));
}

TEST_CASE("not finite: callbacks that wait for a better loss see the first one as better than none") {
  const auto windows = test::wave_windows(40, 6);
  reprise::Autoencoder<float> model(test::small_model(6)), other = model;
  // The loss grows: of the first epoch's weights, which are the best, something must be left.
  const reprise::FitOptions options{.epochs = 1, .optimizer = reprise::Sgd{.learning_rate = 1e-3}};
  model.fit(windows, options);
  const auto after_one = model.weights();
  reprise::FitOptions stopping = options;
  stopping.epochs = 8;
  stopping.callbacks = {
      reprise::EarlyStopping{.patience = 2, .min_delta = 1e3, .restore_best_weights = true}};
  const auto history = other.fit(windows, stopping);
  CHECK(history.loss.size() == 3);
  CHECK(test::same_bits(other.weights(), after_one));
}

TEST_CASE("not finite: options of thresholds, scores and rules over streams are refused") {
  namespace threshold = reprise::threshold;
  for (const double value : {nan(), infinity()}) {
    const char* const text = is_nan(value) ? "nan" : "inf";
    CHECK(refuses(text, [&] { static_cast<void>(threshold::mad(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(threshold::iqr(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(threshold::standard_deviations(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(threshold::manual(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(threshold::quantile(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(threshold::contamination(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(threshold::conformal(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(threshold::pot(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(threshold::pot(1e-3, value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::PowerMartingale(value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::Mahalanobis({.ridge = value})); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::Mahalanobis({.shrinkage = value})); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::MinMaxScaler({.zero_scale = value})); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::Spot(ramp(1000), {.risk = value})); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::fit_pot_tail(ramp(1000), value)); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::benjamini_hochberg(ramp(10), value)); }));
    const reprise::Labels labels(std::vector<bool>{false, false, true});
    CHECK(refuses(text, [&] { static_cast<void>(reprise::best_f_beta(ramp(3), labels, value)); }));
  }
  CHECK_FALSE(error_of([] { reprise::MinMaxScaler({.low = nan()}); }) == "nothing thrown");
  CHECK_FALSE(error_of([] { reprise::MinMaxScaler({.high = infinity()}); }) == "nothing thrown");
  CHECK(refuses_nan([] { static_cast<void>(reprise::chi_square_tail(nan(), 3)); }));
}

TEST_CASE("not finite: scores to calibrate on are refused, and of scores a NaN") {
  for (const double value : {nan(), infinity()}) {
    const char* const text = is_nan(value) ? "nan at index 500" : "inf at index 500";
    const std::vector<double> scores = ramp_with(1000, value);
    for (const auto& threshold : {reprise::Threshold(reprise::threshold::mad(3.0)),
                                  reprise::Threshold(reprise::threshold::conformal(0.1)),
                                  reprise::Threshold(reprise::threshold::pot(1e-3))}) {
      CHECK(refuses(text, [&] { reprise::OutlierScorer{threshold}.calibrate(scores); }));
    }
    CHECK(refuses(text, [&] { static_cast<void>(reprise::Spot(scores)); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::Dspot(scores)); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::OnlinePValues(scores)); }));
    CHECK(refuses(text, [&] { static_cast<void>(reprise::fit_pot_tail(scores)); }));
    std::vector<double> excesses(1000, 1.0);
    excesses[500] = value;
    CHECK(refuses(text, [&] { static_cast<void>(reprise::fit_generalized_pareto(excesses)); }));
  }
  reprise::OutlierScorer scorer{reprise::threshold::mad(3.0)};
  scorer.calibrate(ramp(100));
  const std::vector<double> with_nan = ramp_with(100, nan());
  CHECK(refuses_nan([&] { static_cast<void>(scorer.score(with_nan)); }));
  CHECK(scorer.score(ramp_with(100, infinity()))[50].is_outlier);
  CHECK(refuses_nan([&] { static_cast<void>(reprise::p_values(ramp(100), with_nan)); }));
  CHECK(refuses_nan([&] { static_cast<void>(reprise::benjamini_hochberg(with_nan, 0.1)); }));
  const reprise::Labels labels([] {
    std::vector<bool> values(100, false);
    values[99] = true;
    return values;
  }());
  CHECK(refuses_nan([&] { static_cast<void>(reprise::roc_auc(with_nan, labels)); }));
  CHECK(refuses_nan([&] { static_cast<void>(reprise::best_f1(with_nan, labels)); }));
  CHECK(refuses_nan([&] { static_cast<void>(reprise::confusion_table(ramp(100), nan(), labels)); }));
}

TEST_CASE("not finite: rules over streams call a NaN invalid and go on") {
  reprise::Spot spot(ramp(1000), {.risk = 1e-3});
  const double before = spot.threshold();
  CHECK(spot.step(nan()).status == reprise::StreamStatus::invalid);
  CHECK(spot.step(minus_infinity()).status == reprise::StreamStatus::invalid);
  CHECK(spot.threshold() == before);
  CHECK(spot.step(infinity()).status == reprise::StreamStatus::alarm);
  CHECK(spot.step(0.5).status == reprise::StreamStatus::normal);
  reprise::Dspot dspot(noise(1000));
  CHECK(dspot.step(nan()).status == reprise::StreamStatus::invalid);
  reprise::Telemanom telemanom({.window = 50});
  for (int i = 0; i < 60; ++i) telemanom.step(0.1 + 0.01 * std::sin(i));
  CHECK(telemanom.step(nan()).status == reprise::StreamStatus::invalid);
  CHECK(telemanom.step(infinity()).status == reprise::StreamStatus::invalid);
  reprise::SpotState state = spot.state();
  state.threshold = nan();
  CHECK_FALSE(error_of([&] { static_cast<void>(reprise::Spot(state)); }) == "nothing thrown");
  state = spot.state();
  state.limits[0] = nan();
  CHECK_FALSE(error_of([&] { static_cast<void>(reprise::Spot(state)); }) == "nothing thrown");
  state = spot.state();
  state.tail.beyond.shape = nan();
  CHECK_FALSE(error_of([&] { static_cast<void>(reprise::Spot(state)); }) == "nothing thrown");
}

TEST_CASE("not finite: errors of a reconstruction that is NaN are refused by their place") {
  const auto windows = test::wave_windows(30, 4, 2);
  reprise::Autoencoder<double> model(test::small_model(4, 2));
  auto reconstruction = model.reconstruct(windows);
  reconstruction(7, 2, 1) = nan();
  CHECK(refuses_nan([&] { static_cast<void>(reprise::mean_squared_errors(windows, reconstruction)); }));
  CHECK(refuses_nan([&] { static_cast<void>(reprise::window_scores(windows, reconstruction)); }));
  CHECK(refuses_nan([&] { static_cast<void>(reprise::explain(windows, reconstruction, 7, {1.0, 1.0})); }));
  reconstruction(7, 2, 1) = 0.0;
  CHECK(refuses_nan([&] { static_cast<void>(reprise::explain(windows, reconstruction, 7, {1.0, nan()})); }));
  reprise::Matrix<double> errors = test::wave(50, 2);
  errors(3, 1) = nan();
  CHECK(refuses_nan([&] { reprise::Mahalanobis().fit(errors); }));
  reprise::Mahalanobis mahalanobis;
  mahalanobis.fit(test::wave(50, 2));
  CHECK(refuses_nan([&] { static_cast<void>(mahalanobis.scores(errors)); }));
}
