// An LSTM autoencoder learns what a year of sea temperatures off Peru looks like from 1950 to 1979, and then
// finds the years from 1980 to 2010 that look different: the great El Niños of 1982-83 and 1997-98 far above
// all others, and a few weaker events.

#define CSV_IO_NO_THREAD  // 61 lines need none
#if defined(__GNUC__) && !defined(__clang__)
// g++ warns of a strncpy in csv.h, although that is a system header.
#pragma GCC diagnostic ignored "-Wstringop-truncation"
#endif
#include <libfccp/csv.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <iostream>
#include <reprise/reprise.hpp>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "plot.hpp"

#ifndef REPRISE_EXAMPLES_DATA_DIR
#define REPRISE_EXAMPLES_DATA_DIR "examples/data"
#endif

namespace {

using reprise::Index;

struct Options {
  unsigned seed = 1;
  Index epochs = 400;
  std::string data = REPRISE_EXAMPLES_DATA_DIR "/elnino.csv";
  std::string output = "el_nino_output";
  std::string picture;
};

// Months are counted from January of the first year.
struct Temperatures {
  int first_year = 0;
  std::vector<double> months;

  Index year(Index month) const { return first_year + month / 12; }
  std::string date(Index month) const {
    const Index of_year = month % 12 + 1;
    return std::to_string(year(month)) + (of_year < 10 ? "-0" : "-") + std::to_string(of_year);
  }
};

Temperatures read_temperatures(const std::string& path) {
  io::CSVReader<13, io::trim_chars<' '>, io::double_quote_escape<',', '"'>> file(path);
  file.read_header(io::ignore_no_column, "YEAR", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG",
                   "SEP", "OCT", "NOV", "DEC");
  Temperatures result;
  int year = 0;
  std::array<double, 12> m{};
  while (file.read_row(year, m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11])) {
    const int years_before = static_cast<int>(result.months.size()) / 12;
    if (years_before == 0) result.first_year = year;
    if (year != result.first_year + years_before) {
      throw std::runtime_error(path + ": a gap before the year " + std::to_string(year));
    }
    result.months.insert(result.months.end(), m.begin(), m.end());
  }
  return result;
}

// Each month is in up to twelve windows, so it has as many reconstructions: their mean.
std::vector<double> mean_reconstruction(const reprise::Windows& windows,
                                        const reprise::Sequences<float>& output) {
  const Index first = windows.start(0);
  const Index months = windows.start(windows.size() - 1) + windows.length() - first;
  std::vector<double> sum(static_cast<std::size_t>(months)), count(sum.size());
  for (Index w = 0; w < windows.size(); ++w) {
    for (Index t = 0; t < windows.length(); ++t) {
      const auto month = static_cast<std::size_t>(windows.start(w) - first + t);
      sum[month] += static_cast<double>(output(w, t, 0));
      count[month] += 1.0;
    }
  }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] /= count[i];
  return sum;
}

// A month's score: the mean over the windows that hold it of each window's error.
std::vector<double> month_scores(const reprise::Windows& windows, const reprise::Sequences<float>& output) {
  return reprise::point_scores(windows, reprise::mean_squared_errors(windows, output),
                               reprise::Aggregate::mean);
}

// The months from `start` to before `end` that reach half the strength of an event. Every month is scored by
// windows that reach eleven months further to both sides, so an event starts early and ends late; its core
// tells better when it was.
struct Core {
  Index start;
  Index end;
};
Core core_of(const reprise::Event& event, const std::vector<reprise::Verdict>& verdicts) {
  Core core{event.peak, event.peak + 1};
  for (const auto& verdict : verdicts) {
    if (verdict.index < event.start || verdict.index >= event.end || verdict.score < event.score / 2)
      continue;
    core.start = std::min(core.start, verdict.index);
    core.end = std::max(core.end, verdict.index + 1);
  }
  return core;
}

// "1982–83"
std::string years_of(const Core& core, const Temperatures& temperatures) {
  const Index first = temperatures.year(core.start);
  const Index last = temperatures.year(core.end - 1);
  if (first == last) return std::to_string(first);
  return std::to_string(first) + "–" + std::to_string(last).substr(2);
}

constexpr const char* gnuplot_script = R"(
set terminal pngcairo size 1000,580 font 'Sans,11' linewidth 1.2
set encoding utf8
stats 'el_nino.dat' using 4 name 'score' nooutput
set multiplot
set lmargin at screen 0.06
set rmargin at screen 0.985
set border lc rgb '#808080'
set tics textcolor rgb '#202020' scale 0.5
set grid xtics ytics lt 1 lc rgb '#e4e4e4'
set key at graph 1, 1.02 right bottom horizontal samplen 2
set xrange [1980:2011]
set style fill solid 0.6 noborder
shade = '#f9d3c5'

set tmargin at screen 0.93
set bmargin at screen 0.53
set xtics 1980, 2 format ''
set yrange [17:31]
set label 1 'Sea surface temperature off Peru, Niño 1+2 region (°C)' at graph 0, 1.07 left font 'Sans Bold,11'
plot 'el_nino_events.dat' using 3:(24):1:2:(0):(99) with boxxyerror lc rgb shade notitle, \
     'el_nino.dat' using 1:2 with lines lc rgb '#203040' title 'measured', \
     '' using 1:3 with lines lc rgb '#e8850c' title 'reconstructed'

set tmargin at screen 0.44
set bmargin at screen 0.06
set xtics format '%.0f'
set logscale y
set yrange [score_min / 1.3 : score_max * 2.6]
set label 1 'Score of the month (mean squared error, logarithmic)'
plot 'el_nino_events.dat' using 3:(1):1:2:(1e-9):(1e9) with boxxyerror lc rgb shade title 'event', \
     'el_nino.dat' using 1:4 with lines lc rgb '#1f6fb4' lw 1.6 title 'score', \
     '' using 1:5 with lines dt 2 lc rgb '#c03020' title 'threshold', \
     'el_nino_events.dat' using 3:(score_max * 1.7):4 with labels notitle
)";

// Writes el_nino.dat, el_nino_events.dat and el_nino.gp into the output directory and has gnuplot draw them.
// `events`: strongest first.
void draw(const Options& options, const Temperatures& temperatures, const std::vector<double>& reconstruction,
          const std::vector<reprise::Verdict>& verdicts, const std::vector<reprise::Event>& events) {
  const Plot plot(options.output, "el_nino", options.picture);

  // The start of a month as a number: 1982.5 is July 1982.
  const auto time = [&](Index month) { return temperatures.first_year + static_cast<double>(month) / 12; };
  std::ostringstream data;
  data.precision(8);
  data << "# middle of the month, temperature, reconstruction, score, threshold\n";
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const auto& verdict = verdicts[i];
    data << time(verdict.index) + 1.0 / 24 << ' '
         << temperatures.months[static_cast<std::size_t>(verdict.index)] << ' ' << reconstruction[i] << ' '
         << verdict.score << ' ' << verdict.threshold << '\n';
  }
  std::ostringstream event_data;
  event_data.precision(8);
  event_data << "# start, end, middle of the core, years of the core; the strongest first\n";
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Core core = core_of(events[i], verdicts);
    event_data << time(events[i].start) << ' ' << time(events[i].end) << ' '
               << (time(core.start) + time(core.end)) / 2 << " \"{/:" << (i < 2 ? "Bold=11 " : "=9 ")
               << years_of(core, temperatures) << "}\"\n";
  }
  plot.write("el_nino.dat", data.str());
  plot.write("el_nino_events.dat", event_data.str());
  plot.draw(gnuplot_script);
}

void run(const Options& options) {
  // 1. The series, scaled by what is known in 1979, in windows of a year.
  const Temperatures temperatures = read_temperatures(options.data);
  constexpr std::size_t past_months = 30 * 12;
  if (temperatures.first_year != 1950 || temperatures.months.size() < past_months + 24) {
    throw std::runtime_error(options.data + ": expected the years from 1950 to 1981 at the least");
  }
  const auto past = std::span(temperatures.months).first(past_months);
  const auto recent = std::span(temperatures.months).subspan(past_months);
  reprise::StandardScaler scaler;
  scaler.fit(past);
  const auto past_windows = reprise::sliding_windows(scaler.transform(past), {.length = 12});
  const auto recent_windows = reprise::sliding_windows(scaler.transform(recent), {.length = 12});

  // 2. Train on the first 24 years, and stop when the next 6 are reproduced no better any more.
  const auto [train, validation] = past_windows.split(0.8);
  reprise::Autoencoder<float> model({.steps = 12,
                                     .features = 1,
                                     .encoder = {{.units = 32}, {.units = 4}},
                                     .decoder = {{.units = 4}, {.units = 32}},
                                     .seed = options.seed});
  std::cout << model.summary() << '\n';
  const auto history = model.fit(
      train, {.epochs = options.epochs,
              .batch_size = 32,
              .validation_data = validation,
              .optimizer = reprise::Adam{.learning_rate = 1e-2},
              .callbacks = {reprise::ProgressBar{},
                            reprise::EarlyStopping{
                                .patience = 40, .start_from_epoch = 150, .restore_best_weights = true}},
              .seed = options.seed});
  std::printf("%zu epochs, validation loss %.4f\n", history.loss.size(), model.evaluate(validation));

  // 3. Score each month. An event is a run of months stranger than any month from 1950 to 1979. The years of
  // training count here as well: the six that were held out are too few to know what is rare, and the model
  // knows its training years hardly better.
  const auto reconstruction = model.reconstruct(recent_windows);
  const auto highest = [&](const reprise::Windows& windows) {
    const auto scores = month_scores(windows, model.reconstruct(windows));
    return *std::max_element(scores.begin(), scores.end());
  };
  std::printf("highest score of a month: %.4f in training, %.4f in validation\n", highest(train),
              highest(validation));
  reprise::OutlierScorer scorer(reprise::threshold::max_factor(1.0));
  scorer.calibrate(month_scores(past_windows, model.reconstruct(past_windows)));
  const auto verdicts = scorer.score(month_scores(recent_windows, reconstruction), past_months);
  auto events = reprise::find_events(verdicts, {.max_gap = 3});
  std::stable_sort(events.begin(), events.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });

  std::printf(
      "\n%zu events above the threshold %.4f (the highest score of a month from 1950 to 1979), the strongest "
      "first:\n\n"
      "   strength   above the threshold    at least half its strength\n",
      events.size(), scorer.threshold());
  for (const auto& event : events) {
    const Core core = core_of(event, verdicts);
    std::printf("   %8.4f   %s to %s     %s to %s\n", event.score, temperatures.date(event.start).c_str(),
                temperatures.date(event.end - 1).c_str(), temperatures.date(core.start).c_str(),
                temperatures.date(core.end - 1).c_str());
  }
  std::printf(
      "\nThe picture shades these events and names the years of at least half their strength.\n"
      "The score of a month is the mean squared error of the up to twelve windows of a year that hold the\n"
      "month, in squared standard deviations of 1950 to 1979. It says how unlike the years of training they "
      "are:\n"
      "too warm, too cold, or a season at another time. It does not say why, and it is no probability. Since "
      "the\n"
      "windows reach eleven months to both sides, so far may an event begin before its first strange month "
      "and\n"
      "end after its last; the months with at least half its strength tell better when it was.\n\n");

  // 4. Draw it.
  draw(options, temperatures, scaler.inverse_transform(mean_reconstruction(recent_windows, reconstruction)),
       verdicts, events);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Finds the El Niño years in monthly sea temperatures with an LSTM autoencoder");
  app.add_option("--seed", options.seed, "Of the initial weights and of shuffling")->capture_default_str();
  app.add_option("--epochs", options.epochs, "Passes over the training windows, at most")
      ->capture_default_str();
  app.add_option("--data", options.data, "The temperatures, a line a year")->capture_default_str();
  app.add_option("--output", options.output,
                 "The directory to write el_nino.png, its data and its gnuplot script into")
      ->capture_default_str();
  app.add_option("--picture", options.picture, "Where to draw the picture, if not in the output directory");
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    std::cerr << "el_nino: " << error.what() << '\n';
    return 1;
  }
}
