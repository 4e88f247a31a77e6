#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "../core/fields.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../thresholds/pot_tail.hpp"
#include "detail/truncated_fit.hpp"
#include "stream_step.hpp"

// Thresholds that learn from a stream: Siffer et al., "Anomaly detection in streams with extreme value
// theory" (KDD 2017), and a correction of theirs that bounded memory needs. After construction a step
// allocates nothing and does not throw.
namespace reprise {
inline namespace REPRISE_ABI {

struct SpotOptions {
  /// The fraction of normal values that may lie above the threshold.
  double risk = 1e-4;
  /// The tail begins at this quantile of the calibration values.
  double level = 0.98;
  /// The fit uses this many excesses, the latest: memory and time per step do not grow with the stream. With
  /// fewer the threshold wavers more: that of a million exponential values by 4 % at risk 1e-3 with 4000
  /// excesses, by 24 % with 1000.
  Index max_excess = 4000;
  /// Fit again after each so many excesses; in between only the counts of values and excesses move the
  /// threshold. 1 is the paper's rule; a fit takes time in proportion to the excesses in memory (some 60
  /// passes).
  Index refit_every = 1;
  /// The paper's rule leaves alarms out of what it fits, so that the fit never sees the tail beyond the
  /// threshold: with bounded memory the threshold creeps down, the faster the larger the risk (of half-normal
  /// values, from 3.29 to 2.4 within a million at risk 1e-3 with 1000 excesses, which makes 11 alarms for
  /// each one promised). True: the fit allows for what could not be seen, each excess being one below the
  /// threshold of its time. False: as in the paper.
  bool correct_truncation = true;
};

/// All of a `Spot`, to be kept and to go on from: `Spot(state)` goes on with the same bits.
struct SpotState {
  SpotOptions options{};
  PotTail tail{};
  double threshold = 0.0;
  /// Those in memory, and the largest each could have been without being an alarm (infinite: no limit), in
  /// the order of the ring.
  std::vector<double> excesses;
  std::vector<double> limits;
  /// Where the ring is written next.
  Index next = 0;
  /// Excesses since the last fit.
  Index unfitted = 0;
  /// Alarms that count as normal values; -1: none ever counts, as in 0.1, whose files go on as they did.
  Index alarms = 0;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [options, tail, threshold, excesses, limits, next, unfitted, alarms] = self;
    visit("risk", options.risk);
    visit("level", options.level);
    visit("max_excess", options.max_excess);
    visit("refit_every", options.refit_every);
    visit("correct_truncation", options.correct_truncation);
    visit("tail_threshold", tail.threshold);
    visit("tail_excesses", tail.excesses);
    visit("tail_count", tail.count);
    visit("shape", tail.beyond.shape);
    visit("scale", tail.beyond.scale);
    visit("threshold", detail::or_infinity(threshold));
    visit("excesses", excesses);
    visit("limits", detail::or_infinity(limits));
    visit("next", next);
    visit("unfitted", unfitted);
    visit("alarms", alarms, Index{-1});
  }
};

/// SPOT: the POT threshold, updated with every value that is no alarm. Of an alarm no more is used than that
/// it was one: 10 and twice as many as the risk promises count as normal values when the threshold is next
/// worked out (with `correct_truncation`; in the paper an alarm changes nothing), so that outliers do not
/// raise the threshold. Where the level of the stream drifts, use `Dspot`.
class Spot {
 public:
  /// Values of normal data in the order of time. Throws where fewer than 10 exceed their quantile at `level`,
  /// or where their tail has a shape of 1 or more, which outliers among them make.
  explicit Spot(std::span<const double> calibration, const SpotOptions& options = {}) : options_(options) {
    require_options(options);
    require_fixed_point(options);
    if (calibration.empty()) detail::fail("spot", "calibration values", "none");
    for (std::size_t i = 0; i < calibration.size(); ++i) {
      if (!detail::is_finite(calibration[i])) {
        detail::fail("spot", "finite calibration values", {calibration[i], " at index ", i});
      }
    }
    const std::vector<double> excesses =
        detail::excesses_above_level(calibration, options.level, tail_.threshold, "spot");
    tail_.count = static_cast<Index>(calibration.size());
    tail_.excesses = static_cast<Index>(excesses.size());
    reserve();
    for (const double excess : excesses) remember(excess, std::numeric_limits<double>::infinity());
    refit();
    detail::require_mean(tail_, "spot");
  }
  /// Goes on where `state` was taken. Throws where that cannot be a state.
  explicit Spot(const SpotState& state)
      : options_(state.options),
        tail_(state.tail),
        threshold_(state.threshold),
        next_(static_cast<std::size_t>(std::max<Index>(state.next, 0))),
        held_(state.excesses.size()),
        unfitted_(state.unfitted),
        alarms_(state.alarms) {
    require_options(state.options);
    const auto held = static_cast<Index>(held_);
    const auto require = [](bool is_right, const char* expected) {
      if (!is_right) detail::fail("spot: state", expected, "others");
    };
    require(held >= static_cast<Index>(detail::fewest_excesses) && held <= options_.max_excess &&
                state.limits.size() == held_,
            "10 to max_excess excesses, each with a limit");
    for (std::size_t i = 0; i < held_; ++i) {
      require(detail::is_finite(state.excesses[i]) && state.excesses[i] > 0.0 &&
                  !detail::is_nan(state.limits[i]) && state.limits[i] >= state.excesses[i],
              "finite excesses above 0 and at most their limits");
    }
    require(state.next >= 0 && state.next < options_.max_excess &&
                (held == options_.max_excess || state.next == held),
            "a place in the ring to go on from");
    require(state.tail.excesses >= held && state.tail.count > state.tail.excesses,
            "counts that hold the excesses");
    require(detail::is_finite(state.tail.threshold) && detail::is_finite(state.tail.beyond.shape) &&
                detail::is_finite(state.tail.beyond.scale) && state.tail.beyond.scale > 0.0 &&
                !detail::is_nan(state.threshold) && state.threshold >= state.tail.threshold,
            "a tail, and a threshold within it");
    require(state.alarms >= -1, "alarms from -1 on");
    require(state.unfitted >= 0 && state.unfitted < options_.refit_every,
            "fewer excesses to fit than refit_every");
    reserve();
    std::copy(state.excesses.begin(), state.excesses.end(), memory_.begin());
    std::copy(state.limits.begin(), state.limits.end(), limits_.begin());
  }
  SpotState state() const {
    const auto end = static_cast<std::ptrdiff_t>(held_);
    return {options_,
            tail_,
            threshold_,
            {memory_.begin(), memory_.begin() + end},
            {limits_.begin(), limits_.begin() + end},
            static_cast<Index>(next_),
            unfitted_,
            alarms_};
  }

  StreamStep step(double value) noexcept {
    const StreamStep result{judge(value), threshold_};
    if (result.status == StreamStatus::invalid) return result;
    if (result.status == StreamStatus::alarm) {
      count_alarm();
      return result;
    }
    ++tail_.count;
    if (result.status == StreamStatus::normal) {
      if (threshold_ <= tail_.threshold) set_threshold();  // or it would stay there, since no excess can come
      return result;
    }
    ++tail_.excesses;
    remember(value - tail_.threshold, threshold_ - tail_.threshold);
    if (++unfitted_ >= options_.refit_every) {
      refit();
    } else {
      set_threshold();
    }
    return result;
  }
  /// What `step` would say, without learning from the value.
  StreamStatus judge(double value) const noexcept {
    if (detail::is_nan(value) || (detail::is_infinite(value) && value < 0.0)) return StreamStatus::invalid;
    if (value > threshold_) return StreamStatus::alarm;
    return value > tail_.threshold && detail::is_finite(value) ? StreamStatus::excess : StreamStatus::normal;
  }

  /// What the next value is held against.
  double threshold() const { return threshold_; }
  /// Its counts are of the values that were no alarm, its fit of the latest excesses. The alarms that count
  /// as normal values are beside it: `state().alarms`.
  const PotTail& tail() const { return tail_; }
  const SpotOptions& options() const { return options_; }

 private:
  /// Of normal values `risk` are alarms. Where there are far more, they are outliers, which must not raise
  /// the threshold.
  void count_alarm() noexcept {
    const double most = 10.0 + 2.0 * options_.risk * static_cast<double>(tail_.count);
    if (alarms_ >= 0 && static_cast<double>(alarms_) < most) ++alarms_;
  }
  /// The fit knows that it sees no alarms; the share of the tail must hold them, or it would be too small by
  /// the risk, the threshold too low, and the alarms too many.
  void set_threshold() noexcept {
    PotTail whole = tail_;
    if (options_.correct_truncation && alarms_ > 0) {
      whole.count += alarms_;
      whole.excesses += alarms_;
    }
    threshold_ = whole.value_at(options_.risk);
  }
  static void require_options(const SpotOptions& options) {
    detail::require_pot_options(options.risk, options.level, "spot");
    if (options.max_excess < static_cast<Index>(detail::fewest_excesses)) {
      detail::fail("spot", {"max_excess >= ", detail::fewest_excesses}, {options.max_excess});
    }
    detail::require_positive(options.refit_every, "spot", "refit_every");
  }
  /// The paper's rule takes alarms out of the tail, which makes the threshold fall, which makes more alarms.
  /// From about this risk on it falls to the start of the tail.
  static void require_fixed_point(const SpotOptions& options) {
    const double most = 0.1 * (1.0 - options.level);
    if (options.correct_truncation || options.risk <= most * (1.0 + 1e-9)) return;
    detail::fail(
        "spot",
        {"without correct_truncation a risk of at most (1 - level) / 10 = ", detail::number_text(most, 6)},
        {options.risk});
  }
  void reserve() {
    const auto capacity = static_cast<std::size_t>(options_.max_excess);
    memory_.resize(capacity);
    scaled_.resize(capacity);
    limits_.resize(capacity);
  }
  void remember(double excess, double limit) noexcept {
    memory_[next_] = excess;
    limits_[next_] = limit;
    next_ = (next_ + 1) % memory_.size();
    held_ = std::min(held_ + 1, memory_.size());
  }
  void refit() noexcept {
    std::copy_n(memory_.begin(), held_, scaled_.begin());
    tail_.beyond = detail::fit_excesses_in_place(std::span<double>(scaled_.data(), held_));
    const std::span<const double> limits(limits_.data(), held_);
    const bool is_limited =
        std::any_of(limits.begin(), limits.end(), [](double limit) { return detail::is_finite(limit); });
    if (options_.correct_truncation && is_limited) {
      tail_.beyond = detail::TruncatedFit({memory_.data(), held_}, limits)(tail_.beyond);
    }
    set_threshold();
    unfitted_ = 0;
  }

  SpotOptions options_;
  PotTail tail_;
  double threshold_ = 0.0;
  std::vector<double> memory_;  // a ring
  std::vector<double> limits_;  // the largest excess that would not have been an alarm, of each
  std::vector<double> scaled_;  // what the fit may change
  std::size_t next_ = 0;
  std::size_t held_ = 0;
  Index unfitted_ = 0;
  Index alarms_ = 0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
