#pragma once

#include <string>
#include <utility>

#include "../core/snapshot.hpp"
#include "../training/trainer.hpp"
#include "../training/training_snapshot.hpp"
#include "inference.hpp"
#include "summary.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What models have in common: a chain of layers, its parameters, and the state of its training. A value: a
/// copy is a model of its own. All const calls may run at once on one model from several threads, each with a
/// workspace of its own where one is handed in; fit and writing parameters must be alone.
template <typename Scalar_>
class ChainModel {
 public:
  using Scalar = Scalar_;

  /// Names, shapes and places of all tensors, such as `output.bias`.
  const ParameterTable& parameters() const { return network_.parameters(); }
  /// All parameters, in the order of the table. Their number must stay what it is: every call checks it.
  Vector<Scalar>& weights() { return weights_; }
  const Vector<Scalar>& weights() const { return weights_; }
  /// One tensor by name; throws when there is none. A kernel is outputs x inputs, the transpose of Keras's.
  Eigen::Map<Matrix<Scalar>> parameter(const std::string& name) {
    const ParameterInfo& info = parameters().at(name);
    return {weights_.data() + info.offset, info.rows, info.cols};
  }
  Eigen::Map<const Matrix<Scalar>> parameter(const std::string& name) const {
    const ParameterInfo& info = parameters().at(name);
    return {weights_.data() + info.offset, info.rows, info.cols};
  }

  /// What a further fit goes on from: optimizer, moments, counters.
  TrainingState<Scalar>& training_state() { return training_; }
  const TrainingState<Scalar>& training_state() const { return training_; }

  /// The layers as a chain, for those who write their own training loop.
  const Sequential<Scalar>& network() const { return network_; }

 protected:
  /// `kind`: the model's name in messages.
  ChainModel(const char* kind, Sequential<Scalar> network, std::uint64_t seed)
      : kind_(kind), network_(std::move(network)), weights_(network_.parameters().size()) {
    network_.initialize(weights_.data(), seed);
  }
  ChainModel(const char* kind, Sequential<Scalar> network, Vector<Scalar> weights)
      : kind_(kind), network_(std::move(network)), weights_(std::move(weights)) {
    theta();
  }
  ChainModel(const ChainModel&) = default;
  ChainModel(ChainModel&&) noexcept = default;
  ChainModel& operator=(const ChainModel&) = default;
  ChainModel& operator=(ChainModel&&) noexcept = default;
  ~ChainModel() = default;

  /// The weights, after a look at their number.
  const Scalar* theta() const {
    if (weights_.size() != parameters().size()) {
      detail::fail({kind_, ": weights"}, {parameters().size(), " values"}, {weights_.size()});
    }
    return weights_.data();
  }
  /// `model`: that whose base this is, which hands itself over to files.
  template <typename Model>
  History train(const Model& model, const Source& source, FitOptions options) {
    return Trainer<Scalar>(network_, weights_, training_,
                           [&model](SnapshotWriter& writer) { model.write_snapshot(writer); })
        .fit(source, std::move(options));
  }
  double measure(const Source& source, EvaluateOptions options) const {
    if (!options.loss) options.loss = training_.loss;
    return reprise::evaluate(network_, weights_, source, options);
  }
  detail::LayerRange all_layers() const {
    return {0, network_.entries().size(), network_.input_shape(), network_.output_shape()};
  }

  /// All but the options, of which the weights' number follows.
  void write_values(SnapshotWriter& writer) const {
    writer.tensors("", parameters(), weights_);
    detail::write_training(writer, training_, parameters());
  }
  void read_values(SnapshotReader& reader) {
    reader.tensors("", parameters(), weights_);
    training_ = detail::read_training<Scalar>(reader, parameters());
  }

  /// `is_vector(l)`: whether layer l gives one vector a sample and no sequence.
  template <typename IsVector>
  Summary summary_with(const IsVector& is_vector) const {
    Summary result;
    result.parameters = weights_.size();
    result.scalar_size = static_cast<Index>(sizeof(Scalar));
    const auto& entries = network_.entries();
    for (std::size_t l = 0; l < entries.size(); ++l) {
      const Index end = l + 1 < entries.size() ? entries[l + 1].offset : parameters().size();
      result.rows.push_back({entries[l].name, entries[l].layer.name(), entries[l].output, !is_vector(l),
                             end - entries[l].offset});
    }
    return result;
  }

  const char* kind_;
  Sequential<Scalar> network_;
  Vector<Scalar> weights_;
  TrainingState<Scalar> training_{};
};

}  // namespace REPRISE_ABI
}  // namespace reprise
