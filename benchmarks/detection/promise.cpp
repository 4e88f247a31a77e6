// False alarms of `Detector` on fresh normal series, against what it says: many fits on series of the
// generator's stationary kinds, each scored on 100 blocks that come after its training series. See README.md.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <reprise/detection/detector.hpp>
#include <string>
#include <vector>

#include "generator.hpp"

namespace {

using namespace generator;
using reprise::CalibrationStatus;
using reprise::Detector;

/// What came of one fit.
struct Seen {
  bool is_promised = false;
  double named = 0.0;
  double blocks = 0.0;    // flagged, as a rate of episodes
  double episodes = 0.0;  // in 1,000 points
  double time = 0.0;      // share of points above the threshold
};

/// Ten periods fit into the training series: of a series that it holds in part nobody can promise anything.
double period_for(reprise::Index rows, std::uint64_t seed) {
  reprise::RandomStream random(seed, reprise::Purpose::other, 9);
  return 7.0 * std::pow(static_cast<double>(rows) / 70.0, random.uniform());
}

/// What is asked of each fit.
struct Asked {
  Index rows = 0;
  double rate = 0.0;
  Index features = 1;
  /// `DetectorOptions::networks`.
  double networks = 0.0;
};

Seen fit_once(Normal kind, const Asked& asked, std::uint64_t seed) {
  constexpr Index fresh_blocks = 100, longest = 288;
  Settings settings{.normal = kind, .seed = seed, .features = asked.features};
  settings.training_rows = asked.rows;
  settings.scored_rows = fresh_blocks * longest;
  settings.period = period_for(asked.rows, seed);
  const Generated series = generate(settings);
  Seen seen;
  seen.named = asked.rate;
  Detector detector(
      {.networks = asked.networks, .network = {.seed = seed}, .false_alarms = asked.rate, .threads = 2});
  try {
    detector.fit(series.training());
  } catch (const reprise::Error&) {
    return seen;
  }
  seen.is_promised = detector.report().threshold.status == CalibrationStatus::promised;
  const reprise::Findings findings = detector.detect(series.scored());
  const Index block = detector.report().block, count = settings.scored_rows / block;
  const auto& scores = findings.scores;
  for (Index b = 0; b < count; ++b) {
    const auto first = scores.begin() + b * block;
    if (*std::max_element(first, first + block) > 1.0)
      seen.blocks += 1000.0 / static_cast<double>(count * block);
  }
  for (const double score : scores) seen.time += score > 1.0;
  seen.time /= static_cast<double>(scores.size());
  seen.episodes = 1000.0 * static_cast<double>(findings.episodes.size()) / static_cast<double>(scores.size());
  return seen;
}

void cell(Normal kind, const Asked& asked, int fits) {
  std::vector<double> blocks;
  double episodes = 0.0, time = 0.0;
  for (int seed = 1; seed <= fits; ++seed) {
    const Seen seen = fit_once(kind, asked, static_cast<std::uint64_t>(seed));
    if (!seen.is_promised) continue;
    blocks.push_back(seen.blocks);
    episodes += seen.episodes;
    time += seen.time;
  }
  const auto count = static_cast<double>(blocks.size());
  double mean = 0.0, squares = 0.0;
  for (const double value : blocks) mean += value / count;
  for (const double value : blocks) squares += (value - mean) * (value - mean);
  const double error = count > 1 ? std::sqrt(squares / (count - 1) / count) : 0.0;
  std::printf("| %s | %ld | %g | %.0f of %d | %.3f +- %.3f | %.2f | %.3f | %.3f |\n", name_of(kind).c_str(),
              static_cast<long>(asked.rows), asked.rate, count, fits, mean, error, mean / asked.rate,
              episodes / count, time / count);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::fputs("usage: reprise_detection_promise FITS ROWS RATE [FEATURES [NETWORKS]]\n", stderr);
    return 2;
  }
  const int fits = std::atoi(arguments[1]);
  Asked asked{.rows = std::atol(arguments[2]), .rate = std::atof(arguments[3])};
  if (count > 4) asked.features = std::atol(arguments[4]);
  if (count > 5) asked.networks = std::atof(arguments[5]);
  std::puts(
      "| kind | rows | named | promised | seen in blocks | of named | episodes in 1,000 | share of time |\n"
      "|---|---|---|---|---|---|---|---|");
  for (const Normal kind : all_normal) {
    if (is_stationary(kind)) cell(kind, asked, fits);
  }
}
