#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "../../core/parameters.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// Whether `prefix`, with a dot behind it or without, is the whole name or the part of it before some dot:
/// `encoder.1` is one of `encoder.1.kernel`, and none of `encoder.10.kernel`.
inline bool is_prefix(const std::string& prefix, const std::string& name) {
  const std::size_t size = !prefix.empty() && prefix.back() == '.' ? prefix.size() - 1 : prefix.size();
  if (size == 0 || name.compare(0, size, prefix, 0, size) != 0) return false;
  return name.size() == size ? prefix.size() == size : name[size] == '.';
}

/// All prefixes that name something, as a message lists them. Those of one layer stand side by side.
inline std::string known_prefixes(const ParameterTable& table) {
  std::string known = ", ";
  for (const ParameterInfo& tensor : table) {
    for (std::size_t dot = tensor.name.find('.'); dot != std::string::npos;
         dot = tensor.name.find('.', dot + 1)) {
      const std::string prefix = tensor.name.substr(0, dot) + ", ";
      if (known.find(", " + prefix) == std::string::npos) known += prefix;
    }
  }
  return known.size() < 4 ? "" : known.substr(2, known.size() - 4);
}

/// The parameters that none of the prefixes names, in ascending ranges; empty, which stands for all, where
/// there is no prefix. Throws on a prefix that names nothing, and when nothing is left.
inline std::vector<ParameterRange> trainable_ranges(const ParameterTable& table,
                                                    const std::vector<std::string>& frozen) {
  std::vector<ParameterRange> ranges;
  if (frozen.empty()) return ranges;
  for (const std::string& prefix : frozen) {
    bool names_some = false;
    for (const ParameterInfo& tensor : table) names_some = names_some || is_prefix(prefix, tensor.name);
    if (!names_some) fail("fit: frozen", {"a tensor, or one of ", known_prefixes(table)}, prefix);
  }
  for (const ParameterInfo& tensor : table) {
    bool is_frozen = false;
    for (const std::string& prefix : frozen) is_frozen = is_frozen || is_prefix(prefix, tensor.name);
    if (is_frozen) continue;
    if (!ranges.empty() && ranges.back().offset + ranges.back().size == tensor.offset) {
      ranges.back().size += tensor.size();
    } else {
      ranges.push_back({tensor.offset, tensor.size()});
    }
  }
  if (ranges.empty()) fail("fit: frozen", "some parameters that are not", "all of them");
  return ranges;
}

/// Zeros in place of the gradient of what is frozen, so that no norm counts it.
template <typename Scalar>
void clear_frozen(Vector<Scalar>& gradient, const std::vector<ParameterRange>& trainable) {
  if (trainable.empty()) return;
  Index end = 0;
  for (const ParameterRange& range : trainable) {
    std::fill(gradient.data() + end, gradient.data() + range.offset, Scalar(0));
    end = range.offset + range.size;
  }
  std::fill(gradient.data() + end, gradient.data() + gradient.size(), Scalar(0));
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
