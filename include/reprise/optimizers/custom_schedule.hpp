#pragma once

#include <cmath>
#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "../core/custom.hpp"
#include "../core/finite.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

namespace detail {

template <typename T>
concept Schedule = requires(const T& schedule, Index step) {
  { schedule(step) } -> std::convertible_to<double>;
};

class ScheduleCode : public CustomCode {
 public:
  virtual double rate_at(Index step) const = 0;
};

template <typename T>
class ScheduleHolder final : public CustomHolder<ScheduleCode, T> {
 public:
  using CustomHolder<ScheduleCode, T>::CustomHolder;
  double rate_at(Index step) const override { return static_cast<double>(this->value_(step)); }
};

}  // namespace detail

/// A learning-rate schedule of the user's own, made from a struct with a name, its fields, and
/// `double operator()(Index step) const`: the rate of the update with that number, from 0; finite and >= 0.
class CustomSchedule : public detail::Custom<detail::ScheduleCode> {
 public:
  static constexpr const char* category = "learning-rate schedule";

  template <typename T>
    requires(std::is_class_v<T> && !std::same_as<T, CustomSchedule>)
  CustomSchedule(T schedule) : Custom(holder(std::move(schedule))) {}

 private:
  template <typename T>
  static std::shared_ptr<const detail::ScheduleCode> holder(T schedule) {
    constexpr bool named = detail::HasKind<T>, listed = detail::fields_are_known<T>;
    constexpr bool callable = detail::Schedule<T>;
    static_assert(named,
                  "an own schedule needs a name, such as static constexpr const char* kind = \"Step\"");
    static_assert(listed, "an own schedule with members must list them in each_field (see core/fields.hpp)");
    static_assert(callable, "an own schedule must be callable as double(reprise::Index step) const");
    if constexpr (named && listed && callable) {
      return std::make_shared<const detail::ScheduleHolder<T>>(std::move(schedule));
    } else {
      return nullptr;
    }
  }
};

namespace detail {

inline double rate_at(const CustomSchedule& schedule, Index step) {
  const double rate = schedule.code().rate_at(step);
  if (!(rate >= 0.0 && is_finite(rate))) {
    fail(std::string(schedule.kind()), {"a finite learning rate >= 0 at step ", step}, {rate});
  }
  return rate;
}
inline void validate(const CustomSchedule& schedule, const Text&) { schedule.validate(); }

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
