#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../evaluation/event_table.hpp"
#include "../evaluation/metrics.hpp"
#include "labels.hpp"
