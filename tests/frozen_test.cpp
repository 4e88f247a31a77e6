#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::Autoencoder;
using reprise::FitOptions;
using reprise::Index;
using reprise::ParameterRange;
using reprise::Sgd;
using reprise::TrainingEvent;
using reprise::TrainingStage;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::error_of;
using test::same_bits;

namespace {

/// Whether the tensor is under the prefix, by the plainest of definitions.
bool is_under(const std::string& name, const std::string& prefix) { return name.rfind(prefix + ".", 0) == 0; }

/// Of the tensors under the prefix, or of all others, how many have other bits in the second vector.
template <typename Scalar>
Index changed(const Autoencoder<Scalar>& model, const Vector<Scalar>& a, const Vector<Scalar>& b,
              const std::string& prefix, bool under) {
  Index count = 0;
  for (const auto& tensor : model.parameters()) {
    if (is_under(tensor.name, prefix) != under) continue;
    const Vector<Scalar> x = a.segment(tensor.offset, tensor.size()),
                         y = b.segment(tensor.offset, tensor.size());
    count += same_bits(x, y) ? 0 : 1;
  }
  return count;
}

}  // namespace

TEST_CASE_TEMPLATE("frozen: nothing touches it, and the rest trains on, bit for bit across two fits", Scalar,
                   float, double) {
  const Windows windows = test::wave_windows(40, 5);
  const reprise::Optimizer optimizers[] = {
      reprise::AdamW{.learning_rate = 0.01, .weight_decay = 0.1}, Sgd{.learning_rate = 0.1, .momentum = 0.9},
      reprise::RmsProp{.learning_rate = 0.01, .momentum = 0.9, .centered = true}};
  for (const auto& optimizer : optimizers) {
    CAPTURE(optimizer.index());
    Autoencoder<Scalar> model(test::small_model(5));
    model.fit(windows, {.epochs = 2, .optimizer = optimizer});  // so that there are moments
    const Vector<Scalar> before = model.weights();
    const auto moments = model.training_state().moments;
    FitOptions options{.epochs = 5, .batch_size = 16, .optimizer = optimizer, .frozen = {"encoder"}};
    Autoencoder<Scalar> whole = model;
    whole.fit(windows, options);
    CHECK(changed(model, before, whole.weights(), "encoder", true) == 0);
    CHECK(changed(model, before, whole.weights(), "encoder", false) == 8);
    for (const auto& [old_moment, moment] :
         {std::pair(moments.first, whole.training_state().moments.first),
          std::pair(moments.second, whole.training_state().moments.second),
          std::pair(moments.velocity, whole.training_state().moments.velocity)}) {
      if (old_moment.size() == 0) continue;
      CHECK(changed(model, old_moment, moment, "encoder", true) == 0);
      CHECK(changed(model, old_moment, moment, "encoder", false) == 8);
    }
    Autoencoder<Scalar> parts = model;
    options.epochs = 2;
    parts.fit(windows, options);
    options.epochs = 3;
    options.threads = 2;
    parts.fit(windows, options);
    CHECK(same_bits(parts.weights(), whole.weights()));
    CHECK(same_bits(parts.training_state().moments, whole.training_state().moments));
  }
}

TEST_CASE("frozen: it counts neither in the clip's norm nor in the event's") {
  const Windows windows = test::wave_windows(12, 5);
  const Autoencoder<double> start(test::small_model(5));
  test::Steps<double> steps(start, Sgd{});
  steps.loss(windows, test::numbers(0, 12));
  // The gradient of the rest alone, clipped to norm 1e-3, by hand.
  Vector<double> expected = start.weights(), rest = steps.gradient;
  for (const auto& tensor : start.parameters()) {
    if (is_under(tensor.name, "decoder")) rest.segment(tensor.offset, tensor.size()).setZero();
  }
  REQUIRE(rest.norm() < 0.95 * steps.gradient.norm());
  expected -= 0.5 * rest * (1e-3 / rest.norm());

  double norm = 0.0;
  Autoencoder<double> model = start;
  FitOptions options{.batch_size = 12,
                     .shuffle = false,
                     .optimizer = Sgd{.learning_rate = 0.5, .clip = reprise::GlobalClipNorm{1e-3}},
                     .frozen = {"decoder."}};
  options.callbacks = {[&](TrainingEvent& event) {
    if (event.stage == TrainingStage::batch_end) norm = event.gradient_norm;
  }};
  model.fit(windows, options);
  CHECK(norm == doctest::Approx(rest.norm()).epsilon(1e-12));
  CHECK(test::relative_difference(model.weights() - start.weights(), expected - start.weights()) < 1e-10);
}

TEST_CASE("frozen: a prefix ends at a dot, so that encoder.1 is none of encoder.10") {
  reprise::AutoencoderOptions options{.steps = 3, .decoder = {{.units = 2}}};
  for (int i = 0; i < 12; ++i) options.encoder.push_back({.units = 2});
  const Autoencoder<float> start(options);
  const Windows windows = test::wave_windows(8, 3);
  const auto trained = [&](std::vector<std::string> frozen) {
    Autoencoder<float> model = start;
    model.fit(windows, {.frozen = std::move(frozen)});
    return model;
  };
  const auto one = trained({"encoder.1"});
  CHECK(changed(one, start.weights(), one.weights(), "encoder.1", true) == 0);
  CHECK(changed(one, start.weights(), one.weights(), "encoder.10", true) > 0);
  CHECK(changed(one, start.weights(), one.weights(), "encoder.11", true) > 0);
  CHECK(changed(one, start.weights(), one.weights(), "encoder.0", true) > 0);
  const auto tensor = trained({"encoder.1.bias", "output."});
  CHECK(tensor.parameter("encoder.1.bias") == start.parameter("encoder.1.bias"));
  CHECK(tensor.parameter("encoder.1.kernel") != start.parameter("encoder.1.kernel"));
  CHECK(tensor.parameter("output.kernel") == start.parameter("output.kernel"));
}

TEST_CASE("frozen: unknown prefixes are refused by those known, and so is freezing everything") {
  const Windows windows = test::wave_windows(8, 5);
  const auto message = [&](std::vector<std::string> frozen) {
    Autoencoder<float> model(test::small_model(5));
    const Vector<float> before = model.weights();
    const std::string text = error_of([&] { model.fit(windows, {.frozen = std::move(frozen)}); });
    CHECK(same_bits(model.weights(), before));
    return text;
  };
  const std::string known =
      "fit: frozen: expected a tensor, or one of encoder, encoder.0, encoder.1, decoder, decoder.0, "
      "decoder.1, "
      "output, got ";
  for (const std::string unknown : {"enc", "encoder.2", "encoder.0.ker", "encoder.0.bias.", ".", "Encoder"}) {
    CAPTURE(unknown);
    CHECK(message({"output", unknown}) == known + unknown);
  }
  CHECK(message({""}) == known);
  CHECK(message({"encoder", "decoder", "output"}) ==
        "fit: frozen: expected some parameters that are not, got all of them");
}

TEST_CASE("frozen: a prefix that another one ends with is named once") {
  reprise::ParameterTable table;
  for (const char* const name :
       {"prelstm.kernel", "lstm.kernel", "lstm.bias", "lstm.cell.kernel", "pre.lstm"}) {
    table.add(name, 1, 1, false);
  }
  CHECK(reprise::detail::known_prefixes(table) == "prelstm, lstm, lstm.cell, pre");
  CHECK(reprise::detail::known_prefixes({}) == "");
}
