#include <doctest/doctest.h>

#include <clocale>
#include <string>

#include <reprise/io/outliers_json.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/models/autoencoder.hpp>

#include "decimal_comma.hpp"

namespace {

const reprise::AutoencoderOptions options{
    .steps = 4,
    .encoder = {reprise::LstmOptions{.units = 3, .dropout = 0.25}},
    .decoder = {{.units = 3}},
};

}  // namespace

TEST_CASE("locale json: documents and models are written and read as in the C locale") {
  const test::TemporaryDirectory directory;
  const reprise::Autoencoder<float> model(options);
  const reprise::Threshold rule = reprise::threshold::mad(5.75);
  const std::string plain = reprise::to_json_text(rule);
  reprise::save(model, directory / "plain");
  const std::string arabic = "\xD9\xAB";
  for (const std::string point : {"002C", "066B"}) {
    const test::DecimalComma comma(point);
    if (!comma.is_there) return;
    REQUIRE(std::localeconv()->decimal_point == (point == "002C" ? "," : arabic));
    CHECK(reprise::to_json_text(rule) == plain);
    CHECK(reprise::to_json_text(reprise::from_json_text<reprise::Threshold>(plain)) == plain);
    CHECK(reprise::load<reprise::Autoencoder<float>>(directory / "plain").options() == model.options());
    reprise::save(model, directory / point);
    CHECK(reprise::load<reprise::Autoencoder<float>>(directory / point).options() == model.options());
    CHECK(std::localeconv()->decimal_point == (point == "002C" ? "," : arabic));
  }
}
