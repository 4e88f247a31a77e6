// error: a layer needs the Scalar of the network that it is put into
#include <reprise/reprise.hpp>

int main() {
  reprise::Sequential<float> network({.steps = 4, .features = 1});
  network.add("dense", reprise::Dense<double>(1, {.units = 2}));
}
