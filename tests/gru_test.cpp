#include "differences.hpp"
#include "recurrent_run.hpp"

#include <array>
#include <cmath>

#include <reprise/layers/gru.hpp>

namespace {

using reprise::Activation;
using reprise::Gru;
using reprise::GruOptions;
using reprise::Index;
using reprise::Matrix;
using reprise::Sequences;
using reprise::Vector;
using test::error_of;
using test::relative_difference;

static_assert(reprise::Layer<Gru<float>> && reprise::Layer<Gru<double>>);

using Run = test::RecurrentRun<Gru<double>>;

Run make_run(const GruOptions& options, Index inputs = 2, Index batch = 3, Index steps = 5) {
  return {Gru<double>(inputs, options), test::uniform_sequences<double>(inputs, batch, steps, 7)};
}

double apply(Activation activation, double x) {
  double y = 0;
  reprise::detail::with_activation(activation, [&](auto f) { y = f.value(x); });
  return y;
}

/// The equations of the paper, and of cuDNN's form of it, unit by unit. Gives the state after every step that
/// was read, and the last state beyond a sample's end.
Sequences<double> plain_gru(const Run& run, const GruOptions& o) {
  const Index H = o.units, I = run.x.features(), B = run.x.batch(), T = run.x.steps();
  const double* const W = run.theta.data();
  const double* const U = W + 3 * H * I;
  const double* const b = U + 3 * H * H;
  const double* const c = b + 3 * H;
  const bool two_biases = o.use_bias && o.reset_after;
  enum Gate : Index { z, r, g };
  Sequences<double> states({.samples = B, .steps = T, .features = H});
  for (Index sample = 0; sample < B; ++sample) {
    const Index length = run.lengths.empty() ? T : run.lengths[static_cast<std::size_t>(sample)];
    std::vector<double> h(run.initial.data() + sample * H, run.initial.data() + (sample + 1) * H);
    const auto mask = [&](const Matrix<double>& masks, Index gate, Index f) {
      if (masks.size() == 0) return 1.0;
      return masks(f, (masks.cols() == B ? 0 : gate) * B + sample);
    };
    for (Index k = 0; k < T; ++k) {
      const auto at = [&](Index unit) -> double& { return h[static_cast<std::size_t>(unit)]; };
      const auto from_input = [&](Gate gate, Index unit, Index t) {
        double sum = o.use_bias ? b[gate * H + unit] : 0;
        for (Index f = 0; f < I; ++f) {
          sum += W[f * 3 * H + gate * H + unit] * run.x(sample, t, f) * mask(run.input_masks, gate, f);
        }
        return sum;
      };
      const auto from_state = [&](Gate gate, Index unit, const std::vector<double>& factors) {
        double sum = two_biases ? c[gate * H + unit] : 0;
        for (Index v = 0; v < H; ++v) {
          sum += U[v * 3 * H + gate * H + unit] * at(v) * mask(run.recurrent_masks, gate, v) *
                 factors[static_cast<std::size_t>(v)];
        }
        return sum;
      };
      if (k < length) {
        const Index t = o.go_backwards ? length - 1 - k : k;
        const std::vector<double> ones(static_cast<std::size_t>(H), 1.0);
        std::vector<double> update = ones, reset = ones, next = ones;
        for (Index u = 0; u < H; ++u) {
          const auto i = static_cast<std::size_t>(u);
          update[i] = apply(o.recurrent_activation, from_input(z, u, t) + from_state(z, u, ones));
          reset[i] = apply(o.recurrent_activation, from_input(r, u, t) + from_state(r, u, ones));
        }
        for (Index u = 0; u < H; ++u) {
          const auto i = static_cast<std::size_t>(u);
          const double past = o.reset_after ? reset[i] * from_state(g, u, ones) : from_state(g, u, reset);
          const double candidate = apply(o.activation, from_input(g, u, t) + past);
          next[i] = update[i] * h[i] + (1 - update[i]) * candidate;
        }
        h = next;
      }
      for (Index u = 0; u < H; ++u) states(sample, k, u) = at(u);
    }
  }
  return states;
}

void check_against_plain_loops(Run& run) {
  const GruOptions& o = run.layer.options();
  const Sequences<double> states = plain_gru(run, o);
  run.forward_with_states();
  const Matrix<double> last = states.view().step(states.steps() - 1);
  const Matrix<double> expected = o.return_sequences ? states.values() : last;
  CHECK(relative_difference(run.y.values(), expected) < 1e-12);
  CHECK(relative_difference(Eigen::Map<Matrix<double>>(run.final.data(), last.rows(), last.cols()), last) <
        1e-12);
}

std::vector<GruOptions> options_of_all_kinds() {
  std::vector<GruOptions> all;
  for (const bool reset_after : {true, false}) {
    for (const bool sequences : {true, false}) {
      for (const bool backwards : {false, true}) {
        all.push_back({.units = 3,
                       .return_sequences = sequences,
                       .go_backwards = backwards,
                       .reset_after = reset_after});
        all.push_back(all.back());
        all.back().use_bias = false;
      }
    }
  }
  return all;
}

/// A tensor by its name; gate k has rows [kH, (k + 1)H).
Eigen::Map<Matrix<double>> gate_rows(Run& run, const std::string& tensor) {
  for (const auto& info : run.table) {
    if (info.name == tensor) return run.tensor(info, run.theta);
  }
  throw std::runtime_error("no tensor " + tensor);
}

}  // namespace

// ---- What the equations say where they are short ----

TEST_CASE("GRU: without weights both gates are half open, so that the state is halved at each step") {
  for (const bool reset_after : {true, false}) {
    Run run = make_run({.units = 3, .return_sequences = true, .reset_after = reset_after});
    run.theta.setZero();
    run.forward_with_states();
    const Eigen::Map<Matrix<double>> h0(run.initial.data(), 3, 3);
    for (Index t = 0; t < 5; ++t) {
      CHECK(relative_difference(run.y.view().step(t), h0 * std::pow(0.5, static_cast<double>(t + 1))) <
            1e-14);
    }
  }
}

TEST_CASE("GRU: an update gate of 1 keeps the state, one of 0 replaces it") {
  for (const bool reset_after : {true, false}) {
    Run run = make_run({.units = 3, .return_sequences = true, .reset_after = reset_after});
    gate_rows(run, "bias").middleRows(0, 3).setConstant(800);
    run.forward_with_states();
    const Eigen::Map<Matrix<double>> h0(run.initial.data(), 3, 3);
    for (Index t = 0; t < 5; ++t) CHECK(run.y.view().step(t) == h0);

    gate_rows(run, "bias").middleRows(0, 3).setConstant(-800);
    gate_rows(run, "recurrent_kernel").middleRows(6, 3).setZero();
    if (reset_after) gate_rows(run, "recurrent_bias").middleRows(6, 3).setZero();
    run.forward_with_states();
    const Matrix<double> W = gate_rows(run, "kernel").middleRows(6, 3);
    const Matrix<double> b = gate_rows(run, "bias").middleRows(6, 3);
    for (Index t = 0; t < 5; ++t) {
      const Matrix<double> g = (W * run.x.view().step(t) + b.replicate(1, 3)).array().tanh().matrix();
      CHECK(relative_difference(run.y.view().step(t), g) < 1e-13);
    }
  }
}

TEST_CASE("GRU: where the reset gate acts, for two units of which it closes one") {
  for (const bool reset_after : {true, false}) {
    GruOptions options{.units = 2, .return_sequences = true, .reset_after = reset_after};
    Run run(Gru<double>(1, options), test::uniform_sequences<double>(1, 1, 1, 7));
    run.theta.setZero();
    auto bias = gate_rows(run, "bias");
    bias.middleRows(0, 2).setConstant(-800);  // z = 0: h = g
    bias(2) = -800;                           // the first unit is reset, the second is not
    bias(3) = 800;
    auto U = gate_rows(run, "recurrent_kernel");
    U.middleRows(4, 2) << 0.3, 0.5, -0.7, 0.2;
    if (reset_after) gate_rows(run, "recurrent_bias").middleRows(4, 2) << 0.11, 0.13;
    run.initial << 0.4, -0.6;
    run.forward_with_states();
    if (reset_after) {  // what the reset unit would take in is gone, its recurrent bias included
      CHECK(run.y(0, 0, 0) == 0);
      CHECK(run.y(0, 0, 1) == doctest::Approx(std::tanh(-0.7 * 0.4 + 0.2 * -0.6 + 0.13)).epsilon(1e-14));
    } else {  // what the reset unit gives is gone
      CHECK(run.y(0, 0, 0) == doctest::Approx(std::tanh(0.5 * -0.6)).epsilon(1e-14));
      CHECK(run.y(0, 0, 1) == doctest::Approx(std::tanh(0.2 * -0.6)).epsilon(1e-14));
    }
  }
}

// ---- The equations once more, in plain loops ----

TEST_CASE("GRU: outputs equal plain loops, with each option") {
  for (const GruOptions& options : options_of_all_kinds()) {
    Run run = make_run(options);
    check_against_plain_loops(run);
    run.lengths = {5, 3, 1};
    check_against_plain_loops(run);
  }
}

TEST_CASE("GRU: outputs equal plain loops, with each pair of activations") {
  for (const auto name : reprise::detail::activation_names) {
    for (const auto gates : reprise::detail::activation_names) {
      for (const bool reset_after : {true, false}) {
        Run run = make_run({.units = 3,
                            .activation = reprise::activation_from_name(name),
                            .recurrent_activation = reprise::activation_from_name(gates),
                            .return_sequences = true,
                            .reset_after = reset_after});
        check_against_plain_loops(run);
      }
    }
  }
}

TEST_CASE("GRU: outputs equal plain loops, with masks") {
  for (GruOptions options : options_of_all_kinds()) {
    for (const auto& [dropout, recurrent] : {std::pair{0.4, 0.0}, {0.0, 0.4}, {0.4, 0.4}}) {
      options.dropout = dropout;
      options.recurrent_dropout = recurrent;
      Run run = make_run(options, 4);
      run.hold_masks(dropout, recurrent, recurrent > 0 ? 3 : 1);
      check_against_plain_loops(run);
      run.lengths = {5, 4, 2};
      check_against_plain_loops(run);
    }
  }
}

TEST_CASE("GRU: outputs equal plain loops, at many sizes") {
  for (const bool reset_after : {true, false}) {
    for (const Index units : {1, 2, 5, 11, 16, 33, 70}) {
      for (const Index batch : {1, 2, 7, 33}) {
        CAPTURE(units);
        CAPTURE(batch);
        GruOptions options{.units = units, .return_sequences = true, .reset_after = reset_after};
        Run run = make_run(options, 1 + units / 3, batch, 4);
        run.theta *= 0.3;  // else the many units of a large layer are all at their ends
        check_against_plain_loops(run);
      }
    }
  }
}

// ---- Gradients ----

TEST_CASE("GRU: gradients, with each option") {
  for (const GruOptions& options : options_of_all_kinds()) {
    Run run = make_run(options);
    test::check_recurrent_gradients(run, 3);
    run.lengths = {5, 3, 1};
    test::check_recurrent_gradients(run, 3);
  }
}

TEST_CASE("GRU: gradients, with each activation in both places") {
  const auto& names = reprise::detail::activation_names;
  for (std::size_t k = 0; k < names.size(); ++k) {
    for (const bool reset_after : {true, false}) {
      CAPTURE(names[k]);
      Run run =
          make_run({.units = 3,
                    .activation = reprise::activation_from_name(names[k]),
                    .recurrent_activation = reprise::activation_from_name(names[(k + 3) % names.size()]),
                    .return_sequences = true,
                    .reset_after = reset_after});
      test::check_recurrent_gradients(run, 3);
    }
  }
}

TEST_CASE("GRU: gradients, with masks") {
  for (GruOptions options : options_of_all_kinds()) {
    for (const auto& [dropout, recurrent] : {std::pair{0.4, 0.0}, {0.0, 0.4}, {0.4, 0.4}}) {
      options.dropout = dropout;
      options.recurrent_dropout = recurrent;
      Run run = make_run(options, 4);
      run.hold_masks(dropout, recurrent, recurrent > 0 ? 3 : 1);
      run.loss();
      run.backward_with_states();
      const auto loss = [&] { return run.loss(); };
      for (const auto& info : run.table) {
        test::check_gradient(info.name, run.tensor(info, run.theta), run.tensor(info, run.gradient), loss);
      }
      test::check_gradient("input", run.x.values(), run.dx.values(), loss);
      test::check_gradient("initial state", run.initial, run.initial_gradient, loss);
    }
  }
}

TEST_CASE("GRU: gradients of a single unit, and of more than one panel of rows") {
  for (const bool reset_after : {true, false}) {
    Run small = make_run({.units = 1, .return_sequences = true, .reset_after = reset_after}, 1, 2, 4);
    test::check_recurrent_gradients(small, 3);
    Run large = make_run({.units = 13, .reset_after = reset_after}, 9, 2, 4);
    test::check_recurrent_gradients(large, 3);
  }
}

// ---- What must hold between runs ----

TEST_CASE_TEMPLATE("GRU: inference equals training without dropout", Scalar, float, double) {
  for (const GruOptions& options : options_of_all_kinds()) {
    test::check_inference(Gru<Scalar>(2, options), 2);
  }
  for (const bool reset_after : {true, false}) {
    test::check_inference(
        Gru<Scalar>(20, {.units = 37, .return_sequences = true, .dropout = .3, .reset_after = reset_after}),
        20);
  }
}

TEST_CASE_TEMPLATE("GRU: a batch equals its samples one by one", Scalar, float, double) {
  for (const GruOptions& options : options_of_all_kinds()) {
    test::check_samples_alone(Gru<Scalar>(2, options), 2, 6, {6, 6, 6, 6}, {3});
    test::check_samples_alone(Gru<Scalar>(2, options), 2, 6, {6, 4, 4, 1}, {3});
    test::check_samples_alone(Gru<Scalar>(2, options), 2, 6, {4, 2}, {3});
    test::check_equal_lengths(Gru<Scalar>(2, options), 2);
  }
}

TEST_CASE("GRU: a large layer equals its samples, whatever is packed for its gradients") {
  for (const bool reset_after : {true, false}) {
    const std::vector<Index> lengths(40, 9);
    test::check_samples_alone(Gru<double>(30, {.units = 180, .reset_after = reset_after}), 30, 9, lengths,
                              {180});
  }
}

TEST_CASE_TEMPLATE("GRU: a stream split in two equals the whole", Scalar, float, double) {
  for (const bool reset_after : {true, false}) {
    test::check_stream_split(
        Gru<Scalar>(2, {.units = 3, .return_sequences = true, .reset_after = reset_after}), 2);
  }
}

TEST_CASE("GRU: an input that is one repeated step equals that step written out") {
  for (const GruOptions& options : options_of_all_kinds()) {
    test::check_repeated_input(Gru<double>(2, options), 2, {});
    test::check_repeated_input(Gru<double>(2, options), 2, {6, 4, 1});
    GruOptions dropped = options;
    dropped.dropout = dropped.recurrent_dropout = 0.3;
    test::check_repeated_input(Gru<double>(2, dropped), 2, {}, {.training = true});
    dropped.recurrent_dropout = 0;
    test::check_repeated_input(Gru<double>(2, dropped), 2, {}, {.training = true});
  }
}

TEST_CASE_TEMPLATE("GRU: states and gradients are optional, and memory's contents do not matter", Scalar,
                   float, double) {
  for (const GruOptions& options : options_of_all_kinds()) {
    test::check_what_is_optional(Gru<Scalar>(2, options), 2);
  }
}

TEST_CASE("GRU: going backwards is reading the reversed sequence") {
  for (const bool reset_after : {true, false}) {
    Run forwards = make_run({.units = 3, .return_sequences = true, .reset_after = reset_after});
    Run backwards =
        make_run({.units = 3, .return_sequences = true, .go_backwards = true, .reset_after = reset_after});
    for (Index t = 0; t < 5; ++t) backwards.x.view().step(t) = forwards.x.view().step(4 - t);
    CHECK(backwards.forward_with_states() == forwards.forward_with_states());
  }
}

// ---- Dropout ----

TEST_CASE("GRU: nothing is dropped outside training, and each gate has a mask of its own within") {
  GruOptions options{.units = 40, .return_sequences = true, .dropout = 0.5, .recurrent_dropout = 0.5};
  for (const bool reset_after : {true, false}) {
    options.reset_after = reset_after;
    GruOptions without = options;
    without.dropout = without.recurrent_dropout = 0;
    Run run = make_run(options, 30), plain = make_run(without, 30);
    CHECK(relative_difference(run.forward_with_states(), plain.forward_with_states()) < 1e-12);
    run.context = {.training = true, .seed = 5};
    const Matrix<double> drawn = run.forward_with_states();
    CHECK(relative_difference(drawn, plain.y.values()) > 1e-2);
    // What the layer draws is what `hold_masks` draws, three masks for x and three for h.
    run.hold_masks(0.5, 0.5, 3);
    CHECK(run.forward_with_states() == drawn);
    CHECK(run.recurrent_masks.leftCols(3) != run.recurrent_masks.middleCols(3, 3));
    CHECK(run.recurrent_masks.leftCols(3) != run.recurrent_masks.rightCols(3));
  }
}

TEST_CASE("GRU: masks belong to samples, whatever their order") {
  const GruOptions options{.units = 6, .dropout = 0.4, .recurrent_dropout = 0.4};
  Run run = make_run(options, 5), swapped = make_run(options, 5);
  run.context = {.training = true, .seed = 5};
  run.forward_with_states();
  const std::vector<Index> places{2, 0, 1};
  swapped.context = {.training = true, .seed = 5, .places = places};
  for (Index b = 0; b < 3; ++b) {
    const Index from = places[static_cast<std::size_t>(b)];
    for (Index t = 0; t < 5; ++t) swapped.x.view().step(t).col(b) = run.x.view().step(t).col(from);
    swapped.initial.segment(b * 6, 6) = run.initial.segment(from * 6, 6);
  }
  swapped.forward_with_states();
  for (Index b = 0; b < 3; ++b) {
    const Index from = places[static_cast<std::size_t>(b)];
    CHECK(relative_difference(swapped.y.values().col(b), run.y.values().col(from)) < 1e-12);
  }
}

// ---- Parameters and refusals ----

TEST_CASE("GRU: names, shapes and first values of the parameters") {
  const auto names_of = [](const GruOptions& options) {
    reprise::ParameterTable table;
    Gru<float>(2, options).add_parameters(table, "encoder.0.");
    std::string names;
    for (const auto& info : table) {
      names += info.name + " " + std::to_string(info.rows) + "x" + std::to_string(info.cols) + "; ";
    }
    return names;
  };
  CHECK(names_of({.units = 3}) ==
        "encoder.0.kernel 9x2; encoder.0.recurrent_kernel 9x3; encoder.0.bias 9x1; "
        "encoder.0.recurrent_bias 9x1; ");
  CHECK(names_of({.units = 3, .reset_after = false}) ==
        "encoder.0.kernel 9x2; encoder.0.recurrent_kernel 9x3; encoder.0.bias 9x1; ");
  CHECK(names_of({.units = 3, .use_bias = false}) ==
        "encoder.0.kernel 9x2; encoder.0.recurrent_kernel 9x3; ");

  Run run = make_run({.units = 3, .bias_initializer = reprise::initializer::constant(0.25)});
  reprise::RandomStream random(1, reprise::Purpose::initial_weights, 0);
  run.theta.setConstant(std::numeric_limits<double>::quiet_NaN());
  run.layer.initialize(run.theta.data(), random);
  CHECK(run.theta.allFinite());
  CHECK(gate_rows(run, "bias").isConstant(0.25));
  CHECK(gate_rows(run, "recurrent_bias").isConstant(0.25));
  const Matrix<double> U = gate_rows(run, "recurrent_kernel");
  CHECK(relative_difference(U.transpose() * U, Matrix<double>::Identity(3, 3)) < 1e-12);
  CHECK(test::largest(gate_rows(run, "kernel").cwiseAbs()) <= std::sqrt(6.0 / 11));
}

TEST_CASE("GRU: wrong use is named") {
  const auto names = [](const std::string& message, const std::vector<std::string>& parts) {
    CAPTURE(message);
    for (const std::string& part : parts) CHECK(test::contains(message, part));
  };
  names(error_of([] { Gru<float>(2, {}); }), {"Gru", "units"});
  names(error_of([] { Gru<float>(0, {.units = 3}); }), {"Gru", "input features"});
  names(error_of([] { Gru<float>(2, {.units = 3, .dropout = 1.0}); }), {"Gru", "dropout"});
  names(error_of([] { Gru<float>(2, {.units = 3, .recurrent_dropout = -0.1}); }),
        {"Gru", "recurrent_dropout"});
  names(error_of([] { Gru<float>(2, {.units = 3}).output_shape({.steps = 4, .features = 5}); }),
        {"Gru", "2 input features", "5"});
}
