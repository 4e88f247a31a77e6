#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "nearest_in_series.hpp"
#include "network_in_series.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct DetectorOptions {
  /// Of the windows, in points, no two alike. Empty: all of 24, 48, 96, 144, 192 and 288 that fit into the
  /// training series four times beside twice what it remembers (`DetectorReport::gap`); or one that does, of
  /// at least 8, where none of them fits.
  std::vector<Index> lengths{};
  /// What of a window is compared.
  std::vector<View> views{View::raw, View::mean_removed};
  /// The share of LSTM autoencoders in a score: from 0, where none are trained, to 1, where nearest windows
  /// have none. They take seconds to train, and longer windows than about a sixth of the training series are
  /// left to nearest windows.
  double networks = 0.0;
  NetworkInSeriesOptions network{};
  /// Parts of the training series that the networks leave out in turn, so that their errors on it are held
  /// out: each is trained so many times, and once more on everything.
  Index folds = 4;
  /// False alarms (episodes) in 1,000 points of a normal series, on average over fits. Where you name them,
  /// they are promised or refused. Unless you do, it is 1 or, where the training series is too short for
  /// that, the lowest rate up to 4 that can be promised, and beyond that there are no verdicts.
  std::optional<double> false_alarms{};
  /// Estimate the threshold for a rate that cannot be promised instead of refusing it.
  bool extrapolate = false;
  /// The result does not depend on them, to the last bit.
  int threads = 1;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [lengths, views, networks, network, folds, false_alarms, extrapolate, threads] = self;
    visit("lengths", lengths);
    visit("views", views);
    visit("networks", networks);
    visit("network", network);
    visit("folds", folds);
    visit("false_alarms", false_alarms);
    visit("extrapolate", extrapolate);
    visit("threads", threads);
  }
  friend bool operator==(const DetectorOptions&, const DetectorOptions&) = default;
};

namespace detail {

/// The options with their lengths in order; throws where they cannot be.
inline DetectorOptions checked(DetectorOptions options) {
  static constexpr const char* place = "detector";
  require_positive(options.threads, place, "threads");
  if (options.views.empty()) fail(place, "at least one view", "none");
  if (options.false_alarms && !(is_finite(*options.false_alarms) && *options.false_alarms > 0.0))
    fail(place, "finite false_alarms > 0", {*options.false_alarms});
  if (!(is_finite(options.networks) && options.networks >= 0.0 && options.networks <= 1.0))
    fail(place, "a share of networks from 0 to 1", {options.networks});
  if (options.folds < 2) fail(place, "at least 2 folds", {options.folds});
  for (const Index length : options.lengths) require_positive(length, place, "lengths");
  std::sort(options.lengths.begin(), options.lengths.end());
  const auto twice = std::adjacent_find(options.lengths.begin(), options.lengths.end());
  if (twice != options.lengths.end()) fail(place, "lengths that differ", {*twice, " twice"});
  return options;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
