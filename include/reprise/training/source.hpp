#pragma once

#include <algorithm>
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "../core/sequences.hpp"
#include "array_source.hpp"

// Where training gets its samples from. A sample is what goes into a network (its input) and what shall come
// out (its target); both are sequences. `Windows`, `JoinedWindows` and `ArraySource` are sources, and so is
// every struct with these members:
//
//     struct Sums {  // learns the running sum of random numbers
//       Index size() const { return 1000; }                               // number of samples
//       SequenceShape input_shape() const { return {.steps = 8, .features = 1}; }
//       SequenceShape target_shape() const { return {.steps = 8, .features = 1}; }
//       // Writes the samples with these numbers, the first into column 0 of both views.
//       template <typename Scalar>
//       void gather(std::span<const Index> samples, SequenceView<Scalar> inputs,
//                   SequenceView<Scalar> targets) const;
//     };
//
// It may have more:
//
//     bool targets_are_inputs() const;  // true: the network reproduces its input, and `targets` has no data
//     Index length(Index sample) const;         // valid steps of a sample, which come first; at least one
//     Index target_length(Index sample) const;  // the same of its target
//     Index target_last_step_features() const;  // so many values of a target's last step count
//
// Without `target_length`, a target is as long as its input where both shapes have equally many steps, and
// has all of its steps otherwise. What `gather` writes behind the valid steps is not looked at. It must be
// const in earnest: several threads call it at once.
namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

template <typename D>
concept TellsSize = requires(const D& data) {
  { data.size() } -> std::convertible_to<Index>;
};
template <typename D>
concept TellsInputShape = requires(const D& data) {
  { data.input_shape() } -> std::convertible_to<SequenceShape>;
};
template <typename D>
concept TellsTargetShape = requires(const D& data) {
  { data.target_shape() } -> std::convertible_to<SequenceShape>;
};
template <typename D, typename Scalar>
concept Gathers = requires(const D& data, std::span<const Index> samples, SequenceView<Scalar> view) {
  data.gather(samples, view, view);
};
template <typename D>
concept TellsLengths = requires(const D& data) {
  { data.length(Index{}) } -> std::convertible_to<Index>;
};
template <typename D>
concept TellsTargetLengths = requires(const D& data) {
  { data.target_length(Index{}) } -> std::convertible_to<Index>;
};

/// Has something of a source. What has not is no source at all, and a function that takes one is not meant.
template <typename D>
concept LooksLikeSource =
    TellsSize<D> || TellsInputShape<D> || TellsTargetShape<D> || Gathers<D, float> || Gathers<D, double>;

/// Behind a `Source`: its samples, whatever type they are of.
class SourceData {
 public:
  virtual ~SourceData() = default;
  virtual Index size() const = 0;
  virtual SequenceShape input_shape() const = 0;
  virtual SequenceShape target_shape() const = 0;
  virtual bool targets_are_inputs() const = 0;
  virtual Index target_last_step_features() const = 0;
  virtual bool has_lengths() const = 0;
  virtual bool has_target_lengths() const = 0;
  virtual Index length(Index sample) const = 0;
  virtual Index target_length(Index sample) const = 0;
  virtual void gather(std::span<const Index> samples, SequenceView<float> inputs,
                      SequenceView<float> targets) const = 0;
  virtual void gather(std::span<const Index> samples, SequenceView<double> inputs,
                      SequenceView<double> targets) const = 0;
  /// The data themselves where they are of the type that the address stands for, else null.
  virtual const void* get(const void* type) const = 0;
};

/// Its address stands for the type.
template <typename T>
inline constexpr char type_address = 0;

}  // namespace detail

/// What a struct needs to be a `Source`; see above.
template <typename D>
concept DataSource = detail::TellsSize<D> && detail::TellsInputShape<D> && detail::TellsTargetShape<D> &&
                     detail::Gathers<D, float> && detail::Gathers<D, double>;

namespace detail {

template <DataSource D>
class SourceDataOf final : public SourceData {
 public:
  explicit SourceDataOf(D data) : data_(std::move(data)) {}

  Index size() const override { return data_.size(); }
  SequenceShape input_shape() const override { return data_.input_shape(); }
  SequenceShape target_shape() const override { return data_.target_shape(); }
  bool targets_are_inputs() const override {
    if constexpr (requires { data_.targets_are_inputs(); }) return data_.targets_are_inputs();
    return false;
  }
  Index target_last_step_features() const override {
    if constexpr (requires { data_.target_last_step_features(); }) return data_.target_last_step_features();
    return target_shape().features;
  }
  bool has_lengths() const override {
    if constexpr (requires { data_.has_lengths(); }) return data_.has_lengths();
    return TellsLengths<D>;
  }
  bool has_target_lengths() const override {
    if constexpr (TellsTargetLengths<D>) return true;
    return has_lengths() && target_shape().steps == input_shape().steps;
  }
  Index length(Index sample) const override {
    if constexpr (TellsLengths<D>) return data_.length(sample);
    return input_shape().steps;
  }
  Index target_length(Index sample) const override {
    if constexpr (TellsTargetLengths<D>) return data_.target_length(sample);
    return has_target_lengths() ? length(sample) : target_shape().steps;
  }
  void gather(std::span<const Index> samples, SequenceView<float> inputs,
              SequenceView<float> targets) const override {
    data_.gather(samples, inputs, targets);
  }
  void gather(std::span<const Index> samples, SequenceView<double> inputs,
              SequenceView<double> targets) const override {
    data_.gather(samples, inputs, targets);
  }
  const void* get(const void* type) const override { return type == &type_address<D> ? &data_ : nullptr; }

 private:
  D data_;
};

/// Zeros behind the valid steps of a sample, so that no product meets what a source left there.
template <typename Scalar>
void clear_padding(SequenceView<Scalar> batch, Index column, Index length) {
  for (Index t = length; t < batch.steps; ++t) {
    std::fill_n(batch.step_data(t) + column * batch.features, batch.features, Scalar(0));
  }
}

}  // namespace detail

/// Samples for training and evaluation, whatever they are made from; cheap to copy, since copies share them.
/// Made implicitly from anything that fulfils `DataSource`.
class Source {
 public:
  // A move is a copy, so that what was moved from can still be used.
  Source(const Source&) = default;
  Source& operator=(const Source&) = default;

  template <typename D>
    requires(!std::same_as<D, Source> && detail::LooksLikeSource<D>)
  Source(D data) {
    static_assert(detail::TellsSize<D>, "a source has `Index size() const`, its number of samples");
    static_assert(detail::TellsInputShape<D>, "a source has `SequenceShape input_shape() const`");
    static_assert(detail::TellsTargetShape<D>, "a source has `SequenceShape target_shape() const`");
    static_assert(detail::Gathers<D, float>,
                  "a source has `gather(std::span<const Index>, SequenceView<float>, SequenceView<float>) "
                  "const`");
    static_assert(detail::Gathers<D, double>,
                  "a source has `gather(std::span<const Index>, SequenceView<double>, SequenceView<double>) "
                  "const`, or one template for float and double");
    if constexpr (DataSource<D>) data_ = std::make_shared<const detail::SourceDataOf<D>>(std::move(data));
  }
  /// Sequences that a network shall reproduce.
  template <typename Scalar>
  Source(Sequences<Scalar> sequences) : Source(ArraySource<Scalar>(std::move(sequences))) {}
  template <typename Scalar>
  Source(PaddedSequences<Scalar> sequences) : Source(ArraySource<Scalar>(std::move(sequences))) {}

  /// Number of samples.
  Index size() const { return data_->size(); }
  SequenceShape input_shape() const { return data_->input_shape(); }
  SequenceShape target_shape() const { return data_->target_shape(); }
  /// Whether the inputs themselves are the targets.
  bool targets_are_inputs() const { return data_->targets_are_inputs(); }
  /// Values of a target's last step that count; the others pad the last patch of a window.
  Index last_step_features() const { return data_->target_last_step_features(); }
  /// Whether samples may have fewer valid steps than the shape says.
  bool has_lengths() const { return data_->has_lengths(); }
  bool has_target_lengths() const { return data_->has_target_lengths(); }
  /// Valid steps of a sample's input, and of its target.
  Index length(Index sample) const { return data_->length(sample); }
  Index target_length(Index sample) const { return data_->target_length(sample); }

  /// Writes the samples with these numbers into the columns of two views of as many samples; `targets` may
  /// have no data where the inputs are the targets, and is not written then. Behind the valid steps stand
  /// zeros. Throws `Error` where numbers or shapes do not fit.
  template <typename Scalar>
  void gather(std::span<const Index> samples, SequenceView<Scalar> inputs,
              SequenceView<Scalar> targets) const {
    require("inputs", samples, input_shape(), inputs.shape(), inputs.batch);
    if (!targets_are_inputs()) require("targets", samples, target_shape(), targets.shape(), targets.batch);
    for (const Index sample : samples) {
      if (sample < 0 || sample >= size()) {
        detail::fail("source: gather", {"sample numbers below ", size()}, {sample});
      }
    }
    data_->gather(samples, inputs, targets_are_inputs() ? SequenceView<Scalar>() : targets);
    for (std::size_t column = 0; column < samples.size() && has_lengths(); ++column) {
      detail::clear_padding(inputs, static_cast<Index>(column), length(samples[column]));
    }
    if (targets_are_inputs() || !has_target_lengths()) return;
    for (std::size_t column = 0; column < samples.size(); ++column) {
      detail::clear_padding(targets, static_cast<Index>(column), target_length(samples[column]));
    }
  }

  /// The data that the source was made from where they are of type D, else null.
  template <typename D>
  const D* get_if() const {
    return static_cast<const D*>(data_->get(&detail::type_address<D>));
  }

 private:
  static void require(const char* what, std::span<const Index> samples, SequenceShape expected,
                      SequenceShape got, Index batch) {
    if (got == expected && batch == static_cast<Index>(samples.size())) return;
    detail::fail({"source: ", what}, {samples.size(), " samples of ", to_string(expected)},
                 {batch, " of ", to_string(got)});
  }

  std::shared_ptr<const detail::SourceData> data_;
};

namespace detail {

/// Throws `Error` that names `what` where there is no sample, or a sample has no valid step or too many.
inline void require_samples(const Source& source, const Text& what) {
  if (source.size() < 1) fail(what, "at least one sample", {source.size()});
  const auto require = [&](Index sample, const char* of, Index length, Index steps) {
    if (length < 1 || length > steps) {
      fail(what, {of, " of 1 to ", steps, " steps"}, {length, " in sample ", sample});
    }
  };
  if (!source.has_lengths() && !source.has_target_lengths()) return;
  for (Index sample = 0; sample < source.size(); ++sample) {
    require(sample, "inputs", source.length(sample), source.input_shape().steps);
    require(sample, "targets", source.target_length(sample), source.target_shape().steps);
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
