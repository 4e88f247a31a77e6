#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "differences.hpp"
#include "golden.hpp"

// What the tests of golden files share: tensors of theirs as values of ours and back, and their comparison.
namespace test {

using golden::Tensor;
using golden::Tensors;
using reprise::Index;
using reprise::ParameterInfo;
using reprise::ParameterTable;
using reprise::Sequences;
using reprise::Vector;

// ---- Ours to theirs and back ----

/// From (batch, step, feature), or (batch, feature) for one step.
template <typename Scalar>
Sequences<Scalar> sequences_of(const Tensor& tensor) {
  REQUIRE((tensor.shape.size() == 2 || tensor.shape.size() == 3));
  const Index batch = tensor.shape.front(), features = tensor.shape.back();
  const Index steps = tensor.shape.size() == 3 ? tensor.shape[1] : 1;
  Sequences<Scalar> result({.samples = batch, .steps = steps, .features = features});
  const double* value = tensor.data.data();
  for (Index b = 0; b < batch; ++b) {
    for (Index t = 0; t < steps; ++t) {
      for (Index f = 0; f < features; ++f) result(b, t, f) = static_cast<Scalar>(*value++);
    }
  }
  return result;
}

/// (batch, step, feature), or (batch, feature) where that is the form of the other side.
template <typename Scalar>
Tensor tensor_of(const Sequences<Scalar>& sequences, std::size_t dimensions = 3) {
  Tensor result{{sequences.batch(), sequences.steps(), sequences.features()}, {}};
  if (dimensions == 2 && sequences.steps() == 1) result.shape = {sequences.batch(), sequences.features()};
  for (Index b = 0; b < sequences.batch(); ++b) {
    for (Index t = 0; t < sequences.steps(); ++t) {
      for (Index f = 0; f < sequences.features(); ++f) {
        result.data.push_back(static_cast<double>(sequences(b, t, f)));
      }
    }
  }
  return result;
}

/// What is stored alike on both sides: a column-major matrix here is the transpose, row-major, there.
template <typename Scalar>
Tensor tensor_of(const Scalar* data, std::vector<Index> shape, Index size) {
  return {std::move(shape), std::vector<double>(data, data + size)};
}
template <typename Scalar>
Tensor tensor_of(const ParameterInfo& info, const Vector<Scalar>& values) {
  return tensor_of(values.data() + info.offset,
                   info.is_vector ? std::vector<Index>{info.rows} : std::vector<Index>{info.cols, info.rows},
                   info.size());
}
template <typename Scalar>
Vector<Scalar> vector_of(const Tensor& tensor) {
  return Eigen::Map<const Vector<double>>(tensor.data.data(), static_cast<Index>(tensor.data.size()))
      .template cast<Scalar>();
}

/// All parameters from tensors of the table's names and shapes, no more and no fewer.
template <typename Scalar>
Vector<Scalar> parameters_of(const ParameterTable& table, const Tensors& tensors) {
  REQUIRE(table.entries().size() == tensors.size());
  Vector<Scalar> result(table.size());
  for (const ParameterInfo& info : table) {
    CAPTURE(info.name);
    REQUIRE(tensors.contains(info.name));
    const Tensor& tensor = tensors.at(info.name);
    REQUIRE(tensor.shape == tensor_of(info, result).shape);
    result.segment(info.offset, info.size()) = vector_of<Scalar>(tensor);
  }
  return result;
}

inline reprise::Windows windows_of(const Tensor& tensor) {
  REQUIRE(tensor.shape.size() == 3);
  const Index count = tensor.shape[0], steps = tensor.shape[1], features = tensor.shape[2];
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> series(tensor.data.data(), count * steps, features);
  return reprise::sliding_windows(series, {.length = steps, .stride = steps});
}

inline Tensor number(double value) { return {{1}, {value}}; }
inline Tensor numbers(const std::vector<double>& values) {
  return {{static_cast<Index>(values.size())}, values};
}

// ---- Comparing ----

/// max |a - b| / max |b|, 0 where both are 0 throughout; infinite where shapes differ or a number is not
/// finite.
inline double deviation(const Tensor& a, const Tensor& b) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (a.shape != b.shape || a.data.size() != b.data.size() || b.data.empty()) return infinity;
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) {
    if (!std::isfinite(a.data[i]) || !std::isfinite(b.data[i])) return infinity;
    difference = test::larger(difference, std::abs(a.data[i] - b.data[i]));
    largest = test::larger(largest, std::abs(b.data[i]));
  }
  return difference == 0 ? 0 : difference / largest;
}

/// A kind of numbers, and how far they may deviate.
struct Kind {
  const char* name;
  double in_double, in_float;
};
inline constexpr Kind outputs{"outputs and losses", 1e-10, 1e-4};
inline constexpr Kind gradients{"gradients", 1e-9, 1e-4};
inline constexpr Kind adam_steps{"steps", 1e-9, 1e-4};
inline constexpr Kind fits{"fits", 1e-8, 1e-3};
inline constexpr Kind direct{"values", 1e-12, 1e-4};  // of a formula or two, without a long sum

/// Compares the tensors of one file, and says at the end how far the worst of each kind deviates.
template <typename Scalar>
class Comparison {
 public:
  explicit Comparison(std::string file) : file_(std::move(file)) {}
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;
  ~Comparison() {
    std::ostringstream text;
    text << file_ << ", " << scalar << ": " << cases_ << " cases, " << skipped_ << " skipped comparisons";
    for (const auto& [kind, worst] : worst_) {
      text << "; " << kind << ": " << worst.tensors << " tensors, worst " << worst.deviation << " ("
           << worst.place << ")";
    }
    MESSAGE(text.str());
  }

  /// Says what of the case cannot be compared.
  void skip(const std::string& what) {
    ++skipped_;
    MESSAGE(file_, ", ", scalar, ", ", case_, ": skipped: ", what);
  }
  void begin(const std::string& name) {
    case_ = name;
    ++cases_;
  }
  void check(const Kind& kind, const std::string& tensor, const Tensor& got, const Tensor& expected) {
    const double tolerance = std::is_same_v<Scalar, float> ? kind.in_float : kind.in_double;
    const double off = deviation(got, expected);
    const std::string place = case_ + ", " + tensor;
    CHECK_MESSAGE(off <= tolerance, file_, ", ", scalar, ", ", place, ": deviates by ", off, ", more than ",
                  tolerance);
    Worst& worst = worst_[kind.name];
    ++worst.tensors;
    if (worst.place.empty() || off > worst.deviation) {
      worst.deviation = off;
      worst.place = place;
    }
  }
  void check(const Kind& kind, const std::string& tensor, double got, double expected) {
    check(kind, tensor, number(got), number(expected));
  }
  /// Every tensor of the table, and that there are no others.
  void check(const Kind& kind, const std::string& what, const ParameterTable& table,
             const Vector<Scalar>& got, const Tensors& expected) {
    CHECK(table.entries().size() == expected.size());
    for (const ParameterInfo& info : table) {
      CAPTURE(info.name);
      REQUIRE(expected.contains(info.name));
      check(kind, what + " " + info.name, tensor_of(info, got), expected.at(info.name));
    }
  }

 private:
  const std::string scalar = std::is_same_v<Scalar, float> ? "float" : "double";
  struct Worst {
    double deviation = 0;
    std::string place;
    int tensors = 0;
  };
  std::string file_, case_;
  int cases_ = 0, skipped_ = 0;
  std::map<std::string, Worst> worst_;
};

/// Those of `wanted` that are not in `seen`.
inline std::string missing(const std::set<std::string>& seen, const std::vector<std::string>& wanted) {
  std::string result;
  for (const std::string& one : wanted) {
    if (!seen.contains(one)) result += (result.empty() ? "" : ", ") + one;
  }
  return result;
}
inline std::vector<std::string> all_activations() {
  return {reprise::detail::activation_names.begin(), reprise::detail::activation_names.end()};
}
inline std::string yes_no(const char* what, bool holds) { return std::string(holds ? "" : "no ") + what; }
inline bool all_zero(const Tensor& tensor) {
  return std::all_of(tensor.data.begin(), tensor.data.end(), [](double value) { return value == 0; });
}

}  // namespace test
