#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

#include <reprise/baselines/baseline_report.hpp>
#include <reprise/detection/detector_report.hpp>
#include <reprise/detection/episodes.hpp>
#include <reprise/detection/window_lengths.hpp>
#include <reprise/reprise.hpp>

#include "decimal_comma.hpp"
#include "errors.hpp"

namespace {

reprise::Autoencoder<float> model(reprise::Index units = 3) {
  return reprise::Autoencoder<float>(
      {.steps = 4, .encoder = {{.units = units}}, .decoder = {{.units = units}}});
}

reprise::Windows windows() {
  std::vector<float> series;
  for (int t = 0; t < 40; ++t) series.push_back(0.3f * static_cast<float>(t * t % 7));
  return reprise::sliding_windows(series, {.length = 4});
}

/// One of each that has `operator<<`, with numbers that have a point and numbers above 1,000.
void print_all(std::ostream& out) {
  static const reprise::Summary summary = model(64).summary();
  out << summary;
  reprise::Explanation explanation;
  explanation.window = 12345;
  explanation.score = 1234.5;
  explanation.observed = reprise::Matrix<double>::Constant(2, 2, 1234.25);
  explanation.expected = reprise::Matrix<double>::Constant(2, 2, 0.25);
  explanation.parts = reprise::Matrix<double>::Constant(2, 2, 0.25);
  explanation.step_shares = reprise::Vector<double>::Constant(2, 0.5);
  explanation.feature_shares = reprise::Vector<double>::Constant(2, 0.5);
  out << explanation;
  out << reprise::SeriesReport{.constant_features = {1234},
                               .suspect_values = 12345,
                               .suspects = {{.step = 45678, .feature = 1234, .value = -9999.5}}};
  out << reprise::ThresholdTable{
      .rows = {{.rule = "mad(5)", .threshold = 1234.5, .flagged = 12345, .false_alarms_per_1000 = 0.25}},
      .calibration_scores = 23456,
      .scores = 34567};
  out << reprise::BaselineTable{.rows = {{.method = "model", .error = 1234.5, .ratio = 1.5, .roc_auc = 0.75}},
                                .held_out_windows = 12345,
                                .test_windows = 23456};
  out << reprise::DetectorReport{.rows = 12345,
                                 .features = 1234,
                                 .lengths = {1200, 2400},
                                 .gap = 1200,
                                 .blocks = 1234,
                                 .block = 2400,
                                 .threshold = {.rate = 0.25, .status = reprise::CalibrationStatus::promised}};
  out << reprise::Episode{.start = 12345, .end = 23456, .peak = 12346, .score = 1.5, .p_value = 0.25};
  out << reprise::WindowLengths{.lengths = {1200, 2400}, .period = 1200, .unexplained = 0.25};
}

std::string printed() {
  std::ostringstream out;
  print_all(out);
  return out.str();
}

std::string csv_log() {
  const test::TemporaryDirectory directory;
  const std::string path = (directory / "log.csv").string();
  model().fit(windows(), {.epochs = 2, .validation_split = 0.2, .callbacks = {reprise::CsvLog{path}}});
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// All that the library writes as text, piece by piece.
const std::vector<std::function<std::string()>> texts = {
    printed,
    csv_log,
    [] { return test::error_of([] { model().fit(windows(), {.validation_split = 1.5}); }); },
    [] { return reprise::options_text(reprise::Adam{.learning_rate = 1.5e-3}); },
    [] { return reprise::threshold::mad(5.5).description(); },
    [] { return reprise::detail::number_text(1234.5) + reprise::detail::fixed_text(1234.5, 2); },
    [] { return reprise::detail::number_text(1234.5, 6) + reprise::detail::shortest_by_trial(1234.5); },
};

std::vector<std::string> all_texts() {
  std::vector<std::string> result;
  for (const auto& text : texts) result.push_back(text());
  return result;
}

}  // namespace

TEST_CASE("locale: C's decimal comma, or a point of two bytes, changes no text") {
  const std::vector<std::string> plain = all_texts();
  for (const char* point : {"002C", "066B"}) {
    const test::DecimalComma comma(point);
    if (!comma.is_there) return;
    char text[20];
    std::snprintf(text, sizeof text, "%.1f", 0.5);
    REQUIRE(std::string(text) != "0.5");
    const std::vector<std::string> under_comma = all_texts();
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(under_comma[i] == plain[i]);
  }
}

TEST_CASE("locale: a global locale of C++ with a decimal comma and thousands changes no text") {
  const std::vector<std::string> plain = all_texts();
  const std::locale before =
      std::locale::global(std::locale(std::locale::classic(), new test::CommaPunctuation));
  std::ostringstream sample;
  sample << 1234.5;
  const std::vector<std::string> under_comma = all_texts();
  std::locale::global(before);
  REQUIRE(sample.str() == "1.234,5");
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(under_comma[i] == plain[i]);
}

TEST_CASE("locale: a named global locale, which C follows, changes no text") {
  const std::vector<std::string> plain = all_texts();
  const test::DecimalComma comma("002C", true);
  if (!comma.is_there) return;
  std::ostringstream sample;
  sample << 1234.5;
  REQUIRE(sample.str() == "1.234,5");
  const std::vector<std::string> under_comma = all_texts();
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(under_comma[i] == plain[i]);
}

TEST_CASE("locale: a stream that is imbued with one writes the same, in hexadecimal mode too") {
  std::ostringstream out;
  out.imbue(std::locale(std::locale::classic(), new test::CommaPunctuation));
  out << std::hex << std::showbase;
  print_all(out);
  CHECK(out.str() == printed());
}
