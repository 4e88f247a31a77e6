#pragma once

// The place of these names until 0.1; programs that include it go on compiling.
#include "../scores/error_vectors.hpp"
#include "../scores/mahalanobis.hpp"
#include "chi_square.hpp"
#include "errors.hpp"
#include "point_scores.hpp"
