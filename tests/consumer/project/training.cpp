// What a program trains with nothing but the installed headers: a source of its own, a forecaster, sessions
// of different lengths with a frozen encoder, a checkpoint. Each is trained, saved, loaded, trained on and
// compared.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <reprise/io/checkpoint.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/reprise.hpp>

namespace {

using reprise::FitOptions;
using reprise::Index;
using reprise::SequenceView;

/// Learns the running sum of its inputs.
struct RunningSum {
  Index size() const { return 64; }
  reprise::SequenceShape input_shape() const { return {.steps = 5, .features = 1}; }
  reprise::SequenceShape target_shape() const { return {.steps = 5, .features = 1}; }
  template <typename Scalar>
  void gather(std::span<const Index> samples, SequenceView<Scalar> inputs,
              SequenceView<Scalar> targets) const {
    for (std::size_t b = 0; b < samples.size(); ++b) {
      double sum = 0.0;
      for (Index t = 0; t < 5; ++t) {
        const double value = 0.3 * std::sin(static_cast<double>(samples[b] * samples[b] + 2 * t));
        sum += value;
        inputs.step_data(t)[b] = static_cast<Scalar>(value);
        targets.step_data(t)[b] = static_cast<Scalar>(sum);
      }
    }
  }
};

int failures = 0;

void check(bool good, const char* what) {
  if (good) return;
  std::cerr << "failed: " << what << '\n';
  ++failures;
}

/// Trains the model in one go, and in two parts with a file between them.
template <typename Model>
void check_through_file(const Model& start, const reprise::Source& source, FitOptions options,
                        const char* what) {
  const std::string file = std::string("consumer_") + what + ".safetensors";
  Model whole = start, first = start;
  const auto history = whole.fit(source, options);
  check(history.loss.back() < history.loss.front(), what);
  const Index epochs = options.epochs;
  options.epochs = epochs / 2;
  options.callbacks = {reprise::ModelCheckpoint{.path = file}};
  first.fit(source, options);
  Model second = reprise::load<Model>(file);
  std::filesystem::remove(file);
  options.epochs = epochs - epochs / 2;
  options.callbacks.clear();
  second.fit(source, options);
  check(second.weights() == whole.weights(), what);
}

void own_source() {
  reprise::Sequential<float> network({.steps = 5, .features = 1});
  network.add("lstm", reprise::Lstm<float>(1, {.units = 8, .return_sequences = true}));
  network.add("output", reprise::TimeDistributed<float>(8, {.units = 1}));
  const auto fresh = [&] {
    reprise::Chain<float> chain{network, reprise::Vector<float>(network.parameters().size())};
    network.initialize(chain.parameters.data(), 1);
    return chain;
  };
  const auto fit = [](reprise::Chain<float>& chain, Index epochs) {
    return reprise::Trainer<float>(chain.network, chain.parameters, chain.training)
        .fit(RunningSum(), {.epochs = epochs, .optimizer = reprise::Adam{.learning_rate = 0.02}});
  };
  auto whole = fresh(), parts = fresh();
  const auto history = fit(whole, 40);
  check(history.loss.back() < 0.1 * history.loss.front(), "own source: learns");
  fit(parts, 15);
  reprise::save(parts, "consumer_chain.safetensors");
  auto loaded = reprise::load<reprise::Chain<float>>("consumer_chain.safetensors");
  std::filesystem::remove("consumer_chain.safetensors");
  fit(loaded, 25);
  check(loaded.parameters == whole.parameters, "own source: saved, loaded and trained on");
}

}  // namespace

int main() {
  own_source();

  std::vector<float> series;
  for (int t = 0; t < 300; ++t) series.push_back(std::sin(0.3f * static_cast<float>(t)));
  const auto windows = reprise::sliding_windows(series, {.length = 12, .horizon = 2});
  check_through_file(reprise::Forecaster<float>({.steps = 12, .horizon = 2, .layers = {{.units = 6}}}),
                     windows, {.epochs = 6}, "forecaster");

  std::vector<std::vector<float>> sessions;
  for (std::size_t b = 0; b < 50; ++b) {
    sessions.emplace_back(series.begin() + static_cast<std::ptrdiff_t>(3 * b),
                          series.begin() + static_cast<std::ptrdiff_t>(3 * b + 2 + b % 5));
  }
  const reprise::Autoencoder<float> model({.steps = 6, .encoder = {{.units = 4}}, .decoder = {{.units = 4}}});
  check_through_file(model, reprise::padded<float>(sessions), {.epochs = 6}, "sessions");
  check_through_file(model, reprise::padded<float>(sessions), {.epochs = 6, .frozen = {"encoder"}}, "frozen");
  reprise::Autoencoder<float> frozen = model;
  frozen.fit(reprise::padded<float>(sessions), {.epochs = 3, .frozen = {"encoder"}});
  check(frozen.parameter("encoder.0.kernel") == model.parameter("encoder.0.kernel"), "frozen: stays");
  check(frozen.parameter("decoder.0.kernel") != model.parameter("decoder.0.kernel"),
        "frozen: the rest moves");

  if (failures == 0) std::cout << "trained, saved, loaded and trained on\n";
  return failures == 0 ? 0 : 1;
}
