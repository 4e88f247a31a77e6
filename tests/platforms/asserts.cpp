// An index that is out of range is asserted where it would read another value, or beyond the memory. The
// asserts are Eigen's, which a program may replace: here by an exception.
#undef NDEBUG
#include <stdexcept>
#define eigen_assert(condition)                            \
  do {                                                     \
    if (!(condition)) throw std::out_of_range(#condition); \
  } while (false)

#include <cstdio>
#include <utility>
#include <vector>

#include <reprise/core/windows.hpp>
#include <reprise/scores/window_array.hpp>

namespace {

template <typename Use>
bool is_asserted(const Use& use) {
  try {
    use();
  } catch (const std::out_of_range&) {
    return true;
  }
  return false;
}

/// `values`: of 3 samples of 2 steps of 4 features, in any of the forms that are read by three indices.
/// Returns how many of the indices beyond it are read without an assertion.
template <typename Values>
int unnoticed(const char* name, Values& values) {
  int count = 0;
  const reprise::Index outside[][3] = {{3, 0, 0}, {-1, 1, 0}, {0, 2, 0}, {1, -1, 0},
                                       {0, 0, 4}, {1, 1, -1}, {2, 1, 4}};
  for (const auto& index : outside) {
    if (is_asserted([&] { static_cast<void>(values(index[0], index[1], index[2])); })) continue;
    std::printf("%s(%d, %d, %d) is not asserted\n", name, static_cast<int>(index[0]),
                static_cast<int>(index[1]), static_cast<int>(index[2]));
    ++count;
  }
  for (reprise::Index sample = 0; sample < 3; ++sample) {
    for (reprise::Index step = 0; step < 2; ++step) {
      for (reprise::Index feature = 0; feature < 4; ++feature) {
        if (is_asserted([&] { static_cast<void>(values(sample, step, feature)); })) ++count;
      }
    }
  }
  return count;
}

}  // namespace

int main() {
  reprise::Sequences<float> batch({.samples = 3, .steps = 2, .features = 4});
  const std::vector<double> series(24, 1.0);
  const auto array = reprise::window_array(series, {.steps = 2, .features = 4});
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(6, 4);
  const reprise::Windows windows = reprise::sliding_windows(matrix, {.length = 2, .stride = 2});
  return unnoticed("sequences", batch) + unnoticed("sequences", std::as_const(batch)) +
         unnoticed("window_array", array) + unnoticed("windows", windows);
}
