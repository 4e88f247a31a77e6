#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/sequences.hpp"
#include "../scores/point_scores.hpp"
#include "../training/detail/thread_pool.hpp"
#include "network_in_series.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// Of the windows that a series has, those that start in [begin, end) are one fold.
struct Fold {
  Index begin;
  Index end;
};
inline Fold fold_of(Index windows, Index number, Index folds) {
  return {number * windows / folds, (number + 1) * windows / folds};
}
/// Starts of the windows between which and any of the fold's lie `gap` points or more.
inline std::vector<Index> starts_away_from(const Fold& fold, Index windows, Index length, Index gap) {
  const Index zone = length + gap;
  std::vector<Index> starts;
  for (Index start = 0; start < windows; ++start) {
    if (start + zone <= fold.begin || start >= fold.end - 1 + zone) starts.push_back(start);
  }
  return starts;
}

}  // namespace detail

/// LSTM autoencoders for several lengths and views, and their errors on the series that they were trained on,
/// as errors of windows that they had not seen.
///
/// For that each is trained several times. The windows of the training series are cut by their starts into
/// as many contiguous folds; a fold's windows are judged by a network that was trained on the windows which
/// share no point with any of them, `gap` points or more away. So every window is held out once, and a point
/// of the training series is held by as many windows as a later one. The network that scores later series is
/// trained on all windows: it knows more than those that calibrate, and a new window's errors are if anything
/// smaller. That is measured (docs/detector.md), not proved.
///
/// A series is scored by windows a patch apart, and a point's error is the largest of those that hold it.
class NetworkMembers {
 public:
  NetworkMembers() = default;

  /// Rows that a length needs, so that each fold's network has windows from two lengths at least to train on.
  static Index rows_for_length(Index length, Index gap, Index folds) {
    return ((4 * length + 2 * gap) * folds + folds - 2) / (folds - 1);
  }

  /// Trains networks for each of the lengths in each view. Throws where a length needs more rows.
  NetworkMembers(const Matrix<double>& training, std::span<const Index> lengths, std::span<const View> views,
                 Index gap, Index folds, const NetworkInSeriesOptions& options, int threads) {
    for (const Index length : lengths) {
      const Index needed = rows_for_length(length, gap, folds);
      if (training.rows() < needed)
        detail::fail("networks", {"at least ", needed, " time steps, for windows of ", length},
                     {training.rows()});
    }
    train(training, lengths, views, gap, folds, options, threads);
  }

  /// Networks that were trained already: `made(length, view)` gives each. In the order of `networks`.
  template <typename Made>
  static NetworkMembers restored(const Matrix<double>& training, std::span<const Index> lengths,
                                 std::span<const View> views, const NetworkInSeriesOptions& options,
                                 const Made& made) {
    NetworkMembers members;
    for (std::size_t i = lengths.size(); i-- > 0;) {
      for (const View view : views) {
        members.networks_.emplace_back(training, grid(training.rows(), lengths[i], 1), lengths[i], view,
                                       options, made(lengths[i], view));
      }
    }
    return members;
  }

  bool empty() const { return networks_.empty(); }
  /// Longest windows first; of each length one for each view.
  const std::vector<NetworkInSeries>& networks() const { return networks_; }

  /// Errors of the points of the training series, held out: a pair for each network.
  std::vector<NetworkErrors> take_held_out() { return std::move(held_out_); }

  /// Errors of the points of a series: a pair for each network. Throws where it is shorter than a window.
  std::vector<NetworkErrors> errors(const Matrix<double>& series, int threads) const {
    std::vector<NetworkErrors> result;
    for (const NetworkInSeries& network : networks_) {
      const std::vector<Index> starts = grid(series.rows(), network.length(), network.patch());
      result.push_back(points_of(network.errors(series, starts, threads), network.length(), network.patch(),
                                 series.rows()));
    }
    return result;
  }

 private:
  /// Starts of windows a patch apart, and of one that ends with the series.
  static std::vector<Index> grid(Index rows, Index length, Index patch) {
    if (rows < length) detail::fail("networks", {"at least ", length, " time steps"}, {rows});
    std::vector<Index> starts;
    for (Index start = 0; start + length <= rows; start += patch) starts.push_back(start);
    if (starts.back() + length < rows) starts.push_back(rows - length);
    return starts;
  }
  static NetworkErrors points_of(const NetworkErrors& windows, Index length, Index patch, Index rows) {
    const WindowGrid grid({.windows = static_cast<Index>(windows.states.size()),
                           .length = length,
                           .stride = patch,
                           .points = rows});
    return {point_scores(grid, windows.reconstruction, Aggregate::max),
            point_scores(grid, windows.states, Aggregate::max)};
  }

  /// One network to be trained: on what is outside a fold, or, where fold = folds, on everything.
  struct Task {
    Index length;
    View view;
    Index fold;
  };

  void train(const Matrix<double>& training, std::span<const Index> lengths, std::span<const View> views,
             Index gap, Index folds, const NetworkInSeriesOptions& options, int threads) {
    std::vector<Task> tasks;
    for (std::size_t i = lengths.size(); i-- > 0;) {  // the longest first, so that the threads end together
      for (const View view : views) {
        for (Index fold = 0; fold <= folds; ++fold) tasks.push_back({lengths[i], view, fold});
      }
    }
    std::vector<std::optional<NetworkInSeries>> whole(tasks.size());
    std::vector<NetworkErrors> of_folds(tasks.size());
    detail::ThreadPool pool(threads);
    pool.run(static_cast<Index>(tasks.size()), [&](Index number, int) {
      const auto i = static_cast<std::size_t>(number);
      const Task& task = tasks[i];
      NetworkInSeriesOptions its = options;
      its.seed = seed_of(options.seed, task);
      const Index windows = training.rows() - task.length + 1;
      if (task.fold == folds) {
        whole[i].emplace(training, grid(training.rows(), task.length, 1), task.length, task.view, its);
        return;
      }
      const detail::Fold fold = detail::fold_of(windows, task.fold, folds);
      const NetworkInSeries network(training, detail::starts_away_from(fold, windows, task.length, gap),
                                    task.length, task.view, its);
      std::vector<Index> held_out;
      for (const Index start : grid(training.rows(), task.length, network.patch())) {
        if (start >= fold.begin && start < fold.end) held_out.push_back(start);
      }
      of_folds[i] = network.errors(training, std::move(held_out));
    });
    join(training.rows(), folds, whole, of_folds);
  }

  void join(Index rows, Index folds, std::vector<std::optional<NetworkInSeries>>& whole,
            const std::vector<NetworkErrors>& of_folds) {
    const auto tasks_of_one = static_cast<std::size_t>(folds) + 1;
    for (std::size_t first = 0; first < whole.size(); first += tasks_of_one) {
      NetworkInSeries& network = *whole[first + tasks_of_one - 1];
      NetworkErrors windows;
      const auto append = [](std::vector<double>& to, const std::vector<double>& from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      for (std::size_t fold = 0; fold + 1 < tasks_of_one; ++fold) {
        append(windows.reconstruction, of_folds[first + fold].reconstruction);
        append(windows.states, of_folds[first + fold].states);
      }
      held_out_.push_back(points_of(windows, network.length(), network.patch(), rows));
      networks_.push_back(std::move(network));
    }
  }

  /// Of its own for each network, whatever other lengths and views there are.
  static std::uint64_t seed_of(std::uint64_t seed, const Task& task) {
    const auto number = 1000 * static_cast<std::uint64_t>(task.length) +
                        100 * static_cast<std::uint64_t>(task.view) + static_cast<std::uint64_t>(task.fold);
    return seed + 1000003 * number;
  }

  std::vector<NetworkInSeries> networks_;
  std::vector<NetworkErrors> held_out_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
