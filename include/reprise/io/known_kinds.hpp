#pragma once

#include <optional>

#include "../core/fields.hpp"
#include "../layers/any_layer.hpp"
#include "../layers/decoder_input.hpp"
#include "../layers/dense.hpp"
#include "../layers/dropout.hpp"
#include "../layers/lstm.hpp"
#include "../layers/recurrent_options.hpp"
#include "../layers/repeat_vector.hpp"
#include "../layers/reverse.hpp"

// The layers that files may hold without a registry of the caller's. A layer that is added to the library is
// added here, in one line.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A recurrent layer, which a model may also hold by its options alone.
template <typename Scalar, typename Options>
void know_recurrent(Registry& known) {
  known.add<AnyLayer<Scalar>, typename Options::template Layer<Scalar>>();
  known.add<RecurrentOptions, Options>();
}
template <typename Scalar>
const Registry& known_kinds() {
  static const Registry all = [] {
    using Layer = AnyLayer<Scalar>;
    using Made = std::optional<Layer>;
    Registry known;
    know_recurrent<Scalar, LstmOptions>(known);
    known.add<Layer, Dense<Scalar>>();
    known.add<Layer, Reverse<Scalar>>();
    known.add<Layer>(Dropout<Scalar>::kind, [](FieldReader& reader, const void*, Made& made) {
      made = read_layer(reader, Dropout<Scalar>(0.0));
    });
    known.add<Layer>(RepeatVector<Scalar>::kind, [](FieldReader& reader, const void*, Made& made) {
      made = read_layer(reader, RepeatVector<Scalar>(1));
    });
    known.add<Layer>(Zeros<Scalar>::kind, [](FieldReader& reader, const void*, Made& made) {
      made = read_layer(reader, Zeros<Scalar>(1));
    });
    known.add<Layer>(PreviousValue<Scalar>::kind, [](FieldReader& reader, const void*, Made& made) {
      made = read_layer(reader, PreviousValue<Scalar>({1, 1}, false));
    });
    return known;
  }();
  return all;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
