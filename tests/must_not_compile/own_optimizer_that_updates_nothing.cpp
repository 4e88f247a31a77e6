// error: an own optimizer must be callable as void
#include <reprise/optimizers/optimizers.hpp>

struct Mine {
  static constexpr const char* kind = "Mine";
  static constexpr int moments = 1;
  double learning_rate = 0.1;
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("learning_rate", self.learning_rate);
  }
};

int main() { reprise::Optimizer optimizer = Mine{}; }
