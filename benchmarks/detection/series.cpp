// Point scores of whole series: the library's detector, each fixed window length, and the baselines. See
// README.md for what it reads and writes.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <reprise/baselines.hpp>
#include <reprise/detection/detector.hpp>
#include <reprise/detection/series_detector.hpp>
#include <reprise/reprise.hpp>
#include <reprise/scores/error_vectors.hpp>
#include <reprise/scores/mahalanobis.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using reprise::Index;
using Seconds = std::chrono::duration<double>;
using Series = std::vector<double>;

struct Options {
  std::filesystem::path input, output;
  Index seeds = 3;
  int threads = 2;
  /// Name of one series; empty: all.
  std::string only;
  /// Methods by name, with commas between them; empty: all.
  std::string methods;
};

/// Beside the lengths that the detector chooses.
constexpr Index fixed_lengths[] = {24, 48, 96, 144, 192, 288};

struct Input {
  std::string name;
  Index train_rows = 0;
  Series values;
};

/// The values of lines `value,label` after a header. The labels are not for this program.
Series read_values(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  Series values;
  while (std::getline(file, line)) values.push_back(std::stod(line));
  if (values.empty()) throw reprise::FileError("no values in " + path.string());
  return values;
}

/// What follows "key": in a JSON object without nested ones, up to the next comma or end; empty: not there.
std::string json_value(const std::string& object, const std::string& key) {
  const auto at = object.find('"' + key + '"');
  if (at == std::string::npos) return {};
  auto first = object.find(':', at) + 1;
  while (object[first] == ' ' || object[first] == '"') ++first;
  return object.substr(first, object.find_first_of("\",}\n", first) - first);
}

std::vector<Input> read_inputs(const Options& options) {
  std::ifstream file(options.input / "series.json");
  if (!file) throw reprise::FileError("cannot read " + (options.input / "series.json").string());
  std::vector<Input> inputs;
  std::string object;
  while (std::getline(file, object, '}')) {
    Input input{json_value(object, "name"), std::atol(json_value(object, "train_rows").c_str()), {}};
    if (input.name.empty() || (!options.only.empty() && input.name != options.only)) continue;
    input.values = read_values(options.input / (input.name + ".csv"));
    const auto rows = static_cast<Index>(input.values.size());
    if (input.train_rows < 1 || input.train_rows > rows) {
      throw reprise::FileError(input.name + ": expected 1 to " + std::to_string(rows) + " train_rows, got " +
                               std::to_string(input.train_rows));
    }
    inputs.push_back(std::move(input));
  }
  if (inputs.empty()) throw reprise::FileError("no series to score in " + options.input.string());
  return inputs;
}

/// How long something takes since it was made, or last asked.
class Clock {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return Seconds(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// What a method made of a series.
struct Result {
  Series scores;
  double fit_seconds = 0.0;
  double score_seconds = 0.0;
  std::string choice{};
};

void write(const Options& options, const Input& input, const std::string& method, Index seed,
           const Result& result) {
  const auto directory = options.output / "scores" / input.name / method;
  std::filesystem::create_directories(directory);
  const auto path = directory / (std::to_string(seed) + ".txt");
  std::ofstream file(path);
  file.precision(9);
  for (const double score : result.scores) {
    if (!std::isfinite(score))
      throw reprise::Error(input.name + ", " + method + ": a score that is no number");
    file << score << '\n';
  }
  std::ofstream lines(options.output / "series.jsonl", std::ios::app);
  lines << R"({"series": ")" << input.name << R"(", "method": ")" << method << R"(", "seed": )" << seed
        << ", \"rows\": " << input.values.size() << ", \"train_rows\": " << input.train_rows
        << ", \"fit_seconds\": " << result.fit_seconds << ", \"score_seconds\": " << result.score_seconds
        << R"(, "choice": ")" << result.choice << "\"}\n";
  if (!file || !lines) throw reprise::FileError("cannot write " + path.string());
  std::cout << input.name << ", " << method << ", seed " << seed << ": " << result.fit_seconds << " + "
            << result.score_seconds << " s " << result.choice << std::endl;
}

Series training_part(const Input& input) {
  return {input.values.begin(), input.values.begin() + input.train_rows};
}

template <typename Detector>
Result fit_and_score(Detector& detector, const Input& input) {
  Result result;
  Clock clock;
  detector.fit(training_part(input));
  result.fit_seconds = clock.lap();
  result.scores = detector.scores(input.values);
  result.score_seconds = clock.lap();
  return result;
}

Result detect(const Input& input, reprise::SeriesDetectorOptions options) {
  reprise::SeriesDetector<float> detector(std::move(options));
  Result result = fit_and_score(detector, input);
  std::ostringstream choice;
  choice << detector.choice() << "; patches of ";
  const char* separator = "";
  for (const Index length : detector.choice().lengths) {
    choice << std::exchange(separator, ", ") << detector.patch(length);
  }
  result.choice = choice.str();
  return result;
}

/// With verdicts; where there are any, says what of the part to score is above the threshold.
Result detect_with_verdicts(const Input& input, reprise::DetectorOptions options) {
  reprise::Detector detector(std::move(options));
  Result result = fit_and_score(detector, input);
  const reprise::DetectorReport& report = detector.report();
  std::ostringstream choice;
  choice << "T up to " << report.lengths.back() << "; " << to_string(report.threshold.status);
  if (detector.has_verdicts()) {
    const auto rows = static_cast<Index>(input.values.size()) - input.train_rows;
    Index above = 0, episodes = 0;
    for (auto t = static_cast<std::size_t>(input.train_rows); t < result.scores.size(); ++t)
      above += result.scores[t] > 1.0;
    for (const reprise::Episode& episode : detector.detect(input.values).episodes)
      episodes += episode.end > input.train_rows;
    choice << " " << reprise::detail::number_text(report.threshold.rate, 3) << " in 1000 points; above "
           << reprise::detail::number_text(static_cast<double>(above) / static_cast<double>(rows), 2)
           << " of the points in " << episodes << " episodes";
  }
  result.choice = choice.str();
  return result;
}

/// `score`: the window scores of a fitted baseline.
template <typename Baseline, typename Score>
Result baseline(const Input& input, Index length, Baseline fitted, const Score& score) {
  const Series training = training_part(input);
  const auto scaler = reprise::StandardScaler().fit(training);
  Result result;
  Clock clock;
  fitted.fit(reprise::sliding_windows(scaler.transform(training), {.length = length}));
  result.fit_seconds = clock.lap();
  const auto windows = reprise::sliding_windows(scaler.transform(input.values), {.length = length});
  result.scores = reprise::point_scores(windows, score(fitted, windows), reprise::Aggregate::max);
  result.score_seconds = clock.lap();
  return result;
}

/// Distance from the training mean in standard deviations, the largest of the last 48 points.
Result absolute_z(const Input& input) {
  constexpr std::size_t recent = 48;
  Result result;
  Clock clock;
  result.scores = reprise::StandardScaler().fit(training_part(input)).transform(input.values);
  for (double& z : result.scores) z = std::abs(z);
  for (std::size_t t = result.scores.size(); t-- > 0;) {
    for (std::size_t before = 1; before < std::min(recent, t + 1); ++before) {
      result.scores[t] = std::max(result.scores[t], result.scores[t - before]);
    }
  }
  result.score_seconds = clock.lap();
  return result;
}

Result noise(const Input& input, Index seed) {
  reprise::RandomStream random(static_cast<std::uint64_t>(seed), reprise::Purpose::other);
  Result result;
  for (std::size_t t = 0; t < input.values.size(); ++t) result.scores.push_back(random.uniform());
  return result;
}

bool is_wanted(const Options& options, const std::string& method) {
  return options.methods.empty() ||
         (',' + options.methods + ',').find(',' + method + ',') != std::string::npos;
}

/// Whether the detector can hold windows of this length out of the training part.
bool fits(const Input& input, Index length) { return 10 * length <= 3 * input.train_rows; }

void run(const Options& options, const Input& input) {
  // `method` makes a result only where that is wanted.
  const auto save = [&](const std::string& name, Index seed, const auto& method) {
    if (is_wanted(options, name)) write(options, input, name, seed, method());
  };
  for (Index seed = 1; seed <= options.seeds; ++seed) {
    const reprise::SeriesDetectorOptions defaults{.seed = static_cast<std::uint64_t>(seed),
                                                  .threads = options.threads};
    save("reprise", seed, [&] { return detect(input, defaults); });
    auto network = defaults;
    network.baseline_weight = 0.0;
    save("network", seed, [&] { return detect(input, network); });
    for (const Index length : fixed_lengths) {
      if (!fits(input, length)) continue;
      network.lengths = {length};
      save("network T=" + std::to_string(length), seed, [&] { return detect(input, network); });
    }
    save("random", seed, [&] { return noise(input, seed); });
    reprise::DetectorOptions with_networks{.threads = options.threads};
    with_networks.network.seed = static_cast<std::uint64_t>(seed);
    for (const double share : {0.3, 1.0}) {
      with_networks.networks = share;
      save(share < 1.0 ? "detector with networks" : "detector of networks", seed,
           [&] { return detect_with_verdicts(input, with_networks); });
    }
  }
  save("detector", 1, [&] { return detect_with_verdicts(input, {.threads = options.threads}); });
  save("absolute z", 1, [&] { return absolute_z(input); });
  for (const Index length : fixed_lengths) {
    if (!fits(input, length)) continue;
    const std::string at = " T=" + std::to_string(length);
    save("pca" + at, 1, [&] {
      return baseline(input, length, reprise::PcaBaseline(), [](const auto& pca, const auto& windows) {
        return reprise::window_scores_in_blocks(windows, pca);
      });
    });
    save("nearest" + at, 1, [&] {
      return baseline(input, length, reprise::NearestWindowBaseline(),
                      [](const auto& nearest, const auto& windows) { return nearest.scores(windows); });
    });
  }
}

Options parse(int count, char** arguments) {
  Options options;
  const auto usage = [] {
    std::fputs(
        "usage: reprise_detection_series --input DIR --output DIR [--seeds 3] [--only SERIES] "
        "[--methods A,B] [--threads 2]\n",
        stderr);
    std::exit(2);
  };
  for (int i = 1; i < count; i += 2) {
    const std::string name = arguments[i];
    if (i + 1 == count) usage();
    const std::string value = arguments[i + 1];
    if (name == "--input") {
      options.input = value;
    } else if (name == "--output") {
      options.output = value;
    } else if (name == "--seeds") {
      options.seeds = std::atol(value.c_str());
    } else if (name == "--only") {
      options.only = value;
    } else if (name == "--methods") {
      options.methods = value;
    } else if (name == "--threads") {
      options.threads = std::atoi(value.c_str());
    } else {
      usage();
    }
  }
  if (options.input.empty() || options.output.empty() || options.seeds < 1 || options.threads < 1) usage();
  return options;
}

}  // namespace

int main(int count, char** arguments) try {
  const Options options = parse(count, arguments);
  for (const Input& input : read_inputs(options)) run(options, input);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
