#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "../../core/error.hpp"
#include "../../core/needs_exceptions.hpp"
#include "../../core/sequences.hpp"

#ifndef REPRISE_NO_THREADS
#include <mutex>
#include <system_error>
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
  int started() const { return 1; }

  template <typename Task>
  void run(Index count, const Task& task) {
    for (Index number = 0; number < count; ++number) task(number, 0);
  }
};
#else
/// Threads that share numbered tasks. The calling thread works too; another one starts when there is a task
/// for it for the first time, and sleeps whenever there is none. A value that its user owns; which thread
/// takes a task must not change the result.
class ThreadPool {
 public:
  /// `threads`: the most that work at once.
  explicit ThreadPool(int threads) : size_(threads) {
    require_positive(threads, "threads", "a number of threads");
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    stopping_ = true;
    for (const auto& helper : helpers_) wake(*helper);
    for (const auto& helper : helpers_) helper->thread.join();
  }

  /// The most that work at once: fewer than were asked for, once the system has refused to start another.
  int size() const { return size_; }
  /// Threads so far, the calling one among them.
  int started() const { return static_cast<int>(helpers_.size()) + 1; }

  /// Calls task(number, worker) for each number in [0, count) and returns when all are done; wakes no more
  /// threads than there are tasks, so that `worker` is below `count` too. Where the system starts no
  /// further thread, those that there are do all tasks. The first exception of any thread is thrown here.
  template <typename Task>
  void run(Index count, const Task& task) {
    const auto wanted = static_cast<std::size_t>(std::clamp<Index>(count, 1, size_) - 1);
    start(wanted);
    const std::size_t helpers = std::min(wanted, helpers_.size());
    if (helpers == 0) {
      for (Index number = 0; number < count; ++number) task(number, 0);
      return;
    }
    call_ = [](const void* t, Index number, int worker) { (*static_cast<const Task*>(t))(number, worker); };
    task_ = &task;
    count_ = count;
    next_ = 0;
    busy_ = static_cast<int>(helpers);
    for (std::size_t i = 0; i < helpers; ++i) wake(*helpers_[i]);
    take_tasks(0);
    for (int left = busy_.load(); left > 0; left = busy_.load()) busy_.wait(left);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  struct Helper {
    /// Counts the calls of `run` that it has had a part in.
    std::atomic<unsigned> round = 0;
    std::thread thread;
  };

  /// Makes them so many, where they are fewer and the system lets them start.
  void start(std::size_t helpers) {
    helpers_.reserve(helpers);
    while (helpers_.size() < helpers) {
      auto helper = std::make_unique<Helper>();
      const int worker = started();
      try {
        helper->thread = std::thread([this, &self = *helper, worker] { work(self, worker); });
      } catch (const std::system_error&) {
        size_ = worker;  // so that it is not tried again in each batch
        return;
      }
      helpers_.push_back(std::move(helper));
    }
  }
  static void wake(Helper& helper) {
    ++helper.round;
    helper.round.notify_one();
  }

  void work(Helper& self, int worker) {
    unsigned seen = 0;
    while (true) {
      self.round.wait(seen);
      seen = self.round.load();
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

  int size_;
  std::vector<std::unique_ptr<Helper>> helpers_;
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
