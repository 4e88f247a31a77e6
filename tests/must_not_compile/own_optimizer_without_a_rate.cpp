// error: an own optimizer needs a learning_rate
#include <reprise/optimizers/optimizers.hpp>

struct Mine {
  static constexpr const char* kind = "Mine";
  static constexpr int moments = 1;
  template <typename Scalar>
  void operator()(const reprise::ParameterUpdate<Scalar>&) const {}
};

int main() { reprise::Optimizer optimizer = Mine{}; }
