#pragma once

// Counts what is asked of the heap, by any thread, by replacing the C library's functions of glibc: `operator
// new` of the standard library, also the aligned one, stands on them, and so does Eigen. Include it in one
// file of a program.

#include <Eigen/Core>  // before what follows, since it declares posix_memalign in ways of its own
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#ifndef __GLIBC__
#error "the counter of allocations needs glibc"
#endif

namespace test {

inline constinit std::atomic<bool> counting{false};
inline constinit std::atomic<long> allocations{0};

inline void count_allocation() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}

/// Allocations, in whatever thread, while `call` runs.
template <typename Call>
long allocations_of(Call&& call) {
  allocations = 0;
  counting = true;
  call();
  counting = false;
  return allocations;
}

}  // namespace test

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) noexcept {
  test::count_allocation();
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  test::count_allocation();
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  test::count_allocation();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  test::count_allocation();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  test::count_allocation();
  void* const got = __libc_memalign(alignment, size);
  if (got == nullptr) return ENOMEM;
  *memory = got;
  return 0;
}

}  // extern "C"
