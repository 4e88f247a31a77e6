#pragma once

#include <atomic>
#include <exception>
#include <utility>
#include <vector>

#include "../../core/error.hpp"
#include "../../core/needs_exceptions.hpp"
#include "../../core/sequences.hpp"

#ifndef REPRISE_NO_THREADS
#include <mutex>
#include <thread>
#endif

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

#ifdef REPRISE_NO_THREADS
/// Without threads the calling one does all tasks, in their order.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) {
    require_positive(threads, "threads", "a number of threads");
    if (threads > 1) fail("threads", "1, as there are no threads here", {threads});
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return 1; }

  template <typename Task>
  void run(Index count, const Task& task) {
    for (Index number = 0; number < count; ++number) task(number, 0);
  }
};
#else
/// Threads that share numbered tasks. The calling thread works too, so a pool of one starts no thread at all.
/// A value that its user owns; which thread takes a task must not change the result.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) {
    require_positive(threads, "threads", "a number of threads");
    try {
      for (int worker = 1; worker < threads; ++worker)
        threads_.emplace_back([this, worker] { work(worker); });
    } catch (const std::exception& error) {
      const std::size_t got = threads_.size() + 1;
      stop();
      fail("threads", {threads}, {got, " (", error.what(), ")"});
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() { stop(); }

  int size() const { return static_cast<int>(threads_.size()) + 1; }

  /// Calls task(number, worker) for each number in [0, count) and returns when all are done. The first
  /// exception of any thread is thrown here.
  template <typename Task>
  void run(Index count, const Task& task) {
    if (threads_.empty() || count <= 1) {
      for (Index number = 0; number < count; ++number) task(number, 0);
      return;
    }
    call_ = [](const void* t, Index number, int worker) { (*static_cast<const Task*>(t))(number, worker); };
    task_ = &task;
    count_ = count;
    next_ = 0;
    busy_ = static_cast<int>(threads_.size());
    wake();
    take_tasks(0);
    for (int left = busy_.load(); left > 0; left = busy_.load()) busy_.wait(left);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void stop() {
    stopping_ = true;
    wake();
    for (std::thread& thread : threads_) thread.join();
  }
  void wake() {
    ++round_;
    round_.notify_all();
  }

  void work(int worker) {
    unsigned seen = 0;
    while (true) {
      round_.wait(seen);
      seen = round_.load();
      if (stopping_) return;
      take_tasks(worker);
      if (--busy_ == 0) busy_.notify_one();
    }
  }

  void take_tasks(int worker) {
    try {
      for (Index number = next_++; number < count_; number = next_++) call_(task_, number, worker);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
      next_ = count_;
    }
  }

  std::vector<std::thread> threads_;
  std::atomic<unsigned> round_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<Index> next_ = 0;
  std::atomic<int> busy_ = 0;
  Index count_ = 0;
  void (*call_)(const void*, Index, int) = nullptr;
  const void* task_ = nullptr;
  std::mutex error_mutex_;
  std::exception_ptr error_;
};
#endif

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
