#include <doctest/doctest.h>

#include <array>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

// The kinds of decoders: what the first layer reads, the state it starts from, and the order of the steps.

using reprise::Autoencoder;
using reprise::AutoencoderOptions;
using reprise::DecoderInput;
using reprise::DecoderState;
using reprise::Index;
using reprise::Sequences;
using reprise::SequenceShape;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::error_of;
using test::same_bits;

namespace {

/// All that can be, of two layers a side.
std::vector<AutoencoderOptions> variants(Index steps, Index features) {
  std::vector<AutoencoderOptions> all;
  for (const bool reversed : {false, true}) {
    for (const auto state : {DecoderState::zeros, DecoderState::encoder}) {
      for (const auto input :
           {DecoderInput::repeated_code, DecoderInput::zeros, DecoderInput::previous_value}) {
        if (state == DecoderState::zeros && input != DecoderInput::repeated_code) continue;
        AutoencoderOptions options = test::small_model(steps, features);
        options.decoder_input = input;
        options.decoder_state = state;
        options.reverse_decoder = reversed;
        all.push_back(options);
      }
    }
  }
  return all;
}
std::string name_of(const AutoencoderOptions& options) {
  static const char* inputs[] = {"code", "zeros", "previous"};
  return std::string(inputs[static_cast<int>(options.decoder_input)]) +
         (options.decoder_state == DecoderState::encoder ? ", encoder's state" : "") +
         (options.reverse_decoder ? ", reversed" : "");
}

/// With weights large enough that every part of the network shows.
template <typename Scalar>
Autoencoder<Scalar> model_of(const AutoencoderOptions& options) {
  Autoencoder<Scalar> model(options);
  auto weights = model.writable_weights();
  test::fill_uniform(weights, 7, -0.8, 0.8);
  return model;
}

template <typename Scalar>
Sequences<Scalar> all_of(const Windows& windows) {
  Sequences<Scalar> batch(
      {.samples = windows.size(), .steps = windows.length(), .features = windows.features()});
  windows.gather<Scalar>(test::numbers(0, windows.size()), batch.view());
  return batch;
}

/// The whole model written out, one step at a time, from the parameters by their names. `forced`: the decoder
/// sees the true previous value.
class Plain {
 public:
  using Matrix = reprise::Matrix<double>;

  explicit Plain(const Autoencoder<double>& model) : model_(model) {}

  Sequences<double> operator()(const Sequences<double>& x, bool forced) const {
    const auto& options = model_.options();
    const Index B = x.batch(), T = x.steps();
    std::array<State, 2> encoder = {zero(5, B), zero(3, B)};
    for (Index t = 0; t < T; ++t) {
      step("encoder.0", encoder[0], x.view().step(t));
      step("encoder.1", encoder[1], encoder[0].h);
    }
    std::array<State, 2> decoder = {zero(3, B), zero(5, B)};
    if (options.decoder_state == DecoderState::encoder) decoder = {encoder[1], encoder[0]};
    Sequences<double> y({.samples = B, .steps = T, .features = x.features()});
    Matrix previous = Matrix::Zero(x.features(), B);
    for (Index k = 0; k < T; ++k) {
      const Index t = options.reverse_decoder ? T - 1 - k : k;
      switch (options.decoder_input) {
        case DecoderInput::repeated_code: step("decoder.0", decoder[0], encoder[1].h); break;
        case DecoderInput::zeros: step("decoder.0", decoder[0], Matrix::Zero(1, B)); break;
        case DecoderInput::previous_value: step("decoder.0", decoder[0], previous); break;
      }
      step("decoder.1", decoder[1], decoder[0].h);
      y.view().step(t) = (model_.parameter("output.kernel") * decoder[1].h).colwise() +
                         Vector<double>(model_.parameter("output.bias"));
      previous = forced ? Matrix(x.view().step(t)) : Matrix(y.view().step(t));
    }
    return y;
  }

 private:
  struct State {
    Matrix h, c;
  };
  static State zero(Index units, Index batch) {
    return {Matrix::Zero(units, batch), Matrix::Zero(units, batch)};
  }
  void step(const std::string& name, State& state, const Matrix& x) const {
    const Matrix w = model_.parameter(name + ".kernel"), u = model_.parameter(name + ".recurrent_kernel");
    const Vector<double> b = model_.parameter(name + ".bias");
    const Matrix z = (w * x + u * state.h).colwise() + b;
    const Index H = u.cols();
    const auto sigmoid = [&](Index gate) {
      return Matrix(((-z.middleRows(gate * H, H)).array().exp() + 1).inverse());
    };
    state.c = sigmoid(1).cwiseProduct(state.c) +
              sigmoid(0).cwiseProduct(Matrix(z.middleRows(2 * H, H).array().tanh()));
    state.h = sigmoid(3).cwiseProduct(Matrix(state.c.array().tanh()));
  }

  const Autoencoder<double>& model_;
};

double mean_square(const Sequences<double>& a, const Sequences<double>& b) {
  return (a.values() - b.values()).squaredNorm() / static_cast<double>(a.values().size());
}

}  // namespace

TEST_CASE("decoder: every kind reconstructs as its equations say") {
  const Windows windows = test::wave_windows(70, 20, 2);  // more than inference takes at once, either way
  const auto input = all_of<double>(windows);
  std::vector<Sequences<double>> outputs;
  for (const AutoencoderOptions& options : variants(20, 2)) {
    CAPTURE(name_of(options));
    const auto model = model_of<double>(options);
    const auto expected = Plain(model)(input, false);
    CHECK(test::relative_difference(model.reconstruct(windows).values(), expected.values()) <= 1e-12);
    CHECK(test::relative_difference(model.reconstruct(input).values(), expected.values()) <= 1e-12);
    CHECK(model.evaluate(windows) == doctest::Approx(mean_square(input, expected)).epsilon(1e-12));

    auto in_float = model_of<float>(options);
    in_float.set_weights(model.weights().cast<float>());
    CHECK(test::relative_difference(in_float.reconstruct(windows).values(), expected.values()) <= 1e-4);
    for (const auto& other : outputs) {  // no two kinds are the same
      CHECK(test::relative_difference(other.values(), expected.values()) > 1e-2);
    }
    outputs.push_back(expected);
  }
  CHECK(outputs.size() == 8);
}

TEST_CASE("decoder: the loss of a training step, and its gradient through states and inputs") {
  const Windows windows = test::wave_windows(35, 5, 2);  // a whole shard and a part of one
  const auto input = all_of<double>(windows);
  const auto batch = test::numbers(0, 35);
  for (const AutoencoderOptions& options : variants(5, 2)) {
    CAPTURE(name_of(options));
    test::Steps<double> steps(model_of<double>(options), reprise::Adam{});
    CHECK(steps.loss(windows, batch) ==
          doctest::Approx(mean_square(input, Plain(steps.model)(input, true))).epsilon(1e-12));
    const Vector<double> gradient = steps.gradient;
    for (const auto& info : steps.model.parameters()) {
      using Map = Eigen::Map<reprise::Matrix<double>>;
      Vector<double> copy = gradient;
      const Map analytic(copy.data() + info.offset, info.rows, info.cols);
      if (options.decoder_input == DecoderInput::zeros && info.name == "decoder.0.kernel") {
        CHECK(analytic.isZero(0.0));  // it never meets a value
        continue;
      }
      test::check_gradient(info.name,
                           test::Block(Map(steps.theta.data() + info.offset, info.rows, info.cols)), analytic,
                           [&] { return steps.loss(windows, batch); });
    }
  }
}

TEST_CASE_TEMPLATE("decoder: a workspace of the caller changes nothing", Scalar, float, double) {
  const auto input = all_of<Scalar>(test::wave_windows(40, 6, 2));
  reprise::InferenceWorkspace<Scalar> workspace;
  for (const AutoencoderOptions& options : variants(6, 2)) {
    CAPTURE(name_of(options));
    const auto model = model_of<Scalar>(options);
    const auto expected = model.reconstruct(input);
    for (const Index batch : {40, 3, 40, 1}) {
      const auto part = test::samples_of(input, 0, batch);
      Sequences<Scalar> output({.samples = batch, .steps = 6, .features = 2});
      model.reconstruct(std::as_const(part).view(), output.view(), workspace);
      CHECK(test::relative_difference(output.values(), test::samples_of(expected, 0, batch).values()) <=
            1e-5);
      if (batch == 40) CHECK(same_bits(output.values(), expected.values()));
    }
  }
}

TEST_CASE_TEMPLATE("decoder: training goes on and does not depend on threads", Scalar, float, double) {
  const Windows windows =
      reprise::sliding_windows(test::wave(100, 2), {.length = 12, .patch = 3});  // 4 steps of 6
  for (AutoencoderOptions options : variants(4, 6)) {
    CAPTURE(name_of(options));
    for (auto* side : {&options.encoder, &options.decoder}) {
      for (reprise::LstmOptions& layer : *side) layer.dropout = layer.recurrent_dropout = 0.1;
    }
    const reprise::FitOptions in_two{.epochs = 2,
                                     .batch_size = 70,
                                     .validation_split = 0.2,
                                     .optimizer = reprise::Adam{.learning_rate = 0.02}};
    reprise::FitOptions at_once = in_two;
    at_once.epochs = 4;
    at_once.threads = 3;
    Autoencoder<Scalar> one(options), other(options);
    one.fit(windows, in_two);
    one.fit(windows, in_two);
    other.fit(windows, at_once);
    CHECK(same_bits(one.weights(), other.weights()));
  }
}

TEST_CASE("decoder: every kind learns a sine") {
  std::vector<double> sine;
  for (int t = 0; t < 120; ++t) sine.push_back(std::sin(0.4 * t));
  const Windows windows = reprise::sliding_windows(sine, {.length = 8});
  for (const AutoencoderOptions& options : variants(8, 1)) {
    CAPTURE(name_of(options));
    Autoencoder<float> model(options);
    model.fit(windows, {.epochs = 60, .batch_size = 16, .optimizer = reprise::Adam{.learning_rate = 0.02}});
    CHECK(model.evaluate(windows) < 0.05);  // of 0.5 that a constant would leave
  }
}

TEST_CASE("decoder: teacher forcing where a window's last patch is padded") {
  AutoencoderOptions options = test::small_model(3, 3);
  options.decoder_input = DecoderInput::previous_value;
  options.decoder_state = DecoderState::encoder;
  const Windows padded = reprise::sliding_windows(test::wave(20), {.length = 8, .patch = 3});
  const Windows whole = reprise::sliding_windows(test::wave(20), {.length = 9, .patch = 3});
  const auto& refused =
      "whole patches, since the decoder starts with the last one and reads it as the value "
      "before, got 8 steps in patches of 3";
  Autoencoder<double> model(options);
  model.fit(padded);  // decoded last, it is never read
  CHECK(model.reconstruct(padded).batch() == 13);
  options.reverse_decoder = true;
  Autoencoder<double> reversed(options);
  CHECK(contains(error_of([&] { reversed.fit(padded); }), refused));
  CHECK(contains(error_of([&] { reversed.fit(whole, {.validation_data = padded}); }), refused));
  CHECK(contains(error_of([&] { return reversed.evaluate(padded); }), refused));
  CHECK(contains(error_of([&] { return reversed.reconstruct(padded); }), refused));
  reversed.fit(whole);
}

TEST_CASE("decoder: encode is the same for all, decode needs a decoder that the code is enough for") {
  const Windows windows = test::wave_windows(9, 6, 2);
  for (const AutoencoderOptions& options : variants(6, 2)) {
    CAPTURE(name_of(options));
    const auto model = model_of<double>(options);
    const auto codes = model.encode(windows);
    CHECK(codes.shape() == SequenceShape{.steps = 1, .features = 3});
    if (options.decoder_state == DecoderState::zeros) {
      CHECK(test::relative_difference(model.decode(codes).values(), model.reconstruct(windows).values()) <=
            1e-12);
    } else {
      CHECK(
          contains(error_of([&] { return model.decode(codes); }),
                   "decode: expected a decoder that needs nothing but the code, got one that starts from the "
                   "encoder's state; use reconstruct"));
    }
  }
}

TEST_CASE("decoder: a summary names what the layers are") {
  AutoencoderOptions options = test::small_model(6, 2);
  options.decoder_state = DecoderState::encoder;
  options.reverse_decoder = true;
  const auto text = [&](DecoderInput input) {
    options.decoder_input = input;
    const Autoencoder<float> model(options);
    CHECK(model.summary().parameters == model.weights().size());
    Index sum = 0;
    for (const auto& row : model.summary().rows) sum += row.parameters;
    CHECK(sum == model.weights().size());
    std::ostringstream out;
    out << model.summary();
    return out.str();
  };
  const std::string zeros = text(DecoderInput::zeros), previous = text(DecoderInput::previous_value);
  CHECK(contains(zeros, "zeros (Zeros)                     (batch, 6, 1)         0"));
  CHECK(contains(previous, "previous (PreviousValue)          (batch, 6, 2)         0"));
  CHECK(contains(previous, "reverse (Reverse)                 (batch, 6, 2)         0"));
  CHECK(contains(text(DecoderInput::repeated_code), "repeat (RepeatVector)"));
}

TEST_CASE("decoder: options that do not go together are refused") {
  const auto message = [](const AutoencoderOptions& options) {
    return error_of([&] { Autoencoder<float>{options}; });
  };
  AutoencoderOptions options = test::small_model(4);
  for (const auto input : {DecoderInput::zeros, DecoderInput::previous_value}) {
    options.decoder_input = input;
    CHECK(
        contains(message(options),
                 "Autoencoder: expected a decoder that reads the repeated code or starts from the encoder's "
                 "state, got one that does neither"));
  }
  options.decoder_state = DecoderState::encoder;
  options.decoder[1].go_backwards = true;
  CHECK(contains(message(options), "decoder.1: expected a layer that reads forwards"));
  options = test::small_model(4);
  options.decoder_state = DecoderState::encoder;
  options.decoder[0].units = 4;
  CHECK(contains(message(options),
                 "decoder.0: expected a state of 6 values in 2, as encoder.1 has, from whose state it "
                 "starts, got 8 in 2"));
  options.decoder.pop_back();
  CHECK(contains(message(options),
                 "as many decoder layers as encoder layers, from whose states they start, that is 2, got 1"));
}

TEST_CASE("sequential: a state is carried between LSTMs of one size, once") {
  reprise::Sequential<double> network({.steps = 5, .features = 2});
  network.add("a", reprise::Lstm<double>(2, {.units = 3, .return_sequences = true}));
  network.add("b", reprise::Lstm<double>(3, {.units = 3}));
  network.add("c", reprise::Dense<double>(3, {.units = 3}));
  CHECK(contains(error_of([&] { network.carry_state(0, 2); }), "a layer that has a state and a later one"));
  CHECK(contains(error_of([&] { network.carry_state(1, 0); }), "got layers 1 and 0"));
  CHECK(contains(error_of([&] { network.carry_state(0, 3); }), "got layers 0 and 3"));
  network.carry_state(0, 1);
  CHECK(contains(error_of([&] { network.carry_state(0, 1); }), "neither handing one over yet"));
}

TEST_CASE("sequential: what reads its own output runs to the end, from states that are there") {
  reprise::Sequential<double> network({.steps = 5, .features = 2});
  network.add("encoder", reprise::Lstm<double>(2, {.units = 3}));
  network.add("previous", reprise::PreviousValue<double>({.steps = 5, .features = 2}, false));
  network.add("decoder", reprise::Lstm<double>(2, {.units = 3, .return_sequences = true}));
  network.add("output", reprise::Dense<double>(3, {.units = 2}));
  Vector<double> theta = Vector<double>::Zero(network.parameters().size());
  reprise::SequentialScratch<double> scratch;
  const Sequences<double> x({.samples = 4, .steps = 5, .features = 2});
  Sequences<double> y({.samples = 4, .steps = 5, .features = 2});
  CHECK(contains(error_of([&] { network.infer(theta.data(), x.view(), y.view(), 0, 4, scratch); }),
                 "a state for decoder"));
  network.carry_state(0, 2);
  Sequences<double> hidden({.samples = 4, .steps = 5, .features = 3});
  CHECK(contains(error_of([&] { network.infer(theta.data(), x.view(), hidden.view(), 0, 3, scratch); }),
                 "all layers behind previous"));
}
