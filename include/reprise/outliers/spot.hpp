#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../streams/dspot.hpp"
#include "../streams/spot.hpp"
#include "generalized_pareto.hpp"
#include "pot.hpp"
