#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "../../core/error.hpp"
#include "../../core/sequences.hpp"
#include "../nearest_in_series.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Windows of a series in one view, in patches, as samples that a network shall reproduce. Row k * F + f of a
/// step is feature f of the patch's point k; the last patch is padded with zeros, which do not count.
class ViewSource {
 public:
  /// `series`: a row for each time step; it must live as long as the source. Throws where there is no window,
  /// or one reaches beyond the series.
  ViewSource(const Matrix<double>& series, std::vector<Index> starts, Index length, View view, Index patch)
      : series_(&series),
        starts_(std::make_shared<const std::vector<Index>>(std::move(starts))),
        length_(length),
        patch_(patch),
        view_(view) {
    require_positive(length, place, "length");
    if (starts_->empty()) fail(place, "at least one window", "none");
    for (const Index start : *starts_) {
      if (start < 0 || start + length > series.rows())
        fail(place, {"windows of ", length, " within ", series.rows(), " time steps"}, {"one from ", start});
    }
    size_ = static_cast<Index>(starts_->size());
  }

  /// `count` samples for these windows: each several times, or evenly spread ones of them.
  ViewSource spread(Index count) const {
    ViewSource result = *this;
    result.size_ = count;
    return result;
  }

  Index size() const { return size_; }
  SequenceShape input_shape() const {
    return {.steps = (length_ + patch_ - 1) / patch_, .features = series_->cols() * patch_};
  }
  SequenceShape target_shape() const { return input_shape(); }
  bool targets_are_inputs() const { return true; }
  Index target_last_step_features() const { return series_->cols() * ((length_ - 1) % patch_ + 1); }

  template <typename Scalar>
  void gather(std::span<const Index> samples, SequenceView<Scalar> inputs, SequenceView<Scalar>) const {
    const Index features = series_->cols();
    for (std::size_t column = 0; column < samples.size(); ++column) {
      const Index start = start_of(samples[column]);
      for (Index f = 0; f < features; ++f) {
        const double* const values = series_->data() + f * series_->rows() + start;
        double mean = 0.0;
        if (view_ == View::mean_removed) {
          for (Index t = 0; t < length_; ++t) mean += values[t];
          mean /= static_cast<double>(length_);
        }
        for (Index t = 0; t < inputs.steps * patch_; ++t) {
          Scalar* const to = inputs.step_data(t / patch_) + static_cast<Index>(column) * inputs.features;
          to[(t % patch_) * features + f] = t < length_ ? static_cast<Scalar>(values[t] - mean) : Scalar(0);
        }
      }
    }
  }

  /// Mean over the values of a window, which is column `column` of both, without its padding.
  template <typename Scalar>
  double squared_error(SequenceView<Scalar> input, SequenceView<Scalar> output, Index column) const {
    double sum = 0.0;
    for (Index step = 0; step < input.steps; ++step) {
      const Index valid = step + 1 < input.steps ? input.features : target_last_step_features();
      const Scalar* const x = input.step_data(step) + column * input.features;
      const Scalar* const y = output.step_data(step) + column * output.features;
      for (Index k = 0; k < valid; ++k) {
        const auto between = static_cast<double>(x[k]) - static_cast<double>(y[k]);
        sum += between * between;
      }
    }
    return sum / static_cast<double>(length_ * series_->cols());
  }

 private:
  static constexpr const char* place = "network in series";

  Index start_of(Index sample) const {
    const auto windows = static_cast<Index>(starts_->size());
    const Index window = size_ < windows ? sample * windows / size_ : sample % windows;
    return (*starts_)[static_cast<std::size_t>(window)];
  }

  const Matrix<double>* series_;
  std::shared_ptr<const std::vector<Index>> starts_;
  Index length_;
  Index patch_;
  View view_;
  Index size_ = 0;
};

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
