#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/fields.hpp"
#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Which indices a vocabulary has besides those of its symbols.
struct VocabularyOptions {
  /// An index that stands before a session's first symbol, so that the first symbol is predicted too.
  bool start = true;
  /// An index that comes after a session's last symbol, so that a session that stops too early is strange.
  bool end = true;
  /// Index 0 for padding, as Keras's mask_zero wants it. Nothing here needs it: sessions have lengths.
  bool padding = false;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [start, end, padding] = self;
    visit("start", start);
    visit("end", end);
    visit("padding", padding);
  }
  friend bool operator==(const VocabularyOptions&, const VocabularyOptions&) = default;
};

/// Numbers for symbols: log keys, states, commands, system calls. A symbol is anything with a hash and ==,
/// such as an int or a std::string; to be saved it is an integer or a std::string.
///
///     Vocabulary<std::string> vocabulary(sessions);   // a range of ranges of symbols
///     vocabulary.index("login")                       // the unseen one's index for what was not in sessions
///
/// Indices are 0 ... size() - 1: those of padding, the unseen, start and end first, as far as there are any,
/// then those of the symbols in the order in which they came first.
template <typename Symbol_>
class Vocabulary {
 public:
  using Symbol = Symbol_;

  /// Of no symbols: all are unseen.
  explicit Vocabulary(const VocabularyOptions& options = {}) : options_(options) {}
  /// Of all symbols in the sessions.
  template <typename Sessions>
    requires(!std::same_as<Sessions, VocabularyOptions>)
  explicit Vocabulary(const Sessions& sessions, const VocabularyOptions& options = {}) : options_(options) {
    for (const auto& session : sessions) {
      for (const auto& symbol : session) add(symbol);
    }
  }

  /// Number of indices.
  Index size() const { return first_symbol() + static_cast<Index>(symbols_.size()); }
  /// The index of all symbols that were not in the sessions.
  Index unseen() const { return options_.padding ? 1 : 0; }
  bool has_start() const { return options_.start; }
  bool has_end() const { return options_.end; }
  /// Throw `Error` where the vocabulary has none.
  Index start() const { return special(options_.start, "start", unseen() + 1); }
  Index end() const { return special(options_.end, "end", unseen() + (options_.start ? 2 : 1)); }
  Index padding() const { return special(options_.padding, "padding", 0); }

  Index index(const Symbol& symbol) const {
    const auto found = indices_.find(symbol);
    return found == indices_.end() ? unseen() : found->second;
  }
  bool contains(const Symbol& symbol) const { return indices_.contains(symbol); }
  /// Whether the index is a symbol's.
  bool is_symbol(Index index) const { return index >= first_symbol() && index < size(); }
  /// Throws `Error` where the index is not a symbol's.
  const Symbol& symbol(Index index) const {
    if (!is_symbol(index)) {
      detail::fail("vocabulary: symbol", {"an index from ", first_symbol(), " to ", size() - 1}, {index});
    }
    return symbols_[static_cast<std::size_t>(index - first_symbol())];
  }
  /// The indices of a session, with start and end where there are any.
  template <typename Session>
  [[nodiscard]] std::vector<Index> encode(const Session& session) const {
    std::vector<Index> result;
    if (options_.start) result.push_back(start());
    for (const auto& symbol : session) result.push_back(index(symbol));
    if (options_.end) result.push_back(end());
    return result;
  }

  /// In the order of their indices.
  const std::vector<Symbol>& symbols() const { return symbols_; }
  const VocabularyOptions& options() const { return options_; }

  /// What a person reads for an index: the symbol, or `<unseen>`, `<start>`, `<end>`, `<padding>`. For
  /// symbols that are integers or strings.
  std::string name(Index index) const {
    if (is_symbol(index)) return text(symbol(index));
    if (index == unseen()) return "<unseen>";
    if (options_.start && index == start()) return "<start>";
    if (options_.end && index == end()) return "<end>";
    if (options_.padding && index == padding()) return "<padding>";
    detail::fail("vocabulary: name", {"an index below ", size()}, {index});
  }

  /// As a file holds it.
  void write(FieldWriter& writer) const {
    writer.begin_object({});
    detail::write_fields(writer, options_);
    writer.member("symbols");
    writer.begin_array();
    for (const Symbol& symbol : symbols_) {
      if constexpr (std::signed_integral<Symbol>) {
        writer.integer(symbol);  // unlike a size, a symbol may be negative
      } else {
        detail::write_value(writer, symbol);
      }
    }
    writer.end_array();
    writer.end_object();
  }
  void read(FieldReader& reader) {
    Vocabulary result;
    reader.begin_object();
    detail::read_fields(reader, result.options_);
    if (!reader.enter_member("symbols")) reader.refuse("a member symbols", "none");
    const std::size_t count = reader.array_size();
    for (std::size_t i = 0; i < count; ++i) {
      reader.enter_element(i);
      Symbol symbol{};
      if constexpr (std::signed_integral<Symbol>) {
        symbol = static_cast<Symbol>(
            reader.integer(std::numeric_limits<Symbol>::min(), std::numeric_limits<Symbol>::max()));
      } else {
        detail::read_value(reader, symbol);
      }
      if (!result.add(symbol)) reader.refuse("symbols that differ");
      reader.leave();
    }
    reader.leave();
    reader.end_object();
    *this = std::move(result);
  }

  friend bool operator==(const Vocabulary& a, const Vocabulary& b) {
    return a.options_ == b.options_ && a.symbols_ == b.symbols_;
  }

 private:
  Index first_symbol() const { return unseen() + 1 + (options_.start ? 1 : 0) + (options_.end ? 1 : 0); }
  static Index special(bool there, const char* what, Index index) {
    if (!there) detail::fail("vocabulary", {"one with an index for ", what}, "none");
    return index;
  }
  /// Whether it was not there yet.
  bool add(const Symbol& symbol) {
    if (!indices_.emplace(symbol, size()).second) return false;
    symbols_.push_back(symbol);
    return true;
  }
  static std::string text(const Symbol& symbol) {
    if constexpr (std::integral<Symbol>) {
      return std::to_string(symbol);
    } else {
      return std::string(symbol);
    }
  }

  VocabularyOptions options_;
  std::vector<Symbol> symbols_;
  std::unordered_map<Symbol, Index> indices_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
