// error: (no matching function for call to .*resize|too many arguments)
#include <reprise/core/sequences.hpp>

int main() {
  reprise::Sequences<float> batch;
  batch.resize(1, 32, 24);
}
