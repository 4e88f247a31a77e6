// error: a layer needs: void backward
#include <algorithm>
#include <reprise/reprise.hpp>

struct Copy : reprise::LayerDefaults<float> {
  const char* name() const { return "Copy"; }
  void forward(Input x, Output y, const Call&) const { std::copy_n(x.data, x.size(), y.data); }
};

int main() {
  reprise::Sequential<float> network({.steps = 4, .features = 1});
  network.add("copy", Copy{});
}
