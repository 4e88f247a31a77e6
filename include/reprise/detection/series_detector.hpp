#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../baselines/nearest_window.hpp"
#include "../baselines/pca.hpp"
#include "../core/detail/statistics.hpp"
#include "../core/finite.hpp"
#include "../data/scalers.hpp"
#include "../models/autoencoder.hpp"
#include "../scores/errors.hpp"
#include "../scores/in_blocks.hpp"
#include "../training/detail/thread_pool.hpp"
#include "detail/scaled_series.hpp"
#include "window_lengths.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct SeriesDetectorOptions {
  /// Of the windows, in points, no two alike; empty: `choose_window_lengths` of the training series.
  std::vector<Index> lengths{};
  /// What that goes by.
  WindowLengthOptions choice{};
  /// Steps of the networks: a window of T points is read in patches of ceil(T / steps).
  Index steps = 24;
  /// LSTM units of the outer layers, and of the inner ones, which are the code.
  Index units = 32;
  Index code = 16;
  /// Steps of Adam for each network, of `batch_size` windows, at least: whole epochs are trained, so that it
  /// may be up to twice as many. The learning rate falls along half a cosine.
  Index updates = 800;
  Index batch_size = 64;
  double learning_rate = 3e-3;
  /// Of each of two baselines in the score, where the network has weight 1: what principal components leave
  /// of a window, and its distance from the nearest training window. 0: the network alone. Windows of more
  /// than 1,024 values (length times features) have no principal components: their time grows with the cube.
  double baseline_weight = 0.5;
  std::uint64_t seed = 1;
  /// Threads that share networks and windows; the scores do not depend on it, to the last bit.
  int threads = 1;
};

/// Finds outliers in a series after training on a normal stretch of it: scaling, windows, networks and their
/// combination inside.
///
///     SeriesDetector<float> detector({.threads = 2});
///     detector.fit(training);
///     OutlierScorer scorer{threshold::quantile(0.99)};
///     scorer.calibrate(detector.calibration_scores());
///     for (auto verdict : scorer.score(detector.scores(series))) ...
///
/// Each window length has two LSTM autoencoders that reconstruct in reverse order from the encoder's state:
/// one trained on the first 70 % of the training series, one on the last, each with the baselines fitted to
/// the same part. A window's error is the mean over both. Divided by its median on windows that were not
/// trained on, a method's error says how many times stranger than usual a window is; a point gets the largest
/// over the windows that hold it; methods and lengths are combined by their weighted geometric mean, so that
/// no one of them decides alone. Normal points score between 1 and a few.
///
/// Calibration scores are of overlapping windows, so that neighbours go together: the share of false alarms
/// that a conformal level or a quantile names is a guide here, no promise.
///
/// A detector cannot be saved to a file yet.
///
/// A value: a copy is a detector of its own. Const calls may run at once from several threads.
template <typename Scalar_>
class SeriesDetector {
 public:
  using Scalar = Scalar_;

  explicit SeriesDetector(SeriesDetectorOptions options = {}) : options_(std::move(options)) {
    static constexpr const char* place = "series detector";
    detail::require_positive(options_.steps, place, "steps");
    detail::require_positive(options_.units, place, "units");
    detail::require_positive(options_.code, place, "code");
    detail::require_positive(options_.updates, place, "updates");
    detail::require_positive(options_.batch_size, place, "batch_size");
    detail::require_positive(options_.threads, place, "threads");
    if (!(options_.baseline_weight >= 0.0 && detail::is_finite(options_.baseline_weight))) {
      detail::fail(place, "a finite baseline_weight >= 0", {options_.baseline_weight});
    }
    if (!(options_.learning_rate > 0.0 && detail::is_finite(options_.learning_rate))) {
      detail::fail(place, "a finite learning_rate > 0", {options_.learning_rate});
    }
    detail::require_valid(options_.choice);
    for (auto length = options_.lengths.begin(); length != options_.lengths.end(); ++length) {
      detail::require_positive(*length, place, "lengths");
      if (std::find(options_.lengths.begin(), length, *length) != length)
        detail::fail(place, "lengths that differ", {*length, " twice"});
    }
  }

  /// Trains on a normal series: a vector or span, or an Eigen matrix with a row for each time step and a
  /// column for each feature. Values that may be fault codes (`report()` names them) are left out: the value
  /// before them stands in their place. Forgets an earlier fit. Throws, and then stays as it was, on NaN or
  /// infinity, with fewer than 40 steps, or where three tenths of the series are shorter than a window.
  template <typename Series>
  SeriesDetector& fit(const Series& training) {
    Matrix<double> series = detail::series_matrix(training);
    State state;
    state.report = detail::fit_without_suspects(state.scaler, series);
    const Matrix<double> scaled = state.scaler.transform(series);
    state.choice = lengths_for(scaled);
    train(detail::clipped(scaled).template cast<Scalar>(), state);
    state_ = std::move(state);
    return *this;
  }

  /// One score for each time step, >= 0, higher is stranger. A point's score depends on the windows that hold
  /// it alone, but for the last points, whose windows end where the series does. Takes memory for two scaled
  /// copies of the series, a few numbers for each window (they are a patch apart) and each score, and a block
  /// of windows for each thread. Values further than 10,000 standard deviations from the training mean count
  /// as that far. Throws before `fit`, on NaN or infinity, for another number of features, or a series
  /// shorter than the longest window.
  template <typename Series>
  [[nodiscard]] std::vector<double> scores(const Series& series) const {
    require_fitted();
    return scores_of(
        detail::clipped(state_.scaler.transform(detail::series_matrix(series))).template cast<Scalar>());
  }

  /// Scores of the training series' first and last three tenths, each by the networks and baselines that have
  /// not seen it, to calibrate thresholds on. They are by one network a length where `scores` takes two,
  /// which errs on the side of too high. Neighbouring scores share windows: their number overstates what they
  /// know.
  const std::vector<double>& calibration_scores() const {
    require_fitted();
    return state_.calibration;
  }

  /// The lengths in use, and what was measured to choose them: nothing, where they were given.
  const WindowLengths& choice() const {
    require_fitted();
    return state_.choice;
  }
  /// What was strange about the training series: features that do not vary, and values that may be fault
  /// codes.
  [[nodiscard]] const SeriesReport& report() const {
    require_fitted();
    return state_.report;
  }
  /// Points in a patch of windows of this length.
  Index patch(Index length) const { return (length + options_.steps - 1) / options_.steps; }
  const SeriesDetectorOptions& options() const { return options_; }
  bool is_fitted() const { return !state_.members.empty(); }

 private:
  /// Network, principal components, nearest window.
  static constexpr std::size_t methods = 3;
  /// The median errors are held against at least this, in units of the training variance: a constant series
  /// has none.
  static constexpr double least_scale = 1e-9;
  /// Added to each relative error, so that an exact repetition does not make the geometric mean zero.
  static constexpr double floor = 0.01;
  /// Of training windows that the nearest one is looked for among.
  static constexpr Index most_neighbours = 5000;

  /// What one part of the training series makes of one length.
  struct Member {
    std::optional<Autoencoder<Scalar>> network;
    std::optional<PcaBaseline> pca;
    std::optional<NearestWindowBaseline> nearest;
  };
  /// Errors of windows, a vector for each method; empty for one that is not used.
  using Errors = std::array<std::vector<double>, methods>;
  using Scales = std::array<double, methods>;
  struct State {
    StandardScaler scaler;
    SeriesReport report;
    WindowLengths choice;
    /// Of length i: number 2 i, which knows the first part, and 2 i + 1, which knows the last.
    std::vector<Member> members;
    std::vector<Scales> scales;
    std::vector<double> calibration;
  };

  void require_fitted() const {
    if (!is_fitted()) detail::fail("series detector", "fit() before it", "a detector that was not fitted");
  }

  WindowLengths lengths_for(const Matrix<double>& scaled) const {
    if (options_.lengths.empty()) return detail::choose_lengths(scaled, options_.choice);
    WindowLengths given;
    given.lengths = options_.lengths;
    const Index most = detail::cut(scaled.rows()).checked;
    for (const Index length : given.lengths) {
      if (length <= most && scaled.rows() >= detail::least_points_to_train) continue;
      auto needed = static_cast<Index>(std::ceil(static_cast<double>(length) / 0.3));
      while (detail::cut(needed - 1).checked >= length) --needed;  // the cut is rounded
      detail::fail("series detector: fit",
                   {"at least ", std::max(needed, detail::least_points_to_train),
                    " steps to train on, for windows of ", length},
                   {scaled.rows()});
    }
    return given;
  }

  /// Windows to score: a patch apart, so that a patch of several points saves as many times the work.
  Windows windows_of(const Matrix<Scalar>& series, Index length) const {
    const Index patch = this->patch(length);
    return sliding_windows(series, {.length = length, .stride = patch, .tail_window = true, .patch = patch});
  }

  Member member(const Matrix<Scalar>& part, Index length, std::uint64_t seed) const {
    const Index count = part.rows() - length + 1, patch = this->patch(length);
    const auto windows = [&](Index most) {
      return sliding_windows(part,
                             {.length = length,
                              .stride = std::max<Index>(1, (count + most - 1) / most),  // no more than `most`
                              .patch = patch});
    };
    Member result;
    // No more windows than the updates can see.
    const Windows training = windows(options_.updates * options_.batch_size);
    result.network.emplace(network_options(training.shape(), seed));
    const Index batches = (training.size() + options_.batch_size - 1) / options_.batch_size;
    const Index epochs = (options_.updates + batches - 1) / batches;
    result.network->fit(
        training,
        {.epochs = epochs,
         .batch_size = options_.batch_size,
         .optimizer = Adam{.learning_rate = CosineDecay{.initial_learning_rate = options_.learning_rate,
                                                        .decay_steps = epochs * batches},
                           .clip = GlobalClipNorm{1.0}},
         .seed = seed});
    if (options_.baseline_weight > 0.0) {
      const Index values = detail::flat_size(training);
      if (values <= detail::most_values_for_pca && training.size() > 1) {
        result.pca.emplace(PcaBaselineOptions{detail::components_for(values, training.size())});
        result.pca->fit(training);
      }
      result.nearest.emplace();
      result.nearest->fit(windows(most_neighbours));
    }
    return result;
  }
  AutoencoderOptions network_options(const SequenceShape& window, std::uint64_t seed) const {
    return {.steps = window.steps,
            .features = window.features,
            .encoder = {{.units = options_.units}, {.units = options_.code}},
            .decoder = {{.units = options_.code}, {.units = options_.units}},
            .decoder_state = DecoderState::encoder,
            .reverse_decoder = true,
            .seed = seed};
  }

  /// Of its own for each network, whatever other lengths there are.
  std::uint64_t seed_of(Index length, bool first) const {
    return options_.seed + 1000003 * (2 * static_cast<std::uint64_t>(length) + (first ? 0 : 1));
  }

  static Errors errors_of(const Member& member, const Windows& windows) {
    Errors errors;
    errors[0] = window_scores_in_blocks(windows, *member.network);
    if (member.pca) errors[1] = window_scores_in_blocks(windows, *member.pca);
    if (member.nearest) errors[2] = member.nearest->scores(windows);
    return errors;
  }

  void train(const Matrix<Scalar>& series, State& state) const {
    const detail::HalvesOfSeries parts = detail::cut(series.rows());
    const std::vector<Index>& lengths = state.choice.lengths;
    const auto count = 2 * lengths.size();
    state.members.resize(count);
    std::vector<Errors> held_out(count);
    detail::ThreadPool pool(options_.threads);
    // Longest first, so that the threads end together.
    pool.run(static_cast<Index>(count), [&](Index task, int) {
      const auto number = count - 1 - static_cast<std::size_t>(task);
      const bool first = number % 2 == 0;
      const Index length = lengths[number / 2];
      const Matrix<Scalar> learned = first ? series.topRows(parts.learned) : series.bottomRows(parts.learned);
      const Matrix<Scalar> checked = first ? series.bottomRows(parts.checked) : series.topRows(parts.checked);
      state.members[number] = member(learned, length, seed_of(length, first));
      held_out[number] = errors_of(state.members[number], windows_of(checked, length));
    });
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      Scales scales{};
      for (std::size_t m = 0; m < methods; ++m) {
        std::vector<double> both = held_out[2 * i][m];
        both.insert(both.end(), held_out[2 * i + 1][m].begin(), held_out[2 * i + 1][m].end());
        if (!both.empty()) scales[m] = std::max(detail::median_of(both), least_scale);
      }
      state.scales.push_back(scales);
    }
    // The first part of the series is what the second members have not seen.
    for (const std::size_t half : {std::size_t{1}, std::size_t{0}}) {
      std::vector<const Errors*> errors;
      for (std::size_t i = 0; i < lengths.size(); ++i) errors.push_back(&held_out[2 * i + half]);
      const auto scores = combined(state, parts.checked, errors);
      state.calibration.insert(state.calibration.end(), scores.begin(), scores.end());
    }
  }

  std::vector<double> scores_of(const Matrix<Scalar>& series) const {
    const std::vector<Index>& lengths = state_.choice.lengths;
    std::vector<Errors> errors(state_.members.size());
    detail::ThreadPool pool(options_.threads);
    pool.run(static_cast<Index>(errors.size()), [&](Index task, int) {
      const auto number = errors.size() - 1 - static_cast<std::size_t>(task);
      errors[number] = errors_of(state_.members[number], windows_of(series, lengths[number / 2]));
    });
    std::vector<const Errors*> means;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      Errors& mean = errors[2 * i];
      for (std::size_t m = 0; m < methods; ++m) {
        for (std::size_t w = 0; w < mean[m].size(); ++w)
          mean[m][w] = 0.5 * (mean[m][w] + errors[2 * i + 1][m][w]);
      }
      means.push_back(&mean);
    }
    return combined(state_, series.rows(), means);
  }

  /// `errors`: one for each length, of the windows of a series of so many points.
  std::vector<double> combined(const State& state, Index points,
                               const std::vector<const Errors*>& errors) const {
    std::vector<double> logs(static_cast<std::size_t>(points), 0.0);
    double weights = 0.0;
    for (std::size_t i = 0; i < errors.size(); ++i) {
      const Index length = state.choice.lengths[i];
      const Index stride = patch(length);
      for (std::size_t m = 0; m < methods; ++m) {
        const std::vector<double>& of_windows = (*errors[i])[m];
        if (of_windows.empty()) continue;
        const double weight = m == 0 ? 1.0 : options_.baseline_weight;
        const WindowGrid grid({.windows = static_cast<Index>(of_windows.size()),
                               .length = length,
                               .stride = stride,
                               .points = points});
        const auto of_points = point_scores(grid, of_windows, Aggregate::max);
        for (std::size_t t = 0; t < logs.size(); ++t) {
          logs[t] += weight * std::log((of_points[t] / state.scales[i][m] + floor) / (1.0 + floor));
        }
        weights += weight;
      }
    }
    for (double& value : logs) value = std::exp(value / weights);
    return logs;
  }

  SeriesDetectorOptions options_;
  State state_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
