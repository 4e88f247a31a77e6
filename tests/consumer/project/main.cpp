#include <cmath>
#include <iostream>
#include <vector>

#include <reprise/reprise.hpp>

int main() {
  std::vector<float> series(40);
  for (std::size_t i = 0; i < series.size(); ++i) series[i] = std::sin(0.5f * static_cast<float>(i));
  auto windows = reprise::sliding_windows(series, {.length = 4});

  reprise::Autoencoder<float> model(
      {.steps = 4, .features = 1, .encoder = {{.units = 3}}, .decoder = {{.units = 3}}});
  model.fit(windows, {.epochs = 2});

  reprise::OutlierScorer scorer{reprise::threshold::mad(5.0)};
  scorer.calibrate(reprise::mean_squared_errors(windows, model.reconstruct(windows)));
  std::cout << "reprise " << REPRISE_VERSION_MAJOR << '.' << REPRISE_VERSION_MINOR << '.'
            << REPRISE_VERSION_PATCH << '\n';
}
