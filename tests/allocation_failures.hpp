#pragma once

// Lets the n-th allocation fail, in whatever thread, and counts what is alive, by replacing the C library's
// functions of glibc: `operator new` of the standard library stands on them, and so does Eigen. Include it in
// one file of a program.

#include <Eigen/Core>  // before what follows, since it declares posix_memalign in ways of its own
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

#include <reprise/core/error.hpp>

#ifndef __GLIBC__
#error "this replacement of malloc needs glibc"
#endif

namespace test {

/// How many allocations succeed before one fails; negative: none fails.
inline constinit std::atomic<long> before_failure{-1};
inline constinit std::atomic<long> alive{0};

/// Whether this allocation is the one that fails. All after it succeed.
inline bool fails() {
  return before_failure.load(std::memory_order_relaxed) >= 0 && before_failure.fetch_sub(1) == 0;
}
inline void* counted(void* memory) {
  if (memory != nullptr) alive.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

/// What became of a call in which an allocation failed.
enum class Outcome {
  /// The allocation was not reached.
  completed,
  /// Something was done about it, such as asking for less.
  managed,
  refused
};

/// Calls `call` with its n-th allocation failing, n from 0 on. It may throw std::bad_alloc, or the library's
/// own error.
template <typename Call>
Outcome outcome_of(long n, Call&& call) {
  bool refused = false;
  before_failure = n;
  try {
    call();
  } catch (const std::bad_alloc&) {
    refused = true;
  } catch (const reprise::Error&) {
    refused = true;
  }
  const bool reached = before_failure.exchange(-1) < 0;
  return refused ? Outcome::refused : reached ? Outcome::managed : Outcome::completed;
}

}  // namespace test

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) noexcept {
  return test::fails() ? nullptr : test::counted(__libc_malloc(size));
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  return test::fails() ? nullptr : test::counted(__libc_calloc(count, size));
}
void* realloc(void* memory, std::size_t size) noexcept {
  if (test::fails()) return nullptr;
  void* const moved = __libc_realloc(memory, size);
  if (memory == nullptr) return test::counted(moved);
  if (moved == nullptr && size == 0) test::alive.fetch_sub(1, std::memory_order_relaxed);
  return moved;
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return test::fails() ? nullptr : test::counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  void* const got = test::fails() ? nullptr : test::counted(__libc_memalign(alignment, size));
  if (got == nullptr) return ENOMEM;
  *memory = got;
  return 0;
}
void free(void* memory) noexcept {
  if (memory != nullptr) test::alive.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(memory);
}

}  // extern "C"
