#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../core/custom.hpp"
#include "../core/parameters.hpp"
#include "clipping.hpp"
#include "learning_rate.hpp"
#include "state.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// What an optimizer of the user's own is called with: neighbouring parameters that shall move, and all that
/// belongs to them.
template <typename Scalar>
struct ParameterUpdate {
  /// The schedule's rate at this step, times what callbacks made of it.
  double learning_rate;
  /// The number of this update, from 0.
  Index step;
  /// One value for each parameter, clipped where the optimizer has a clip.
  std::span<const Scalar> gradient;
  std::span<Scalar> parameters;

  /// What the optimizer remembers of each parameter, `number` being from 0 to one less than its `moments`;
  /// zeros before the first update.
  std::span<Scalar> moment(Index number) const {
    return {moments[static_cast<std::size_t>(number)].data() + offset, parameters.size()};
  }

  /// Moments of all parameters of the model, and where these begin.
  std::span<Vector<Scalar>> moments;
  Index offset;
};

namespace detail {

template <typename T, typename Scalar>
concept Updates = requires(const T& optimizer, const ParameterUpdate<Scalar>& update) { optimizer(update); };
template <typename T>
concept HasMoments = requires {
  { T::moments } -> std::convertible_to<Index>;
};
template <typename T>
concept HasLearningRate = requires(const T& optimizer) {
  { optimizer.learning_rate } -> std::convertible_to<LearningRate>;
};

class OptimizerCode : public CustomCode {
 public:
  OptimizerCode(Index moments, LearningRate learning_rate, Clip clip)
      : moments_(moments), learning_rate_(std::move(learning_rate)), clip_(clip) {}
  virtual void update(const ParameterUpdate<float>& update) const = 0;
  virtual void update(const ParameterUpdate<double>& update) const = 0;
  /// Whether what the other remembers means the same to this one, and the options that decide on it.
  virtual bool same_moments(const OptimizerCode& other) const = 0;
  virtual std::string moments_text() const = 0;
  Index moments() const { return moments_; }
  const LearningRate& learning_rate() const { return learning_rate_; }
  const Clip& clip() const { return clip_; }

 private:
  Index moments_;
  LearningRate learning_rate_;
  Clip clip_;
};

template <typename T>
Clip clip_of_own(const T& optimizer) {
  if constexpr (requires { optimizer.clip; }) {
    return optimizer.clip;
  } else {
    return NoClip{};
  }
}

template <typename T>
class OptimizerHolder final : public CustomHolder<OptimizerCode, T> {
 public:
  explicit OptimizerHolder(const T& value)
      : CustomHolder<OptimizerCode, T>(value, T::moments, value.learning_rate, clip_of_own(value)) {}
  void update(const ParameterUpdate<float>& update) const override { this->value_(update); }
  void update(const ParameterUpdate<double>& update) const override { this->value_(update); }
  bool same_moments(const OptimizerCode& other) const override {
    if constexpr (requires { this->value_.same_moments(this->value_); }) {
      return other.identity() == this->identity() &&
             this->value_.same_moments(*static_cast<const T*>(other.value()));
    } else {
      return other.moments() == this->moments() && other.moments_text() == moments_text();
    }
  }
  std::string moments_text() const override {
    TextWriter<> writer;
    writer.begin_object(T::kind);
    if constexpr (ListsFields<const T>) {
      T::each_field(this->value_, [&](const char* name, auto&& field, const auto&...) {
        if (std::string_view(name) == "learning_rate" || std::string_view(name) == "clip") return;
        writer.member(name);
        write_value<std::remove_cvref_t<decltype(field)>>(writer, field);
      });
    }
    writer.end_object();
    return writer.result();
  }
};

}  // namespace detail

/// An optimizer of the user's own, made from a struct such as
///
///     struct Lion {  // Chen et al., "Symbolic discovery of optimization algorithms" (2023)
///       static constexpr const char* kind = "Lion";
///       static constexpr int moments = 1;
///       reprise::LearningRate learning_rate = 1e-4;  // or a double
///       double beta_1 = 0.9, beta_2 = 0.99;
///       reprise::Clip clip = reprise::NoClip{};      // need not be there
///
///       template <typename Scalar>
///       void operator()(const reprise::ParameterUpdate<Scalar>& update) const {
///         const auto b1 = static_cast<Scalar>(beta_1), b2 = static_cast<Scalar>(beta_2);
///         const auto rate = static_cast<Scalar>(update.learning_rate);
///         const std::span<Scalar> m = update.moment(0);
///         for (std::size_t i = 0; i < m.size(); ++i) {
///           const Scalar g = update.gradient[i], c = b1 * m[i] + (1 - b1) * g;
///           update.parameters[i] -= rate * static_cast<Scalar>((c > 0) - (c < 0));
///           m[i] = b2 * m[i] + (1 - b2) * g;
///         }
///       }
///       template <typename Self, typename Visit>
///       static void each_field(Self& self, const Visit& visit) {
///         visit("learning_rate", self.learning_rate);
///         visit("beta_1", self.beta_1);
///         visit("beta_2", self.beta_2);
///         visit("clip", self.clip);
///       }
///     };
///
/// It is called for each stretch of parameters that train, in float or double, after the gradient was
/// clipped; several times in one step where frozen parameters lie between. Moments are kept, saved, rolled
/// back and frozen as those of ours are. Where parameters lie must not matter, since frozen ones change the
/// stretches. Files and comparisons know it by its name and fields; a `validate() const` is called before
/// training. A further fit goes on from the moments where all fields but `learning_rate` and `clip` are the
/// same; a `bool same_moments(const Lion& other) const` decides instead where there is one.
class CustomOptimizer : public detail::Custom<detail::OptimizerCode> {
 public:
  static constexpr const char* category = "optimizer";

  template <typename T>
    requires(std::is_class_v<T> && !std::same_as<T, CustomOptimizer>)
  CustomOptimizer(T optimizer) : Custom(holder(std::move(optimizer))) {}

 private:
  template <typename T>
  static std::shared_ptr<const detail::OptimizerCode> holder(const T& optimizer) {
    constexpr bool named = detail::HasKind<T>, listed = detail::fields_are_known<T>;
    constexpr bool remembers = detail::HasMoments<T>, has_rate = detail::HasLearningRate<T>;
    constexpr bool callable = detail::Updates<T, float> && detail::Updates<T, double>;
    static_assert(named,
                  "an own optimizer needs a name, such as static constexpr const char* kind = \"Lion\"");
    static_assert(listed, "an own optimizer with members must list them in each_field (see core/fields.hpp)");
    static_assert(remembers,
                  "an own optimizer needs the number of its moments: static constexpr int moments");
    static_assert(has_rate, "an own optimizer needs a learning_rate, a double or a reprise::LearningRate");
    static_assert(callable,
                  "an own optimizer must be callable as void(const reprise::ParameterUpdate<S>&) const, with "
                  "S = float and with S = double");
    if constexpr (named && listed && remembers && has_rate && callable) {
      static_assert(T::moments >= 0, "an own optimizer cannot have fewer than 0 moments");
      return std::make_shared<const detail::OptimizerHolder<T>>(optimizer);
    } else {
      return nullptr;
    }
  }
};

namespace detail {

inline void validate_own(const CustomOptimizer& optimizer) { optimizer.validate(); }
inline Remembers remembers(const CustomOptimizer& optimizer) {
  return {false, false, false, optimizer.code().moments()};
}
inline bool same_moments(const CustomOptimizer& a, const CustomOptimizer& b) {
  return b.code().same_moments(a.code());
}

template <typename Scalar>
void update_step(const CustomOptimizer& optimizer, OptimizerState<Scalar>& state, double learning_rate,
                 const Scalar* gradient, Scalar* parameters, ParameterRange range) {
  const auto size = static_cast<std::size_t>(range.size);
  const ParameterUpdate<Scalar> update{
      learning_rate, state.step,  {gradient + range.offset, size}, {parameters + range.offset, size},
      state.custom,  range.offset};
  optimizer.code().update(update);
}

// Where the options stand that every optimizer has.
template <typename Kind>
const LearningRate& learning_rate_of(const Kind& optimizer) {
  return optimizer.learning_rate;
}
inline const LearningRate& learning_rate_of(const CustomOptimizer& optimizer) {
  return optimizer.code().learning_rate();
}
template <typename Kind>
const Clip& clip_of(const Kind& optimizer) {
  return optimizer.clip;
}
inline const Clip& clip_of(const CustomOptimizer& optimizer) { return optimizer.code().clip(); }

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
