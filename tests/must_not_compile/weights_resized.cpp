// error: (passing .const|no matching member function|not viable|discards qualifiers)
#include <reprise/reprise.hpp>

int main() {
  reprise::Autoencoder<float> model({.steps = 4, .encoder = {{.units = 2}}, .decoder = {{.units = 2}}});
  model.weights().resize(3);
}
