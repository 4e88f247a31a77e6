// ECG5000: one autoencoder trained on normal heart beats, its scores, and what every threshold makes of them.
// See README.md for what it writes.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <reprise/reprise.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace {

using reprise::Index;
using reprise::Windows;
using Seconds = std::chrono::duration<double>;

struct Options {
  std::filesystem::path data;
  std::filesystem::path output;
  Index seeds = 5;
  int threads = 2;
  /// Few updates, to see that all works.
  bool quick = false;
};

constexpr Index beat_length = 140;
/// Normal beats that the networks never see: for thresholds.
constexpr Index calibration_beats = 700;

/// Beats of one file, a line each.
Windows read_beats(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw reprise::FileError("cannot read " + path.string());
  std::vector<float> values;
  std::string line, cell;
  while (std::getline(file, line)) {
    std::stringstream cells(line);
    Index count = 0;
    for (; std::getline(cells, cell, ','); ++count) values.push_back(std::stof(cell));
    if (count != beat_length) {
      throw reprise::FileError(path.string() + ": expected lines of " + std::to_string(beat_length) +
                               " values, got " + std::to_string(count));
    }
  }
  return reprise::sliding_windows(std::move(values), {.length = beat_length, .stride = beat_length});
}

/// How strange each beat is in a method's eyes.
struct Scores {
  std::vector<double> calibration, normal, abnormal;
};

/// All beats, and which of them are for what.
struct Beats {
  explicit Beats(const std::filesystem::path& data) : Beats(read_beats(data / "normal_train.csv"), data) {}
  Beats(const Windows& normal_beats, const std::filesystem::path& data)
      : train(normal_beats.subset(0, normal_beats.size() - calibration_beats)),
        calibration(normal_beats.subset(normal_beats.size() - calibration_beats, calibration_beats)),
        normal(read_beats(data / "test_normal.csv")),
        abnormal(read_beats(data / "test_anomaly.csv")) {}

  template <typename Score>
  Scores scores(const Score& score) const {
    return {score(calibration), score(normal), score(abnormal)};
  }

  Windows train, calibration, normal, abnormal;
};

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

std::vector<double> both(const Scores& scores) {
  std::vector<double> all = scores.normal;
  all.insert(all.end(), scores.abnormal.begin(), scores.abnormal.end());
  return all;
}
reprise::Labels labels(const Scores& scores) {
  std::vector<int> result(scores.normal.size(), 0);
  result.resize(scores.normal.size() + scores.abnormal.size(), 1);
  return result;
}

/// Three networks that differ in the size of the code, so that none has to be chosen, each with the
/// Mahalanobis distance of a beat's 140 errors from those of the training beats: neighbouring errors go
/// together, and one that is usual where the heart contracts is strange where it rests.
class Networks {
 public:
  static constexpr Index code_sizes[] = {4, 8, 16};
  static constexpr Index patch = 5;
  /// Far towards the plain squared error: 1,635 beats are few for 140 x 140 covariances.
  static constexpr double usual_shrinkage = 0.9;

  void fit(const Windows& beats, Index seed, const Options& options) {
    const Windows train = patched(beats);
    constexpr Index batch = 32;
    const Index epochs = options.quick ? 2 : 60;
    const Index updates = epochs * ((train.size() + batch - 1) / batch);
    for (const Index code : code_sizes) {
      reprise::Autoencoder<float> network({.steps = train.shape().steps,
                                           .features = train.shape().features,
                                           .encoder = {{.units = 32}, {.units = code}},
                                           .decoder = {{.units = code}, {.units = 32}},
                                           .decoder_state = reprise::DecoderState::encoder,
                                           .reverse_decoder = true,
                                           .seed = static_cast<std::uint64_t>(seed)});
      const reprise::CosineDecay rate{.initial_learning_rate = 3e-3, .decay_steps = updates};
      network.fit(train,
                  {.epochs = epochs,
                   .batch_size = batch,
                   .optimizer = reprise::Adam{.learning_rate = rate, .clip = reprise::GlobalClipNorm{1.0}},
                   .seed = static_cast<std::uint64_t>(seed),
                   .threads = options.threads});
      training_errors_.push_back(errors(network, beats));
      networks_.push_back(std::move(network));
    }
    fit_distances(usual_shrinkage);
  }
  /// Without training anew.
  void fit_distances(double shrinkage) {
    distances_.clear();
    for (const auto& of_network : training_errors_) {
      distances_.emplace_back(reprise::MahalanobisOptions{.shrinkage = shrinkage});
      distances_.back().fit(of_network);
    }
  }

  /// The mean of the networks' distances.
  std::vector<double> scores(const Windows& beats) const {
    std::vector<double> mean(static_cast<std::size_t>(beats.size()));
    for (std::size_t n = 0; n < networks_.size(); ++n) {
      const std::vector<double> one = distances(n, beats);
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += one[i] / static_cast<double>(networks_.size());
    }
    return mean;
  }
  /// Of one network alone.
  std::vector<double> distances(std::size_t network, const Windows& beats) const {
    return distances_[network].scores(errors(networks_[network], beats));
  }
  std::vector<double> mean_squared_errors(std::size_t network, const Windows& beats) const {
    const Windows windows = patched(beats);
    return reprise::mean_squared_errors(windows, networks_[network].reconstruct(windows));
  }

 private:
  /// The same beats, with several samples in each step of the network.
  static Windows patched(const Windows& beats) {
    std::vector<float> values;
    for (Index b = 0; b < beats.size(); ++b) {
      for (Index t = 0; t < beat_length; ++t) values.push_back(static_cast<float>(beats(b, t, 0)));
    }
    return reprise::sliding_windows(std::move(values),
                                    {.length = beat_length, .stride = beat_length, .patch = patch});
  }
  /// beats x 140, signed.
  static reprise::Matrix<double> errors(const reprise::Autoencoder<float>& network, const Windows& beats) {
    const Windows windows = patched(beats);
    const auto vectors =
        reprise::error_vectors(windows, network.reconstruct(windows), reprise::ErrorSign::signed_);
    return vectors.reshaped(beat_length, beats.size()).transpose();
  }

  std::vector<reprise::Autoencoder<float>> networks_;
  std::vector<reprise::Matrix<double>> training_errors_;
  std::vector<reprise::Mahalanobis> distances_;
};

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

/// A line of JSON; a number that is none becomes null.
class Json {
 public:
  Json& operator()(const char* key, const std::string& value) { return add(key, '"' + value + '"'); }
  Json& operator()(const char* key, double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    return add(key, std::isfinite(value) ? text : "null");
  }
  Json& operator()(const char* key, Index value) { return add(key, std::to_string(value)); }
  std::string line() const { return '{' + text_ + "}\n"; }

 private:
  Json& add(const char* key, const std::string& value) {
    text_ += (text_.empty() ? "\"" : ", \"") + std::string(key) + "\": " + value;
    return *this;
  }
  std::string text_;
};

/// Writes scores, a line for each method, and a line for each threshold.
class Results {
 public:
  explicit Results(const std::filesystem::path& output)
      : scores_(output / "scores" / "ecg5000"),
        methods_(open(output, "ecg5000.jsonl")),
        thresholds_(open(output, "ecg5000_thresholds.jsonl")) {}

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
  static std::ofstream open(const std::filesystem::path& output, const char* name) {
    std::filesystem::create_directories(output);
    std::ofstream file(output / name);
    if (!file) throw reprise::FileError("cannot write " + (output / name).string());
    return file;
  }
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
  const Beats beats(options.data);
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
    for (const char* const shrinkage : {"0.1", "0.5", "0.7", "0.8", "0.95", "1"}) {
      networks.fit_distances(std::atof(shrinkage));
      const Scores others = beats.scores([&](const Windows& windows) { return networks.scores(windows); });
      results.method(std::string("three networks, shrinkage ") + shrinkage, seed, others, std::nan(""),
                     std::nan(""));
    }
  }
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    const auto value = [&]() -> std::string {
      if (i + 1 < count) return arguments[++i];
      throw reprise::Error(name + ": expected a value, got none");
    };
    if (name == "--data")
      options.data = value();
    else if (name == "--output")
      options.output = value();
    else if (name == "--seeds")
      options.seeds = std::stol(value());
    else if (name == "--threads")
      options.threads = std::stoi(value());
    else if (name == "--quick")
      options.quick = true;
    else
      throw reprise::Error("expected --data DIR --output DIR --seeds N --threads N --quick, got " + name);
  }
  if (options.data.empty() || options.output.empty()) {
    throw reprise::Error("expected --data DIR and --output DIR, got one or none");
  }
  return options;
}

}  // namespace

int main(int count, char** arguments) try {
  run(parse(count, arguments));
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
