#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "../core/fields.hpp"
#include "../core/sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {
namespace detail {

/// The values may be bools or numbers. `std::vector<bool>` hands out stand-ins for its bools, of a type that
/// differs between standard libraries, so that the iterator is asked for the type of a value.
template <typename Range>
concept LabelRange = requires(const Range& range) {
  std::begin(range);
  std::end(range);
} && std::is_arithmetic_v<std::iter_value_t<decltype(std::begin(std::declval<const Range&>()))>>;

}  // namespace detail

/// What is known of each score: 1 (true) where it belongs to an outlier, 0 where it is normal. Made from any
/// vector, span or array of bools or numbers; throws on a value that is neither 0 nor 1, with its place.
class Labels {
 public:
  Labels() = default;
  template <detail::LabelRange Range>
    requires(!std::same_as<Range, Labels>)
  Labels(const Range& labels) {
    assign(std::begin(labels), std::end(labels));
  }
  Labels(std::initializer_list<int> labels) { assign(labels.begin(), labels.end()); }

  std::size_t size() const { return labels_.size(); }
  bool operator[](std::size_t i) const { return labels_[i] != 0; }
  /// How many are 1.
  [[nodiscard]] Index outliers() const { return outliers_; }
  /// How many are 0.
  Index normals() const { return static_cast<Index>(labels_.size()) - outliers_; }
  friend bool operator==(const Labels&, const Labels&) = default;

  /// An array of 0 and 1.
  void write(FieldWriter& writer) const {
    writer.begin_array();
    for (const char label : labels_) writer.natural(label != 0 ? 1 : 0);
    writer.end_array();
  }
  void read(FieldReader& reader) {
    std::vector<std::uint64_t> labels(reader.array_size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      reader.enter_element(i);
      labels[i] = reader.natural(1);
      reader.leave();
    }
    *this = Labels(labels);
  }

 private:
  template <typename Iterator>
  void assign(Iterator first, Iterator last) {
    for (; first != last; ++first) {
      const std::iter_value_t<Iterator> label = *first;
      if (label != 0 && label != 1) {
        detail::fail("labels", "0 or 1", {label, " at index ", size()});
      }
      labels_.push_back(label != 0 ? 1 : 0);
      outliers_ += label != 0 ? 1 : 0;
    }
  }

  std::vector<char> labels_;
  Index outliers_ = 0;
};

namespace detail {

inline void require_as_many(std::size_t values, const Labels& labels, const Text& place, const char* what) {
  if (values != labels.size()) {
    fail(place, {"a label for each of ", values, " ", what}, {labels.size(), " labels"});
  }
}
inline void require_both_classes(const Labels& labels, const Text& place) {
  if (labels.size() == 0) fail(place, "labels of both classes", "none");
  if (labels.outliers() == 0) fail(place, "labels of both classes", "normal ones (0) only");
  if (labels.normals() == 0) fail(place, "labels of both classes", "outliers (1) only");
}

}  // namespace detail
}  // namespace REPRISE_ABI
}  // namespace reprise
