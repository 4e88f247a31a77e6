#pragma once

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "../core/parameter_map.hpp"
#include "../core/snapshot.hpp"
#include "../training/trainer.hpp"
#include "../training/training_snapshot.hpp"
#include "inference.hpp"
#include "summary.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What models have in common: a chain of layers, its parameters, and the state of its training. A value: a
/// copy is a model of its own, and one that was moved from refuses every call but an assignment. All const
/// calls may run at once on one model from several threads, each with a workspace of its own where one is
/// handed in; fit and writing parameters must be alone.
template <typename Scalar_>
class ChainModel {
 public:
  using Scalar = Scalar_;

  /// Names, shapes and places of all tensors, such as `output.bias`.
  const ParameterTable& parameters() const { return parts().network.parameters(); }
  /// All parameters, in the order of the table.
  const Vector<Scalar>& weights() const& { return parts().weights; }
  Vector<Scalar> weights() && { return std::move(take_parts()->weights); }
  /// The same to be written where they stand.
  ParameterMap<Vector<Scalar>> writable_weights() & { return {parts().weights.data(), parameters().size()}; }
  /// Throws `Error` where there are not as many values as parameters.
  void set_weights(const Eigen::Ref<const Vector<Scalar>>& values) {
    require_weights(kind_, parts().network, values.size());
    parts().weights = values;
  }
  /// One tensor by name; throws when there is none. A kernel is outputs x inputs, the transpose of Keras's.
  ParameterMap<Matrix<Scalar>> parameter(const std::string& name) & {
    const ParameterInfo& info = parameters().at(name);
    return {parts().weights.data() + info.offset, info.rows, info.cols};
  }
  Eigen::Map<const Matrix<Scalar>> parameter(const std::string& name) const& {
    const ParameterInfo& info = parameters().at(name);
    return {parts().weights.data() + info.offset, info.rows, info.cols};
  }
  Matrix<Scalar> parameter(const std::string& name) && { return std::as_const(*this).parameter(name); }

  /// What a further fit goes on from: optimizer, moments, counters.
  TrainingState<Scalar>& training_state() { return parts().training; }
  const TrainingState<Scalar>& training_state() const { return parts().training; }

  /// The layers as a chain, for those who write their own training loop.
  const Sequential<Scalar>& network() const& { return parts().network; }
  Sequential<Scalar> network() && { return std::move(take_parts()->network); }

 protected:
  /// `kind`: the model's name in messages.
  ChainModel(const char* kind, Sequential<Scalar> network, std::uint64_t seed)
      : kind_(kind), parts_(std::make_shared<Parts>(std::move(network))) {
    Parts& p = *parts_;
    const Index count = p.network.parameters().size();
    try {
      p.weights.resize(count);
    } catch (const std::bad_alloc&) {
      detail::fail(kind, {"memory for ", count, " parameters of ", sizeof(Scalar), " bytes"}, "less");
    }
    p.network.initialize(p.weights.data(), seed);
  }
  ChainModel(const char* kind, Sequential<Scalar> network, Vector<Scalar> weights)
      : kind_(kind), parts_(std::make_shared<Parts>(std::move(network), std::move(weights))) {
    require_weights(kind, parts_->network, parts_->weights.size());
  }
  ChainModel(const ChainModel& other) : kind_(other.kind_), parts_(std::make_shared<Parts>(other.parts())) {}
  ChainModel(ChainModel&&) noexcept = default;
  /// Parameters of the same names and sizes are replaced where they stand, so that a callback may put others
  /// into the model that is trained. The training then goes on from them, with its own optimizer and
  /// counters.
  ChainModel& operator=(const ChainModel& other) {
    if (this == &other) return *this;
    auto copy = std::make_shared<Parts>(other.parts());
    if (parts_ != nullptr && parts_->network.parameters() == copy->network.parameters()) {
      parts_->network = std::move(copy->network);
      parts_->weights = copy->weights;  // as many, so nothing is allocated
      if (!is_trained()) parts_->training = std::move(copy->training);
    } else {
      parts_ = std::move(copy);
    }
    kind_ = other.kind_;
    return *this;
  }
  ChainModel& operator=(ChainModel&&) noexcept = default;
  ~ChainModel() = default;

  const Scalar* theta() const { return parts().weights.data(); }

  /// Trains what the model holds now, and keeps that alive: a callback may move the model. Where one destroys
  /// it or puts another in its place, nobody is left to see what is trained, and an error says so. `options`:
  /// the model's own.
  template <typename Options>
  History train(const Source& source, FitOptions fit_options, const Options& options) {
    parts();
    const std::shared_ptr<Parts> held = parts_;
    if (!fit_options.callbacks.empty()) {
      fit_options.callbacks.push_back([&held](TrainingEvent&) {
        if (held.use_count() > 1) return;
        detail::fail("fit", "the model to stay until the training is over",
                     "a callback that destroyed it or put another in its place");
      });
    }
    const WriteSnapshot write_snapshot = [&held, kind = kind_, options](SnapshotWriter& writer) {
      write(writer, kind, options, *held);
    };
    return Trainer<Scalar>(held->network, held->weights, held->training, write_snapshot)
        .fit(source, std::move(fit_options));
  }
  double measure(const Source& source, EvaluateOptions options) const {
    if (!options.loss) options.loss = training_state().loss;
    return reprise::evaluate(network(), weights(), source, options);
  }
  detail::LayerRange all_layers() const {
    const Sequential<Scalar>& chain = network();
    return {0, chain.entries().size(), chain.input_shape(), chain.output_shape()};
  }

  /// All that the model is; `options`: its own.
  template <typename Options>
  void write(SnapshotWriter& writer, const Options& options) const {
    write(writer, kind_, options, parts());
  }
  /// All but the options, of which the weights' number follows.
  void read_values(SnapshotReader& reader) {
    reader.tensors("", parameters(), parts().weights);
    parts().training = detail::read_training<Scalar>(reader, parameters());
  }

  /// The same layers over another number of steps; the parameters stay.
  void set_network(Sequential<Scalar> network) {
    require_weights(kind_, network, parts().weights.size());
    parts().network = std::move(network);
  }

  /// `is_vector(l)`: whether layer l gives one vector a sample and no sequence.
  template <typename IsVector>
  Summary summary_with(const IsVector& is_vector) const {
    Summary result;
    result.parameters = parameters().size();
    result.scalar_size = static_cast<Index>(sizeof(Scalar));
    const auto& entries = network().entries();
    for (std::size_t l = 0; l < entries.size(); ++l) {
      const Index end = l + 1 < entries.size() ? entries[l + 1].offset : parameters().size();
      result.rows.push_back({entries[l].name, entries[l].layer.name(), entries[l].output, !is_vector(l),
                             end - entries[l].offset});
    }
    return result;
  }

 private:
  /// On the heap, so that a training can hold them too.
  struct Parts {
    explicit Parts(Sequential<Scalar> chain, Vector<Scalar> values = {})
        : network(std::move(chain)), weights(std::move(values)) {}
    Sequential<Scalar> network;
    Vector<Scalar> weights;
    TrainingState<Scalar> training{};
  };

  Parts& parts() { return const_cast<Parts&>(std::as_const(*this).parts()); }
  const Parts& parts() const {
    if (parts_ == nullptr) detail::fail(kind_, "a model", "one that was moved from");
    return *parts_;
  }
  /// Whether a training holds the parts too.
  bool is_trained() const { return parts_.use_count() > 1; }
  /// The model is then one that was moved from.
  std::shared_ptr<Parts> take_parts() {
    parts();
    return std::exchange(parts_, nullptr);
  }
  static void require_weights(const char* kind, const Sequential<Scalar>& network, Index got) {
    const Index expected = network.parameters().size();
    if (got != expected) detail::fail({kind, ": weights"}, {expected, " values"}, {got});
  }
  template <typename Options>
  static void write(SnapshotWriter& writer, const char* kind, const Options& options, const Parts& parts) {
    writer.model(kind);
    writer.section("options", options);
    writer.tensors("", parts.network.parameters(), parts.weights);
    detail::write_training(writer, parts.training, parts.network.parameters());
  }

  const char* kind_;
  std::shared_ptr<Parts> parts_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
