#include <doctest/doctest.h>

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <reprise/layers/decoder_input.hpp>
#include <reprise/layers/dense.hpp>
#include <reprise/layers/gru.hpp>
#include <reprise/layers/repeat_vector.hpp>
#include <reprise/layers/reverse.hpp>
#include <reprise/layers/sequential.hpp>
#include <reprise/models/autoencoder.hpp>
#include <reprise/training/array_source.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

// Layers that this library does not know, in its chains and models.
namespace {

using reprise::AnyLayer;
using reprise::Index;
using reprise::Matrix;
using reprise::ParameterTable;
using reprise::RandomStream;
using reprise::Sequences;
using reprise::SequenceShape;
using reprise::Sequential;
using reprise::Vector;
using test::contains;
using test::error_of;
using test::same_bits;

/// y = x^2, without an `infer`, and with a tape that holds x.
template <typename Scalar_>
struct Square : reprise::LayerDefaults<Scalar_> {
  using Base = reprise::LayerDefaults<Scalar_>;
  using typename Base::Call;
  using typename Base::Input;
  using typename Base::Output;

  const char* name() const { return "Square"; }
  reprise::LayerTraits traits() const { return {.lengths = reprise::Lengths::kept, .stepwise = true}; }
  Index tape_size(SequenceShape in, Index batch) const { return in.features * in.steps * batch; }
  void forward(Input x, Output y, const Call& call) const {
    for (Index i = 0; i < x.size(); ++i) {
      call.tape[i] = x.data[i];
      y.data[i] = x.data[i] * x.data[i];
    }
  }
  void backward(Input, Input, Input dy, Output dx, const Call& call) const {
    for (Index i = 0; i < dx.size(); ++i) dx.data[i] = 2 * call.tape[i] * dy.data[i];
  }
};
static_assert(reprise::Layer<Square<float>> && reprise::Layer<AnyLayer<double>>);

/// y = a x with one factor for each feature, which it learns.
template <typename Scalar_>
struct Scale : reprise::LayerDefaults<Scalar_> {
  using Base = reprise::LayerDefaults<Scalar_>;
  using typename Base::Call;
  using typename Base::Input;
  using typename Base::Output;
  Index features = 1;

  explicit Scale(Index features_) : features(features_) {}
  const char* name() const { return "Scale"; }
  SequenceShape output_shape(SequenceShape in) const {
    if (in.features != features) reprise::detail::fail("Scale", {features, " features"}, {in.features});
    return in;
  }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    table.add(prefix + "factor", features, 1, true);
  }
  void initialize(Scalar_* theta, RandomStream& random) const {
    for (Index f = 0; f < features; ++f) theta[f] = static_cast<Scalar_>(0.5 + random.uniform());
  }
  void forward(Input x, Output y, const Call& call) const {
    for (Index i = 0; i < x.size(); ++i) y.data[i] = call.theta[i % features] * x.data[i];
  }
  void backward(Input x, Input, Input dy, Output dx, const Call& call) const {
    for (Index i = 0; i < x.size(); ++i) {
      call.gradient[i % features] += x.data[i] * dy.data[i];
      if (dx.data != nullptr) dx.data[i] = call.theta[i % features] * dy.data[i];
    }
  }
};

Sequential<double> chain() {
  Sequential<double> network({.steps = 5, .features = 2});
  network.add("scale", Scale<double>(2));
  network.add("lstm", reprise::Lstm<double>(2, {.units = 3, .return_sequences = true}));
  network.add("square", Square<double>());
  network.add("output", reprise::Dense<double>(3, {.units = 2}));
  return network;
}

TEST_CASE("own layers: their gradients in a chain, and what inference makes of them") {
  const Sequential<double> network = chain();
  Vector<double> theta(network.parameters().size()), gradient = Vector<double>::Zero(theta.size());
  test::fill_uniform(theta, 3, -.9, .9);
  const Sequences<double> x = test::uniform_sequences<double>(2, 3, 5, 4);
  const Matrix<double> dy = test::uniform_matrix<double>(2, 15, 5);
  reprise::SequentialTape<double> tape;
  reprise::SequentialScratch<double> scratch;
  network.prepare(tape, 3);
  network.prepare(scratch, 3);
  const auto output = [&]() -> Matrix<double> {
    tape.input.matrix() = x.values();
    return network.forward(theta.data(), tape, scratch, {}).matrix();
  };
  const Matrix<double> y = output();
  network.output_gradient(tape, scratch).matrix() = dy;
  network.backward(theta.data(), tape, scratch, {}, gradient.data());
  for (const auto& info : network.parameters()) {
    Eigen::Map<Matrix<double>> values(theta.data() + info.offset, info.rows, info.cols);
    Eigen::Map<Matrix<double>> got(gradient.data() + info.offset, info.rows, info.cols);
    test::check_gradient(info.name, values, got, [&] { return output().cwiseProduct(dy).sum(); });
  }
  Sequences<double> inferred({.samples = 3, .steps = 5, .features = 2});
  reprise::SequentialScratch<double> fresh;
  network.infer(theta.data(), x.view(), inferred.view(), 0, 4, fresh);
  CHECK(test::relative_difference(inferred.values(), y) <= 1e-13);
}

TEST_CASE("own layers: the trainer trains a chain of them, with the same bits for any number of threads") {
  const reprise::Windows windows = test::wave_windows(200, 5, 2);
  const auto trained = [&](int threads) {
    const Sequential<double> network = chain();
    Vector<double> theta(network.parameters().size());
    network.initialize(theta.data(), 1);
    reprise::TrainingState<double> state;
    const auto history = reprise::Trainer<double>(network, theta, state)
                             .fit(windows, {.epochs = 3, .batch_size = 64, .threads = threads});
    CHECK(history.loss.back() < history.loss.front());
    return theta;
  };
  CHECK(same_bits(trained(1), trained(2)));
}

TEST_CASE("own layers: a copy of a layer shares it, and tells what it was made of") {
  const AnyLayer<double> layer = Scale<double>(4);
  const AnyLayer<double> copy = layer;
  REQUIRE(layer.get_if<Scale<double>>() != nullptr);
  CHECK(layer.get_if<Scale<double>>() == copy.get_if<Scale<double>>());
  CHECK(layer.get_if<Scale<double>>()->features == 4);
  CHECK(layer.get_if<Square<double>>() == nullptr);
  CHECK(copy.name() == "Scale");
}

TEST_CASE("sequential: names, widths and buffers that cannot be are refused, and change nothing") {
  Sequential<double> network = chain();
  const auto refused = [&](const std::string& name, AnyLayer<double> layer) {
    const std::string message = error_of([&] { network.add(name, std::move(layer)); });
    CHECK(network.size() == 4);
    CHECK(network.parameters().size() == chain().parameters().size());
    return message;
  };
  CHECK(contains(refused("square", Square<double>()), "a name that no other layer has, got square"));
  CHECK(contains(refused("", Square<double>()), "a layer with a name, got an empty one"));
  CHECK(contains(refused("more", Scale<double>(3)), "Scale: expected 3 features, got 2"));

  const Vector<double> theta = Vector<double>::Zero(network.parameters().size());
  reprise::SequentialTape<double> tape, moved;
  reprise::SequentialScratch<double> scratch, small;
  const auto forward = [&](auto& with_tape, auto& with_scratch) {
    return error_of([&] { network.forward(theta.data(), with_tape, with_scratch, {}); });
  };
  network.prepare(scratch, 8);
  network.prepare(small, 1);
  CHECK(
      contains(forward(tape, scratch), "Sequential: tape: expected one that was prepared for this network"));
  network.prepare(tape, 8);
  tape.input.matrix().setZero();
  CHECK(forward(tape, scratch) == error_of([] {}));
  CHECK_FALSE(std::is_copy_constructible_v<reprise::SequentialTape<double>>);
  CHECK_FALSE(std::is_copy_assignable_v<reprise::SequentialTape<double>>);
  moved = std::move(tape);
  CHECK(forward(moved, scratch) == error_of([] {}));
  CHECK(
      contains(forward(tape, scratch), "Sequential: tape: expected one that was prepared for this network"));
  tape = std::move(moved);
  CHECK(contains(forward(tape, small), "prepared for a batch of 8 samples"));
  Sequential<double> other({.steps = 5, .features = 2});
  other.add("dense", reprise::Dense<double>(2, {.units = 2}));
  CHECK(contains(error_of([&] { other.forward(theta.data(), tape, scratch, {}); }), "for this network"));
  // As many layers, the same input and output, and more in between.
  Sequential<double> larger({.steps = 5, .features = 2});
  larger.add("scale", Scale<double>(2));
  larger.add("lstm", reprise::Lstm<double>(2, {.units = 30, .return_sequences = true}));
  larger.add("square", Square<double>());
  larger.add("output", reprise::Dense<double>(30, {.units = 2}));
  const Vector<double> more = Vector<double>::Zero(larger.parameters().size());
  larger.prepare(scratch, 8);
  CHECK(contains(error_of([&] { larger.forward(more.data(), tape, scratch, {}); }), "for this network"));

  const Sequential<double> empty({.steps = 5, .features = 2});
  const Vector<double> none(0);
  CHECK(contains(error_of([&] { return reprise::evaluate(empty, none, test::wave_windows(4, 5, 2)); }),
                 "a network of at least one layer, got none"));
}

TEST_CASE("sequential: a chain that feeds its output back is whole, and its output like its input") {
  const auto refused = [](bool reversed, Index features, bool with_dense, bool with_reverse) {
    Sequential<double> network({.steps = 4, .features = 1});
    network.add("encoder", reprise::Lstm<double>(1, {.units = 3}));
    network.add("previous", reprise::PreviousValue<double>({.steps = 4, .features = 1}, reversed));
    if (with_dense) {
      network.add("decoder", reprise::Lstm<double>(1, {.units = 3, .return_sequences = true}));
      network.add("output", reprise::Dense<double>(3, {.units = features}));
      network.carry_state(0, 2);
    }
    if (with_reverse) network.add("reverse", reprise::Reverse<double>());
    const Vector<double> theta = Vector<double>::Zero(network.parameters().size());
    const Sequences<double> x({.samples = 2, .steps = 4, .features = 1});
    Sequences<double> y({.samples = 2, .steps = 4, .features = features});
    reprise::SequentialScratch<double> scratch;
    return error_of([&] {
      network.infer(theta.data(), x.view(), y.view(), 0, static_cast<std::size_t>(network.size()), scratch);
    });
  };
  CHECK(refused(false, 1, true, false) == error_of([] {}));
  CHECK(refused(true, 1, true, true) == error_of([] {}));
  CHECK(contains(refused(true, 1, true, false), "a last layer that turns the order of previous round"));
  CHECK(contains(refused(false, 2, true, false), "which previous feeds back for the input"));
  CHECK(contains(refused(false, 1, false, false), "a layer behind previous, got none"));

  Sequential<double> network({.steps = 4, .features = 1});
  network.add("encoder", reprise::Lstm<double>(1, {.units = 3}));
  network.add("previous", reprise::PreviousValue<double>({.steps = 4, .features = 1}, true));
  network.add("reverse", reprise::Reverse<double>());
  CHECK(contains(error_of([&] { network.add("output", reprise::Dense<double>(1, {.units = 1})); }),
                 "no layer behind reverse, which turns the order round"));
}

TEST_CASE("sequential: a reversed decoder under teacher forcing refuses samples of different lengths") {
  Sequential<double> network({.steps = 4, .features = 1});
  network.add("encoder", reprise::Lstm<double>(1, {.units = 3}));
  network.add("previous", reprise::PreviousValue<double>({.steps = 4, .features = 1}, true));
  network.add("decoder", reprise::Lstm<double>(1, {.units = 3, .return_sequences = true}));
  network.add("output", reprise::Dense<double>(3, {.units = 1}));
  network.add("reverse", reprise::Reverse<double>());
  network.carry_state(0, 2);
  Vector<double> theta(network.parameters().size());
  network.initialize(theta.data(), 1);
  reprise::TrainingState<double> state;
  const reprise::ArraySource<double> source(test::uniform_sequences<double>(1, 2, 4, 3), {4, 2});
  CHECK(contains(error_of([&] { reprise::Trainer<double>(network, theta, state).fit(source, {}); }),
                 "previous: expected samples that all have the same length"));
}

TEST_CASE("sequential: a state is handed over only between layers whose states have the same parts") {
  Sequential<double> network({.steps = 4, .features = 1});
  network.add("lstm", reprise::Lstm<double>(1, {.units = 4}));
  network.add("repeat", reprise::RepeatVector<double>(4));
  network.add("gru", reprise::Gru<double>(4, {.units = 8, .return_sequences = true}));
  CHECK(contains(error_of([&] { network.carry_state(0, 2); }), "a state of 8 values in 2, as lstm has"));
}

TEST_CASE("events: a copy that outlives its training refuses, and does not look") {
  reprise::TrainingEvent kept;
  reprise::Autoencoder<float> model({.steps = 5, .encoder = {{.units = 2}}, .decoder = {{.units = 2}}});
  model.fit(test::wave_windows(20, 5), {.callbacks = {[&](reprise::TrainingEvent& event) {
                                          CHECK(event.parameters().size() > 0);
                                          kept = event;
                                        }}});
  CHECK(kept.epoch == 1);
  CHECK(contains(error_of([&] { kept.history(); }), "expected an event that a training sent"));
}

// ---- Recurrent layers in an autoencoder ----

/// h_t = tanh of the mean of x_t and h_{t-1}: a recurrent layer without parameters.
struct AverageOptions;
template <typename Scalar_>
struct Average;
struct AverageOptions {
  template <typename Scalar>
  using Layer = Average<Scalar>;
  static constexpr const char* kind = "Average";
  bool return_sequences = false;
  bool go_backwards = false;
  double share = 0.5;
  friend bool operator==(const AverageOptions&, const AverageOptions&) = default;
};
template <typename Scalar_>
struct Average : reprise::LayerDefaults<Scalar_> {
  using Base = reprise::LayerDefaults<Scalar_>;
  using typename Base::Call;
  using typename Base::Input;
  using typename Base::Output;
  AverageOptions options;

  Average(Index, const AverageOptions& given) : options(given) {}
  const char* name() const { return "Average"; }
  SequenceShape output_shape(SequenceShape in) const {
    return {.steps = options.return_sequences ? in.steps : 1, .features = in.features};
  }
  Index tape_size(SequenceShape in, Index batch) const { return in.features * in.steps * batch; }
  void forward(Input x, Output y, const Call& call) const {
    const auto share = static_cast<Scalar_>(options.share);
    for (Index i = 0; i < x.size(); ++i) {
      const Scalar_ before = i < x.step_size() ? Scalar_(0) : call.tape[i - x.step_size()];
      call.tape[i] = std::tanh(share * before + (1 - share) * x.data[i]);
    }
    std::copy_n(call.tape + x.size() - y.size(), y.size(), y.data);
  }
  void backward(Input x, Input y, Input dy, Output dx, const Call& call) const {
    const auto share = static_cast<Scalar_>(options.share);
    Vector<Scalar_> dh = Vector<Scalar_>::Zero(x.step_size());
    for (Index i = x.size() - 1; i >= 0; --i) {
      Scalar_& d = dh[i % x.step_size()];
      if (i >= x.size() - y.size()) d += dy.data[i - (x.size() - y.size())];
      d *= 1 - call.tape[i] * call.tape[i];
      if (dx.data != nullptr) dx.data[i] = (1 - share) * d;
      d *= share;
    }
  }
};

TEST_CASE("recurrent layers: every way to say which, today's among them") {
  const std::vector<reprise::LstmOptions> stack{{.units = 4}, {.units = 2}};
  const reprise::AutoencoderOptions braced{
      .steps = 3, .encoder = {{.units = 4}, {.units = 2}}, .decoder = {{.units = 2}}};
  const reprise::AutoencoderOptions variable{.steps = 3, .encoder = stack, .decoder = {{.units = 2}}};
  const reprise::AutoencoderOptions named{
      .steps = 3,
      .encoder = {reprise::LstmOptions{.units = 4}, reprise::LstmOptions{.units = 2}},
      .decoder = {reprise::LstmOptions{.units = 2}}};
  CHECK(braced == variable);
  CHECK(braced == named);
  CHECK(braced.encoder.size() == 2);
  CHECK(braced.encoder[1].units == 2);
  CHECK(braced.encoder.front().units == 4);

  reprise::AutoencoderOptions changed = braced;
  for (reprise::LstmOptions& layer : changed.encoder) layer.dropout = 0.5;
  changed.encoder.push_back({.units = 7});
  CHECK(changed.encoder[1].dropout == 0.5);
  CHECK(changed.encoder.back().units == 7);
  CHECK_FALSE(changed == braced);
  CHECK(braced.encoder[1].dropout == 0.0);

  const reprise::RecurrentLayers mixed{AverageOptions{.share = 0.25}, reprise::LstmOptions{.units = 3}};
  CHECK(mixed[1].units == 3);
  CHECK(mixed.layer(0).get_if<AverageOptions>()->share == 0.25);
  CHECK(mixed.layer(0).get_if<reprise::LstmOptions>() == nullptr);
  CHECK(contains(error_of([&] { (void)mixed[0].units; }), "expected an LSTM"));
  reprise::RecurrentLayers copy = mixed;
  CHECK(copy == mixed);
  copy.layer(0).get_if<AverageOptions>()->share = 0.5;
  CHECK(mixed.layer(0).get_if<AverageOptions>()->share == 0.25);
  CHECK_FALSE(copy == mixed);
}

TEST_CASE("recurrent layers: an autoencoder trains with one that this library does not know") {
  const reprise::AutoencoderOptions options{
      .steps = 6,
      .features = 2,
      .encoder = {AverageOptions{}, reprise::LstmOptions{.units = 4}},
      .decoder = {reprise::LstmOptions{.units = 4}, AverageOptions{.share = 0.2}}};
  reprise::Autoencoder<double> model(options), again(options);
  CHECK(model.options().encoder.layer(0).return_sequences());
  CHECK_FALSE(model.options().encoder.layer(1).return_sequences());
  CHECK(model.options().decoder.layer(1).return_sequences());
  CHECK(model.code_size() == 4);
  const reprise::Windows windows = test::wave_windows(100, 6, 2);
  const auto history = model.fit(windows, {.epochs = 6, .optimizer = reprise::Adam{.learning_rate = 1e-2}});
  CHECK(history.loss.back() < 0.9 * history.loss.front());
  again.fit(windows, {.epochs = 2, .optimizer = reprise::Adam{.learning_rate = 1e-2}});
  again.fit(windows, {.epochs = 4, .optimizer = reprise::Adam{.learning_rate = 1e-2}});
  CHECK(same_bits(std::as_const(again).weights(), std::as_const(model).weights()));
}

TEST_CASE("own layers: the gradient of a recurrent one in an autoencoder") {
  test::Run<Average<double>> run(Average<double>(2, {.return_sequences = true}),
                                 test::uniform_sequences<double>(2, 3, 5, 6));
  test::check_gradients(run);
}

}  // namespace
