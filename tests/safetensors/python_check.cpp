// The C++ side of check_with_python.py. Prints, as JSON, the windows and what the model makes of them.
//
//     python_check write <path>    trains a small model and saves it
//     python_check read <path>     loads it
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/models/autoencoder.hpp>
#include <string>

namespace {

/// As nested lists: window, step, feature.
nlohmann::json to_lists(const reprise::Sequences<float>& sequences) {
  nlohmann::json windows = nlohmann::json::array();
  for (reprise::Index n = 0; n < sequences.batch(); ++n) {
    for (reprise::Index t = 0; t < sequences.steps(); ++t) {
      for (reprise::Index f = 0; f < sequences.features(); ++f) {
        windows[static_cast<std::size_t>(n)][static_cast<std::size_t>(t)][static_cast<std::size_t>(f)] =
            sequences(n, t, f);
      }
    }
  }
  return windows;
}

void print(const reprise::Autoencoder<float>& model, const reprise::Windows& windows) {
  reprise::Sequences<float> input(
      {.samples = windows.size(), .steps = windows.length(), .features = windows.features()});
  for (reprise::Index n = 0; n < windows.size(); ++n) {
    for (reprise::Index t = 0; t < windows.length(); ++t) {
      for (reprise::Index f = 0; f < windows.features(); ++f) {
        input(n, t, f) = static_cast<float>(windows(n, t, f));
      }
    }
  }
  std::cout << nlohmann::json{{"input", to_lists(input)}, {"output", to_lists(model.reconstruct(input))}}
            << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  reprise::Matrix<float> series(33, 2);  // a row is a step of time
  for (reprise::Index t = 0; t < series.rows(); ++t) {
    series(t, 0) = static_cast<float>(std::sin(0.7 * static_cast<double>(t)));
    series(t, 1) = static_cast<float>(t % 5) / 5.0F;
  }
  const reprise::Windows windows = reprise::sliding_windows(series, {.length = 4});
  if (std::string(argv[1]) == "write") {
    reprise::Autoencoder<float> model({.steps = 4,
                                       .features = 2,
                                       .encoder = {{.units = 3, .activation = reprise::activation::relu}},
                                       .decoder = {{.units = 2}}});
    model.fit(windows, {.batch_size = 16, .optimizer = reprise::AdamW{.learning_rate = 0.1}});
    reprise::save(model, argv[2]);
    print(model, windows);
  } else {
    print(reprise::load<reprise::Autoencoder<float>>(argv[2]), windows);
  }
}
