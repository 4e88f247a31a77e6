// error: an own loss must be callable as double
#include <reprise/losses/losses.hpp>

struct Mine {
  static constexpr const char* kind = "Mine";
  double operator()(std::span<const float>, std::span<const float>, std::span<float>) const { return 0.0; }
};

int main() { reprise::Loss loss = Mine{}; }
