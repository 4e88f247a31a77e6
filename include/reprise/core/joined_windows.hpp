#pragma once

#include <algorithm>
#include <vector>

#include "needs_exceptions.hpp"
#include "windows.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Windows over several series, one series' windows after the other's. No window, and no horizon of one,
/// holds values of two series. A `DataSource`, see training/source.hpp.
class JoinedWindows {
 public:
  // A move is a copy, so that what was moved from can still be used.
  JoinedWindows(const JoinedWindows&) = default;
  JoinedWindows& operator=(const JoinedWindows&) = default;

  /// Throws when there is none, or when they differ in length, patch, horizon or features.
  explicit JoinedWindows(std::vector<Windows> parts) : parts_(std::move(parts)) {
    if (parts_.empty()) detail::fail("joined windows", "windows over at least one series", "none");
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      require_like_first(i);
      firsts_.push_back(size_);
      size_ += parts_[i].size();
    }
  }

  /// Number of windows over all series.
  Index size() const { return size_; }
  /// The windows of each series.
  const std::vector<Windows>& parts() const& { return parts_; }
  std::vector<Windows> parts() && { return parts_; }
  /// Number of the first window over series `part`.
  Index first(std::size_t part) const { return firsts_.at(part); }

  SequenceShape input_shape() const { return parts_.front().input_shape(); }
  SequenceShape target_shape() const { return parts_.front().target_shape(); }
  bool targets_are_inputs() const { return parts_.front().targets_are_inputs(); }
  Index target_last_step_features() const { return parts_.front().target_last_step_features(); }

  template <typename Scalar>
  void gather(std::span<const Index> windows, SequenceView<Scalar> inputs,
              SequenceView<Scalar> targets) const {
    require_batch(input_shape(), windows.size(), inputs);
    if (targets.data != nullptr) require_batch(target_shape(), windows.size(), targets);
    for (const Index window : windows) {
      if (window >= 0 && window < size_) continue;
      detail::fail("joined windows: gather", {"window numbers below ", size_}, {window});
    }
    for (std::size_t column = 0; column < windows.size(); ++column) {
      const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), windows[column]);
      const auto part = static_cast<std::size_t>(after - firsts_.begin()) - 1;
      const Index window = windows[column] - firsts_[part];
      parts_[part].gather_one(window, inputs, static_cast<Index>(column));
      if (targets.data == nullptr) continue;
      const Windows of_target = targets_are_inputs() ? parts_[part] : parts_[part].following();
      of_target.gather_one(window, targets, static_cast<Index>(column));
    }
  }

 private:
  template <typename Scalar>
  static void require_batch(SequenceShape shape, std::size_t windows, const SequenceView<Scalar>& batch) {
    if (batch.shape() == shape && batch.batch == static_cast<Index>(windows)) return;
    detail::fail("joined windows: gather", {"a batch of ", windows, " of ", to_string(shape)},
                 {batch.batch, " of ", to_string(batch.shape())});
  }
  void require_like_first(std::size_t part) const {
    const Windows &first = parts_.front(), &other = parts_[part];
    const auto require = [&](const char* what, Index expected, Index got) {
      if (got != expected) detail::fail({"joined windows: series ", part}, {what, " ", expected}, {got});
    };
    require("windows of length", first.length(), other.length());
    require("windows with patches of", first.patch(), other.patch());
    require("a horizon of", first.horizon(), other.horizon());
    require("a number of features of", first.features(), other.features());
  }

  std::vector<Windows> parts_;
  std::vector<Index> firsts_;  // of each part, its first window's number
  Index size_ = 0;
};

/// Windows over several series, of which each is anything that `sliding_windows` takes. Throws as that does,
/// and says in which series.
template <typename Series>
  requires requires(const Series& series, const WindowOptions& options) { sliding_windows(series, options); }
[[nodiscard]] JoinedWindows joined_windows(const std::vector<Series>& series, const WindowOptions& options) {
  std::vector<Windows> parts;
  parts.reserve(series.size());
  for (std::size_t i = 0; i < series.size(); ++i) {
    try {
      parts.push_back(sliding_windows(series[i], options));
    } catch (const Error& error) {
      throw Error(detail::Text{"series ", i, ": ", error.what()}.string());
    }
  }
  return JoinedWindows(std::move(parts));
}

}  // namespace REPRISE_ABI
}  // namespace reprise
