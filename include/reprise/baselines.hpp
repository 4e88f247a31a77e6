#pragma once

// Reconstructions and scores that need no network, and a report that holds a model against them.
#include "baselines/baseline_report.hpp"
#include "baselines/nearest_window.hpp"
#include "baselines/pca.hpp"
#include "baselines/simple.hpp"
#include "baselines/symbols.hpp"
#include "evaluation/event_table.hpp"
#include "scores/errors.hpp"
