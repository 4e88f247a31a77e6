// error: an own optimizer needs the number of its moments
#include <reprise/optimizers/optimizers.hpp>

struct Mine {
  static constexpr const char* kind = "Mine";
  double learning_rate = 0.1;
  template <typename Scalar>
  void operator()(const reprise::ParameterUpdate<Scalar>&) const {}
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("learning_rate", self.learning_rate);
  }
};

int main() { reprise::Optimizer optimizer = Mine{}; }
