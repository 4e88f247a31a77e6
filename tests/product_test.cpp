// Every product against a plain loop; this file is compiled with and without REPRISE_PLAIN_KERNELS.
#include <reprise/core/product.hpp>

#include "gradient_check.hpp"

namespace {

using reprise::Index;
using reprise::Matrix;
using reprise::Vector;
using reprise::detail::Factor;

/// A rows x cols factor inside a larger matrix, so that its stride is not its height.
template <typename Scalar>
struct Stored {
  Matrix<Scalar> values;
  bool transposed;
  Index rows, cols;

  Stored(Index rows_, Index cols_, bool transposed_, std::uint32_t number)
      : values(test::uniform_matrix<Scalar>((transposed_ ? cols_ : rows_) + 3, transposed_ ? rows_ : cols_,
                                            number)),
        transposed(transposed_),
        rows(rows_),
        cols(cols_) {}

  Factor<Scalar> factor() const { return {values.data() + 1, rows, cols, values.rows(), transposed}; }
  Matrix<Scalar> plain() const {
    if (transposed) return values.middleRows(1, cols).transpose();
    return values.middleRows(1, rows);
  }
};

template <typename Scalar>
void check_product(Index rows, Index depth, Index cols, bool transposed_lhs, bool transposed_rhs,
                   double tolerance) {
  CAPTURE(rows);
  CAPTURE(depth);
  CAPTURE(cols);
  CAPTURE(transposed_lhs);
  CAPTURE(transposed_rhs);
  const Stored<Scalar> lhs(rows, depth, transposed_lhs, 1), rhs(depth, cols, transposed_rhs, 2);
  const Matrix<Scalar> before = test::uniform_matrix<Scalar>(rows + 2, cols, 3);
  Vector<Scalar> scratch(reprise::detail::product_scratch<Scalar>());

  Matrix<Scalar> expected = before;
  expected.topRows(rows) += lhs.plain().lazyProduct(rhs.plain());

  Matrix<Scalar> result = before;
  reprise::detail::multiply_add(result.data(), rows + 2, lhs.factor(), rhs.factor(), scratch.data());
  CHECK(test::relative_difference(result, expected) <= tolerance);
  CHECK((result.bottomRows(2) == before.bottomRows(2)));

  Vector<Scalar> packed(reprise::detail::packed_size<Scalar>(rows, depth));
  reprise::detail::pack(lhs.factor(), packed.data());
  Matrix<Scalar> with_packed = before;
  reprise::detail::multiply_add_packed(with_packed.data(), rows + 2, packed.data(), rows, rhs.factor(),
                                       scratch.data());
  CHECK(test::relative_difference(with_packed, expected) <= tolerance);
}

template <typename Scalar>
void check_all_transpositions(Index rows, Index depth, Index cols, double tolerance) {
  for (const bool lhs : {false, true}) {
    for (const bool rhs : {false, true}) check_product<Scalar>(rows, depth, cols, lhs, rhs, tolerance);
  }
}

TEST_CASE_TEMPLATE("small products equal a plain loop", Scalar, float, double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 1e-5;
  for (const Index rows : {1, 3, 7, 16, 17, 48}) {
    for (const Index depth : {1, 2, 7, 16, 33}) {
      for (const Index cols : {1, 3, 4, 5, 17})
        check_all_transpositions<Scalar>(rows, depth, cols, tolerance);
    }
  }
}

TEST_CASE_TEMPLATE("products equal a plain loop on either side of each block's border", Scalar, float,
                   double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 1e-5;
  for (const Index rows : {191, 192, 193, 385}) check_all_transpositions<Scalar>(rows, 9, 6, tolerance);
  for (const Index depth : {255, 256, 257, 513}) check_all_transpositions<Scalar>(10, depth, 6, tolerance);
  for (const Index cols : {511, 512, 513, 1025}) check_all_transpositions<Scalar>(10, 9, cols, tolerance);
  check_all_transpositions<Scalar>(193, 257, 513, tolerance);
}

TEST_CASE("rows of a factor are a factor") {
  for (const bool transposed : {false, true}) {
    const Stored<double> lhs(12, 5, transposed, 1), rhs(5, 7, false, 2);
    Vector<double> scratch(reprise::detail::product_scratch<double>());
    Matrix<double> result = Matrix<double>::Zero(4, 7);
    const Factor<double> some = lhs.factor().rows_from(6, 4);
    reprise::detail::multiply_add(result.data(), 4, some, rhs.factor(), scratch.data());
    const Matrix<double> expected = lhs.plain().middleRows(6, 4).lazyProduct(rhs.plain());
    CHECK(test::relative_difference(result, expected) <= 1e-13);
  }
}

TEST_CASE("a stored matrix can be read transposed") {
  const Matrix<double> a = test::uniform_matrix<double>(6, 4, 1), b = test::uniform_matrix<double>(6, 3, 2);
  Vector<double> scratch(reprise::detail::product_scratch<double>());
  Matrix<double> result = Matrix<double>::Zero(4, 3);
  reprise::detail::multiply_add(result.data(), 4, reprise::detail::transposed(a.data(), 6, 4),
                                reprise::detail::as_is(b.data(), 6, 3), scratch.data());
  CHECK(test::relative_difference(result, Matrix<double>(a.transpose().lazyProduct(b))) <= 1e-13);
}

TEST_CASE("a product with nothing to sum leaves the result as it was") {
  Vector<double> scratch(reprise::detail::product_scratch<double>());
  Matrix<double> result = test::uniform_matrix<double>(3, 2, 1);
  const Matrix<double> before = result;
  const double nothing = 0;
  reprise::detail::multiply_add(result.data(), 3, reprise::detail::as_is(&nothing, 3, 0),
                                reprise::detail::as_is(&nothing, 0, 2), scratch.data());
  CHECK((result == before));
}

}  // namespace
