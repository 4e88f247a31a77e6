#pragma once

#include "../core/detail/lanes.hpp"
#include "../core/detail/symbol_index.hpp"
#include "initializers.hpp"
#include "layer.hpp"

// Layers that read symbols: whole numbers that name one of several things and have no size. A step of their
// input has one feature, the symbol's index.
namespace reprise {
inline namespace REPRISE_ABI {

/// An embedding's configuration, in Keras's names and defaults.
struct EmbeddingOptions {
  static constexpr const char* kind = "Embedding";
  /// Number of symbols, whose indices are 0 ... input_dim - 1. Must be given.
  Index input_dim = 0;
  /// Features of the output. Must be given.
  Index output_dim = 0;
  Initializer embeddings_initializer = initializer::random_uniform(0.05);

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [input_dim, output_dim, embeddings_initializer] = self;
    visit("input_dim", input_dim);
    visit("output_dim", output_dim);
    visit("embeddings_initializer", embeddings_initializer);
  }

  friend bool operator==(const EmbeddingOptions&, const EmbeddingOptions&) = default;
};

/// A vector for each symbol, learnt: y = the column of the table E that the symbol's index names.
///
///     backwards: the same column of dE += dy;  an index has no gradient, so dx = 0
///
/// Shapes: input batch x T x 1, output batch x T x output_dim. Parameters: embeddings output_dim x input_dim,
/// a column for each symbol. Throws `Error` where an index is no whole number or names no symbol. Where
/// samples have lengths, what stands behind them is not looked at, and the output there is zero. (Keras's
/// mask_zero makes lengths of an index that is kept for padding; here lengths are given as such.)
template <typename Scalar_>
class Embedding : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  Embedding(Index inputs, const EmbeddingOptions& options) : options_(options) {
    detail::require_size(options.input_dim, "Embedding", "input_dim");
    detail::require_size(options.output_dim, "Embedding", "output_dim");
    require_one_feature(inputs);
  }

  const EmbeddingOptions& options() const { return options_; }
  const char* name() const { return "Embedding"; }
  LayerTraits traits() const { return {.lengths = Lengths::kept, .stepwise = true}; }
  SequenceShape output_shape(SequenceShape in) const {
    require_one_feature(in.features);
    return {.steps = in.steps, .features = options_.output_dim};
  }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    table.add(prefix + "embeddings", options_.output_dim, options_.input_dim, false);
  }
  void initialize(Scalar* theta, RandomStream& random) const {
    detail::initialize<Scalar>(options_.embeddings_initializer,
                               {theta, options_.output_dim, options_.input_dim}, random);
  }

  void forward(Input x, Output y, const Call& call) const {
    const Index size = options_.output_dim;
    for (Index t = 0; t < x.steps; ++t) {
      const Index valid = detail::samples_at(call.lengths, x.batch, t);
      const Scalar* const indices = x.step_data(t);
      Scalar* const to = y.step_data(t);
      for (Index b = 0; b < valid; ++b) {
        std::copy_n(call.theta + symbol(indices[b]) * size, size, to + b * size);
      }
      std::fill(to + valid * size, to + y.step_size(), Scalar(0));
    }
  }
  void infer(Input x, Output y, const Call& call) const { forward(x, y, call); }
  void backward(Input x, Input, Input dy, Output dx, const Call& call) const {
    const Index size = options_.output_dim;
    for (Index t = 0; t < x.steps; ++t) {
      const Scalar* const indices = x.step_data(t);
      for (Index b = 0; b < detail::samples_at(call.lengths, x.batch, t); ++b) {
        detail::add(call.gradient + symbol(indices[b]) * size, dy.step_data(t) + b * size, size);
      }
    }
    if (dx.data != nullptr) std::fill_n(dx.data, dx.size(), Scalar(0));
  }

 private:
  static void require_one_feature(Index features) {
    if (features != 1) detail::fail("Embedding", "1 input feature, the index of a symbol", {features});
  }
  Index symbol(Scalar value) const { return detail::symbol_index(value, options_.input_dim, "Embedding"); }

  EmbeddingOptions options_;
};

/// One feature for each of `symbols` symbols: 1 for the one whose index stands in the input, 0 for the
/// others. It writes those of the samples that go through a network together; whoever hands in samples has
/// indices only. Input batch x T x 1, output batch x T x symbols; errors and lengths as with `Embedding`,
/// which is the better choice where symbols are many.
template <typename Scalar_>
class OneHot : public LayerDefaults<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  static constexpr const char* kind = "OneHot";

  explicit OneHot(Index symbols) : symbols_(symbols) { validate(); }
  void validate() const { detail::require_size(symbols_, "OneHot", "symbols"); }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("symbols", self.symbols_);
  }

  Index symbols() const { return symbols_; }
  const char* name() const { return "OneHot"; }
  LayerTraits traits() const { return {.lengths = Lengths::kept, .stepwise = true}; }
  SequenceShape output_shape(SequenceShape in) const {
    if (in.features != 1) detail::fail("OneHot", "1 input feature, the index of a symbol", {in.features});
    return {.steps = in.steps, .features = symbols_};
  }
  void forward(Input x, Output y, const Call& call) const {
    std::fill_n(y.data, y.size(), Scalar(0));
    for (Index t = 0; t < x.steps; ++t) {
      for (Index b = 0; b < detail::samples_at(call.lengths, x.batch, t); ++b) {
        y.step_data(t)[b * symbols_ + detail::symbol_index(x.step_data(t)[b], symbols_, "OneHot")] = 1;
      }
    }
  }
  void infer(Input x, Output y, const Call& call) const { forward(x, y, call); }
  void backward(Input, Input, Input, Output dx, const Call&) const {
    if (dx.data != nullptr) std::fill_n(dx.data, dx.size(), Scalar(0));
  }

 private:
  Index symbols_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
