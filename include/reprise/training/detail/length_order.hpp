#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "../source.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Samples that go through a network together, the longest first, so that a later step of a recurrent layer
/// has fewer columns. Where all samples are full nothing is sorted, and `lengths` is empty.
class LengthOrder {
 public:
  /// Allocates only when there are more samples than ever before, or than room was reserved for.
  void set(const Source& source, std::span<const Index> samples) {
    clear();
    if (!source.has_lengths() && !source.has_target_lengths()) return;
    const Index steps = source.input_shape().steps, target_steps = source.target_shape().steps;
    bool full = true, full_targets = true;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      places_.push_back(static_cast<Index>(i));
      full = full && source.length(samples[i]) == steps;
      full_targets = full_targets && source.target_length(samples[i]) == target_steps;
    }
    if (full && full_targets) return clear();
    sort_places(source, samples);
    for (const Index place : places_) {
      const Index sample = samples[static_cast<std::size_t>(place)];
      samples_.push_back(sample);
      if (!full) lengths_.push_back(source.length(sample));
      if (!full_targets) target_lengths_.push_back(source.target_length(sample));
    }
  }

  /// Room for so many samples.
  void reserve(std::size_t samples) {
    for (auto* numbers : {&places_, &samples_, &lengths_, &target_lengths_}) numbers->reserve(samples);
    weights_.reserve(samples);
  }

  bool is_sorted() const { return !places_.empty(); }
  /// The samples' numbers in the new order, and the place that each had before.
  std::span<const Index> samples() const { return samples_; }
  std::span<const Index> places() const { return places_; }
  /// Valid steps of the inputs, and of the targets, in the new order.
  std::span<const Index> lengths() const { return lengths_; }
  std::span<const Index> target_lengths() const { return target_lengths_; }
  /// Numbers, one a sample, in the new order; none stay none.
  std::span<const double> sorted(std::span<const double> weights) {
    weights_.clear();
    if (weights.empty()) return weights;
    for (const Index place : places_) weights_.push_back(weights[static_cast<std::size_t>(place)]);
    return weights_;
  }

 private:
  /// By insertion: the samples are few, and those of equal length keep their order.
  void sort_places(const Source& source, std::span<const Index> samples) {
    for (std::size_t i = 1; i < samples.size(); ++i) {
      const Index length = source.length(samples[i]);
      std::size_t to = i;
      for (; to > 0 && source.length(samples[static_cast<std::size_t>(places_[to - 1])]) < length; --to) {
        places_[to] = places_[to - 1];
      }
      places_[to] = static_cast<Index>(i);
    }
  }
  void clear() {
    for (auto* numbers : {&places_, &samples_, &lengths_, &target_lengths_}) numbers->clear();
  }

  std::vector<Index> places_, samples_, lengths_, target_lengths_;
  std::vector<double> weights_;
};

/// The valid positions of the samples' targets, counted in targets that are full: their number where all are.
/// The losses of batches are divided by this, and weigh as much in that of an epoch.
inline double valid_positions(const Source& source, std::span<const Index> samples) {
  if (!source.has_target_lengths()) return static_cast<double>(samples.size());
  Index steps = 0;
  for (const Index sample : samples) steps += source.target_length(sample);
  return static_cast<double>(steps) / static_cast<double>(source.target_shape().steps);
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
