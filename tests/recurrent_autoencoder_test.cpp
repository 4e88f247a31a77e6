#include <doctest/doctest.h>

#include <reprise/layers/bidirectional.hpp>
#include <reprise/layers/gru.hpp>
#include <reprise/training/array_source.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

// GRU and Bidirectional layers as an autoencoder's, which knows nothing of them.

namespace {

using reprise::Autoencoder;
using reprise::AutoencoderOptions;
using reprise::BidirectionalOptions;
using reprise::FitOptions;
using reprise::GruOptions;
using reprise::Index;
using reprise::LstmOptions;
using reprise::MergeMode;
using reprise::Vector;
using reprise::Windows;
using test::relative_difference;
using test::same_bits;

AutoencoderOptions gru_model(bool reset_after, double dropout = 0) {
  const GruOptions large{
      .units = 5, .dropout = dropout, .recurrent_dropout = dropout, .reset_after = reset_after};
  GruOptions small = large;
  small.units = 3;
  return {.steps = 5, .features = 2, .encoder = {large, small}, .decoder = {small, large}};
}
/// Every kind of layer on either side.
AutoencoderOptions mixed_model(double dropout = 0) {
  return {.steps = 5,
          .features = 2,
          .encoder = {BidirectionalOptions{.layer = GruOptions{.units = 3, .dropout = dropout}},
                      BidirectionalOptions{.layer = LstmOptions{.units = 4, .recurrent_dropout = dropout},
                                           .merge_mode = MergeMode::mul}},
          .decoder = {LstmOptions{.units = 4},
                      BidirectionalOptions{.layer = GruOptions{.units = 4, .dropout = dropout},
                                           .merge_mode = MergeMode::ave}}};
}
AutoencoderOptions gru_model_from_state(reprise::DecoderInput input) {
  AutoencoderOptions options = gru_model(true);
  options.decoder_input = input;
  options.decoder_state = reprise::DecoderState::encoder;
  options.reverse_decoder = true;
  return options;
}
std::vector<AutoencoderOptions> models(double dropout) {
  std::vector<AutoencoderOptions> all{gru_model(true, dropout), gru_model(false, dropout),
                                      mixed_model(dropout)};
  for (const auto input : {reprise::DecoderInput::repeated_code, reprise::DecoderInput::zeros,
                           reprise::DecoderInput::previous_value}) {
    all.push_back(gru_model_from_state(input));
  }
  return all;
}

FitOptions epochs(int count, int threads = 1) {
  return {.epochs = count, .batch_size = 40, .validation_split = 0.2, .threads = threads};
}

}  // namespace

TEST_CASE("recurrent autoencoders: the gradient of a batch is that of its loss") {
  const Windows windows = test::wave_windows(6, 5, 2);
  const auto batch = test::numbers(0, 6);
  for (const AutoencoderOptions& options : models(0.3)) {
    test::Steps<double> run(Autoencoder<double>(options), reprise::Adam{});
    run.theta *= 1.5;  // the first values of a network are small, and so are its gradients
    run.loss(windows, batch);
    const Vector<double> gradient = run.gradient;
    for (const auto& info : run.model.parameters()) {
      if (options.decoder_input == reprise::DecoderInput::zeros && info.name == "decoder.0.kernel") {
        CHECK(gradient.segment(info.offset, info.size()).isZero(0));
        continue;
      }
      test::check_gradient(
          info.name, run.theta.segment(info.offset, info.size()), gradient.segment(info.offset, info.size()),
          [&] { return run.loss(windows, batch); }, 1e-5);
    }
  }
}

TEST_CASE_TEMPLATE("recurrent autoencoders: 10 epochs and then 20 give the bits of 30", Scalar, float,
                   double) {
  const Windows windows = test::wave_windows(45, 5, 2);
  for (const AutoencoderOptions& options : models(0.2)) {
    Autoencoder<Scalar> whole(options), parts = whole;
    whole.fit(windows, epochs(30));
    parts.fit(windows, epochs(10));
    CHECK_FALSE(same_bits(parts.weights(), whole.weights()));
    parts.fit(windows, epochs(20));
    CHECK(same_bits(parts.weights(), whole.weights()));
    CHECK(same_bits(parts.training_state().moments, whole.training_state().moments));
  }
}

TEST_CASE("recurrent autoencoders: any number of threads gives the same bits") {
  const Windows windows = test::wave_windows(160, 5, 2);
  for (const AutoencoderOptions& options : models(0.2)) {
    const Autoencoder<float> start(options);
    Autoencoder<float> expected = start;
    FitOptions fit = epochs(2);
    fit.batch_size = 100;
    expected.fit(windows, fit);
    for (const int threads : {2, 3}) {
      Autoencoder<float> model = start;
      fit.threads = threads;
      model.fit(windows, fit);
      CHECK(same_bits(model.weights(), expected.weights()));
    }
  }
}

TEST_CASE("recurrent autoencoders: learn") {
  const Windows windows = test::wave_windows(100, 5, 2);
  for (const AutoencoderOptions& options : models(0)) {
    Autoencoder<float> model(options);
    const double before = model.evaluate(windows);
    FitOptions fit = epochs(60);
    fit.optimizer = reprise::Adam{.learning_rate = 0.02};
    model.fit(windows, fit);
    CHECK(model.evaluate(windows) < 0.4 * before);
  }
}

TEST_CASE("recurrent autoencoders: names of parameters and layers") {
  const Autoencoder<float> model(mixed_model());
  const auto& table = model.parameters();
  for (const char* name : {"encoder.0.forward.recurrent_bias", "encoder.1.backward.kernel",
                           "decoder.0.recurrent_kernel", "decoder.1.forward.bias", "output.kernel"}) {
    CAPTURE(name);
    CHECK(std::any_of(table.begin(), table.end(), [&](const auto& info) { return info.name == name; }));
  }
  CHECK(model.network().entries().front().layer.name() == "Bidirectional(GRU)");
}

TEST_CASE("recurrent autoencoders: samples of different lengths") {
  const Windows windows = test::wave_windows(70, 5, 2);
  reprise::Sequences<float> values({.samples = 70, .steps = 5, .features = 2});
  windows.gather<float>(test::numbers(0, 70), values.view());
  std::vector<Index> lengths;
  for (Index b = 0; b < 70; ++b) {
    lengths.push_back(1 + (7 * b) % 5);
    for (Index t = lengths.back(); t < 5; ++t) values.view().step(t).col(b).setConstant(99);
  }
  const reprise::Source source = reprise::ArraySource<float>(values, lengths);
  for (const AutoencoderOptions& options : {gru_model(true, 0.2), gru_model(false, 0.2), mixed_model(0.2)}) {
    Autoencoder<float> whole(options), parts = whole, threads = whole;
    whole.fit(source, epochs(6));
    parts.fit(source, epochs(2));
    parts.fit(source, epochs(4));
    CHECK(same_bits(parts.weights(), whole.weights()));
    threads.fit(source, epochs(6, 3));
    CHECK(same_bits(threads.weights(), whole.weights()));

    // Each sample is reconstructed as it is alone.
    const auto output = whole.reconstruct(source);
    for (const Index b : {0, 1, 2, 3, 4}) {
      const Index length = lengths[static_cast<std::size_t>(b)];
      reprise::Sequences<float> one = test::samples_of(values, b, 1);
      one = whole.reconstruct(reprise::ArraySource<float>(one, {length}));
      for (Index t = 0; t < length; ++t) {
        CHECK(relative_difference(output.view().step(t).col(b), one.view().step(t)) < 1e-4);
      }
    }
  }
}
