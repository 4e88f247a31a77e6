#pragma once

// What most programs need, and quick to compile. By name are included: baselines.hpp,
// scores/mahalanobis.hpp and detection/series_detector.hpp, for the decompositions of matrices in them take
// longer to compile than all of the rest, and files and formats (io/), which need other libraries.
#include "core/needs_exceptions.hpp"
#include "core/version.hpp"
#include "data/scalers.hpp"
#include "evaluation/event_table.hpp"
#include "evaluation/metrics.hpp"
#include "layers/bidirectional.hpp"
#include "layers/dropout.hpp"
#include "layers/gru.hpp"
#include "layers/lstm_stream.hpp"
#include "models/autoencoder.hpp"
#include "models/forecaster.hpp"
#include "scores/chi_square.hpp"
#include "scores/error_vectors.hpp"
#include "scores/errors.hpp"
#include "scores/explain.hpp"
#include "scores/in_blocks.hpp"
#include "streams/dspot.hpp"
#include "streams/martingale.hpp"
#include "streams/telemanom.hpp"
#include "thresholds/compare_thresholds.hpp"
#include "thresholds/events.hpp"
#include "thresholds/fit_generalized_pareto.hpp"
