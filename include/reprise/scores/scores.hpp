#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "../core/detail/statistics.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "aggregate.hpp"
#include "detail/window_source.hpp"

// Scores by any aggregation. The means of errors.hpp are the common ones, and faster.
namespace reprise {
inline namespace REPRISE_ABI {

enum class ErrorMeasure {
  /// (x - y)^2
  squared,
  /// |x - y|
  absolute
};

struct ScoreOptions {
  ErrorMeasure measure = ErrorMeasure::squared;
  Aggregate aggregate = Aggregate::mean;
  /// For `Aggregate::quantile`, in [0, 1]; interpolated linearly.
  double quantile = 0.95;
};

namespace detail {

inline void require_score_options(const ScoreOptions& options) {
  if (!(is_finite(options.quantile) && options.quantile >= 0.0 && options.quantile <= 1.0)) {
    fail("scores", "a quantile in [0, 1]", {options.quantile});
  }
}

inline double measured(double error, ErrorMeasure measure) {
  return measure == ErrorMeasure::squared ? error * error : std::abs(error);
}

/// Not empty; reorders. Infinity, where an error is too large to square, stays infinity.
inline double aggregated(std::span<double> values, const ScoreOptions& options) {
  switch (options.aggregate) {
    case Aggregate::median: return median_of(values);
    case Aggregate::max: return *std::max_element(values.begin(), values.end());
    case Aggregate::min: return *std::min_element(values.begin(), values.end());
    case Aggregate::sum: return std::accumulate(values.begin(), values.end(), 0.0);
    case Aggregate::quantile: {
      const double value = quantile_of(values, options.quantile);
      return is_nan(value) ? std::numeric_limits<double>::infinity() : value;  // between two infinities
    }
    default: return mean_of(values);
  }
}

}  // namespace detail

/// One score per window, from the errors of all its steps and features.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] std::vector<double> window_scores(const Input& input, const Reconstruction& reconstruction,
                                                const ScoreOptions& options = {}) {
  detail::require_score_options(options);
  std::vector<double> scores(static_cast<std::size_t>(detail::window_count(input)));
  std::vector<double> errors;
  detail::for_each_block(
      input, reconstruction, [&](Index first, const SequenceView<double>& x, const SequenceView<double>& y) {
        for (Index w = 0; w < x.batch; ++w) {
          errors.clear();
          for (Index t = 0; t < x.steps; ++t) {
            for (Index f = 0; f < x.features; ++f) {
              errors.push_back(detail::measured(x.step(t)(f, w) - y.step(t)(f, w), options.measure));
            }
          }
          scores[static_cast<std::size_t>(first + w)] = detail::aggregated(errors, options);
        }
      });
  return scores;
}

/// windows x steps: each step's score from the errors of its features, for `point_scores`.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Matrix<double> step_scores(const Input& input, const Reconstruction& reconstruction,
                                         const ScoreOptions& options = {}) {
  detail::require_score_options(options);
  Matrix<double> scores(detail::window_count(input), detail::point_shape(input).steps);
  std::vector<double> errors;
  detail::for_each_block(
      input, reconstruction, [&](Index first, const SequenceView<double>& x, const SequenceView<double>& y) {
        for (Index t = 0; t < x.steps; ++t) {
          for (Index w = 0; w < x.batch; ++w) {
            errors.clear();
            for (Index f = 0; f < x.features; ++f) {
              errors.push_back(detail::measured(x.step(t)(f, w) - y.step(t)(f, w), options.measure));
            }
            scores(first + w, t) = detail::aggregated(errors, options);
          }
        }
      });
  return scores;
}

/// windows x features: each feature's score from the errors of all steps.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Matrix<double> feature_scores(const Input& input, const Reconstruction& reconstruction,
                                            const ScoreOptions& options = {}) {
  detail::require_score_options(options);
  Matrix<double> scores(detail::window_count(input), detail::point_shape(input).features);
  std::vector<double> errors;
  detail::for_each_block(
      input, reconstruction, [&](Index first, const SequenceView<double>& x, const SequenceView<double>& y) {
        for (Index w = 0; w < x.batch; ++w) {
          for (Index f = 0; f < x.features; ++f) {
            errors.clear();
            for (Index t = 0; t < x.steps; ++t) {
              errors.push_back(detail::measured(x.step(t)(f, w) - y.step(t)(f, w), options.measure));
            }
            scores(first + w, f) = detail::aggregated(errors, options);
          }
        }
      });
  return scores;
}

}  // namespace REPRISE_ABI
}  // namespace reprise
