#pragma once

#include <cstddef>

#include "detail/eigen.hpp"

#define REPRISE_VERSION_MAJOR 0
#define REPRISE_VERSION_MINOR 1
#define REPRISE_VERSION_PATCH 0

#if !EIGEN_VERSION_AT_LEAST(3, 4, 0)
#error "reprise needs Eigen 3.4 or newer"
#endif

// A standard library may be built without threads, as that of WASI is; a program may also define
// REPRISE_NO_THREADS itself. There is no pool of threads then, and options that ask for more than one are
// refused.
#if !defined(REPRISE_NO_THREADS)
#if defined(_LIBCPP_HAS_NO_THREADS) || \
    (defined(_LIBCPP_VERSION) && _LIBCPP_VERSION >= 190000 && !_LIBCPP_HAS_THREADS)
#define REPRISE_NO_THREADS
#elif defined(__GLIBCXX__) && !defined(_GLIBCXX_HAS_GTHREADS)
#define REPRISE_NO_THREADS
#endif
#endif

// Everything stands in an inline namespace whose name tells what changes the layout or the code of a type:
// the version, Eigen's alignment, the instruction sets, whether there are threads and exceptions, and whether
// the compiler may take it that no number is NaN (-ffast-math, -Ofast). Passing a reprise type between
// translation units that were compiled for different processors therefore fails to link instead of crashing.
#ifdef __AVX__
#define REPRISE_DETAIL_AVX _avx
#else
#define REPRISE_DETAIL_AVX
#endif
#ifdef __AVX2__
#define REPRISE_DETAIL_AVX2 _avx2
#else
#define REPRISE_DETAIL_AVX2
#endif
#ifdef __FMA__
#define REPRISE_DETAIL_FMA _fma
#else
#define REPRISE_DETAIL_FMA
#endif
#ifdef __AVX512F__
#define REPRISE_DETAIL_AVX512 _avx512f
#else
#define REPRISE_DETAIL_AVX512
#endif
#ifdef REPRISE_PLAIN_KERNELS
#define REPRISE_DETAIL_KERNELS _plain
#else
#define REPRISE_DETAIL_KERNELS
#endif

#ifdef REPRISE_NO_THREADS
#define REPRISE_DETAIL_NO_THREADS _nothreads
#else
#define REPRISE_DETAIL_NO_THREADS
#endif
#ifdef __cpp_exceptions
#define REPRISE_DETAIL_NO_EXCEPTIONS
#else
#define REPRISE_DETAIL_NO_EXCEPTIONS _noexceptions
#endif
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#define REPRISE_DETAIL_FAST_MATH _fastmath
#else
#define REPRISE_DETAIL_FAST_MATH
#endif

#define REPRISE_DETAIL_JOIN2(major, minor, patch, align, a, b, c, d, e, f, g, h) \
  v##major##_##minor##_##patch##_align##align##a##b##c##d##e##f##g##h
#define REPRISE_DETAIL_JOIN(major, minor, patch, align, a, b, c, d, e, f, g, h) \
  REPRISE_DETAIL_JOIN2(major, minor, patch, align, a, b, c, d, e, f, g, h)
#define REPRISE_ABI                                                                                       \
  REPRISE_DETAIL_JOIN(REPRISE_VERSION_MAJOR, REPRISE_VERSION_MINOR, REPRISE_VERSION_PATCH,                \
                      EIGEN_MAX_ALIGN_BYTES, REPRISE_DETAIL_AVX, REPRISE_DETAIL_AVX2, REPRISE_DETAIL_FMA, \
                      REPRISE_DETAIL_AVX512, REPRISE_DETAIL_KERNELS, REPRISE_DETAIL_NO_THREADS,           \
                      REPRISE_DETAIL_NO_EXCEPTIONS, REPRISE_DETAIL_FAST_MATH)
