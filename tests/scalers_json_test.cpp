#include <doctest/doctest.h>

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <reprise/io/scalers_json.hpp>
#include <string>
#include <vector>

#include "temporary_directory.hpp"

namespace {

using namespace reprise;

const std::vector<double> series{0.1, 0.7, -3.0, 1.0 / 3, 2.5};

}  // namespace

TEST_CASE("scalers json: a scaler comes back with the same bits") {
  StandardScaler standard;
  CHECK_FALSE(from_json_text<StandardScaler>(to_json_text(standard)).is_fitted());
  standard.fit(series);
  const auto standard_again = from_json_text<StandardScaler>(to_json_text(standard));
  CHECK(standard_again.transform(series) == standard.transform(series));
  CHECK(standard_again.inverse_transform(series) == standard.inverse_transform(series));

  // high - low is rounded here, so that the options themselves must be in the file.
  MinMaxScaler range({.low = -1.0 / 3, .high = 1e17});
  CHECK_FALSE(from_json_text<MinMaxScaler>(to_json_text(range)).is_fitted());
  range.fit(series);
  const test::TemporaryDirectory directory;
  const std::filesystem::path path = directory / "scaler.json";
  save(range, path);
  const auto range_again = load<MinMaxScaler>(path);
  CHECK(range_again.options() == range.options());
  CHECK(range_again.transform(series) == range.transform(series));
  CHECK(range_again.inverse_transform(series) == range.inverse_transform(series));
}

TEST_CASE("scalers json: options come back, and the robust scaler") {
  StandardScaler standard({.zero_scale = 3});
  standard.fit(std::vector<double>(5, 0.0));
  const auto again = from_json_text<StandardScaler>(to_json_text(standard));
  CHECK(again.options().zero_scale == 3);
  CHECK(again.standard_deviations() == std::vector<double>{3});
  RobustScaler robust({.low = 0.1, .high = 0.8, .unit_variance = true});
  CHECK_FALSE(from_json_text<RobustScaler>(to_json_text(robust)).is_fitted());
  robust.fit(series);
  const auto robust_again = from_json_text<RobustScaler>(to_json_text(robust));
  CHECK(robust_again.options() == robust.options());
  CHECK(robust_again.transform(series) == robust.transform(series));
}

TEST_CASE("scalers json: what no scaler can be is refused") {
  const auto refused = [](const std::string& text) {
    CAPTURE(text);
    CHECK_THROWS_AS(from_json_text<StandardScaler>(text), FileError);
  };
  const std::string begin = "{\"format\":\"reprise standard scaler\",\"version\":1,";
  CHECK_NOTHROW(from_json_text<StandardScaler>(begin + "\"means\":[1],\"standard_deviations\":[2]}"));
  refused(begin + "\"means\":[1],\"standard_deviations\":[2,3]}");
  refused(begin + "\"means\":[1],\"standard_deviations\":[]}");
  refused(begin + "\"means\":[1],\"standard_deviations\":[0]}");
  refused(begin + "\"means\":[1],\"standard_deviations\":[-1]}");
  refused(begin + "\"means\":[null],\"standard_deviations\":[1]}");
  refused(begin + "\"means\":[1],\"standard_deviations\":[1],\"more\":0}");
  refused(to_json_text(MinMaxScaler()));
  std::string text = to_json_text(StandardScaler().fit(series));
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    refused(text);
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
  }
}
