// error: no matching function for call to .sliding_windows
#include <reprise/reprise.hpp>
#include <string>

int main() { reprise::sliding_windows(std::vector<std::string>{"a", "b"}, {.length = 1}); }
