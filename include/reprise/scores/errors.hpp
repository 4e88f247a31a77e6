#pragma once

#include <cmath>
#include <vector>

#include "../core/detail/eigen.hpp"
#include "../core/sequences.hpp"
#include "detail/window_source.hpp"

// How far a reconstruction is from its input, in double whatever the two are held in. Each function takes any
// pair of `Windows`, `Sequences<float | double>` and `WindowArray<float | double>` that hold the same number
// of windows of the same shape; it throws when they do not, and names the place of the first NaN or infinity
// in a reconstruction or input. Neither is copied as a whole. Errors are those of points: where the input's
// windows have patches, its reconstruction is taken apart, and padding is no error.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

struct Squared {
  double operator()(double error) const { return error * error; }
};
struct Absolute {
  double operator()(double error) const { return std::abs(error); }
};

template <typename Measure, WindowSource Input, WindowSource Reconstruction>
std::vector<double> mean_errors(const Input& input, const Reconstruction& reconstruction) {
  std::vector<double> result(static_cast<std::size_t>(window_count(input)));
  const Measure measure;
  for_each_error(input, reconstruction, [&](Index window, Index, Index, double error) {
    result[static_cast<std::size_t>(window)] += measure(error);
  });
  const SequenceShape shape = point_shape(input);
  for (double& value : result) value /= static_cast<double>(shape.steps * shape.features);
  return result;
}

template <typename Measure, WindowSource Input, WindowSource Reconstruction>
Matrix<double> mean_errors_per_step(const Input& input, const Reconstruction& reconstruction) {
  Matrix<double> result = Matrix<double>::Zero(window_count(input), point_shape(input).steps);
  const Measure measure;
  for_each_error(input, reconstruction, [&](Index window, Index step, Index, double error) {
    result(window, step) += measure(error);
  });
  result /= static_cast<double>(point_shape(input).features);
  return result;
}

template <typename Measure, WindowSource Input, WindowSource Reconstruction>
Matrix<double> mean_errors_per_feature(const Input& input, const Reconstruction& reconstruction) {
  Matrix<double> result = Matrix<double>::Zero(window_count(input), point_shape(input).features);
  const Measure measure;
  for_each_error(input, reconstruction, [&](Index window, Index, Index feature, double error) {
    result(window, feature) += measure(error);
  });
  result /= static_cast<double>(point_shape(input).steps);
  return result;
}

}  // namespace detail

/// One error per window: the mean over its steps and features of (x - y)^2.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] std::vector<double> mean_squared_errors(const Input& input,
                                                      const Reconstruction& reconstruction) {
  return detail::mean_errors<detail::Squared>(input, reconstruction);
}
/// One error per window: the mean over its steps and features of |x - y|.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] std::vector<double> mean_absolute_errors(const Input& input,
                                                       const Reconstruction& reconstruction) {
  return detail::mean_errors<detail::Absolute>(input, reconstruction);
}

/// windows x steps: the mean over the features.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Matrix<double> mean_squared_errors_per_step(const Input& input,
                                                          const Reconstruction& reconstruction) {
  return detail::mean_errors_per_step<detail::Squared>(input, reconstruction);
}
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Matrix<double> mean_absolute_errors_per_step(const Input& input,
                                                           const Reconstruction& reconstruction) {
  return detail::mean_errors_per_step<detail::Absolute>(input, reconstruction);
}

/// windows x features: the mean over the steps.
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Matrix<double> mean_squared_errors_per_feature(const Input& input,
                                                             const Reconstruction& reconstruction) {
  return detail::mean_errors_per_feature<detail::Squared>(input, reconstruction);
}
template <detail::WindowSource Input, detail::WindowSource Reconstruction>
[[nodiscard]] Matrix<double> mean_absolute_errors_per_feature(const Input& input,
                                                              const Reconstruction& reconstruction) {
  return detail::mean_errors_per_feature<detail::Absolute>(input, reconstruction);
}

}  // namespace REPRISE_ABI
}  // namespace reprise
