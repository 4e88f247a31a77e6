// error: a layer needs: const char\* name
#include <reprise/reprise.hpp>

struct Nothing {
  using Scalar = float;
};

int main() {
  reprise::Sequential<float> network({.steps = 4, .features = 1});
  network.add("nothing", Nothing{});
}
