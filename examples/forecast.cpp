// The next value of a series from the 24 before it, and how far off it is where the series breaks its habit.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

#include <reprise/reprise.hpp>

int main() {
  std::vector<float> series;
  for (int t = 0; t < 1000; ++t) series.push_back(std::sin(0.3f * static_cast<float>(t)));
  series[950] += 0.5f;

  const auto windows = reprise::sliding_windows(series, {.length = 24, .horizon = 1});
  const auto [train, watched] = windows.split(0.7);
  reprise::Forecaster<float> model({.steps = 24, .layers = {{.units = 16}}});
  const auto history = model.fit(train, {.epochs = 10, .optimizer = reprise::Adam{.learning_rate = 1e-2}});
  const auto errors = reprise::mean_absolute_errors(watched.following(), model.predict(watched));

  const auto worst = std::max_element(errors.begin(), errors.end()) - errors.begin();
  std::cout << "loss of the last epoch: " << history.loss.back() << "\nworst predicted: step "
            << watched.following().start(worst) << ", off by " << errors[static_cast<std::size_t>(worst)]
            << '\n';
}
