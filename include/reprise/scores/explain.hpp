#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <ostream>
#include <string>
#include <vector>

#include "../core/detail/eigen.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../core/text.hpp"
#include "detail/window_source.hpp"
#include "scores.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// Turns parts of a score, all >= 0, into shares of it. By the largest part first: a score that is next to
/// nothing has shares all the same. (Loops, since every program that includes this header compiles them.)
class PartShares {
 public:
  explicit PartShares(const Matrix<double>& parts) {
    const double* const end = parts.data() + parts.size();
    const double largest = parts.size() > 0 ? *std::max_element(parts.data(), end) : 0.0;
    if (largest > 0.0) unit_ = largest;
    double total = 0.0;
    for (const double* part = parts.data(); part != end; ++part) total += *part / unit_;
    if (total > 0.0) total_ = total;
  }
  double of(double part) const { return part / unit_ / total_; }

 private:
  double unit_ = 1.0, total_ = 1.0;
};

}  // namespace detail

/// Why a window scored as it did. Matrices are steps x features.
struct Explanation {
  Index window = 0;
  /// The mean over steps and features of the squared (or absolute) errors.
  double score = 0.0;
  /// What came, x.
  Matrix<double> observed;
  /// What the reconstruction has there, y.
  Matrix<double> expected;
  /// Each value's part of the score; they sum to it.
  Matrix<double> parts;
  /// Each step's and each feature's share of the score: >= 0, with the sum 1, or all 0 where the score is 0.
  Vector<double> step_shares;
  Vector<double> feature_shares;

  /// The value with the largest part.
  struct Value {
    Index step = 0;
    Index feature = 0;
    double observed = 0.0;
    double expected = 0.0;
    double share = 0.0;
  };
  /// The `count` values with the largest parts, largest first.
  std::vector<Value> largest(Index count) const {
    std::vector<Index> order(static_cast<std::size_t>(parts.size()));
    std::iota(order.begin(), order.end(), Index{0});
    const auto wanted = std::clamp<Index>(count, 0, parts.size());
    std::partial_sort(order.begin(), order.begin() + wanted, order.end(),
                      [&](Index a, Index b) { return parts(a) != parts(b) ? parts(a) > parts(b) : a < b; });
    const detail::PartShares shares(parts);
    std::vector<Value> values;
    for (Index i = 0; i < wanted; ++i) {
      const Index at = order[static_cast<std::size_t>(i)];
      values.push_back(
          {at % parts.rows(), at / parts.rows(), observed(at), expected(at), shares.of(parts(at))});
    }
    return values;
  }
};

/// The window's score, the features' shares and the three values with the largest parts.
inline std::ostream& operator<<(std::ostream& out, const Explanation& explanation) {
  const auto percent = [](double share) {
    return detail::number_text(std::round(share * 1000.0) / 10.0, 6) + " %";
  };
  out << "window " << std::to_string(explanation.window) << ": score "
      << detail::number_text(explanation.score, 6) << '\n';
  if (explanation.feature_shares.size() > 1) {
    for (Index f = 0; f < explanation.feature_shares.size(); ++f) {
      out << "  feature " << std::to_string(f) << ": " << percent(explanation.feature_shares(f)) << '\n';
    }
  }
  for (const Explanation::Value& value : explanation.largest(3)) {
    out << "  step " << std::to_string(value.step) << ", feature " << std::to_string(value.feature)
        << ": observed " << detail::number_text(value.observed, 6) << ", expected "
        << detail::number_text(value.expected, 6) << " (" << percent(value.share) << ")\n";
  }
  return out;
}

/// Each feature's usual error: the mean over windows and steps, which should be of normal data, best not
/// trained on. A feature without any error counts with the smallest one that the others have, or with 1.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] std::vector<double> usual_errors(const Input& input, const Reconstruction& reconstruction,
                                               ErrorMeasure measure = ErrorMeasure::squared) {
  const SequenceShape shape = detail::point_shape(input);
  std::vector<double> usual(static_cast<std::size_t>(shape.features), 0.0);
  detail::for_each_error(input, reconstruction, [&](Index, Index, Index feature, double error) {
    usual[static_cast<std::size_t>(feature)] += detail::measured(error, measure);
  });
  const double values = static_cast<double>(detail::window_count(input) * shape.steps);
  double smallest = 0.0;
  for (double& error : usual) {
    error /= values;
    if (error > 0.0 && (smallest == 0.0 || error < smallest)) smallest = error;
  }
  for (double& error : usual) {
    if (detail::is_nan(error) || error <= 0.0) error = smallest == 0.0 ? 1.0 : smallest;
  }
  return usual;
}

namespace detail {

/// `explain` of one window, what came being x and its reconstruction y.
inline Explanation explained(Index window, const SequenceView<double>& x, const SequenceView<double>& y,
                             const std::vector<double>& usual, ErrorMeasure measure) {
  const Index steps = x.steps, features = x.features;
  Explanation result;
  result.window = window;
  result.observed.resize(steps, features);
  result.expected.resize(steps, features);
  result.parts.resize(steps, features);
  for (Index f = 0; f < features; ++f) {
    for (Index t = 0; t < steps; ++t) {
      const double observed = x.data[t * features + f], expected = y.data[t * features + f];
      const double part = measured(observed - expected, measure) / usual[static_cast<std::size_t>(f)] /
                          static_cast<double>(x.size());
      result.observed(t, f) = observed;
      result.expected(t, f) = expected;
      result.parts(t, f) = part;
      result.score += part;
    }
  }
  if (!is_finite(result.score)) fail("explain", "errors whose squares are numbers", "an overflow");
  const PartShares shares(result.parts);
  result.step_shares.setZero(steps);
  result.feature_shares.setZero(features);
  for (Index f = 0; f < features; ++f) {
    for (Index t = 0; t < steps; ++t) {
      const double share = shares.of(result.parts(t, f));
      result.step_shares(t) += share;
      result.feature_shares(f) += share;
    }
  }
  return result;
}

}  // namespace detail

/// Takes a window's mean error apart, each error in units of its feature's usual one (`usual_errors` of
/// normal windows by the same measure), so that the feature comes first which errs most beside what it
/// usually does. Score and parts are in these units. Throws for a window that is not there, shapes that
/// differ, values that are not finite, and an error too large to square.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Explanation explain(const Input& input, const Reconstruction& reconstruction, Index window,
                                  const std::vector<double>& usual,
                                  ErrorMeasure measure = ErrorMeasure::squared) {
  detail::require_reconstruction("explain", input, reconstruction);
  const SequenceShape shape = detail::point_shape(input);
  const Index count = detail::window_count(input);
  if (window < 0 || window >= count) {
    detail::fail("explain", {"a window from 0 to ", count - 1}, {window});
  }
  if (static_cast<Index>(usual.size()) != shape.features) {
    detail::fail("explain", {"a usual error for each of ", shape.features, " features"}, {usual.size()});
  }
  for (const double error : usual) {
    if (!(detail::is_finite(error) && error > 0.0))
      detail::fail("explain", "finite usual errors > 0", {error});
  }
  Sequences<double> x(shape.batch(1));
  Sequences<double> y(shape.batch(1));
  detail::read_windows(input, window, x.view());
  detail::read_reconstruction(input, reconstruction, window, y.view());
  detail::require_finite(x.view(), window, "input");
  detail::require_finite(y.view(), window, "reconstruction");
  return detail::explained(window, x.view(), y.view(), usual, measure);
}

/// The same of errors as they are, so that parts sum to the window's mean error. Where features differ in how
/// well they can be reconstructed, the worst leads whatever happens; the overload with usual errors is
/// fairer. Throws as that.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Explanation explain(const Input& input, const Reconstruction& reconstruction, Index window,
                                  ErrorMeasure measure = ErrorMeasure::squared) {
  const std::vector<double> ones(static_cast<std::size_t>(detail::point_shape(input).features), 1.0);
  return explain(input, reconstruction, window, ones, measure);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
