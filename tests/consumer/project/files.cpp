#include <reprise/io/safetensors.hpp>
#include <reprise/reprise.hpp>

int main() {
  reprise::Autoencoder<float> model(
      {.steps = 4, .features = 1, .encoder = {{.units = 3}}, .decoder = {{.units = 3}}});
  reprise::save(model, "consumer.safetensors");
}
