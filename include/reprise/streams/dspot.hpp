#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "../core/detail/eigen.hpp"
#include "../core/fields.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "spot.hpp"
#include "stream_step.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct DspotOptions {
  /// Values are taken relative to the mean of so many normal ones before them.
  Index depth = 10;
  SpotOptions spot{};
  /// After so many alarms in a row the stream has a new level: the last of them make the mean from then on.
  /// With 0, as in the paper, a step in the stream's level is an alarm for ever. At least `depth` where it is
  /// not 0. Not given: 100, or `depth` where that is more.
  std::optional<Index> relearn_after{};
};

/// All of a `Dspot`, to be kept and to go on from.
struct DspotState {
  /// The last `depth` normal values in the order of the ring, and where it is written next.
  std::vector<double> last;
  Index next = 0;
  SpotState spot{};
  /// Of `DspotOptions`; 0 in what 0.1 wrote.
  Index relearn_after = 0;
  /// How many alarms there were in a row, and the last of them in the order of their ring, which has the
  /// place of `last`.
  Index alarms = 0;
  std::vector<double> alarmed;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [last, next, spot, relearn_after, alarms, alarmed] = self;
    visit("last", last);
    visit("next", next);
    visit("spot", spot);
    visit("relearn_after", relearn_after, Index{0});
    visit("alarms", alarms, Index{0});
    visit("alarmed", alarmed, std::vector<double>{});
  }
};

/// DSPOT: SPOT on what a value exceeds the mean of the last `depth` values that were no alarm, for streams
/// whose level drifts. A step of the level is an alarm until `relearn_after` of them have come in a row.
class Dspot {
 public:
  /// The first `depth` calibration values only make the first mean.
  explicit Dspot(std::span<const double> calibration, const DspotOptions& options = {})
      : last_(depth_of(options, calibration.size())),
        alarmed_(Eigen::ArrayXd::Zero(last_.size())),
        relearn_after_(options.relearn_after.value_or(std::max(Index{100}, options.depth))),
        spot_(differences(calibration), options.spot) {}

  /// Goes on where `state` was taken. Throws where that cannot be a state.
  explicit Dspot(const DspotState& state)
      : last_(Eigen::Map<const Eigen::ArrayXd>(state.last.data(), static_cast<Index>(state.last.size()))),
        alarmed_(Eigen::ArrayXd::Zero(last_.size())),
        next_(state.next),
        relearn_after_(state.relearn_after),
        alarms_(state.alarms),
        spot_(state.spot) {
    if (last_.size() == 0 || !detail::all_finite(last_) || next_ < 0 || next_ >= last_.size()) {
      detail::fail("dspot: state", "finite values and a place among them to go on from", "others");
    }
    const bool has_ring = relearn_after_ > 0;
    if (relearn_after_ < 0 || (has_ring && relearn_after_ < last_.size()) || alarms_ < 0 ||
        alarms_ > (has_ring ? relearn_after_ - 1 : 0) ||
        static_cast<Index>(state.alarmed.size()) != (has_ring ? last_.size() : 0)) {
      detail::fail("dspot: state",
                   "fewer alarms in a row than relearn_after, and as many of them as of the last values",
                   "others");
    }
    for (std::size_t i = 0; i < state.alarmed.size(); ++i) alarmed_[static_cast<Index>(i)] = state.alarmed[i];
    if (!detail::all_finite(alarmed_)) detail::fail("dspot: state", "finite alarms", "others");
  }
  Dspot(const Dspot&) = default;
  Dspot(Dspot&&) noexcept = default;
  /// Where there is no memory for the copy, all stays as it was.
  Dspot& operator=(const Dspot& other) { return *this = Dspot(other); }
  Dspot& operator=(Dspot&&) noexcept = default;
  ~Dspot() = default;
  DspotState state() const {
    DspotState state{
        {last_.data(), last_.data() + last_.size()}, next_, spot_.state(), relearn_after_, alarms_, {}};
    if (relearn_after_ > 0) state.alarmed.assign(alarmed_.data(), alarmed_.data() + alarmed_.size());
    return state;
  }

  /// Thresholds are in units of the stream: mean + threshold of the difference.
  StreamStep step(double value) noexcept {
    const double mean = last_.mean();
    StreamStep result = spot_.step(value - mean);
    result.threshold += mean;
    if (result.status == StreamStatus::normal || result.status == StreamStatus::excess) {
      remember(value);
      alarms_ = 0;
    } else if (result.status == StreamStatus::alarm && relearn_after_ > 0 && detail::is_finite(value)) {
      alarmed_[alarms_ % alarmed_.size()] = value;
      if (++alarms_ == relearn_after_) {
        last_ = alarmed_;
        next_ = alarms_ % last_.size();
        alarms_ = 0;
      }
    }
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
    const Index relearn_after = options.relearn_after.value_or(0);
    if (relearn_after != 0 && relearn_after < options.depth) {
      detail::fail("dspot", {"relearn_after 0 or at least depth = ", options.depth}, {relearn_after});
    }
    return options.depth;
  }
  std::vector<double> differences(std::span<const double> calibration) {
    std::vector<double> result;
    for (std::size_t i = 0; i < calibration.size(); ++i) {
      if (!detail::is_finite(calibration[i])) {
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
  Eigen::ArrayXd alarmed_;  // the last of the alarms in a row, in a ring of the same size
  Index next_ = 0;
  Index relearn_after_ = 0;
  Index alarms_ = 0;
  Spot spot_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
