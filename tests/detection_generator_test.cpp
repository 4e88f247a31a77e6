// The generator of benchmarks/detection: what its series are, and that it plants what it says.

#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "../benchmarks/detection/generator.hpp"
#include "differences.hpp"
#include "errors.hpp"

namespace {

using namespace generator;
using test::contains;
using test::error_of;

double mean(const reprise::Vector<double>& x) { return x.mean(); }
double variance(const reprise::Vector<double>& x) { return (x.array() - x.mean()).square().mean(); }
double autocorrelation(const reprise::Vector<double>& x, Index lag) {
  const reprise::Vector<double> y = (x.array() - x.mean()).matrix();
  return y.head(y.size() - lag).dot(y.tail(y.size() - lag)) / y.squaredNorm();
}
reprise::Vector<double> take(Normal kind, Index rows, std::uint64_t seed, double period = 0.0) {
  return normal_rows({.normal = kind, .seed = seed, .period = period}, rows, 0).col(0);
}

TEST_CASE("detection generator: kinds enough, each with a name of its own") {
  std::set<std::string> names;
  for (const Normal kind : all_normal) names.insert(name_of(kind));
  CHECK(names.size() == all_normal.size());
  CHECK(names.size() >= 12);
  std::set<std::string> anomalies;
  for (const Anomaly kind : all_anomalies) anomalies.insert(name_of(kind));
  CHECK(anomalies.size() == all_anomalies.size());
  CHECK(anomalies.size() >= 8);
}

TEST_CASE("detection generator: a seed is a series, a longer one begins with a shorter one") {
  for (const Normal kind : all_normal) {
    CAPTURE(name_of(kind));
    const auto one = take(kind, 500, 7), again = take(kind, 500, 7), longer = take(kind, 800, 7);
    CHECK(one == again);
    CHECK(longer.head(500) == one);
    CHECK(take(kind, 500, 8) != one);
    CHECK(one.allFinite());
    CHECK(variance(one) > 1e-4);
  }
}

TEST_CASE("detection generator: seasons repeat after their period, which lies where it should") {
  for (const Normal kind : {Normal::seasonal, Normal::pulses}) {
    CAPTURE(name_of(kind));
    const auto x = take(kind, 4000, 3, 40.0);
    CHECK(autocorrelation(x, 40) > 0.6);
    CHECK(autocorrelation(x, 40) > autocorrelation(x, 20) + 0.3);
  }
  double least = 1e9, most = 0.0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const double period = NormalSource(Normal::seasonal, seed, 0).period();
    least = test::smaller(least, period);
    most = test::larger(most, period);
  }
  CHECK(least >= 7.0);
  CHECK(least < 10.0);
  CHECK(most <= 1440.0);
  CHECK(most > 1000.0);
}

TEST_CASE("detection generator: what makes each kind what it is") {
  std::set<int> phis;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto x = take(Normal::autoregressive, 20000, seed);
    const double phi = autocorrelation(x, 1);
    for (const double known : {0.5, 0.7, 0.9, 0.95, 0.99}) {
      const double difference = std::abs(phi - known);
      if (difference < 0.02) phis.insert(static_cast<int>(std::lround(100 * known)));
    }
  }
  CHECK(phis.size() == 5);

  const auto walk = take(Normal::random_walk, 4000, 1);
  const reprise::Vector<double> steps = walk.tail(3999) - walk.head(3999);
  CHECK(std::sqrt(variance(steps)) == doctest::Approx(0.1).epsilon(0.05));
  CHECK(std::abs(autocorrelation(steps, 1)) < 0.05);

  const auto arch = take(Normal::arch, 20000, 1);
  CHECK(std::abs(autocorrelation(arch, 1)) < 0.04);
  const reprise::Vector<double> squares = arch.array().square().matrix();
  CHECK(autocorrelation(squares, 1) > 0.05);

  const auto heavy = take(Normal::heavy_tails, 20000, 1);
  CHECK((heavy.array() - mean(heavy)).pow(4).mean() / std::pow(variance(heavy), 2) > 6.0);  // normal: 3

  const auto line = take(Normal::trend, 20000, 1, 50.0);
  CHECK(mean(line.tail(5000)) - mean(line.head(5000)) == doctest::Approx(15.0).epsilon(0.02));

  // The smallest step between counts is one event: each value is a whole number of it.
  const auto counts = take(Normal::counts, 2000, 1);
  const std::set<double> values(counts.begin(), counts.end());
  CHECK(values.size() < 60);
  const double event = *std::next(values.begin()) - *values.begin();
  for (const double value : values) CHECK(std::abs(value / event - std::round(value / event)) < 1e-9);

  const auto on_off = take(Normal::on_off, 20000, 1);
  CHECK((on_off.array() > 0.5).count() > 3000);
  CHECK((on_off.array() < 0.5).count() > 3000);
  CHECK(((on_off.array() - 0.5).abs() < 0.2).count() == 0);
}

TEST_CASE("detection generator: what is called stationary is so, and nothing else") {
  // The mean of the second half against the first, in standard errors of independent stretches of 2,000.
  for (const Normal kind : all_normal) {
    CAPTURE(name_of(kind));
    int far = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const auto x = take(kind, 20000, seed, 50.0);
      far += std::abs(mean(x.head(10000)) - mean(x.tail(10000))) > 0.6 * std::sqrt(variance(x.head(10000)));
    }
    if (is_stationary(kind)) CHECK(far == 0);
    if (kind == Normal::random_walk || kind == Normal::trend) CHECK(far > 5);
  }
}

TEST_CASE("detection generator: what is planted is there, and nowhere else") {
  for (const Index features : {Index{1}, Index{3}}) {
    for (const Normal normal : all_normal) {
      for (const Anomaly anomaly : all_anomalies) {
        if (!makes_sense(normal, anomaly, features)) continue;
        CAPTURE(name_of(normal));
        CAPTURE(name_of(anomaly));
        Settings settings{.normal = normal, .anomaly = anomaly, .seed = 5, .features = features};
        settings.training_rows = 500;
        settings.scored_rows = 1500;
        settings.longest = 100;
        settings.period = 50.0;
        const Generated made = generate(settings);
        CHECK(generate(settings).values == made.values);
        settings.anomaly.reset();
        const Generated normal_only = generate(settings);
        CHECK(normal_only.planted.empty());
        REQUIRE(made.planted.size() == 3);
        Matrix<double> difference = (made.values - normal_only.values).cwiseAbs();
        Index end_before = made.training_rows;
        Index labelled = 0;
        for (const Planted& one : made.planted) {
          CHECK(one.start >= end_before);
          CHECK(one.end - one.start >= (anomaly == Anomaly::spike ? 1 : least_length(anomaly)));
          CHECK(one.end - one.start <= 100);
          auto here = difference.col(one.feature).segment(one.start, one.end - one.start);
          CHECK(here.sum() > 0.0);
          here.setZero();
          end_before = one.end;
          labelled += one.end - one.start;
        }
        CHECK(difference.sum() == 0.0);
        Index ones = 0;
        for (const int label : made.labels()) ones += label;
        CHECK(ones == labelled);
      }
    }
  }
}

TEST_CASE("detection generator: features go together until one is decoupled") {
  Settings settings{
      .normal = Normal::autoregressive, .anomaly = Anomaly::decoupled, .seed = 2, .features = 2};
  settings.shortest = settings.longest = 300;
  const Generated made = generate(settings);
  const auto correlation = [](const Matrix<double>& rows) {
    const reprise::Vector<double> a = rows.col(0).array() - rows.col(0).mean();
    const reprise::Vector<double> b = rows.col(1).array() - rows.col(1).mean();
    return std::abs(a.dot(b)) / (a.norm() * b.norm());
  };
  CHECK(correlation(made.training()) > 0.85);
  double during = 0.0;
  for (const Planted& one : made.planted)
    during += correlation(made.values.middleRows(one.start, one.end - one.start)) / 3.0;
  CHECK(during < 0.6);
}

TEST_CASE("detection generator: refused") {
  const auto refusal = [](const Settings& settings) { return error_of([&] { generate(settings); }); };
  CHECK(contains(refusal({.normal = Normal::arch, .anomaly = Anomaly::mirrored}), "mirrored in arch"));
  CHECK(contains(refusal({.anomaly = Anomaly::decoupled}), "decoupled in seasonal"));
  CHECK(contains(refusal({.anomaly = Anomaly::spike, .scored_rows = 800}), "a third of 266 points"));
  CHECK(contains(refusal({.anomaly = Anomaly::spike, .shortest = 0}), "0 < shortest"));
}

}  // namespace
