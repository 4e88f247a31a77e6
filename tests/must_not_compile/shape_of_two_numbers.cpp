// error: (could not convert|no viable conversion from) .*int.*ByName
#include <reprise/core/sequences.hpp>

int main() { reprise::SequenceShape shape{1, 24}; }
