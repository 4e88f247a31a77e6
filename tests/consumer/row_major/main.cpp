// Prints numbers of every kind that the library lays out in memory. Compiled once as it is, and once by a
// program that has made rows Eigen's default order: both must print the same.
#include <cmath>
#include <cstdio>
#include <reprise/baselines.hpp>
#include <reprise/detection/series_detector.hpp>
#include <reprise/layers/lstm_stream.hpp>
#include <reprise/reprise.hpp>
#include <reprise/scores/mahalanobis.hpp>

namespace {

using reprise::Index;

void print(const char* what, double value) { std::printf("%s %a\n", what, value); }
template <typename Derived>
void print(const char* what, const Eigen::DenseBase<Derived>& values) {
  for (Index i = 0; i < values.rows(); ++i) {
    for (Index j = 0; j < values.cols(); ++j) print(what, static_cast<double>(values(i, j)));
  }
}
void print(const char* what, const std::vector<double>& values) {
  for (const double value : values) print(what, value);
}

/// A matrix of the program's own, in whatever order is its default.
Eigen::MatrixXd series(Index steps) {
  Eigen::MatrixXd result(steps, 2);
  for (Index t = 0; t < steps; ++t) {
    const auto x = static_cast<double>(t);
    result(t, 0) = std::sin(0.7 * x) + 0.1 * std::sin(0.013 * x * x);
    result(t, 1) = std::cos(0.3 * x);
  }
  return result;
}

template <typename Scalar>
void print_training() {
  const auto windows = reprise::sliding_windows(series(40), {.length = 4});
  reprise::Autoencoder<Scalar> model(
      {.steps = 4, .features = 2, .encoder = {{.units = 6}}, .decoder = {{.units = 5}}});
  print("kernel", model.parameter("encoder.0.kernel"));
  print("loss", model.fit(windows, {.epochs = 2, .batch_size = 16}).loss);
  print("weights", model.weights());
  print("kernel", model.parameter("encoder.0.kernel"));
  const auto reconstruction = model.reconstruct(windows);
  for (Index window = 0; window < windows.size(); ++window) {
    for (Index t = 0; t < 4; ++t) {
      for (Index f = 0; f < 2; ++f) {
        print("window", windows(window, t, f));
        print("reconstruction", static_cast<double>(reconstruction(window, t, f)));
      }
    }
  }
  print("evaluate", model.evaluate(windows));
  print("score", reprise::mean_squared_errors(windows, reconstruction));
  print("step scores", reprise::step_scores(windows, reconstruction));
  print("feature scores", reprise::feature_scores(windows, reconstruction));
  const auto errors = reprise::error_vectors(windows, reconstruction);
  print("errors", errors);
  reprise::Mahalanobis mahalanobis;
  mahalanobis.fit(Eigen::MatrixXd(errors));
  print("mahalanobis", mahalanobis.scores(errors));
  print("shares", mahalanobis.decompose(errors));
}

void print_stream() {
  std::vector<float> theta(4 * 5 * (2 + 5 + 1)), dense_theta(5 + 1);
  for (std::size_t i = 0; i < theta.size(); ++i) theta[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < dense_theta.size(); ++i) dense_theta[i] = std::cos(static_cast<float>(i));
  reprise::LstmStream<float, 2, 5> stream({.units = 5}, theta.data(), {.units = 1}, dense_theta.data());
  for (int t = 0; t < 3; ++t)
    print("stream", stream.step(Eigen::Vector2f(0.3f, 0.1f * static_cast<float>(t))));
  print("stream's h", stream.h());
}

void print_others() {
  const Eigen::MatrixXd training = series(120);
  reprise::StandardScaler scaler;
  print("scaled", scaler.fit(training).transform(training));
  const auto windows = reprise::sliding_windows(training, {.length = 4});
  reprise::PcaBaseline components({.components = 3});
  components.fit(windows);
  print("principal components", reprise::mean_squared_errors(windows, components.reconstruct(windows)));
  reprise::NearestWindowBaseline nearest;
  nearest.fit(windows);
  print("nearest window", nearest.scores(windows));
  reprise::SeriesDetector<float> detector(
      {.lengths = {8}, .steps = 4, .units = 4, .code = 2, .updates = 4, .batch_size = 32});
  print("detector", detector.fit(training).scores(training));
}

}  // namespace

int main() {
  print_training<float>();
  print_training<double>();
  print_stream();
  print_others();
}
