#pragma once

#include <optional>

#include "../../core/fields.hpp"
#include "../../layers/any_layer.hpp"
#include "../../layers/bidirectional.hpp"
#include "../../layers/decoder_input.hpp"
#include "../../layers/dense.hpp"
#include "../../layers/dropout.hpp"
#include "../../layers/embedding.hpp"
#include "../../layers/gru.hpp"
#include "../../layers/lstm.hpp"
#include "../../layers/recurrent_options.hpp"
#include "../../layers/repeat_vector.hpp"
#include "../../layers/reshape.hpp"
#include "../../layers/reverse.hpp"
#include "../../layers/softmax.hpp"
#include "../../losses/sparse_categorical_crossentropy.hpp"

// The layers, and the losses outside the variant `Loss`, that files may hold without a registry of the
// caller's. One that is added to the library is added here, in one line.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A recurrent layer, which a model may also hold by its options alone.
template <typename Scalar, typename Options>
void know_recurrent(Registry& known) {
  known.add<AnyLayer<Scalar>, typename Options::template Layer<Scalar>>();
  known.add<RecurrentOptions, Options>();
}
/// A layer that lists its own fields: `start` makes one, of which every field is then read.
template <typename L, typename Start>
void know_fields(Registry& known, Start) {
  using Layer = AnyLayer<typename L::Scalar>;
  known.add<Layer>(L::kind, [](FieldReader& reader, const void*, std::optional<Layer>& made) {
    made.emplace(read_layer(reader, Start{}()));
  });
}

/// All of them. Each is compiled for this scalar, and the recurrent layers for both.
template <typename Scalar>
const Registry& known_kinds() {
  static const Registry all = [] {
    using Layer = AnyLayer<Scalar>;
    Registry known;
    know_recurrent<Scalar, LstmOptions>(known);
    know_recurrent<Scalar, GruOptions>(known);
    know_recurrent<Scalar, BidirectionalOptions>(known);
    known.add<Layer, Dense<Scalar>>();
    known.add<Layer, Reverse<Scalar>>();
    known.add<Layer, Softmax<Scalar>>();
    known.add<Layer, Embedding<Scalar>>();
    know_fields<OneHot<Scalar>>(known, [] { return OneHot<Scalar>(1); });
    known.add<CustomLoss, SparseCategoricalCrossentropy>();
    know_fields<Dropout<Scalar>>(known, [] { return Dropout<Scalar>(0.0); });
    know_fields<RepeatVector<Scalar>>(known, [] { return RepeatVector<Scalar>(1); });
    know_fields<Reshape<Scalar>>(known, [] { return Reshape<Scalar>({.steps = 1, .features = 1}); });
    know_fields<Zeros<Scalar>>(known, [] { return Zeros<Scalar>(1); });
    know_fields<PreviousValue<Scalar>>(
        known, [] { return PreviousValue<Scalar>({.steps = 1, .features = 1}, false); });
    return known;
  }();
  return all;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
