#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../thresholds/f_beta.hpp"
#include "labels.hpp"
#include "metrics.hpp"
