#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "../core/detail/identity.hpp"
#include "../core/fields.hpp"
#include "any_layer.hpp"
#include "lstm.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

/// Options that hold those of another recurrent layer, as `BidirectionalOptions` do, and pass on what is
/// asked of them.
template <typename O>
concept WrapsRecurrentOptions = requires(O options, const O read) {
  { read.return_sequences() } -> std::same_as<bool>;
  { read.go_backwards() } -> std::same_as<bool>;
  options.set_return_sequences(false);
  options.set_go_backwards(false);
};

}  // namespace detail

/// The options of a recurrent layer, as `RecurrentOptions` takes them: a struct such as `LstmOptions` that
/// says in `Layer<Scalar>` which layer it makes, from a number of input features and itself; whether it
/// returns the state after each step; and in which direction it reads. Options that hold those of another
/// layer have functions instead of these two fields, as `RecurrentOptions` itself has. It has a `kind`, the
/// name that files know it by, and can be compared with ==.
template <typename O>
concept RecurrentLayerOptions = (detail::WrapsRecurrentOptions<O> || requires(O options) {
                                  { options.return_sequences } -> std::same_as<bool&>;
                                  { options.go_backwards } -> std::same_as<bool&>;
                                }) && requires {
  typename O::template Layer<float>;
  { O::kind } -> std::convertible_to<std::string_view>;
};

/// The options of any recurrent layer, ours or a user's: a value that remembers which.
class RecurrentOptions {
 public:
  /// An LSTM whose units are still to be given.
  RecurrentOptions() = default;
  RecurrentOptions(const LstmOptions& options) : lstm_(options) {}
  template <RecurrentLayerOptions O>
    requires(!std::same_as<O, LstmOptions>)
  RecurrentOptions(O options) : other_(std::make_unique<Holder<O>>(std::move(options))) {}

  RecurrentOptions(const RecurrentOptions& from)
      : lstm_(from.lstm_), other_(from.other_ ? from.other_->copy() : nullptr) {}
  RecurrentOptions(RecurrentOptions&&) = default;
  RecurrentOptions& operator=(RecurrentOptions from) {
    lstm_ = from.lstm_;
    other_ = std::move(from.other_);
    return *this;
  }
  ~RecurrentOptions() = default;

  /// The options as the struct they were made of; null where that was another.
  template <typename O>
  O* get_if() {
    return const_cast<O*>(std::as_const(*this).template get_if<O>());
  }
  template <typename O>
  const O* get_if() const {
    if constexpr (std::same_as<O, LstmOptions>) {
      return other_ ? nullptr : &lstm_;
    } else {
      const bool same = other_ && other_->type() == &detail::identity_of<O>;
      return same ? &static_cast<const Holder<O>&>(*other_).options : nullptr;
    }
  }

  bool return_sequences() const { return other_ ? other_->return_sequences() : lstm_.return_sequences; }
  bool go_backwards() const { return other_ ? other_->go_backwards() : lstm_.go_backwards; }
  void set_return_sequences(bool value) {
    other_ ? other_->set_return_sequences(value) : void(lstm_.return_sequences = value);
  }
  void set_go_backwards(bool value) {
    other_ ? other_->set_go_backwards(value) : void(lstm_.go_backwards = value);
  }

  /// The layer, for an input of so many features. Throws where its options cannot be.
  template <typename Scalar>
  AnyLayer<Scalar> make(Index inputs) const {
    // A program that names no other layer compiles none.
    if (!other_) return Lstm<Scalar>(inputs, lstm_);
    return other_->make(inputs, Scalar());
  }

  /// What files and messages call it: `O::kind`.
  std::string_view kind() const { return other_ ? other_->kind() : LstmOptions::kind; }
  static constexpr const char* category = "recurrent layer";
  /// Its fields; the kind is written of all but an LSTM, which the first files know alone.
  void write(FieldWriter& writer) const {
    writer.begin_object(other_ ? other_->kind() : std::string_view());
    other_ ? other_->write_fields(writer) : detail::write_fields(writer, lstm_);
    writer.end_object();
  }
  void read(FieldReader& reader) {
    reader.begin_object();
    const std::string kind = detail::read_kind(reader, LstmOptions::kind);
    if (kind == LstmOptions::kind) {
      *this = LstmOptions{};
      detail::read_fields(reader, lstm_);
    } else {
      std::optional<RecurrentOptions> found = reader.registry().read<RecurrentOptions>(kind, reader);
      if (!found) detail::refuse_unregistered(reader, category);
      *this = *std::move(found);
    }
    reader.end_object();
  }

  friend bool operator==(const RecurrentOptions& a, const RecurrentOptions& b) {
    if (!a.other_ || !b.other_) return !a.other_ && !b.other_ && a.lstm_ == b.lstm_;
    return a.other_->type() == b.other_->type() && a.other_->equals(*b.other_);
  }

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual const char* type() const = 0;
    virtual std::string_view kind() const = 0;
    virtual void write_fields(FieldWriter& writer) const = 0;
    virtual std::unique_ptr<Interface> copy() const = 0;
    virtual bool equals(const Interface& same_type) const = 0;
    virtual bool return_sequences() const = 0;
    virtual bool go_backwards() const = 0;
    virtual void set_return_sequences(bool value) = 0;
    virtual void set_go_backwards(bool value) = 0;
    virtual AnyLayer<float> make(Index inputs, float) const = 0;
    virtual AnyLayer<double> make(Index inputs, double) const = 0;
  };
  template <typename O>
  struct Holder final : Interface {
    explicit Holder(O given) : options(std::move(given)) {}
    const char* type() const override { return &detail::identity_of<O>; }
    std::string_view kind() const override { return O::kind; }
    void write_fields(FieldWriter& writer) const override { detail::write_fields(writer, options); }
    std::unique_ptr<Interface> copy() const override { return std::make_unique<Holder>(options); }
    bool equals(const Interface& same_type) const override {
      return options == static_cast<const Holder&>(same_type).options;
    }
    bool return_sequences() const override {
      if constexpr (detail::WrapsRecurrentOptions<O>) {
        return options.return_sequences();
      } else {
        return options.return_sequences;
      }
    }
    bool go_backwards() const override {
      if constexpr (detail::WrapsRecurrentOptions<O>) {
        return options.go_backwards();
      } else {
        return options.go_backwards;
      }
    }
    void set_return_sequences(bool value) override {
      if constexpr (detail::WrapsRecurrentOptions<O>) {
        options.set_return_sequences(value);
      } else {
        options.return_sequences = value;
      }
    }
    void set_go_backwards(bool value) override {
      if constexpr (detail::WrapsRecurrentOptions<O>) {
        options.set_go_backwards(value);
      } else {
        options.go_backwards = value;
      }
    }
    AnyLayer<float> make(Index inputs, float) const override {
      return typename O::template Layer<float>(inputs, options);
    }
    AnyLayer<double> make(Index inputs, double) const override {
      return typename O::template Layer<double>(inputs, options);
    }
    O options;
  };

  /// Used where `other_` is null.
  LstmOptions lstm_{};
  std::unique_ptr<Interface> other_;
};

/// Recurrent layers one after the other. `{{.units = 32}, {.units = 16}}` and a `std::vector<LstmOptions>`
/// are LSTMs; `{GruOptions{.units = 32}, LstmOptions{.units = 16}}` names each layer's kind.
///
/// The elements are seen as `LstmOptions`, which throws `Error` where a layer is of another kind; `layer(i)`
/// is an element of any kind.
class RecurrentLayers {
 public:
  RecurrentLayers() = default;
  RecurrentLayers(std::initializer_list<LstmOptions> layers) : layers_(layers.begin(), layers.end()) {}
  RecurrentLayers(std::initializer_list<RecurrentOptions> layers) : layers_(layers) {}
  RecurrentLayers(const std::vector<LstmOptions>& layers) : layers_(layers.begin(), layers.end()) {}
  RecurrentLayers(std::vector<RecurrentOptions> layers) : layers_(std::move(layers)) {}

  std::size_t size() const { return layers_.size(); }
  bool empty() const { return layers_.empty(); }
  void clear() { layers_.clear(); }
  void resize(std::size_t size) {
    while (layers_.size() > size) layers_.pop_back();
    while (layers_.size() < size) layers_.emplace_back();
  }
  void pop_back() { layers_.pop_back(); }
  void push_back(const LstmOptions& layer) { layers_.push_back(layer); }
  void push_back(RecurrentOptions layer) { layers_.push_back(std::move(layer)); }

  RecurrentOptions& layer(std::size_t i) { return layers_.at(i); }
  const RecurrentOptions& layer(std::size_t i) const { return layers_.at(i); }

  LstmOptions& operator[](std::size_t i) { return lstm(layers_[i]); }
  const LstmOptions& operator[](std::size_t i) const { return lstm(layers_[i]); }
  LstmOptions& front() { return lstm(layers_.front()); }
  const LstmOptions& front() const { return lstm(layers_.front()); }
  LstmOptions& back() { return lstm(layers_.back()); }
  const LstmOptions& back() const { return lstm(layers_.back()); }

  template <typename Element, typename Lstms>
  struct Iterator {
    Element* element;
    Lstms& operator*() const { return lstm(*element); }
    Lstms* operator->() const { return &lstm(*element); }
    Iterator& operator++() {
      ++element;
      return *this;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;
  };
  Iterator<RecurrentOptions, LstmOptions> begin() { return {layers_.data()}; }
  Iterator<RecurrentOptions, LstmOptions> end() { return {layers_.data() + layers_.size()}; }
  Iterator<const RecurrentOptions, const LstmOptions> begin() const { return {layers_.data()}; }
  Iterator<const RecurrentOptions, const LstmOptions> end() const {
    return {layers_.data() + layers_.size()};
  }

  /// What a file holds of it.
  template <typename Self>
  static auto& stored(Self& self) {
    return self.layers_;
  }

  friend bool operator==(const RecurrentLayers&, const RecurrentLayers&) = default;

 private:
  static LstmOptions& lstm(RecurrentOptions& options) {
    return const_cast<LstmOptions&>(lstm(std::as_const(options)));
  }
  static const LstmOptions& lstm(const RecurrentOptions& options) {
    const LstmOptions* const found = options.get_if<LstmOptions>();
    if (found == nullptr) {
      detail::fail("RecurrentLayers", "an LSTM, as whose options the layer is read",
                   "another layer; see layer(i)");
    }
    return *found;
  }

  std::vector<RecurrentOptions> layers_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
