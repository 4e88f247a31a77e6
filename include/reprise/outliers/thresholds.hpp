#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../thresholds/thresholds.hpp"
#include "f_beta.hpp"
#include "p_values.hpp"
#include "pot.hpp"
