#pragma once

#include <Eigen/Core>
#include <cmath>
#include <limits>
#include <vector>

/// How tests compare many numbers at once: with the largest difference. Eigen's `maxCoeff` and `std::max`
/// lose a NaN wherever another number follows it, and a test that uses them stays green when the code makes
/// NaN. Here one NaN makes the result NaN, of which every comparison is false, so that the CHECK fails
/// whichever way it compares. The test "no comparison in the tests loses a NaN" refuses the others.
namespace test {

/// The larger of two numbers; NaN where one of them is.
inline double larger(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<double>::quiet_NaN();
  return a < b ? b : a;
}
/// The smaller of two numbers; NaN where one of them is.
inline double smaller(double a, double b) { return -larger(-a, -b); }

/// The largest of some numbers, of an Eigen expression or a vector; NaN where one of them is, or there are
/// none.
template <typename Values>
double largest(const Eigen::DenseBase<Values>& values) {
  const auto given = values.derived().eval();
  double result = std::numeric_limits<double>::quiet_NaN();
  for (Eigen::Index c = 0; c < given.cols(); ++c) {
    for (Eigen::Index r = 0; r < given.rows(); ++r) {
      const auto value = static_cast<double>(given(r, c));
      result = r == 0 && c == 0 ? value : larger(result, value);
    }
  }
  return result;
}
inline double largest(const std::vector<double>& values) {
  return largest(Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size())));
}
/// The smallest of some numbers; NaN where one of them is, or there are none.
template <typename Values>
double smallest(const Values& values) {
  if constexpr (requires { values.derived(); }) {
    return -largest(-values.derived().template cast<double>());
  } else {
    return -largest(
        -Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size())));
  }
}

/// max |a - b|; NaN where the shapes differ or a difference is NaN.
template <typename A, typename B>
double largest_difference(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) return std::numeric_limits<double>::quiet_NaN();
  using Values = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic>;
  const Values x = a.derived().template cast<double>();
  const Values y = b.derived().template cast<double>();
  return largest((x - y).abs());
}

/// max |a - b| / max |b|; NaN where a number is not finite or the shapes differ.
template <typename A, typename B>
double relative_difference(const Eigen::DenseBase<A>& a, const Eigen::DenseBase<B>& b) {
  const double difference = largest_difference(a, b);
  if (!std::isfinite(difference)) return std::numeric_limits<double>::quiet_NaN();
  return difference == 0 ? 0 : difference / largest(b.derived().template cast<double>().cwiseAbs());
}

}  // namespace test
