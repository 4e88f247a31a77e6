// What the compile time of fit_and_score.cpp is compared with.

#include <Eigen/Dense>
#include <cstdio>

int main() {
  const Eigen::MatrixXf a = Eigen::MatrixXf::Random(30, 20), b = Eigen::MatrixXf::Random(20, 10);
  const Eigen::MatrixXf product = a * b;
  std::printf("%g\n", static_cast<double>(product.sum()));
}
