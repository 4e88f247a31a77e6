#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../core/snapshot.hpp"
#include "../data/scalers.hpp"
#include "../scores/point_scores.hpp"
#include "block_calibration.hpp"
#include "detail/autocorrelation.hpp"
#include "detail/detector_plan.hpp"
#include "detail/episode_features.hpp"
#include "detail/scaled_series.hpp"
#include "detail/series_matrix.hpp"
#include "detector_options.hpp"
#include "detector_report.hpp"
#include "episodes.hpp"
#include "error_scale.hpp"
#include "findings.hpp"
#include "nearest_in_series.hpp"
#include "network_members.hpp"
#include "recurrence.hpp"
#include "series_info.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Learns from a normal stretch of a series, of one feature or several, and finds what is not like it.
///
///     Detector detector;
///     detector.fit(normal);
///     std::cout << detector.report();
///     for (const Episode& episode : detector.detect(series).episodes) std::cout << episode << '\n';
///
/// Each window of the series is held against the nearest of the training series, for several lengths and
/// both views (`NearestInSeries`): these are the members, and beside them, where `networks` is named, LSTM
/// autoencoders, each with two errors (`NetworkInSeries`). A point's error is the largest of the windows that
/// hold it; its z (`ErrorScale`) says how unusual that is for the member; the mean of z over the members is
/// calibrated by blocks of the training series (`BlockCalibration`), and a score is
/// exp(z - z at the threshold), so that 1 is the threshold in force.
///
/// A training window's own error is its distance to the nearest one outside a zone around it, so that it is
/// held out and still every row trains; networks are trained without it (`NetworkMembers`). The first rows
/// say how large errors usually are and the rows after them, which have no part in that, calibrate. Rows at
/// either end, which fewer windows hold than points of a long series, calibrate nothing. A new window may be
/// compared with all of the training series, a training window with less; so new errors are if anything
/// smaller, and false alarms rarer. All this holds where what comes is distributed as the training series is:
/// of one that wanders or rises nothing can be promised.
///
/// `save(detector, path)` and `load<Detector>(path)` of io/safetensors.hpp keep it in a file. That holds the
/// training series, so that whoever may read the file may read the series.
///
/// A value: a copy is a detector of its own. Const calls may run at once from several threads.
class Detector {
 public:
  explicit Detector(DetectorOptions options = {}) : options_(detail::checked(std::move(options))) {}

  /// Trains on a normal series: a vector or span, or an Eigen matrix with a row for each time step and a
  /// column for each feature. Values that may be fault codes (`report().series` names them) are left out: the
  /// value before them stands in their place. Forgets an earlier fit. Throws, and then stays as it was, on
  /// NaN or infinity, where the series is too short for its windows (the message says how many rows they
  /// need), or where `false_alarms` are named that so few rows cannot promise.
  template <typename Series>
  Detector& fit(const Series& training) {
    fit_matrix(detail::series_matrix(training));
    return *this;
  }

  /// The same, for a series of which more is known. Times make `report()` speak of days.
  template <typename Series>
  Detector& fit(const Series& training, const SeriesInfo& info) {
    Matrix<double> series = detail::series_matrix(training);
    detail::require_info(info, series.rows(), series.cols(), "detector: fit");
    fit_matrix(std::move(series), info.times);
    return *this;
  }

  /// One score for each time step, > 0; above 1 is an alarm (without verdicts, `has_verdicts`, the usual
  /// point has about 1). It depends on the windows that hold the point alone. Values further than 10,000
  /// standard deviations from the training mean count as that far. Throws before `fit`, on NaN or infinity,
  /// for another number of features, or a series shorter than the longest window.
  template <typename Series>
  [[nodiscard]] std::vector<double> scores(const Series& series) const {
    require_fitted();
    return scores_of(detail::clipped(state_.scaler.transform(detail::series_matrix(series))));
  }

  /// The episodes above the threshold, and what each feature has to do with them. `info` names times,
  /// features and units. Throws as `scores` does, and where there are no verdicts.
  template <typename Series>
  [[nodiscard]] Findings detect(const Series& series, const SeriesInfo& info = {}) const {
    require_verdicts();
    return findings_of(detail::series_matrix(series), info);
  }

  /// Whether there is a threshold: not where the training series was too short for one.
  bool has_verdicts() const { return report().threshold.status != CalibrationStatus::none; }
  [[nodiscard]] const DetectorReport& report() const {
    require_fitted();
    return state_.report;
  }
  /// Of the mean z of the members.
  const BlockCalibration& calibration() const {
    require_fitted();
    return *state_.calibration;
  }
  const DetectorOptions& options() const { return options_; }
  bool is_fitted() const { return state_.calibration.has_value(); }

  // ---- What a file holds, see core/snapshot.hpp ----
  using Scalar = double;
  static constexpr const char* kind = "Detector";
  /// Templates, so that only programs that use files compile them.
  template <std::derived_from<SnapshotWriter> Writer>
  void write_snapshot(Writer& writer) const;
  template <std::derived_from<SnapshotReader> Reader>
  static Detector read_snapshot(Reader& reader);

 private:
  static constexpr const char* place = "detector";
  /// Above this rate verdicts are not worth having.
  static constexpr double most_widened = 4.0;
  static constexpr double default_rate = 1.0;

  /// One length: the training windows and, for each view, how large their errors are.
  struct Member {
    NearestInSeries nearest;
    std::vector<ErrorScale> scales;
  };
  /// Of a network's two errors.
  struct NetworkScales {
    ErrorScale reconstruction, states;

    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      auto& [reconstruction, states] = self;
      visit("reconstruction", reconstruction);
      visit("states", states);
    }
  };
  struct State {
    StandardScaler scaler;
    /// The training series, scaled.
    Matrix<double> training;
    /// None where networks alone make the scores.
    std::vector<Member> members;
    NetworkMembers networks;
    std::vector<NetworkScales> network_scales;
    std::optional<BlockCalibration> calibration;
    /// Of each member, view and feature: what an episode's features are told in.
    std::vector<std::vector<std::vector<double>>> usual_differences;
    DetectorReport report;
  };
  /// Into a state that has everything else.
  template <std::derived_from<SnapshotReader> Reader>
  void read_networks(Reader& reader, State& state) const;

  void require_fitted() const {
    if (!is_fitted()) detail::fail(place, "fit() before it", "a detector that was not fitted");
  }
  void require_verdicts() const {
    if (has_verdicts()) return;
    detail::fail("detector: detect",
                 {"at least ", detail::rows_for_rate(options_, state_.report.gap, most_widened),
                  " rows to train on, for verdicts"},
                 {state_.report.rows});
  }

  bool has_nearest() const { return options_.networks < 1.0; }

  BlockThreshold threshold_for(const BlockCalibration& calibration, const detail::DetectorPlan& plan,
                               Index rows) const {
    const double rate = options_.false_alarms.value_or(default_rate);
    if (rate >= calibration.least_rate()) return calibration.promised(rate);
    if (options_.extrapolate) return calibration.estimated(rate);
    if (options_.false_alarms) {
      detail::fail("detector: fit",
                   {"at least ", detail::rows_for_rate(options_, plan.gap, rate),
                    " rows to train on, to promise no more than ", rate,
                    " false alarms in 1,000 points (so few rows can promise ", calibration.least_rate(),
                    "; extrapolate estimates)"},
                   {rows});
    }
    if (calibration.least_rate() <= most_widened) return calibration.widened();
    return {};
  }

  void fit_matrix(Matrix<double> series, const std::vector<double>& times = {}) {
    State state;
    state.report.series = detail::fit_without_suspects(state.scaler, series);
    state.training = detail::clipped(state.scaler.transform(series));
    const Matrix<double>& scaled = state.training;
    const Index rows = scaled.rows();
    const detail::DetectorPlan plan =
        detail::plan_for(options_, rows, detail::correlation_time(scaled, std::max<Index>(1, rows / 25)));
    state.report.stationarity = check_stationarity(scaled);
    state.report.stationarity.far_error = far_error(scaled, plan.gap, options_.threads);
    state.report.time = check_times(times, scaled);
    std::vector<double> sums(static_cast<std::size_t>(rows), 0.0);
    if (has_nearest()) fit_nearest(plan, state, sums);
    if (!plan.network_lengths.empty()) fit_networks(plan, state, sums);
    const auto calibrating = std::span<const double>(sums).subspan(
        static_cast<std::size_t>(plan.scale_end), static_cast<std::size_t>(plan.calibration_rows()));
    state.calibration.emplace(calibrating, plan.block());
    describe(plan, rows, scaled.cols(), state);
    for (const Member& member : state.members) {
      std::vector<std::vector<double>> of_views;
      for (const View view : options_.views) {
        of_views.push_back(
            detail::usual_differences(member.nearest, view, member.nearest.length() + plan.gap));
      }
      state.usual_differences.push_back(std::move(of_views));
    }
    state_ = std::move(state);
  }

  /// Adds the z of the training series' own points.
  void fit_nearest(const detail::DetectorPlan& plan, State& state, std::vector<double>& sums) const {
    const double weight = nearest_weight(plan.lengths.size());
    for (const Index length : plan.lengths) {
      Member member{NearestInSeries(state.training, length), {}};
      const WindowErrors errors = member.nearest.held_out_errors(length + plan.gap, options_.threads);
      for (const View view : options_.views) {
        const std::vector<double> points = points_of(errors.of(view), length);
        member.scales.push_back(scale_of(points, plan));
        add_z(member.scales.back(), points, weight, sums);
      }
      state.members.push_back(std::move(member));
    }
  }
  void fit_networks(const detail::DetectorPlan& plan, State& state, std::vector<double>& sums) const {
    state.networks = NetworkMembers(state.training, plan.network_lengths, options_.views, plan.gap,
                                    options_.folds, options_.network, options_.threads);
    const std::vector<NetworkErrors> held_out = state.networks.take_held_out();
    for (const NetworkErrors& points : held_out)
      state.network_scales.push_back({scale_of(points.reconstruction, plan), scale_of(points.states, plan)});
    add_network_z(held_out, state, sums);
  }
  /// Errors of the rows that tell scales, the first ones.
  static ErrorScale scale_of(const std::vector<double>& points, const detail::DetectorPlan& plan) {
    return ErrorScale::fit(std::span(points).first(static_cast<std::size_t>(plan.scale_end)));
  }
  /// Of one view of one length.
  double nearest_weight(std::size_t lengths) const {
    return (1.0 - options_.networks) / static_cast<double>(lengths * options_.views.size());
  }

  void describe(const detail::DetectorPlan& plan, Index rows, Index features, State& state) const {
    DetectorReport& report = state.report;
    report.rows = rows;
    report.features = features;
    report.lengths = plan.lengths;
    report.views = options_.views;
    report.networks = options_.networks;
    report.network_lengths = plan.network_lengths;
    report.gap = plan.gap;
    report.scale_rows = plan.scale_end;
    report.calibration_rows = plan.calibration_rows();
    report.blocks = state.calibration->blocks();
    report.block = state.calibration->block();
    report.least_rate = state.calibration->least_rate();
    report.threshold = threshold_for(*state.calibration, plan, rows);
  }

  /// A point's error is the largest of the windows that hold it.
  static std::vector<double> points_of(const std::vector<double>& windows, Index length) {
    return point_scores(WindowGrid({.windows = static_cast<Index>(windows.size()), .length = length}),
                        windows, Aggregate::max);
  }
  static void add_z(const ErrorScale& scale, const std::vector<double>& points, double weight,
                    std::vector<double>& sums) {
    for (std::size_t t = 0; t < sums.size(); ++t) sums[t] += weight * scale.z(points[t]);
  }
  /// `errors` of points, a pair for each network.
  void add_network_z(const std::vector<NetworkErrors>& errors, const State& state,
                     std::vector<double>& sums) const {
    const double weight = options_.networks / static_cast<double>(2 * errors.size());
    for (std::size_t i = 0; i < errors.size(); ++i) {
      add_z(state.network_scales[i].reconstruction, errors[i].reconstruction, weight, sums);
      add_z(state.network_scales[i].states, errors[i].states, weight, sums);
    }
  }

  std::vector<double> scores_of(const Matrix<double>& scaled) const {
    const Index longest = state_.report.lengths.back();
    if (scaled.rows() < longest)
      detail::fail("detector: scores", {"at least ", longest, " time steps"}, {scaled.rows()});
    std::vector<double> scores(static_cast<std::size_t>(scaled.rows()), 0.0);
    const double weight = nearest_weight(state_.members.size());
    for (const Member& member : state_.members) {
      const WindowErrors errors = member.nearest.errors(scaled, options_.threads);
      for (std::size_t v = 0; v < options_.views.size(); ++v) {
        add_z(member.scales[v], points_of(errors.of(options_.views[v]), member.nearest.length()), weight,
              scores);
      }
    }
    if (!state_.networks.empty())
      add_network_z(state_.networks.errors(scaled, options_.threads), state_, scores);
    // Without a threshold its value is 0. A score stays a number, and two that differ stay so.
    constexpr double most = 700.0;
    for (double& score : scores) score = std::exp(std::min(most, score - state_.report.threshold.value));
    return scores;
  }

  Findings findings_of(const Matrix<double>& series, const SeriesInfo& info) const {
    detail::require_info(info, series.rows(), series.cols(), "detector: detect");
    const Matrix<double> scaled = detail::clipped(state_.scaler.transform(series));
    Findings findings{.scores = scores_of(scaled),
                      .rate = state_.report.threshold.rate,
                      .status = state_.report.threshold.status,
                      .least_rate = state_.report.least_rate,
                      .info = info};
    findings.episodes = episodes_of(findings.scores);
    for (Episode& episode : findings.episodes) {
      episode.features = features_at(scaled, episode.peak);
      for (EpisodeFeature& feature : episode.features) {
        const auto f = static_cast<std::size_t>(feature.feature);
        feature.observed = series(feature.step, feature.feature);
        feature.expected =
            feature.expected * state_.scaler.standard_deviations()[f] + state_.scaler.means()[f];
      }
    }
    return findings;
  }
  /// Of the windows that hold the point, the one with the highest z.
  std::vector<EpisodeFeature> features_at(const Matrix<double>& scaled, Index point) const {
    double highest = -std::numeric_limits<double>::infinity();
    std::size_t strangest = 0, in_view = 0;
    Index window = 0;
    for (std::size_t m = 0; m < state_.members.size(); ++m) {
      const NearestInSeries& nearest = state_.members[m].nearest;
      const Index first = std::max<Index>(0, point - nearest.length() + 1);
      const Index end = std::min(scaled.rows(), point + nearest.length());
      const WindowErrors errors = nearest.errors(scaled.middleRows(first, end - first));
      for (std::size_t v = 0; v < options_.views.size(); ++v) {
        const std::vector<double>& of_view = errors.of(options_.views[v]);
        const auto largest = std::max_element(of_view.begin(), of_view.end());
        const double z = state_.members[m].scales[v].z(*largest);
        if (z <= highest) continue;
        highest = z;
        strangest = m;
        in_view = v;
        window = first + (largest - of_view.begin());
      }
    }
    if (state_.members.empty()) return {};
    return detail::features_of(state_.members[strangest].nearest, scaled, window, options_.views[in_view],
                               state_.usual_differences[strangest][in_view]);
  }

  std::vector<Episode> episodes_of(const std::vector<double>& scores) const {
    const BlockCalibration& calibration = *state_.calibration;
    std::vector<Episode> episodes = find_episodes(scores, 1.0, calibration.block());
    for (Episode& episode : episodes) {
      const double z = std::log(episode.score) + state_.report.threshold.value;
      episode.p_value = calibration.p_value(z);
      episode.rate = calibration.rate_of_score(z);
    }
    return episodes;
  }

  DetectorOptions options_;
  State state_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise

#include "detail/detector_snapshot.hpp"  // write_snapshot, read_snapshot
