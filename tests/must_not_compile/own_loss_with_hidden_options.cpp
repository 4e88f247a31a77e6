// error: an own loss with members must list them in each_field
#include <reprise/losses/losses.hpp>

struct Mine {
  static constexpr const char* kind = "Mine";
  double option = 1.0;
  template <typename Scalar>
  double operator()(std::span<const Scalar>, std::span<const Scalar>, std::span<Scalar>) const {
    return 0.0;
  }
};

int main() { reprise::Loss loss = Mine{}; }
