// ECG5000: autoencoders trained on normal heart beats, their scores, and what every threshold makes of them.
// See README.md for what it writes.

#include "ecg5000.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>

namespace {

using namespace ecg5000;
using Seconds = std::chrono::duration<double>;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return Seconds(std::chrono::steady_clock::now() - start).count();
}

/// Of the beats to judge, what a threshold finds.
reprise::ConfusionTable judged(const Scores& scores, double threshold) {
  reprise::ConfusionTable table;
  for (const double s : scores.normal) ++(s > threshold ? table.false_positives : table.true_negatives);
  for (const double s : scores.abnormal) ++(s > threshold ? table.true_positives : table.false_negatives);
  return table;
}

/// The rules of the table and, where a rule promises a false-alarm rate itself, that rate.
struct Rule {
  reprise::Threshold rule;
  double promised = std::nan("");
};

std::vector<Rule> rules() {
  using namespace reprise::threshold;
  const auto log_normal = [](std::span<const double> scores) {
    std::vector<double> logs;
    for (const double s : scores) logs.push_back(std::log(s));
    return std::exp(standard_deviations(2.0).fit(logs));
  };
  return {{reprise::default_threshold(), 0.03},
          {quantile(0.95), 0.05},
          {quantile(0.97), 0.03},
          {quantile(0.99), 0.01},
          {contamination(0.02), 0.02},
          {conformal(0.05), 0.05},
          {conformal(0.01), 0.01},
          {conformal(0.002), 0.002},
          {pot(0.01), 0.01},
          {pot(0.03, 0.9), 0.03},
          {pot(1e-3), 1e-3},
          {pot(1e-4), 1e-4},
          {standard_deviations(2)},
          {standard_deviations(3)},
          {mad(3)},
          {mad(5)},
          {iqr(1.5)},
          {iqr(3)},
          {max_factor(1)},
          {factor(2, Statistic::mean)},
          {factor(3, Statistic::median)},
          {custom(log_normal, "custom: mean + 2 sd of logarithms")}};
}

/// Writes scores, a line for each method, and a line for each threshold.
class Results {
 public:
  explicit Results(const std::filesystem::path& output)
      : scores_(output / "scores" / "ecg5000"),
        methods_(open_file(output, "ecg5000.jsonl")),
        thresholds_(open_file(output, "ecg5000_thresholds.jsonl")) {}

  void method(const std::string& name, Index seed, const Scores& scores, double fit_seconds,
              double score_seconds) {
    const std::filesystem::path directory = scores_ / name;
    std::filesystem::create_directories(directory);
    const std::string start = std::to_string(seed);
    write(directory / (start + ".calibration.txt"), scores.calibration);
    write(directory / (start + ".normal.txt"), scores.normal);
    write(directory / (start + ".abnormal.txt"), scores.abnormal);
    const double auc = reprise::roc_auc(both(scores), labels(scores));
    methods_ << Json()("method", name)("seed", seed)("roc_auc", auc)("fit_seconds", fit_seconds)(
                    "score_seconds", score_seconds)
                    .line()
             << std::flush;
    std::cout << name << ", seed " << seed << ": ROC-AUC " << auc << std::endl;
  }

  void thresholds(Index seed, const Scores& scores) {
    std::vector<Rule> all = rules();
    std::vector<reprise::Threshold> only;
    for (const Rule& rule : all) only.push_back(rule.rule);
    // What no one has: the labels of the beats to judge.
    only.push_back(reprise::threshold::f_beta(1.0, both(scores), labels(scores)));
    all.push_back({only.back()});
    const auto table = reprise::compare_thresholds(scores.calibration, both(scores), only);
    for (std::size_t r = 0; r < all.size(); ++r) {
      const auto& row = table.rows[r];
      if (!row.threshold) {
        thresholds_ << Json()("seed", seed)("rule", row.rule)("refusal", row.refusal).line();
        continue;
      }
      const auto found = judged(scores, *row.threshold);
      threshold(seed, row.rule, *row.threshold, found, all[r].promised, row.false_alarms_per_1000 / 1000.0);
    }
    spot(seed, scores);
    thresholds_ << std::flush;
  }

 private:
  static void write(const std::filesystem::path& path, const std::vector<double>& scores) {
    std::ofstream file(path);
    file.precision(9);
    for (const double score : scores) file << score << '\n';
    if (!file) throw reprise::FileError("cannot write " + path.string());
  }
  void threshold(Index seed, const std::string& rule, double value, const reprise::ConfusionTable& found,
                 double promised, double expected) {
    const Index is_default = rule == reprise::default_threshold().description() ? 1 : 0;
    thresholds_ << Json()("seed", seed)("rule", rule)("default", is_default)("threshold", value)(
                       "recall", found.recall())("false_alarm_rate", found.false_alarm_rate())(
                       "promised", promised)("expected", expected)
                       .line();
  }
  /// The rule over a stream, which goes on learning: the normal beats first, then the others.
  void spot(Index seed, const Scores& scores) {
    constexpr double risk = 0.01;
    reprise::Spot rule(scores.calibration, {.risk = risk, .level = 0.95});
    reprise::ConfusionTable found;
    for (const double s : scores.normal)
      ++(rule.step(s).is_alarm() ? found.false_positives : found.true_negatives);
    for (const double s : scores.abnormal)
      ++(rule.step(s).is_alarm() ? found.true_positives : found.false_negatives);
    threshold(seed, "SPOT 0.01 above 0.95, a stream", rule.threshold(), found, risk, std::nan(""));
  }

  std::filesystem::path scores_;
  std::ofstream methods_, thresholds_;
};

template <typename Baseline, typename Score>
void run_baseline(const std::string& name, Baseline baseline, const Beats& beats, Results& results,
                  const Score& score) {
  const auto start = std::chrono::steady_clock::now();
  baseline.fit(beats.train);
  const double fit_seconds = seconds_since(start);
  const Scores scores = beats.scores([&](const Windows& windows) { return score(baseline, windows); });
  results.method(name, 1, scores, fit_seconds, seconds_since(start) - fit_seconds);
}

void run(const Options& options) {
  const Windows normal = read_beats(options.data / "normal_train.csv");
  const Index train = normal.size() - calibration_beats;
  const Beats beats{normal.subset(0, train), normal.subset(train, calibration_beats),
                    read_beats(options.data / "test_normal.csv"),
                    read_beats(options.data / "test_anomaly.csv")};
  Results results(options.output);
  const auto by_reconstruction = [](const auto& baseline, const Windows& windows) {
    return reprise::window_scores_in_blocks(windows, baseline);
  };
  run_baseline("mean window", reprise::MeanWindowBaseline(), beats, results, by_reconstruction);
  run_baseline("PCA, 2 components", reprise::PcaBaseline({.components = 2}), beats, results,
               by_reconstruction);
  run_baseline("5 nearest beats", reprise::NearestWindowBaseline({.neighbours = 5}), beats, results,
               [](const auto& baseline, const Windows& windows) { return baseline.scores(windows); });
  for (Index seed = 1; seed <= options.seeds; ++seed) {
    Networks networks;
    const auto start = std::chrono::steady_clock::now();
    networks.fit(beats.train, seed, options);
    const double fit_seconds = seconds_since(start);
    const Scores scores = beats.scores([&](const Windows& windows) { return networks.scores(windows); });
    results.method("reprise", seed, scores, fit_seconds, seconds_since(start) - fit_seconds);
    results.thresholds(seed, scores);
    for (std::size_t m = 0; m < std::size(Networks::code_sizes); ++m) {
      const std::string name = "one network, code of " + std::to_string(Networks::code_sizes[m]);
      const auto squared = [&](const Windows& windows) { return networks.mean_squared_errors(m, windows); };
      const auto distance = [&](const Windows& windows) { return networks.distances(m, windows); };
      results.method(name + ", mean squared error", seed, beats.scores(squared), std::nan(""), std::nan(""));
      results.method(name + ", Mahalanobis", seed, beats.scores(distance), std::nan(""), std::nan(""));
    }
    for (const char* const shrinkage : {"0.1", "0.3", "0.5", "0.7", "0.8", "0.9", "0.95", "1"}) {
      networks.fit_distances(std::atof(shrinkage));
      const Scores others = beats.scores([&](const Windows& windows) { return networks.scores(windows); });
      results.method(std::string("three networks, shrinkage ") + shrinkage, seed, others, std::nan(""),
                     std::nan(""));
    }
  }
}

}  // namespace

int main(int count, char** arguments) try {
  run(parse(count, arguments));
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
