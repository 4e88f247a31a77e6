#pragma once

// Normal series of many kinds, for benchmarks that need series of which everything is known.

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <reprise/core/random.hpp>
#include <reprise/core/sequences.hpp>
#include <string>

namespace generator {

using reprise::Index;

/// What a normal series does. A value is about 1 in size, whatever the kind.
enum class Normal {
  /// A smooth shape of three harmonics that repeats, and noise.
  seasonal,
  /// Two shapes, one of them five to nine times as long, and noise.
  two_periods,
  /// One shape whose period wanders between .7 and 1.4 of its first one.
  drifting_period,
  /// x_t = phi x_{t-1} + noise, phi one of .5, .7, .9, .95, .99.
  autoregressive,
  /// The sum of steps of .1 each.
  random_walk,
  /// Noise in which a burst of 3 to 5 begins once in 100 points and decays within about ten.
  bursts,
  /// On or off, for stretches of 20 to 80 points on average.
  on_off,
  /// Poisson counts whose rate follows a season.
  counts,
  /// Autoregressive, phi = .6, driven by Student's t with 3 degrees of freedom.
  heavy_tails,
  /// Noise whose variance follows its own past, GARCH(1, 1).
  arch,
  /// Three levels and spreads that take turns, 400 points each on average.
  regimes,
  /// A season on a straight line that rises by 1 in 1,000 points.
  trend,
  /// A pulse like a heart beat's, whose interval and height vary by a few per cent.
  pulses
};
inline constexpr std::array all_normal{Normal::seasonal,       Normal::two_periods, Normal::drifting_period,
                                       Normal::autoregressive, Normal::random_walk, Normal::bursts,
                                       Normal::on_off,         Normal::counts,      Normal::heavy_tails,
                                       Normal::arch,           Normal::regimes,     Normal::trend,
                                       Normal::pulses};

inline std::string name_of(Normal kind) {
  constexpr std::array names{"seasonal", "two periods", "drifting period", "autoregressive", "random walk",
                             "bursts",   "on/off",      "counts",          "heavy tails",    "arch",
                             "regimes",  "trend",       "pulses"};
  static_assert(names.size() == all_normal.size());
  return names[static_cast<std::size_t>(kind)];
}
/// Whether later stretches are distributed as earlier ones are, so that a rate of false alarms can be
/// promised.
inline bool is_stationary(Normal kind) {
  return kind != Normal::drifting_period && kind != Normal::random_walk && kind != Normal::regimes &&
         kind != Normal::trend;
}
/// Whether a shape repeats, so that it can be reversed, out of phase or missing.
inline bool has_shape(Normal kind) {
  return kind == Normal::seasonal || kind == Normal::two_periods || kind == Normal::drifting_period ||
         kind == Normal::trend || kind == Normal::pulses;
}

/// One normal series, value after value. What its kind leaves open (period, shape, noise, phi) is drawn from
/// `seed`; what is random at each step comes from `seed` and `stream`: two sources with the same seed and
/// other streams are independent realisations of one process.
class NormalSource {
 public:
  /// `period` of the kinds that have one, in points; 0: drawn between 7 and 1,440, evenly in its logarithm.
  NormalSource(Normal kind, std::uint64_t seed, std::uint32_t stream, double period = 0.0)
      : kind_(kind), random_(seed, reprise::Purpose::other, 1, stream) {
    reprise::RandomStream open(seed, reprise::Purpose::other, 0, static_cast<std::uint32_t>(kind));
    period_ = period > 0.0 ? period : 7.0 * std::pow(1440.0 / 7.0, open.uniform());
    for (std::size_t k = 0; k < amplitudes_.size(); ++k) {
      amplitudes_[k] = (0.4 + 0.6 * open.uniform()) / static_cast<double>(k + 1);
      phases_[k] = open.uniform();
    }
    noise_ = 0.1 + 0.2 * open.uniform();
    ratio_ = 5.0 + 4.0 * open.uniform();
    phi_ = std::array{0.5, 0.7, 0.9, 0.95, 0.99}[open.below(5)];
    on_ = 20.0 + 60.0 * open.uniform();
    off_ = 20.0 + 60.0 * open.uniform();
    rate_ = 3.0 + 12.0 * open.uniform();
    // Far enough in that where it began is forgotten.
    if (is_stationary(kind) && !has_shape(kind)) {
      for (int t = 0; t < 1000; ++t) next();
      time_ = 0.0;
    }
    next_beat_ = period_;
  }

  double period() const { return period_; }

  double next() {
    const double value = step();
    time_ += 1.0;
    return value;
  }

 private:
  double noise() { return random_.normal(); }
  /// Three harmonics at so many periods since the start.
  double shape(double periods) const {
    double sum = 0.0;
    for (std::size_t k = 0; k < amplitudes_.size(); ++k) {
      const double turns = static_cast<double>(k + 1) * periods + phases_[k];
      sum += amplitudes_[k] * std::sin(2.0 * std::numbers::pi * turns);
    }
    return sum;
  }
  /// With so many degrees of freedom: a normal value over the root of a mean of squares.
  double student(int freedom) {
    double squares = 0.0;
    for (int i = 0; i < freedom; ++i) {
      const double value = noise();
      squares += value * value;
    }
    return noise() / std::sqrt(squares / freedom);
  }
  /// The number of events before unit time is over, where the next one comes at this rate.
  double poisson(double rate) {
    double events = -1.0;
    for (double time = 0.0; time < 1.0; events += 1.0) time -= std::log(1.0 - random_.uniform()) / rate;
    return events;
  }

  double step() {
    switch (kind_) {
      case Normal::seasonal: return shape(time_ / period_) + noise_ * noise();
      case Normal::two_periods:
        return shape(time_ / period_) + shape(time_ / (ratio_ * period_)) + noise_ * noise();
      case Normal::drifting_period: return drifting_period();
      case Normal::autoregressive: return state_ = phi_ * state_ + std::sqrt(1.0 - phi_ * phi_) * noise();
      case Normal::random_walk: return state_ += 0.1 * noise();
      case Normal::bursts: return burst();
      case Normal::on_off: return on_off();
      case Normal::counts: return poisson(rate_ * (1.0 + 0.4 * shape(time_ / period_) / total())) / rate_;
      case Normal::heavy_tails: return state_ = 0.6 * state_ + 0.5 * student(3);
      case Normal::arch: return arch();
      case Normal::regimes: return regime();
      case Normal::trend: return shape(time_ / period_) + 1e-3 * time_ + noise_ * noise();
      case Normal::pulses: return pulse();
    }
    return 0.0;
  }
  /// More than the shape's largest value.
  double total() const { return amplitudes_[0] + amplitudes_[1] + amplitudes_[2]; }

  double drifting_period() {
    stretch_ = std::min(1.4, std::max(0.7, stretch_ * std::exp(0.01 * noise() / std::sqrt(period_ / 50.0))));
    state_ += 1.0 / (stretch_ * period_);
    return shape(state_) + noise_ * noise();
  }
  double burst() {
    if (random_.uniform() < 0.01) state_ = 3.0 + 2.0 * random_.uniform();
    state_ *= 0.85;
    return state_ + 0.3 * noise();
  }
  double on_off() {
    const double stays = state_ > 0.5 ? on_ : off_;
    if (random_.uniform() < 1.0 / stays) state_ = 1.0 - state_;
    return state_ + 0.05 * noise();
  }
  double arch() {
    variance_ = 0.05 + 0.1 * state_ * state_ + 0.85 * variance_;
    return state_ = std::sqrt(variance_) * noise();
  }
  double regime() {
    constexpr std::array levels{0.0, 2.0, -1.0};
    constexpr std::array spreads{0.3, 0.6, 0.15};
    if (random_.uniform() < 1.0 / 400.0) regime_ = (regime_ + 1 + random_.below(2)) % 3;
    state_ = 0.7 * state_ + noise();
    return levels[regime_] + 0.7 * spreads[regime_] * state_;
  }
  /// A high narrow peak, a dip after it, and a low wide wave a third of the period later.
  double pulse() {
    if (time_ >= next_beat_ + 0.5 * period_) {
      next_beat_ += period_ * (1.0 + 0.03 * noise());
      height_ = 1.0 + 0.05 * noise();
    }
    const double at = (time_ - next_beat_) / period_;
    const auto bump = [at](double center, double width) {
      const double distance = (at - center) / width;
      return std::exp(-0.5 * distance * distance);
    };
    return height_ * (2.0 * bump(0.0, 0.03) - 0.7 * bump(0.07, 0.03) + 0.5 * bump(0.3, 0.08)) +
           0.2 * noise_ * noise();
  }

  Normal kind_;
  reprise::RandomStream random_;
  double period_ = 1.0, noise_ = 0.0, ratio_ = 1.0, phi_ = 0.0, on_ = 1.0, off_ = 1.0, rate_ = 1.0;
  std::array<double, 3> amplitudes_{}, phases_{};
  double time_ = 0.0, state_ = 0.0, variance_ = 1.0, stretch_ = 1.0, next_beat_ = 0.0, height_ = 1.0;
  std::size_t regime_ = 0;
};

}  // namespace generator
