#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../thresholds/compare_thresholds.hpp"
#include "p_values.hpp"
#include "thresholds.hpp"
