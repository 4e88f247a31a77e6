// error: a layer needs: const char\* name
#include <reprise/reprise.hpp>

struct Nothing {
  using Scalar = float;
};

int main() {
  reprise::Sequential<float> network({1, 4});
  network.add("nothing", Nothing{});
}
