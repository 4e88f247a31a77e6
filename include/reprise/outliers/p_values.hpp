#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../streams/martingale.hpp"
#include "../thresholds/conformal.hpp"
#include "../thresholds/p_values.hpp"
#include "pot.hpp"
