#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "temporary_directory.hpp"
#include "training.hpp"

using reprise::Adam;
using reprise::Autoencoder;
using reprise::Callback;
using reprise::CsvLog;
using reprise::EarlyStopping;
using reprise::FitOptions;
using reprise::History;
using reprise::Index;
using reprise::ProgressBar;
using reprise::ReduceLROnPlateau;
using reprise::Sgd;
using reprise::TrainingEvent;
using reprise::TrainingStage;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::error_of;
using test::halves;
using test::ones;
using test::passing_by;
using test::same_bits;

namespace {

TrainingEvent epoch_end(Index epoch, double loss) {
  TrainingEvent event;
  event.stage = TrainingStage::epoch_end;
  event.epoch = epoch;
  event.loss = loss;
  return event;
}

/// What EarlyStopping asks for after each of these losses: K keeps the weights, S stops, . nothing.
std::string early_stopping(EarlyStopping stopping, const std::vector<double>& losses) {
  std::string asked;
  for (const double loss : losses) {
    TrainingEvent event = epoch_end(static_cast<Index>(asked.size()) + 1, loss);
    stopping(event);
    asked += event.stop_requested ? 'S' : event.keep_requested ? 'K' : '.';
  }
  return asked;
}

/// The learning rates after each of these losses.
std::vector<double> reduced_rates(ReduceLROnPlateau reduce, double rate, const std::vector<double>& losses) {
  std::vector<double> rates;
  Index epoch = 0;
  for (const double loss : losses) {
    TrainingEvent event = epoch_end(++epoch, loss);
    event.learning_rate = rate;
    reduce(event);
    rate *= event.learning_rate_factor;
    rates.push_back(rate);
  }
  return rates;
}

std::string file_text(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// A file's path that is removed in the end.
std::string text_of(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  return text;
}

/// Keeps the weights of each epoch from outside.
struct Snapshots {
  std::shared_ptr<std::vector<Vector<float>>> weights = std::make_shared<std::vector<Vector<float>>>();
  const Autoencoder<float>* model;

  void operator()(TrainingEvent& event) const {
    if (event.stage == TrainingStage::epoch_end) weights->push_back(model->weights());
  }
};

std::size_t best_of(const std::vector<double>& losses) {
  return static_cast<std::size_t>(std::min_element(losses.begin(), losses.end()) - losses.begin());
}

}  // namespace

TEST_CASE("callbacks: what they see, and when") {
  struct Seen {
    TrainingStage stage;
    Index epoch, batch;
    bool validation;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> seen;
  Autoencoder<float> model(test::small_model(4));
  std::vector<double> batch_losses, epoch_losses;
  FitOptions options{.epochs = 2, .batch_size = 6, .validation_data = halves};
  options.callbacks = {[&](TrainingEvent& event) {
    seen.push_back({event.stage, event.epoch, event.batch, event.validation_loss.has_value()});
    CHECK(event.epochs == 2);
    CHECK(event.batches == 3);
    CHECK(event.learning_rate == doctest::Approx(1e-3));
    if (event.stage == TrainingStage::batch_end) batch_losses.push_back(event.loss);
    if (event.stage == TrainingStage::epoch_end) epoch_losses.push_back(event.loss);
  }};
  const History history = model.fit(ones, options);
  using enum TrainingStage;
  const std::vector<Seen> expected = {
      {begin, 0, 0, false},    {batch_end, 1, 1, false}, {batch_end, 1, 2, false}, {batch_end, 1, 3, false},
      {epoch_end, 1, 3, true}, {batch_end, 2, 1, false}, {batch_end, 2, 2, false}, {batch_end, 2, 3, false},
      {epoch_end, 2, 3, true}, {end, 2, 3, true}};
  CHECK(seen == expected);
  CHECK(epoch_losses == history.loss);
  REQUIRE(batch_losses.size() == 6);
  CHECK(batch_losses[2] == history.loss[0]);
  CHECK(batch_losses[5] == history.loss[1]);
}

TEST_CASE("callbacks: a lambda ends the training after an epoch or a batch") {
  const Windows windows = test::wave_windows(20, 4);
  const Autoencoder<float> start(test::small_model(4));
  Autoencoder<float> model = start, expected = start;
  FitOptions options{.epochs = 10, .batch_size = 8};
  SUBCASE("after epoch 3") {
    options.callbacks = {[](TrainingEvent& event) {
      if (event.stage == TrainingStage::epoch_end && event.epoch == 3) event.stop_training();
    }};
    CHECK(model.fit(windows, options).loss.size() == 3);
    expected.fit(windows, {.epochs = 3, .batch_size = 8});
    CHECK(same_bits(model.weights(), expected.weights()));
  }
  SUBCASE("after batch 2 of epoch 4") {
    bool ended = false;
    options.callbacks = {[&](TrainingEvent& event) {
      if (event.stage == TrainingStage::batch_end && event.epoch == 4 && event.batch == 2)
        event.stop_training();
      ended = ended || event.stage == TrainingStage::end;
    }};
    CHECK(model.fit(windows, options).loss.size() == 4);
    CHECK(model.training_state().moments.step == 3 * 3 + 2);
    CHECK(ended);
  }
  SUBCASE("before it begins") {
    options.callbacks = {[](TrainingEvent& event) { event.stop_training(); }};
    CHECK(model.fit(windows, options).loss.empty());
    CHECK(same_bits(model.weights(), start.weights()));
  }
}

TEST_CASE("callbacks: a lambda scales the learning rate, on top of the schedule") {
  const Windows windows = test::wave_windows(20, 4);
  Autoencoder<double> model(test::small_model(4));
  const Sgd sgd{.learning_rate = reprise::ExponentialDecay{
                    .initial_learning_rate = 0.1, .decay_steps = 2, .decay_rate = 0.5}};
  test::Steps<double> steps(model, sgd);
  std::vector<double> rates;
  FitOptions options{.epochs = 3, .batch_size = 10, .shuffle = false, .optimizer = sgd};
  options.callbacks = {[](TrainingEvent& event) {
                         if (event.stage == TrainingStage::epoch_end) event.scale_learning_rate(0.1);
                       },
                       [&](TrainingEvent& event) {
                         if (event.stage == TrainingStage::epoch_end) rates.push_back(event.learning_rate);
                       }};
  const History history = model.fit(windows, options);
  double scale = 1.0;
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (const Index first : {0, 10}) {
      steps.loss(windows, test::numbers(first, 10));
      steps.update(scale);
    }
    CHECK(history.learning_rate.at(static_cast<std::size_t>(epoch)) ==
          doctest::Approx(0.1 * std::pow(0.5, epoch + 1) * scale));
    scale *= 0.1;
    // A callback sees what those before it made of the rate.
    CHECK(rates.at(static_cast<std::size_t>(epoch)) ==
          doctest::Approx(0.1 * std::pow(0.5, epoch + 1) * scale));
  }
  CHECK(test::relative_difference(model.weights(), steps.theta) < 1e-14);
  CHECK(model.training_state().learning_rate_scale == doctest::Approx(1e-3));
}

TEST_CASE("callbacks: their state starts anew with each fit") {
  std::vector<int> counts;
  struct Counter {
    std::vector<int>* counts;
    int calls = 0;
    void operator()(TrainingEvent& event) {
      ++calls;
      if (event.stage == TrainingStage::end) counts->push_back(calls);
    }
  };
  Autoencoder<float> model(test::small_model(4));
  const FitOptions options{.batch_size = 8, .callbacks = {Counter{&counts}}};
  model.fit(ones, options);
  model.fit(ones, options);
  CHECK(counts == std::vector<int>{5, 5});
}

TEST_CASE("callbacks: an exception ends the training and leaves the model usable") {
  const Windows windows = test::wave_windows(20, 4);
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    Autoencoder<float> model(test::small_model(4));
    const reprise::Adam adam{.learning_rate = 0.01};
    test::Steps<float> steps(model, adam);
    FitOptions options{
        .epochs = 5, .batch_size = 10, .shuffle = false, .optimizer = adam, .threads = threads};
    options.callbacks = {[](TrainingEvent& event) {
      if (event.stage == TrainingStage::batch_end && event.epoch == 2) throw std::runtime_error("enough");
    }};
    CHECK_THROWS_WITH_AS(model.fit(windows, options), "enough", std::runtime_error);
    for (const Index first : {0, 10, 0}) {
      steps.loss(windows, test::numbers(first, 10));
      steps.update();
    }
    CHECK(same_bits(model.weights(), steps.theta));
    CHECK(same_bits(model.training_state().moments, steps.state));
    const double before = model.evaluate(windows);
    options.callbacks.clear();
    options.epochs = 10;
    model.fit(windows, options);
    CHECK(model.evaluate(windows) < before);
  }
}

TEST_CASE("EarlyStopping: patience, min_delta and start_from_epoch") {
  const auto asked = [](EarlyStopping stopping, const std::vector<double>& losses) {
    stopping.restore_best_weights = true;
    return early_stopping(stopping, losses);
  };
  CHECK(asked({.patience = 2}, {5, 4, 4, 3, 3.5, 3}) == "KK.K.S");
  CHECK(asked({.patience = 1}, {5, 4, 4}) == "KKS");
  CHECK(asked({.patience = 3}, {5, 6, 6, 4, 6, 6, 6}) == "K..K..S");
  CHECK(asked({}, {5, 4, 4}) == "KKS");
  // An improvement of just min_delta is none; the best stays what it was.
  CHECK(asked({.patience = 3, .min_delta = 1}, {5, 4, 3.5, 3.4, 4}) == "K.K..");
  CHECK(asked({.patience = 2, .min_delta = 1}, {5, 4.5, 4.2}) == "K.S");
  CHECK(asked({.patience = 2, .start_from_epoch = 3}, {1, 1, 1, 5, 5, 5}) == "...K.S");
  CHECK(early_stopping({.patience = 2}, {5, 4, 4, 4}) == "...S");
  // The validation loss counts where there is one.
  EarlyStopping stopping{.patience = 1};
  for (const double validation_loss : {2.0, 3.0}) {
    TrainingEvent event = epoch_end(1, 4 - validation_loss);
    event.validation_loss = validation_loss;
    stopping(event);
    CHECK(event.stop_requested == (validation_loss == 3.0));
  }
}

TEST_CASE("EarlyStopping: the best weights are put back") {
  Autoencoder<float> model(test::small_model(4));
  const Snapshots snapshots{.model = &model};
  History history;
  SUBCASE("when it stops") {
    history = model.fit(
        ones, passing_by(1000, {snapshots, EarlyStopping{.patience = 7, .restore_best_weights = true}}));
    CHECK(history.loss.size() == best_of(history.validation_loss) + 1 + 7);
  }
  SUBCASE("when the training ends without it") {
    history = model.fit(
        ones, passing_by(60, {snapshots, EarlyStopping{.patience = 1000, .restore_best_weights = true}}));
    CHECK(history.loss.size() == 60);
  }
  const std::size_t best = best_of(history.validation_loss);
  REQUIRE(best > 1);
  REQUIRE(best + 1 < history.loss.size());
  CHECK(same_bits(model.weights(), snapshots.weights->at(best)));
  CHECK(model.evaluate(halves) == doctest::Approx(history.validation_loss[best]));
}

TEST_CASE("EarlyStopping: without restoring, and before start_from_epoch, the last weights stay") {
  for (const EarlyStopping& stopping :
       {EarlyStopping{.patience = 7}, EarlyStopping{.start_from_epoch = 60, .restore_best_weights = true}}) {
    Autoencoder<float> model(test::small_model(4));
    const Snapshots snapshots{.model = &model};
    model.fit(ones, passing_by(60, {snapshots, stopping}));
    REQUIRE(snapshots.weights->size() > 10);
    CHECK(same_bits(model.weights(), snapshots.weights->back()));
  }
}

TEST_CASE("EarlyStopping: two keep separate copies, and the later one has the last word") {
  // Only the first epoch is better than nothing.
  const EarlyStopping first_epoch{.patience = 1000, .min_delta = 1e9, .restore_best_weights = true};
  const EarlyStopping best_epoch{.patience = 1000, .restore_best_weights = true};
  for (const bool best_last : {true, false}) {
    CAPTURE(best_last);
    Autoencoder<float> model(test::small_model(4));
    const Snapshots snapshots{.model = &model};
    const Callback a = best_last ? first_epoch : best_epoch, b = best_last ? best_epoch : first_epoch;
    const History history = model.fit(ones, passing_by(60, {snapshots, a, b}));
    const std::size_t best = best_of(history.validation_loss);
    REQUIRE(best > 1);
    CHECK(same_bits(model.weights(), snapshots.weights->at(best_last ? best : 0)));
  }
}

TEST_CASE("EarlyStopping: the same options serve two fits") {
  Autoencoder<float> model(test::small_model(4));
  const FitOptions options = passing_by(1000, {EarlyStopping{.patience = 3, .restore_best_weights = true}});
  const std::size_t first = model.fit(ones, options).loss.size();
  CHECK(first > 4);
  // The second begins at the best weights: each epoch is worse than the one before, beginning with the first.
  CHECK(model.fit(ones, options).loss.size() == 4);
}

TEST_CASE("callbacks: names and defaults are Keras's") {
  const auto [patience, min_delta, start_from_epoch, restore_best_weights, best, waited] = EarlyStopping{};
  CHECK(patience == 0);
  CHECK(min_delta == 0.0);
  CHECK(start_from_epoch == 0);
  CHECK_FALSE(restore_best_weights);
  const ReduceLROnPlateau reduce{
      .factor = 0.1, .patience = 10, .min_delta = 1e-4, .cooldown = 0, .min_lr = 0};
  const ReduceLROnPlateau without;
  CHECK(without.factor == reduce.factor);
  CHECK(without.patience == reduce.patience);
  CHECK(without.min_delta == reduce.min_delta);
  CHECK(without.cooldown == reduce.cooldown);
  CHECK(without.min_lr == reduce.min_lr);
}

TEST_CASE("callbacks: handed in by reference, they start anew with each fit") {
  // Losses get worse: what the first fit found best would stay the best.
  const auto fit = [](const std::vector<Callback>& callbacks) {
    Autoencoder<float> model(test::small_model(4));
    model.fit(ones, {.epochs = 30, .optimizer = Adam{.learning_rate = 0.02}});
    FitOptions options{.epochs = 6, .optimizer = Sgd{.learning_rate = 1e-9}};
    options.callbacks = callbacks;
    return model.fit(ones, options);
  };
  SUBCASE("EarlyStopping") {
    EarlyStopping stopping{.patience = 3};
    stopping.best_ = -1.0;
    stopping.waited_ = 2;
    // The very first epoch is the best of this fit; nothing gets better.
    CHECK(fit({std::ref(stopping)}).loss.size() == fit({EarlyStopping{.patience = 3}}).loss.size());
    CHECK(stopping.best_ > 0.0);  // there to be read
  }
  SUBCASE("ReduceLROnPlateau") {
    ReduceLROnPlateau reduce{.factor = 0.5, .patience = 2};
    const std::vector<double> first = fit({std::ref(reduce)}).learning_rate;
    CHECK(first == fit({std::ref(reduce)}).learning_rate);
    reduce.best_ = -1.0;
    reduce.resting_ = 2;
    CHECK(first == fit({std::ref(reduce)}).learning_rate);
    CHECK(first.back() < first.front());
  }
  SUBCASE("ProgressBar") {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
    REQUIRE(file);
    ProgressBar bar{.always = true, .stream = file.get()};
    bar.validation_loss_ = 0.25;  // of a fit before
    fit({std::ref(bar)});
    CHECK_FALSE(contains(text_of(file.get()), "validation"));
  }
}

TEST_CASE("ReduceLROnPlateau: factor, patience, min_delta, cooldown and the least rate") {
  const auto check = [](const ReduceLROnPlateau& reduce, const std::vector<double>& losses,
                        const std::vector<double>& expected) {
    const std::vector<double> rates = reduced_rates(reduce, 1.0, losses);
    REQUIRE(rates.size() == expected.size());
    for (std::size_t i = 0; i < rates.size(); ++i) {
      CAPTURE(i);
      CHECK(rates[i] == doctest::Approx(expected[i]).epsilon(1e-12));
    }
  };
  check({.factor = 0.5, .patience = 2}, {5, 5, 5, 5, 5, 4, 4, 4}, {1, 1, .5, .5, .25, .25, .25, .125});
  check({.factor = 0.1, .patience = 1, .min_delta = 1}, {5, 4, 3.9, 3.5}, {1, .1, .1, .01});
  // After a reduction two epochs do not count; the third is the first of a new patience of one.
  check({.factor = 0.5, .patience = 1, .cooldown = 2}, {5, 5, 5, 5, 5, 5}, {1, .5, .5, .25, .25, .125});
  check({.factor = 0.1, .patience = 1, .min_lr = 0.05}, {5, 5, 5, 5}, {1, .1, .05, .05});
}

TEST_CASE("ReduceLROnPlateau: in a training") {
  Autoencoder<float> model(test::small_model(4));
  FitOptions options{.epochs = 6, .optimizer = Sgd{.learning_rate = 1e-9}};  // nothing gets better
  options.callbacks = {ReduceLROnPlateau{.factor = 0.5, .patience = 2}};
  const History history = model.fit(ones, options);
  const std::vector<double> expected = {1e-9, 1e-9, 1e-9, .5e-9, .5e-9, .25e-9};
  REQUIRE(history.learning_rate.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(history.learning_rate[i] == doctest::Approx(expected[i]));
}

TEST_CASE("callbacks: options that cannot be are refused by name") {
  const auto message = [](const Callback& callback) {
    Autoencoder<float> model(test::small_model(4));
    return error_of([&] { model.fit(ones, {.callbacks = {callback}}); });
  };
  const double not_a_number = std::numeric_limits<double>::quiet_NaN();
  for (const double factor : {0.0, 1.0, -0.5, not_a_number}) {
    CHECK(contains(message(ReduceLROnPlateau{.factor = factor}),
                   "ReduceLROnPlateau: expected a factor between 0 and 1"));
  }
  CHECK(contains(message(ReduceLROnPlateau{.patience = -1}),
                 "ReduceLROnPlateau: expected patience >= 0, got -1"));
  CHECK(contains(message(ReduceLROnPlateau{.cooldown = -1}),
                 "ReduceLROnPlateau: expected cooldown >= 0, got -1"));
  CHECK(contains(message(EarlyStopping{.patience = -1}), "EarlyStopping: expected patience >= 0, got -1"));
  CHECK(contains(message(ReduceLROnPlateau{.min_delta = not_a_number}),
                 "ReduceLROnPlateau: expected min_delta >= 0, got nan"));
  CHECK(contains(message(ReduceLROnPlateau{.min_lr = -1}), "ReduceLROnPlateau: expected min_lr >= 0"));
  CHECK(contains(message(EarlyStopping{.min_delta = -1}), "EarlyStopping: expected min_delta >= 0, got -1"));
  CHECK(contains(message(EarlyStopping{.start_from_epoch = -2}),
                 "EarlyStopping: expected start_from_epoch >= 0, got -2"));
}

TEST_CASE("CsvLog: a line an epoch") {
  const test::TemporaryDirectory directory;
  const std::string file = (directory / "log.csv").string();
  std::ofstream(file) << "an older file\n";
  const auto expected = [](const History& history) {
    std::string text = "epoch,loss,validation_loss,learning_rate\n";
    for (std::size_t i = 0; i < history.loss.size(); ++i) {
      char line[200];
      const double validation = history.validation_loss.empty() ? 0.0 : history.validation_loss[i];
      std::snprintf(line, sizeof line,
                    history.validation_loss.empty() ? "%zu,%.9g,,%.9g\n" : "%zu,%.9g,%.9g,%.9g\n", i + 1,
                    history.loss[i], history.validation_loss.empty() ? history.learning_rate[i] : validation,
                    history.learning_rate[i]);
      text += line;
    }
    return text;
  };
  Autoencoder<float> model(test::small_model(4));
  FitOptions options = passing_by(3, {CsvLog{file}});
  const std::string first = expected(model.fit(ones, options));
  CHECK(file_text(file) == first);
  // The next fit replaces it.
  options.validation_data.reset();
  options.epochs = 2;
  const std::string second = expected(model.fit(ones, options));
  CHECK(file_text(file) == second);
  CHECK(first != second);
}

TEST_CASE("CsvLog: a file that cannot be written is an error with its path") {
  const auto message = [](const std::string& path) -> std::string {
    Autoencoder<float> model(test::small_model(4));
    try {
      model.fit(ones, {.epochs = 2, .callbacks = {CsvLog{path}}});
    } catch (const reprise::FileError& error) {
      return error.what();
    }
    return "nothing thrown";
  };
  CHECK(message("/no such directory/log.csv") == "CsvLog: cannot write /no such directory/log.csv");
  if (std::filesystem::exists("/dev/full")) CHECK(message("/dev/full") == "CsvLog: cannot write /dev/full");
}

TEST_CASE("ProgressBar: silent where there is no terminal") {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  REQUIRE(file);
  Autoencoder<float> model(test::small_model(4));
  model.fit(ones, passing_by(3, {ProgressBar{.stream = file.get()}}));
  CHECK(text_of(file.get()).empty());
}

TEST_CASE("ProgressBar: draws epochs, losses and how far it is") {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  REQUIRE(file);
  ProgressBar bar{.always = true, .stream = file.get()};
  SUBCASE("at the end of a training") {
    Autoencoder<float> model(test::small_model(4));
    const History history = model.fit(ones, passing_by(3, {bar}));
    const std::string text = text_of(file.get());
    char losses[100];
    std::snprintf(losses, sizeof losses, "loss %.6g, validation %.6g, ", history.loss.back(),
                  history.validation_loss.back());
    CHECK(contains(text, "epoch 3/3 [" + std::string(24, '=') + "] " + losses));
    CHECK(text.substr(text.size() - 3) == " s\n");
    CHECK(text.find('\n') == text.size() - 1);  // one line
  }
  SUBCASE("on the way") {
    TrainingEvent event = epoch_end(2, 0.5);
    event.stage = TrainingStage::batch_end;
    event.epochs = 4;
    event.batch = 1;
    event.batches = 2;
    bar.draw(event);  // 1 epoch and a half of 4
    const std::string text = text_of(file.get());
    CHECK(contains(text, "epoch 2/4 [" + std::string(9, '=') + std::string(15, '.') + "] loss 0.5, "));
    CHECK(contains(text, " s left"));
    CHECK_FALSE(contains(text, "validation"));
  }
}
