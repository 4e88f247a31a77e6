#pragma once

#include <cstddef>
#include <string>

#include "../detection/findings.hpp"
#include "detail/json_fields.hpp"

// Findings for programs, as JSON. Needs nlohmann_json.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A point, and its time where the series has times.
inline void write_point(JsonFieldWriter& json, const char* name, const char* name_of_time, Index point,
                        const SeriesInfo& info) {
  json.member(name);
  json.integer(point);
  if (info.times.empty()) return;
  json.member(name_of_time);
  json.text(info.time_of(point));
}
inline void write_number(JsonFieldWriter& json, const char* name, double value) {
  json.member(name);
  json.number(value);
}
inline void write_feature(JsonFieldWriter& json, const EpisodeFeature& feature, const SeriesInfo& info) {
  json.begin_object({});
  json.member("feature");
  json.integer(feature.feature);
  json.member("name");
  json.text(info.name_of(feature.feature));
  if (!info.units.empty()) {
    json.member("unit");
    json.text(info.units[static_cast<std::size_t>(feature.feature)]);
  }
  write_number(json, "share", feature.share);
  write_point(json, "step", "time", feature.step, info);
  write_number(json, "observed", feature.observed);
  write_number(json, "expected", feature.expected);
  json.end_object();
}

}  // namespace detail

/// An object with the number of points, the rate and its status, and the episodes; of each what `write_csv`
/// says, where `first`, `last` and `peak` are points counted from 0, and where the series has times their
/// time stamps too. The scores of the points are not in it.
[[nodiscard]] inline std::string findings_json(const Findings& findings) {
  detail::JsonFieldWriter json("findings");
  json.begin_object({});
  json.member("points");
  json.integer(static_cast<std::int64_t>(findings.scores.size()));
  detail::write_number(json, "false_alarms_in_1000_points", findings.rate);
  json.member("status");
  json.text(to_string(findings.status));
  detail::write_number(json, "expected_false_episodes", findings.expected_false());
  json.member("episodes");
  json.begin_array();
  for (const Episode& episode : findings.episodes) {
    json.begin_object({});
    detail::write_point(json, "first", "first_time", episode.start, findings.info);
    detail::write_point(json, "last", "last_time", episode.end - 1, findings.info);
    detail::write_point(json, "peak", "peak_time", episode.peak, findings.info);
    detail::write_number(json, "score", episode.score);
    detail::write_number(json, "severity", episode.severity());
    detail::write_number(json, "p_value", episode.p_value);
    detail::write_number(json, "rate", episode.rate);
    json.member("features");
    json.begin_array();
    for (const EpisodeFeature& feature : episode.features)
      detail::write_feature(json, feature, findings.info);
    json.end_array();
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json.result();
}

}  // namespace REPRISE_ABI
}  // namespace reprise
