// error: (use of|call to) deleted
#include <reprise/reprise.hpp>

reprise::Sequences<float> reconstruction();

int main() {
  const auto view = reconstruction().view();
  return static_cast<int>(view.batch);
}
