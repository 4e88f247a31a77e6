// error: .*a source has .SequenceShape target_shape\(\) const.
#include <reprise/reprise.hpp>

struct Numbers {
  reprise::Index size() const { return 10; }
  reprise::SequenceShape input_shape() const { return {.steps = 4, .features = 1}; }
  template <typename Scalar>
  void gather(std::span<const reprise::Index>, reprise::SequenceView<Scalar>,
              reprise::SequenceView<Scalar>) const {}
};

int main() { reprise::Autoencoder<float>({.steps = 4}).fit(Numbers{}); }
