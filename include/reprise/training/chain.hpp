#pragma once

#include <utility>

#include "../layers/detail/chain_fields.hpp"
#include "training_snapshot.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// A chain of layers with all that belongs to it, as it is saved and loaded:
///
///     save(Chain<float>{network, parameters, state}, "chain.safetensors");
///     auto chain = load<Chain<float>>("chain.safetensors");
///     Trainer<float>(chain.network, chain.parameters, chain.training).fit(windows, options);
///
/// A layer of the user's own is saved by its `kind` and its fields (see layers/detail/layer_fields.hpp); to
/// load it, hand a registry to `load` that knows it: `Registry().add<AnyLayer<float>, Square<float>>()`.
template <typename Scalar_>
struct Chain {
  using Scalar = Scalar_;

  Sequential<Scalar> network;
  Vector<Scalar> parameters;
  TrainingState<Scalar> training{};

  static constexpr const char* kind = "Sequential";
  void write_snapshot(SnapshotWriter& writer) const { write(writer, network, parameters, training); }
  static Chain read_snapshot(SnapshotReader& reader) {
    detail::ChainFields<Scalar> fields;
    reader.section("network", fields);
    const ParameterTable& table = fields.network().parameters();
    reader.require_room(table.size());
    Chain chain{fields.network(), Vector<Scalar>(table.size())};
    reader.tensors("", table, chain.parameters);
    chain.training = detail::read_training<Scalar>(reader, table);
    return chain;
  }

  /// The same snapshot of parts that stand elsewhere.
  static void write(SnapshotWriter& writer, const Sequential<Scalar>& network,
                    const Vector<Scalar>& parameters, const TrainingState<Scalar>& training) {
    if (parameters.size() != network.parameters().size()) {
      detail::fail("Chain: parameters", {network.parameters().size(), " values"}, {parameters.size()});
    }
    writer.model(kind);
    writer.section("network", detail::ChainFields<Scalar>(network));
    writer.tensors("", network.parameters(), parameters);
    detail::write_training(writer, training, network.parameters());
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
