#include <doctest/doctest.h>

#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <reprise/layers/gru.hpp>
#include <reprise/models/autoencoder.hpp>

#include "gradient_check.hpp"
#include "training.hpp"

using reprise::Autoencoder;
using reprise::AutoencoderOptions;
using reprise::GruOptions;
using reprise::Index;
using reprise::InferenceWorkspace;
using reprise::Sequences;
using reprise::SequenceShape;
using reprise::Vector;
using reprise::Windows;
using test::contains;
using test::error_of;
using test::same_bits;

namespace {

/// Equal to what the order of a sum may change.
template <typename Scalar>
constexpr double rounding = std::is_same_v<Scalar, float> ? 1e-5 : 1e-12;

AutoencoderOptions question_model() {
  using reprise::activation::relu;
  return {.steps = 4,
          .features = 1,
          .encoder = {{.units = 32, .activation = relu}, {.units = 16, .activation = relu}},
          .decoder = {{.units = 16, .activation = relu}, {.units = 32, .activation = relu}}};
}

template <typename Scalar>
Sequences<Scalar> all_of(const Windows& windows) {
  Sequences<Scalar> batch(
      {.samples = windows.size(), .steps = windows.length(), .features = windows.features()});
  windows.gather<Scalar>(test::numbers(0, windows.size()), batch.view());
  return batch;
}

}  // namespace

TEST_CASE_TEMPLATE("autoencoder: encode, then decode, is reconstruct", Scalar, float, double) {
  const Autoencoder<Scalar> model(test::small_model(7, 2));
  const Windows windows = test::wave_windows(70, 7, 2);  // more than are taken at once
  const auto codes = model.encode(windows);
  CHECK(codes.shape() == SequenceShape{.steps = 1, .features = 3});
  CHECK(codes.batch() == 70);
  CHECK(model.code_size() == 3);
  const auto whole = model.reconstruct(windows);
  CHECK(whole.shape() == SequenceShape{.steps = 7, .features = 2});
  CHECK(whole.batch() == 70);
  CHECK(test::relative_difference(model.decode(codes).values(), whole.values()) <= rounding<Scalar>);

  const auto input = all_of<Scalar>(windows);
  CHECK(test::relative_difference(model.encode(input).values(), codes.values()) <= rounding<Scalar>);
  CHECK(test::relative_difference(model.reconstruct(input).values(), whole.values()) <= rounding<Scalar>);
  // The window decides what comes out.
  CHECK(test::relative_difference(codes.values().col(0), codes.values().col(1)) > 1e-2);
}

TEST_CASE_TEMPLATE("autoencoder: the layers one by one are what a stack of LSTMs does", Scalar, float,
                   double) {
  const Autoencoder<Scalar> model(test::small_model(3));
  const Windows windows = test::wave_windows(4, 3);
  const auto input = all_of<Scalar>(windows);
  using Matrix = reprise::Matrix<Scalar>;
  // Plainly, from the parameters by their names.
  const auto lstm = [&](const std::string& name, const std::vector<Matrix>& x) {
    const Matrix w = model.parameter(name + ".kernel"), u = model.parameter(name + ".recurrent_kernel");
    const Vector<Scalar> b = model.parameter(name + ".bias");
    const Index units = u.cols();
    Matrix h = Matrix::Zero(units, x[0].cols()), c = h;
    std::vector<Matrix> result;
    for (const Matrix& now : x) {
      const Matrix z = (w * now + u * h).colwise() + b;
      const auto sigmoid = [&](Index gate) {
        return Matrix(((-z.middleRows(gate * units, units)).array().exp() + 1).inverse());
      };
      c = sigmoid(1).cwiseProduct(c) +
          sigmoid(0).cwiseProduct(Matrix(z.middleRows(2 * units, units).array().tanh()));
      h = sigmoid(3).cwiseProduct(Matrix(c.array().tanh()));
      result.push_back(h);
    }
    return result;
  };
  std::vector<Matrix> x;
  for (Index t = 0; t < 3; ++t) x.push_back(input.view().step(t));
  const Matrix code = lstm("encoder.1", lstm("encoder.0", x)).back();
  const auto decoded = lstm("decoder.1", lstm("decoder.0", {code, code, code}));
  const auto output = model.reconstruct(input);
  for (Index t = 0; t < 3; ++t) {
    const Matrix expected =
        (model.parameter("output.kernel") * decoded[static_cast<std::size_t>(t)]).colwise() +
        Vector<Scalar>(model.parameter("output.bias"));
    CHECK(test::relative_difference(Matrix(output.view().step(t)), expected) <= rounding<Scalar>);
  }
}

TEST_CASE_TEMPLATE("autoencoder: a workspace of the caller changes nothing", Scalar, float, double) {
  const Autoencoder<Scalar> model(test::small_model(5));
  const auto input = all_of<Scalar>(test::wave_windows(20, 5));
  const auto expected = model.reconstruct(input);
  Sequences<Scalar> output({.samples = 20, .steps = 5, .features = 1});
  InferenceWorkspace<Scalar> workspace;
  for (const Index batch : {20, 3, 20, 1}) {  // reused, whatever it was used for before
    const auto part = test::samples_of(input, 0, batch);
    output.resize({.samples = batch, .steps = 5, .features = 1});
    output.values().setConstant(Scalar(9));
    model.reconstruct(std::as_const(part).view(), output.view(), workspace);
    if (batch == 20) {
      CHECK(same_bits(output.values(), expected.values()));
    } else {
      CHECK(test::relative_difference(output.values(), test::samples_of(expected, 0, batch).values()) <=
            rounding<Scalar>);
    }
  }
  // Also for another model.
  const Autoencoder<Scalar> larger(test::small_model(9, 2));
  const auto other = all_of<Scalar>(test::wave_windows(20, 9, 2));
  output.resize({.samples = 20, .steps = 9, .features = 2});
  larger.reconstruct(other.view(), output.view(), workspace);
  CHECK(same_bits(output.values(), larger.reconstruct(other).values()));
}

TEST_CASE_TEMPLATE("autoencoder: a batch, its windows one by one, and in another order", Scalar, float,
                   double) {
  AutoencoderOptions options = test::small_model(20, 2);
  options.encoder[0].go_backwards = true;
  const Autoencoder<Scalar> model(options);
  const Windows windows = test::wave_windows(70, 20, 2);
  const auto batch = model.reconstruct(windows);
  double largest = 0.0;
  for (Index i = 0; i < windows.size(); ++i) {
    const auto one = model.reconstruct(windows.subset(i, 1));
    const auto expected = test::samples_of(batch, i, 1);
    largest = test::larger(largest, test::relative_difference(one.values(), expected.values()));
  }
  CHECK(largest <= 3 * rounding<Scalar>);  // one window alone is summed in another order

  std::vector<Index> order;
  for (Index i = 0; i < windows.size(); ++i) order.push_back(i * 33 % 70);
  Sequences<Scalar> shuffled({.samples = 70, .steps = 20, .features = 2});
  windows.gather<Scalar>(order, shuffled.view());
  const auto result = model.reconstruct(shuffled);
  for (Index i = 0; i < windows.size(); ++i) {
    const auto expected = test::samples_of(batch, order[static_cast<std::size_t>(i)], 1);
    largest = test::larger(
        largest, test::relative_difference(test::samples_of(result, i, 1).values(), expected.values()));
  }
  CHECK(largest <= 3 * rounding<Scalar>);
}

TEST_CASE("autoencoder: dropout does nothing at inference") {
  const Autoencoder<double> plain(test::small_model(5)), dropping(test::small_model_with_dropout(5));
  REQUIRE(same_bits(plain.weights(), dropping.weights()));
  const Windows windows = test::wave_windows(20, 5);
  CHECK(test::relative_difference(dropping.reconstruct(windows).values(),
                                  plain.reconstruct(windows).values()) < 1e-12);
  CHECK(std::abs(dropping.evaluate(windows) / plain.evaluate(windows) - 1) < 1e-12);
}

TEST_CASE("autoencoder: evaluate with every loss, batch size and number of threads") {
  const Autoencoder<double> model(test::small_model(5));
  const Windows windows = test::wave_windows(75, 5);
  const auto output = model.reconstruct(windows);
  double squares = 0.0, sizes = 0.0;
  for (Index i = 0; i < 75; ++i) {
    for (Index t = 0; t < 5; ++t) {
      const double e = output(i, t, 0) - windows(i, t, 0);
      squares += e * e / (75 * 5);
      sizes += std::abs(e) / (75 * 5);
    }
  }
  for (const Index batch_size : {1, 32, 50, 75, 1000}) {
    for (const int threads : {1, 2}) {
      const double mse = model.evaluate(windows, {.batch_size = batch_size, .threads = threads});
      CHECK(std::abs(mse / squares - 1) < 1e-12);
      const double mae = model.evaluate(
          windows, {.loss = reprise::MeanAbsoluteError{}, .batch_size = batch_size, .threads = threads});
      CHECK(std::abs(mae / sizes - 1) < 1e-12);
    }
  }
}

TEST_CASE("autoencoder: evaluate measures the loss that was trained, unless it is told another") {
  const Windows windows = test::wave_windows(40, 5);
  Autoencoder<double> model(test::small_model(5));
  const reprise::EvaluateOptions squares{.loss = reprise::MeanSquaredError{}};
  CHECK(model.evaluate(windows) == model.evaluate(windows, squares));  // nothing was trained yet
  for (const reprise::Loss& loss :
       {reprise::Loss(reprise::Huber{.delta = 0.1}), reprise::Loss(reprise::MeanAbsoluteError{})}) {
    reprise::FitOptions options{.epochs = 2, .validation_data = windows, .loss = loss};
    const double trained = model.fit(windows, options).validation_loss.back();
    CHECK(std::abs(model.evaluate(windows) / trained - 1) < 1e-12);
    CHECK(model.evaluate(windows) == model.evaluate(windows, {.loss = loss}));
    CHECK(model.evaluate(windows) != model.evaluate(windows, squares));
    CHECK(Autoencoder<double>(model).evaluate(windows) == model.evaluate(windows));
  }
}

TEST_CASE("autoencoder: a copy is a model of its own") {
  const Windows windows = test::wave_windows(20, 4);
  Autoencoder<float> model(test::small_model(4));
  model.fit(windows, {.epochs = 2});
  const Vector<float> weights = model.weights();
  const auto output = model.reconstruct(windows);

  Autoencoder<float> copy = model;
  CHECK(same_bits(copy.reconstruct(windows).values(), output.values()));
  copy.fit(windows, {.epochs = 2});
  CHECK_FALSE(same_bits(copy.weights(), weights));
  CHECK(same_bits(model.weights(), weights));
  CHECK(model.training_state().epochs == 2);
  CHECK(copy.training_state().epochs == 4);
  const Autoencoder<float> trained = copy;

  // Assignment, also from a model of another shape and to itself.
  Autoencoder<float> assigned(test::small_model(9, 2));
  assigned = model;
  CHECK(assigned.steps() == 4);
  CHECK(same_bits(assigned.reconstruct(windows).values(), output.values()));
  auto& itself = assigned;
  assigned = itself;
  CHECK(same_bits(assigned.reconstruct(windows).values(), output.values()));
  assigned.fit(windows, {.epochs = 2});  // with the state of the training
  CHECK(same_bits(assigned.weights(), trained.weights()));
  CHECK(same_bits(model.weights(), weights));

  // Moving leaves nothing behind that the new model depends on.
  auto source = std::make_unique<Autoencoder<float>>(model);
  Autoencoder<float> moved = std::move(*source);
  source.reset();
  CHECK(same_bits(moved.reconstruct(windows).values(), output.values()));
  moved.fit(windows, {.epochs = 2});
  CHECK(same_bits(moved.weights(), trained.weights()));
}

TEST_CASE("autoencoder: the summary has Keras's numbers") {
  const Autoencoder<float> model(question_model());
  const auto summary = model.summary();
  struct Expected {
    const char *layer, *type;
    SequenceShape output;
    Index parameters;
  };
  const Expected expected[] = {
      {"encoder.0", "LSTM", {.steps = 4, .features = 32}, 4352},
      {"encoder.1", "LSTM", {.steps = 1, .features = 16}, 3136},
      {"repeat", "RepeatVector", {.steps = 4, .features = 16}, 0},
      {"decoder.0", "LSTM", {.steps = 4, .features = 16}, 2112},
      {"decoder.1", "LSTM", {.steps = 4, .features = 32}, 6272},
      {"output", "TimeDistributed(Dense)", {.steps = 4, .features = 1}, 33},
  };
  REQUIRE(summary.rows.size() == std::size(expected));
  for (std::size_t i = 0; i < summary.rows.size(); ++i) {
    CAPTURE(i);
    CHECK(summary.rows[i].layer == expected[i].layer);
    CHECK(summary.rows[i].type == expected[i].type);
    CHECK(summary.rows[i].output == expected[i].output);
    CHECK(summary.rows[i].parameters == expected[i].parameters);
  }
  CHECK(summary.parameters == 15905);
  CHECK(model.weights().size() == 15905);

  std::ostringstream text;
  text << summary;
  CHECK(text.str() == R"(------------------------------------------------------------
 Layer (type)                      Output Shape     Param #
------------------------------------------------------------
 encoder.0 (LSTM)                  (batch, 4, 32)     4,352
 encoder.1 (LSTM)                  (batch, 16)        3,136
 repeat (RepeatVector)             (batch, 4, 16)         0
 decoder.0 (LSTM)                  (batch, 4, 16)     2,112
 decoder.1 (LSTM)                  (batch, 4, 32)     6,272
 output (TimeDistributed(Dense))   (batch, 4, 1)         33
------------------------------------------------------------
 Total params: 15,905 (62.13 KB)
)");
  text.str("");
  text << Autoencoder<double>(question_model()).summary();
  CHECK(contains(text.str(), "Total params: 15,905 (124.26 KB)"));
}

TEST_CASE("summary: digits in threes") {
  using reprise::Summary;
  CHECK(Summary::with_commas(0) == "0");
  CHECK(Summary::with_commas(999) == "999");
  CHECK(Summary::with_commas(1000) == "1,000");
  CHECK(Summary::with_commas(123456) == "123,456");
  CHECK(Summary::with_commas(1234567) == "1,234,567");
}

TEST_CASE("autoencoder: parameters by name are maps to write through") {
  Autoencoder<double> model(test::small_model(4));
  const Windows windows = test::wave_windows(5, 4);
  auto kernel = model.parameter("encoder.0.kernel");
  CHECK(kernel.rows() == 20);
  CHECK(kernel.cols() == 1);
  const auto before = model.reconstruct(windows);
  kernel(10, 0) = 3.0;  // of the first unit's g
  CHECK(std::as_const(model).parameter("encoder.0.kernel")(10, 0) == 3.0);
  CHECK(model.weights()(10) == 3.0);
  CHECK_FALSE(same_bits(model.reconstruct(windows).values(), before.values()));

  // Nothing but the bias of the output is left.
  model.parameter("output.kernel").setZero();
  model.parameter("output.bias").setConstant(0.25);
  CHECK((model.reconstruct(windows).values().array() == 0.25).all());

  const std::string message = error_of([&] { model.parameter("encoder.2.kernel"); });
  CHECK(contains(message, "encoder.2.kernel"));
  for (const auto& info : model.parameters()) CHECK(contains(message, info.name));
  CHECK(model.parameters().entries().size() == 14);
}

TEST_CASE("autoencoder: initial weights are a function of the seed") {
  AutoencoderOptions options = test::small_model(4);
  const Autoencoder<double> model(options), same(options);
  options.seed = 2;
  const Autoencoder<double> other(options);
  CHECK(same_bits(model.weights(), same.weights()));
  for (const auto& info : model.parameters()) {
    CAPTURE(info.name);
    CHECK(same_bits(reprise::Matrix<double>(model.parameter(info.name)),
                    reprise::Matrix<double>(other.parameter(info.name))) == info.is_vector);
  }
  // Forget gates start open.
  Vector<double> bias = Vector<double>::Zero(20);
  bias.segment(5, 5).setOnes();
  CHECK(same_bits(Vector<double>(model.parameter("encoder.0.bias")), bias));
}

TEST_CASE("autoencoder: given weights instead of initial ones") {
  const Autoencoder<double> model(test::small_model(4));
  const Vector<double> weights = 2 * model.weights();
  const Autoencoder<double> given(test::small_model(4), weights);
  CHECK(same_bits(given.weights(), weights));
  CHECK(contains(error_of([&] { Autoencoder<double>(test::small_model(4), weights.head(7)); }),
                 "Autoencoder: weights: expected " + std::to_string(weights.size()) + " values, got 7"));
}

TEST_CASE("autoencoder: which layers return sequences follows from their place") {
  AutoencoderOptions options = test::small_model(4);
  options.encoder[0].return_sequences = false;
  options.encoder[1].return_sequences = true;
  const Autoencoder<float> model(options);
  CHECK(model.options().encoder[0].return_sequences);
  CHECK_FALSE(model.options().encoder[1].return_sequences);
  CHECK(model.options().decoder[0].return_sequences);
  CHECK(model.options().decoder[1].return_sequences);
  CHECK(model.options() == Autoencoder<float>(test::small_model(4)).options());
}

/// What is said of a model whose options were changed.
template <typename Change>
std::string message(Change change) {
  AutoencoderOptions options = test::small_model(4);
  change(options);
  return error_of([&] { Autoencoder<float>{options}; });
}

TEST_CASE("autoencoder: sizes that cannot be are refused by name") {
  CHECK(message([](auto& o) { o.steps = 0; }) == "model: expected steps > 0, got 0");
  CHECK(message([](auto& o) { o.steps = -4; }) == "model: expected steps > 0, got -4");
  CHECK(message([](auto& o) { o.features = 0; }) == "model: expected features > 0, got 0");
  CHECK(message([](auto& o) { o.encoder.clear(); }) ==
        "Autoencoder: expected at least one encoder layer, got none");
  CHECK(message([](auto& o) { o.decoder.clear(); }) ==
        "Autoencoder: expected at least one decoder layer, got none");
  CHECK(contains(message([](auto& o) { o.encoder[1].units = 0; }), "units > 0, got 0"));
  CHECK(contains(message([](auto& o) { o.decoder[0].units = -2; }), "units > 0, got -2"));
  CHECK(contains(message([](auto& o) { o.encoder[0].dropout = 1.0; }), "dropout in [0, 1), got 1"));
  CHECK(contains(message([](auto& o) { o.decoder[1].recurrent_dropout = 1.5; }),
                 "recurrent_dropout in [0, 1), got 1.5"));
}

TEST_CASE("autoencoder: sizes that no machine could hold are refused before memory is asked for") {
  if (sizeof(Index) < 8) return;  // the bounds are others there
  constexpr Index most = std::numeric_limits<Index>::max();
  for (const Index large : {most, most / 2 + 1, most / 4 + 1}) {
    const std::string got = " of at most 2147483647, got " + std::to_string(large);
    CHECK(message([&](auto& o) { o.steps = large; }) == "model: expected steps" + got);
    CHECK(message([&](auto& o) { o.features = large; }) == "model: expected features" + got);
    CHECK(message([&](auto& o) { o.encoder[0].units = large; }) == "Lstm: expected units" + got);
    CHECK(message([&](auto& o) { o.decoder[1].units = large; }) == "Lstm: expected units" + got);
    CHECK(message([&](auto& o) { o.encoder = {GruOptions{.units = large}}; }) == "Gru: expected units" + got);
  }
  // 16 TB.
  CHECK(message([](auto& o) { o.encoder[1].units = 1'000'000; }) ==
        "parameter encoder.1.recurrent_kernel: expected a size, and all sizes together at most 2^40, got "
        "4000000 x 1000000");
}

TEST_CASE("autoencoder: windows of another shape are refused with both shapes") {
  const Autoencoder<float> model(test::small_model(4, 2));
  const std::string expected = "expected 4 steps x 2 features, got ";
  const Windows longer = test::wave_windows(5, 6, 2), narrower = test::wave_windows(5, 4, 1);
  CHECK(error_of([&] { return model.reconstruct(longer); }) ==
        "reconstruct: windows: " + expected + "6 steps x 2 features");
  CHECK(error_of([&] { return model.reconstruct(narrower); }) ==
        "reconstruct: windows: " + expected + "4 steps x 1 features");
  CHECK(error_of([&] { return model.encode(longer); }) ==
        "encode: windows: " + expected + "6 steps x 2 features");
  CHECK(error_of([&] { return model.evaluate(longer); }) ==
        "evaluate: windows: " + expected + "6 steps x 2 features");

  const Sequences<float> batch({.samples = 3, .steps = 6, .features = 2}),
      right({.samples = 3, .steps = 4, .features = 2}), codes({.samples = 3, .steps = 1, .features = 5});
  CHECK(error_of([&] { return model.reconstruct(batch); }) ==
        "reconstruct: input: " + expected + "6 steps x 2 features");
  CHECK(error_of([&] { return model.encode(batch); }) ==
        "encode: input: " + expected + "6 steps x 2 features");
  CHECK(error_of([&] { return model.decode(codes); }) ==
        "decode: codes: expected 1 steps x 3 features, got 1 steps x 5 features");
  Sequences<float> output({.samples = 3, .steps = 5, .features = 2}),
      fewer({.samples = 2, .steps = 4, .features = 2});
  InferenceWorkspace<float> workspace;
  CHECK(error_of([&] { model.reconstruct(right.view(), output.view(), workspace); }) ==
        "reconstruct: output: " + expected + "5 steps x 2 features");
  CHECK(error_of([&] { model.reconstruct(right.view(), fewer.view(), workspace); }) ==
        "reconstruct: output: expected 3 windows, got 2");

  const Windows windows = test::wave_windows(5, 4, 2);
  CHECK(error_of([&] { return model.evaluate(windows, {.batch_size = 0}); }) ==
        "evaluate: expected batch_size > 0, got 0");
  CHECK(contains(error_of([&] { return model.evaluate(windows, {.threads = 0}); }), "threads > 0, got 0"));
  CHECK(contains(error_of([&] { return model.evaluate(windows, {.loss = reprise::Huber{.delta = -1}}); }),
                 "delta > 0"));
}

TEST_CASE("autoencoder: NaN comes out where NaN goes in") {
  for (const auto activation : {reprise::activation::tanh, reprise::activation::relu}) {
    AutoencoderOptions options = test::small_model(4);
    for (auto* side : {&options.encoder, &options.decoder}) {
      for (auto& layer : *side) layer.activation = activation;
    }
    const Autoencoder<float> model(options);
    Sequences<float> input({.samples = 2, .steps = 4, .features = 1});
    input.values().setConstant(0.5f);
    input(1, 2, 0) = std::numeric_limits<float>::quiet_NaN();
    Sequences<float> output = input;
    reprise::InferenceWorkspace<float> workspace;
    model.reconstruct(std::as_const(input).view(), output.view(), workspace);
    for (Index t = 0; t < 4; ++t) {
      CHECK(std::isfinite(output(0, t, 0)));
      CHECK(std::isnan(output(1, t, 0)));
    }
    CHECK(error_of([&] { return model.reconstruct(input); }) ==
          "reconstruct: input: expected finite values, got nan at sample 1, step 2, feature 0");
    CHECK(contains(error_of([&] { return model.encode(input); }),
                   "encode: input: expected finite values, got nan at sample 1"));
  }
}

TEST_CASE("autoencoder: weights of another number are refused") {
  Autoencoder<float> model(test::small_model(4));
  const Vector<float> before = model.weights();
  const Index count = model.parameters().size();
  const std::string message = "Autoencoder: weights: expected " + std::to_string(count) + " values, got ";
  for (const Index other : {Index{0}, count - 1, count + 1}) {
    CHECK(error_of([&] { model.set_weights(Vector<float>::Ones(other)); }) ==
          message + std::to_string(other));
  }
  // As a map is written, and whatever the program does with asserts.
  CHECK(contains(error_of([&] { model.writable_weights() = Vector<float>::Ones(3); }),
                 "parameters: expected " + std::to_string(count) + " x 1 values, got 3 x 1"));
  CHECK(contains(error_of([&] { model.parameter("output.bias") = reprise::Matrix<float>::Ones(1, 2); }),
                 "parameters: expected 1 x 1 values, got 1 x 2"));
  CHECK(model.weights() == before);
  model.set_weights(2.0F * before);
  CHECK(model.weights() == 2.0F * before);
  model.writable_weights() = before;
  model.parameter("output.bias") = reprise::Matrix<float>::Constant(1, 1, 3.0F);
  CHECK(model.weights()(model.parameters().at("output.bias").offset) == 3.0F);
}
