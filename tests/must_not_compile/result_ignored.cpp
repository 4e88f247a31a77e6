// flags: -Werror=unused-result
// error: ignoring return value
#include <reprise/reprise.hpp>

void use(const reprise::Autoencoder<float>& model, const reprise::Windows& windows) {
  model.reconstruct(windows);
}
