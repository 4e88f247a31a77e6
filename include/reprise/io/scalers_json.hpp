#pragma once

#include <vector>

#include "../data/scalers.hpp"
#include "detail/json_document.hpp"

// `StandardScaler`, `MinMaxScaler` and `RobustScaler`, fitted or not, as JSON documents, for `save`, `load`,
// `to_json_text` and `from_json_text` of json_document.hpp.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

template <>
struct JsonFormat<StandardScaler> {
  static constexpr const char* name = "reprise standard scaler";
  struct State {
    std::vector<double> means{};
    std::vector<double> standard_deviations{};
    StandardOptions options{};
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("means", self.means);
      visit("standard_deviations", self.standard_deviations);
      visit("options", self.options, StandardOptions{});
    }
  };
  static State state_of(const StandardScaler& scaler) {
    return {scaler.means(), scaler.standard_deviations(), scaler.options()};
  }
  static StandardScaler made_of(const State& state) {
    if (state.means.empty() && state.standard_deviations.empty()) return StandardScaler(state.options);
    return StandardScaler::from_moments(state.means, state.standard_deviations, state.options);
  }
};

template <>
struct JsonFormat<MinMaxScaler> {
  static constexpr const char* name = "reprise min max scaler";
  struct State {
    MinMaxOptions options{};
    std::vector<double> minimums{};
    std::vector<double> ranges{};
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("options", self.options);
      visit("minimums", self.minimums);
      visit("ranges", self.ranges);
    }
  };
  static State state_of(const MinMaxScaler& scaler) {
    return {scaler.options(), scaler.minimums(), scaler.ranges()};
  }
  static MinMaxScaler made_of(const State& state) {
    if (state.minimums.empty() && state.ranges.empty()) return MinMaxScaler(state.options);
    return MinMaxScaler::from_ranges(state.minimums, state.ranges, state.options);
  }
};

template <>
struct JsonFormat<RobustScaler> {
  static constexpr const char* name = "reprise robust scaler";
  struct State {
    RobustOptions options{};
    std::vector<double> medians{};
    std::vector<double> ranges{};
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("options", self.options);
      visit("medians", self.medians);
      visit("ranges", self.ranges);
    }
  };
  static State state_of(const RobustScaler& scaler) {
    return {scaler.options(), scaler.medians(), scaler.ranges()};
  }
  static RobustScaler made_of(const State& state) {
    if (state.medians.empty() && state.ranges.empty()) return RobustScaler(state.options);
    return RobustScaler::from_ranges(state.medians, state.ranges, state.options);
  }
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
