#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::Adam;
using reprise::Autoencoder;
using reprise::FitOptions;
using reprise::History;
using reprise::Index;
using reprise::Sgd;
using reprise::TrainingEvent;
using reprise::TrainingStage;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::many_features;
using test::same_bits;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

std::vector<double> joined(std::vector<double> a, const std::vector<double>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Trains nothing, so that every loss is one of the initial parameters.
const Sgd no_learning{.learning_rate = 0.0};

/// Mean squared error of one window, by plain loops.
template <typename Scalar>
double window_loss(const Autoencoder<Scalar>& model, const Windows& windows, Index window) {
  const auto output = model.reconstruct(windows.subset(window, 1));
  double sum = 0.0;
  for (Index t = 0; t < windows.length(); ++t) {
    for (Index f = 0; f < windows.features(); ++f) {
      const double e = static_cast<double>(output(0, t, f)) - windows(window, t, f);
      sum += e * e;
    }
  }
  return sum / static_cast<double>(windows.length() * windows.features());
}

double relative(double a, double b) { return std::abs(a - b) / std::abs(b); }

}  // namespace

TEST_CASE_TEMPLATE("fit: 10 epochs and then 20 give the bits of 30 epochs", Scalar, float, double) {
  const Windows windows = test::wave_windows(45, 5, 2);  // 36 to train on: 4 batches of 8 and one of 4
  Autoencoder<Scalar> whole(test::small_model_with_dropout(5, 2)), parts = whole;
  const Vector<Scalar> initial = whole.weights();

  const History all = whole.fit(windows, many_features(30));
  const History first = parts.fit(windows, many_features(10));
  Autoencoder<Scalar> copy = parts;
  const History second = parts.fit(windows, many_features(20));
  CHECK(same_bits(parts.weights(), whole.weights()));
  CHECK(same_bits(parts.training_state().moments, whole.training_state().moments));
  CHECK(parts.training_state().epochs == 30);
  CHECK(joined(first.loss, second.loss) == all.loss);
  CHECK(joined(first.validation_loss, second.validation_loss) == all.validation_loss);
  CHECK(joined(first.learning_rate, second.learning_rate) == all.learning_rate);
  CHECK(all.loss.size() == 30);

  SUBCASE("a copy goes on in the same way") {
    copy.fit(windows, many_features(20));
    CHECK(same_bits(copy.weights(), whole.weights()));
  }
  SUBCASE("all that could lose its place changes the result") {
    for (int change = 0; change < 5; ++change) {
      CAPTURE(change);
      FitOptions other = many_features(30);
      auto& adam = std::get<Adam>(other.optimizer);
      if (change == 0) other.seed = 4;
      if (change == 1) other.shuffle = false;
      if (change == 2) adam.learning_rate = 0.02;
      if (change == 3) adam.clip = reprise::NoClip{};
      Autoencoder<Scalar> model(change == 4 ? test::small_model(5, 2) : test::small_model_with_dropout(5, 2));
      REQUIRE(same_bits(model.weights(), initial));
      model.fit(windows, other);
      CHECK_FALSE(same_bits(model.weights(), whole.weights()));
    }
  }
}

TEST_CASE("fit: the same seed gives the same bits, another seed others") {
  const Windows windows = test::wave_windows(30, 4);
  const FitOptions options{.epochs = 3, .batch_size = 7};
  for (const bool dropout : {false, true}) {
    CAPTURE(dropout);
    const auto trained = [&](std::uint64_t seed, bool shuffle) {
      Autoencoder<float> model(dropout ? test::small_model_with_dropout(4) : test::small_model(4));
      FitOptions with_seed = options;
      with_seed.seed = seed;
      with_seed.shuffle = shuffle;
      model.fit(windows, with_seed);
      return model.weights();
    };
    CHECK(same_bits(trained(1, true), trained(1, true)));
    CHECK_FALSE(same_bits(trained(1, true), trained(2, true)));
    CHECK_FALSE(same_bits(trained(1, true), trained(1, false)));
    // Without shuffling, the seed is that of dropout alone.
    CHECK(same_bits(trained(1, false), trained(2, false)) != dropout);
  }
}

TEST_CASE("fit: every epoch has an order of its own") {
  const Windows windows = test::wave_windows(30, 4);
  const Autoencoder<double> model(test::small_model(4));
  std::vector<double> first_batches;
  FitOptions options{.epochs = 5, .batch_size = 6, .optimizer = no_learning};
  options.callbacks = {[&](TrainingEvent& event) {
    if (event.stage == TrainingStage::batch_end && event.batch == 1) first_batches.push_back(event.loss);
  }};
  Autoencoder<double>(model).fit(windows, options);
  REQUIRE(first_batches.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < i; ++j) CHECK(first_batches[i] != first_batches[j]);
  }
  options.shuffle = false;
  first_batches.clear();
  Autoencoder<double>(model).fit(windows, options);
  CHECK(first_batches == std::vector<double>(5, first_batches.at(0)));
}

TEST_CASE("fit: moments go on with another rate, schedule or clip, and whatever else does not shape them") {
  const Windows windows = test::wave_windows(20, 4);
  const auto check = [&](const reprise::Optimizer& first, const reprise::Optimizer& second) {
    CAPTURE(reprise::options_text(second));
    Autoencoder<double> model(test::small_model_with_dropout(4));
    test::Steps<double> steps(model, first);
    const FitOptions options{.epochs = 2, .batch_size = 8, .optimizer = first};
    model.fit(windows, options);
    const auto before = model.training_state();

    // By hand: the same moments and numbers of updates, the order of the third epoch, the new options.
    steps.theta = model.weights();
    steps.state = before.moments;
    steps.state.schedule_start = 6;
    steps.optimizer = second;
    std::vector<Index> order = test::numbers(0, 20);
    reprise::RandomStream random(1, reprise::Purpose::shuffle, 2);
    reprise::detail::shuffle(order, random);
    for (std::size_t at = 0; at < 20; at += 8) {
      steps.loss(windows, std::span(order).subspan(at, std::min<std::size_t>(8, 20 - at)));
      steps.update();
    }
    FitOptions more = options;
    more.epochs = 1;
    more.optimizer = second;
    model.fit(windows, more);
    CHECK(model.training_state().epochs == 3);
    CHECK(model.training_state().optimizer == second);
    CHECK(same_bits(model.weights(), steps.theta));
    CHECK(same_bits(model.training_state().moments, steps.state));
  };
  const reprise::ExponentialDecay schedule{
      .initial_learning_rate = 0.02, .decay_steps = 2, .decay_rate = 0.5};
  const auto pytorch = reprise::Convention::pytorch;
  check(Adam{.learning_rate = 0.01}, Adam{.learning_rate = 0.001});
  check(Adam{.learning_rate = 0.01}, Adam{.learning_rate = schedule, .clip = reprise::ClipNorm{0.1}});
  check(Adam{.learning_rate = schedule}, Adam{.learning_rate = 0.01, .epsilon = 1e-3, .weight_decay = 0.1});
  check(reprise::AdamW{}, reprise::AdamW{.learning_rate = 0.02, .weight_decay = 0.1});
  check(Sgd{.momentum = 0.9}, Sgd{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true});
  check(reprise::RmsProp{.convention = pytorch, .momentum = 0.5, .centered = true},
        reprise::RmsProp{
            .convention = pytorch, .learning_rate = 0.1, .momentum = 0.5, .epsilon = 1e-3, .centered = true});
}

TEST_CASE("fit: a new rate undoes what callbacks made of the old one, and its schedule begins then") {
  const Windows windows = test::wave_windows(16, 4);
  Autoencoder<float> model(test::small_model(4));
  FitOptions options{.epochs = 2, .batch_size = 8, .optimizer = Adam{.learning_rate = 0.01}};
  options.callbacks = {[](TrainingEvent& event) {
    if (event.stage == TrainingStage::epoch_end) event.scale_learning_rate(0.5);
  }};
  model.fit(windows, options);
  options.callbacks.clear();
  const auto rates = [&](const Adam& adam) {
    options.optimizer = adam;
    return model.fit(windows, options).learning_rate;
  };
  // The same rate, and one with another clip, stay reduced.
  CHECK(rates({.learning_rate = 0.01}) == std::vector<double>{0.0025, 0.0025});
  CHECK(rates({.learning_rate = 0.01, .clip = reprise::ClipValue{}}) == std::vector<double>{0.0025, 0.0025});
  CHECK(rates({.learning_rate = 0.25}) == std::vector<double>{0.25, 0.25});
  const reprise::ExponentialDecay halving{.initial_learning_rate = 8, .decay_steps = 2, .decay_rate = 0.5};
  CHECK(rates({.learning_rate = halving}) == std::vector<double>{4, 2});
  CHECK(rates({.learning_rate = halving}) == std::vector<double>{1, 0.5});  // goes on
  CHECK(rates({.learning_rate = 0.5}) == std::vector<double>{0.5, 0.5});
  CHECK(rates({.learning_rate = halving}) == std::vector<double>{4, 2});
  CHECK(model.training_state().moments.step == 8 * 4);
}

TEST_CASE("fit: another kind of optimizer, or options that shape its moments, start anew") {
  const Windows windows = test::wave_windows(20, 4);
  const FitOptions first{.epochs = 2, .batch_size = 8, .optimizer = Adam{.learning_rate = 0.01}};
  Autoencoder<float> model(test::small_model(4));
  model.fit(windows, first);
  CHECK(model.training_state().moments.step == 6);

  for (const reprise::Optimizer& optimizer :
       {reprise::Optimizer(Adam{.learning_rate = 0.01, .beta_1 = 0.8}),
        reprise::Optimizer(Adam{.learning_rate = 0.01, .beta_2 = 0.99}),
        reprise::Optimizer(Adam{.convention = reprise::Convention::pytorch, .learning_rate = 0.01}),
        reprise::Optimizer(reprise::AdamW{.learning_rate = 0.01}), reprise::Optimizer(reprise::RmsProp{}),
        reprise::Optimizer(Sgd{.learning_rate = 0.01, .momentum = 0.9})}) {
    CAPTURE(reprise::options_text(optimizer));
    FitOptions second = first;
    second.epochs = 1;
    second.optimizer = optimizer;
    Autoencoder<float> went_on = model;
    went_on.fit(windows, second);
    CHECK(went_on.training_state().moments.step == 3);
    CHECK(went_on.training_state().epochs == 1);
    CHECK(went_on.training_state().optimizer == optimizer);

    Autoencoder<float> fresh(test::small_model(4));
    fresh.set_weights(model.weights());
    fresh.fit(windows, second);
    CHECK(same_bits(went_on.weights(), fresh.weights()));
  }
}

TEST_CASE("fit: one step of Adam a batch, in the order of the windows without shuffling") {
  const Windows windows = test::wave_windows(10, 4);
  const Adam adam{.learning_rate = 0.01};
  Autoencoder<double> model(test::small_model(4));
  test::Steps<double> steps(model, adam);
  Vector<double> theta = model.weights(), m = Vector<double>::Zero(theta.size()), v = m;
  const FitOptions options{.epochs = 2, .batch_size = 4, .shuffle = false, .optimizer = adam};
  model.fit(windows, options);

  // The equations of Adam by hand; t is the number of the batch, whatever the number of tensors.
  int t = 0;
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (Index first = 0; first < 10; first += 4) {
      ++t;
      steps.theta = theta;
      steps.loss(windows, test::numbers(first, std::min<Index>(4, 10 - first)));
      for (Index i = 0; i < theta.size(); ++i) {
        const double g = steps.gradient(i);
        m(i) = 0.9 * m(i) + (1 - 0.9) * g;
        v(i) = 0.999 * v(i) + (1 - 0.999) * g * g;
        const double rate = 0.01 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
        theta(i) -= rate * m(i) / (std::sqrt(v(i)) + 1e-7);
      }
    }
  }
  CHECK(test::relative_difference(model.weights(), theta) < 1e-12);
  CHECK(model.training_state().moments.step == 6);
}

TEST_CASE("fit: learns") {
  const Windows windows = test::wave_windows(60, 6);
  Autoencoder<float> model({.steps = 6, .encoder = {{.units = 16}}, .decoder = {{.units = 16}}});
  const double before = model.evaluate(windows);
  const History history = model.fit(windows, {.epochs = 100, .optimizer = Adam{.learning_rate = 0.01}});
  CHECK(model.evaluate(windows) < 0.2 * before);
  CHECK(history.loss.back() < 0.2 * history.loss.front());
  CHECK(history.validation_loss.empty());
}

TEST_CASE("fit: an epoch's loss is the mean over the samples, not over the batches") {
  const Windows windows = test::wave_windows(10, 4);
  Autoencoder<double> model(test::small_model(4));
  const History history = model.fit(windows, {.batch_size = 4, .shuffle = false, .optimizer = no_learning});
  double mean = 0.0, batch_means = 0.0;
  for (Index i = 0; i < 10; ++i) {
    const double loss = window_loss(model, windows, i);
    mean += loss / 10;
    batch_means += loss / (i < 8 ? 4 : 2) / 3;
  }
  REQUIRE(relative(batch_means, mean) > 1e-3);
  REQUIRE(history.loss.size() == 1);
  CHECK(relative(history.loss[0], mean) < 1e-12);
  CHECK(relative(model.evaluate(windows, {.batch_size = 4}), mean) < 1e-12);
  CHECK(relative(model.evaluate(windows), mean) < 1e-12);
}

TEST_CASE(
    "fit: a validation split is what is left after the first floor(n (1 - split)) windows, before "
    "shuffling") {
  struct Case {
    Index windows;
    double split;
    Index train;
  };
  for (const Case& c :
       {Case{10, 0.1, 9}, Case{10, 0.25, 7}, Case{91, 0.1, 81}, Case{3, 0.5, 1}, Case{2, 0.5, 1}}) {
    CAPTURE(c.windows);
    CAPTURE(c.split);
    Index batches = 0;
    FitOptions options{.batch_size = 1, .validation_split = c.split};
    options.callbacks = {[&](TrainingEvent& event) { batches = event.batches; }};
    Autoencoder<float>(test::small_model(3)).fit(test::wave_windows(c.windows, 3), options);
    CHECK(batches == c.train);
  }

  const Windows windows = test::wave_windows(10, 4);
  const Autoencoder<double> start(test::small_model(4));
  Autoencoder<double> split = start, given = start;
  const FitOptions options{.epochs = 3, .batch_size = 4};
  FitOptions with_split = options, with_data = options;
  with_split.validation_split = 0.3;
  with_data.validation_data = windows.subset(7, 3);
  const History a = split.fit(windows, with_split);
  const History b = given.fit(windows.subset(0, 7), with_data);
  CHECK(same_bits(split.weights(), given.weights()));
  CHECK(a.loss == b.loss);
  REQUIRE(a.validation_loss.size() == 3);
  for (std::size_t epoch = 0; epoch < 3; ++epoch) {
    CHECK(relative(a.validation_loss[epoch], b.validation_loss[epoch]) < 1e-14);
  }
  const double last =
      (window_loss(split, windows, 7) + window_loss(split, windows, 8) + window_loss(split, windows, 9)) / 3;
  CHECK(relative(a.validation_loss.back(), last) < 1e-12);
  CHECK(relative(split.evaluate(windows.subset(7, 3)), last) < 1e-12);
  REQUIRE(relative(a.validation_loss[0], last) > 1e-4);  // it is taken after each epoch
}

TEST_CASE("fit: a validation loss is computed without dropout and does not disturb the training") {
  const Windows windows = test::wave_windows(24, 4);
  const Autoencoder<double> start(test::small_model_with_dropout(4));
  Autoencoder<double> plain = start, validated = start;
  FitOptions options{.epochs = 2, .batch_size = 5};
  plain.fit(windows, options);
  options.validation_data = test::wave_windows(40, 4).subset(24, 16);
  const History history = validated.fit(windows, options);
  CHECK(same_bits(plain.weights(), validated.weights()));
  CHECK(relative(history.validation_loss.back(), validated.evaluate(*options.validation_data)) < 1e-12);
}

TEST_CASE("fit: sample weights multiply each window's loss, and the count divides") {
  const Windows windows = test::wave_windows(10, 4);
  const Autoencoder<double> model(test::small_model(4));
  const std::vector<double> weights = {0.5, 2, 0, 1, 3, 1, 0.25, 1, 4, 0};
  const auto weighted_mean = [&](Index first, Index count) {
    double sum = 0.0;
    for (Index i = first; i < first + count; ++i) {
      sum += weights[static_cast<std::size_t>(i)] * window_loss(model, windows, i);
    }
    return sum / static_cast<double>(count);
  };
  FitOptions options{.batch_size = 4, .sample_weights = weights, .optimizer = no_learning};
  const History shuffled = Autoencoder<double>(model).fit(windows, options);
  CHECK(relative(shuffled.loss[0], weighted_mean(0, 10)) < 1e-12);

  options.validation_split = 0.3;
  const History split = Autoencoder<double>(model).fit(windows, options);
  CHECK(relative(split.loss[0], weighted_mean(0, 7)) < 1e-12);
  CHECK(relative(split.validation_loss[0], weighted_mean(7, 3)) < 1e-12);

  options.validation_split = 0;
  options.validation_data = windows.subset(7, 3);
  const History given = Autoencoder<double>(model).fit(windows, options);
  CHECK(relative(given.validation_loss[0], model.evaluate(windows.subset(7, 3))) < 1e-12);
}

TEST_CASE("fit: a weight of zero leaves the window's gradient out, a weight counts as so many copies") {
  const Windows windows = test::wave_windows(6, 4);
  const Autoencoder<double> start(test::small_model(4));
  const auto trained = [&](std::vector<double> weights) {
    Autoencoder<double> model = start;
    model.fit(
        windows,
        {.batch_size = 6, .sample_weights = std::move(weights), .optimizer = Sgd{.learning_rate = 0.1}});
    return model.weights();
  };
  test::Steps<double> steps(start, Sgd{.learning_rate = 0.1});
  const auto expected = [&](const std::vector<Index>& batch) {
    steps.theta = start.weights();
    steps.loss(windows, batch);
    // the gradient of a mean over this batch, brought to a mean over 6 windows
    return Vector<double>(start.weights() - 0.1 * steps.gradient * (static_cast<double>(batch.size()) / 6));
  };
  const Vector<double> moved = expected({0, 1, 3, 4, 5}) - start.weights();
  CHECK(test::relative_difference(trained({1, 1, 0, 1, 1, 1}) - start.weights(), moved) < 1e-10);
  CHECK(test::relative_difference(trained({1, 2, 0, 1, 1, 1}) - start.weights(),
                                  expected({0, 1, 1, 3, 4, 5}) - start.weights()) < 1e-10);
  CHECK(test::relative_difference(trained({}) - start.weights(),
                                  trained({1, 1, 1, 1, 1, 1}) - start.weights()) < 1e-10);
}

// ---- Wrong use ----

TEST_CASE("fit: wrong options are refused by name, and nothing has changed") {
  const Windows windows = test::wave_windows(10, 4);
  Autoencoder<float> model(test::small_model(4));
  const Vector<float> weights = model.weights();
  const auto message = [&](const FitOptions& options) {
    return test::error_of([&] { model.fit(windows, options); });
  };
  CHECK(message({.epochs = 0}) == "fit: expected epochs > 0, got 0");
  CHECK(message({.epochs = -3}) == "fit: expected epochs > 0, got -3");
  CHECK(message({.batch_size = 0}) == "fit: expected batch_size > 0, got 0");
  CHECK(message({.batch_size = -1}) == "fit: expected batch_size > 0, got -1");
  CHECK(message({.threads = 0}) == "fit: expected threads > 0, got 0");

  for (const double split : {1.0, 1.5, -0.1, not_a_number, infinity}) {
    CAPTURE(split);
    const std::string text = message({.validation_split = split});
    CHECK(contains(text, "fit: expected validation_split in [0, 1), got "));
    CHECK(contains(text, reprise::detail::number_text(split)));
  }
  for (const double split : {0.95, 1e-17}) {  // nothing to train on; nothing to validate on
    CAPTURE(split);
    const std::string text = message({.validation_split = split});
    CHECK(contains(text, "leaves samples to train and to validate on (of 10)"));
  }
  CHECK(contains(message({.validation_split = 0.1, .validation_data = windows}),
                 "validation_data or validation_split"));

  CHECK(contains(message({.sample_weights = {1, 2, 3}}), "10 sample_weights, one for each sample, got 3"));
  for (const double bad : {-1.0, not_a_number, infinity}) {
    CAPTURE(bad);
    std::vector<double> sample_weights(10, 1.0);
    sample_weights[4] = bad;
    const std::string text = message({.sample_weights = sample_weights});
    CHECK(contains(text, "sample_weights"));
    CHECK(contains(text, reprise::detail::number_text(bad)));
  }

  CHECK(contains(message({.optimizer = Adam{.learning_rate = -1.0}}),
                 "Adam: expected learning_rate >= 0, got -1"));
  CHECK(contains(message({.optimizer = Adam{.beta_1 = 1.0}}), "beta_1 in [0, 1)"));
  CHECK(contains(message({.optimizer = Sgd{.clip = reprise::ClipNorm{0.0}}}), "Sgd: ClipNorm"));
  CHECK(contains(message({.loss = reprise::Huber{.delta = 0.0}}), "Huber: expected delta > 0, got 0"));

  CHECK(same_bits(model.weights(), weights));
  CHECK_FALSE(model.training_state().optimizer.has_value());
}

TEST_CASE("fit: a callback that refuses leaves the state of the earlier training") {
  const Windows windows = test::wave_windows(10, 4);
  Autoencoder<float> model(test::small_model(4));
  model.fit(windows, {.epochs = 2});
  const Autoencoder<float> before = model;
  const auto refused = [&](reprise::Callback callback) {
    return test::error_of(
        [&] { model.fit(windows, {.optimizer = Sgd{}, .callbacks = {std::move(callback)}}); });
  };
  CHECK(contains(refused(reprise::EarlyStopping{.patience = -1}), "patience"));
  CHECK(contains(refused({}), "callbacks that can be called, got an empty one"));
  for (const double bad : {-1.0, not_a_number, infinity}) {
    CHECK(contains(
        refused([bad](reprise::TrainingEvent& event) { event.scale_learning_rate(bad); }),
        "scale_learning_rate: expected a finite factor >= 0, got " + reprise::detail::number_text(bad)));
  }
  CHECK(same_bits(model.weights(), before.weights()));
  CHECK(model.training_state().optimizer == before.training_state().optimizer);
  CHECK(same_bits(model.training_state().moments.first, before.training_state().moments.first));
  CHECK(model.training_state().moments.step == before.training_state().moments.step);
  CHECK(model.training_state().learning_rate_scale == 1.0);
}

TEST_CASE("fit: windows of another shape are refused with both shapes") {
  Autoencoder<float> model(test::small_model(4));
  const auto message = [&](const Windows& windows, const FitOptions& options = {}) {
    return test::error_of([&] { model.fit(windows, options); });
  };
  const Windows good = test::wave_windows(10, 4);
  CHECK(message(test::wave_windows(10, 5)) ==
        "fit: windows: expected 4 steps x 1 features, got 5 steps x 1 features");
  CHECK(message(test::wave_windows(10, 4, 2)) ==
        "fit: windows: expected 4 steps x 1 features, got 4 steps x 2 features");
  CHECK(message(good, {.validation_data = test::wave_windows(10, 3)}) ==
        "fit: validation_data: expected 4 steps x 1 features, got 3 steps x 1 features");
}

TEST_CASE("fit: a batch size beyond all windows is one batch") {
  const Windows windows = test::wave_windows(10, 4);
  const Autoencoder<float> start(test::small_model(4));
  const auto trained = [&](Index batch_size) {
    Autoencoder<float> model = start;
    const History history =
        model.fit(windows, {.epochs = 2, .batch_size = batch_size, .validation_split = 0.3});
    CHECK(model.training_state().moments.step == 2);
    return model.weights();
  };
  CHECK(same_bits(trained(7), trained(std::numeric_limits<Index>::max())));
}
