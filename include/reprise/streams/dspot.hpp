#pragma once

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "../core/fields.hpp"
#include "../core/sequences.hpp"
#include "spot.hpp"
#include "stream_step.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct DspotOptions {
  /// Values are taken relative to the mean of so many normal ones before them.
  Index depth = 10;
  SpotOptions spot{};
};

/// All of a `Dspot`, to be kept and to go on from.
struct DspotState {
  /// The last `depth` normal values in the order of the ring, and where it is written next.
  std::vector<double> last;
  Index next = 0;
  SpotState spot{};

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [last, next, spot] = self;
    visit("last", last);
    visit("next", next);
    visit("spot", spot);
  }
};

/// DSPOT: SPOT on what a value exceeds the mean of the last `depth` values that were no alarm, for streams
/// whose level drifts.
class Dspot {
 public:
  /// The first `depth` calibration values only make the first mean.
  explicit Dspot(std::span<const double> calibration, const DspotOptions& options = {})
      : last_(depth_of(options, calibration.size())), spot_(differences(calibration), options.spot) {}

  /// Goes on where `state` was taken. Throws where that cannot be a state.
  explicit Dspot(const DspotState& state)
      : last_(Eigen::Map<const Eigen::ArrayXd>(state.last.data(), static_cast<Index>(state.last.size()))),
        next_(state.next),
        spot_(state.spot) {
    if (last_.size() == 0 || !last_.allFinite() || next_ < 0 || next_ >= last_.size()) {
      detail::fail("dspot: state", "finite values and a place among them to go on from", "others");
    }
  }
  DspotState state() const { return {{last_.data(), last_.data() + last_.size()}, next_, spot_.state()}; }

  /// Thresholds are in units of the stream: mean + threshold of the difference.
  StreamStep step(double value) noexcept {
    const double mean = last_.mean();
    StreamStep result = spot_.step(value - mean);
    result.threshold += mean;
    if (result.status == StreamStatus::normal || result.status == StreamStatus::excess) remember(value);
    return result;
  }
  double threshold() const { return last_.mean() + spot_.threshold(); }
  const Spot& spot() const { return spot_; }

 private:
  static Index depth_of(const DspotOptions& options, std::size_t values) {
    detail::require_positive(options.depth, "dspot", "depth");
    if (static_cast<Index>(values) <= options.depth) {
      detail::fail("dspot", {"more than depth = ", options.depth, " calibration values"}, {values});
    }
    return options.depth;
  }
  std::vector<double> differences(std::span<const double> calibration) {
    std::vector<double> result;
    for (std::size_t i = 0; i < calibration.size(); ++i) {
      if (!std::isfinite(calibration[i])) {
        detail::fail("dspot", "finite calibration values", {calibration[i], " at index ", i});
      }
      if (static_cast<Index>(i) >= last_.size()) result.push_back(calibration[i] - last_.mean());
      remember(calibration[i]);
    }
    return result;
  }
  void remember(double value) noexcept {
    last_[next_] = value;
    next_ = (next_ + 1) % last_.size();
  }

  Eigen::ArrayXd last_;  // a ring; its mean is taken anew, so that no rounding stays of a value that has left
  Index next_ = 0;
  Spot spot_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
