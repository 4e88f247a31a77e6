#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/visit.hpp"
#include "../scores/mahalanobis.hpp"
#include "../streams/dspot.hpp"
#include "../streams/spot.hpp"
#include "../thresholds/outlier_scorer.hpp"
#include "../thresholds/thresholds.hpp"
#include "atomic_file.hpp"
#include "json.hpp"

// Thresholds, scorers and rules over streams as JSON. Needs nlohmann_json. Numbers come back as the same
// bits. Reading trusts nothing: every member must be there, once, with the right type and a value that makes
// sense, and no other; else `FileError` names the place.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

inline constexpr std::array<const char*, 3> statistic_names{"max", "mean", "median"};

// ---- Reading pieces ----

/// An object with these members and no other.
inline const Json& json_object(const Json& json, const std::string& place,
                               std::initializer_list<const char*> members) {
  if (!json.is_object()) fail_file(place, "an object", shown(json));
  for (const char* member : members) {
    if (!json.contains(member)) fail_file(place, std::string("a member ") + member, "none");
  }
  for (const auto& member : json.items()) {
    bool is_known = false;
    for (const char* name : members) is_known |= member.key() == name;
    if (!is_known) fail_file(place, "no member but those known", shown(Json(member.key())));
  }
  return json;
}
inline double json_number(const Json& json, const std::string& place) {
  if (!json.is_number() || !std::isfinite(json.get<double>()))
    fail_file(place, "a finite number", shown(json));
  return json.get<double>();
}
inline std::string json_text(const Json& json, const std::string& place) {
  if (!json.is_string()) fail_file(place, "a string", shown(json));
  return json.get<std::string>();
}
inline std::vector<double> json_numbers(const Json& json, const std::string& place) {
  if (!json.is_array()) fail_file(place, "an array", shown(json));
  std::vector<double> numbers;
  for (const Json& number : json) {
    numbers.push_back(json_number(number, place + "[" + std::to_string(numbers.size()) + "]"));
  }
  return numbers;
}

// ---- Rules: {"rule": name, parameters} ----

inline OrderedJson rule_json(const Threshold& threshold) {
  OrderedJson json;
  json["rule"] = threshold.name();
  detail::visit(
      [&](const auto& rule) {
        using Rule = std::decay_t<decltype(rule)>;
        if constexpr (std::same_as<Rule, threshold::Manual>) {
          json["value"] = rule.value();
        } else if constexpr (std::same_as<Rule, threshold::Quantile>) {
          json["q"] = rule.q();
        } else if constexpr (requires { rule.k(); }) {
          json["k"] = rule.k();
        } else if constexpr (std::same_as<Rule, threshold::Factor>) {
          json["factor"] = rule.factor();
          json["statistic"] = statistic_names[static_cast<std::size_t>(rule.statistic())];
        } else if constexpr (std::same_as<Rule, threshold::MaxFactor>) {
          json["factor"] = rule.factor();
        } else if constexpr (std::same_as<Rule, threshold::FBeta>) {
          json["beta"] = rule.beta();
          for (const double score : rule.scores()) {
            if (std::isinf(score)) fail("saving a threshold", "finite labelled scores", "infinity");
          }
          json["scores"] = rule.scores();
          OrderedJson labels = OrderedJson::array();
          for (std::size_t i = 0; i < rule.labels().size(); ++i) labels.push_back(rule.labels()[i] ? 1 : 0);
          json["labels"] = labels;
        } else if constexpr (std::same_as<Rule, threshold::Pot>) {
          json["risk"] = rule.risk();
          json["level"] = rule.level();
        } else if constexpr (std::same_as<Rule, threshold::Conformal>) {
          json["alpha"] = rule.alpha();
        } else {
          static_assert(std::same_as<Rule, threshold::Custom>,
                        "a rule that is added needs a form in the file");
          fail("saving a threshold", "a rule that can be written down",
               "a callable (" + rule.description() + ")");
        }
      },
      threshold.rule());
  return json;
}

inline Threshold read_rule(const Json& json, const std::string& place) {
  if (!json.is_object() || !json.contains("rule")) fail_file(place, "an object with a rule", shown(json));
  const std::string name = json_text(json["rule"], place + ".rule");
  const auto number = [&](const char* member) { return json_number(json.at(member), place + "." + member); };
  const auto members = [&](std::initializer_list<const char*> names) { json_object(json, place, names); };
  if (name == threshold::Manual::name) {
    members({"rule", "value"});
    return threshold::manual(number("value"));
  }
  if (name == threshold::Quantile::name) {
    members({"rule", "q"});
    return threshold::quantile(number("q"));
  }
  if (name == threshold::StandardDeviations::name || name == threshold::Mad::name ||
      name == threshold::Iqr::name) {
    members({"rule", "k"});
    const double k = number("k");
    if (name == threshold::Mad::name) return threshold::mad(k);
    if (name == threshold::Iqr::name) return threshold::iqr(k);
    return threshold::standard_deviations(k);
  }
  if (name == threshold::Factor::name) {
    members({"rule", "factor", "statistic"});
    const std::string statistic = json_text(json["statistic"], place + ".statistic");
    for (std::size_t i = 0; i < statistic_names.size(); ++i) {
      if (statistic == statistic_names[i]) {
        return threshold::factor(number("factor"), static_cast<threshold::Statistic>(i));
      }
    }
    fail_file(place + ".statistic", "max, mean or median", shown(json["statistic"]));
  }
  if (name == threshold::MaxFactor::name) {
    members({"rule", "factor"});
    return threshold::max_factor(number("factor"));
  }
  if (name == threshold::FBeta::name) {
    members({"rule", "beta", "scores", "labels"});
    std::vector<int> labels;
    for (const double label : json_numbers(json["labels"], place + ".labels")) {
      if (label != 0.0 && label != 1.0) fail_file(place + ".labels", "0 or 1", number_text(label));
      labels.push_back(label != 0.0 ? 1 : 0);
    }
    return threshold::f_beta(number("beta"), json_numbers(json["scores"], place + ".scores"), Labels(labels));
  }
  if (name == threshold::Pot::name) {
    members({"rule", "risk", "level"});
    return threshold::pot(number("risk"), number("level"));
  }
  if (name == threshold::Conformal::name) {
    members({"rule", "alpha"});
    return threshold::conformal(number("alpha"));
  }
  fail_file(place + ".rule", "a known one", shown(json["rule"]));
}

// ---- Documents: {"format": ..., "version": 1, ...} ----

template <typename T>
struct OutlierFormat;

template <>
struct OutlierFormat<Threshold> {
  static constexpr const char* name = "reprise threshold";
  static void write(const Threshold& value, OrderedJson& json) { json["threshold"] = rule_json(value); }
  static Threshold read(const Json& json, const std::string& place) {
    json_object(json, place, {"format", "version", "threshold"});
    return read_rule(json["threshold"], place + ".threshold");
  }
};

template <>
struct OutlierFormat<OutlierScorer> {
  static constexpr const char* name = "reprise outlier scorer";
  static void write(const OutlierScorer& value, OrderedJson& json) {
    json["threshold"] = rule_json(value.rule());
    json["calibration_scores"] = value.calibration_scores();
  }
  static OutlierScorer read(const Json& json, const std::string& place) {
    json_object(json, place, {"format", "version", "threshold", "calibration_scores"});
    OutlierScorer scorer(read_rule(json["threshold"], place + ".threshold"));
    const auto scores = json_numbers(json["calibration_scores"], place + ".calibration_scores");
    if (!scores.empty()) scorer.calibrate(scores);
    return scorer;
  }
};

template <>
struct OutlierFormat<Mahalanobis> {
  static constexpr const char* name = "reprise mahalanobis scorer";
  static void write(const Mahalanobis& value, OrderedJson& json) {
    json["ridge"] = value.options().ridge;
    json["shrinkage"] = value.options().shrinkage;
    json["mean"] = std::vector<double>(value.mean().begin(), value.mean().end());
    json["covariance"] = OrderedJson::array();  // with ridge and shrinkage, row by row
    for (const auto row : value.covariance().rowwise()) {
      json["covariance"].push_back(std::vector<double>(row.begin(), row.end()));
    }
  }
  static Mahalanobis read(const Json& json, const std::string& place) {
    json_object(json, place, {"format", "version", "ridge", "shrinkage", "mean", "covariance"});
    const MahalanobisOptions options{json_number(json["ridge"], place + ".ridge"),
                                     json_number(json["shrinkage"], place + ".shrinkage")};
    const auto mean = json_numbers(json["mean"], place + ".mean");
    const Json& rows = json["covariance"];
    if (!rows.is_array() || rows.size() != mean.size()) {
      fail_file(place + ".covariance", std::to_string(mean.size()) + " rows", shown(rows));
    }
    if (mean.empty()) return Mahalanobis(options);
    const auto m = static_cast<Index>(mean.size());
    Matrix<double> covariance(m, m);
    for (Index i = 0; i < m; ++i) {
      const std::string at = place + ".covariance[" + std::to_string(i) + "]";
      const auto row = json_numbers(rows[static_cast<std::size_t>(i)], at);
      if (row.size() != mean.size()) {
        fail_file(at, std::to_string(mean.size()) + " numbers", std::to_string(row.size()));
      }
      covariance.row(i) = Eigen::Map<const Eigen::RowVectorXd>(row.data(), m);
    }
    return Mahalanobis::from_moments(options, Eigen::Map<const Vector<double>>(mean.data(), m), covariance);
  }
};

/// Infinity, which JSON does not have, is null.
inline OrderedJson json_or_null(double value) {
  return std::isinf(value) ? OrderedJson(nullptr) : OrderedJson(value);
}
inline double number_or_infinity(const Json& json, const std::string& place) {
  return json.is_null() ? std::numeric_limits<double>::infinity() : json_number(json, place);
}
inline Index json_index(const Json& json, const std::string& place) {
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > std::uint64_t{1} << 53) {
    fail_file(place, "a whole number from 0 to 2^53", shown(json));
  }
  return static_cast<Index>(json.get<std::uint64_t>());
}

inline OrderedJson spot_json(const SpotState& state) {
  OrderedJson json;
  json["risk"] = state.options.risk;
  json["level"] = state.options.level;
  json["max_excess"] = state.options.max_excess;
  json["refit_every"] = state.options.refit_every;
  json["correct_truncation"] = state.options.correct_truncation;
  json["tail_threshold"] = state.tail.threshold;
  json["tail_excesses"] = state.tail.excesses;
  json["tail_count"] = state.tail.count;
  json["shape"] = state.tail.beyond.shape;
  json["scale"] = state.tail.beyond.scale;
  json["threshold"] = json_or_null(state.threshold);
  json["excesses"] = state.excesses;
  json["limits"] = OrderedJson::array();
  for (const double limit : state.limits) json["limits"].push_back(json_or_null(limit));
  json["next"] = state.next;
  json["unfitted"] = state.unfitted;
  return json;
}
inline SpotState read_spot(const Json& json, const std::string& place) {
  json_object(
      json, place,
      {"risk", "level", "max_excess", "refit_every", "correct_truncation", "tail_threshold", "tail_excesses",
       "tail_count", "shape", "scale", "threshold", "excesses", "limits", "next", "unfitted"});
  const auto number = [&](const char* member) { return json_number(json.at(member), place + "." + member); };
  const auto index = [&](const char* member) { return json_index(json.at(member), place + "." + member); };
  SpotState state;
  state.options.risk = number("risk");
  state.options.level = number("level");
  state.options.max_excess = index("max_excess");
  // Memory is taken for all of them, whatever the file's size.
  constexpr Index most = 10'000'000;
  if (state.options.max_excess > most) {
    fail_file(place + ".max_excess", "at most " + std::to_string(most), shown(json["max_excess"]));
  }
  state.options.refit_every = index("refit_every");
  if (!json["correct_truncation"].is_boolean()) {
    fail_file(place + ".correct_truncation", "true or false", shown(json["correct_truncation"]));
  }
  state.options.correct_truncation = json["correct_truncation"].get<bool>();
  state.tail = {number("tail_threshold"),
                index("tail_excesses"),
                index("tail_count"),
                {number("shape"), number("scale")}};
  state.threshold = number_or_infinity(json["threshold"], place + ".threshold");
  state.excesses = json_numbers(json["excesses"], place + ".excesses");
  if (!json["limits"].is_array()) fail_file(place + ".limits", "an array", shown(json["limits"]));
  for (const Json& limit : json["limits"]) {
    state.limits.push_back(number_or_infinity(limit, place + ".limits"));
  }
  state.next = index("next");
  state.unfitted = index("unfitted");
  return state;
}

template <>
struct OutlierFormat<Spot> {
  static constexpr const char* name = "reprise spot";
  static void write(const Spot& value, OrderedJson& json) { json["spot"] = spot_json(value.state()); }
  static Spot read(const Json& json, const std::string& place) {
    json_object(json, place, {"format", "version", "spot"});
    return Spot(read_spot(json["spot"], place + ".spot"));
  }
};

template <>
struct OutlierFormat<Dspot> {
  static constexpr const char* name = "reprise dspot";
  static void write(const Dspot& value, OrderedJson& json) {
    const DspotState state = value.state();
    json["last"] = state.last;
    json["next"] = state.next;
    json["spot"] = spot_json(state.spot);
  }
  static Dspot read(const Json& json, const std::string& place) {
    json_object(json, place, {"format", "version", "last", "next", "spot"});
    return Dspot(DspotState{json_numbers(json["last"], place + ".last"),
                            json_index(json["next"], place + ".next"),
                            read_spot(json["spot"], place + ".spot")});
  }
};

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
  detail::OrderedJson json;
  json["format"] = detail::OutlierFormat<T>::name;
  json["version"] = 1;
  detail::OutlierFormat<T>::write(value, json);
  return json.dump();
}

/// Reads what `to_json_text` wrote. A scorer is calibrated anew, so that its threshold is that of its scores.
/// `place` is what messages name. Throws `FileError`.
template <JsonOutlierType T>
T from_json_text(const std::string& text, const std::string& place = "JSON") {
  using Format = detail::OutlierFormat<T>;
  const detail::Json json = detail::parse_json(text, place);
  if (!json.is_object() || !json.contains("format") || json["format"] != Format::name) {
    detail::fail_file(place + ".format", Format::name,
                      json.is_object() && json.contains("format") ? detail::shown(json["format"]) : "none");
  }
  if (!json.contains("version") || json["version"] != 1) {
    detail::fail_file(place + ".version", "1",
                      json.contains("version") ? detail::shown(json["version"]) : "none");
  }
  try {
    return Format::read(json, place);
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
