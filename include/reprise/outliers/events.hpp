#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../thresholds/events.hpp"
#include "outlier_scorer.hpp"
