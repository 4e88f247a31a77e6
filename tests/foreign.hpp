#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <reprise/models/inference.hpp>
#include <reprise/training/chain.hpp>
#include <string>
#include <vector>

#include "differences.hpp"

// Files that other libraries wrote, in foreign/: models, and outputs.json with an input of each and the
// output that the other library gives for it.
namespace test {

using reprise::Index;

struct ForeignFiles {
  explicit ForeignFiles(const std::string& name)
      : folder(std::filesystem::path(__FILE__).parent_path() / "foreign" / name) {
    std::ifstream file(folder / "outputs.json");
    json = nlohmann::json::parse(file);
  }

  std::filesystem::path operator/(const std::string& name) const { return folder / name; }

  /// (batch, step, feature)
  template <typename Scalar>
  reprise::Sequences<Scalar> sequences(const std::string& model, const std::string& which) const {
    const auto& tensor = json.at(model).at(which);
    const auto shape = tensor.at("shape").get<std::vector<Index>>();
    const auto data = tensor.at("data").get<std::vector<double>>();
    REQUIRE(shape.size() == 3);
    REQUIRE(static_cast<Index>(data.size()) == shape[0] * shape[1] * shape[2]);
    reprise::Sequences<Scalar> result({.samples = shape[0], .steps = shape[1], .features = shape[2]});
    auto value = data.begin();
    for (Index b = 0; b < shape[0]; ++b) {
      for (Index t = 0; t < shape[1]; ++t) {
        for (Index f = 0; f < shape[2]; ++f) result(b, t, f) = static_cast<Scalar>(*value++);
      }
    }
    return result;
  }

  std::filesystem::path folder;
  nlohmann::json json;
};

template <typename Scalar>
reprise::Sequences<Scalar> output_of(const reprise::Sequential<Scalar>& network,
                                     const reprise::Vector<Scalar>& weights,
                                     const reprise::Sequences<Scalar>& input) {
  return reprise::detail::infer_sequences(
      network, weights.data(), input,
      {0, network.entries().size(), network.input_shape(), network.output_shape()}, "test", {});
}

/// Of all values, relative to the largest; NaN where the shapes differ.
template <typename Scalar>
double difference(const reprise::Sequences<Scalar>& got, const reprise::Sequences<Scalar>& expected) {
  if (got.steps() != expected.steps() || got.features() != expected.features()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return relative_difference(got.view().matrix(), expected.view().matrix());
}

/// How far the model's output is from that of the other library, in `outputs.json` under this name.
template <typename Model>
double output_difference(const ForeignFiles& files, const std::string& name, const Model& model) {
  using Scalar = typename Model::Scalar;
  return difference(output_of(reprise::detail::network_of(model), reprise::detail::weights_of(model),
                              files.sequences<Scalar>(name, "x")),
                    files.sequences<Scalar>(name, "output"));
}

}  // namespace test
