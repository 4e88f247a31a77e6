// Both translation units include everything; the program links only if every function is inline or a
// template.
#include <reprise/baselines.hpp>
#include <reprise/detection/detector.hpp>
#include <reprise/detection/series_detector.hpp>
#include <reprise/reprise.hpp>
#include <reprise/scores/error_vectors.hpp>
#include <reprise/scores/mahalanobis.hpp>
#if __has_include(<nlohmann/json.hpp>)
#include <reprise/io/checkpoint.hpp>
#include <reprise/io/findings_json.hpp>
#include <reprise/io/outliers_json.hpp>
#include <reprise/io/pytorch.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/io/scalers_json.hpp>
#endif

const char* name_of_second();

int main() { return *name_of_second() == 's' ? 0 : 1; }
