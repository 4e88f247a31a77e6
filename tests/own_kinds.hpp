#pragma once

// Losses, optimizers and the like as a user of the library writes them. Those that do what one of the
// library's does are there to be compared with it.

#include <cmath>
#include <span>

#include <reprise/layers/activations.hpp>
#include <reprise/layers/initializers.hpp>
#include <reprise/losses/losses.hpp>
#include <reprise/optimizers/optimizers.hpp>

namespace own {

struct SquaredError {
  static constexpr const char* kind = "OwnSquaredError";
  template <typename Scalar>
  double operator()(std::span<const Scalar> prediction, std::span<const Scalar> target,
                    std::span<Scalar> gradient) const {
    const auto n = static_cast<double>(prediction.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < prediction.size(); ++i) {
      const double e = static_cast<double>(prediction[i]) - static_cast<double>(target[i]);
      sum += e * e;
      if (!gradient.empty()) gradient[i] = static_cast<Scalar>(2.0 * e / n);
    }
    return sum / n;
  }
};

/// Koenker and Bassett, "Regression quantiles" (1978).
struct Quantile {
  static constexpr const char* kind = "Quantile";
  double q = 0.9;

  template <typename Scalar>
  double operator()(std::span<const Scalar> prediction, std::span<const Scalar> target,
                    std::span<Scalar> gradient) const {
    const auto n = static_cast<double>(prediction.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < prediction.size(); ++i) {
      const double e = static_cast<double>(target[i]) - static_cast<double>(prediction[i]);
      const double slope = e > 0.0 ? q : q - 1.0;
      sum += slope * e;
      if (!gradient.empty()) gradient[i] = static_cast<Scalar>(-slope / n);
    }
    return sum / n;
  }
  void validate() const {
    if (!(q > 0.0 && q < 1.0)) throw reprise::Error("Quantile: expected q in (0, 1)");
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("q", self.q);
  }
};

/// -log(softmax(prediction)[class]): the target is one number, the class. Sees all features at once.
struct CrossEntropy {
  static constexpr const char* kind = "CrossEntropy";
  template <typename Scalar>
  double operator()(std::span<const Scalar> prediction, std::span<const Scalar> target,
                    std::span<Scalar> gradient) const {
    const auto wanted = static_cast<std::size_t>(target[0]);
    double largest = static_cast<double>(prediction[0]);
    for (const Scalar value : prediction) {
      if (static_cast<double>(value) > largest) largest = static_cast<double>(value);
    }
    double sum = 0.0;
    for (const Scalar value : prediction) sum += std::exp(static_cast<double>(value) - largest);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const double share = std::exp(static_cast<double>(prediction[i]) - largest) / sum;
      gradient[i] = static_cast<Scalar>(share - (i == wanted ? 1.0 : 0.0));
    }
    return largest + std::log(sum) - static_cast<double>(prediction[wanted]);
  }
};

/// Adam as Keras has it.
struct Adam {
  static constexpr const char* kind = "OwnAdam";
  static constexpr int moments = 2;
  reprise::LearningRate learning_rate = 1e-3;
  double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
  reprise::Clip clip = reprise::NoClip{};

  template <typename Scalar>
  void operator()(const reprise::ParameterUpdate<Scalar>& update) const {
    const auto t = static_cast<double>(update.step + 1);
    const double rate =
        update.learning_rate * std::sqrt(1.0 - std::pow(beta_2, t)) / (1.0 - std::pow(beta_1, t));
    const std::span<Scalar> m = update.moment(0), v = update.moment(1);
    for (std::size_t i = 0; i < m.size(); ++i) {
      const Scalar g = update.gradient[i];
      m[i] += (g - m[i]) * static_cast<Scalar>(1.0 - beta_1);
      v[i] += (g * g - v[i]) * static_cast<Scalar>(1.0 - beta_2);
      update.parameters[i] -=
          m[i] * static_cast<Scalar>(rate) / (std::sqrt(v[i]) + static_cast<Scalar>(epsilon));
    }
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("learning_rate", self.learning_rate);
    visit("beta_1", self.beta_1);
    visit("beta_2", self.beta_2);
    visit("epsilon", self.epsilon);
    visit("clip", self.clip);
  }
};

/// Chen et al., "Symbolic discovery of optimization algorithms" (2023).
struct Lion {
  static constexpr const char* kind = "Lion";
  static constexpr int moments = 1;
  double learning_rate = 1e-4;
  double beta_1 = 0.9, beta_2 = 0.99;

  template <typename Scalar>
  void operator()(const reprise::ParameterUpdate<Scalar>& update) const {
    const auto b1 = static_cast<Scalar>(beta_1), b2 = static_cast<Scalar>(beta_2);
    const std::span<Scalar> m = update.moment(0);
    for (std::size_t i = 0; i < m.size(); ++i) {
      const Scalar g = update.gradient[i], c = b1 * m[i] + (1 - b1) * g;
      update.parameters[i] -= static_cast<Scalar>(update.learning_rate * ((c > 0) - (c < 0)));
      m[i] = b2 * m[i] + (1 - b2) * g;
    }
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("learning_rate", self.learning_rate);
    visit("beta_1", self.beta_1);
    visit("beta_2", self.beta_2);
  }
};

/// A rate that is halved after every `steps` updates.
struct Halving {
  static constexpr const char* kind = "Halving";
  double first = 0.1;
  reprise::Index steps = 2;
  double operator()(reprise::Index step) const { return first * std::pow(0.5, step / steps); }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("first", self.first);
    visit("steps", self.steps);
  }
};

/// tanh(x * steepness)
struct SteepTanh {
  static constexpr const char* kind = "steep_tanh";
  double steepness = 1.0;
  template <typename Scalar>
  Scalar value(Scalar x) const {
    return std::tanh(static_cast<Scalar>(steepness) * x);
  }
  template <typename Scalar>
  Scalar derivative(Scalar y) const {
    return static_cast<Scalar>(steepness) * (1 - y * y);
  }
  void validate() const {
    if (!(steepness > 0.0)) throw reprise::Error("steep_tanh: expected steepness > 0");
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("steepness", self.steepness);
  }
};

struct Arctan {
  static constexpr const char* kind = "arctan";
  template <typename Scalar>
  Scalar value(Scalar x) const {
    return std::atan(x);
  }
  template <typename Scalar>
  Scalar derivative(Scalar y) const {
    return std::cos(y) * std::cos(y);
  }
};

/// Uniform in [-width, width), the number of the row added.
struct Stairs {
  static constexpr const char* kind = "stairs";
  double width = 0.5;
  void operator()(reprise::Matrix<double>& weights, reprise::RandomStream& random) const {
    for (reprise::Index c = 0; c < weights.cols(); ++c) {
      for (reprise::Index r = 0; r < weights.rows(); ++r)
        weights(r, c) += static_cast<double>(r) + width * (2.0 * random.uniform() - 1.0);
    }
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("width", self.width);
  }
};

}  // namespace own
