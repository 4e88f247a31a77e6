#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "../core/detail/identity.hpp"
#include "../core/detail/memory.hpp"
#include "detail/layer_fields.hpp"
#include "layer.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// Says in a sentence which requirement of `Layer` a type does not fulfil.
template <typename L>
constexpr bool require_layer() {
  using S = typename L::Scalar;
  using In = SequenceView<const S>;
  using Out = SequenceView<S>;
  using Call = const LayerCall<S>&;
  static_assert(
      requires(const L l) {
        { l.name() } -> std::convertible_to<std::string>;
      }, "a layer needs: const char* name() const");
  static_assert(
      requires(const L l, SequenceShape in) {
        { l.output_shape(in) } -> std::same_as<SequenceShape>;
      }, "a layer needs: SequenceShape output_shape(SequenceShape in) const");
  static_assert(
      requires(const L l, ParameterTable& table) { l.add_parameters(table, std::string()); },
      "a layer needs: void add_parameters(ParameterTable&, const std::string& prefix) const");
  static_assert(
      requires(const L l, S* theta, RandomStream& random) { l.initialize(theta, random); },
      "a layer needs: void initialize(Scalar* theta, RandomStream&) const");
  static_assert(
      requires(const L l, SequenceShape in, Index batch) {
        { l.tape_size(in, batch) } -> std::same_as<Index>;
        { l.scratch_size(in, batch) } -> std::same_as<Index>;
      }, "a layer needs: Index tape_size(SequenceShape in, Index batch) const, and scratch_size");
  static_assert(
      requires(const L l) {
        { l.state_size() } -> std::same_as<Index>;
      }, "a layer needs: Index state_size() const");
  static_assert(
      requires(const L l) {
        { l.traits() } -> std::same_as<LayerTraits>;
      }, "a layer needs: LayerTraits traits() const");
  static_assert(
      requires(const L l, In x, Out y, Call call) { l.forward(x, y, call); },
      "a layer needs: void forward(SequenceView<const Scalar> x, SequenceView<Scalar> y, "
      "const LayerCall<Scalar>& call) const");
  static_assert(
      requires(const L l, In x, Out dx, Call call) { l.backward(x, x, x, dx, call); },
      "a layer needs: void backward(SequenceView<const Scalar> x, SequenceView<const Scalar> y, "
      "SequenceView<const Scalar> dy, SequenceView<Scalar> dx, const LayerCall<Scalar>& call) const");
  return Layer<L>;
}

/// Whether a layer has an `infer` of its own.
template <typename L>
concept InfersWithoutTape =
    requires(const L layer, SequenceView<const typename L::Scalar> in, SequenceView<typename L::Scalar> out,
             const LayerCall<typename L::Scalar>& call) { layer.infer(in, out, call); };

}  // namespace detail

/// Any layer of a scalar type, ours or a user's: what a `Sequential` is made of. It shares one const layer
/// with its copies, and a call costs one pointer.
template <typename Scalar_>
class AnyLayer {
 public:
  using Scalar = Scalar_;
  using Input = SequenceView<const Scalar>;
  using Output = SequenceView<Scalar>;
  using Call = LayerCall<Scalar>;

  // A move is a copy, so that what was moved from can still be used.
  AnyLayer(const AnyLayer&) = default;
  AnyLayer& operator=(const AnyLayer&) = default;

  /// A type that is no `Layer` is refused by the compiler, which says what it lacks.
  template <typename L>
    requires(!std::is_same_v<std::remove_cvref_t<L>, AnyLayer> && std::is_class_v<std::remove_cvref_t<L>>)
  AnyLayer(L&& layer) {
    using Plain = std::remove_cvref_t<L>;
    static_assert(
        requires { typename Plain::Scalar; }, "a layer needs: using Scalar = float (or double)");
    static_assert(std::is_same_v<typename Plain::Scalar, Scalar>,
                  "a layer needs the Scalar of the network that it is put into");
    static_assert(detail::require_layer<Plain>());
    // Behind a pointer to the base, so that all layers are counted and deleted by the same code.
    layer_ = std::shared_ptr<const Interface>(
        static_cast<const Interface*>(new Holder<Plain>(std::forward<L>(layer))));
  }

  std::string name() const { return layer_->name(); }
  SequenceShape output_shape(SequenceShape in) const { return layer_->output_shape(in); }
  void add_parameters(ParameterTable& table, const std::string& prefix) const {
    layer_->add_parameters(table, prefix);
  }
  void initialize(Scalar* theta, RandomStream& random) const { layer_->initialize(theta, random); }
  Index tape_size(SequenceShape in, Index batch) const { return layer_->tape_size(in, batch); }
  Index scratch_size(SequenceShape in, Index batch) const { return layer_->scratch_size(in, batch); }
  Index state_size() const { return layer_->state_size(); }
  LayerTraits traits() const { return layer_->traits(); }
  void forward(Input x, Output y, const Call& call) const { layer_->forward(x, y, call); }
  void infer(Input x, Output y, const Call& call) const { layer_->infer(x, y, call); }
  void backward(Input x, Input y, Input dy, Output dx, const Call& call) const {
    layer_->backward(x, y, dy, dx, call);
  }

  /// What files call the layer, and its fields there; empty where files have no name for it.
  static constexpr const char* category = "layer";
  std::string_view kind() const { return layer_->kind(); }
  void write_fields(FieldWriter& writer) const { layer_->write_fields(writer); }

  /// The layer as what it was made of; null where that was another type.
  template <typename L>
  const L* get_if() const {
    return layer_->type() == &detail::identity_of<L> ? &static_cast<const Holder<L>&>(*layer_).layer
                                                     : nullptr;
  }

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual const char* type() const = 0;
    virtual std::string name() const = 0;
    virtual std::string_view kind() const = 0;
    virtual void write_fields(FieldWriter& writer) const = 0;
    virtual SequenceShape output_shape(SequenceShape in) const = 0;
    virtual void add_parameters(ParameterTable& table, const std::string& prefix) const = 0;
    virtual void initialize(Scalar* theta, RandomStream& random) const = 0;
    virtual Index tape_size(SequenceShape in, Index batch) const = 0;
    virtual Index scratch_size(SequenceShape in, Index batch) const = 0;
    virtual Index state_size() const = 0;
    virtual LayerTraits traits() const = 0;
    virtual void forward(Input x, Output y, const Call& call) const = 0;
    virtual void infer(Input x, Output y, const Call& call) const = 0;
    virtual void backward(Input x, Input y, Input dy, Output dx, const Call& call) const = 0;
  };

  template <typename L>
  struct Holder final : Interface {
    template <typename Given>
    explicit Holder(Given&& given) : layer(std::forward<Given>(given)) {}

    const char* type() const override { return &detail::identity_of<L>; }
    std::string name() const override { return layer.name(); }
    std::string_view kind() const override { return detail::layer_kind<L>(); }
    void write_fields(FieldWriter& writer) const override { detail::write_layer_fields(writer, layer); }
    SequenceShape output_shape(SequenceShape in) const override { return layer.output_shape(in); }
    void add_parameters(ParameterTable& table, const std::string& prefix) const override {
      layer.add_parameters(table, prefix);
    }
    void initialize(Scalar* theta, RandomStream& random) const override { layer.initialize(theta, random); }
    Index tape_size(SequenceShape in, Index batch) const override { return layer.tape_size(in, batch); }
    Index scratch_size(SequenceShape in, Index batch) const override {
      const Index own = layer.scratch_size(in, batch);
      if constexpr (detail::InfersWithoutTape<L>) return own;
      // At inference the tape that `forward` wants stands behind its scratch.
      return detail::whole_packets(own) + layer.tape_size(in, batch);
    }
    Index state_size() const override { return layer.state_size(); }
    LayerTraits traits() const override { return layer.traits(); }
    void forward(Input x, Output y, const Call& call) const override { layer.forward(x, y, call); }
    void infer(Input x, Output y, const Call& call) const override {
      if constexpr (detail::InfersWithoutTape<L>) {
        layer.infer(x, y, call);
      } else {
        Call with_tape = call;
        with_tape.tape = call.scratch + detail::whole_packets(layer.scratch_size(x.shape(), x.batch));
        layer.forward(x, y, with_tape);
      }
    }
    void backward(Input x, Input y, Input dy, Output dx, const Call& call) const override {
      layer.backward(x, y, dy, dx, call);
    }

    L layer;
  };

  std::shared_ptr<const Interface> layer_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
