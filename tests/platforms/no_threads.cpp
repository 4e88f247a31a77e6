// Compiled with REPRISE_NO_THREADS, as a standard library without threads has it by itself: training and the
// detector run on the calling thread, more threads are refused, and no header of the library includes
// <thread>.
#include <cmath>
#include <iostream>
#include <reprise/detection/series_detector.hpp>
#include <reprise/reprise.hpp>

#ifndef REPRISE_NO_THREADS
#error "to be compiled with -DREPRISE_NO_THREADS"
#endif

namespace {

std::string error_of_threads(const reprise::Windows& windows, int threads) {
  reprise::Autoencoder<float> model({.steps = 4, .encoder = {{.units = 3}}, .decoder = {{.units = 3}}});
  try {
    const reprise::History history = model.fit(windows, {.epochs = 2, .threads = threads});
    return std::isfinite(history.loss.back()) ? "" : "the loss is not finite";
  } catch (const reprise::Error& error) {
    return error.what();
  }
}

}  // namespace

int main() {
  std::vector<double> series(200);
  for (std::size_t i = 0; i < series.size(); ++i) series[i] = std::sin(0.5 * static_cast<double>(i));
  const reprise::Windows windows = reprise::sliding_windows(series, {.length = 4});
  const std::string alone = error_of_threads(windows, 1), together = error_of_threads(windows, 2);
  std::cout << "one thread: " << alone << "\ntwo threads: " << together << '\n';
  if (alone != "") return 1;
  return together == "threads: expected 1, as there are no threads here, got 2" ? 0 : 2;
}
