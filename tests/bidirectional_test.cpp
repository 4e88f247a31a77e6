#include "recurrent_run.hpp"

#include <reprise/layers/bidirectional.hpp>
#include <reprise/layers/gru.hpp>

namespace {

using reprise::AnyLayer;
using reprise::Bidirectional;
using reprise::BidirectionalOptions;
using reprise::GruOptions;
using reprise::Index;
using reprise::LstmOptions;
using reprise::Matrix;
using reprise::MergeMode;
using reprise::RecurrentOptions;
using reprise::Sequences;
using reprise::Vector;
using test::error_of;
using test::relative_difference;

static_assert(reprise::Layer<Bidirectional<float>> && reprise::Layer<Bidirectional<double>>);

template <typename Scalar>
using Run = test::RecurrentRun<Bidirectional<Scalar>>;

std::vector<BidirectionalOptions> options_of_all_kinds() {
  std::vector<BidirectionalOptions> all;
  for (const MergeMode mode : {MergeMode::concat, MergeMode::sum, MergeMode::ave, MergeMode::mul}) {
    for (const bool sequences : {true, false}) {
      all.push_back({.layer = LstmOptions{.units = 3, .return_sequences = sequences}, .merge_mode = mode});
      all.push_back({.layer = GruOptions{.units = 3, .return_sequences = sequences}, .merge_mode = mode});
    }
  }
  return all;
}
/// Rows of the parts of the state.
std::vector<Index> parts_of(const BidirectionalOptions& options) {
  return std::vector<Index>(options.layer.get_if<LstmOptions>() != nullptr ? 4 : 2, 3);
}

/// Value by value, what a mode makes of both halves' outputs.
Vector<double> merged(MergeMode mode, const Vector<double>& f, const Vector<double>& b) {
  Vector<double> both(f.size() + b.size());
  both << f, b;
  if (mode == MergeMode::concat) return both;
  if (mode == MergeMode::sum) return f + b;
  if (mode == MergeMode::ave) return 0.5 * f + 0.5 * b;
  return f.cwiseProduct(b);
}

/// The same layer alone, with one half's parameters and states.
test::RecurrentRun<AnyLayer<double>> half_of(Run<double>& run, bool second) {
  RecurrentOptions options = run.layer.options().layer;
  options.set_go_backwards(second);
  test::RecurrentRun<AnyLayer<double>> half(options.make<double>(run.x.features()), run.x);
  const Index parameters = half.theta.size(), state = half.initial.size();
  half.theta = run.theta.segment(second ? parameters : 0, parameters);
  half.initial = run.initial.segment(second ? state : 0, state);
  half.lengths = run.lengths;
  half.forward_with_states();
  return half;
}

/// The output is that of two layers alone, the second one's turned round.
void check_against_two_layers(Run<double>& run) {
  run.forward_with_states();
  auto f = half_of(run, false), b = half_of(run, true);
  const BidirectionalOptions& options = run.layer.options();
  for (Index sample = 0; sample < run.x.batch(); ++sample) {
    CAPTURE(sample);
    const Index length = run.lengths.empty() ? run.x.steps() : run.lengths[static_cast<std::size_t>(sample)];
    for (Index t = 0; t < run.y.steps(); ++t) {
      const Vector<double> got = run.y.view().step(t).col(sample);
      if (options.return_sequences() && t >= length) {
        CHECK(got.isZero(0));
        continue;
      }
      const Index read = options.return_sequences() ? length - 1 - t : 0;
      const Vector<double> expected =
          merged(options.merge_mode, f.y.view().step(t).col(sample), b.y.view().step(read).col(sample));
      CHECK(relative_difference(got, expected) < 1e-14);
    }
  }
  Vector<double> final(run.final.size());
  final << f.final, b.final;
  CHECK(run.final == final);
}

}  // namespace

TEST_CASE("Bidirectional: two layers, the second of which reads backwards and is turned round") {
  for (const BidirectionalOptions& options : options_of_all_kinds()) {
    Run<double> run(Bidirectional<double>(2, options), test::uniform_sequences<double>(2, 3, 5, 7));
    check_against_two_layers(run);
    run.lengths = {5, 3, 1};
    check_against_two_layers(run);
    run.lengths = {4, 3, 2};
    check_against_two_layers(run);
  }
}

TEST_CASE("Bidirectional: with halves exchanged, the reversed sequence gives the reversed output") {
  const BidirectionalOptions options{.layer = GruOptions{.units = 3, .return_sequences = true}};
  Run<double> run(Bidirectional<double>(2, options), test::uniform_sequences<double>(2, 3, 5, 7));
  Run<double> other = run;
  const Index half = run.theta.size() / 2, half_state = run.initial.size() / 2;
  other.theta << run.theta.tail(half), run.theta.head(half);
  other.initial << run.initial.tail(half_state), run.initial.head(half_state);
  for (Index t = 0; t < 5; ++t) other.x.view().step(t) = run.x.view().step(4 - t);
  run.forward_with_states();
  other.forward_with_states();
  for (Index t = 0; t < 5; ++t) {
    CHECK(other.y.view().step(t).topRows(3) == run.y.view().step(4 - t).bottomRows(3));
    CHECK(other.y.view().step(t).bottomRows(3) == run.y.view().step(4 - t).topRows(3));
  }
}

TEST_CASE("Bidirectional: gradients, with each merge mode") {
  for (const BidirectionalOptions& options : options_of_all_kinds()) {
    Run<double> run(Bidirectional<double>(2, options), test::uniform_sequences<double>(2, 3, 5, 7));
    test::check_recurrent_gradients(run, 1);
    run.lengths = {5, 3, 1};
    test::check_recurrent_gradients(run, 1);
  }
}

TEST_CASE_TEMPLATE("Bidirectional: inference, samples alone, equal lengths", Scalar, float, double) {
  for (const BidirectionalOptions& options : options_of_all_kinds()) {
    const Bidirectional<Scalar> layer(2, options);
    test::check_inference(layer, 2);
    test::check_samples_alone(layer, 2, 6, {6, 6, 6}, parts_of(options));
    test::check_samples_alone(layer, 2, 6, {6, 4, 4, 1}, parts_of(options));
    test::check_samples_alone(layer, 2, 6, {4, 2}, parts_of(options));
    test::check_equal_lengths(layer, 2);
    test::check_what_is_optional(layer, 2);
  }
}

TEST_CASE("Bidirectional: an input that is one repeated step equals that step written out") {
  for (const BidirectionalOptions& options : options_of_all_kinds()) {
    test::check_repeated_input(Bidirectional<double>(2, options), 2, {});
    test::check_repeated_input(Bidirectional<double>(2, options), 2, {6, 4, 1});
  }
}

TEST_CASE("Bidirectional: each half draws masks of its own, which its gradients see") {
  const BidirectionalOptions options{
      .layer = GruOptions{.units = 3, .return_sequences = true, .dropout = 0.5, .recurrent_dropout = 0.3}};
  Run<double> run(Bidirectional<double>(8, options), test::uniform_sequences<double>(8, 3, 5, 7));
  run.context = {.training = true, .seed = 5};
  const auto loss = [&] { return run.loss(); };
  run.loss();
  run.backward_with_states();
  test::check_gradient("input", run.x.values(), run.dx.values(), loss);
  test::check_gradient("initial state", run.initial, run.initial_gradient, loss);

  // Which inputs reach a half is seen in the gradient of its output after one step.
  const auto seen = [&](bool second) {
    Run<double> one(run.layer, test::uniform_sequences<double>(8, 3, 1, 7));
    one.context = run.context;
    one.initial.setZero();
    one.final_gradient.setZero();
    one.forward_with_states();
    one.dy.values().setZero();
    one.dy.values().middleRows(second ? 3 : 0, 3).setOnes();
    one.backward_with_states();
    return Matrix<double>((one.dx.values().array() != 0).cast<double>());
  };
  CHECK(seen(false).sum() > 0);
  CHECK(seen(false) != seen(true));
}

TEST_CASE("Bidirectional: names, shapes and first values of the parameters") {
  const Bidirectional<double> layer(2, {.layer = GruOptions{.units = 3}});
  reprise::ParameterTable table;
  layer.add_parameters(table, "encoder.0.");
  std::string names;
  for (const auto& info : table) names += info.name + "; ";
  CHECK(names ==
        "encoder.0.forward.kernel; encoder.0.forward.recurrent_kernel; encoder.0.forward.bias; "
        "encoder.0.forward.recurrent_bias; encoder.0.backward.kernel; encoder.0.backward.recurrent_kernel; "
        "encoder.0.backward.bias; encoder.0.backward.recurrent_bias; ");
  Vector<double> theta = Vector<double>::Constant(table.size(), std::numeric_limits<double>::quiet_NaN());
  reprise::RandomStream random(1, reprise::Purpose::initial_weights, 0);
  layer.initialize(theta.data(), random);
  CHECK(theta.allFinite());
  CHECK(theta.head(theta.size() / 2) != theta.tail(theta.size() / 2));

  CHECK(layer.name() == "Bidirectional(GRU)");
  CHECK(layer.output_shape({.steps = 7, .features = 2}) == reprise::SequenceShape{.steps = 1, .features = 6});
  const Bidirectional<double> sums(
      2, {.layer = LstmOptions{.units = 3, .return_sequences = true}, .merge_mode = MergeMode::sum});
  CHECK(sums.name() == "Bidirectional(LSTM)");
  CHECK(sums.output_shape({.steps = 7, .features = 2}) == reprise::SequenceShape{.steps = 7, .features = 3});
  CHECK(sums.state_size() == 12);
}

TEST_CASE("Bidirectional: options are compared, and pass on what is asked of them") {
  RecurrentOptions options = BidirectionalOptions{.layer = GruOptions{.units = 3}};
  CHECK_FALSE(options.return_sequences());
  options.set_return_sequences(true);
  CHECK(options.return_sequences());
  REQUIRE(options.get_if<BidirectionalOptions>() != nullptr);
  CHECK(options.get_if<BidirectionalOptions>()->layer.get_if<GruOptions>()->return_sequences);
  CHECK(options ==
        RecurrentOptions(BidirectionalOptions{.layer = GruOptions{.units = 3, .return_sequences = true}}));
  CHECK_FALSE(options == RecurrentOptions(BidirectionalOptions{
                             .layer = LstmOptions{.units = 3, .return_sequences = true}}));
  CHECK(options.make<float>(2).name() == "Bidirectional(GRU)");
}

TEST_CASE("Bidirectional: wrong use is named") {
  const auto message =
      error_of([] { Bidirectional<float>(2, {.layer = LstmOptions{.units = 3, .go_backwards = true}}); });
  CHECK(test::contains(message, "Bidirectional"));
  CHECK(test::contains(message, "go_backwards"));
  CHECK(test::contains(error_of([] { Bidirectional<float>(2, {}); }), "units"));
}
