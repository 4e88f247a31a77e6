// error: an own schedule must be callable as double
#include <reprise/optimizers/optimizers.hpp>

struct Mine {
  static constexpr const char* kind = "Mine";
  double operator()(const std::string& time) const { return static_cast<double>(time.size()); }
};

int main() { reprise::LearningRate rate = Mine{}; }
