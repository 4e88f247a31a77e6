#pragma once

// ECG5000: its beats, and the networks that judge them.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <reprise/baselines.hpp>
#include <reprise/detection/series_detector.hpp>
#include <reprise/reprise.hpp>
#include <reprise/scores/error_vectors.hpp>
#include <reprise/scores/mahalanobis.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace ecg5000 {

using reprise::Index;
using reprise::Windows;

struct Options {
  std::filesystem::path data;
  std::filesystem::path output;
  Index seeds = 5;
  int threads = 2;
  /// Few updates, to see that all works.
  bool quick = false;
};

inline Options parse(int count, char** arguments) {
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

constexpr Index beat_length = 140;
/// Normal beats that the networks never see: for thresholds.
constexpr Index calibration_beats = 700;

/// Beats of one file, a line each.
inline Windows read_beats(const std::filesystem::path& path) {
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
  template <typename Score>
  Scores scores(const Score& score) const {
    return {score(calibration), score(normal), score(abnormal)};
  }

  Windows train, calibration, normal, abnormal;
};

inline std::vector<double> both(const Scores& scores) {
  std::vector<double> all = scores.normal;
  all.insert(all.end(), scores.abnormal.begin(), scores.abnormal.end());
  return all;
}
inline reprise::Labels labels(const Scores& scores) {
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
  /// What found left-out clusters of normal beats best among beats held out for thresholds
  /// (ecg5000_study.cpp) when it was chosen, by a hair before 1, which has led since: near the plain squared
  /// error, since 1,635 beats are few for a 140 x 140 covariance.
  static constexpr double usual_shrinkage = 0.95;

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

/// Throws where it cannot be written.
inline std::ofstream open_file(const std::filesystem::path& directory, const char* name) {
  std::filesystem::create_directories(directory);
  std::ofstream file(directory / name);
  if (!file) throw reprise::FileError("cannot write " + (directory / name).string());
  return file;
}

}  // namespace ecg5000
