// error: (cannot convert|no viable conversion from) .*Matrix<.*Ref<
#include <reprise/layers/lstm_cell.hpp>

int main() {
  const reprise::LstmCell<float> cell(1, {.units = 3});
  const reprise::Vector<float> theta = reprise::Vector<float>::Zero(cell.parameter_count());
  const reprise::Matrix<float> x(1, 2);
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> h(3, 2), c(3, 2);
  reprise::Matrix<float> gates(12, 2);
  cell.step(theta.data(), x, h, c, gates);
}
