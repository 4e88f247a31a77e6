#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "../../core/snapshot.hpp"
#include "../detector.hpp"

// How a detector is handed to a file and made again from it. What fit decided is written as it is, and
// nothing is decided anew: scores have the same bits after another release has changed how it decides. Of the
// nearest windows the training series is written, once for all lengths; what is worked out from it is worked
// out again.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

struct ScalerSection {
  std::vector<double> means{};
  std::vector<double> standard_deviations{};

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [means, standard_deviations] = self;
    visit("means", means);
    visit("standard_deviations", standard_deviations);
  }
};

struct CalibrationSection {
  Index block = 0;
  std::vector<double> largest{};

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [block, largest] = self;
    visit("block", block);
    visit("largest", largest);
  }
};

inline std::string prefix_of_network(std::size_t number) {
  return "networks." + std::to_string(number) + ".";
}

/// A series as one tensor, a row for each time step.
inline ParameterTable table_of_series(Index rows, Index features) {
  ParameterTable table;
  table.add("training", features, rows, false);
  return table;
}

}  // namespace detail

template <std::derived_from<SnapshotWriter> Writer>
void Detector::write_snapshot(Writer& file) const {
  require_fitted();
  SnapshotWriter& writer = file;
  writer.model(kind);
  writer.section("options", options_);
  writer.section("report", state_.report);
  writer.section("scaler", detail::ScalerSection{state_.scaler.means(), state_.scaler.standard_deviations()});
  writer.section("calibration",
                 detail::CalibrationSection{state_.calibration->block(), state_.calibration->largest()});
  std::vector<std::vector<ErrorScale>> scales;
  for (const Member& member : state_.members) scales.push_back(member.scales);
  writer.section("scales", scales);
  writer.section("usual_differences", state_.usual_differences);
  writer.section("network_scales", state_.network_scales);
  const std::vector<NetworkInSeries>& networks = state_.networks.networks();
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const Autoencoder<float>& network = networks[i].network();
    writer.tensors(detail::prefix_of_network(i), network.parameters(), network.weights());
  }
  const Matrix<double>& training = state_.training;
  Vector<double> values(training.size());
  Eigen::Map<Matrix<double>>(values.data(), training.cols(), training.rows()) = training.transpose();
  writer.tensors("", detail::table_of_series(training.rows(), training.cols()),
                 writer.keep(std::move(values)));
}

template <std::derived_from<SnapshotReader> Reader>
Detector Detector::read_snapshot(Reader& file) {
  SnapshotReader& reader = file;
  DetectorOptions options;
  State state;
  detail::ScalerSection scaler;
  detail::CalibrationSection calibration;
  std::vector<std::vector<ErrorScale>> scales;
  reader.section("options", options);
  reader.section("report", state.report);
  reader.section("scaler", scaler);
  reader.section("calibration", calibration);
  reader.section("scales", scales);
  reader.section("usual_differences", state.usual_differences);
  reader.section("network_scales", state.network_scales);
  Detector detector(std::move(options));
  state.scaler = StandardScaler::from_moments(scaler.means, scaler.standard_deviations);
  state.calibration = BlockCalibration::from_largest(std::move(calibration.largest), calibration.block);
  const DetectorReport& report = state.report;
  const auto require = [](bool holds, const char* expected, std::size_t got) {
    if (!holds) detail::fail("report", expected, {got});
  };
  require(report.rows >= 1, "rows > 0", static_cast<std::size_t>(report.rows));
  require(static_cast<std::size_t>(report.features) == scaler.means.size(), "as many features as means",
          scaler.means.size());
  const std::size_t nearest = detector.has_nearest() ? report.lengths.size() : 0;
  require(!report.lengths.empty() && nearest == scales.size(), "scales for each length", scales.size());
  const std::size_t views = detector.options_.views.size();
  require(report.network_lengths.size() * views == state.network_scales.size(), "scales for each network",
          state.network_scales.size());
  require(state.usual_differences.size() == scales.size(), "usual differences for each length",
          state.usual_differences.size());

  const ParameterTable table = detail::table_of_series(report.rows, report.features);
  reader.require_room(table.size());
  Vector<double> values(table.size());
  reader.tensors("", table, values);
  state.training = Eigen::Map<const Matrix<double>>(values.data(), report.features, report.rows).transpose();
  for (std::size_t i = 0; i < scales.size(); ++i) {
    require(scales[i].size() == views, "a scale for each view", scales[i].size());
    for (const ErrorScale& scale : scales[i]) scale.validate();
    require(state.usual_differences[i].size() == scales[i].size(), "usual differences for each view",
            state.usual_differences[i].size());
    for (const std::vector<double>& usual : state.usual_differences[i])
      require(usual.size() == scaler.means.size(), "a usual difference for each feature", usual.size());
    require(i == 0 || report.lengths[i] > report.lengths[i - 1], "lengths that ascend", i);
    state.members.push_back({NearestInSeries(state.training, report.lengths[i]), std::move(scales[i])});
  }
  detector.read_networks(reader, state);
  detector.state_ = std::move(state);
  return detector;
}

template <std::derived_from<SnapshotReader> Reader>
void Detector::read_networks(Reader& reader, State& state) const {
  const NetworkInSeriesOptions& options = options_.network;
  for (const NetworkScales& scales : state.network_scales) {
    scales.reconstruction.validate();
    scales.states.validate();
  }
  std::size_t number = 0;
  state.networks = NetworkMembers::restored(
      state.training, state.report.network_lengths, options_.views, options, [&](Index length, View) {
        Autoencoder<float> network(NetworkInSeries::model_options(state.training.cols(), length, options));
        Vector<float> weights(network.parameters().size());
        reader.tensors(detail::prefix_of_network(number++), network.parameters(), weights);
        network.set_weights(weights);
        return network;
      });
}

}  // namespace REPRISE_ABI
}  // namespace reprise
