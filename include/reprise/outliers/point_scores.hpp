#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../scores/point_scores.hpp"
#include "../scores/window_grid.hpp"
#include "aggregate.hpp"
