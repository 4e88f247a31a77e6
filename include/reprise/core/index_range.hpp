#pragma once

#include "sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// The points of [start, end), end excluded.
struct IndexRange {
  Index start = 0;
  Index end = 0;
  friend bool operator==(const IndexRange&, const IndexRange&) = default;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
