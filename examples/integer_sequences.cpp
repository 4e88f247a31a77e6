// An LSTM autoencoder learns windows of four integers, (3 6 7 5), (6 7 5 2), ..., and is then shown 25 new
// ones, some of which were tampered with: with values that it never saw, or with the right values in a wrong
// order. Beside it stands the other reading of the question: integers as names, of which a second network
// says how probable each was where it came.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <random>
#include <reprise/models/symbol_predictor.hpp>
#include <reprise/reprise.hpp>
#include <set>
#include <string>
#include <vector>

namespace {

constexpr int window_length = 4;

// The pattern: seven numbers, one a day, week after week, each off by -1, 0 or 1 at random.
class Sequence {
 public:
  explicit Sequence(unsigned seed) : random_(seed) {}
  int next() {
    static constexpr int week[] = {3, 6, 7, 5, 2, 1, 1};
    return week[day_++ % 7] + below(3) - 1;
  }
  std::vector<int> next(int count) {
    std::vector<int> values;
    while (count-- > 0) values.push_back(next());
    return values;
  }
  // A random number from 0 to n - 1. Not std::uniform_int_distribution, which differs from library to
  // library.
  int below(unsigned n) { return static_cast<int>(random_() % n); }

 private:
  std::mt19937 random_;
  unsigned day_ = 0;
};

std::string percent(double probability) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100.0 * probability);
  return text;
}

enum class Truth { untampered, never_seen, wrong_order };

struct TestWindow {
  Truth truth;
  std::vector<int> values;
};

// The sequence goes on where training left it; of each four windows one gets a value that lies at least one
// whole training range outside the training range, and one gets its values in an order that no training
// window had.
std::vector<TestWindow> make_test_windows(Sequence& sequence, const std::vector<int>& training) {
  const auto [low, high] = std::minmax_element(training.begin(), training.end());
  const int range = *high - *low;
  std::set<std::vector<int>> seen;
  for (auto first = training.begin(); first + window_length <= training.end(); ++first) {
    seen.emplace(first, first + window_length);
  }

  std::vector<TestWindow> windows;
  for (int w = 0; w < 25; ++w) {
    TestWindow window{Truth::untampered, sequence.next(window_length)};
    auto& values = window.values;
    if (w % 4 == 1) {
      window.truth = Truth::never_seen;
      const int beyond = range + sequence.below(4);
      values[static_cast<std::size_t>(sequence.below(window_length))] =
          sequence.below(2) == 0 ? *high + beyond : *low - beyond;
    } else if (w % 4 == 3) {
      std::vector<std::vector<int>> orders;
      auto order = values;
      std::sort(order.begin(), order.end());
      do {
        if (order != values && seen.count(order) == 0) orders.push_back(order);
      } while (std::next_permutation(order.begin(), order.end()));
      if (!orders.empty()) {  // there are none for (1 1 1 1)
        window = {Truth::wrong_order,
                  orders[static_cast<std::size_t>(sequence.below(static_cast<unsigned>(orders.size())))]};
      }
    }
    windows.push_back(window);
  }
  return windows;
}

using Names = reprise::SymbolPredictor<float, int>;

// A network that takes integers for names: what follows those before it in the window, and how probably?
Names learn_names(const std::vector<int>& training, unsigned seed, reprise::Index epochs) {
  std::vector<std::vector<int>> windows;
  for (auto first = training.begin(); first + window_length <= training.end(); ++first) {
    windows.emplace_back(first, first + window_length);
  }
  // A window is cut out of the sequence, so that it has no end of its own.
  Names names(reprise::Vocabulary<int>(windows, {.end = false}),
              {.embedding = 8, .layers = {{.units = 16}}, .seed = seed});
  names.fit(windows, {.epochs = std::min<reprise::Index>(epochs, 60),
                      .optimizer = reprise::Adam{.learning_rate = 0.01},
                      .seed = seed});
  return names;
}

void print_table(const std::vector<TestWindow>& tests, const reprise::Windows& test,
                 const reprise::Sequences<float>& reconstruction, const reprise::OutlierScorer& scorer,
                 const Names& names) {
  struct Count {
    const char* name;
    int windows = 0;
    int flagged = 0;
  } counts[] = {{"untampered"}, {"value never seen"}, {"wrong order"}};

  std::printf(
      "\n                      AS MAGNITUDES                                          AS NAMES"
      "\n  #   input             reconstruction                      error   verdict   least probable"
      "   in truth\n");
  for (const auto& verdict : scorer.score(reprise::mean_squared_errors(test, reconstruction))) {
    Count& count = counts[static_cast<std::size_t>(tests[static_cast<std::size_t>(verdict.index)].truth)];
    ++count.windows;
    if (verdict.is_outlier) ++count.flagged;
    std::printf("%3d ", static_cast<int>(verdict.index) + 1);
    for (int t = 0; t < window_length; ++t) std::printf(" %3.0f", test(verdict.index, t, 0));
    std::printf("   ");
    for (int t = 0; t < window_length; ++t) {
      std::printf(" %7.2f", static_cast<double>(reconstruction(verdict.index, t, 0)));
    }
    const auto& values = tests[static_cast<std::size_t>(verdict.index)].values;
    const auto symbols = names.symbol_scores(values);
    const auto least = static_cast<std::size_t>(reprise::session_score(symbols).strangest);
    std::printf(" %10.2f   %-7s   %3d with %-7s %s\n", verdict.score, verdict.is_outlier ? "OUTLIER" : "ok",
                values[least], symbols[least].unseen ? "(new)" : percent(symbols[least].probability).c_str(),
                count.name);
  }

  std::printf("\nflagged:");
  for (const Count& count : counts) {
    std::printf("%s %d of %d %s", &count == counts ? "" : ",", count.flagged, count.windows, count.name);
  }
}

void explain(const reprise::OutlierScorer& scorer) {
  std::printf(
      "\n\n"
      "A reconstruction is what the model makes of a window after squeezing it through 16 numbers, the error "
      "the\n"
      "mean of the four squared differences. A window is an outlier when its error is above %.2f, the\n"
      "%s (the median absolute deviation, times 1.4826) of the errors of the training windows.\n"
      "So an outlier is a window unlike those that the model was trained on. The error is no probability, "
      "and\n"
      "\"ok\" does not mean that the order was right, only that the error is not unusual. A value never seen "
      "can\n"
      "throw the whole reconstruction far off, since relu has no upper limit.\n"
      "With more data one would calibrate on windows held out from training: the model knows its training\n"
      "windows better than new ones, and a threshold made from them is too low.\n"
      "As names the integers have no size, and the last column says which of the four a second network "
      "found\n"
      "least probable, having read those to its left: a number from 0 to 100 %%, low where it does not "
      "belong.\n"
      "One that was in no training window is new whatever its size. 91 windows are few for that: some that\n"
      "nobody touched have improbable integers too. See docs/symbols.md, and log_keys for names with an "
      "order.\n",
      scorer.threshold(), scorer.rule().description().c_str());
}

void run(unsigned seed, unsigned sequence_seed, reprise::Index epochs) {
  using reprise::activation::relu;

  Sequence sequence(sequence_seed);
  const std::vector<int> training = sequence.next(94);
  const auto train = reprise::sliding_windows(training, {.length = window_length});  // 91 windows

  reprise::Autoencoder<float> model(
      {.steps = window_length,
       .features = 1,
       .encoder = {{.units = 32, .activation = relu}, {.units = 16, .activation = relu}},
       .decoder = {{.units = 16, .activation = relu}, {.units = 32, .activation = relu}},
       .seed = seed});
  std::cout << model.summary() << '\n';

  const auto history = model.fit(train, {.epochs = epochs,
                                         .batch_size = 32,
                                         .validation_split = 0.1,
                                         .optimizer = reprise::Adam{.learning_rate = 1e-4},
                                         .loss = reprise::MeanSquaredError{},
                                         .callbacks = {reprise::ProgressBar{}},
                                         .seed = seed});
  for (std::size_t e = 0; e < history.loss.size(); ++e) {
    if (e != 0 && (e + 1) % 100 != 0 && e + 1 != history.loss.size()) continue;
    std::printf("epoch %4zu  loss %8.4f  validation loss %8.4f\n", e + 1, history.loss[e],
                history.validation_loss[e]);
  }

  // How large an error is normal? With 91 windows all that there is to judge it by are the training windows.
  reprise::OutlierScorer scorer(reprise::threshold::mad(5.0));
  scorer.calibrate(reprise::mean_squared_errors(train, model.reconstruct(train)));

  const auto names = learn_names(training, seed, epochs);

  // The test windows, one behind the other in a series that is cut again without overlap.
  const auto tests = make_test_windows(sequence, training);
  std::vector<int> series;
  for (const auto& window : tests) series.insert(series.end(), window.values.begin(), window.values.end());
  const auto test = reprise::sliding_windows(series, {.length = window_length, .stride = window_length});
  const auto reconstruction = model.reconstruct(test);

  print_table(tests, test, reconstruction, scorer, names);
  explain(scorer);
}

}  // namespace

int main(int argc, char** argv) {
  unsigned seed = 1;
  unsigned sequence_seed = 1;
  reprise::Index epochs = 700;
  CLI::App app(
      "Trains an LSTM autoencoder on 91 windows of integers and finds the tampered ones among 25 others");
  app.add_option("--seed", seed, "Of the initial weights and of shuffling")->capture_default_str();
  app.add_option("--sequence-seed", sequence_seed, "Of the integers and of the tampering")
      ->capture_default_str();
  app.add_option("--epochs", epochs, "Passes over the training windows")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    run(seed, sequence_seed, epochs);
  } catch (const std::exception& error) {
    std::cerr << "integer_sequences: " << error.what() << '\n';
    return 1;
  }
}
