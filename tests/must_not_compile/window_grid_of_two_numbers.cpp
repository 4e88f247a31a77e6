// error: no matching (function|constructor) for .*WindowGrid
#include <reprise/scores/window_grid.hpp>

int main() { reprise::WindowGrid grid(30, 4); }
