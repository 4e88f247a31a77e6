#include <doctest/doctest.h>

#ifdef __linux__
#include <pthread.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <reprise/models/autoencoder.hpp>
#include <reprise/models/forecaster.hpp>

#include "training.hpp"

using reprise::Autoencoder;
using reprise::FitOptions;
using reprise::History;
using reprise::Index;
using reprise::Sequences;
using reprise::Windows;
using reprise::detail::ThreadPool;
using test::same_bits;

namespace {

#ifdef __GLIBC__
/// While there is one, no thread starts: none has memory for a stack as large as it asks for.
class NoNewThreads {
 public:
  NoNewThreads() {
    pthread_attr_t attributes;
    REQUIRE(pthread_getattr_default_np(&attributes) == 0);
    REQUIRE(pthread_attr_getstacksize(&attributes, &usual_) == 0);
    pthread_attr_destroy(&attributes);
    set(std::numeric_limits<std::size_t>::max() / 4 * 3);
  }
  ~NoNewThreads() { set(usual_); }
  NoNewThreads(const NoNewThreads&) = delete;
  NoNewThreads& operator=(const NoNewThreads&) = delete;

 private:
  static void set(std::size_t stack) {
    pthread_attr_t attributes;
    CHECK(pthread_getattr_default_np(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, stack) == 0);
    CHECK(pthread_setattr_default_np(&attributes) == 0);
    pthread_attr_destroy(&attributes);
  }

  std::size_t usual_ = 0;
};
#endif

/// Windows that note which threads ask for them.
struct NotedWindows {
  struct Note {
    std::mutex mutex;
    std::set<std::thread::id> threads;
  };
  Windows windows;
  std::shared_ptr<Note> note = std::make_shared<Note>();

  Index size() const { return windows.size(); }
  reprise::SequenceShape input_shape() const { return windows.shape(); }
  reprise::SequenceShape target_shape() const { return windows.shape(); }
  bool targets_are_inputs() const { return true; }
  template <typename Scalar>
  void gather(std::span<const Index> samples, reprise::SequenceView<Scalar> inputs,
              reprise::SequenceView<Scalar>) const {
    const std::lock_guard lock(note->mutex);
    note->threads.insert(std::this_thread::get_id());
    windows.gather(samples, inputs);
  }
  std::size_t threads() const { return note->threads.size(); }
};

}  // namespace

TEST_CASE("threads: batches of any size have the same bits in fit and evaluate, whatever their number") {
  const Autoencoder<float> start(test::small_model_with_dropout(16, 2));
  for (const Index batch_size : {8, 32, 33, 256}) {
    CAPTURE(batch_size);
    const Windows windows = test::wave_windows(batch_size + 20, 16, 2);  // and a short batch
    FitOptions fit{.epochs = 2, .batch_size = batch_size};
    Autoencoder<float> expected = start;
    const History history = expected.fit(windows, fit);
    const double loss = expected.evaluate(windows, {.batch_size = batch_size});
    for (const int threads : {2, 3, 8, 1000}) {
      CAPTURE(threads);
      fit.threads = threads;
      Autoencoder<float> model = start;
      CHECK(model.fit(windows, fit).loss == history.loss);
      CHECK(same_bits(model.weights(), expected.weights()));
      CHECK(model.evaluate(windows, {.batch_size = batch_size, .threads = threads}) == loss);
    }
  }
}

TEST_CASE("threads: what a model makes of samples has the same bits, whatever their number") {
  const Autoencoder<float> model(test::small_model(6, 2));
  const reprise::Forecaster<float> forecaster(
      {.steps = 6, .features = 2, .horizon = 2, .layers = {{.units = 4}}});
  for (const Index count : {8, 32, 33, 256}) {
    CAPTURE(count);
    const Windows windows = test::wave_windows(count, 6, 2);
    const auto expected = model.reconstruct(windows);
    const auto codes = model.encode(windows);
    const auto decoded = model.decode(codes);
    const auto predicted = forecaster.predict(windows);
    std::vector<Index> lengths;
    for (Index i = 0; i < count; ++i) lengths.push_back(1 + i * 5 % 6);
    const auto of_lengths = model.reconstruct(expected, lengths);
    for (const int threads : {1, 2, 3, 8, 1000}) {
      CAPTURE(threads);
      CHECK(same_bits(model.reconstruct(windows, {.threads = threads}).values(), expected.values()));
      CHECK(same_bits(model.encode(windows, {.threads = threads}).values(), codes.values()));
      CHECK(same_bits(model.decode(codes, {.threads = threads}).values(), decoded.values()));
      CHECK(same_bits(forecaster.predict(windows, {.threads = threads}).values(), predicted.values()));
      // The same samples handed over as sequences.
      Sequences<float> input = expected;
      windows.gather<float>(test::numbers(0, count), input.view());
      CHECK(same_bits(model.reconstruct(input, {.threads = threads}).values(), expected.values()));
      CHECK(same_bits(model.encode(input, {.threads = threads}).values(), codes.values()));
      CHECK(same_bits(forecaster.predict(input, {.threads = threads}).values(), predicted.values()));
      CHECK(same_bits(model.reconstruct(expected, lengths, {.threads = threads}).values(),
                      of_lengths.values()));
    }
  }
  CHECK_THROWS_WITH_AS(model.reconstruct(test::wave_windows(8, 6, 2), {.threads = 0}),
                       "threads: expected a number of threads > 0, got 0", reprise::Error);
}

TEST_CASE("threads: lengths in braces are lengths, and options are options") {
  const Autoencoder<float> model(test::small_model(6));
  Sequences<float> one({.samples = 1, .steps = 6, .features = 1}),
      three({.samples = 3, .steps = 6, .features = 1});
  one.values().setConstant(0.5f);
  three.values().setConstant(0.5f);
  const auto of_four = model.reconstruct(one, std::vector<Index>{4});
  CHECK(of_four(0, 4, 0) == 0.0f);
  CHECK(same_bits(model.reconstruct(one, {4}).values(), of_four.values()));
  CHECK(same_bits(model.reconstruct(three, {6, 2, 1}, {.threads = 2}).values(),
                  model.reconstruct(three, std::vector<Index>{6, 2, 1}).values()));
  CHECK(same_bits(model.reconstruct(three, {.threads = 2}).values(), model.reconstruct(three).values()));
}

TEST_CASE("threads: no more work than a batch has groups, however many are asked for") {
  const Autoencoder<float> start(test::small_model(16));
  const auto threads_of_fit = [&](Index batch_size) {
    const NotedWindows windows{test::wave_windows(4 * batch_size, 16)};
    Autoencoder<float> model = start;
    model.fit(windows, {.epochs = 5, .batch_size = batch_size, .threads = 200});
    return windows.threads();
  };
  CHECK(threads_of_fit(8) == 1);
  CHECK(threads_of_fit(32) <= 2);
  CHECK(threads_of_fit(256) <= 8);
  const NotedWindows windows{test::wave_windows(130, 16)};
  static_cast<void>(start.reconstruct(windows, {.threads = 200}));
  CHECK(windows.threads() <= 3);
}

TEST_CASE("threads: no more are started than a batch has groups, however many are asked for") {
  // 16 steps: a batch of 32 is cut in two. In shorter sequences that would cost one thread too much.
  struct Case {
    Index steps, batch;
    int to_fit, to_evaluate;
  };
  for (const Case& c : {Case{16, 8, 1, 1},
                        {16, 31, 1, 1},
                        {16, 32, 2, 2},
                        {16, 33, 2, 2},
                        {16, 64, 2, 2},
                        {16, 96, 4, 4},
                        {16, 256, 8, 8},
                        {16, 600, 8, 18},
                        {4, 32, 1, 1},
                        {4, 47, 1, 1},
                        {4, 48, 2, 2}}) {
    CAPTURE(c.steps);
    CAPTURE(c.batch);
    const Autoencoder<float> model(test::small_model(c.steps));
    const reprise::Source windows = test::wave_windows(c.batch, c.steps);
    const auto numbers = test::numbers(0, c.batch);
    reprise::Vector<float> gradient = model.weights();
    reprise::detail::BatchPass<float> pass(model.network(), 1000);
    CHECK(pass.threads() == 1);
    pass.loss_and_gradient(model.weights().data(), windows, numbers, {}, reprise::MeanSquaredError{}, {},
                           gradient.data());
    CHECK(pass.threads() == c.to_fit);
    pass.loss_total(model.weights().data(), windows, numbers, {}, reprise::MeanSquaredError{});
    CHECK(pass.threads() == c.to_evaluate);
  }
}

TEST_CASE("threads: shards are even in number and of nearly equal width") {
  using reprise::detail::shard_width_of;
  const auto network = [](Index units, Index steps) {
    return Autoencoder<float>({.steps = steps, .encoder = {{.units = units}}, .decoder = {{.units = units}}})
        .network();
  };
  const auto small = network(8, 16), large = network(200, 16);
  for (Index batch = 32; batch <= 512; ++batch) {
    CAPTURE(batch);
    const Index width = shard_width_of(small, batch), shards = (batch + width - 1) / width;
    CHECK(width <= 48);
    CHECK(width % 2 == 0);
    CHECK(width >= (batch < 48 ? 16 : 24));
    CHECK(shards % 2 == 0);
    CHECK(batch - (shards - 1) * width >= width - 2 * shards);  // the last one
  }
  CHECK(shard_width_of(small, 31) == 31);
  CHECK(shard_width_of(small, 1) == 1);
  // Weights that fill a cache are read once for twice as many samples.
  CHECK(shard_width_of(large, 64) == 64);
  CHECK(shard_width_of(large, 95) == 95);
  CHECK(shard_width_of(large, 96) == 48);
  CHECK(shard_width_of(large, 128) == 64);
  CHECK(shard_width_of(large, 256) == 64);
}

TEST_CASE("threads: any number of them gives the same bits with validation and dropout") {
  // 100 windows a batch are 4 shards, the last batch of 28 is one; 64 units are 4 parts of a gradient.
  reprise::AutoencoderOptions options = test::small_model_with_dropout(4, 2);
  options.encoder[0].units = 64;
  options.decoder[1].recurrent_dropout = 0.0;
  const Windows windows = test::wave_windows(160, 4, 2);  // 128 to train on
  const FitOptions one{.epochs = 2, .batch_size = 100, .validation_split = 0.2};
  const Autoencoder<float> start(options);
  Autoencoder<float> expected = start;
  const History history = expected.fit(windows, one);
  const double loss = expected.evaluate(windows, {.batch_size = 100});
  for (const int threads : {2, 3, 8}) {
    CAPTURE(threads);
    FitOptions more = one;
    more.threads = threads;
    Autoencoder<float> model = start;
    const History result = model.fit(windows, more);
    CHECK(same_bits(model.weights(), expected.weights()));
    CHECK(same_bits(model.training_state().moments, expected.training_state().moments));
    CHECK(result.loss == history.loss);
    CHECK(result.validation_loss == history.validation_loss);
    CHECK(model.evaluate(windows, {.batch_size = 100, .threads = threads}) == loss);
  }
  CHECK_FALSE(same_bits(expected.weights(), start.weights()));
}

TEST_CASE("threads: constant calls on one model at once") {
  const Autoencoder<float> model(test::small_model(6));
  const Windows windows = test::wave_windows(70, 6);
  const auto reconstruction = model.reconstruct(windows);
  const auto codes = model.encode(windows);
  const double loss = model.evaluate(windows);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      reprise::InferenceWorkspace<float> workspace;
      Sequences<float> input({.samples = 1, .steps = 6, .features = 1}),
          output({.samples = 1, .steps = 6, .features = 1});
      for (int round = 0; round < 5; ++round) {
        if (!same_bits(model.reconstruct(windows).values(), reconstruction.values())) ++wrong;
        if (!same_bits(model.encode(windows).values(), codes.values())) ++wrong;
        if (model.evaluate(windows) != loss) ++wrong;
        if (model.summary().parameters != model.weights().size()) ++wrong;
        const Index number = round;
        windows.gather<float>({&number, 1}, input.view());
        model.reconstruct(std::as_const(input).view(), output.view(), workspace);
        for (Index t = 0; t < 6; ++t) {
          if (!(std::abs(output(0, t, 0) - reconstruction(number, t, 0)) <= 1e-5f)) ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("threads: two models that are copies train at once") {
  const Windows windows = test::wave_windows(70, 4);
  Autoencoder<float> expected(test::small_model(4));
  Autoencoder<float> a = expected, b = expected;
  const FitOptions options{.epochs = 2, .batch_size = 64, .threads = 2};
  expected.fit(windows, options);
  std::thread other([&] { a.fit(windows, options); });
  b.fit(windows, options);
  other.join();
  CHECK(same_bits(a.weights(), expected.weights()));
  CHECK(same_bits(b.weights(), expected.weights()));
}

TEST_CASE("thread pool: every task once, by a worker of its own") {
  for (const int threads : {1, 2, 5}) {
    CAPTURE(threads);
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (const Index count : {0, 1, 2, 3, 100}) {
      CAPTURE(count);
      std::vector<int> done(100, 0);  // each task has a place of its own, as each worker has
      std::vector<int> by_worker(static_cast<std::size_t>(threads), 0);
      pool.run(count, [&](Index number, int worker) {
        ++done[static_cast<std::size_t>(number)];
        ++by_worker.at(static_cast<std::size_t>(worker));
      });
      int total = 0;
      for (const int tasks : by_worker) total += tasks;
      CHECK(total == count);
      for (Index i = 0; i < 100; ++i) CHECK(done[static_cast<std::size_t>(i)] == (i < count ? 1 : 0));
    }
  }
}

TEST_CASE("thread pool: starts and wakes no more threads than there are tasks") {
  ThreadPool pool(1000);
  CHECK(pool.size() == 1000);
  CHECK(pool.started() == 1);
  pool.run(1, [](Index, int) {});
  CHECK(pool.started() == 1);
  pool.run(3, [](Index, int) {});
  CHECK(pool.started() == 3);
  pool.run(6, [](Index, int) {});
  CHECK(pool.started() == 6);
  // The others sleep while there is nothing for them: the two tasks meet, so each has a thread of its own.
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> met = 0;
    std::array<int, 2> workers{};
    pool.run(2, [&](Index number, int worker) {
      workers[static_cast<std::size_t>(number)] = worker;
      for (++met; met < 2;) std::this_thread::yield();
    });
    CHECK(workers[0] + workers[1] == 1);
  }
  CHECK(pool.started() == 6);
}

TEST_CASE("thread pool: an exception comes back to the caller, and the pool goes on") {
  for (const int threads : {1, 2, 4}) {
    CAPTURE(threads);
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      CHECK_THROWS_WITH_AS(pool.run(20,
                                    [&](Index number, int) {
                                      if (number == round % 20) throw std::runtime_error("of a task");
                                    }),
                           "of a task", std::runtime_error);
      std::atomic<Index> sum = 0;
      pool.run(20, [&](Index number, int) { sum += number; });
      CHECK(sum == 190);
    }
    // All of them throw: one is thrown here, none is left for the next time.
    CHECK_THROWS_AS(pool.run(20, [](Index, int) { throw std::runtime_error("of every task"); }),
                    std::runtime_error);
    CHECK_NOTHROW(pool.run(20, [](Index, int) {}));
  }
}

TEST_CASE("thread pool: many rounds of small tasks") {
  ThreadPool pool(3);
  std::vector<Index> values(4, 0);
  for (int round = 0; round < 10000; ++round) {
    pool.run(4, [&](Index number, int) { values[static_cast<std::size_t>(number)] += number + round; });
  }
  for (Index i = 0; i < 4; ++i) CHECK(values[static_cast<std::size_t>(i)] == 10000 * i + 9999 * 5000);
}

TEST_CASE("thread pool: as many as started are joined") {
  for (int i = 0; i < 100; ++i) {
    ThreadPool unused(4);
    if (i % 2 == 0) unused.run(4, [](Index, int) {});
  }
}

#ifdef __GLIBC__
TEST_CASE("thread pool: where no further thread starts, those that there are do all tasks") {
  ThreadPool alone(4), two(4);
  two.run(2, [](Index, int) {});
  {
    const NoNewThreads none;
    CHECK_THROWS_AS(std::thread([] {}).join(), std::system_error);
    for (ThreadPool* const pool : {&alone, &two}) {
      const int size = pool == &alone ? 1 : 2;
      for (int round = 0; round < 10; ++round) {
        std::array<int, 20> done{};
        std::atomic<int> highest = 0;
        pool->run(20, [&](Index number, int worker) {
          ++done[static_cast<std::size_t>(number)];
          if (worker > 0) highest = worker;
        });
        CHECK(std::count(done.begin(), done.end(), 1) == 20);
        CHECK(highest < size);
      }
      CHECK(pool->size() == size);
      CHECK(pool->started() == size);
    }
  }
  alone.run(20, [](Index, int) {});
  CHECK(alone.started() == 1);  // it was not tried again
}

TEST_CASE("threads: where none starts, a fit and an inference give the same bits as one thread") {
  const Windows windows = test::wave_windows(150, 4);
  Autoencoder<float> expected(test::small_model(4));
  FitOptions options{.epochs = 2, .batch_size = 100};
  expected.fit(windows, options);
  Autoencoder<float> model = expected;
  const History history = expected.fit(windows, options);
  options.threads = 4;
  const NoNewThreads none;
  CHECK(model.fit(windows, options).loss == history.loss);
  CHECK(same_bits(model.weights(), expected.weights()));
  CHECK(same_bits(model.training_state().moments, expected.training_state().moments));
  CHECK(model.evaluate(windows, {.threads = 4}) == expected.evaluate(windows));
  CHECK(
      same_bits(model.reconstruct(windows, {.threads = 4}).values(), expected.reconstruct(windows).values()));
}
#endif

TEST_CASE("thread pool: no threads are refused") {
  CHECK_THROWS_WITH_AS(ThreadPool(0), "threads: expected a number of threads > 0, got 0", reprise::Error);
}
