#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../core/time_stamps.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What the numbers of a series stand for, so that reports and findings can say it. Each may be left empty.
struct SeriesInfo {
  /// Of each time step: seconds since 1970 (`seconds_of` reads a time stamp), ascending.
  std::vector<double> times{};
  /// Of each feature its name, such as "pressure".
  std::vector<std::string> features{};
  /// Of each feature its unit, such as "bar"; an empty text for a feature that has none.
  std::vector<std::string> units{};

  /// "2026-01-31 23:59", or "point 17".
  [[nodiscard]] std::string time_of(Index step) const {
    return times.empty() ? "point " + std::to_string(step) : time_text(times[static_cast<std::size_t>(step)]);
  }
  /// "pressure", or "feature 0".
  [[nodiscard]] std::string name_of(Index feature) const {
    return features.empty() ? "feature " + std::to_string(feature)
                            : features[static_cast<std::size_t>(feature)];
  }
  /// "3.5 bar"; to four digits.
  [[nodiscard]] std::string value_of(Index feature, double value) const {
    std::string text = detail::number_text(value, 4);
    if (!units.empty() && !units[static_cast<std::size_t>(feature)].empty())
      text += " " + units[static_cast<std::size_t>(feature)];
    return text;
  }
};

namespace detail {

inline void require_info(const SeriesInfo& info, Index rows, Index features, const char* place) {
  const auto require = [&](std::size_t count, Index expected, const char* what, const char* each) {
    if (count == 0 || static_cast<Index>(count) == expected) return;
    fail(place, {"no ", what, ", or one for each of ", expected, " ", each}, {count});
  };
  require(info.times.size(), rows, "times", "time steps");
  require(info.features.size(), features, "feature names", "features");
  require(info.units.size(), features, "units", "features");
  for (std::size_t t = 0; t < info.times.size(); ++t) {
    if (!is_finite(info.times[t])) fail(place, "finite times", {info.times[t], " at time step ", t});
    if (t > 0 && !(info.times[t] > info.times[t - 1]))
      fail(place, "times that ascend", {info.time_of(static_cast<Index>(t)), " at time step ", t});
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
