#pragma once

#include "../core/version.hpp"

namespace reprise::inline REPRISE_ABI {

/// How several numbers become one. `quantile` is the one that goes with it in the options.
enum class Aggregate { mean, median, max, min, sum, quantile };

}  // namespace reprise::inline REPRISE_ABI
