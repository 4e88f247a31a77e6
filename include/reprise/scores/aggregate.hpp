#pragma once

#include "../core/version.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How several numbers become one. `quantile` is the one that goes with it in the options.
enum class Aggregate { mean, median, max, min, sum, quantile };

}  // namespace REPRISE_ABI
}  // namespace reprise
