#pragma once

#include <string>
#include <utility>

#include "../sequential.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// A `Sequential` as fields:
///
///     {input: {features, steps}, layers: [{name, state_from, layer: {kind, its fields}}, ...]}
///
/// `state_from` is the number of the layer in whose last state this one starts, and is left out where there
/// is none.
template <typename Scalar>
class ChainFields {
 public:
  explicit ChainFields(Sequential<Scalar> network = Sequential<Scalar>({.steps = 1, .features = 1}))
      : network_(std::move(network)) {}
  const Sequential<Scalar>& network() const { return network_; }

  void write(FieldWriter& writer) const {
    writer.begin_object({});
    writer.member("input");
    write_value(writer, Input{network_.input_shape()});
    writer.member("layers");
    writer.begin_array();
    for (const Entry& entry : network_.entries()) write_layer(writer, entry);
    writer.end_array();
    writer.end_object();
  }

  void read(FieldReader& reader) {
    reader.begin_object();
    Input input;
    read_member(reader, "input", [&] { read_value(reader, input); });
    require_sizes(reader, input.shape);
    network_ = Sequential<Scalar>(input.shape);
    read_member(reader, "layers", [&] {
      const std::size_t count = reader.array_size();
      for (std::size_t l = 0; l < count; ++l) {
        reader.enter_element(l);
        read_layer(reader, l);
        reader.leave();
      }
    });
    reader.end_object();
  }

 private:
  using Entry = typename Sequential<Scalar>::Entry;

  struct Input {
    SequenceShape shape{};
    template <typename Self, typename Visit>
    static void each_field(Self& self, const Visit& visit) {
      visit("features", self.shape.features);
      visit("steps", self.shape.steps);
    }
  };

  template <typename Use>
  static void read_member(FieldReader& reader, const char* name, const Use& use) {
    if (!reader.enter_member(name)) reader.refuse("a member " + std::string(name), "none");
    use();
    reader.leave();
  }
  /// Products of two sizes must stay within 64 bits, whatever a file claims.
  static void require_sizes(const FieldReader& reader, SequenceShape shape) {
    if (shape.features >= 1 && shape.steps >= 1 && shape.features <= largest_size &&
        shape.steps <= largest_size) {
      return;
    }
    reader.refuse("features and steps from 1 to " + std::to_string(largest_size), to_string(shape));
  }

  void write_layer(FieldWriter& writer, const Entry& entry) const {
    if (entry.layer.kind().empty()) {
      fail({"saving layer ", entry.name},
           "a layer that files have a name for: static constexpr const char* kind", entry.layer.name());
    }
    writer.begin_object({});
    writer.member("name");
    writer.text(entry.name);
    if (entry.receives >= 0) {
      writer.member("state_from");
      writer.integer(sender_of(entry));
    }
    writer.member("layer");
    writer.begin_object(entry.layer.kind());
    entry.layer.write_fields(writer);
    writer.end_object();
    writer.end_object();
  }
  Index sender_of(const Entry& entry) const {
    Index from = 0;
    for (const Entry& other : network_.entries()) {
      if (other.sends == entry.receives) break;
      ++from;
    }
    return from;
  }

  void read_layer(FieldReader& reader, std::size_t number) {
    reader.begin_object();
    std::string name;
    read_member(reader, "name", [&] { name = reader.text(); });
    const SequenceShape input = network_.output_shape();
    read_member(reader, "layer", [&] {
      reader.begin_object();
      network_.add(name, read_erased<AnyLayer<Scalar>>(reader, read_kind(reader), &input));
      reader.end_object();
    });
    require_sizes(reader, network_.output_shape());
    if (reader.enter_member("state_from")) {
      Index from = 0;
      read_value(reader, from);
      network_.carry_state(static_cast<std::size_t>(from), number);
      reader.leave();
    }
    reader.end_object();
  }

  Sequential<Scalar> network_;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
