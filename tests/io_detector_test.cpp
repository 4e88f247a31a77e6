#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <reprise/detection/detector.hpp>
#include <reprise/io/safetensors.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "errors.hpp"
#include "temporary_directory.hpp"
#include "waves.hpp"

namespace {

using namespace reprise;
using test::contains;
using test::error_of;

constexpr test::Waves waves{.seed = 21};
/// Networks that are trained in no time.
constexpr NetworkInSeriesOptions small{
    .steps = 5, .units = 6, .code = 3, .updates = 4, .batch_size = 16, .most_states = 40};

std::string text_of(const DetectorReport& report) {
  std::ostringstream out;
  out << report;
  return out.str();
}
std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("detector's file: gives the detector back, whose scores have the same bits") {
  const test::TemporaryDirectory directory;
  Matrix<double> training = waves(900, 2);
  training(450, 1) = -9999.0;  // a fault code, of which the report tells
  training.col(0).array() *= 1e-3;
  const Matrix<double> series = waves(600, 2, 2);
  for (const DetectorOptions& options :
       {DetectorOptions{},
        DetectorOptions{.lengths = {10, 30},
        .views = {View::mean_removed},
        .false_alarms = 2.5,
        .extrapolate = true,
        .threads = 2},
        DetectorOptions{.lengths = {10, 30}, .networks = 0.5, .network = small},
        DetectorOptions{.lengths = {20}, .networks = 1.0, .network = small}}) {
    const Detector detector = Detector(options).fit(training);
    save(detector, directory / "detector");
    const auto loaded = load<Detector>(directory / "detector");
    CHECK(loaded.options() == options);
    CHECK(loaded.report() == detector.report());
    CHECK(text_of(loaded.report()) == text_of(detector.report()));
    CHECK(loaded.report().series.suspect_values == 1);
    CHECK(loaded.calibration().largest() == detector.calibration().largest());
    CHECK(loaded.calibration().block() == detector.calibration().block());
    const Findings expected = detector.detect(series), got = loaded.detect(series);
    CHECK(got.scores == expected.scores);
    REQUIRE(got.episodes.size() == expected.episodes.size());
    for (std::size_t i = 0; i < got.episodes.size(); ++i) {
      CHECK(got.episodes[i].start == expected.episodes[i].start);
      CHECK(got.episodes[i].p_value == expected.episodes[i].p_value);
    }
    // And a file of what was loaded is the same file.
    save(loaded, directory / "again");
    CHECK(bytes_of(directory / "again") == bytes_of(directory / "detector"));
  }
}

TEST_CASE("detector's file: without verdicts too, and it says that it holds the training series") {
  const test::TemporaryDirectory directory;
  const Detector detector = Detector().fit(waves(120, 1));
  REQUIRE_FALSE(detector.has_verdicts());
  CHECK(contains(text_of(detector.report()), "trained on 120 rows of 1 feature, which a file of this"));
  save(detector, directory / "detector");
  CHECK_FALSE(load<Detector>(directory / "detector").has_verdicts());
  CHECK(std::filesystem::file_size(directory / "detector") > 120 * sizeof(double));
}

TEST_CASE("detector's file: refused in words") {
  const test::TemporaryDirectory directory;
  const auto file = directory / "detector";
  const auto refusal = [&](const std::filesystem::path& path) {
    return error_of([&] { static_cast<void>(load<Detector>(path)); });
  };
  CHECK(contains(error_of([&] { save(Detector(), file); }), "expected fit() before it"));
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(contains(refusal(file), "expected a file, got none of that name"));

  save(Autoencoder<float>({.steps = 4, .encoder = {{.units = 2}}, .decoder = {{.units = 2}}}), file);
  CHECK(contains(refusal(file), "model: expected Detector, got \"Autoencoder\""));
  write_bytes(file, "time,value\n2026-01-01,1\n");
  CHECK(contains(refusal(file), "expected a header of at most"));

  save(Detector().fit(waves(300, 1)), file);
  CHECK(contains(error_of([&] { static_cast<void>(load<Autoencoder<float>>(file)); }),
                 "model: expected Autoencoder, got \"Detector\""));
  const std::string good = bytes_of(file);
  write_bytes(file, good.substr(0, good.size() - 1));
  CHECK(contains(refusal(file), "bytes of data"));
  std::string damaged = good;
  damaged[good.size() - 5] = static_cast<char>(damaged[good.size() - 5] ^ 4);
  write_bytes(file, damaged);
  CHECK(contains(refusal(file), "checksum: expected"));
  // A save that fails leaves the file as it is.
  write_bytes(file, good);
  CHECK(contains(error_of([&] { save(Detector(), file); }), "fit() before it"));
  CHECK(bytes_of(file) == good);
}

TEST_CASE("detector's file: what its parts refuse") {
  const auto refusal = [](std::vector<double> largest, Index block) {
    return error_of([&] { BlockCalibration::from_largest(std::move(largest), block); });
  };
  CHECK(contains(refusal({}, 5), "at least one block"));
  CHECK(contains(refusal({1, 2}, 5), "the highest first, got 2 at 1"));
  CHECK(contains(refusal({1}, 0), "block > 0"));
  const BlockCalibration fitted(std::vector<double>{1, 5, 3, 3, 2, 0}, 2);
  const BlockCalibration same = BlockCalibration::from_largest(fitted.largest(), 2);
  CHECK(same.promised(300.0).value == fitted.promised(300.0).value);
  CHECK(same.p_value(4.0) == fitted.p_value(4.0));
  CHECK_NOTHROW(ErrorScale().validate());
}
