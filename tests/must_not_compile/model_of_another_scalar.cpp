// error: no matching (function for call to|constructor for initialization of) .*Autoencoder
#include <reprise/reprise.hpp>

int main() { reprise::Autoencoder<float> model(reprise::Autoencoder<double>({.steps = 1})); }
