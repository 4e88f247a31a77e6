#include "differences.hpp"

#include <doctest/doctest.h>

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("differences: one NaN at any place makes all of them NaN") {
  for (int place = 0; place < 40; ++place) {
    CAPTURE(place);
    Eigen::MatrixXf one = Eigen::MatrixXf::Zero(8, 5);
    const Eigen::MatrixXd other = Eigen::MatrixXd::Ones(8, 5);
    one.data()[place] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(test::largest_difference(one, other)));
    CHECK(std::isnan(test::largest_difference(other, one)));
    CHECK(std::isnan(test::relative_difference(one, other)));
    CHECK(std::isnan(test::largest(one)));
    CHECK(std::isnan(test::smallest(one)));
    std::vector<double> values(40, 1.0);
    values[static_cast<std::size_t>(place)] = not_a_number;
    CHECK(std::isnan(test::largest(values)));
    CHECK(std::isnan(test::smallest(values)));
  }
  for (const auto& [a, b] : {std::pair<double, double>{not_a_number, 1.0},
                             {1.0, not_a_number},
                             {not_a_number, not_a_number},
                             {not_a_number, infinity}}) {
    CHECK(std::isnan(test::larger(a, b)));
    CHECK(std::isnan(test::smaller(a, b)));
  }
}

TEST_CASE("differences: the largest and the smallest are found, other shapes and infinity are not equal") {
  const Eigen::Vector4d a(1, -7, 3, 4), b(1, -5, 3.5, 4);
  CHECK(test::largest(a) == 4);
  CHECK(test::smallest(a) == -7);
  CHECK(test::largest(std::vector<double>{-3, -2, -9}) == -2);
  CHECK(test::smallest(std::vector<double>{-3, -2, -9}) == -9);
  CHECK(test::larger(-1, 2) == 2);
  CHECK(test::smaller(-1, 2) == -1);
  CHECK(test::largest_difference(a, b) == 2);
  CHECK(test::relative_difference(a, b) == 0.4);
  CHECK(test::relative_difference(a, a) == 0);
  CHECK(std::isnan(test::largest_difference(a, b.head(3))));
  CHECK(std::isnan(test::largest(std::vector<double>{})));
  CHECK(test::largest_difference(a, Eigen::Vector4d(1, infinity, 3, 4)) == infinity);
  CHECK(std::isnan(test::relative_difference(a, Eigen::Vector4d(1, infinity, 3, 4))));
}
