// Each allocation of each call fails once: nothing crashes, nothing is lost, and what the call worked on is
// as it was.
#include "allocation_failures.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <reprise/baselines/nearest_window.hpp>
#include <reprise/baselines/pca.hpp>
#include <reprise/reprise.hpp>
#include <reprise/scores/mahalanobis.hpp>

#include "training.hpp"

#if __has_include(<nlohmann/json.hpp>)
#include <reprise/io/outliers_json.hpp>
#include <reprise/io/safetensors.hpp>

#include "temporary_directory.hpp"
#endif

using reprise::Autoencoder;
using reprise::Index;
using reprise::Sequences;
using test::Outcome;
using test::outcome_of;

namespace {

long all_points = 0;

/// Calls `call` once for each of its allocations, and lets that one fail; `reset` stands before each call,
/// `holds` says afterwards whether everything is as it was then.
template <typename Reset, typename Call, typename Holds>
void check_each_allocation(const char* what, const Reset& reset, const Call& call, const Holds& holds) {
  CAPTURE(what);
  reset();
  CHECK(outcome_of(-1, call) != Outcome::refused);  // and what the system keeps for later calls is there
  long points = 0, refused = 0;
  for (long n = 0;; ++n) {
    CAPTURE(n);
    const auto lost_by_a_call = [&] {
      reset();
      const long alive = test::alive;
      const Outcome outcome = outcome_of(n, call);
      if (outcome == Outcome::refused) {
        ++refused;
        REQUIRE(holds());
      }
      reset();
      return std::pair(outcome, test::alive - alive);
    };
    const auto [outcome, lost] = lost_by_a_call();
    if (outcome == Outcome::completed) break;
    ++points;
    // A thread's stack, for example, is kept for the next thread: what is lost for good is lost each time.
    if (lost != 0) CHECK(lost_by_a_call().second == 0);
  }
  CHECK(refused > 0);
  all_points += points;
  std::printf("%s: %ld allocations failed (%ld so far)\n", what, points, all_points);
}

template <typename Scalar>
bool same_bits(const Autoencoder<Scalar>& a, const Autoencoder<Scalar>& b) {
  return test::same_bits(a.weights(), b.weights()) && a.options() == b.options() &&
         a.training_state().optimizer == b.training_state().optimizer &&
         a.training_state().epochs == b.training_state().epochs &&
         test::same_bits(a.training_state().moments, b.training_state().moments);
}
template <typename Scalar>
bool same_bits(const Sequences<Scalar>& a, const Sequences<Scalar>& b) {
  return a.batch() == b.batch() && a.steps() == b.steps() && test::same_bits(a.values(), b.values());
}

reprise::AutoencoderOptions larger_model() {
  return {.steps = 9, .features = 2, .encoder = {{.units = 21}}, .decoder = {{.units = 19}}};
}

}  // namespace

TEST_CASE("failed allocations: sequences keep their values") {
  Sequences<float> values({.samples = 3, .steps = 4, .features = 2});
  values.values().setConstant(0.5F);
  const Sequences<float> before = values, other({.samples = 5, .steps = 7, .features = 3});
  const auto reset = [&] { values = before; };
  const auto holds = [&] { return same_bits(values, before); };
  check_each_allocation(
      "resize", reset, [&] { values.resize({.samples = 5, .steps = 7, .features = 3}); }, holds);
  check_each_allocation(
      "assignment of sequences", reset, [&] { values = other; }, holds);
}

TEST_CASE("failed allocations: a workspace can be used again") {
  const Autoencoder<float> model(test::small_model(4)), larger(larger_model());
  Sequences<float> few({.samples = 3, .steps = 4, .features = 1}),
      many({.samples = 80, .steps = 9, .features = 2}), result = few, large_result = many;
  few.values().setConstant(0.5F);
  many.values().setConstant(0.25F);
  reprise::InferenceWorkspace<float> workspace;
  const auto use = [&] { model.reconstruct(std::as_const(few).view(), result.view(), workspace); };
  use();
  const Sequences<float> expected = result;
  const auto reset = [&] {
    workspace = {};
    use();
  };
  const auto holds = [&] {
    result.values().setZero();
    use();
    return same_bits(result, expected);
  };
  const auto grow = [&] { larger.reconstruct(std::as_const(many).view(), large_result.view(), workspace); };
  check_each_allocation("reconstruct with a workspace that grows", reset, grow, holds);
}

TEST_CASE("failed allocations: a tape is as it was") {
  const Autoencoder<float> model(test::small_model(4));
  const auto& network = model.network();
  reprise::SequentialTape<float> tape;
  reprise::SequentialScratch<float> scratch;
  network.prepare(scratch, 3);
  const auto reset = [&] {
    tape = {};
    network.prepare(tape, 3);
  };
  const auto holds = [&] {
    tape.input.matrix().setConstant(0.5F);
    const auto output = network.forward(model.weights().data(), tape, scratch, {});
    return output.batch == 3 && reprise::detail::all_finite(output.matrix());
  };
  check_each_allocation(
      "a tape that grows", reset, [&] { network.prepare(tape, 50); }, holds);
}

TEST_CASE("failed allocations: a fit leaves the model as it was before") {
  const auto windows = test::wave_windows(60, 4);
  for (const int threads : {1, 2}) {
    const Autoencoder<float> start(test::small_model_with_dropout(4));
    Autoencoder<float> model = start;
    const auto fit = [&] {
      reprise::FitOptions options{.epochs = 2,
                                  .batch_size = 48,
                                  .validation_split = 0.2,
                                  .sample_weights = std::vector<double>(60, 0.5),
                                  .optimizer = reprise::Adam{.clip = reprise::GlobalClipNorm{0.1}},
                                  .threads = threads,
                                  .frozen = {"encoder.1"}};
      options.callbacks = {reprise::EarlyStopping{}, reprise::ReduceLROnPlateau{}};
      model.fit(windows, options);
    };
    check_each_allocation(
        threads == 1 ? "fit" : "fit with two threads", [&] { model = start; }, fit,
        [&] { return same_bits(model, start); });
  }
}

TEST_CASE("failed allocations: a fit that ends with a loss that is not finite leaves the model as it was") {
  const auto windows = test::wave_windows(60, 4);
  const Autoencoder<float> start(test::small_model(4));
  Autoencoder<float> model = start;
  bool aborted = false;
  const auto fit = [&] {
    reprise::FitOptions options{.epochs = 4, .batch_size = 48};
    options.callbacks = {reprise::EarlyStopping{.patience = 3, .restore_best_weights = true},
                         [](reprise::TrainingEvent& event) {
                           if (event.stage != reprise::TrainingStage::epoch_end || event.epoch != 2) return;
                           event.scale_learning_rate(1e38);
                         }};
    aborted = false;
    try {
      model.fit(windows, options);
    } catch (const reprise::TrainingAborted&) {
      aborted = true;
    }
  };
  check_each_allocation(
      "a fit that is aborted", [&] { model = start; }, fit, [&] { return same_bits(model, start); });
  CHECK(aborted);  // in the last call, where no allocation failed
}

TEST_CASE("failed allocations: a further fit leaves the training as it was before") {
  const auto windows = test::wave_windows(60, 4);
  Autoencoder<double> start(test::small_model(4));
  start.fit(windows, {.epochs = 2, .optimizer = reprise::Sgd{.momentum = 0.9}});
  Autoencoder<double> model = start;
  const auto fit = [&] { model.fit(windows, {.epochs = 1, .batch_size = 40, .optimizer = reprise::Adam{}}); };
  check_each_allocation(
      "a further fit", [&] { model = start; }, fit, [&] { return same_bits(model, start); });
}

TEST_CASE("failed allocations: a model that finds no memory says how many parameters it has") {
  const Autoencoder<float> model(larger_model());
  const std::string expected = "Autoencoder: expected memory for " + std::to_string(model.weights().size()) +
                               " parameters of 4 bytes, got less";
  long times = 0;
  for (long n = 0;; ++n) {
    CAPTURE(n);
    REQUIRE(n < 1000);
    std::string said;
    const Outcome outcome = outcome_of(n, [&] {
      try {
        const Autoencoder<float> made(larger_model());
      } catch (const reprise::Error& error) {
        said = error.what();
        throw;
      }
    });
    if (outcome == Outcome::completed) break;
    times += said == expected ? 1 : 0;
  }
  CHECK(times == 1);
}

TEST_CASE("failed allocations: assignment of a model of other sizes is all or nothing") {
  const Autoencoder<float> start(test::small_model(4));
  auto more_layers = larger_model();
  // So that the options of a new model have no room for them; one that was assigned to keeps its room.
  more_layers.encoder = {{.units = 21}, {.units = 7}, {.units = 5}};
  Autoencoder<float> other(more_layers), model = start;
  other.fit(reprise::sliding_windows(test::wave(40, 2), {.length = 9}), {.epochs = 1});
  const auto holds = [&] { return same_bits(model, start); };
  check_each_allocation(
      "assignment of a model", [&] { model = Autoencoder<float>(start); }, [&] { model = other; }, holds);
}

TEST_CASE("failed allocations: what only reads loses nothing") {
  const auto windows = test::wave_windows(150, 4);
  const Autoencoder<float> model(test::small_model(4));
  const auto check = [](const char* what, const auto& call) {
    check_each_allocation(
        what, [] {}, call, [] { return true; });
  };
  check("reconstruct", [&] { static_cast<void>(model.reconstruct(windows)); });
  check("encode", [&] { static_cast<void>(model.encode(windows)); });
  // There are three blocks of windows to share.
  check("reconstruct with two threads",
        [&] { static_cast<void>(model.reconstruct(windows, {.threads = 2})); });
  check("encode with two threads", [&] { static_cast<void>(model.encode(windows, {.threads = 2})); });
  check("evaluate with two threads", [&] { static_cast<void>(model.evaluate(windows, {.threads = 2})); });
  const auto reconstruction = model.reconstruct(windows);
  check("score", [&] {
    reprise::OutlierScorer scorer{reprise::threshold::mad(3.0)};
    const auto scores = reprise::mean_squared_errors(windows, reconstruction);
    scorer.calibrate(scores);
    static_cast<void>(reprise::find_events(scorer.score(scores)));
    static_cast<void>(reprise::p_values(scores, scores));
    static_cast<void>(reprise::step_scores(windows, reconstruction));
  });
}

TEST_CASE("failed allocations: what was fitted before stays fitted") {
  const reprise::Matrix<double> series = test::wave(80, 2), other = test::wave(60, 3);
  reprise::StandardScaler scaler, fitted_scaler;
  fitted_scaler.fit(series);
  check_each_allocation(
      "fit of a scaler", [&] { scaler = fitted_scaler; }, [&] { scaler.fit(other); },
      [&] { return scaler.means() == fitted_scaler.means(); });

  reprise::Mahalanobis mahalanobis, fitted_mahalanobis;
  fitted_mahalanobis.fit(series);
  const auto scores = fitted_mahalanobis.scores(series);
  const auto reset_mahalanobis = [&] { mahalanobis = reprise::Mahalanobis(fitted_mahalanobis); };
  const auto same_scores = [&] { return mahalanobis.scores(series) == scores; };
  check_each_allocation(
      "fit of Mahalanobis", reset_mahalanobis, [&] { mahalanobis.fit(other); }, same_scores);

  const auto short_windows = reprise::sliding_windows(series, {.length = 4});
  const auto long_windows = reprise::sliding_windows(series, {.length = 9});
  reprise::PcaBaseline components({.components = 2}), fitted_components = components;
  fitted_components.fit(short_windows);
  const auto reconstruction = fitted_components.reconstruct(short_windows);
  check_each_allocation(
      "fit of principal components", [&] { components = reprise::PcaBaseline(fitted_components); },
      [&] { components.fit(long_windows); },
      [&] { return same_bits(components.reconstruct(short_windows), reconstruction); });
  reprise::NearestWindowBaseline nearest, fitted_nearest;
  fitted_nearest.fit(short_windows);
  const auto distances = fitted_nearest.scores(short_windows);
  check_each_allocation(
      "fit of the nearest window", [&] { nearest = reprise::NearestWindowBaseline(fitted_nearest); },
      [&] { nearest.fit(long_windows); }, [&] { return nearest.scores(short_windows) == distances; });
}

#if __has_include(<nlohmann/json.hpp>)
TEST_CASE("failed allocations: a file stays the one it was, and what is read of it is all or nothing") {
  const test::TemporaryDirectory directory;
  Autoencoder<float> model(test::small_model(4));
  model.fit(test::wave_windows(40, 4), {.epochs = 1});
  const auto path = directory / "model.safetensors";
  reprise::save(model, path);
  const auto holds = [&] {
    return directory.files() == 1 && same_bits(reprise::load<Autoencoder<float>>(path), model);
  };
  check_each_allocation(
      "save", [] {}, [&] { reprise::save(model, path); }, holds);
  check_each_allocation(
      "load", [] {}, [&] { static_cast<void>(reprise::load<Autoencoder<float>>(path)); }, holds);
}
#endif
