#include <reprise/reprise.hpp>

long parameters_of(reprise::Autoencoder<float>& model);  // in other.cpp

int main() {
  reprise::Autoencoder<float> model(
      {.steps = 4, .features = 1, .encoder = {{.units = 3}}, .decoder = {{.units = 3}}});
  return parameters_of(model) > 0 ? 0 : 1;
}
