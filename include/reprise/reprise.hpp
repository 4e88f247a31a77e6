#pragma once

// What most programs need, and quick to compile. By name are included: baselines.hpp,
// outliers/mahalanobis.hpp and detection/series_detector.hpp, for the decompositions of matrices in them take
// longer to compile than all of the rest, and files and formats (io/), which need other libraries.
#include "core/padded.hpp"
#include "core/version.hpp"
#include "data/scalers.hpp"
#include "layers/lstm_stream.hpp"
#include "models/autoencoder.hpp"
#include "outliers/chi_square.hpp"
#include "outliers/compare_thresholds.hpp"
#include "outliers/errors.hpp"
#include "outliers/events.hpp"
#include "outliers/explain.hpp"
#include "outliers/f_beta.hpp"
#include "outliers/generalized_pareto.hpp"
#include "outliers/in_blocks.hpp"
#include "outliers/labels.hpp"
#include "outliers/metrics.hpp"
#include "outliers/outlier_scorer.hpp"
#include "outliers/p_values.hpp"
#include "outliers/point_scores.hpp"
#include "outliers/pot.hpp"
#include "outliers/scores.hpp"
#include "outliers/spot.hpp"
#include "outliers/telemanom.hpp"
#include "outliers/thresholds.hpp"
#include "training/array_source.hpp"
