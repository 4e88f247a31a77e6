#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../scores/mahalanobis.hpp"
#include "../streams/dspot.hpp"
#include "../streams/spot.hpp"
#include "../thresholds/outlier_scorer.hpp"
#include "../thresholds/thresholds.hpp"
#include "atomic_file.hpp"
#include "json_fields.hpp"

// Thresholds, scorers and rules over streams as JSON documents: {"format": ..., "version": 1, and a member
// for each field}. Needs nlohmann_json. Numbers come back as the same bits. Reading trusts nothing: every
// member must be there, once, with the right type and a value that makes sense, and no other; else
// `FileError` names the place.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// What a document of a type is called, the struct whose fields it holds, and how the two are made of each
/// other.
template <typename T>
struct OutlierFormat;

template <>
struct OutlierFormat<Threshold> {
  static constexpr const char* name = "reprise threshold";
  struct State {
    Threshold threshold = default_threshold();
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("threshold", self.threshold);
    }
  };
  static State state_of(const Threshold& value) { return {value}; }
  static Threshold made_of(const State& state) { return state.threshold; }
};

template <>
struct OutlierFormat<OutlierScorer> {
  static constexpr const char* name = "reprise outlier scorer";
  struct State {
    Threshold threshold = default_threshold();
    std::vector<double> calibration_scores{};
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("threshold", self.threshold);
      visit("calibration_scores", self.calibration_scores);
    }
  };
  static State state_of(const OutlierScorer& value) { return {value.rule(), value.calibration_scores()}; }
  static OutlierScorer made_of(const State& state) {
    OutlierScorer scorer(state.threshold);
    if (!state.calibration_scores.empty()) scorer.calibrate(state.calibration_scores);
    return scorer;
  }
};

template <>
struct OutlierFormat<Mahalanobis> {
  static constexpr const char* name = "reprise mahalanobis scorer";
  using State = MahalanobisState;
  static State state_of(const Mahalanobis& value) { return value.state(); }
  static Mahalanobis made_of(const State& state) { return Mahalanobis::from_state(state); }
};

/// A rule over a stream takes memory for all the excesses that it may hold, whatever the size of its file.
inline void require_excesses_to_fit(const SpotState& state) {
  constexpr Index most = 10'000'000;
  if (state.options.max_excess > most) fail("max_excess", {"at most ", most}, {state.options.max_excess});
}

template <>
struct OutlierFormat<Spot> {
  static constexpr const char* name = "reprise spot";
  struct State {
    SpotState spot{};
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("spot", self.spot);
    }
  };
  static State state_of(const Spot& value) { return {value.state()}; }
  static Spot made_of(const State& state) {
    require_excesses_to_fit(state.spot);
    return Spot(state.spot);
  }
};

template <>
struct OutlierFormat<Dspot> {
  static constexpr const char* name = "reprise dspot";
  using State = DspotState;
  static State state_of(const Dspot& value) { return value.state(); }
  static Dspot made_of(const State& state) {
    require_excesses_to_fit(state.spot);
    return Dspot(state);
  }
};

/// The members of a document that stand before the fields.
template <typename T>
void require_header(FieldReader& reader) {
  const std::string name = OutlierFormat<T>::name;
  reader.begin_object();
  if (!reader.enter_member("format")) reader.refuse("a format, " + name, "none");
  if (const std::string format = reader.text(); format != name) reader.refuse(name, format);
  reader.leave();
  if (!reader.enter_member("version")) reader.refuse("version 1", "none");
  if (reader.natural(1) != 1) reader.refuse("version 1");
  reader.leave();
}

inline std::string read_text_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) fail_file(path.string(), "a file", "none");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!(text << file.rdbuf()) || !file)
    fail_file(path.string(), "a file that can be read", "a failure or nothing");
  return text.str();
}

}  // namespace detail

/// What can be written as JSON here: `Threshold`, `OutlierScorer`, `Mahalanobis`, and `Spot` and `Dspot`,
/// which go on where they were.
template <typename T>
concept JsonOutlierType = requires { detail::OutlierFormat<T>::name; };

/// A JSON document. Throws for `threshold::custom`, which holds a callable.
template <JsonOutlierType T>
std::string to_json_text(const T& value) {
  using Format = detail::OutlierFormat<T>;
  detail::JsonFieldWriter writer;
  writer.begin_object({});
  writer.member("format");
  writer.text(Format::name);
  writer.member("version");
  writer.natural(1);
  detail::write_fields(writer, Format::state_of(value));
  writer.end_object();
  return writer.result().dump();
}

/// Reads what `to_json_text` wrote. A scorer is calibrated anew, so that its threshold is that of its scores.
/// `place` is what messages name. Throws `FileError`.
template <JsonOutlierType T>
T from_json_text(const std::string& text, const std::string& place = "JSON") {
  using Format = detail::OutlierFormat<T>;
  const detail::Json json = detail::parse_json(text, place);
  detail::JsonFieldReader reader(json, place, detail::no_registry());
  try {
    detail::require_header<T>(reader);
    typename Format::State state;
    detail::read_fields(reader, state);
    reader.end_object();
    return Format::made_of(state);
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    throw FileError(place + ": " + error.what());
  }
}

/// Writes the JSON document to a file, which replaces one of that name as a whole.
template <JsonOutlierType T>
void save(const T& value, const std::filesystem::path& path) {
  const std::string text = to_json_text(value);
  detail::AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

/// `load<OutlierScorer>(path)`, `load<Threshold>(path)`. Throws `FileError`, which names the path.
template <JsonOutlierType T>
T load(const std::filesystem::path& path) {
  return from_json_text<T>(detail::read_text_file(path), path.string());
}

}  // namespace REPRISE_ABI
}  // namespace reprise
