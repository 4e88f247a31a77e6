#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "detail/eigen.hpp"
#include "sequences.hpp"

// The one way in which the library reads a series. A series is
//   - one feature: a vector, span, std::array or C array of any arithmetic type; or an Eigen vector, row or
//   column;
//   - several: an Eigen matrix with a row for each time step and a column for each feature; or a vector of
//   such vectors,
//     one for each time step.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

template <typename Derived>
const Derived& eigen_series(const Eigen::DenseBase<Derived>& series) {
  return series.derived();
}
template <typename S>
concept EigenSeries = requires(const S& series) { eigen_series(series); };

/// Characters are numbers to C++, but a text is no series.
template <typename S>
concept TextLike = requires { typename S::traits_type; } ||
                   (std::is_array_v<S> && std::same_as<std::remove_cv_t<std::remove_extent_t<S>>, char>);

template <typename S>
concept NumberRange = !EigenSeries<S> && !TextLike<S> && requires(const S& series) {
  std::data(series);
  std::size(series);
} && std::is_arithmetic_v<std::remove_cvref_t<decltype(*std::data(std::declval<const S&>()))>>;

template <typename S>
concept RowRange = !EigenSeries<S> && requires(const S& series) {
  std::data(series);
  std::size(series);
} && NumberRange<std::remove_cvref_t<decltype(*std::data(std::declval<const S&>()))>>;

template <typename S>
struct SeriesElement;
template <EigenSeries S>
struct SeriesElement<S> {
  using Type = typename std::remove_cvref_t<decltype(eigen_series(std::declval<const S&>()))>::Scalar;
};
template <NumberRange S>
struct SeriesElement<S> {
  using Type = std::remove_cvref_t<decltype(*std::data(std::declval<const S&>()))>;
};
template <RowRange S>
struct SeriesElement<S> : SeriesElement<std::remove_cvref_t<decltype(*std::data(std::declval<const S&>()))>> {
};

/// Of each value of the series.
template <typename S>
using SeriesValue = typename SeriesElement<std::remove_cvref_t<S>>::Type;
/// What a series is kept as: float stays float, all else becomes double.
template <typename S>
using StoredValue = std::conditional_t<std::same_as<SeriesValue<S>, float>, float, double>;

/// An Eigen row vector is one feature, as a column is: of its type there is no telling them apart in meaning.
template <EigenSeries S>
constexpr bool is_row_vector() {
  using Derived = std::remove_cvref_t<decltype(eigen_series(std::declval<const S&>()))>;
  return Derived::RowsAtCompileTime == 1 && Derived::ColsAtCompileTime != 1;
}

}  // namespace detail

template <typename S>
concept SeriesLike = detail::EigenSeries<S> || detail::NumberRange<S> || detail::RowRange<S>;

/// A series that somebody else holds, of whatever type, to be read as doubles. Made implicitly, for the time
/// of a call.
class SeriesView {
 public:
  template <SeriesLike S>
    requires(!std::same_as<S, SeriesView>)
  SeriesView(const S& series) {
    using Value = detail::SeriesValue<S>;
    epsilon_ = std::is_same_v<Value, float> ? static_cast<double>(std::numeric_limits<float>::epsilon())
                                            : std::numeric_limits<double>::epsilon();
    if constexpr (detail::EigenSeries<S>) {
      const auto& matrix = detail::eigen_series(series);
      using Derived = std::remove_cvref_t<decltype(matrix)>;
      constexpr bool is_row = detail::is_row_vector<S>();
      set(&matrix, is_row ? matrix.cols() : matrix.rows(), is_row ? matrix.rows() : matrix.cols(),
          [](const void* data, Index step, Index feature) {
            const auto& values = *static_cast<const Derived*>(data);
            if constexpr (is_row)
              return static_cast<double>(values(feature, step));
            else
              return static_cast<double>(values(step, feature));
          });
    } else if constexpr (detail::NumberRange<S>) {
      set(std::data(series), static_cast<Index>(std::size(series)), 1,
          [](const void* data, Index step, Index) {
            return static_cast<double>(static_cast<const Value*>(data)[step]);
          });
    } else {
      using Row = std::remove_cvref_t<decltype(*std::data(series))>;
      const Row* rows = std::data(series);
      const auto count = static_cast<Index>(std::size(series));
      set(rows, count, count == 0 ? 0 : static_cast<Index>(std::size(rows[0])),
          [](const void* data, Index step, Index feature) {
            return static_cast<double>(std::data(static_cast<const Row*>(data)[step])[feature]);
          });
      for (Index step = 0; step < count; ++step) {
        const auto size = static_cast<Index>(std::size(rows[step]));
        if (size != features_)
          detail::fail("series", {features_, " values at each step"}, {size, " at step ", step});
      }
    }
  }

  Index steps() const { return steps_; }
  Index features() const { return features_; }
  double operator()(Index step, Index feature) const { return at_(data_, step, feature); }
  /// The distance from 1 to the next value of the type that the series is held in: how coarse its last bits
  /// are.
  double epsilon() const { return epsilon_; }

  /// The values of the steps in order, a step's features side by side.
  template <typename Stored>
  std::vector<Stored> values() const {
    std::vector<Stored> result(static_cast<std::size_t>(steps_ * features_));
    auto to = result.begin();
    for (Index t = 0; t < steps_; ++t) {
      for (Index f = 0; f < features_; ++f) *to++ = static_cast<Stored>(at_(data_, t, f));
    }
    return result;
  }
  /// A row for each step, a column for each feature.
  Matrix<double> matrix() const {
    Matrix<double> result(steps_, features_);
    for (Index f = 0; f < features_; ++f) {
      for (Index t = 0; t < steps_; ++t) result(t, f) = at_(data_, t, f);
    }
    return result;
  }

 private:
  using At = double (*)(const void* data, Index step, Index feature);
  void set(const void* data, Index steps, Index features, At at) {
    data_ = data;
    steps_ = steps;
    features_ = features;
    at_ = at;
  }

  const void* data_ = nullptr;
  Index steps_ = 0;
  Index features_ = 0;
  At at_ = nullptr;
  double epsilon_ = 0.0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
