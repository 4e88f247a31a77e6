// error: .*a source has .gather\(std::span<const Index>, SequenceView<double>
#include <reprise/reprise.hpp>

struct Numbers {
  reprise::Index size() const { return 10; }
  reprise::SequenceShape input_shape() const { return {.steps = 4, .features = 1}; }
  reprise::SequenceShape target_shape() const { return {.steps = 4, .features = 1}; }
  void gather(std::span<const reprise::Index>, reprise::SequenceView<float>,
              reprise::SequenceView<float>) const {}
};

int main() { reprise::Autoencoder<float>({.steps = 4}).fit(Numbers{}); }
