// Three columns of a machine's log with a time stamp in each row: what happened in the last days that is not
// like the weeks before? Give it a CSV file of your own (a time stamp and numbers in each row, a header with
// their names), or it makes one.

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <numbers>
#include <reprise/core/random.hpp>
#include <reprise/detection/detector.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "plot.hpp"

namespace {

struct Table {
  reprise::SeriesInfo info;               // times, and the names of the columns
  std::vector<std::vector<double>> rows;  // without the times

  // Rows [first, last).
  Table part(std::size_t first, std::size_t last) const {
    const auto cut = [&](const auto& all) {
      return std::remove_cvref_t<decltype(all)>(all.begin() + static_cast<std::ptrdiff_t>(first),
                                                all.begin() + static_cast<std::ptrdiff_t>(last));
    };
    return {{cut(info.times), info.features, info.units}, cut(rows)};
  }
};

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream text(line);
  for (std::string field; std::getline(text, field, ',');) fields.push_back(field);
  return fields;
}

// A header, then in each row a time stamp and numbers.
Table read_csv(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) throw std::runtime_error(path + ": expected a CSV file with a header");
  Table table;
  table.info.features = fields_of(line);
  const std::size_t columns = table.info.features.size();
  if (columns < 2) throw std::runtime_error(path + ": expected a column of times and one of numbers");
  table.info.features.erase(table.info.features.begin());
  for (std::string& name : table.info.features) {  // "flow [l/min]"
    const std::size_t bracket = name.find(" [");
    const bool has_unit = bracket != std::string::npos && name.back() == ']';
    table.info.units.push_back(has_unit ? name.substr(bracket + 2, name.size() - bracket - 3) : "");
    if (has_unit) name.resize(bracket);
  }
  for (int number = 2; std::getline(file, line); ++number) {
    const auto fields = fields_of(line);
    const std::string place = path + ", line " + std::to_string(number) + ": ";
    if (fields.size() != columns)
      throw std::runtime_error(place + "expected " + std::to_string(columns) + " columns, got \"" + line +
                               '"');
    table.info.times.push_back(reprise::seconds_of(fields[0]));
    table.rows.emplace_back();
    for (std::size_t c = 1; c < columns; ++c) {
      std::size_t used = 0;
      try {
        table.rows.back().push_back(std::stod(fields[c], &used));
      } catch (const std::exception&) {
        used = 0;
      }
      if (used == 0) throw std::runtime_error(place + "expected a number, got \"" + fields[c] + '"');
    }
  }
  return table;
}

// A pump in a building, a row every ten minutes for six weeks. It works by day, and less at weekends. In the
// fifth week its flow sensor hangs for four hours; in the sixth it pumps for two hours of a night.
void make_csv(const std::string& path) {
  constexpr double day = 144;  // rows
  reprise::RandomStream random(1, reprise::Purpose::other);
  const double start = reprise::seconds_of("2026-01-05");
  std::ofstream file(path);
  file << "time,pressure [bar],flow [l/min],current [A]\n";
  double flow = 0.0;
  for (int t = 0; t < 42 * 144; ++t) {
    const double hour = std::fmod(t / day, 1.0) * 24;
    const bool is_weekend = std::fmod(t / day, 7.0) >= 5;
    double load = 0.2 + (is_weekend ? 0.3 : 0.8) * std::exp(-std::pow((hour - 13) / 4, 2));
    if (t >= 39 * day + 6 && t < 39 * day + 18) load = 0.9;  // Friday, one to three in the night
    const double pressure = 2 + 2 * load + 0.05 * random.normal();
    const double next_flow = 40 * load + 0.8 * random.normal();
    if (!(t >= 30 * day + 66 && t < 30 * day + 90)) flow = next_flow;  // Wednesday, eleven to three
    const double current = 5 + 6 * load + 0.15 * random.normal();
    file << reprise::time_text(start + 600 * t) << ',' << pressure << ',' << flow << ',' << current << '\n';
  }
}

constexpr const char* gnuplot_head = R"(
set terminal pngcairo size 1000,640 font 'Sans,11' linewidth 1.2
set encoding utf8
set border lc rgb '#808080'
set tics textcolor rgb '#202020' scale 0.5
set grid xtics ytics lt 1 lc rgb '#e4e4e4'
set xdata time
set timefmt '%s'
set ytics nomirror font ',9'
set lmargin at screen 0.08
set rmargin at screen 0.985
unset key
set multiplot
)";

// A panel for each column and one for the scores, with the episodes shaded.
void draw(const Plot& plot, const Table& table, const reprise::Findings& findings) {
  const auto& times = table.info.times;
  std::ostringstream data, script;
  for (auto* text : {&data, &script}) text->precision(12);
  for (std::size_t t = 0; t < times.size(); ++t) {
    data << times[t];
    for (const double value : table.rows[t]) data << ' ' << value;
    data << ' ' << std::log(findings.scores[t]) << '\n';
  }
  plot.write("detect_series.dat", data.str());

  script << gnuplot_head << "set xrange [" << times.front() << ":" << times.back() << "]\n";
  for (const auto& episode : findings.episodes) {
    script << "set object rectangle from first " << times[static_cast<std::size_t>(episode.start)]
           << ", graph 0 to first " << times[static_cast<std::size_t>(episode.end - 1)]
           << ", graph 1 fillcolor rgb '#fbe0d6' fillstyle solid noborder behind\n";
  }
  const std::size_t panels = table.info.features.size() + 1;
  const double height = 0.92 / static_cast<double>(panels);
  for (std::size_t p = 0; p < panels; ++p) {
    const bool is_score = p + 1 == panels;
    const double top = 0.97 - static_cast<double>(p) * height;
    std::string title = "severity (the logarithm of the score); above the line is an alarm";
    if (!is_score) {
      const std::string& unit = table.info.units[p];
      title = table.info.features[p] + (unit.empty() ? "" : ", ") + unit;
    }
    script << "set tmargin at screen " << top - 0.04 << "\nset bmargin at screen " << top - height + 0.02
           << "\nset format x '" << (is_score ? "%d %b" : "") << "'\nset label 1 \"" << title
           << "\" at graph 0, 1.12 left font 'Sans Bold,11'\n";
    // A ring where the feature that is named first differs most.
    for (std::size_t e = 0; e < findings.episodes.size(); ++e) {
      const auto& named = findings.episodes[e].features;
      if (named.empty() || named[0].feature != static_cast<reprise::Index>(p)) continue;
      script << "set label " << e + 2 << " '' at first " << times[static_cast<std::size_t>(named[0].step)]
             << ", first " << named[0].observed
             << " point pointtype 6 pointsize 2.5 linecolor rgb '#c03020'\n";
    }
    script << "plot 'detect_series.dat' using 1:" << p + 2 << " with lines linecolor rgb '"
           << (is_score ? "#1f6fb4', 0 with lines dashtype 2 linecolor rgb '#c03020'" : "#203040'")
           << "\nunset label\n";
  }
  plot.draw(script.str());
}

void run(const std::string& path, double share, const Plot& plot) {
  const Table table = read_csv(path);
  const auto normal_rows = static_cast<std::size_t>(share * static_cast<double>(table.rows.size()));
  const Table normal = table.part(0, normal_rows), recent = table.part(normal_rows, table.rows.size());

  reprise::Detector detector;
  detector.fit(normal.rows, normal.info);
  std::cout << detector.report() << '\n';

  const reprise::Findings findings = detector.detect(recent.rows, recent.info);
  std::cout << findings << '\n';
  draw(plot, recent, findings);
}

}  // namespace

int main(int argc, char** argv) {
  std::string path, output = "detect_series_output", picture;
  double share = 2.0 / 3.0;
  CLI::App app("Finds what in the last rows of a CSV file is not like the rows before");
  app.add_option("csv", path, "A header, then in each row a time stamp and numbers; without it one is made");
  app.add_option("--normal", share, "The share of the rows, the first ones, that show what is normal")
      ->capture_default_str();
  app.add_option("--output", output, "The directory to write detect_series.png, its data and its script into")
      ->capture_default_str();
  app.add_option("--picture", picture, "Where to draw the picture, if not in the output directory");
  CLI11_PARSE(app, argc, argv);
  try {
    const Plot plot(output, "detect_series", picture);
    if (path.empty()) make_csv(path = output + "/pump.csv");
    run(path, share, plot);
  } catch (const std::exception& error) {
    std::cerr << "detect_series: " << error.what() << '\n';
    return 1;
  }
}
