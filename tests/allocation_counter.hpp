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
inline constinit std::atomic<long> allocated_bytes{0};

inline void count_allocation(std::size_t size) {
  if (!counting.load(std::memory_order_relaxed)) return;
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(static_cast<long>(size), std::memory_order_relaxed);
}

/// Allocations, in whatever thread, while `call` runs.
template <typename Call>
long allocations_of(Call&& call) {
  allocations = 0;
  allocated_bytes = 0;
  counting = true;
  call();
  counting = false;
  return allocations;
}
/// Bytes that were asked for meanwhile, whether or not they were given back.
template <typename Call>
long allocated_bytes_of(Call&& call) {
  allocations_of(call);
  return allocated_bytes;
}

}  // namespace test

extern "C" {

void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t size) noexcept {
  test::count_allocation(size);
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  test::count_allocation(count * size);
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  test::count_allocation(size);
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  test::count_allocation(size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  test::count_allocation(size);
  void* const got = __libc_memalign(alignment, size);
  if (got == nullptr) return ENOMEM;
  *memory = got;
  return 0;
}

}  // extern "C"
