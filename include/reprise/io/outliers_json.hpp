#pragma once

#include <vector>

#include "../evaluation/event_table.hpp"
#include "../scores/errors.hpp"
#include "../scores/mahalanobis.hpp"
#include "../scores/point_scores.hpp"
#include "../streams/dspot.hpp"
#include "../streams/martingale.hpp"
#include "../streams/spot.hpp"
#include "../thresholds/fit_generalized_pareto.hpp"
#include "../thresholds/outlier_scorer.hpp"
#include "../thresholds/thresholds.hpp"
#include "detail/json_document.hpp"

// Thresholds, scorers and rules over streams as JSON documents, for `save`, `load`, `to_json_text` and
// `from_json_text` of json_document.hpp: `Threshold`, `OutlierScorer`, `Mahalanobis`, and `Spot` and `Dspot`,
// which go on where they were. A threshold that holds a callable is refused. A scorer is calibrated anew when
// it is read, so that its threshold is that of its scores.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

template <>
struct JsonFormat<Threshold> {
  static constexpr const char* name = "reprise threshold";
  struct State {
    Threshold threshold = default_threshold();
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("threshold", self.threshold);
    }
  };
  static State state_of(const Threshold& value) { return {value}; }
  static Threshold made_of(const State& state) { return state.threshold; }
};

template <>
struct JsonFormat<OutlierScorer> {
  static constexpr const char* name = "reprise outlier scorer";
  struct State {
    Threshold threshold = default_threshold();
    std::vector<double> calibration_scores{};
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("threshold", self.threshold);
      visit("calibration_scores", self.calibration_scores);
    }
  };
  static State state_of(const OutlierScorer& value) { return {value.rule(), value.calibration_scores()}; }
  static OutlierScorer made_of(const State& state) {
    if (state.calibration_scores.empty()) return OutlierScorer(state.threshold);
    return OutlierScorer::from_calibration(state.threshold, state.calibration_scores);
  }
};

template <>
struct JsonFormat<Mahalanobis> {
  static constexpr const char* name = "reprise mahalanobis scorer";
  using State = MahalanobisState;
  static State state_of(const Mahalanobis& value) { return value.state(); }
  static Mahalanobis made_of(const State& state) { return Mahalanobis::from_state(state); }
};

/// A rule over a stream takes memory for all the excesses that it may hold, whatever the size of its file.
inline void require_excesses_to_fit(const SpotState& state) {
  constexpr Index most = 10'000'000;
  if (state.options.max_excess > most) fail("max_excess", {"at most ", most}, {state.options.max_excess});
}

template <>
struct JsonFormat<Spot> {
  static constexpr const char* name = "reprise spot";
  struct State {
    SpotState spot{};
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("spot", self.spot);
    }
  };
  static State state_of(const Spot& value) { return {value.state()}; }
  static Spot made_of(const State& state) {
    require_excesses_to_fit(state.spot);
    return Spot(state.spot);
  }
};

template <>
struct JsonFormat<Dspot> {
  static constexpr const char* name = "reprise dspot";
  using State = DspotState;
  static State state_of(const Dspot& value) { return value.state(); }
  static Dspot made_of(const State& state) {
    require_excesses_to_fit(state.spot);
    return Dspot(state);
  }
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
