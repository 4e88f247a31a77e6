// error: an own initialiser must be callable as void
#include <reprise/layers/initializers.hpp>

struct Mine {
  static constexpr const char* kind = "mine";
  double operator()(reprise::RandomStream& random) const { return random.uniform(); }
};

int main() { reprise::initializer::custom(Mine{}); }
