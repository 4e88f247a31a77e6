#pragma once

#include "../core/fields.hpp"
#include "../models/autoencoder.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Which kinds of layers a file with such a model may hold, besides those of the caller's registry.
template <typename Model>
const Registry& known_kinds() {
  static const Registry known;
  return known;
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
