#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "../core/custom.hpp"
#include "../core/random.hpp"
#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

template <typename T>
concept Fills = requires(const T& initializer, Matrix<double>& weights, RandomStream& random) {
  initializer(weights, random);
};

class InitializerCode : public CustomCode {
 public:
  virtual void fill(Matrix<double>& weights, RandomStream& random) const = 0;
};

template <typename T>
class InitializerHolder final : public CustomHolder<InitializerCode, T> {
 public:
  using CustomHolder<InitializerCode, T>::CustomHolder;
  void fill(Matrix<double>& weights, RandomStream& random) const override { this->value_(weights, random); }
};

}  // namespace detail

/// An initialiser of the user's own, made from a struct with a name, its fields (see core/fields.hpp), and
///
///     void operator()(Matrix<double>& weights, RandomStream& random) const;
///
/// which fills a matrix of zeros with as many rows as there are outputs (fan_out) and as many columns as
/// there are inputs (fan_in), a bias being n x 1. All random numbers come from `random`, so that the same
/// seed gives the same weights; a model of floats rounds what it gets.
class CustomInitializer : public detail::Custom<detail::InitializerCode> {
 public:
  static constexpr const char* category = "initialiser";

  template <typename T>
    requires(std::is_class_v<T> && !std::same_as<T, CustomInitializer>)
  CustomInitializer(T initializer) : Custom(holder(std::move(initializer))) {}

 private:
  template <typename T>
  static std::shared_ptr<const detail::InitializerCode> holder(T initializer) {
    constexpr bool named = detail::HasKind<T>, listed = detail::fields_are_known<T>;
    constexpr bool callable = detail::Fills<T>;
    static_assert(named,
                  "an own initialiser needs a name, such as static constexpr const char* kind = \"spread\"");
    static_assert(listed,
                  "an own initialiser with members must list them in each_field (see core/fields.hpp)");
    static_assert(callable,
                  "an own initialiser must be callable as void(reprise::Matrix<double>& weights, "
                  "reprise::RandomStream& random) const");
    if constexpr (named && listed && callable) {
      return std::make_shared<const detail::InitializerHolder<T>>(std::move(initializer));
    } else {
      return nullptr;
    }
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
