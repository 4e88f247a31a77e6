#pragma once

#include <Eigen/Core>

#define REPRISE_VERSION_MAJOR 0
#define REPRISE_VERSION_MINOR 1
#define REPRISE_VERSION_PATCH 0

#if !EIGEN_VERSION_AT_LEAST(3, 4, 0)
#error "reprise needs Eigen 3.4 or newer"
#endif

// Everything stands in an inline namespace whose name tells what changes the layout or the code of a type:
// the version, Eigen's alignment and the instruction sets. Passing a reprise type between translation units
// that were compiled for different processors therefore fails to link instead of crashing.
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

#define REPRISE_DETAIL_JOIN2(major, minor, patch, align, a, b, c, d, e) \
  v##major##_##minor##_##patch##_align##align##a##b##c##d##e
#define REPRISE_DETAIL_JOIN(major, minor, patch, align, a, b, c, d, e) \
  REPRISE_DETAIL_JOIN2(major, minor, patch, align, a, b, c, d, e)
#define REPRISE_ABI                                                                                       \
  REPRISE_DETAIL_JOIN(REPRISE_VERSION_MAJOR, REPRISE_VERSION_MINOR, REPRISE_VERSION_PATCH,                \
                      EIGEN_MAX_ALIGN_BYTES, REPRISE_DETAIL_AVX, REPRISE_DETAIL_AVX2, REPRISE_DETAIL_FMA, \
                      REPRISE_DETAIL_AVX512, REPRISE_DETAIL_KERNELS)
