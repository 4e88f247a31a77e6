#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <reprise/baselines/nearest_window.hpp>
#include <reprise/baselines/pca.hpp>
#include <reprise/evaluation/event_table.hpp>
#include <reprise/evaluation/metrics.hpp>
#include <reprise/scores/chi_square.hpp>
#include <reprise/scores/error_vectors.hpp>
#include <reprise/scores/in_blocks.hpp>
#include <reprise/scores/mahalanobis.hpp>
#include <reprise/streams/dspot.hpp>
#include <reprise/streams/martingale.hpp>
#include <reprise/streams/spot.hpp>
#include <reprise/streams/telemanom.hpp>
#include <reprise/thresholds/conformal.hpp>
#include <reprise/thresholds/fit_generalized_pareto.hpp>
#include <reprise/thresholds/p_values.hpp>
#include <reprise/thresholds/pot.hpp>
#include <reprise/thresholds/pot_tail.hpp>
#include <reprise/thresholds/thresholds.hpp>
#include <string>
#include <vector>

// Numbers of outliers/make_golden.py, worked out by scikit-learn, SciPy and NumPy.
namespace {

using namespace reprise;
using doctest::Approx;
using Json = nlohmann::json;

const Json& golden() {
  static const Json json = [] {
    std::ifstream file(std::string(REPRISE_OUTLIERS_GOLDEN_DIR) + "/outliers.json");
    return Json::parse(file);
  }();
  return json;
}

std::vector<double> numbers(const Json& json) { return json.get<std::vector<double>>(); }
Labels labels(const Json& json) { return json.get<std::vector<int>>(); }
/// Equal to about 1e-12.
Approx exactly(const Json& json) { return Approx(json.get<double>()).epsilon(1e-12); }

Matrix<double> matrix(const Json& rows) {
  Matrix<double> result(static_cast<Index>(rows.size()), static_cast<Index>(rows.at(0).size()));
  for (Index i = 0; i < result.rows(); ++i) {
    for (Index j = 0; j < result.cols(); ++j) {
      result(i, j) = rows.at(static_cast<std::size_t>(i)).at(static_cast<std::size_t>(j)).get<double>();
    }
  }
  return result;
}

const char* name_of(StreamStatus status) {
  switch (status) {
    case StreamStatus::normal: return "normal";
    case StreamStatus::excess: return "excess";
    case StreamStatus::alarm: return "alarm";
    case StreamStatus::warming_up: return "warming_up";
    default: return "invalid";
  }
}

template <typename Rule>
void check_stream(Rule& rule, const Json& json) {
  const std::vector<double> stream = numbers(json["stream"]);
  REQUIRE(stream.size() >= 500);
  for (std::size_t i = 0; i < stream.size(); ++i) {
    CAPTURE(i);
    const StreamStep step = rule.step(stream[i]);
    CHECK(name_of(step.status) == json["status"][i].template get<std::string>());
    CHECK(step.threshold == Approx(json["threshold"][i].template get<double>()).epsilon(1e-8));
  }
}

}  // namespace

TEST_CASE("golden: metrics against scikit-learn") {
  REQUIRE(golden()["metrics"].size() >= 6);
  for (const Json& json : golden()["metrics"]) {
    CAPTURE(json["name"].get<std::string>());
    const std::vector<double> scores = numbers(json["scores"]);
    const Labels truth = labels(json["labels"]);
    CHECK(roc_auc(scores, truth) == exactly(json["roc_auc"]));
    CHECK(average_precision(scores, truth) == exactly(json["average_precision"]));
    const ConfusionTable table = confusion_table(scores, json["threshold"].get<double>(), truth);
    CHECK(table.true_negatives == json["confusion"][0].get<Index>());
    CHECK(table.false_positives == json["confusion"][1].get<Index>());
    CHECK(table.false_negatives == json["confusion"][2].get<Index>());
    CHECK(table.true_positives == json["confusion"][3].get<Index>());
    CHECK(table.precision() == exactly(json["precision"]));
    CHECK(table.recall() == exactly(json["recall"]));
    CHECK(table.f_beta(0.5) == exactly(json["f_half"]));
    CHECK(table.f1() == exactly(json["f1"]));
    CHECK(table.f_beta(2) == exactly(json["f2"]));
    CHECK(best_f1(scores, truth).f_beta == exactly(json["best_f1"]));
  }
}

TEST_CASE("golden: thresholds") {
  const Json& json = golden()["thresholds"];
  const std::vector<double> scores = numbers(json["scores"]);
  CHECK(threshold::iqr(json["iqr"]["k"].get<double>()).fit(scores) == exactly(json["iqr"]["value"]));
  const double factor = json["factor"]["factor"].get<double>();
  using threshold::Statistic;
  CHECK(threshold::factor(factor, Statistic::max).fit(scores) == exactly(json["factor"]["max"]));
  CHECK(threshold::factor(factor, Statistic::mean).fit(scores) == exactly(json["factor"]["mean"]));
  CHECK(threshold::factor(factor, Statistic::median).fit(scores) == exactly(json["factor"]["median"]));
  for (const Json& best : json["f_beta"]) {
    const double beta = best["beta"].get<double>();
    CHECK(threshold::f_beta(beta, scores, labels(json["labels"])).fit({}) == exactly(best["threshold"]));
    CHECK(best_f_beta(scores, labels(json["labels"]), beta).f_beta == exactly(best["f"]));
  }
  for (const Json& best : json["f_beta_ties"]) {
    const double beta = best["beta"].get<double>();
    CHECK(threshold::f_beta(beta, numbers(json["ties"]), labels(json["tie_labels"])).fit({}) ==
          exactly(best["threshold"]));
  }
}

TEST_CASE("golden: fits of the generalised Pareto distribution") {
  REQUIRE(golden()["pareto"].size() >= 6);
  for (const Json& json : golden()["pareto"]) {
    CAPTURE(json["name"].get<std::string>());
    const GeneralizedPareto fit = fit_generalized_pareto(numbers(json["excesses"]));
    CHECK(fit.shape == Approx(json["shape"].get<double>()).epsilon(1e-9));
    CHECK(fit.scale == Approx(json["scale"].get<double>()).epsilon(1e-9));
  }
}

TEST_CASE("golden: POT") {
  for (const Json& json : golden()["pot"]) {
    CAPTURE(json["name"].get<std::string>());
    const std::vector<double> scores = numbers(json["scores"]);
    const PotTail tail = fit_pot_tail(scores, json["level"].get<double>());
    CHECK(tail.threshold == exactly(json["quantile"]));
    CHECK(tail.excesses == json["excesses"].get<Index>());
    CHECK(tail.beyond.shape == Approx(json["shape"].get<double>()).epsilon(1e-8));
    CHECK(tail.beyond.scale == Approx(json["scale"].get<double>()).epsilon(1e-8));
    CHECK(threshold::pot(json["risk"].get<double>(), json["level"].get<double>()).fit(scores) ==
          Approx(json["threshold"].get<double>()).epsilon(1e-9));
    for (std::size_t i = 0; i < json["at"].size(); ++i) {
      const double expected = json["tail"][i].get<double>();
      CHECK(std::abs(tail.tail_probability(json["at"][i].get<double>()) - expected) <= 1e-7 * expected);
    }
  }
}

TEST_CASE("golden: SPOT and DSPOT as in the paper") {
  const Json& json = golden()["spot"];
  Spot spot(numbers(json["calibration"]), {.risk = json["risk"].get<double>(),
                                           .level = json["level"].get<double>(),
                                           .max_excess = json["max_excess"].get<Index>(),
                                           .correct_truncation = false});
  check_stream(spot, json);
  CHECK(spot.threshold() == Approx(json["last_threshold"].get<double>()).epsilon(1e-8));

  const Json& drifting = golden()["dspot"];
  Dspot dspot(numbers(drifting["calibration"]), {.depth = drifting["depth"].get<Index>(),
                                                 .spot = {.risk = drifting["risk"].get<double>(),
                                                          .level = drifting["level"].get<double>(),
                                                          .correct_truncation = false}});
  check_stream(dspot, drifting);
}

TEST_CASE("golden: telemanom") {
  std::size_t flagged = 0;
  for (const Json& json : golden()["telemanom"]["windows"]) {
    const TelemanomFindings findings =
        telemanom_window(numbers(json["errors"]), json["pruning"].get<double>());
    CHECK(findings.threshold == exactly(json["threshold"]));
    std::vector<Index> points;
    for (const IndexRange& run : findings.runs) {
      for (Index i = run.start; i < run.end; ++i) points.push_back(i);
    }
    CHECK(points == json["flagged"].get<std::vector<Index>>());
    flagged += points.size();
  }
  CHECK(flagged > 0);
  const Json& json = golden()["telemanom"]["stream"];
  const std::vector<double> scores = numbers(json["scores"]);
  const TelemanomOptions options{.window = json["window"].get<Index>(),
                                 .span = json["span"].get<Index>(),
                                 .pruning = json["pruning"].get<double>()};
  const auto window = static_cast<std::size_t>(options.window);
  Telemanom rule(options);
  const std::vector<Verdict> verdicts = telemanom(scores, options);
  int alarms = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    CAPTURE(i);
    const StreamStep step = rule.step(scores[i]);
    if (i < window) {
      CHECK(step.status == (i + 1 < window ? StreamStatus::warming_up : StreamStatus::normal));
      continue;
    }
    CHECK(step.threshold == exactly(json["threshold"][i - window]));
    CHECK(step.is_alarm() == json["alarm"][i - window].get<bool>());
    CHECK(verdicts[i].is_outlier == step.is_alarm());
    CHECK(verdicts[i].threshold == step.threshold);
    alarms += step.is_alarm() ? 1 : 0;
  }
  CHECK(alarms > 5);
}

TEST_CASE("golden: conformal p-values, Benjamini-Hochberg, martingale") {
  const Json& json = golden()["conformal"];
  const std::vector<double> calibration = numbers(json["calibration"]);
  const ConformalPValues p(calibration);
  PowerMartingale martingale(0.05, json["epsilon"].get<double>());
  for (std::size_t i = 0; i < json["scores"].size(); ++i) {
    const double score = json["scores"][i].get<double>();
    CHECK(p.plain(score) == exactly(json["plain"][i]));
    CHECK(p.smoothed(score, json["u"][i].get<double>()) == exactly(json["smoothed"][i]));
    CHECK(martingale.step(json["smoothed"][i].get<double>()).log_value == exactly(json["log_martingale"][i]));
  }
  for (const auto& entry : json["thresholds"].items()) {
    CHECK(threshold::conformal(std::stod(entry.key())).fit(calibration) == entry.value().get<double>());
  }
  for (const auto& entry : json["bh"].items()) {
    CHECK(benjamini_hochberg(numbers(json["many"]), std::stod(entry.key())) ==
          entry.value().get<std::vector<bool>>());
  }
}

TEST_CASE("golden: Mahalanobis") {
  const Json& json = golden()["mahalanobis"];
  for (const Json& one : json["cases"]) {
    Mahalanobis scorer({.ridge = one["ridge"].get<double>(), .shrinkage = one["shrinkage"].get<double>()});
    scorer.fit(matrix(json["fit"]));
    const Matrix<double> fresh = matrix(json["new"]);
    const std::vector<double> scores = scorer.scores(fresh);
    const Matrix<double> shares = scorer.decompose(fresh);
    for (Index i = 0; i < fresh.rows(); ++i) {
      const auto row = static_cast<std::size_t>(i);
      CHECK(scores[row] == Approx(one["scores"][row].get<double>()).epsilon(1e-10));
      for (Index j = 0; j < fresh.cols(); ++j) {
        CHECK(shares(i, j) ==
              Approx(one["shares"][row][static_cast<std::size_t>(j)].get<double>()).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("golden: the chi-squared tail against SciPy") {
  REQUIRE(golden()["chi_square"].size() >= 9);
  for (const Json& one : golden()["chi_square"]) {
    const auto m = one["m"].get<Index>();
    CAPTURE(m);
    const std::vector<double> x = numbers(one["x"]), tail = numbers(one["tail"]);
    REQUIRE(x.size() >= 11);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CAPTURE(x[i]);
      // Relative, however small: `Approx` alone would be content with any two numbers far below 1.
      CHECK(std::abs(chi_square_tail(x[i], m) - tail[i]) <= 1e-12 * tail[i]);
    }
  }
}

TEST_CASE("golden: PCA and nearest windows against NumPy") {
  const Json& json = golden()["pca"];
  const Matrix<double> series = matrix(json["series"]);
  const auto training = json["training_steps"].get<Index>();
  REQUIRE(json["cases"].size() >= 4);
  for (const Json& one : json["cases"]) {
    const WindowOptions options{.length = one["length"].get<Index>(), .stride = one["stride"].get<Index>()};
    CAPTURE(options.length);
    const Windows train = sliding_windows(series.topRows(training), options);
    const Windows test = sliding_windows(series.bottomRows(series.rows() - training), options);
    PcaBaseline pca({.components = one["components"].get<Index>()});
    NearestWindowBaseline nearest, third({.neighbours = 3});
    pca.fit(train);
    nearest.fit(train);
    third.fit(train);
    CHECK(pca.explained_variance() == exactly(one["explained"]));
    const auto errors = window_scores_in_blocks(test, pca);
    const auto first_distances = nearest.scores(test), third_distances = third.scores(test);
    REQUIRE(errors.size() == one["errors"].size());
    for (std::size_t i = 0; i < errors.size(); ++i) {
      CHECK(errors[i] == Approx(one["errors"][i].get<double>()).epsilon(1e-10));
      CHECK(first_distances[i] == exactly(one["nearest"][i]));
      CHECK(third_distances[i] == exactly(one["third"][i]));
    }
  }
}
