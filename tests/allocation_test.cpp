#include "allocation_counter.hpp"
#include "differences.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include <reprise/layers/bidirectional.hpp>
#include <reprise/layers/gru.hpp>
#include <reprise/layers/lstm_stream.hpp>
#include <reprise/models/autoencoder.hpp>
#include <reprise/models/symbol_stream.hpp>
#include <reprise/streams/dspot.hpp>
#include <reprise/streams/martingale.hpp>
#include <reprise/streams/spot.hpp>
#include <reprise/streams/telemanom.hpp>
#include <reprise/thresholds/conformal.hpp>
#include <reprise/thresholds/p_values.hpp>

#include "own_kinds.hpp"
#include "training.hpp"

using reprise::Autoencoder;
using reprise::FitOptions;
using reprise::Index;
using reprise::Sequences;
using reprise::TrainingEvent;
using reprise::TrainingStage;
using reprise::Windows;
using test::allocations_of;

namespace {

/// Keeps the compiler from leaving an allocation out.
void use(void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

/// Of the units of the question's model: their products are small and large.
reprise::AutoencoderOptions usual_model(double dropout = 0.0) {
  const auto activation = reprise::activation::relu;
  reprise::AutoencoderOptions options{.steps = 4,
                                      .encoder = {{.units = 32, .activation = activation}, {.units = 16}},
                                      .decoder = {{.units = 16}, {.units = 64, .activation = activation}}};
  for (auto* side : {&options.encoder, &options.decoder}) {
    for (auto& layer : *side) layer.dropout = layer.recurrent_dropout = dropout;
  }
  return options;
}

}  // namespace

TEST_CASE("the counter counts every way to the heap") {
  CHECK(allocations_of([] {}) == 0);
  void* memory = nullptr;
  CHECK(allocations_of([&] { use(memory = std::malloc(10)); }) == 1);
  CHECK(allocations_of([&] { use(memory = std::realloc(memory, 100000)); }) == 1);
  std::free(memory);
  CHECK(allocations_of([&] { use(memory = std::calloc(3, 5)); }) == 1);
  std::free(memory);
  CHECK(allocations_of([&] { use(memory = std::aligned_alloc(64, 128)); }) == 1);
  CHECK(reinterpret_cast<std::uintptr_t>(memory) % 64 == 0);
  std::free(memory);
  int error = -1;
  CHECK(allocations_of([&] { error = posix_memalign(&memory, 128, 100); }) == 1);
  REQUIRE(error == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(memory) % 128 == 0);
  std::free(memory);

  CHECK(allocations_of([&] { use(memory = ::operator new(10)); }) == 1);
  ::operator delete(memory);
  CHECK(allocations_of([&] { use(memory = ::operator new(10, std::nothrow)); }) == 1);
  ::operator delete(memory);
  CHECK(allocations_of([&] { use(memory = ::operator new(128, std::align_val_t(64))); }) == 1);
  ::operator delete(memory, std::align_val_t(64));
  CHECK(allocations_of([&] { use(memory = new int[10]); }) == 1);
  delete[] static_cast<int*>(memory);
  CHECK(allocations_of([] { use(std::vector<double>(100).data()); }) == 1);
  CHECK(allocations_of([] { use(reprise::Vector<float>(100).data()); }) == 1);
}

TEST_CASE("the counter counts in other threads") {
  reprise::detail::ThreadPool pool(2);
  pool.run(8, [](Index, int) {});  // starts the other thread
  std::array<void*, 8> memory{};
  CHECK(allocations_of([&] {
          pool.run(8, [&](Index i, int) { use(memory[static_cast<std::size_t>(i)] = std::malloc(10)); });
        }) == 8);
  for (void* piece : memory) std::free(piece);
  CHECK(allocations_of([&] { pool.run(8, [](Index, int) {}); }) == 0);
}

TEST_CASE(
    "the counter counts what Eigen's product packs, and core/detail/product.hpp packs into the caller's "
    "memory") {
  constexpr Index n = 300;
  const reprise::Matrix<float> a = reprise::Matrix<float>::Random(n, n),
                               b = reprise::Matrix<float>::Random(n, n);
  reprise::Matrix<float> c = reprise::Matrix<float>::Zero(n, n);
  CHECK(allocations_of([&] { c.noalias() += a * b; }) > 0);

  using namespace reprise::detail;
  reprise::Vector<float> packed(packed_size<float>(n, n));
  CHECK(allocations_of([&] {
          multiply<float>(c.data(), n, {c.data(), n}, as_is(a.data(), n, n), transposed(b.data(), n, n),
                          packed.data());
        }) == 0);
}

TEST_CASE("no allocation when the state before a fit is put back, even where a callback changed its size") {
  const Autoencoder<float> model(usual_model());
  reprise::Vector<float> theta = model.weights();
  reprise::TrainingState<float> state = model.training_state();
  reprise::detail::Candidates<float> candidates;
  candidates.begin(theta, state);
  theta.resize(3);
  CHECK(allocations_of([&] { candidates.put_back_before(theta, state); }) == 0);
  CHECK(test::same_bits(theta, model.weights()));
}

TEST_CASE_TEMPLATE("no allocation in a step of training", Scalar, float, double) {
  for (const double dropout : {0.0, 0.2}) {
    for (const int threads : {1, 2}) {
      CAPTURE(dropout);
      CAPTURE(threads);
      const Autoencoder<Scalar> model(usual_model(dropout));
      const reprise::Source source = test::wave_windows(150, 4);
      const auto batch = test::numbers(0, 150);  // four shards, the last one short
      const std::vector<double> weights(150, 1.5);
      reprise::Vector<Scalar> theta = model.weights(), gradient = theta;
      reprise::detail::BatchPass<Scalar> pass(model.network(), threads);
      const reprise::Optimizer optimizers[] = {
          reprise::Adam{.clip = reprise::GlobalClipNorm{0.1}}, reprise::AdamW{.clip = reprise::ClipNorm{0.1}},
          reprise::Sgd{.momentum = 0.9, .nesterov = true, .clip = reprise::ClipValue{0.01}},
          reprise::RmsProp{.momentum = 0.5, .centered = true},
          own::Adam{.learning_rate = own::Halving{}, .clip = reprise::GlobalClipNorm{0.1}}};
      const reprise::Loss losses[] = {reprise::MeanSquaredError{}, reprise::MeanAbsoluteError{},
                                      reprise::Huber{}, reprise::LogCosh{}, own::Quantile{}};
      for (std::size_t i = 0; i < 5; ++i) {
        CAPTURE(i);
        auto state = reprise::initial_state<Scalar>(optimizers[i], theta.size());
        reprise::LayerContext context;
        context.training = true;
        const auto step = [&](std::size_t size) {
          const auto part = std::span<const Index>(batch).first(size);
          const auto part_weights = std::span<const double>(weights).first(size);
          pass.loss_and_gradient(theta.data(), source, part, part_weights, losses[i], context,
                                 gradient.data());
          static_cast<void>(reprise::gradient_norm(gradient));
          reprise::apply_update<Scalar>(optimizers[i], model.parameters(), state, 1.0, gradient, theta);
          pass.loss_total(theta.data(), source, part, part_weights, losses[i]);
        };
        const long first = allocations_of([&] { step(150); });
        CHECK((i > 0 || first > 0));
        CHECK(allocations_of([&] {
                step(150);
                step(150);
                for (const std::size_t size : {100u, 33u, 1u, 150u}) step(size);  // short batches
              }) == 0);
      }
    }
  }
}

namespace {

/// Reads the counter at the end of each batch.
struct Reader {
  std::array<long, 64>* counts;
  std::size_t* used;
  void operator()(TrainingEvent& event) const {
    if (event.stage == TrainingStage::batch_end) counts->at((*used)++) = test::allocations;
  }
};

}  // namespace

TEST_CASE_TEMPLATE("no allocation in a fit after its first epoch", Scalar, float, double) {
  const Windows windows = test::wave_windows(180, 4);
  for (const double dropout : {0.0, 0.2}) {
    for (const int threads : {1, 2}) {
      for (const bool validated : {false, true}) {
        CAPTURE(dropout);
        CAPTURE(threads);
        CAPTURE(validated);
        Autoencoder<Scalar> model(usual_model(dropout));
        std::array<long, 64> counts{};
        std::size_t used = 0;
        FitOptions options{.epochs = 6,
                           .batch_size = 70,
                           .validation_split = validated ? 0.2 : 0.0,  // 144 and 36 windows
                           .sample_weights = std::vector<double>(180, 0.5),
                           .optimizer = reprise::Adam{.clip = reprise::GlobalClipNorm{0.1}},
                           .threads = threads};
        options.callbacks = {Reader{&counts, &used},
                             reprise::EarlyStopping{.patience = 10, .restore_best_weights = true},
                             reprise::ReduceLROnPlateau{}};
        const long all = allocations_of([&] { model.fit(windows, options); });
        CHECK(all > 0);
        REQUIRE(used == 18);  // three batches an epoch, the last one short
        // From the first batch of the second epoch on, with every shuffling and validation.
        for (std::size_t i = 4; i < used; ++i) {
          CAPTURE(i);
          CHECK(counts[i] == counts[3]);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("no allocation in a fit of samples of different lengths after its first epoch", Scalar,
                   float, double) {
  std::vector<std::vector<double>> sessions;
  for (std::size_t b = 0; b < 180; ++b) sessions.emplace_back(1 + (7 * b) % 4, 0.3);
  for (const int threads : {1, 2}) {
    CAPTURE(threads);
    Autoencoder<Scalar> model(usual_model(0.2));
    std::array<long, 64> counts{};
    std::size_t used = 0;
    FitOptions options{.epochs = 6,
                       .batch_size = 70,
                       .validation_split = 0.2,
                       .sample_weights = std::vector<double>(180, 0.5),
                       .threads = threads,
                       .frozen = {"encoder.1"}};
    options.callbacks = {Reader{&counts, &used}};
    model.fit(reprise::padded<Scalar>(sessions), options);
    REQUIRE(used == 18);
    for (std::size_t i = 4; i < used; ++i) {
      CAPTURE(i);
      CHECK(counts[i] == counts[3]);
    }
  }
}

TEST_CASE("no allocation in a fit of windows over several series to what follows them") {
  const auto windows = reprise::joined_windows<reprise::Matrix<double>>(
      {test::wave(90, 2), test::wave(70, 2)}, {.length = 4, .horizon = 4});
  Autoencoder<float> model(test::small_model(4, 2));
  std::array<long, 64> counts{};
  std::size_t used = 0;
  FitOptions options{.epochs = 4, .batch_size = 70, .threads = 2};
  options.callbacks = {Reader{&counts, &used}};
  model.fit(windows, options);
  REQUIRE(used == 12);
  for (std::size_t i = 4; i < used; ++i) CHECK(counts[i] == counts[3]);
}

TEST_CASE_TEMPLATE("no allocation in reconstruct with a workspace", Scalar, float, double) {
  const Autoencoder<Scalar> model(usual_model());
  const Windows windows = test::wave_windows(50, 4);
  Sequences<Scalar> input({.samples = 50, .steps = 4, .features = 1}),
      output = input, one({.samples = 1, .steps = 4, .features = 1}), result = one;
  const auto numbers = test::numbers(0, 50);
  reprise::InferenceWorkspace<Scalar> workspace;
  const auto reconstruct = [&] {
    windows.gather<Scalar>(numbers, input.view());
    model.reconstruct(std::as_const(input).view(), output.view(), workspace);
  };
  CHECK(allocations_of(reconstruct) > 0);
  CHECK(allocations_of([&] {
          for (int i = 0; i < 3; ++i) reconstruct();
          model.reconstruct(std::as_const(one).view(), result.view(), workspace);  // a smaller batch
        }) == 0);

  // A longer window needs more of the workspace, once.
  auto options = usual_model();
  options.steps = 40;
  const Autoencoder<Scalar> longer(options);
  Sequences<Scalar> long_input({.samples = 50, .steps = 40, .features = 1}), long_output = long_input;
  long_input.values().setConstant(Scalar(0.5));
  const auto reconstruct_longer = [&] {
    longer.reconstruct(std::as_const(long_input).view(), long_output.view(), workspace);
  };
  CHECK(allocations_of(reconstruct_longer) > 0);
  CHECK(allocations_of(reconstruct_longer) == 0);
}

TEST_CASE("the counter counts bytes") {
  void* memory = nullptr;
  CHECK(test::allocated_bytes_of([&] { use(memory = std::malloc(1234)); }) == 1234);
  std::free(memory);
  CHECK(test::allocated_bytes_of([&] { use(memory = std::calloc(3, 5)); }) == 15);
  std::free(memory);
}

TEST_CASE_TEMPLATE("inference takes the memory of its result and of one block for each thread", Scalar, float,
                   double) {
  const Autoencoder<Scalar> model(usual_model());
  // Whole blocks: 2 and 20 of them.
  const Windows few = test::wave_windows(128, 4), many = test::wave_windows(1280, 4);
  const auto sequences_of = [](const Windows& windows) {
    Sequences<Scalar> sequences(windows.shape().batch(windows.size()));
    windows.template gather<Scalar>(test::numbers(0, windows.size()), sequences.view());
    return sequences;
  };
  const Sequences<Scalar> few_sequences = sequences_of(few), many_sequences = sequences_of(many);
  /// Bytes beside the result.
  const auto beside = [](const auto& infer) {
    Sequences<Scalar> result;
    const long bytes = test::allocated_bytes_of([&] { result = infer(); });
    return bytes - static_cast<long>(static_cast<std::size_t>(result.values().size()) * sizeof(Scalar));
  };
  const auto check = [&](const auto& infer, const auto& small, const auto& large) {
    const long with_few = beside([&] { return infer(small, 1); });
    CHECK(with_few > 0);
    CHECK(beside([&] { return infer(large, 1); }) == with_few);
    // Two threads, if both get a block.
    CHECK(beside([&] { return infer(large, 2); }) < 2 * with_few + 2000);
    // A thousand: a block for each of them that there are blocks for.
    CHECK(beside([&] { return infer(large, 1000); }) < 21 * (with_few + 2000));
  };
  const auto reconstruct = [&](const auto& input, int threads) {
    return model.reconstruct(input, {.threads = threads});
  };
  const auto encode = [&](const auto& input, int threads) {
    return model.encode(input, {.threads = threads});
  };
  check(reconstruct, few, many);
  check(reconstruct, few_sequences, many_sequences);
  check(encode, few, many);
  check(encode, few_sequences, many_sequences);
  check([&](const auto& codes, int threads) { return model.decode(codes, {.threads = threads}); },
        model.encode(few), model.encode(many));
}

TEST_CASE_TEMPLATE("no allocation in a step of a stream", Scalar, float, double) {
  const reprise::Vector<Scalar> theta =
      reprise::Vector<Scalar>::Constant(4 * 16 * (3 + 16 + 1), Scalar(0.01));
  reprise::LstmStream<Scalar, 3, 16> stream({.units = 16}, theta.data(), {.units = 1}, theta.data());
  const Eigen::Matrix<Scalar, 3, 1> x = Eigen::Matrix<Scalar, 3, 1>::Ones();
  Scalar last(0);
  CHECK(allocations_of([&] {
          for (int step = 0; step < 3; ++step) last = stream.step(x)[0];
        }) == 0);
  CHECK(last > 0);
}

TEST_CASE_TEMPLATE("no allocation with any kind of decoder, in training or in reconstruct", Scalar, float,
                   double) {
  using reprise::DecoderInput;
  const Windows windows = reprise::sliding_windows(
      test::wave(93, 1), {.length = 14, .patch = 3});  // 5 steps, the last one padded
  const reprise::Source source = windows;
  const auto batch = test::numbers(0, windows.size());
  for (const auto input : {DecoderInput::repeated_code, DecoderInput::zeros, DecoderInput::previous_value}) {
    CAPTURE(static_cast<int>(input));
    auto options = test::small_model(5, 3);
    options.decoder_input = input;
    options.decoder_state = reprise::DecoderState::encoder;
    options.reverse_decoder = true;
    const Autoencoder<Scalar> model(options);
    reprise::Vector<Scalar> gradient = model.weights();
    reprise::detail::BatchPass<Scalar> pass(model.network(), 2);
    Sequences<Scalar> x({.samples = windows.size(), .steps = 5, .features = 3}), y = x;
    reprise::InferenceWorkspace<Scalar> workspace;
    const auto once = [&] {
      pass.loss_and_gradient(model.weights().data(), source, batch, {}, reprise::Huber{}, {},
                             gradient.data());
      pass.loss_total(model.weights().data(), source, batch, {}, reprise::Huber{});
      windows.gather<Scalar>(batch, x.view());
      model.reconstruct(std::as_const(x).view(), y.view(), workspace);
    };
    CHECK(allocations_of(once) > 0);
    CHECK(allocations_of(once) == 0);
  }
}

TEST_CASE_TEMPLATE("no allocation with GRU and bidirectional layers, in training or in reconstruct", Scalar,
                   float, double) {
  using reprise::GruOptions;
  const Windows windows = test::wave_windows(93, 5, 3);
  const reprise::Source source(windows);
  const auto batch = test::numbers(0, windows.size());
  for (const double dropout : {0.0, 0.2}) {
    for (const bool reset_after : {true, false}) {
      const GruOptions gru{.units = 6, .dropout = dropout, .reset_after = reset_after};
      const reprise::AutoencoderOptions options{
          .steps = 5,
          .features = 3,
          .encoder = {reprise::BidirectionalOptions{.layer = gru}, gru},
          .decoder = {gru, reprise::BidirectionalOptions{.layer = reprise::LstmOptions{.units = 4},
                                                         .merge_mode = reprise::MergeMode::mul}}};
      const Autoencoder<Scalar> model(options);
      reprise::Vector<Scalar> gradient = model.weights();
      reprise::detail::BatchPass<Scalar> pass(model.network(), 2);
      Sequences<Scalar> x({.samples = windows.size(), .steps = 5, .features = 3}),
          y = x, one({.samples = 1, .steps = 5, .features = 3}), result = one;
      one.values().setConstant(Scalar(0.5));
      reprise::InferenceWorkspace<Scalar> workspace;
      const auto once = [&] {
        pass.loss_and_gradient(model.weights().data(), source, batch, {}, reprise::Huber{}, {},
                               gradient.data());
        pass.loss_total(model.weights().data(), source, batch, {}, reprise::Huber{});
        windows.gather<Scalar>(batch, x.view());
        model.reconstruct(std::as_const(x).view(), y.view(), workspace);
        model.reconstruct(std::as_const(one).view(), result.view(), workspace);
      };
      CHECK(allocations_of(once) > 0);
      CHECK(allocations_of(once) == 0);
    }
  }
}

TEST_CASE_TEMPLATE("no allocation in a step of a cell", Scalar, float, double) {
  const auto count = [](const auto& cell, Index batch) {
    using reprise::Matrix;
    reprise::ParameterTable table;
    cell.add_parameters(table, "");
    reprise::Vector<Scalar> theta(table.size());
    theta.setConstant(Scalar(0.01));
    const Matrix<Scalar> x = Matrix<Scalar>::Ones(cell.inputs(), batch);
    Matrix<Scalar> h = Matrix<Scalar>::Zero(cell.units(), batch), c = h, gates(4 * cell.units(), batch);
    const long allocated = allocations_of([&] {
      for (int step = 0; step < 3; ++step) cell.step(theta.data(), x, h, c, gates);
    });
    CHECK(test::smallest(h) > 0);
    return allocated;
  };
  using reprise::LstmCell;
  for (const Index batch : {1, 7}) {
    CHECK(count(LstmCell<Scalar>(3, {.units = 5}), batch) == 0);
    CHECK(count(LstmCell<Scalar>(100, {.units = 200}), batch) == 0);
    CHECK(count(LstmCell<Scalar, 3, 5>(3, {.units = 5, .activation = reprise::activation::relu}), batch) ==
          0);
  }
}

TEST_CASE("no allocation in a step over a stream") {
  reprise::RandomStream random(3, reprise::Purpose::other);
  std::vector<double> values(1500);
  for (double& value : values) value = -std::log(1.0 - random.uniform());
  for (const std::size_t i : {700u, 900u, 901u, 1300u}) values[i] = 50;
  const auto calibration = std::span<const double>(values).first(500);
  const auto stream = std::span<const double>(values).subspan(500);
  int alarms = 0;
  const auto count = [&](auto rule) {
    alarms = 0;
    return allocations_of([&] {
      for (const double value : stream) alarms += rule.step(value).is_alarm() ? 1 : 0;
    });
  };
  const reprise::SpotOptions spot{.risk = 1e-3, .level = 0.9, .max_excess = 60};  // a ring that goes round
  CHECK(count(reprise::Spot(calibration, spot)) == 0);
  CHECK(alarms >= 4);
  CHECK(count(reprise::Dspot(calibration, {.depth = 20, .spot = spot})) == 0);
  CHECK(alarms >= 4);
  CHECK(count(reprise::Telemanom({.window = 100, .span = 3})) == 0);  // its memory moves many times
  CHECK(alarms >= 4);
  reprise::PowerMartingale martingale(0.05);
  CHECK(allocations_of([&] {
          for (int i = 0; i < 100; ++i) static_cast<void>(martingale.step(0.01));
        }) == 0);
  CHECK(martingale.log_value() > 3);
}

TEST_CASE("no allocation in a step of a stream of symbols, of one session or of many") {
  const std::vector<std::vector<int>> sessions = {{1, 2, 3, 4}, {1, 3}};
  const reprise::SymbolPredictor<float> model(
      reprise::Vocabulary<int>(sessions),
      {.layers = {reprise::LstmOptions{.units = 64}, reprise::GruOptions{.units = 20}}});
  reprise::SymbolStream<float> stream(model);
  reprise::SymbolStreams<float> streams(model, 10);
  double surprisal = 0.0;
  CHECK(allocations_of([&] {
          for (int i = 0; i < 500; ++i) {
            surprisal += stream.step(i % 7).surprisal;
            if (i % 50 == 49) surprisal += stream.finish().mean_surprisal;
          }
        }) == 0);
  CHECK(allocations_of([&] {
          for (int i = 0; i < 500; ++i) {
            surprisal += streams.step(i * i % 37, i % 7).surprisal;
            if (i % 5 == 4) surprisal += streams.finish(i % 37).mean_surprisal;
          }
        }) == 0);
  CHECK(surprisal > 100.0);
  CHECK(streams.forgotten() > 10);
}
