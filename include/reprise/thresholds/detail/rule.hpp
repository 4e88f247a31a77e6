#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "../../core/fields.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Makes a rule from what a file says of it. Every rule names this struct its friend and has a private
/// constructor without arguments, since users must not make a rule without its parameters, and a private
/// `check`, which refuses parameters that make no sense.
struct RuleReader {
  template <typename Rule>
  static Rule read(FieldReader& reader) {
    Rule rule;
    read_fields(reader, rule);
    rule.check();
    return rule;
  }
};

/// Whether a rule calls for calibration scores; true where it does not say.
template <typename Rule>
constexpr bool needs_calibration() {
  if constexpr (requires { Rule::needs_calibration; }) return Rule::needs_calibration;
  return true;
}

/// The alternative of `Variant` whose kind is given, read field by field; null where there is none. A rule
/// without a list of fields is in no file.
template <typename Variant, std::size_t alternative = 0>
std::shared_ptr<const Variant> read_rule(FieldReader& reader, std::string_view kind) {
  if constexpr (alternative == std::variant_size_v<Variant>) {
    return nullptr;
  } else {
    using Rule = std::variant_alternative_t<alternative, Variant>;
    if constexpr (ListsFields<Rule>) {
      if (kind == Rule::kind)
        return std::shared_ptr<const Variant>(new Variant(RuleReader::read<Rule>(reader)));
    }
    return read_rule<Variant, alternative + 1>(reader, kind);
  }
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
