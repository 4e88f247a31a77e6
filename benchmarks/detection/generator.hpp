#pragma once

// Series made of a normal stretch to train on and a stretch to score, in which anomalies of one kind are
// planted. All is drawn from a seed, so that the same case is the same numbers everywhere.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <reprise/core/error.hpp>
#include <reprise/core/random.hpp>
#include <reprise/core/sequences.hpp>
#include <string>
#include <vector>

#include "normal_series.hpp"

namespace generator {

using reprise::Matrix;

/// What is done to a stretch of the normal series. Sizes are in standard deviations of the feature.
enum class Anomaly {
  /// One point, whatever the length, is 4 to 8 away.
  spike,
  /// Everything is 2 to 4 higher or lower.
  level,
  /// The first value stays.
  frozen,
  /// Noise of 1 is added.
  noisy,
  /// Runs backwards.
  mirrored,
  /// Upside down around its mean.
  inverted,
  /// A straight line from the first value to the last: the cycle does not take place.
  missing_cycle,
  /// What should come a third of a period later.
  phase,
  /// Twice as fast.
  faster,
  /// A quarter of its distance from its mean.
  damped,
  /// One feature goes on as another realisation of the same process would: its values are as ever, but no
  /// longer go with those of the others.
  decoupled
};
inline constexpr std::array all_anomalies{Anomaly::spike,         Anomaly::level,    Anomaly::frozen,
                                          Anomaly::noisy,         Anomaly::mirrored, Anomaly::inverted,
                                          Anomaly::missing_cycle, Anomaly::phase,    Anomaly::faster,
                                          Anomaly::damped,        Anomaly::decoupled};

inline std::string name_of(Anomaly kind) {
  constexpr std::array names{"spike",         "level", "frozen", "noisy",  "mirrored", "inverted",
                             "missing cycle", "phase", "faster", "damped", "decoupled"};
  static_assert(names.size() == all_anomalies.size());
  return names[static_cast<std::size_t>(kind)];
}

/// Whether the anomaly changes a series of this kind into what it is not normally. Noise that runs backwards
/// is noise.
inline bool makes_sense(Normal normal, Anomaly anomaly, Index features) {
  switch (anomaly) {
    case Anomaly::mirrored:
    case Anomaly::inverted:
    case Anomaly::missing_cycle:
    case Anomaly::phase:
    case Anomaly::faster: return has_shape(normal);
    case Anomaly::decoupled: return features > 1;
    case Anomaly::level: return normal != Normal::random_walk;
    default: return true;
  }
}

/// In fewer points than these nothing can be seen of it.
inline Index least_length(Anomaly anomaly) {
  const bool shows_at_once =
      anomaly == Anomaly::spike || anomaly == Anomaly::level || anomaly == Anomaly::noisy;
  return shows_at_once ? 1 : 8;
}

/// Where something was planted: the points of [start, end), in one feature.
struct Planted {
  Index start = 0;
  Index end = 0;
  Index feature = 0;
};

struct Settings {
  Normal normal = Normal::seasonal;
  /// None: everything is normal.
  std::optional<Anomaly> anomaly{};
  std::uint64_t seed = 1;
  Index features = 1;
  Index training_rows = 2000;
  Index scored_rows = 4000;
  /// How many are planted, and how long, in points: drawn evenly in the logarithm of the length. None is
  /// shorter than `least_length`, and a spike is one point.
  Index anomalies = 3;
  Index shortest = 1;
  Index longest = 300;
  /// See `NormalSource`.
  double period = 0.0;
};

struct Generated {
  /// A row for each point, a column for each feature: `training_rows` normal ones, then those to score.
  Matrix<double> values;
  Index training_rows = 0;
  /// In order; no two overlap.
  std::vector<Planted> planted;
  /// Of the first feature's process; of kinds without one it means nothing.
  double period = 0.0;

  Matrix<double> training() const { return values.topRows(training_rows); }
  Matrix<double> scored() const { return values.bottomRows(values.rows() - training_rows); }
  /// Of the rows to score: 1 within what was planted.
  std::vector<int> labels() const {
    std::vector<int> result(static_cast<std::size_t>(values.rows() - training_rows), 0);
    for (const Planted& one : planted) {
      for (Index t = one.start; t < one.end; ++t) result[static_cast<std::size_t>(t - training_rows)] = 1;
    }
    return result;
  }
};

/// One series of a kind, or several that go together: where there are several features, each is the same
/// process in a size and sign of its own, plus three tenths of a realisation that is its own.
/// `stream` tells realisations of the whole apart.
inline Matrix<double> normal_rows(const Settings& settings, Index rows, std::uint32_t stream) {
  Matrix<double> values(rows, settings.features);
  const auto realisation = [&](std::uint32_t number) {
    NormalSource source(settings.normal, settings.seed, stream + number, settings.period);
    reprise::Vector<double> result(rows);
    for (double& value : result) value = source.next();
    return result;
  };
  const reprise::Vector<double> common = realisation(0);
  if (settings.features == 1) {
    values.col(0) = common;
    return values;
  }
  reprise::RandomStream open(settings.seed, reprise::Purpose::other, 2);
  for (Index f = 0; f < settings.features; ++f) {
    const double size = (0.5 + open.uniform()) * (open.uniform() < 0.5 ? -1.0 : 1.0);
    values.col(f) = size * (common + 0.3 * realisation(static_cast<std::uint32_t>(f) + 1));
  }
  return values;
}

namespace detail {

/// What one stretch of one feature becomes. `ahead`: the normal series, which knows what comes later.
inline void plant(const Settings& settings, const Planted& where, double deviation, double period,
                  const Matrix<double>& ahead, const Matrix<double>& other, reprise::RandomStream& random,
                  Matrix<double>& values) {
  const Index length = where.end - where.start, f = where.feature;
  auto stretch = values.col(f).segment(where.start, length);
  const double sign = random.uniform() < 0.5 ? -1.0 : 1.0;
  const double mean = stretch.mean(), first = stretch(0), last = stretch(length - 1);
  const auto later = [&](double offset) {
    return ahead(std::min(ahead.rows() - 1, where.start + static_cast<Index>(offset)), f);
  };
  switch (*settings.anomaly) {
    case Anomaly::spike: stretch(length / 2) += sign * deviation * (4.0 + 4.0 * random.uniform()); break;
    case Anomaly::level: stretch.array() += sign * deviation * (2.0 + 2.0 * random.uniform()); break;
    case Anomaly::frozen: stretch.setConstant(first); break;
    case Anomaly::noisy:
      for (Index t = 0; t < length; ++t) stretch(t) += deviation * random.normal();
      break;
    case Anomaly::mirrored: stretch = stretch.reverse().eval(); break;
    case Anomaly::inverted: stretch = (2.0 * mean - stretch.array()).matrix().eval(); break;
    case Anomaly::missing_cycle:
      for (Index t = 0; t < length; ++t)
        stretch(t) = first + (last - first) * static_cast<double>(t + 1) / static_cast<double>(length);
      break;
    case Anomaly::phase:
      for (Index t = 0; t < length; ++t) stretch(t) = later(static_cast<double>(t) + period / 3.0);
      break;
    case Anomaly::faster:
      for (Index t = 0; t < length; ++t) stretch(t) = later(2.0 * static_cast<double>(t));
      break;
    case Anomaly::damped: stretch = (mean + 0.25 * (stretch.array() - mean)).matrix().eval(); break;
    case Anomaly::decoupled: stretch = other.col(f).segment(where.start, length); break;
  }
}

}  // namespace detail

/// Throws where the anomaly makes no sense for the kind, or there is no room for so many: each takes its
/// `longest` and as much on either side.
inline Generated generate(const Settings& settings) {
  const Index rows = settings.training_rows + settings.scored_rows;
  const Index room = settings.anomalies > 0 ? settings.scored_rows / settings.anomalies : 0;
  if (settings.anomaly && !makes_sense(settings.normal, *settings.anomaly, settings.features)) {
    reprise::detail::fail("generator", "an anomaly that is none of the kind's own habits",
                          {name_of(*settings.anomaly).c_str(), " in ", name_of(settings.normal).c_str()});
  }
  if (settings.anomaly &&
      (settings.shortest < 1 || settings.shortest > settings.longest || room < 3 * settings.longest)) {
    reprise::detail::fail("generator", {"0 < shortest <= longest, and a third of ", room, " points at most"},
                          {settings.shortest, " and ", settings.longest});
  }
  Generated result;
  // Beyond the end, for what runs ahead.
  const Matrix<double> normal = normal_rows(settings, rows + 2 * settings.longest + 500, 0);
  result.values = normal.topRows(rows);
  result.training_rows = settings.training_rows;
  result.period = NormalSource(settings.normal, settings.seed, 0, settings.period).period();
  if (!settings.anomaly) return result;
  const Matrix<double> other = normal_rows(settings, rows, 1000);
  reprise::RandomStream random(settings.seed, reprise::Purpose::other, 3,
                               static_cast<std::uint32_t>(*settings.anomaly));
  const auto shortest = static_cast<double>(
      std::min(settings.longest, std::max(settings.shortest, least_length(*settings.anomaly))));
  const double ratio = static_cast<double>(settings.longest) / shortest;
  for (Index i = 0; i < settings.anomalies; ++i) {
    auto length = static_cast<Index>(std::lround(shortest * std::pow(ratio, random.uniform())));
    if (*settings.anomaly == Anomaly::spike) length = 1;
    const Index first = settings.training_rows + i * room + settings.longest;
    const Index start = first + static_cast<Index>(random.below(
                                    static_cast<std::uint32_t>(room - 2 * settings.longest - length + 1)));
    const auto feature = static_cast<Index>(random.below(static_cast<std::uint32_t>(settings.features)));
    const auto column = normal.col(feature).head(settings.training_rows);
    const double deviation = std::sqrt((column.array() - column.mean()).square().mean());
    result.planted.push_back({start, start + length, feature});
    detail::plant(settings, result.planted.back(), deviation, result.period, normal, other, random,
                  result.values);
  }
  return result;
}

}  // namespace generator
