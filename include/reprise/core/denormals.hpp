#pragma once

#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "version.hpp"

namespace reprise::inline REPRISE_ABI::detail {

/// While it lives, this thread takes numbers too small for a normal exponent (floats below 1e-38) for zero,
/// as TensorFlow and XLA do. Moments of units that get no gradient any more decay to such numbers, gradients
/// vanish through them, and each operation on one takes the processor a hundred times as long.
class FlushDenormals {
 public:
#ifdef __SSE2__
  FlushDenormals() : before_(_mm_getcsr()) {
    _mm_setcsr(before_ | 0x8040);
  }  // to zero what comes out, and goes in
  ~FlushDenormals() { _mm_setcsr(before_); }
#else
  FlushDenormals() = default;
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#ifdef __SSE2__
  unsigned before_;
#endif
};

}  // namespace reprise::inline REPRISE_ABI::detail
