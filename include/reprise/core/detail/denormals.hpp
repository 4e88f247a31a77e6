#pragma once

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "../version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// While it lives, this thread takes numbers too small for a normal exponent (floats below 1e-38) for zero,
/// as TensorFlow and XLA do. Moments of units that get no gradient any more decay to such numbers, gradients
/// vanish through them, and each operation on one takes the processor a hundred times as long. Does nothing
/// but on x86.
class [[maybe_unused]] FlushDenormals {
 public:
#ifdef __SSE2__
  FlushDenormals() : before_(_mm_getcsr() & modes) { _mm_setcsr(_mm_getcsr() | modes); }
  /// Keeps the exception flags that were raised meanwhile.
  ~FlushDenormals() { _mm_setcsr((_mm_getcsr() & ~modes) | before_); }
#else
  FlushDenormals() = default;
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#ifdef __SSE2__
  static constexpr unsigned flush_results = 0x8000, take_inputs_for_zero = 0x40;
  static constexpr unsigned modes = flush_results | take_inputs_for_zero;
  unsigned before_;
#endif
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
