#pragma once

// What keras_check.cpp and pytorch_check.cpp have in common.
#include <iostream>
#include <nlohmann/json.hpp>
#include <reprise/reprise.hpp>

namespace check {

/// As nested lists: sample, step, feature.
template <typename Scalar>
nlohmann::json to_lists(const reprise::Sequences<Scalar>& sequences) {
  using reprise::Index;
  nlohmann::json lists = nlohmann::json::array();
  for (Index b = 0; b < sequences.batch(); ++b) {
    for (Index t = 0; t < sequences.steps(); ++t) {
      for (Index f = 0; f < sequences.features(); ++f) {
        lists[static_cast<std::size_t>(b)][static_cast<std::size_t>(t)][static_cast<std::size_t>(f)] =
            sequences(b, t, f);
      }
    }
  }
  return lists;
}

/// Prints, as JSON, an input and what the chain makes of it.
template <typename Scalar>
void print_output(const reprise::Chain<Scalar>& chain, const reprise::Sequences<Scalar>& x) {
  const auto& network = chain.network;
  const reprise::Sequences<Scalar> y = reprise::detail::infer_sequences(
      network, chain.parameters.data(), x,
      {0, network.entries().size(), network.input_shape(), network.output_shape()}, "check", {});
  std::cout << nlohmann::json{{"x", to_lists(x)}, {"y", to_lists(y)}} << '\n';
}

}  // namespace check
