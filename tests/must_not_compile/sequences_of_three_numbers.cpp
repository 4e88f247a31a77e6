// error: no matching (function|constructor) for .*Sequences
// Sizes have names, so that three numbers are not taken in another order than they were meant.
#include <reprise/core/sequences.hpp>

int main() { reprise::Sequences<float> batch(1, 32, 24); }
