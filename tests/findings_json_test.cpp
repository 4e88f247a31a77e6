#include <doctest/doctest.h>

#include <cmath>
#include <reprise/io/findings_json.hpp>
#include <string>

#include "errors.hpp"

using namespace reprise;
using test::contains;

TEST_CASE("findings: as JSON") {
  Findings findings;
  findings.scores.assign(10, 0.5);
  findings.rate = 100.0;
  findings.status = CalibrationStatus::promised;
  findings.episodes = {{.start = 8,
                        .end = 9,
                        .peak = 8,
                        .score = std::exp(4.0),
                        .p_value = 0.125,
                        .rate = 20.0,
                        .features = {{1, 0.75, 8, 2.5, -0.125}, {0, 0.25, 8, 1.0, 0.5}}}};
  CHECK(findings_json(findings) ==
        "{\"points\":10,\"false_alarms_in_1000_points\":100.0,\"status\":\"promised\","
        "\"expected_false_episodes\":1.0,\"episodes\":[{\"first\":8,\"last\":8,\"peak\":8,"
        "\"score\":54.598150033144236,\"severity\":4.0,\"p_value\":0.125,\"rate\":20.0,\"features\":["
        "{\"feature\":1,\"name\":\"feature 1\",\"share\":0.75,\"step\":8,\"observed\":2.5,"
        "\"expected\":-0.125},{\"feature\":0,\"name\":\"feature 0\",\"share\":0.25,\"step\":8,"
        "\"observed\":1.0,\"expected\":0.5}]}]}");
  for (int t = 0; t < 10; ++t) findings.info.times.push_back(seconds_of("2026-01-05") + 60.0 * t);
  findings.info.features = {"a", "b"};
  findings.info.units = {"bar", "A"};
  const std::string text = findings_json(findings);
  CHECK(contains(text, "\"peak\":8,\"peak_time\":\"2026-01-05 00:08\""));
  CHECK(contains(text,
                 "\"name\":\"b\",\"unit\":\"A\",\"share\":0.75,\"step\":8,"
                 "\"time\":\"2026-01-05 00:08\""));
}
