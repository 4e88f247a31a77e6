#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../scores/errors.hpp"
#include "../scores/window_array.hpp"
