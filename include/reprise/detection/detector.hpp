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
#include "detail/episode_features.hpp"
#include "detail/scaled_series.hpp"
#include "detail/series_matrix.hpp"
#include "detector_report.hpp"
#include "episodes.hpp"
#include "error_scale.hpp"
#include "findings.hpp"
#include "nearest_in_series.hpp"
#include "series_info.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct DetectorOptions {
  /// Of the windows, in points, no two alike. Empty: all of 24, 48, 96, 144, 192 and 288 that fit into the
  /// training series four times beside twice what it remembers (`DetectorReport::gap`); or one that does, of
  /// at least 8, where none of them fits.
  std::vector<Index> lengths{};
  /// What of a window is compared.
  std::vector<View> views{View::raw, View::mean_removed};
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
    auto& [lengths, views, false_alarms, extrapolate, threads] = self;
    visit("lengths", lengths);
    visit("views", views);
    visit("false_alarms", false_alarms);
    visit("extrapolate", extrapolate);
    visit("threads", threads);
  }
  friend bool operator==(const DetectorOptions&, const DetectorOptions&) = default;
};

/// Learns from a normal stretch of a series, of one feature or several, and finds what is not like it.
///
///     Detector detector;
///     detector.fit(normal);
///     std::cout << detector.report();
///     for (const Episode& episode : detector.detect(series).episodes) std::cout << episode << '\n';
///
/// Each window of the series is held against the nearest of the training series, for several lengths and
/// both views (`NearestInSeries`): these are the members. A point's error is the largest of the windows that
/// hold it; its z (`ErrorScale`) says how unusual that is for the member; the mean of z over the members is
/// calibrated by blocks of the training series (`BlockCalibration`), and a score is
/// exp(z - z at the threshold), so that 1 is the threshold in force.
///
/// A training window's own error is its distance to the nearest one outside a zone around it, so that it is
/// held out and still every row trains. The first rows say how large errors usually are and the rows after
/// them, which have no part in that, calibrate. Rows at either end, which fewer windows hold than points of a
/// long series, calibrate nothing. A new window may be compared with all of the training series, a training
/// window with less; so new errors are if anything smaller, and false alarms rarer. All this holds where what
/// comes is distributed as the training series is: of one that wanders or rises nothing can be promised.
///
/// `save(detector, path)` and `load<Detector>(path)` of io/safetensors.hpp keep it in a file. That holds the
/// training series, so that whoever may read the file may read the series.
///
/// A value: a copy is a detector of its own. Const calls may run at once from several threads.
class Detector {
 public:
  explicit Detector(DetectorOptions options = {}) : options_(std::move(options)) {
    detail::require_positive(options_.threads, place, "threads");
    if (options_.views.empty()) detail::fail(place, "at least one view", "none");
    if (options_.false_alarms && !(detail::is_finite(*options_.false_alarms) && *options_.false_alarms > 0.0))
      detail::fail(place, "finite false_alarms > 0", {*options_.false_alarms});
    for (const Index length : options_.lengths) detail::require_positive(length, place, "lengths");
    std::sort(options_.lengths.begin(), options_.lengths.end());
    const auto twice = std::adjacent_find(options_.lengths.begin(), options_.lengths.end());
    if (twice != options_.lengths.end()) detail::fail(place, "lengths that differ", {*twice, " twice"});
  }

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
  struct State {
    StandardScaler scaler;
    std::vector<Member> members;
    std::optional<BlockCalibration> calibration;
    /// Of each member, view and feature: what an episode's features are told in.
    std::vector<std::vector<std::vector<double>>> usual_differences;
    DetectorReport report;
  };
  /// Which rows do what.
  struct Plan {
    std::vector<Index> lengths;
    Index gap = 1;
    /// [0, scale_end) tell scales, [scale_end, calibration_end) calibrate.
    Index scale_end = 0;
    Index calibration_end = 0;

    Index block() const { return lengths.back(); }
    Index calibration_rows() const { return calibration_end - scale_end; }
  };

  void require_fitted() const {
    if (!is_fitted()) detail::fail(place, "fit() before it", "a detector that was not fitted");
  }
  void require_verdicts() const {
    if (has_verdicts()) return;
    detail::fail("detector: detect",
                 {"at least ", rows_for(state_.report.gap, most_widened), " rows to train on, for verdicts"},
                 {state_.report.rows});
  }

  /// Rows that windows of this length need. With 3 length + 2 gap - 1 every one finds another outside the
  /// zone around it, but the middle ones just one.
  static Index rows_for_length(Index length, Index gap) { return 4 * length + 2 * gap; }

  Plan plan_for(Index rows, Index gap) const {
    Plan plan{options_.lengths, gap};
    if (plan.lengths.empty()) {
      for (const Index length : {24, 48, 96, 144, 192, 288}) {
        if (rows >= rows_for_length(length, gap)) plan.lengths.push_back(length);
      }
      if (plan.lengths.empty()) plan.lengths = {std::max<Index>(8, (rows - 2 * gap) / 4)};
    }
    const Index longest = plan.lengths.back();
    if (rows < rows_for_length(longest, gap)) {
      detail::fail(
          "detector: fit",
          {"at least ", rows_for_length(longest, gap), " rows to train on, for windows of ", longest},
          {rows});
    }
    plan.scale_end = std::max(longest - 1, rows / 4);
    plan.calibration_end = rows - longest + 1;
    return plan;
  }
  /// The least number of rows that can promise this rate, of a series that remembers so far.
  Index rows_for(Index gap, double rate) const {
    const Index longest = options_.lengths.empty() ? 8 : options_.lengths.back();
    for (Index rows = rows_for_length(longest, gap);; rows += std::max<Index>(1, rows / 200)) {
      const Plan plan = plan_for(rows, gap);
      if (BlockCalibration::least_rate(plan.calibration_rows(), plan.block()) <= rate) return rows;
    }
  }

  BlockThreshold threshold_for(const BlockCalibration& calibration, const Plan& plan, Index rows) const {
    const double rate = options_.false_alarms.value_or(default_rate);
    if (rate >= calibration.least_rate()) return calibration.promised(rate);
    if (options_.extrapolate) return calibration.estimated(rate);
    if (options_.false_alarms) {
      detail::fail("detector: fit",
                   {"at least ", rows_for(plan.gap, rate), " rows to train on, to promise no more than ",
                    rate, " false alarms in 1,000 points (so few rows can promise ", calibration.least_rate(),
                    "; extrapolate estimates)"},
                   {rows});
    }
    if (calibration.least_rate() <= most_widened) return calibration.widened();
    return {};
  }

  void fit_matrix(Matrix<double> series, const std::vector<double>& times = {}) {
    State state;
    state.report.series = detail::fit_without_suspects(state.scaler, series);
    const Matrix<double> scaled = detail::clipped(state.scaler.transform(series));
    const Index rows = scaled.rows();
    const Plan plan = plan_for(rows, detail::correlation_time(scaled, std::max<Index>(1, rows / 25)));
    state.report.stationarity = check_stationarity(scaled);
    state.report.time = check_times(times, scaled);
    std::vector<double> sums(static_cast<std::size_t>(rows), 0.0);
    for (const Index length : plan.lengths) {
      Member member{NearestInSeries(scaled, length), {}};
      const WindowErrors errors = member.nearest.held_out_errors(length + plan.gap, options_.threads);
      for (const View view : options_.views) {
        const std::vector<double> points = points_of(errors.of(view), length);
        member.scales.push_back(
            ErrorScale::fit(std::span(points).first(static_cast<std::size_t>(plan.scale_end))));
        add_z(member.scales.back(), points, sums);
      }
      state.members.push_back(std::move(member));
    }
    divide(sums, state.members.size() * options_.views.size());
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

  void describe(const Plan& plan, Index rows, Index features, State& state) const {
    DetectorReport& report = state.report;
    report.rows = rows;
    report.features = features;
    report.lengths = plan.lengths;
    report.views = options_.views;
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
  static void add_z(const ErrorScale& scale, const std::vector<double>& points, std::vector<double>& sums) {
    for (std::size_t t = 0; t < sums.size(); ++t) sums[t] += scale.z(points[t]);
  }
  static void divide(std::vector<double>& sums, std::size_t count) {
    for (double& sum : sums) sum /= static_cast<double>(count);
  }

  std::vector<double> scores_of(const Matrix<double>& scaled) const {
    const Index longest = state_.members.back().nearest.length();
    if (scaled.rows() < longest)
      detail::fail("detector: scores", {"at least ", longest, " time steps"}, {scaled.rows()});
    std::vector<double> scores(static_cast<std::size_t>(scaled.rows()), 0.0);
    for (const Member& member : state_.members) {
      const WindowErrors errors = member.nearest.errors(scaled, options_.threads);
      for (std::size_t v = 0; v < options_.views.size(); ++v) {
        add_z(member.scales[v], points_of(errors.of(options_.views[v]), member.nearest.length()), scores);
      }
    }
    divide(scores, state_.members.size() * options_.views.size());
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
