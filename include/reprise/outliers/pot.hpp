#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../thresholds/pot.hpp"
#include "../thresholds/pot_tail.hpp"
#include "generalized_pareto.hpp"
