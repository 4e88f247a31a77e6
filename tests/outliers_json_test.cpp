#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <reprise/io/outliers_json.hpp>
#include <string>
#include <vector>

namespace {

using namespace reprise;
using Json = nlohmann::ordered_json;

template <typename Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<double> calibration_scores() {
  std::vector<double> scores;
  for (int i = 1; i <= 999; ++i) scores.push_back(std::pow(-std::log(i / 1000.0), 1.3) / 7);
  return scores;
}

std::vector<Threshold> every_rule() {
  return {threshold::manual(-0.1),
          threshold::quantile(0.9),
          threshold::standard_deviations(3),
          threshold::mad(1.0 / 3),
          threshold::iqr(1.5),
          threshold::factor(1.1, threshold::Statistic::max),
          threshold::factor(1.1, threshold::Statistic::mean),
          threshold::factor(1.1, threshold::Statistic::median),
          threshold::max_factor(1.2),
          threshold::f_beta(0.5, {0.1, 0.2, 0.7, 0.3}, {0, 0, 1, 1}),
          threshold::pot(1e-4, 0.97),
          threshold::conformal(0.013)};
}

class TemporaryFile {
 public:
  TemporaryFile() : path_(std::filesystem::temp_directory_path() / "reprise_outliers_json_test.json") {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("outliers json: every rule comes back with the same bits") {
  const auto scores = calibration_scores();
  REQUIRE(every_rule().size() == std::variant_size_v<Threshold::Rule> - 1 + 2);  // no callable; three factors
  for (const Threshold& rule : every_rule()) {
    const std::string text = to_json_text(rule);
    CAPTURE(text);
    const auto loaded = from_json_text<Threshold>(text);
    CHECK(loaded.name() == rule.name());
    CHECK(loaded.description() == rule.description());
    CHECK(loaded.fit(scores) == rule.fit(scores));
    CHECK(to_json_text(loaded) == text);

    OutlierScorer scorer(rule);
    const auto uncalibrated = from_json_text<OutlierScorer>(to_json_text(scorer));
    CHECK_FALSE(uncalibrated.is_calibrated());
    scorer.calibrate(scores);
    const auto again = from_json_text<OutlierScorer>(to_json_text(scorer));
    CHECK(again.threshold() == scorer.threshold());
    CHECK(again.calibration_scores() == scorer.calibration_scores());
  }
}

TEST_CASE("outliers json: through a file") {
  const TemporaryFile file;
  OutlierScorer scorer{threshold::pot(1e-3)};
  scorer.calibrate(calibration_scores());
  save(scorer, file.path());
  CHECK(load<OutlierScorer>(file.path()).threshold() == scorer.threshold());
  CHECK(contains(message_of([&] { load<Threshold>(file.path()); }), file.path().string()));
  save(Threshold(threshold::mad(3)), file.path());
  CHECK(load<Threshold>(file.path()).description() == "median + 3 MAD");
  CHECK_THROWS_AS(save(Threshold(threshold::custom([](auto) { return 1.0; })), file.path()), Error);
  CHECK(load<Threshold>(file.path()).name() == "mad");  // the old file stands
  CHECK(contains(message_of([] { load<Threshold>("/nonexistent/threshold.json"); }), "/nonexistent"));
  CHECK_THROWS_AS(load<Threshold>(std::filesystem::temp_directory_path()), FileError);
  std::ofstream(file.path()).close();
  CHECK_THROWS_AS(load<Threshold>(file.path()), FileError);
}

TEST_CASE("outliers json: a callable cannot be saved") {
  const Threshold rule = threshold::custom([](auto) { return 1.0; }, "mine");
  std::string message;
  try {
    to_json_text(rule);
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK(contains(message, "a callable (mine)"));
  CHECK_THROWS_AS(to_json_text(OutlierScorer(rule)), Error);
}

TEST_CASE("outliers json: every member that is missing, of another type, or too much is refused") {
  OutlierScorer scorer{threshold::mad(3)};
  scorer.calibrate(calibration_scores());
  const Json whole = Json::parse(to_json_text(scorer));
  CHECK_NOTHROW(from_json_text<OutlierScorer>(whole.dump()));
  std::vector<Json> wrong;
  for (const auto& member : whole.items()) {
    Json json = whole;
    json.erase(member.key());
    wrong.push_back(json);
    for (const Json& value :
         {Json(nullptr), Json(true), Json("text"), Json(-7), Json::object(), Json::array({"x"})}) {
      json[member.key()] = value;
      wrong.push_back(json);
    }
  }
  for (const Threshold& rule : every_rule()) {
    Json json = whole;
    const Json inner = Json::parse(to_json_text(rule))["threshold"];
    for (const auto& member : inner.items()) {
      json["threshold"] = inner;
      json["threshold"].erase(member.key());
      wrong.push_back(json);
      for (const Json& value :
           {Json(nullptr), Json(true), Json("text"), Json::array({2}), Json(), Json("NaN")}) {
        json["threshold"] = inner;
        json["threshold"][member.key()] = value;
        wrong.push_back(json);
      }
    }
    json["threshold"] = inner;
    json["threshold"]["more"] = 1;
    wrong.push_back(json);
  }
  Json json = whole;
  json["more"] = 1;
  wrong.push_back(json);
  json = whole;
  json["calibration_scores"][3] = -1;
  wrong.push_back(json);
  json["calibration_scores"] = {1, 1, 1, 1};  // no spread
  wrong.push_back(json);
  json = whole;
  json["threshold"]["k"] = -3;
  wrong.push_back(json);
  json = whole;
  json["version"] = 2;
  wrong.push_back(json);
  for (const Json& one : wrong) {
    const std::string text = one.dump();
    CAPTURE(text.substr(0, 200));
    CHECK_THROWS_AS(from_json_text<OutlierScorer>(text), FileError);
  }
  for (const std::string text : {"", "{", "[]", "1", "null", "{}", "{\"format\":1}"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(from_json_text<OutlierScorer>(text), FileError);
    CHECK_THROWS_AS(from_json_text<Threshold>(text), FileError);
  }
  const std::string good = to_json_text(Threshold(threshold::mad(3)));
  CHECK_THROWS_AS(from_json_text<Threshold>(good.substr(0, good.size() - 1)), FileError);
  CHECK_THROWS_AS(from_json_text<OutlierScorer>(good), FileError);
  const std::string huge =
      "{\"format\":\"reprise threshold\",\"version\":1,\"threshold\":{\"rule\":\"mad\",\"k\":1e999}}";
  CHECK_THROWS_AS(from_json_text<Threshold>(huge), FileError);
  CHECK(contains(message_of([] {
                   from_json_text<Threshold>(
                       "{\"format\":\"reprise threshold\",\"version\":1,\"threshold\":{\"rule\":\"pot\","
                       "\"risk\":2,\"level\":0.9}}");
                 }),
                 "threshold::pot"));
}
