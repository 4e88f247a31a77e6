#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "../outliers/outlier_scorer.hpp"
#include "../outliers/thresholds.hpp"
#include "atomic_file.hpp"
#include "json.hpp"

// Thresholds and scorers as JSON. Needs nlohmann_json. Numbers come back as the same bits. Reading trusts
// nothing: every member must be there, once, with the right type and a value that makes sense, and no other;
// else `FileError` names the place.
namespace reprise::inline REPRISE_ABI {
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
  std::visit(
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
      if (label != 0.0 && label != 1.0) fail_file(place + ".labels", "0 or 1", to_text(label));
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

/// What can be written as JSON here: `Threshold` and `OutlierScorer`.
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

}  // namespace reprise::inline REPRISE_ABI
