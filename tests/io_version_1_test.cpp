#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <reprise/io/outliers_json.hpp>
#include <reprise/io/safetensors.hpp>
#include <string>
#include <vector>

// Files that release 0.1.0 wrote are read for ever. They stand in safetensors/version_1 with what they must
// read as; write.cpp there wrote them.
namespace {

using namespace reprise;
using Json = nlohmann::json;

const std::filesystem::path here = std::filesystem::path(__FILE__).parent_path() / "safetensors/version_1";

const Json& expected() {
  static const Json json = [] {
    std::ifstream file(here / "expected.json");
    return Json::parse(file);
  }();
  return json;
}

Windows some_windows() {
  std::vector<double> series;
  for (int t = 0; t < 60; ++t) series.push_back(std::sin(0.7 * t) + 0.1 * (t % 5));
  return sliding_windows(series, {.length = 4});
}

template <typename Scalar>
void check_model(const std::string& name, const Json& should) {
  auto model = load<Autoencoder<Scalar>>(here / name);
  const double tolerance = sizeof(Scalar) == sizeof(float) ? 1e-5 : 1e-11;
  const auto weights = should["weights"].get<std::vector<double>>();
  REQUIRE(model.weights().size() == static_cast<Index>(weights.size()));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CHECK(model.weights()[static_cast<Index>(i)] == static_cast<Scalar>(weights[i]));
  }
  CHECK(model.evaluate(some_windows()) ==
        doctest::Approx(should["evaluate"].get<double>()).epsilon(tolerance));
  REQUIRE(model.training_state().optimizer.has_value() == should.contains("step"));
  if (!should.contains("step")) return;
  CHECK(model.training_state().moments.step == should["step"].get<Index>());
  CHECK(model.training_state().epochs == should["epochs"].get<Index>());
  CHECK(model.training_state().learning_rate_scale == should["learning_rate_scale"].get<double>());
  // Moments, counters and options all decide this loss.
  FitOptions options{
      .epochs = 1, .batch_size = 16, .optimizer = *model.training_state().optimizer, .seed = 7};
  const double loss = model.fit(some_windows(), options).loss[0];
  CHECK(loss == doctest::Approx(should["next_loss"].get<double>()).epsilon(tolerance));
}

template <typename Rule>
void check_stream(const char* name, double tolerance = 1e-9) {
  CAPTURE(name);
  auto rule = load<Rule>(here / name);
  const auto thresholds = expected()[name]["thresholds"].get<std::vector<double>>();
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    const double x = 0.4 + 0.6 * std::sin(1.1 * static_cast<double>(i));
    CHECK(rule.step(x).threshold == doctest::Approx(thresholds[i]).epsilon(tolerance));
  }
}

}  // namespace

TEST_CASE("files of version 0.1: models") {
  int models = 0;
  for (const auto& entry : expected().items()) {
    CAPTURE(entry.key());
    if (!entry.value().contains("weights")) continue;
    ++models;
    if (entry.value()["scalar"] == "float") {
      check_model<float>(entry.key(), entry.value());
    } else {
      check_model<double>(entry.key(), entry.value());
    }
  }
  CHECK(models == 8);
}

TEST_CASE("files of version 0.1: rules for thresholds, and scorers") {
  const auto scores = expected()["outlier_scorer.json"]["scores"].get<std::vector<double>>();
  int rules = 0;
  for (const auto& entry : expected().items()) {
    if (!entry.value().contains("description")) continue;
    CAPTURE(entry.key());
    ++rules;
    const auto rule = load<Threshold>(here / entry.key());
    CHECK(entry.key().find(rule.name()) != std::string::npos);
    CHECK(rule.fit(scores) == doctest::Approx(entry.value()["fit"].get<double>()).epsilon(1e-9));
  }
  CHECK(rules == 12);
  CHECK_FALSE(load<OutlierScorer>(here / "outlier_scorer_uncalibrated.json").is_calibrated());
  const auto scorer = load<OutlierScorer>(here / "outlier_scorer.json");
  auto sorted = scores;
  std::sort(sorted.begin(), sorted.end());
  CHECK(scorer.calibration_scores() == sorted);
  CHECK(scorer.threshold() ==
        doctest::Approx(expected()["outlier_scorer.json"]["threshold"].get<double>()).epsilon(1e-9));

  Matrix<double> errors(20, 2);
  for (Index t = 0; t < 20; ++t) {
    const auto time = static_cast<double>(t);
    errors(t, 0) = std::sin(3.0 * time);
    errors(t, 1) = std::cos(7.0 * time * time) + 0.5 * errors(t, 0);
  }
  CHECK_FALSE(load<Mahalanobis>(here / "mahalanobis_unfitted.json").is_fitted());
  const auto distances = load<Mahalanobis>(here / "mahalanobis.json").scores(errors);
  for (std::size_t t = 0; t < 20; ++t) {
    CHECK(distances[t] ==
          doctest::Approx(expected()["mahalanobis.json"]["scores"][t].get<double>()).epsilon(1e-9));
  }
}

TEST_CASE("files of version 0.1: rules over streams go on") {
  // 0.1 let the fits of these few excesses take shapes below -1, where the likelihood has no maximum.
  check_stream<Spot>("spot.json", 5e-3);
  check_stream<Spot>("spot_corrected.json", 5e-3);
  check_stream<Dspot>("dspot.json", 5e-3);
}
