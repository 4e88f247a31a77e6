// error: a layer needs the Scalar of the network that it is put into
#include <reprise/reprise.hpp>

int main() {
  reprise::Sequential<float> network({1, 4});
  network.add("dense", reprise::Dense<double>(1, {.units = 2}));
}
