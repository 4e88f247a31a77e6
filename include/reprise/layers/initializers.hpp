#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/detail/lanes.hpp"
#include "../core/detail/memory.hpp"
#include "../core/random.hpp"
#include "custom_initializer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// How a tensor gets its first values; Keras's names and, for matrices, definitions (a bias counts as n x 1
/// here). Made by the functions of namespace `initializer`.
struct Initializer {
  enum class Kind {
    zeros,
    ones,
    constant,
    glorot_uniform,
    glorot_normal,
    he_uniform,
    he_normal,
    lecun_uniform,
    lecun_normal,
    orthogonal,
    random_uniform,
    custom
  };
  Kind kind = Kind::zeros;
  /// The value of `constant`; the gain of `orthogonal`; the limit of `random_uniform`.
  double value = 1.0;
  /// Where kind is custom; else null.
  const CustomInitializer* own = nullptr;

  /// An object with its kind and fields.
  void write(FieldWriter& writer) const;
  void read(FieldReader& reader);

  friend constexpr bool operator==(const Initializer& a, const Initializer& b) {
    return a.kind == b.kind && a.value == b.value && (a.own == b.own || *a.own == *b.own);
  }
};

namespace initializer {
inline constexpr Initializer zeros{Initializer::Kind::zeros};
inline constexpr Initializer ones{Initializer::Kind::ones};
[[nodiscard]] constexpr Initializer constant(double value) { return {Initializer::Kind::constant, value}; }
/// Variance 2 / (fan_in + fan_out): Glorot and Bengio (2010).
inline constexpr Initializer glorot_uniform{Initializer::Kind::glorot_uniform};
inline constexpr Initializer glorot_normal{Initializer::Kind::glorot_normal};
/// Variance 2 / fan_in: He et al. (2015).
inline constexpr Initializer he_uniform{Initializer::Kind::he_uniform};
inline constexpr Initializer he_normal{Initializer::Kind::he_normal};
/// Variance 1 / fan_in: LeCun et al. (1998).
inline constexpr Initializer lecun_uniform{Initializer::Kind::lecun_uniform};
inline constexpr Initializer lecun_normal{Initializer::Kind::lecun_normal};
/// A matrix whose shorter side is orthonormal: Saxe et al. (2014).
inline constexpr Initializer orthogonal{Initializer::Kind::orthogonal};
/// From -limit to limit, whatever the size of the tensor.
constexpr Initializer random_uniform(double limit) { return {Initializer::Kind::random_uniform, limit}; }
/// From a struct of the user's, see `CustomInitializer`; what this makes lives as long as the program, once
/// for each name and options.
inline Initializer custom(CustomInitializer function) {
  return {Initializer::Kind::custom, 1.0, detail::interned(std::move(function))};
}
}  // namespace initializer

namespace detail {

/// In the order of the kinds.
inline constexpr std::array<std::string_view, 11> initializer_names = {
    "zeros",     "ones",          "constant",     "glorot_uniform", "glorot_normal", "he_uniform",
    "he_normal", "lecun_uniform", "lecun_normal", "orthogonal",     "random_uniform"};
static_assert(initializer_names.size() == static_cast<std::size_t>(Initializer::Kind::custom));

/// Gram-Schmidt on the columns of a column-major matrix, each projected twice so that rounding leaves them
/// orthogonal; needs rows >= cols.
inline void orthonormalize_columns(double* m, Index rows, Index cols) {
  const auto dot = [rows](const double* a, const double* b) {
    LaneSum<double> sum;
    for_lanes<double>(
        rows, [&](auto at, Index i) REPRISE_DETAIL_INLINE { sum.add(at.load(a + i) * at.load(b + i)); });
    return sum.total();
  };
  // a += factor * b
  const auto add_multiple = [rows](double* a, double factor, const double* b) {
    for_lanes<double>(rows, [=](auto at, Index i) REPRISE_DETAIL_INLINE {
      at.store(a + i, at.load(a + i) + factor * at.load(b + i));
    });
  };
  for (Index j = 0; j < cols; ++j) {
    double* const column = m + j * rows;
    for (int pass = 0; pass < 2; ++pass) {
      for (Index k = 0; k < j; ++k) add_multiple(column, -dot(m + k * rows, column), m + k * rows);
    }
    const double norm = std::sqrt(dot(column, column));
    for (Index i = 0; i < rows; ++i) column[i] /= norm;
  }
}

/// Uniform or normal numbers with mean 0 and this variance. Normal distributions are cut at two standard
/// deviations and widened to keep the variance, as Keras does.
inline void draw_values(double variance, bool normal, RandomStream& random, Matrix<double>& values) {
  const double limit = std::sqrt(3.0 * variance);
  const double deviation = std::sqrt(variance) / 0.87962566103423978;  // sd of the cut standard normal
  for (Index i = 0; i < values.size(); ++i) {
    values.data()[i] =
        normal ? deviation * random.truncated_normal() : limit * (2.0 * random.uniform() - 1.0);
  }
}
inline void draw_orthogonal(double gain, RandomStream& random, Matrix<double>& values) {
  const Index rows = values.rows(), cols = values.cols();
  const Index longer = std::max(rows, cols), shorter = std::min(rows, cols);
  std::vector<double> q(static_cast<std::size_t>(longer * shorter));
  for (double& value : q) value = random.normal();
  orthonormalize_columns(q.data(), longer, shorter);
  for (Index c = 0; c < cols; ++c) {
    for (Index r = 0; r < rows; ++r) {
      const Index at = rows >= cols ? r + c * longer : c + r * longer;
      values.data()[r + c * rows] = gain * q[static_cast<std::size_t>(at)];
    }
  }
}

/// First values of a weight matrix with fan_out rows and fan_in columns.
inline void initial_values(const Initializer& how, RandomStream& random, Matrix<double>& values) {
  using Kind = Initializer::Kind;
  const auto fan_out = static_cast<double>(values.rows());
  const auto fan_in = static_cast<double>(values.cols());
  const auto fill = [&](double value) { std::fill_n(values.data(), values.size(), value); };
  switch (how.kind) {
    case Kind::zeros: return fill(0.0);
    case Kind::ones: return fill(1.0);
    case Kind::constant: return fill(how.value);
    case Kind::glorot_uniform: return draw_values(2.0 / (fan_in + fan_out), false, random, values);
    case Kind::glorot_normal: return draw_values(2.0 / (fan_in + fan_out), true, random, values);
    case Kind::he_uniform: return draw_values(2.0 / fan_in, false, random, values);
    case Kind::he_normal: return draw_values(2.0 / fan_in, true, random, values);
    case Kind::lecun_uniform: return draw_values(1.0 / fan_in, false, random, values);
    case Kind::lecun_normal: return draw_values(1.0 / fan_in, true, random, values);
    case Kind::orthogonal: return draw_orthogonal(how.value, random, values);
    case Kind::random_uniform: return draw_values(how.value * how.value / 3.0, false, random, values);
    case Kind::custom: break;
  }
  const Index rows = values.rows(), cols = values.cols();
  fill(0.0);
  how.own->code().fill(values, random);
  if (values.rows() == rows && values.cols() == cols) return;
  fail(std::string(how.own->kind()), {"an initialiser to keep the size ", rows, " x ", cols},
       {values.rows(), " x ", values.cols()});
}
/// The same of any scalar, whose values are those of double, rounded.
template <typename Scalar>
void initialize(const Initializer& how, Eigen::Map<Matrix<Scalar>> weights, RandomStream& random) {
  Matrix<double> values(weights.rows(), weights.cols());
  initial_values(how, random, values);
  for (Index i = 0; i < values.size(); ++i) weights.data()[i] = static_cast<Scalar>(values.data()[i]);
}

}  // namespace detail

inline std::string_view name_of(const Initializer& initializer) {
  if (initializer.own != nullptr) return initializer.own->kind();
  return detail::initializer_names[static_cast<std::size_t>(initializer.kind)];
}

inline void Initializer::write(FieldWriter& writer) const {
  if (own != nullptr) return detail::write_value(writer, *own);
  writer.begin_object(name_of(*this));
  writer.member("value");
  writer.number(value);
  writer.end_object();
}
inline void Initializer::read(FieldReader& reader) {
  reader.begin_object();
  const std::string name = detail::read_kind(reader);
  const auto& names = detail::initializer_names;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    *this = initializer::custom(detail::read_erased<CustomInitializer>(reader, name));
  } else {
    *this = {static_cast<Kind>(found - names.begin())};
    if (!reader.enter_member("value")) reader.refuse("a member value", "none");
    value = reader.number();
    reader.leave();
  }
  reader.end_object();
}
}  // namespace REPRISE_ABI
}  // namespace reprise
