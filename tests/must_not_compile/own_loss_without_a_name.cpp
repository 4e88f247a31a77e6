// error: an own loss needs a name
#include <reprise/losses/losses.hpp>

struct Mine {
  template <typename Scalar>
  double operator()(std::span<const Scalar>, std::span<const Scalar>, std::span<Scalar>) const {
    return 0.0;
  }
};

int main() { reprise::Loss loss = Mine{}; }
