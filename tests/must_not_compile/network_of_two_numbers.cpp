// error: no matching (function|constructor) for .*Sequential
#include <reprise/layers/sequential.hpp>

int main() { reprise::Sequential<float> network({1, 24}); }
