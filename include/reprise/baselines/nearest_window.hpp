#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../core/detail/eigen.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../core/windows.hpp"
#include "flat_windows.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct NearestWindowOptions {
  /// How many of the nearest training windows count.
  Index neighbours = 1;
  /// The score is the mean of their distances; else that of the farthest of them.
  bool mean = false;
};

/// Which training windows may be a window's neighbours.
enum class Neighbours {
  all,
  /// Those that share no point with it, where the windows scored are of the training series itself: each
  /// would find itself, and the ones beside it.
  without_overlap
};

/// A window's score is its mean squared difference from the nearest training window, or windows: the error of
/// a reconstruction that may only repeat what was seen. Holds no copy of the windows, only their share of the
/// series.
class NearestWindowBaseline {
 public:
  static constexpr const char* name = "nearest window";
  explicit NearestWindowBaseline(const NearestWindowOptions& options = {}) : options_(options) {
    detail::require_positive(options.neighbours, "nearest window baseline", "neighbours");
  }
  NearestWindowBaseline(const NearestWindowBaseline&) = default;
  NearestWindowBaseline(NearestWindowBaseline&&) noexcept = default;
  /// Where there is no memory for the copy, all stays as it was.
  NearestWindowBaseline& operator=(const NearestWindowBaseline& other) {
    return *this = NearestWindowBaseline(other);
  }
  NearestWindowBaseline& operator=(NearestWindowBaseline&&) noexcept = default;
  ~NearestWindowBaseline() = default;

  void fit(const Windows& windows) {
    if (windows.size() < options_.neighbours) {
      detail::fail("nearest window baseline: fit",
                   {"at least as many windows as neighbours, ", options_.neighbours}, {windows.size()});
    }
    // Distances do not change when all windows move; |a|^2 and |b|^2, which cancel, become small.
    Vector<double> mean = detail::mean_window(windows, detail::flat_block);
    Vector<float> squares(windows.size());
    detail::for_each_flat_block<double>(windows, train_block, [&](Index first, auto& part) {
      part.colwise() -= mean;
      squares.segment(first, part.cols()) = part.colwise().squaredNorm().transpose().template cast<float>();
    });
    require_squares(squares, "fit");
    mean_ = std::move(mean);
    squares_ = std::move(squares);
    train_ = windows;
  }

  /// One score for each window: exact distances in double of the neighbours found in float, by |a|^2 + |b|^2
  /// - 2 a b with one matrix product for each pair of blocks. A few candidates more than asked for are
  /// compared exactly; training windows nearer to each other than about 1e-6 of a window's mean square may
  /// still be taken for one another. Throws where the windows have another shape or a window has too few
  /// neighbours left.
  [[nodiscard]] std::vector<double> scores(const Windows& windows, Neighbours which = Neighbours::all) const {
    const std::string place = "nearest window baseline: scores";
    if (!train_) detail::fail(place, "fit() before it", "a baseline that was not fitted");
    detail::require_fitted_to(true, {.steps = train_->length(), .features = train_->features()}, windows,
                              place);
    if (which == Neighbours::without_overlap && windows.series_steps() != train_->series_steps()) {
      detail::fail(place,
                   {"windows of the training series, of ", train_->series_steps(),
                    " steps, where overlaps are left out"},
                   {windows.series_steps(), " steps"});
    }
    std::vector<double> result;
    result.reserve(static_cast<std::size_t>(windows.size()));
    detail::for_each_flat_block<double>(windows, scored_block, [&](Index first, auto& part) {
      part.colwise() -= mean_;
      const auto found = candidates(windows, first, part.template cast<float>(), which);
      for (Index w = 0; w < part.cols(); ++w) {
        result.push_back(score(part.col(w), first + w, found[static_cast<std::size_t>(w)], place));
      }
    });
    return result;
  }

  bool is_fitted() const { return train_.has_value(); }
  const NearestWindowOptions& options() const { return options_; }

 private:
  struct Candidate {
    float distance;
    Index window;
  };
  static constexpr Index scored_block = 512;
  static constexpr Index train_block = 512;
  static constexpr Index spare = 4;

  static void require_squares(const Vector<float>& squares, const char* where) {
    if (!detail::all_finite(squares)) {
      detail::fail({"nearest window baseline: ", where}, "values whose squares are floats", "an overflow");
    }
  }

  /// Of each column of `a`, the nearest training windows, nearest first, by distances in float.
  std::vector<std::vector<Candidate>> candidates(const Windows& windows, Index first, const Matrix<float>& a,
                                                 Neighbours which) const {
    const auto most = static_cast<std::size_t>(options_.neighbours + spare);
    std::vector<std::vector<Candidate>> nearest(static_cast<std::size_t>(a.cols()));
    const Vector<float> a_squares = a.colwise().squaredNorm().transpose();
    require_squares(a_squares, "scores");
    Matrix<float> products;
    detail::for_each_flat_block<double>(*train_, train_block, [&](Index first_train, auto& part) {
      part.colwise() -= mean_;  // in double: a float may not tell a value from its neighbour
      detail::set_size(products, part.cols(), a.cols());
      products.noalias() = part.template cast<float>().transpose() * a;
      // |b|^2 - 2 a b, and |a|^2 where it counts.
      products = (-2.0F * products).colwise() + squares_.segment(first_train, part.cols());
      for (Index w = 0; w < a.cols(); ++w) {
        auto& kept = nearest[static_cast<std::size_t>(w)];
        float limit = kept.size() < most ? std::numeric_limits<float>::max() : kept.back().distance;
        // Most blocks hold nothing nearer than what was found.
        if (products.col(w).minCoeff() + a_squares(w) >= limit) continue;
        for (Index j = 0; j < part.cols(); ++j) {
          const float distance = a_squares(w) + products(j, w);
          if (distance >= limit) continue;
          if (which == Neighbours::without_overlap &&
              std::abs(windows.start(first + w) - train_->start(first_train + j)) < train_->length()) {
            continue;
          }
          const auto at =
              std::upper_bound(kept.begin(), kept.end(), distance,
                               [](float d, const Candidate& candidate) { return d < candidate.distance; });
          kept.insert(at, {distance, first_train + j});
          if (kept.size() > most) kept.pop_back();
          if (kept.size() == most) limit = kept.back().distance;
        }
      }
    });
    return nearest;
  }

  /// `a` less the mean window.
  double score(const Eigen::Ref<const Vector<double>>& a, Index number, const std::vector<Candidate>& nearest,
               const std::string& place) const {
    const auto k = static_cast<std::size_t>(options_.neighbours);
    if (nearest.size() < k) {
      detail::fail(place, {k, " training windows that do not overlap window ", number}, {nearest.size()});
    }
    std::vector<double> distances;
    Matrix<double> b(a.size(), 1);
    for (const Candidate& candidate : nearest) {
      detail::read_flat<double>(*train_, candidate.window, b);
      distances.push_back((a - (b.col(0) - mean_)).squaredNorm() / static_cast<double>(a.size()));
    }
    std::sort(distances.begin(), distances.end());
    if (!options_.mean) return distances[k - 1];
    double sum = 0.0;
    for (std::size_t i = 0; i < k; ++i) sum += distances[i];
    return sum / static_cast<double>(k);
  }

  NearestWindowOptions options_;
  std::optional<Windows> train_;
  Vector<double> mean_;
  Vector<float> squares_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
