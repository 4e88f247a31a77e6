#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../thresholds/outlier_scorer.hpp"
#include "p_values.hpp"
#include "thresholds.hpp"
