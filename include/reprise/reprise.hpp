#pragma once

// Everything that needs Eigen only. Files and formats (io/) are included by name, for they need more.
#include "core/version.hpp"
#include "data/scalers.hpp"
#include "models/autoencoder.hpp"
#include "outliers/errors.hpp"
#include "outliers/events.hpp"
#include "outliers/outlier_scorer.hpp"
#include "outliers/point_scores.hpp"
#include "outliers/thresholds.hpp"
