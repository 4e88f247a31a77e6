#include <reprise/reprise.hpp>

long parameters_of(reprise::Autoencoder<float>& model);

long parameters_of(reprise::Autoencoder<float>& model) {
  return static_cast<long>(model.parameters().size());
}
