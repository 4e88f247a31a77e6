// error: no matching (function|constructor) for .*SequenceView
#include <reprise/core/sequences.hpp>

int main() {
  float values[6] = {};
  reprise::SequenceView<float> view(values, 1, 3, 2);
}
