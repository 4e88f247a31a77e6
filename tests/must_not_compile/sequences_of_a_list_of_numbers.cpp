// error: no matching (function|constructor) for .*Sequences
#include <reprise/core/sequences.hpp>

int main() { reprise::Sequences<float> batch({1, 32, 24}); }
