#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../../layers/bidirectional.hpp"
#include "../../layers/embedding.hpp"
#include "../../layers/gru.hpp"
#include "../../layers/lstm.hpp"
#include "imported_chain.hpp"

// Where PyTorch keeps what a layer of ours has. For G gates (4 of an LSTM, 3 of a GRU), H units, I inputs:
//
//     weight_ih_l0 (G H, I)    kernel, transposed               gates i, f, g, o   r, z, n
//     weight_hh_l0 (G H, H)    recurrent_kernel, transposed     ours  i, f, g, o   z, r, n
//     bias_ih_l0 (G H)         LSTM: bias is the sum of both    GRU: bias
//     bias_hh_l0 (G H)                                          GRU: recurrent_bias
//
// _l1 and so on for the layers of a stacked module, _l0_reverse for the half of a bidirectional one that
// reads backwards; weight (O, I) and bias (O) of a Linear.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// One direction of a recurrent layer, a dense layer, or an embedding.
struct TorchPart {
  /// Before our names of its parameters: "", "forward." or "backward.".
  std::string ours{};
  /// Behind PyTorch's names: "_l0" or "_l0_reverse"; empty for a Linear.
  std::string theirs{};
  bool is_recurrent = true;
  /// An embedding's table, whose rows are the symbols here and there.
  bool is_table = false;
  /// Block g of our rows is block `gates[g]` of theirs.
  std::vector<Index> gates{};
  Index units = 0;
  Index inputs = 0;
  bool use_bias = true;
  /// Whether the bias behind the recurrent product is a parameter of ours too (GRU), or added to the other.
  bool keeps_both_biases = false;

  Index rows() const { return is_recurrent ? static_cast<Index>(gates.size()) * units : units; }
  /// What we call the matrix that meets the input.
  const char* kernel() const { return is_table ? "embeddings" : "kernel"; }
  /// The shape there of a matrix that multiplies so many columns.
  std::vector<std::uint64_t> shape(Index columns) const {
    const auto height = static_cast<std::uint64_t>(rows()), width = static_cast<std::uint64_t>(columns);
    return is_table ? std::vector{width, height} : std::vector{height, width};
  }
  std::string name(const std::string& module, const std::string& tensor) const {
    return module + (module.empty() ? "" : ".") + tensor + theirs;
  }
};

/// nn.LSTM and nn.GRU know these two only.
template <typename Options>
void require_torch_activations(const std::string& place, const Options& options) {
  const auto require = [&](const char* what, Activation expected, Activation got) {
    if (got == expected) return;
    const std::string name =
        got.kind == Activation::Kind::custom
            ? "an own activation"
            : std::string(activation_names[static_cast<std::size_t>(static_cast<int>(got.kind))]);
    fail_file(place + ": " + what,
              std::string(activation_names[static_cast<std::size_t>(static_cast<int>(expected.kind))]) +
                  ", the only one that PyTorch's layer has",
              name);
  };
  require("activation", activation::tanh, options.activation);
  require("recurrent_activation", activation::sigmoid, options.recurrent_activation);
}

inline TorchPart torch_part(const std::string& place, const LstmOptions& options, Index inputs) {
  require_torch_activations(place, options);
  TorchPart part;
  part.gates = {0, 1, 2, 3};
  part.units = options.units;
  part.inputs = inputs;
  part.use_bias = options.use_bias;
  return part;
}
inline TorchPart torch_part(const std::string& place, const GruOptions& options, Index inputs) {
  require_torch_activations(place, options);
  if (!options.reset_after) {
    fail_file(place + ": reset_after", "true, the only form that PyTorch's GRU has", "false");
  }
  TorchPart part;
  part.gates = {1, 0, 2};
  part.units = options.units;
  part.inputs = inputs;
  part.use_bias = options.use_bias;
  part.keeps_both_biases = true;
  return part;
}
/// Of one half of a bidirectional layer.
inline TorchPart torch_part(const std::string& place, const RecurrentOptions& options, Index inputs) {
  if (const auto* lstm = options.get_if<LstmOptions>()) return torch_part(place, *lstm, inputs);
  if (const auto* gru = options.get_if<GruOptions>()) return torch_part(place, *gru, inputs);
  fail_file(place, "an LSTM or GRU in both directions", std::string(options.kind()));
}

/// The parts of a layer, none for one without parameters. `number`: which layer of a stacked module it is.
template <typename Scalar>
std::vector<TorchPart> torch_parts(const std::string& place, const typename Sequential<Scalar>::Entry& entry,
                                   Index number) {
  const Index inputs = entry.input.features;
  const std::string suffix = "_l" + std::to_string(number);
  ParameterTable table;
  entry.layer.add_parameters(table, "");
  if (table.size() == 0) return {};
  if (const auto* dense = entry.layer.template get_if<Dense<Scalar>>()) {
    TorchPart part;
    part.is_recurrent = false;
    part.units = dense->units();
    part.inputs = inputs;
    part.use_bias = dense->options().use_bias;
    return {part};
  }
  if (const auto* embedding = entry.layer.template get_if<Embedding<Scalar>>()) {
    TorchPart part;
    part.is_recurrent = part.use_bias = false;
    part.is_table = true;
    part.units = embedding->options().output_dim;
    part.inputs = embedding->options().input_dim;
    return {part};
  }
  std::vector<TorchPart> parts;
  if (const auto* lstm = entry.layer.template get_if<Lstm<Scalar>>()) {
    parts = {torch_part(place, lstm->options(), inputs)};
  } else if (const auto* gru = entry.layer.template get_if<Gru<Scalar>>()) {
    parts = {torch_part(place, gru->options(), inputs)};
  } else if (const auto* both = entry.layer.template get_if<Bidirectional<Scalar>>()) {
    parts.assign(2, torch_part(place, both->options().layer, inputs));
    parts[0].ours = "forward.";
    parts[1].ours = "backward.";
    parts[1].theirs = "_reverse";
  } else {
    fail_file(place, "a layer that PyTorch has too", entry.layer.name());
  }
  for (TorchPart& part : parts) part.theirs = suffix + part.theirs;
  return parts;
}

/// Calls use(ours, theirs) with the places of each value of a matrix of `rows` x `columns` in PyTorch's order
/// (row-major) and in ours, which has Keras's shape (columns, rows) and its own order of gates. (The table of
/// an embedding has that shape there too.)
template <typename Use>
void each_torch_place(const TorchPart& part, Index columns, const Use& use) {
  const Index gates = part.is_recurrent ? static_cast<Index>(part.gates.size()) : 1;
  const Index rows = part.rows();
  for (Index gate = 0; gate < gates; ++gate) {
    const Index their_gate = part.is_recurrent ? part.gates[static_cast<std::size_t>(gate)] : 0;
    for (Index unit = 0; unit < part.units; ++unit) {
      for (Index column = 0; column < columns; ++column) {
        use(static_cast<std::size_t>(column * rows + gate * part.units + unit),
            static_cast<std::size_t>(part.is_table ? column * rows + unit
                                                   : (their_gate * part.units + unit) * columns + column));
      }
    }
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
