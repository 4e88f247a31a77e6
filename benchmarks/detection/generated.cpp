// How well planted anomalies are ranked: average precision of `Detector` and of simple methods in every cell
// of the generator's kinds. See README.md.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <reprise/baselines/pca.hpp>
#include <reprise/detection/detector.hpp>
#include <reprise/evaluation/metrics.hpp>
#include <reprise/scores/in_blocks.hpp>
#include <string>
#include <vector>

#include "generator.hpp"

namespace {

using namespace generator;

constexpr std::array methods{"detector", "nearest T=48",       "nearest T=period",
                             "PCA T=48", "detector, networks", "detector of networks"};
using Results = std::array<double, methods.size()>;

std::vector<double> points(const std::vector<double>& windows, Index length) {
  return reprise::point_scores(
      reprise::WindowGrid({.windows = static_cast<Index>(windows.size()), .length = length}), windows,
      reprise::Aggregate::max);
}

/// `DetectorOptions::networks` of the last two, which are left out unless wanted: they take seconds.
constexpr double share = 0.3;

Results judge(const Settings& settings, bool with_networks) {
  const Generated series = generate(settings);
  const reprise::Labels labels(series.labels());
  reprise::StandardScaler scaler;
  const Matrix<double> training = scaler.fit(series.training()).transform(series.training());
  const Matrix<double> scored = scaler.transform(series.scored());
  const auto nearest = [&](Index length) {
    return reprise::average_precision(
        points(reprise::NearestInSeries(training, length).errors(scored).raw, length), labels);
  };
  const auto pca = [&](Index length) {
    reprise::PcaBaseline baseline;
    baseline.fit(reprise::sliding_windows(training, {.length = length}));
    const auto windows = reprise::sliding_windows(scored, {.length = length});
    return reprise::average_precision(points(reprise::window_scores_in_blocks(windows, baseline), length),
                                      labels);
  };
  const auto detector = [&](double networks) {
    if (networks > 0.0 && !with_networks) return 0.0;
    reprise::Detector detector({.networks = networks, .network = {.seed = settings.seed}, .threads = 2});
    detector.fit(series.training());
    return reprise::average_precision(detector.scores(series.scored()), labels);
  };
  const auto period = std::clamp<Index>(std::lround(series.period), 8, 288);
  const bool has_period = has_shape(settings.normal) || settings.normal == Normal::counts;
  return {detector(0.0), nearest(48),     nearest(has_period ? period : 48),
          pca(48),       detector(share), detector(1.0)};
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fputs("usage: reprise_detection_generated CASES TRAINING_ROWS [FEATURES [networks]]\n", stderr);
    return 2;
  }
  const int cases = std::atoi(arguments[1]);
  Settings settings;
  settings.training_rows = std::atol(arguments[2]);
  settings.features = count > 3 ? std::atol(arguments[3]) : 1;
  std::printf("| normal | anomaly |");
  for (const char* method : methods) std::printf(" %s |", method);
  std::puts("\n|---|---|---|---|---|---|---|---|");
  const bool with_networks = count > 4 && std::string(arguments[4]) == "networks";
  Results all{};
  int cells = 0, first = 0;
  for (const Normal normal : all_normal) {
    for (const Anomaly anomaly : all_anomalies) {
      if (!makes_sense(normal, anomaly, settings.features)) continue;
      settings.normal = normal;
      settings.anomaly = anomaly;
      Results mean{};
      for (int seed = 1; seed <= cases; ++seed) {
        settings.seed = static_cast<std::uint64_t>(seed);
        const Results one = judge(settings, with_networks);
        for (std::size_t m = 0; m < mean.size(); ++m) mean[m] += one[m] / cases;
      }
      ++cells;
      first += std::max_element(mean.begin(), mean.end()) == mean.begin();
      std::printf("| %s | %s |", name_of(normal).c_str(), name_of(anomaly).c_str());
      for (std::size_t m = 0; m < mean.size(); ++m) {
        all[m] += mean[m];
        std::printf(" %.3f |", mean[m]);
      }
      std::puts("");
      std::fflush(stdout);
    }
  }
  std::printf("| *mean of %d cells; the detector is first in %d* | |", cells, first);
  for (const double sum : all) std::printf(" %.3f |", sum / cells);
  std::puts("");
}
