#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/detail/lanes.hpp"
#include "../core/error.hpp"
#include "../core/sequences.hpp"
#include "../training/detail/thread_pool.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What of a window is compared.
enum class View {
  /// Its values.
  raw,
  /// Its values less their mean, feature by feature: a shape at whatever level.
  mean_removed
};
inline const char* to_string(View view) { return view == View::raw ? "raw" : "mean removed"; }
constexpr std::array<std::string_view, 2> enumerator_names(View) { return {"raw", "mean removed"}; }

/// One error for each window of a series, in both views; number i is of the window that starts at point i.
struct WindowErrors {
  std::vector<double> raw;
  std::vector<double> mean_removed;

  const std::vector<double>& of(View view) const { return view == View::raw ? raw : mean_removed; }
};

/// The distance of every window of a series to the nearest window of a training series: the error of a
/// reconstruction that may only repeat what was seen. It is a mean squared difference, so that windows of
/// several lengths have errors of one size.
///
/// Windows of T points, of all F features together, start at every point. Between window i of the series x
/// and window j of the training series y lies
///
///     d(i, j) = sum over k < T of |x_{i+k} - y_{j+k}|^2
///     d(i + 1, j + 1) = d(i, j) + |x_{i+T} - y_{j+T}|^2 - |x_i - y_j|^2
///
/// so that a pair costs F steps whatever T is (Zhu et al., "Matrix Profile II", ICDM 2016, has this for
/// products). Without their means the windows differ by d(i, j) - T |mean_i - mean_j|^2: one pass serves both
/// views. Every 1,024 windows the sums are made anew, so that roundings do not add up, and a window's error
/// has the same bits whatever follows it.
///
/// Memory: the training series, its window means, and 16 bytes for each of its windows and each thread while
/// it scores. Time: windows of the series * windows of the training series * F.
class NearestInSeries {
 public:
  /// A row for each time step, a column for each feature. Throws where no window of `length` points fits.
  NearestInSeries(Matrix<double> training, Index length) : train_(std::move(training)), length_(length) {
    detail::require_positive(length, place, "length");
    require_window(train_);
    means_ = means_of(train_);
  }

  /// Of each window of a series with the same features. The result does not depend on the threads. Throws
  /// where the series is shorter than a window.
  WindowErrors errors(const Matrix<double>& series, int threads = 1) const {
    if (series.cols() != train_.cols()) detail::fail(place, {train_.cols(), " features"}, {series.cols()});
    require_window(series);
    return joined(series, means_of(series), 0, threads);
  }

  /// Of each window of the training series itself, among those that start at least `zone` points before or
  /// after it: with `zone` = length + gap no point is shared and `gap` points lie between. Throws where that
  /// leaves some window without any, which is with fewer than 2 zone + length - 1 time steps.
  WindowErrors held_out_errors(Index zone, int threads = 1) const {
    detail::require_positive(zone, place, "zone");
    if (train_.rows() < 2 * zone + length_ - 1) {
      detail::fail(
          place,
          {"at least ", 2 * zone + length_ - 1, " time steps, so that every window has one ", zone, " away"},
          {train_.rows()});
    }
    return joined(train_, means_, zone, threads);
  }

  /// The training window that is nearest to window `window` of the series, of those that start at least
  /// `zone` points before or after it where the series is the training series (0: all).
  Index nearest_to(const Matrix<double>& series, Index window, View view, Index zone = 0) const {
    if (series.cols() != train_.cols()) detail::fail(place, {train_.cols(), " features"}, {series.cols()});
    if (window < 0 || window > series.rows() - length_)
      detail::fail(place, {"a window that starts in [0, ", series.rows() - length_ + 1, ")"}, {window});
    std::vector<double> distances(static_cast<std::size_t>(means_.rows())), means;
    all_distances(series, window, distances.data());
    for (Index f = 0; f < series.cols(); ++f) means.push_back(series.col(f).segment(window, length_).mean());
    Index best = -1;
    for (Index j = 0; j < means_.rows(); ++j) {
      if (zone > 0 && j > window - zone && j < window + zone) continue;
      double& distance = distances[static_cast<std::size_t>(j)];
      for (Index f = 0; view == View::mean_removed && f < series.cols(); ++f) {
        const double between = means[static_cast<std::size_t>(f)] - means_(j, f);
        distance -= static_cast<double>(length_) * between * between;
      }
      if (best < 0 || distance < distances[static_cast<std::size_t>(best)]) best = j;
    }
    if (best < 0) detail::fail(place, {"a window at least ", zone, " points away"}, "none");
    return best;
  }

  Index length() const { return length_; }
  const Matrix<double>& training() const { return train_; }

 private:
  static constexpr const char* place = "nearest in series";
  /// Windows of the series after which the sums are made anew.
  static constexpr Index chunk = 1024;

  /// The smallest so far, in each view; of single values or of lanes.
  template <typename Value>
  struct Best {
    Value raw, mean_removed;
  };
  /// What of one window of the series is the same for all training windows: a value for each feature.
  struct Row {
    const double* entering;  // the window's last point
    const double* leaving;   // the point before its first
    const double* means;
    Index point_stride;  // from a feature to the next
    Index mean_stride;
  };

  void require_window(const Matrix<double>& series) const {
    if (series.rows() < length_) detail::fail(place, {"at least ", length_, " time steps"}, {series.rows()});
  }

  /// windows x features.
  Matrix<double> means_of(const Matrix<double>& series) const {
    Matrix<double> means(series.rows() - length_ + 1, series.cols());
    for (Index f = 0; f < series.cols(); ++f) {
      for (Index first = 0; first < means.rows(); first += chunk) {
        double sum = 0.0;
        for (Index k = 0; k < length_; ++k) sum += series(first + k, f);
        const Index end = std::min(first + chunk, means.rows());
        for (Index i = first; i < end; ++i) {
          means(i, f) = sum / static_cast<double>(length_);
          if (i + 1 < end) sum += series(i + length_, f) - series(i, f);
        }
      }
    }
    return means;
  }

  WindowErrors joined(const Matrix<double>& series, const Matrix<double>& means, Index zone,
                      int threads) const {
    const Index windows = means.rows();
    WindowErrors errors;
    errors.raw.resize(static_cast<std::size_t>(windows));
    errors.mean_removed.resize(static_cast<std::size_t>(windows));
    detail::ThreadPool pool(threads);
    pool.run((windows + chunk - 1) / chunk, [&](Index number, int) {
      const Index first = number * chunk;
      join_chunk(series, means, first, std::min(chunk, windows - first), zone, errors);
    });
    return errors;
  }

  /// Windows [first, first + count) of the series.
  void join_chunk(const Matrix<double>& series, const Matrix<double>& means, Index first, Index count,
                  Index zone, WindowErrors& errors) const {
    const Index others = means_.rows();
    // d(first + r, j) stands at j - r + count - 1, so that d(i + 1, j + 1) takes the place of d(i, j).
    Vector<double> diagonals(others + count - 1);
    for (Index r = 0; r < count; ++r) {
      const Index i = first + r;
      double* const distances = diagonals.data() + (count - 1 - r);
      const Row row{series.data() + i + length_ - 1, series.data() + i - 1, means.data() + i, series.rows(),
                    means.rows()};
      if (r == 0) {
        all_distances(series, i, distances);
      } else {
        distances[0] = distance_from_first(series, i);
      }
      constexpr double infinity = std::numeric_limits<double>::infinity();
      Best<double> best{infinity, infinity};
      const Index before = zone == 0 ? others : std::clamp<Index>(i - zone + 1, 0, others);
      const Index after = zone == 0 ? others : std::min(i + zone, others);
      const auto sweep = [&](auto counts, Index from, Index to) {
        // The distances of a first row, and of a first window, are made already.
        if (r == 0) return sweep_windows<counts(), false>(row, from, to, distances, best);
        if (from == 0 && to > 0) sweep_windows<counts(), false>(row, 0, 1, distances, best);
        return sweep_windows<counts(), true>(row, std::max<Index>(from, 1), to, distances, best);
      };
      sweep(std::true_type{}, 0, before);
      sweep(std::false_type{}, before, after);
      sweep(std::true_type{}, after, others);
      const auto values = static_cast<double>(length_ * series.cols());
      errors.raw[static_cast<std::size_t>(i)] = std::max(0.0, best.raw) / values;
      errors.mean_removed[static_cast<std::size_t>(i)] = std::max(0.0, best.mean_removed) / values;
    }
  }

  /// d(i, j) of all j, by definition.
  void all_distances(const Matrix<double>& series, Index i, double* distances) const {
    std::fill_n(distances, means_.rows(), 0.0);
    for (Index f = 0; f < series.cols(); ++f) {
      for (Index k = 0; k < length_; ++k) {
        const double x = series(i + k, f);
        const double* y = train_.data() + f * train_.rows() + k;
        detail::for_lanes<double>(means_.rows(), [=](auto at, Index j) REPRISE_DETAIL_INLINE {
          const auto between = x - at.load(y + j);
          at.store(distances + j, at.load(distances + j) + between * between);
        });
      }
    }
  }
  /// d(i, 0) by definition.
  double distance_from_first(const Matrix<double>& series, Index i) const {
    detail::LaneSum<double> sum;
    for (Index f = 0; f < series.cols(); ++f) {
      const double* x = series.data() + f * series.rows() + i;
      const double* y = train_.data() + f * train_.rows();
      detail::for_lanes<double>(length_, [&](auto at, Index k) REPRISE_DETAIL_INLINE {
        sum.add_square(at.load(x + k) - at.load(y + k));
      });
    }
    return sum.total();
  }

  /// Training windows [from, to): brings their distances up to date, where `updates`, and remembers the
  /// smallest, where `counts`.
  template <bool counts, bool updates>
  void sweep_windows(const Row& row, Index from, Index to, double* distances, Best<double>& best) const {
    if constexpr (!counts && !updates) return;
    constexpr Index lanes = detail::lane_count<double>;
    using Lanes = detail::Lanes<double>;
    Index j = from;
    if (to - from >= lanes) {
      Best<Lanes> several{detail::same_in_all(best.raw), detail::same_in_all(best.mean_removed)};
      for (; j + lanes <= to; j += lanes) meet<counts, updates>(row, j, distances, several);
      for (Index lane = 0; lane < lanes; ++lane) {
        best.raw = std::min(best.raw, several.raw[lane]);
        best.mean_removed = std::min(best.mean_removed, several.mean_removed[lane]);
      }
    }
    for (; j < to; ++j) meet<counts, updates>(row, j, distances, best);
  }

  /// One training window, or as many neighbouring ones as a register holds.
  template <bool counts, bool updates, typename Value>
  REPRISE_DETAIL_INLINE void meet(const Row& row, Index j, double* distances, Best<Value>& best) const {
    const auto load = [](const double* from) REPRISE_DETAIL_INLINE {
      if constexpr (std::is_same_v<Value, double>) {
        return *from;
      } else {
        return detail::load_lanes(from);
      }
    };
    const Index features = train_.cols();
    Value d = load(distances + j);
    if constexpr (updates) {
      for (Index f = 0; f < features; ++f) {
        const double* y = train_.data() + f * train_.rows() + j;
        const Value in = row.entering[f * row.point_stride] - load(y + length_ - 1);
        const Value out = row.leaving[f * row.point_stride] - load(y - 1);
        d += in * in - out * out;
      }
      if constexpr (std::is_same_v<Value, double>) {
        distances[j] = d;
      } else {
        detail::store_lanes<double>(distances + j, d);
      }
    }
    if constexpr (counts) {
      best.raw = smaller_of(d, best.raw);
      for (Index f = 0; f < features; ++f) {
        const Value between = row.means[f * row.mean_stride] - load(means_.data() + f * means_.rows() + j);
        d -= static_cast<double>(length_) * (between * between);
      }
      best.mean_removed = smaller_of(d, best.mean_removed);
    }
  }
  template <typename Value>
  REPRISE_DETAIL_INLINE static Value smaller_of(const Value& a, const Value& b) {
    if constexpr (std::is_same_v<Value, double>) {
      return a < b ? a : b;
    } else {
      return detail::smaller<double>(a, b);
    }
  }

  Matrix<double> train_;
  Index length_ = 1;
  Matrix<double> means_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
