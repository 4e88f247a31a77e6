#pragma once

#include <string>
#include <vector>

#include "sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// One named tensor within the contiguous vector of all parameters.
///
/// It is stored column-major with `rows` x `cols`; read row-major, the same bytes have Keras's shape (cols,
/// rows), or (rows) where `is_vector`.
struct ParameterInfo {
  std::string name;
  Index rows = 0;
  Index cols = 1;
  bool is_vector = false;
  Index offset = 0;

  Index size() const { return rows * cols; }
  friend bool operator==(const ParameterInfo&, const ParameterInfo&) = default;
};

/// Neighbouring scalars within that vector, for example those of one tensor or of one layer.
struct ParameterRange {
  Index offset = 0;
  Index size = 0;
  friend bool operator==(const ParameterRange&, const ParameterRange&) = default;
};

/// Names, shapes and offsets of all tensors of a model, in the order in which they are stored.
class ParameterTable {
 public:
  /// Throws where no machine could hold that many, as a damaged file or a slip in a configuration claims: the
  /// refusal comes before memory is asked for.
  void add(std::string name, Index rows, Index cols, bool is_vector) {
    constexpr bool is_wide = sizeof(Index) > 4;
    constexpr double most = is_wide ? 1099511627776.0 : 2147483647.0;
    const double size = static_cast<double>(rows) * static_cast<double>(cols);
    if (rows < 0 || cols < 0 || static_cast<double>(size_) + size > most) {
      detail::fail({"parameter ", name},
                   {"a size, and all sizes together at most ", is_wide ? "2^40" : "2^31 - 1"},
                   {rows, " x ", cols});
    }
    entries_.push_back({std::move(name), rows, cols, is_vector, size_});
    size_ += rows * cols;
  }

  /// Throws when there is no such name, naming those that are.
  [[nodiscard]] const ParameterInfo& at(const std::string& name) const {
    for (const ParameterInfo& entry : entries_) {
      if (entry.name == name) return entry;
    }
    std::string known;
    for (const ParameterInfo& entry : entries_) known += (known.empty() ? "" : ", ") + entry.name;
    detail::refuse({"parameter: expected one of ", known, "; got ", name});
  }

  /// Number of scalars in all tensors together.
  Index size() const { return size_; }
  const std::vector<ParameterInfo>& entries() const { return entries_; }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  friend bool operator==(const ParameterTable&, const ParameterTable&) = default;

 private:
  std::vector<ParameterInfo> entries_;
  Index size_ = 0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
