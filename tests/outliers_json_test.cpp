#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <reprise/core/random.hpp>
#include <reprise/io/outliers_json.hpp>
#include <string>
#include <vector>

#include "temporary_directory.hpp"

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

/// The document with the checksum that a program which meant to write just this would have written.
std::string signed_text(Json json) {
  json.erase("checksum");
  std::string text = json.dump();
  text.pop_back();
  reprise::detail::Checksum checksum;
  checksum.add(text.data(), text.size());
  return text + ",\"checksum\":\"" + checksum.hexadecimal() + "\"}";
}

/// A document of which any bit is flipped is refused.
template <typename T>
void check_bits_flipped(const T& value) {
  std::string text = to_json_text(value);
  CHECK_NOTHROW(from_json_text<T>(text));
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    const char before = text[bit / 8];
    text[bit / 8] = static_cast<char>(before ^ (1 << (bit % 8)));
    CAPTURE(text);
    CHECK_THROWS_AS(from_json_text<T>(text), FileError);
    text[bit / 8] = before;
  }
}

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
  const test::TemporaryDirectory directory;
  const std::filesystem::path file = directory / "rule.json";
  OutlierScorer scorer{threshold::pot(1e-3)};
  scorer.calibrate(calibration_scores());
  save(scorer, file);
  CHECK(load<OutlierScorer>(file).threshold() == scorer.threshold());
  CHECK(contains(message_of([&] { load<Threshold>(file); }), file.string()));
  save(Threshold(threshold::mad(3)), file);
  CHECK(load<Threshold>(file).description() == "median + 3 MAD");
  CHECK_THROWS_AS(save(Threshold(threshold::custom([](auto) { return 1.0; })), file), Error);
  CHECK(load<Threshold>(file).name() == "mad");  // the old file stands
  CHECK(contains(message_of([] { load<Threshold>("/nonexistent/threshold.json"); }), "/nonexistent"));
  CHECK_THROWS_AS(load<Threshold>(directory.path), FileError);
  std::ofstream(file).close();
  CHECK_THROWS_AS(load<Threshold>(file), FileError);
}

TEST_CASE("outliers json: a scorer whose tail could not be calibrated any more is read") {
  std::vector<double> heavy;
  for (int i = 0; i < 1000; ++i) heavy.push_back(std::pow(1.0 - (i + 0.5) / 1000.0, -2.0));
  OutlierScorer scorer{threshold::pot(1e-3)};
  CHECK_THROWS_AS(scorer.calibrate(heavy), Error);
  scorer = OutlierScorer{threshold::quantile(0.9)};
  scorer.calibrate(heavy);
  // As 0.1 wrote it.
  Json document = Json::parse(to_json_text(scorer));
  document["version"] = 1;
  document.erase("checksum");
  document["threshold"] = Json::parse(to_json_text(Threshold(threshold::pot(1e-3))))["threshold"];
  const auto read = from_json_text<OutlierScorer>(document.dump());
  CHECK(read.calibration_scores() == scorer.calibration_scores());
  CHECK(read.threshold() == fit_pot_tail(heavy).value_at(1e-3));
  CHECK(from_json_text<OutlierScorer>(to_json_text(read)).threshold() == read.threshold());
}

TEST_CASE("outliers json: labelled scores may be infinite") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Threshold rule = threshold::f_beta(1, {0.1, 0.2, infinity}, {0, 1, 1});
  const std::string text = to_json_text(rule);
  CHECK(contains(text, "null"));
  CHECK(to_json_text(from_json_text<Threshold>(text)) == text);
  CHECK(from_json_text<Threshold>(text).fit({}) == 0.1);
}

TEST_CASE("outliers json: a document needs its checksum, which covers all that stands before it") {
  check_bits_flipped(Threshold(threshold::f_beta(0.5, {0.1, 0.2, 0.7, 0.3}, {0, 0, 1, 1})));
  OutlierScorer scorer{threshold::mad(1.0 / 3)};
  scorer.calibrate(std::vector<double>{0.1, 0.30000000000000004, 0.2, 1.0 / 3});
  check_bits_flipped(scorer);
  check_bits_flipped(Mahalanobis({.ridge = 0.1, .shrinkage = 0.2}));

  Json json = Json::parse(to_json_text(Threshold(threshold::mad(3))));
  CHECK_NOTHROW(from_json_text<Threshold>(signed_text(json)));
  CHECK(from_json_text<Threshold>(json.dump()).name() == "mad");
  json["threshold"]["k"] = 4.0;
  CHECK(contains(message_of([&] { from_json_text<Threshold>(json.dump()); }), "JSON.checksum: expected "));
  json.erase("checksum");
  CHECK(contains(message_of([&] { from_json_text<Threshold>(json.dump()); }), "a member checksum, got none"));
  json["version"] = 1;  // of which documents have none
  CHECK_NOTHROW(from_json_text<Threshold>(json.dump()));
  const std::string good = to_json_text(Threshold(threshold::mad(3)));
  CHECK_THROWS_AS(from_json_text<Threshold>(good.substr(0, good.size() - 1) + ",\"more\":1}"), FileError);
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
  CHECK_NOTHROW(from_json_text<OutlierScorer>(signed_text(whole)));
  std::vector<Json> wrong;
  for (const auto& member : whole.items()) {
    if (member.key() == "checksum") continue;
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
  json["version"] = 3;
  wrong.push_back(json);
  for (const Json& one : wrong) {
    const std::string text = signed_text(one);
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

namespace {

std::vector<double> exponential_values(std::size_t count, std::uint32_t key) {
  RandomStream random(5, Purpose::other, key);
  std::vector<double> values(count);
  for (double& value : values) value = -std::log(1.0 - random.uniform());
  return values;
}

/// A copy through JSON goes on as the rule itself, bit for bit, from any place in its stream.
template <typename Rule>
void check_goes_on(Rule rule) {
  const auto stream = exponential_values(900, 2);
  for (std::size_t i = 0; i < 450; ++i) {
    rule.step(stream[i]);
    if (i % 150 != 4) continue;
    const std::string text = to_json_text(rule);
    Rule copy = from_json_text<Rule>(text), original = rule;
    CHECK(to_json_text(copy) == text);
    for (std::size_t j = i + 1; j < stream.size(); ++j) {
      const StreamStep found = copy.step(stream[j]), expected = original.step(stream[j]);
      REQUIRE(found.status == expected.status);
      REQUIRE(found.threshold == expected.threshold);
    }
    CHECK(to_json_text(copy) == to_json_text(original));
    CHECK(to_json_text(copy) != text);
  }
}

/// Each member left out, and of other types and values; `at` leads to the object that holds it.
std::vector<Json> damaged(const Json& whole, const Json::json_pointer& at) {
  std::vector<Json> result;
  for (const auto& member : whole[at].items()) {
    if (member.key() == "checksum") continue;
    Json json = whole;
    json[at].erase(member.key());
    result.push_back(json);
    for (const Json& value : {Json(-7), Json(1e300), Json("text"), Json::object(), Json::array({"x"})}) {
      json[at][member.key()] = value;
      result.push_back(json);
    }
  }
  Json json = whole;
  json[at]["more"] = 1;
  result.push_back(json);
  return result;
}

template <typename T>
void check_refused(const std::vector<Json>& wrong) {
  for (const Json& json : wrong) {
    const std::string text = signed_text(json);
    CAPTURE(text.substr(0, 300));
    CHECK_THROWS_AS(from_json_text<T>(text), FileError);
  }
}

}  // namespace

TEST_CASE("outliers json: rules over streams go on where they were") {
  const auto calibration = exponential_values(800, 1);
  for (const bool corrected : {false, true}) {
    SpotOptions options{.risk = 1e-3, .level = 0.9, .max_excess = 50, .refit_every = 3};
    options.correct_truncation = corrected;
    check_goes_on(Spot(calibration, options));
    check_goes_on(Dspot(calibration, {.depth = 7, .spot = options}));
  }
  check_goes_on(Spot(calibration));  // a ring that is not full
}

TEST_CASE("outliers json: a damaged rule over a stream is refused") {
  const auto calibration = exponential_values(800, 1);
  const Spot spot(calibration, {.risk = 1e-3, .level = 0.9, .max_excess = 30});
  const Json whole = Json::parse(to_json_text(spot));
  auto wrong = damaged(whole, Json::json_pointer("/spot"));
  // Numbers that are no nonsense by themselves: a shape or place of tails that may be negative or large.
  std::erase_if(wrong, [](const Json& json) {
    if (!json.contains("spot")) return false;
    const Json& inner = json["spot"];
    if (!inner.contains("alarms")) return true;  // came after 0.1
    const auto is = [&](const char* member, double value) {
      return inner.contains(member) && inner[member] == Json(value);
    };
    return is("shape", -7.0) || is("shape", 1e300) || is("scale", 1e300) || is("tail_threshold", -7.0) ||
           is("threshold", 1e300);
  });
  CHECK(wrong.size() > 80);
  const auto with = [&](const char* member, const Json& value) {
    Json json = whole;
    json["spot"][member] = value;
    wrong.push_back(json);
  };
  with("next", 30);
  with("max_excess", 9);
  with("max_excess", 20'000'000);
  with("unfitted", 1);
  with("tail_excesses", 29);
  with("tail_count", 40);
  with("excesses", std::vector<double>(30, -1.0));
  with("limits", std::vector<double>(30, 0.0));
  with("limits", std::vector<double>(29, 9.0));
  with("level", 0.9999);
  check_refused<Spot>(wrong);

  const Dspot dspot(calibration, {.depth = 7});
  const Json whole_dspot = Json::parse(to_json_text(dspot));
  wrong = damaged(whole_dspot, Json::json_pointer(""));
  Json json = whole_dspot;
  json["next"] = 7;
  wrong.push_back(json);
  json["next"] = 0;
  json["last"] = Json::array();
  wrong.push_back(json);
  check_refused<Dspot>(wrong);
  CHECK_THROWS_AS(from_json_text<Dspot>(whole.dump()), FileError);
}

TEST_CASE("outliers json: Mahalanobis comes back with the same bits") {
  RandomStream random(5, Purpose::other, 9);
  Matrix<double> errors(60, 3);
  for (double& value : errors.reshaped()) value = random.normal();
  errors.col(2) += 0.7 * errors.col(0);
  Mahalanobis scorer({.ridge = 0.1, .shrinkage = 0.2});
  CHECK_FALSE(from_json_text<Mahalanobis>(to_json_text(scorer)).is_fitted());
  scorer.fit(errors);
  const std::string text = to_json_text(scorer);
  const auto loaded = from_json_text<Mahalanobis>(text);
  CHECK(loaded.scores(errors) == scorer.scores(errors));
  CHECK(loaded.decompose(errors) == scorer.decompose(errors));
  CHECK(loaded.options().ridge == 0.1);
  CHECK(loaded.options().shrinkage == 0.2);
  CHECK(to_json_text(loaded) == text);

  const Json whole = Json::parse(text);
  auto wrong = damaged(whole, Json::json_pointer(""));
  std::erase_if(wrong,
                [](const Json& json) { return json.contains("ridge") && json["ridge"] == Json(1e300); });
  Json json = whole;
  json["covariance"][0][1] = 0.5;  // no longer symmetric
  wrong.push_back(json);
  json = whole;
  json["covariance"][1].push_back(1);
  wrong.push_back(json);
  json = whole;
  json["covariance"] = {{1, 1, 0}, {1, 1, 0}, {0, 0, 1}};  // singular
  wrong.push_back(json);
  json["covariance"] = {{1, 0, 0}, {0, 0, 0}, {0, 0, 1}};
  wrong.push_back(json);
  json = whole;
  json["mean"].push_back(1);
  wrong.push_back(json);
  check_refused<Mahalanobis>(wrong);
}
