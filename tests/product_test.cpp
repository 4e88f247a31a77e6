// Every product against a plain loop; this file is compiled with and without REPRISE_PLAIN_KERNELS.
#include <reprise/core/detail/product.hpp>

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

  Factor<Scalar> factor() const {
    const Scalar* first = values.size() == 0 ? nullptr : values.data() + 1;
    return {first, rows, cols, values.rows(), transposed};
  }
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
  Vector<Scalar> packed(reprise::detail::packed_size<Scalar>(rows, depth));
  const Matrix<Scalar> product = lhs.plain().lazyProduct(rhs.plain());

  Matrix<Scalar> result = before;
  const Index stride = rows + 2;
  reprise::detail::multiply<Scalar>(result.data(), stride, {before.data(), stride}, lhs.factor(),
                                    rhs.factor(), packed.data());
  CHECK(test::relative_difference(result.topRows(rows), before.topRows(rows) + product) <= tolerance);
  CHECK((result.bottomRows(2) == before.bottomRows(2)));

  // onto itself, onto one column for all, onto nothing; `packed` is as `multiply` left it
  const std::array<reprise::detail::Term<Scalar>, 1> term{{{packed.data(), rhs.factor()}}};
  reprise::detail::multiply_packed<Scalar, 1>(result.data(), stride, rows, cols, {result.data(), stride},
                                              term);
  CHECK(test::relative_difference(result.topRows(rows), before.topRows(rows) + Scalar(2) * product) <=
        tolerance);
  reprise::detail::multiply_packed<Scalar, 1>(result.data(), stride, rows, cols, {before.data(), 0}, term);
  CHECK(test::relative_difference(result.topRows(rows), product.colwise() + before.col(0).head(rows)) <=
        tolerance);
  reprise::detail::multiply_packed<Scalar, 1>(result.data(), stride, rows, cols, {}, term);
  CHECK(test::relative_difference(result.topRows(rows), product) <= tolerance);
  CHECK((result.bottomRows(2) == before.bottomRows(2)));
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
  for (const Index rows : {15, 31, 32, 33, 63, 64, 65, 129})
    check_all_transpositions<Scalar>(rows, 9, 7, tolerance);
  for (const Index depth : {255, 256, 257, 513}) check_all_transpositions<Scalar>(10, depth, 6, tolerance);
  for (const Index cols : {2, 6, 8, 9, 10, 11, 12, 13})
    check_all_transpositions<Scalar>(10, 9, cols, tolerance);
  check_all_transpositions<Scalar>(67, 257, 13, tolerance);
}

TEST_CASE_TEMPLATE("a sum of two products, whatever their depths are to a block", Scalar, float, double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 1e-5;
  for (const auto& depths : {std::pair<Index, Index>{1, 5}, {0, 3}, {100, 156}, {256, 7}, {300, 300}}) {
    const Index first = depths.first, second = depths.second;  // clang++ 14 captures no structured binding
    CAPTURE(first);
    CAPTURE(second);
    constexpr Index rows = 41, cols = 5;
    const Stored<Scalar> a(rows, first, false, 1), b(first, cols, false, 2);
    const Stored<Scalar> c(rows, second, true, 3), d(second, cols, true, 4);
    Vector<Scalar> left(reprise::detail::packed_size<Scalar>(rows, first));
    Vector<Scalar> right(reprise::detail::packed_size<Scalar>(rows, second));
    reprise::detail::pack(a.factor(), left.data());
    reprise::detail::pack(c.factor(), right.data());
    Matrix<Scalar> result(rows, cols);
    reprise::detail::multiply_packed<Scalar, 2>(result.data(), rows, rows, cols, {},
                                                {{{left.data(), b.factor()}, {right.data(), d.factor()}}});
    Matrix<Scalar> expected = c.plain().lazyProduct(d.plain());
    // Eigen adds to the null pointer of a matrix without values.
    if (first > 0) expected += a.plain().lazyProduct(b.plain());
    CHECK(test::relative_difference(result, expected) <= tolerance);
  }
}

TEST_CASE_TEMPLATE("a product with one column is the plain one, from either end", Scalar, float, double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 1e-5;
  for (const Index rows : {1, 7, 16, 40, 128}) {
    for (const Index depth : {1, 3, 16, 21, 37}) {
      CAPTURE(rows);
      CAPTURE(depth);
      const Stored<Scalar> left(rows, depth, false, 1), right(depth, 1, false, 2);
      const Matrix<Scalar> start = test::uniform_matrix<Scalar>(rows, 1, 3);
      const Matrix<Scalar> expected = start + left.plain().lazyProduct(right.plain());
      for (const bool backwards : {false, true}) {
        Matrix<Scalar> result = start;
        reprise::detail::add_vector_product(result.data(), left.factor(), right.factor().data, backwards);
        CHECK(test::relative_difference(result, expected) <= tolerance);
      }
    }
  }
}

TEST_CASE_TEMPLATE("a tiled right factor is the factor, whatever tiles its columns make", Scalar, float,
                   double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 1e-5;
  for (const Index rows : {64, 192}) {
    for (const Index depth : {1, 7, 256}) {
      for (const Index cols : {1, 2, 3, 4, 5, 6, 7, 8, 10, 14, 64}) {
        CAPTURE(rows);
        CAPTURE(depth);
        CAPTURE(cols);
        const Stored<Scalar> left(rows, depth, false, 1), right(depth, cols, true, 2);
        Vector<Scalar> packed(reprise::detail::packed_size<Scalar>(rows, depth)), tiles(depth * cols);
        reprise::detail::pack(left.factor(), packed.data());
        const Factor<Scalar> tiled = reprise::detail::pack_tiles(right.factor(), tiles.data());
        Matrix<Scalar> result = test::uniform_matrix<Scalar>(rows, cols, 3);
        const Matrix<Scalar> expected = result + left.plain().lazyProduct(right.plain());
        reprise::detail::multiply_packed<Scalar, 1>(result.data(), rows, rows, cols, {result.data(), rows},
                                                    {{{packed.data(), tiled}}});
        CHECK(test::relative_difference(result, expected) <= tolerance);
      }
    }
  }
}

TEST_CASE_TEMPLATE("a sum of products whose left factor is beyond the cache", Scalar, float, double) {
  const double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 1e-5;
  constexpr Index rows = 1040, depth = 300;  // more than 1 MB, and no whole number of panels
  for (const Index cols : {1, 8, 53}) {
    CAPTURE(cols);
    const Stored<Scalar> a(rows, 20, false, 1), b(20, cols, false, 2);
    const Stored<Scalar> c(rows, depth, false, 3), d(depth, cols, true, 4);
    Vector<Scalar> left(reprise::detail::packed_size<Scalar>(rows, 20));
    Vector<Scalar> right(reprise::detail::packed_size<Scalar>(rows, depth));
    reprise::detail::pack(a.factor(), left.data());
    reprise::detail::pack(c.factor(), right.data());
    Matrix<Scalar> result = test::uniform_matrix<Scalar>(rows, cols, 5);
    const Matrix<Scalar> expected =
        result + a.plain().lazyProduct(b.plain()) + c.plain().lazyProduct(d.plain());
    reprise::detail::multiply_packed<Scalar, 2>(result.data(), rows, rows, cols, {result.data(), rows},
                                                {{{left.data(), b.factor()}, {right.data(), d.factor()}}});
    CHECK(test::relative_difference(result, expected) <= tolerance);
  }
}

TEST_CASE_TEMPLATE("a tiled factor gives the same bits, also where the left one is beyond the cache", Scalar,
                   float, double) {
  for (const Index rows : {256, 1024}) {
    constexpr Index depth = 256, cols = 58;
    const Stored<Scalar> left(rows, depth, false, 1), right(depth, cols, true, 2);
    Vector<Scalar> packed(reprise::detail::packed_size<Scalar>(rows, depth)), tiles(depth * cols);
    reprise::detail::pack(left.factor(), packed.data());
    const auto product = [&](const Factor<Scalar>& factor) {
      Matrix<Scalar> result = test::uniform_matrix<Scalar>(rows, cols, 3);
      reprise::detail::multiply_packed<Scalar, 1>(result.data(), rows, rows, cols, {result.data(), rows},
                                                  {{{packed.data(), factor}}});
      return result;
    };
    CHECK((product(right.factor()) == product(reprise::detail::pack_tiles(right.factor(), tiles.data()))));
  }
}

TEST_CASE("rows of a factor are a factor") {
  for (const bool transposed : {false, true}) {
    const Stored<double> lhs(12, 5, transposed, 1), rhs(5, 7, false, 2);
    Vector<double> packed(reprise::detail::packed_size<double>(4, 5));
    Matrix<double> result = Matrix<double>::Zero(4, 7);
    reprise::detail::multiply<double>(result.data(), 4, {}, lhs.factor().rows_from(6, 4), rhs.factor(),
                                      packed.data());
    const Matrix<double> expected = lhs.plain().middleRows(6, 4).lazyProduct(rhs.plain());
    CHECK(test::relative_difference(result, expected) <= 1e-13);
  }
}

TEST_CASE("a stored matrix can be read transposed") {
  const Matrix<double> a = test::uniform_matrix<double>(6, 4, 1), b = test::uniform_matrix<double>(6, 3, 2);
  Vector<double> packed(reprise::detail::packed_size<double>(4, 6));
  Matrix<double> result(4, 3);
  reprise::detail::multiply<double>(result.data(), 4, {}, reprise::detail::transposed(a.data(), 6, 4),
                                    reprise::detail::as_is(b.data(), 6, 3), packed.data());
  CHECK(test::relative_difference(result, Matrix<double>(a.transpose().lazyProduct(b))) <= 1e-13);
}

TEST_CASE("a product with nothing to sum is what it starts from") {
  Matrix<double> result = test::uniform_matrix<double>(3, 2, 1);
  const Matrix<double> before = result;
  const double nothing = 0;
  double packed = 0;
  reprise::detail::multiply<double>(result.data(), 3, {result.data(), 3},
                                    reprise::detail::as_is(&nothing, 3, 0),
                                    reprise::detail::as_is(&nothing, 0, 2), &packed);
  CHECK((result == before));
}

}  // namespace
