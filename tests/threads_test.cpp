#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <reprise/models/autoencoder.hpp>

#include "training.hpp"

using reprise::Autoencoder;
using reprise::FitOptions;
using reprise::History;
using reprise::Index;
using reprise::Sequences;
using reprise::Windows;
using reprise::detail::ThreadPool;
using test::same_bits;

TEST_CASE("threads: any number of them gives the same bits") {
  // 100 windows a batch are 4 shards, the last batch is one short shard; 64 units are 4 parts of a gradient.
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

TEST_CASE("thread pool: no threads are refused") {
  CHECK_THROWS_WITH_AS(ThreadPool(0), "threads: expected a number of threads > 0, got 0", reprise::Error);
}
