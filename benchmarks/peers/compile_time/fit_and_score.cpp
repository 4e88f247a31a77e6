// How long does it take to compile the least that uses the library, and how large does it get?

#include <cstdio>
#include <reprise/reprise.hpp>

int main() {
  std::vector<float> series;
  for (int i = 0; i < 300; ++i) series.push_back(static_cast<float>(i % 7));
  const auto windows = reprise::sliding_windows(series, {.length = 7});
  reprise::Autoencoder<float> model({.steps = 7, .encoder = {{.units = 16}}, .decoder = {{.units = 16}}});
  model.fit(windows, {.epochs = 5});
  reprise::OutlierScorer scorer(reprise::threshold::mad(5.0));
  scorer.calibrate(reprise::mean_squared_errors(windows, model.reconstruct(windows)));
  for (const auto& verdict :
       scorer.score(reprise::mean_squared_errors(windows, model.reconstruct(windows)))) {
    if (verdict.is_outlier) std::printf("%d\n", static_cast<int>(verdict.index));
  }
}
