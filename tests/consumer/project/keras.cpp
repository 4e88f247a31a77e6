// Asks for a model of Keras's that is not there.
#include <iostream>
#include <reprise/io/keras.hpp>

int main() {
  try {
    static_cast<void>(reprise::load_keras<reprise::Autoencoder<float>>("nothing.keras"));
  } catch (const reprise::FileError& error) {
    std::cout << error.what() << '\n';
    return 0;
  }
  return 1;
}
