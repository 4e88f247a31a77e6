#include "golden_recurrent.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <reprise/layers/sequential.hpp>
#include <reprise/training/array_source.hpp>
#include <reprise/training/trainer.hpp>
#include <span>

#include "golden_compare.hpp"
#include "gradient_check.hpp"

// GRU, Bidirectional, and sequences of different lengths, against the numbers that Keras computed.

using namespace test;  // the comparisons
using golden::Tensor;
using golden::Tensors;

namespace {

const golden::Json& recurrent_file() {
  static const golden::Json json = golden::file("recurrent");
  return json;
}

/// The parts of a layer's state, or their gradients, one after the other.
template <typename Scalar>
Vector<Scalar> state_of(const std::vector<Tensor>& parts) {
  std::vector<double> all;
  for (const Tensor& part : parts) all.insert(all.end(), part.data.begin(), part.data.end());
  return vector_of<Scalar>({{static_cast<Index>(all.size())}, all});
}
/// The same as one tensor, to be compared.
Tensor joined(const std::vector<Tensor>& parts) {
  Tensor result{{0}, {}};
  for (const Tensor& part : parts) {
    result.data.insert(result.data.end(), part.data.begin(), part.data.end());
  }
  result.shape[0] = static_cast<Index>(result.data.size());
  return result;
}
template <typename Scalar>
Tensor joined(const Vector<Scalar>& values) {
  return tensor_of(values.data(), {values.size()}, values.size());
}

/// Keras's outputs of a layer that goes backwards over padded sequences begin with the padding, ours end with
/// it: moves each sample's `lengths[b]` steps from the end to the beginning, and sets the others to 0.
Tensor padding_last(const Tensor& tensor, const std::vector<Index>& lengths) {
  const Index steps = tensor.shape[1], features = tensor.shape[2];
  Tensor result{tensor.shape, std::vector<double>(tensor.data.size(), 0.0)};
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    const auto sample = tensor.data.begin() + static_cast<Index>(b) * steps * features;
    std::copy(sample + (steps - lengths[b]) * features, sample + steps * features,
              result.data.begin() + static_cast<Index>(b) * steps * features);
  }
  return result;
}
/// The same values with 0 beyond each sample's end.
Tensor without_padding(Tensor tensor, const std::vector<Index>& lengths) {
  const Index steps = tensor.shape[1], features = tensor.shape[2];
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    const auto sample = tensor.data.begin() + static_cast<Index>(b) * steps * features;
    std::fill(sample + lengths[b] * features, sample + steps * features, 0.0);
  }
  return tensor;
}

template <typename Scalar>
void check_layer(const golden::RecurrentCase& one, Comparison<Scalar>& comparison) {
  comparison.begin(one.name);
  const auto layer = one.options.template make<Scalar>(one.x.shape.back());
  test::Run<reprise::AnyLayer<Scalar>> run(layer, sequences_of<Scalar>(one.x));
  run.context.training = true;
  run.lengths = one.lengths;
  run.theta = parameters_of<Scalar>(run.table, one.parameters);
  REQUIRE(one.output_upstream.shape == one.output.shape);
  const bool moved = !one.lengths.empty() && one.options.go_backwards() && one.options.return_sequences();
  const auto ours = [&](const Tensor& keras) { return moved ? padding_last(keras, one.lengths) : keras; };
  run.dy = sequences_of<Scalar>(ours(one.output_upstream));
  REQUIRE(run.dy.values().size() == run.y.values().size());

  const Index size = layer.state_size() * run.x.batch();
  Vector<Scalar> final(size), initial_gradient(size);
  const Vector<Scalar> final_gradient = state_of<Scalar>(one.final_upstream);
  REQUIRE(final_gradient.size() == size);
  const Vector<Scalar> initial = state_of<Scalar>(one.initial);
  reprise::LayerStates<Scalar> states{.final = final.data(), .final_gradient = final_gradient.data()};
  if (!one.initial.empty()) {
    REQUIRE(initial.size() == size);
    states.initial = initial.data();
    states.initial_gradient = initial_gradient.data();
  }
  Vector<Scalar> x_mask, h_mask;
  reprise::DropoutMasks<Scalar> masks;
  if (one.x_mask) {
    x_mask = vector_of<Scalar>(*one.x_mask);
    masks.inputs = x_mask.data();
  }
  if (one.h_mask) {
    h_mask = vector_of<Scalar>(*one.h_mask);
    masks.recurrent = h_mask.data();
  }

  const auto check_outputs = [&](const std::string& when) {
    Tensor output = tensor_of(run.y, one.output.shape.size());
    if (moved) output = without_padding(output, one.lengths);
    comparison.check(outputs, when + "output", output, ours(one.output));
    comparison.check(outputs, when + "final state", joined(final), joined(one.final));
  };
  if (!one.x_mask && !one.h_mask) {
    run.infer(states);
    check_outputs("inferred ");
    final.setZero();
  }
  run.forward(states, masks);
  check_outputs("");

  run.backward(true, states);
  Tensors expected = one.gradient;
  REQUIRE(expected.contains("x"));
  comparison.check(gradients, "gradient of x", tensor_of(run.dx), expected.at("x"));
  expected.erase("x");
  if (!one.initial.empty()) {
    comparison.check(gradients, "gradient of the initial state", joined(initial_gradient),
                     joined(one.initial_gradient));
  }
  comparison.check(gradients, "gradient of", run.table, run.gradient, expected);
}

}  // namespace

TEST_CASE_TEMPLATE("golden: GRU, Bidirectional, and lengths", Scalar, double, float) {
  Comparison<Scalar> comparison("recurrent");
  for (const golden::RecurrentCase& one : golden::recurrent_layers(recurrent_file())) {
    check_layer(one, comparison);
  }
}

TEST_CASE("golden: what the recurrent layers cover") {
  const auto cases = golden::recurrent_layers(recurrent_file());
  CHECK(cases.size() >= 79);
  std::set<std::string> seen, activations, recurrent_activations;
  for (const golden::RecurrentCase& one : cases) {
    CAPTURE(one.name);
    const std::string form = one.options.return_sequences() ? "sequences" : "last";
    const std::string reading = one.options.go_backwards() ? " backwards" : "";
    seen.insert(one.layer + (one.lengths.empty() ? "" : ", lengths") + ", " + form + reading);
    const std::set<Index> lengths(one.lengths.begin(), one.lengths.end());
    CHECK((one.lengths.empty() || lengths.size() > 2));
    CHECK(std::is_sorted(one.lengths.rbegin(), one.lengths.rend()));
    CHECK_FALSE(all_zero(one.output_upstream));
    if (const auto* both = one.options.get_if<reprise::BidirectionalOptions>()) {
      const auto mode = static_cast<std::size_t>(both->merge_mode);
      seen.insert(one.layer + " " + std::string(enumerator_names(reprise::MergeMode{})[mode]));
    }
    const auto* gru = one.options.get_if<reprise::GruOptions>();
    if (gru == nullptr) continue;
    const std::string reset = gru->reset_after ? "after" : "before";
    activations.emplace(name_of(gru->activation));
    recurrent_activations.emplace(name_of(gru->recurrent_activation));
    seen.insert(reset + ", " + yes_no("bias", gru->use_bias));
    seen.insert(reset + ", " + yes_no("initial state", !one.initial.empty()));
    seen.insert(reset + ", " + yes_no("x_mask", one.x_mask.has_value()) + ", " +
                yes_no("h_mask", one.h_mask.has_value()));
  }
  CHECK(missing(activations, all_activations()) == "");
  CHECK(missing(recurrent_activations, all_activations()) == "");
  for (const std::string layer : {"lstm, lengths", "gru, lengths", "gru"}) {
    CHECK(missing(seen, {layer + ", sequences", layer + ", last", layer + ", sequences backwards",
                         layer + ", last backwards"}) == "");
  }
  for (const std::string layer : {"bidirectional lstm", "bidirectional gru"}) {
    CHECK(missing(seen, {layer + ", sequences", layer + ", last", layer + ", lengths, sequences",
                         layer + ", lengths, last", layer + " concat", layer + " sum", layer + " ave",
                         layer + " mul"}) == "");
  }
  for (const std::string reset : {"after", "before"}) {
    CHECK(missing(seen, {reset + ", bias", reset + ", no bias", reset + ", initial state",
                         reset + ", no initial state", reset + ", x_mask, h_mask",
                         reset + ", x_mask, no h_mask", reset + ", no x_mask, h_mask"}) == "");
  }
}

// ---- Training under a mask ----

namespace {

template <typename Scalar>
struct Batch {
  std::vector<Index> samples, lengths;  // the longest first
  std::vector<Index> places;            // of each, within the batch as it was drawn
  std::vector<double> weights;
  Index valid = 0;
};

/// Samples [first, last), sorted by length.
template <typename Scalar>
Batch<Scalar> sorted_batch(const golden::MaskedFit& fit, Index first, Index last) {
  Batch<Scalar> batch;
  for (Index b = first; b < last; ++b) batch.samples.push_back(b);
  const auto length = [&](Index b) { return fit.lengths[static_cast<std::size_t>(b)]; };
  std::stable_sort(batch.samples.begin(), batch.samples.end(),
                   [&](Index a, Index b) { return length(a) > length(b); });
  for (const Index b : batch.samples) {
    batch.lengths.push_back(length(b));
    batch.places.push_back(b - first);
    batch.weights.push_back(fit.sample_weights[static_cast<std::size_t>(b)]);
    batch.valid += length(b);
  }
  return batch;
}

/// A network, and one pass of it over a batch whose samples have different lengths.
template <typename Scalar>
struct MaskedNetwork {
  reprise::Sequential<Scalar> network;
  reprise::SequentialTape<Scalar> tape;
  reprise::SequentialScratch<Scalar> scratch;
  Vector<Scalar> gradient;

  static void gather(const Sequences<Scalar>& all, const std::vector<Index>& samples,
                     reprise::SequenceView<Scalar> to) {
    for (Index t = 0; t < all.steps(); ++t) {
      for (std::size_t b = 0; b < samples.size(); ++b) {
        to.step(t).col(static_cast<Index>(b)) = all.view().step(t).col(samples[b]);
      }
    }
  }

  double loss_and_gradient(const Vector<Scalar>& theta, const Sequences<Scalar>& x,
                           const Sequences<Scalar>& y, const Batch<Scalar>& batch) {
    const auto count = static_cast<Index>(batch.samples.size());
    network.prepare(tape, count);
    network.prepare(scratch, count);
    tape.lengths = batch.lengths;
    gather(x, batch.samples, tape.input);
    Sequences<Scalar> target({.samples = count, .steps = y.steps(), .features = y.features()});
    gather(y, batch.samples, target.view());
    const reprise::LayerContext context{.training = true, .places = batch.places};
    const auto output = network.forward(theta.data(), tape, scratch, context);
    const double scale = static_cast<double>(y.steps()) / static_cast<double>(batch.valid);
    const double sum = reprise::loss_sum<Scalar>(reprise::MeanSquaredError{}, output,
                                                 std::as_const(target).view(), batch.weights, scale,
                                                 network.output_gradient(tape, scratch), 0, batch.lengths);
    gradient.setZero(network.parameters().size());
    network.backward(theta.data(), tape, scratch, context, gradient.data());
    return sum * scale;
  }

  /// In the order of the samples, 0 beyond each one's end.
  Tensor output(const Vector<Scalar>& theta, const Sequences<Scalar>& x, const golden::MaskedFit& fit) {
    const Batch<Scalar> batch = sorted_batch<Scalar>(fit, 0, x.batch());
    Sequences<Scalar> sorted({.samples = x.batch(), .steps = x.steps(), .features = x.features()}),
        made({.samples = x.batch(), .steps = x.steps(), .features = 1}), y = made;
    gather(x, batch.samples, sorted.view());
    network.infer(theta.data(), std::as_const(sorted).view(), made.view(), 0,
                  static_cast<std::size_t>(network.size()), scratch, batch.lengths);
    for (Index t = 0; t < x.steps(); ++t) {
      for (std::size_t b = 0; b < batch.samples.size(); ++b) {
        y.view().step(t).col(batch.samples[b]) = made.view().step(t).col(static_cast<Index>(b));
      }
    }
    return without_padding(tensor_of(y), fit.lengths);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("golden: training under a mask", Scalar, double, float) {
  Comparison<Scalar> comparison("recurrent");
  for (const golden::MaskedFit& fit : golden::masked_fits(recurrent_file())) {
    comparison.begin(fit.name);
    const Sequences<Scalar> x = sequences_of<Scalar>(fit.x), y = sequences_of<Scalar>(fit.y);
    MaskedNetwork<Scalar> run{reprise::Sequential<Scalar>(x.shape()), {}, {}, {}};
    run.network.add("recurrent", fit.options.template make<Scalar>(x.features()));
    run.network.add("output", reprise::Dense<Scalar>(run.network.output_shape().features, {.units = 1}));
    const ParameterTable& table = run.network.parameters();
    Vector<Scalar> theta = parameters_of<Scalar>(table, fit.parameters);
    comparison.check(outputs, "output", run.output(theta, x, fit), without_padding(fit.output, fit.lengths));

    std::vector<Batch<Scalar>> batches;
    for (Index first = 0; first < x.batch(); first += fit.batch_size) {
      batches.push_back(sorted_batch<Scalar>(fit, first, std::min(x.batch(), first + fit.batch_size)));
    }
    REQUIRE(batches.size() == fit.batch_losses.front().size());
    run.loss_and_gradient(theta, x, y, batches.front());
    comparison.check(gradients, "gradient of", table, run.gradient, fit.gradient);

    const reprise::Optimizer adam = reprise::Adam{.learning_rate = fit.learning_rate};
    auto state = reprise::initial_state<Scalar>(adam, table.size());
    for (std::size_t epoch = 0; epoch < fit.batch_losses.size(); ++epoch) {
      for (std::size_t b = 0; b < batches.size(); ++b) {
        comparison.check(adam_steps, "loss of a batch", run.loss_and_gradient(theta, x, y, batches[b]),
                         fit.batch_losses[epoch][b]);
        reprise::apply_update<Scalar>(adam, table, state, 1.0, run.gradient, theta);
      }
    }
    comparison.check(adam_steps, "after the last step", table, theta, fit.after);
    comparison.check(adam_steps, "prediction", run.output(theta, x, fit),
                     without_padding(fit.prediction, fit.lengths));
    comparison.check(adam_steps, "evaluation",
                     run.loss_and_gradient(theta, x, y, sorted_batch<Scalar>(fit, 0, x.batch())),
                     fit.evaluation);
  }
}

TEST_CASE_TEMPLATE("golden: evaluation under a mask divides by all valid steps", Scalar, double, float) {
  Comparison<Scalar> comparison("recurrent");
  for (const golden::MaskedFit& fit : golden::masked_fits(recurrent_file())) {
    comparison.begin(fit.name);
    const Sequences<Scalar> x = sequences_of<Scalar>(fit.x), y = sequences_of<Scalar>(fit.y);
    reprise::Sequential<Scalar> network(x.shape());
    network.add("recurrent", fit.options.template make<Scalar>(x.features()));
    network.add("output", reprise::Dense<Scalar>(network.output_shape().features, {.units = 1}));
    const Vector<Scalar> theta = parameters_of<Scalar>(network.parameters(), fit.after);
    const reprise::Source source = reprise::ArraySource<Scalar>(x, y, fit.lengths);
    for (const Index batch_size : {x.batch(), fit.batch_size}) {
      comparison.check(adam_steps, "evaluation",
                       reprise::evaluate(network, theta, source, {.batch_size = batch_size}),
                       fit.unweighted_evaluation);
    }
  }
}
