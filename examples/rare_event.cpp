// A rare event found by a network that never saw one. A pump works in cycles; once in some ten hours its
// filter clogs for a while, and somebody wrote down when. An LSTM autoencoder learns the normal windows of
// the first days. The labels of the next days choose the threshold, on a precision-recall curve; the days
// after those, which neither saw, say what it is worth.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <numbers>
#include <reprise/reprise.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "plot.hpp"

namespace {

using reprise::Index;

struct Options {
  unsigned seed = 1;
  Index epochs = 60;
  double beta = 1.0;
  std::string output = "rare_event_output";
  std::string picture;
};

// Half an hour of a row a minute.
constexpr Index window_length = 30;

// What three sensors of the pump said, a row a minute, and what somebody wrote down.
struct Log {
  std::vector<std::array<double, 3>> rows;  // pressure in bar, flow in litres a minute, current in ampere
  std::vector<bool> clogged;

  Log part(std::size_t first, std::size_t count) const {
    const auto from = static_cast<std::ptrdiff_t>(first), to = static_cast<std::ptrdiff_t>(first + count);
    return {{rows.begin() + from, rows.begin() + to}, {clogged.begin() + from, clogged.begin() + to}};
  }
  // The stretches without an event that are long enough for a window.
  std::vector<std::vector<std::array<double, 3>>> normal_stretches() const {
    std::vector<std::vector<std::array<double, 3>>> stretches(1);
    for (std::size_t t = 0; t < rows.size(); ++t) {
      if (!clogged[t]) {
        stretches.back().push_back(rows[t]);
      } else if (!stretches.back().empty()) {
        stretches.emplace_back();
      }
    }
    std::erase_if(stretches, [](const auto& stretch) { return stretch.size() < window_length; });
    return stretches;
  }
};

// A cycle takes about 40 minutes, never quite as long as the one before. While the filter is clogged, the
// pressure is too high for the flow; each of them alone stays within its usual range.
Log record(std::size_t minutes, unsigned seed) {
  reprise::RandomStream random(seed, reprise::Purpose::other);
  Log log;
  double cycles = 0.0, wear = 0.0, speed = 1.0;
  double clogging = 0.0, worst = 0.0;
  int remaining = 0;
  for (std::size_t t = 0; t < minutes; ++t) {
    speed += 0.1 * (1.0 - speed) + 0.02 * random.normal();
    cycles += speed / 40.0;
    wear = 0.95 * wear + 0.02 * random.normal();
    if (remaining == 0 && random.uniform() < 1.0 / 600.0) {
      remaining = 20 + static_cast<int>(random.below(30));
      worst = 0.4 + 0.8 * random.uniform();
    }
    clogging = remaining > 0 ? std::min(worst, clogging + worst / 5.0) : 0.0;
    const double load = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * cycles) +
                        0.15 * std::sin(4.0 * std::numbers::pi * cycles) + wear;
    log.rows.push_back({3.0 + 1.5 * load + 0.4 * clogging + 0.1 * random.normal(),
                        20.0 + 12.0 * load - 4.0 * clogging + 0.8 * random.normal(),
                        8.0 + 3.0 * load + 0.3 * random.normal()});
    log.clogged.push_back(remaining > 0);
    remaining = std::max(0, remaining - 1);
  }
  return log;
}

// A window counts as an event where it holds a minute of one.
std::vector<bool> window_labels(const reprise::Windows& windows, const std::vector<bool>& clogged) {
  std::vector<bool> labels;
  for (Index w = 0; w < windows.size(); ++w) {
    const auto first = clogged.begin() + static_cast<std::ptrdiff_t>(windows.start(w));
    labels.push_back(std::find(first, first + window_length, true) != first + window_length);
  }
  return labels;
}

// One part of the log as the network sees it: windows without overlap, so that each minute counts once.
struct Judged {
  reprise::Windows windows;
  reprise::Labels labels;
  std::vector<double> scores;
};
Judged judge(const Log& log, const reprise::StandardScaler& scaler,
             const reprise::Autoencoder<float>& model) {
  const auto windows = reprise::sliding_windows(scaler.transform(log.rows),
                                                {.length = window_length, .stride = window_length});
  const auto scores = reprise::mean_squared_errors(windows, model.reconstruct(windows));
  return {windows, window_labels(windows, log.clogged), std::vector<double>(scores.begin(), scores.end())};
}

void print(const char* name, const reprise::ConfusionTable& table, double beta) {
  std::printf("%-12s precision %.2f, recall %.2f, F%g %.2f\n", name, table.precision(), table.recall(), beta,
              table.f_beta(beta));
}

constexpr const char* gnuplot_script = R"(
set terminal pngcairo size 1000,760 font 'Sans,11' linewidth 1.2
set encoding utf8
set multiplot
set border lc rgb '#808080'
set tics textcolor rgb '#202020' scale 0.5
set grid xtics ytics lt 1 lc rgb '#e4e4e4'

set lmargin at screen 0.07
set rmargin at screen 0.98
set tmargin at screen 0.93
set bmargin at screen 0.60
set label 1 'Test days: the error of each half hour (logarithmic)' at graph 0, 1.07 left font 'Sans Bold,11'
set key at graph 1, 1.02 right bottom horizontal Left reverse samplen 2 width 2
set logscale y
set xlabel 'day'
plot 'scores.dat' using 1:($3 == 0 ? $2 : 1/0) with points pt 7 ps 0.5 lc rgb '#1f6fb4' title 'normal', \
     '' using 1:($3 == 1 ? $2 : 1/0) with points pt 7 ps 0.9 lc rgb '#e8500c' title 'event', \
     '' using 1:4 with lines dt 2 lc rgb '#404040' title 'threshold'

unset logscale y
set xrange [0:1.02]
set yrange [0:1.04]
set key samplen 1.5
set tmargin at screen 0.47
set bmargin at screen 0.08
set lmargin at screen 0.07
set rmargin at screen 0.48
set key at graph 0.03, 0.04 left bottom vertical Left reverse
set label 1 'Precision over recall, at every threshold'
set xlabel 'recall: of the windows with an event, the share flagged'
set ylabel 'precision: of the flagged, the share with an event'
plot 'validation.dat' using 2:1 with steps lc rgb '#1f6fb4' lw 1.5 title 'validation days', \
     'test.dat' using 2:1 with steps lc rgb '#e8850c' lw 1.5 title 'test days', \
     'chosen.dat' every ::0::0 using 2:1 with points pt 7 ps 1.6 lc rgb '#1f6fb4' title 'the threshold, chosen there', \
     'chosen.dat' every ::1::1 using 2:1 with points pt 7 ps 1.6 lc rgb '#e8850c' title 'and on the test days'

set lmargin at screen 0.57
set rmargin at screen 0.98
set key at graph 0.30, 0.04
set label 1 'ROC: recall over false alarms, at every threshold'
set xlabel 'false alarms: of the normal windows, the share flagged'
set ylabel 'recall'
plot x with lines dt 3 lc rgb '#a0a0a0' title 'guessing', \
     'validation.dat' using 3:2 with lines lc rgb '#1f6fb4' lw 1.5 title 'validation days', \
     'test.dat' using 3:2 with lines lc rgb '#e8850c' lw 1.5 title 'test days', \
     'chosen.dat' every ::0::0 using 3:2 with points pt 7 ps 1.6 lc rgb '#1f6fb4' title 'the threshold, chosen there', \
     'chosen.dat' every ::1::1 using 3:2 with points pt 7 ps 1.6 lc rgb '#e8850c' title 'and on the test days'
)";

std::string line_of(const reprise::ConfusionTable& table) {
  std::ostringstream line;
  line << table.precision() << ' ' << table.recall() << ' ' << table.false_alarm_rate() << '\n';
  return line.str();
}
std::string curve_of(const Judged& judged) {
  std::string lines = "# precision, recall, false alarms\n";
  for (const auto& point : reprise::threshold_curve(judged.scores, judged.labels))
    lines += line_of(point.table);
  return lines;
}

void draw(const Options& options, const Judged& validation, const Judged& test, double threshold) {
  const Plot plot(options.output, "rare_event", options.picture);
  std::ostringstream scores;
  scores << "# day, score, event, threshold\n";
  for (Index w = 0; w < test.windows.size(); ++w) {
    const auto i = static_cast<std::size_t>(w);
    scores << static_cast<double>(test.windows.start(w)) / 1440 << ' ' << test.scores[i] << ' '
           << (test.labels[i] ? 1 : 0) << ' ' << threshold << '\n';
  }
  plot.write("scores.dat", scores.str());
  plot.write("validation.dat", curve_of(validation));
  plot.write("test.dat", curve_of(test));
  plot.write("chosen.dat",
             line_of(reprise::confusion_table(validation.scores, threshold, validation.labels)) +
                 line_of(reprise::confusion_table(test.scores, threshold, test.labels)));
  plot.draw(gnuplot_script);
}

// What the verdicts on the test days are worth.
void report(const Judged& validation, const Judged& test, const reprise::OutlierScorer& scorer, double beta) {
  const double threshold = scorer.threshold();
  const auto table = reprise::confusion_table(test.scores, threshold, test.labels);
  std::printf("threshold %.3f (%s on the validation days)\n\n", threshold,
              scorer.rule().description().c_str());
  print("validation:", reprise::confusion_table(validation.scores, threshold, validation.labels), beta);
  print("test:", table, beta);
  std::printf(
      "ROC-AUC      %.3f on the validation days, %.3f on the test days\n\n"
      "test windows         flagged   not flagged\n"
      "  with an event       %6d        %6d\n"
      "  normal              %6d        %6d\n\n",
      reprise::roc_auc(validation.scores, validation.labels), reprise::roc_auc(test.scores, test.labels),
      static_cast<int>(table.true_positives), static_cast<int>(table.false_negatives),
      static_cast<int>(table.false_positives), static_cast<int>(table.true_negatives));
  const auto events = reprise::event_table(reprise::find_events(test.scores, threshold), test.labels);
  std::printf("events: %d, missed %d, false alarms %d\n\n", static_cast<int>(events.ranges),
              static_cast<int>(events.ranges - events.found_ranges), static_cast<int>(events.false_events));
  std::printf(
      "Precision: of the half hours that are flagged, the share that holds a minute of an event. It falls "
      "as\n"
      "events get rarer, although the network stays the same.\n"
      "Recall: of the half hours that hold one, the share that is flagged. Those missed hold only a few "
      "minutes\n"
      "of an event; so count the events, too.\n"
      "F%g: one number for both%s, large only where both are.\n"
      "ROC-AUC: how often a half hour with an event scores higher than one without. It does not ask how "
      "rare\n"
      "events are, so it looks well where most alarms are false.\n"
      "The validation days look a little better than they should: the threshold was made for them. The test\n"
      "days had no part in anything, and tell what days to come will be like if the pump stays as it is.\n\n"
      "Each of these would leak, and make the numbers too good: a threshold or a number of epochs chosen on "
      "the\ntest days; a scaler fitted to all days; overlapping windows dealt to the parts at random, so "
      "that\n"
      "neighbours share minutes; events among the windows that train.\n\n",
      beta, beta == 1.0 ? "" : (beta > 1.0 ? ", recall counting more" : ", precision counting more"));
}

void run(const Options& options) {
  // 1. Three stretches, one after the other in time. What is learnt or chosen on one is judged on a later
  // one.
  const std::size_t day = 1440;
  const Log log = record(24 * day, options.seed);
  const Log training = log.part(0, 8 * day), validating = log.part(8 * day, 8 * day),
            testing = log.part(16 * day, 8 * day);

  // 2. Scaled by the training days, and trained on windows that hold no event. No window straddles one.
  reprise::StandardScaler scaler;
  scaler.fit(training.rows);
  const auto normal_windows = [&](const Log& part, Index stride) {
    std::vector<std::vector<std::vector<double>>> stretches;  // of each row, the scaled values
    for (const auto& stretch : part.normal_stretches()) stretches.push_back(scaler.transform(stretch));
    return reprise::joined_windows(stretches, {.length = window_length, .stride = stride});
  };
  const auto train = normal_windows(training, 5);
  reprise::Autoencoder<float> model({.steps = window_length,
                                     .features = 3,
                                     .encoder = {{.units = 32}, {.units = 8}},
                                     .decoder = {{.units = 8}, {.units = 32}},
                                     .seed = options.seed});
  const auto history =
      model.fit(train, {.epochs = options.epochs,
                        .validation_data = normal_windows(validating, window_length),
                        .optimizer = reprise::Adam{.learning_rate = 5e-3},
                        .callbacks = {reprise::ProgressBar{},
                                      reprise::EarlyStopping{.patience = 10, .restore_best_weights = true}},
                        .seed = options.seed});
  std::printf("trained on %d normal windows, %zu epochs, loss %.3f, validation loss %.3f\n",
              static_cast<int>(train.size()), history.loss.size(), history.loss.back(),
              history.validation_loss.back());

  // 3. The threshold: where F-beta is largest on the precision-recall curve of days that were not trained on.
  const Judged validation = judge(validating, scaler, model);
  const reprise::OutlierScorer scorer(
      reprise::threshold::f_beta(options.beta, validation.scores, validation.labels));

  // 4. What it is worth, on days that had no part in anything.
  const Judged test = judge(testing, scaler, model);
  report(validation, test, scorer, options.beta);
  draw(options, validation, test, scorer.threshold());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Learns a pump's normal days and finds the rare hours in which its filter is clogged");
  app.add_option("--seed", options.seed, "Of the pump, the initial weights and of shuffling")
      ->capture_default_str();
  app.add_option("--epochs", options.epochs, "Passes over the training windows, at most")
      ->capture_default_str();
  app.add_option("--beta", options.beta, "How many times as much as precision recall counts")
      ->capture_default_str();
  app.add_option("--output", options.output,
                 "The directory to write rare_event.png, its data and its gnuplot script into")
      ->capture_default_str();
  app.add_option("--picture", options.picture, "Where to draw the picture, if not in the output directory");
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    std::cerr << "rare_event: " << error.what() << '\n';
    return 1;
  }
}
