#pragma once

#include <cmath>
#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "../core/sequences.hpp"
#include "../core/text.hpp"
#include "block_calibration.hpp"
#include "episodes.hpp"
#include "series_info.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What a detector finds in a series.
struct Findings {
  /// In order; no two within a longest window of each other.
  std::vector<Episode> episodes{};
  /// One score for each point; above 1 is an alarm.
  std::vector<double> scores{};
  /// The false episodes in 1,000 points that the threshold stands for, and what that rests on.
  double rate = 0.0;
  CalibrationStatus status = CalibrationStatus::none;
  /// The lowest rate that could be promised: an episode of that rate is beyond all that calibrated.
  double least_rate = 0.0;
  /// Of the series.
  SeriesInfo info{};

  /// How many episodes so many points would have if nothing were wrong, at most, on average.
  double expected_false() const { return rate * static_cast<double>(scores.size()) / 1000.0; }
};

namespace detail {

/// A word for `Episode::severity`.
inline const char* severity_word(double severity) {
  return severity < 1.0 ? "slight" : severity < 3.0 ? "clear" : "strong";
}

/// "2026-01-31 10:00 to 2026-01-31 11:30", without a date that was told already.
inline std::string range_text(const SeriesInfo& info, Index first, Index last) {
  std::string from = info.time_of(first);
  const std::string to = info.time_of(last);
  if (first == last) return from;
  if (info.times.empty()) return "points " + std::to_string(first) + " to " + std::to_string(last);
  constexpr std::size_t date = 11;  // with the space
  return from + " to " + (from.compare(0, date, to, 0, date) == 0 ? to.substr(date) : to);
}

/// In a line for the place, and one for each feature that matters.
inline void write_episode(std::ostream& out, const Episode& episode, const Findings& findings) {
  const SeriesInfo& info = findings.info;
  const std::string p = number_text(episode.p_value, 2);
  out << range_text(info, episode.start, episode.end - 1) << ": " << severity_word(episode.severity())
      << " (severity " << number_text(episode.severity(), 2) << "), highest at " << info.time_of(episode.peak)
      << '\n';
  if (episode.rate <= findings.least_rate) {
    out << "   beyond all that calibrated (p " << p << "): an alarm at any rate that can be promised\n";
  } else {
    out << "   p " << p << ", an alarm from " << number_text(episode.rate, 2)
        << " false alarms in 1,000 points on\n";
  }
  double told = 0.0;
  for (const EpisodeFeature& feature : episode.features) {
    if (told > 0.0 && (told >= 0.9 || feature.share < 0.1)) break;
    told += feature.share;
    out << "   " << info.name_of(feature.feature);
    if (episode.features.size() > 1) out << " (" << number_text(100.0 * feature.share, 2) << " %)";
    out << ": " << info.value_of(feature.feature, feature.observed) << " at " << info.time_of(feature.step)
        << ", expected about " << info.value_of(feature.feature, feature.expected) << '\n';
  }
}

/// A field of a CSV file: in quotes where it holds a comma, a quote or the end of a line.
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace detail

/// For people: a few lines for each episode. What is expected is what the most similar stretch of the
/// training series has there.
inline std::ostream& operator<<(std::ostream& out, const Findings& findings) {
  const auto points = static_cast<Index>(findings.scores.size());
  const std::size_t count = findings.episodes.size();
  out << (count == 0 ? "nothing" : std::to_string(count))
      << (count == 1   ? " episode"
          : count == 0 ? ""
                       : " episodes")
      << " found in " << std::to_string(points) << " points";
  if (!findings.info.times.empty() && points > 0)
    out << ", " << detail::range_text(findings.info, 0, points - 1);
  out << "; if nothing were wrong there would be "
      << (findings.status == CalibrationStatus::estimated ? "about " : "at most ")
      << detail::number_text(findings.expected_false(), 2) << ", on average\n";
  for (std::size_t i = 0; i < count; ++i) {
    out << std::to_string(i + 1) << ". ";
    detail::write_episode(out, findings.episodes[i], findings);
  }
  return out;
}

/// For spreadsheets and programs: a line for each episode and each of its features, the most involved first
/// (`rank` 1); a single line where no feature is known. Points are counted from 0, `last` is the last one
/// above the threshold. Numbers are as exact as they are, with a point whatever the locale. The columns of
/// times are there only where the series has them.
inline void write_csv(std::ostream& out, const Findings& findings) {
  const bool has_times = !findings.info.times.empty();
  out << "episode,first,last,peak," << (has_times ? "first_time,last_time,peak_time," : "")
      << "score,severity,p_value,rate,rank,feature,share,step,observed,expected\n";
  const auto number = [](double value) { return detail::number_text(value); };
  for (std::size_t i = 0; i < findings.episodes.size(); ++i) {
    const Episode& episode = findings.episodes[i];
    std::string start = std::to_string(i + 1);
    for (const Index point : {episode.start, episode.end - 1, episode.peak})
      start += "," + std::to_string(point);
    if (has_times) {
      for (const Index point : {episode.start, episode.end - 1, episode.peak})
        start += "," + findings.info.time_of(point);
    }
    for (const double value : {episode.score, episode.severity(), episode.p_value, episode.rate})
      start += "," + number(value);
    if (episode.features.empty()) out << start << ",,,,,,\n";
    for (std::size_t f = 0; f < episode.features.size(); ++f) {
      const EpisodeFeature& feature = episode.features[f];
      out << start << ',' << std::to_string(f + 1) << ','
          << detail::csv_field(findings.info.name_of(feature.feature)) << ',' << number(feature.share) << ','
          << std::to_string(feature.step) << ',' << number(feature.observed) << ','
          << number(feature.expected) << '\n';
    }
  }
}

}  // namespace REPRISE_ABI
}  // namespace reprise
