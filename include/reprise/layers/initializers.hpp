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
    custom
  };
  Kind kind = Kind::zeros;
  /// The value of `constant`; the gain of `orthogonal`.
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
constexpr Initializer constant(double value) { return {Initializer::Kind::constant, value}; }
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
/// From a struct of the user's, see `CustomInitializer`; what this makes lives as long as the program, once
/// for each name and options.
inline Initializer custom(CustomInitializer function) {
  return {Initializer::Kind::custom, 1.0, detail::interned(std::move(function))};
}
}  // namespace initializer

namespace detail {

/// In the order of the kinds.
inline constexpr std::array<std::string_view, 10> initializer_names = {
    "zeros",      "ones",      "constant",      "glorot_uniform", "glorot_normal",
    "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",   "orthogonal"};
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

/// Fills a weight matrix with fan_out rows and fan_in columns. Normal distributions are cut at two standard
/// deviations and widened to keep the variance, as Keras does.
template <typename Scalar>
void initialize(const Initializer& how, Eigen::Map<Matrix<Scalar>> weights, RandomStream& random) {
  using Kind = Initializer::Kind;
  const auto fan_out = static_cast<double>(weights.rows());
  const auto fan_in = static_cast<double>(weights.cols());
  const auto fill = [&](auto draw) {
    for (Index i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<Scalar>(draw());
  };
  const auto uniform = [&](double variance) {
    const double limit = std::sqrt(3.0 * variance);
    fill([&] { return limit * (2.0 * random.uniform() - 1.0); });
  };
  const auto normal = [&](double variance) {
    const double deviation = std::sqrt(variance) / 0.87962566103423978;  // sd of the cut standard normal
    fill([&] { return deviation * random.truncated_normal(); });
  };
  switch (how.kind) {
    case Kind::zeros: return fill([] { return 0.0; });
    case Kind::ones: return fill([] { return 1.0; });
    case Kind::constant: return fill([&] { return how.value; });
    case Kind::glorot_uniform: return uniform(2.0 / (fan_in + fan_out));
    case Kind::glorot_normal: return normal(2.0 / (fan_in + fan_out));
    case Kind::he_uniform: return uniform(2.0 / fan_in);
    case Kind::he_normal: return normal(2.0 / fan_in);
    case Kind::lecun_uniform: return uniform(1.0 / fan_in);
    case Kind::lecun_normal: return normal(1.0 / fan_in);
    case Kind::orthogonal: {
      const Index rows = weights.rows(), cols = weights.cols();
      const Index longer = std::max(rows, cols), shorter = std::min(rows, cols);
      std::vector<double> q(static_cast<std::size_t>(longer * shorter));
      for (double& value : q) value = random.normal();
      orthonormalize_columns(q.data(), longer, shorter);
      for (Index c = 0; c < cols; ++c) {
        for (Index r = 0; r < rows; ++r) {
          const Index at = rows >= cols ? r + c * longer : c + r * longer;
          weights.data()[r + c * rows] = static_cast<Scalar>(how.value * q[static_cast<std::size_t>(at)]);
        }
      }
      return;
    }
    case Kind::custom: {
      Matrix<double> values = Matrix<double>::Zero(weights.rows(), weights.cols());
      how.own->code().fill(values, random);
      if (values.rows() != weights.rows() || values.cols() != weights.cols()) {
        fail(std::string(how.own->kind()),
             {"an initialiser to keep the size ", weights.rows(), " x ", weights.cols()},
             {values.rows(), " x ", values.cols()});
      }
      weights = values.cast<Scalar>();
    }
  }
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
