// error: an own activation needs S value.S x. const and S derivative.S y. const
#include <reprise/layers/activations.hpp>

struct Mine {
  static constexpr const char* kind = "mine";
  template <typename Scalar>
  Scalar value(Scalar x) const {
    return x;
  }
};

int main() { reprise::Activation activation = Mine{}; }
