#pragma once

#include "detail/eigen.hpp"
#include "error.hpp"
#include "sequences.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// Parameters of a model, to be read and written where they stand. Nothing can resize them, and assigning
/// values of another size throws `Error`. It is valid as long as the model is neither destroyed, moved nor
/// replaced by another. `Plain` is a matrix or vector that owns its values.
template <typename Plain>
class ParameterMap : public Eigen::Map<Plain> {
 public:
  using Base = Eigen::Map<Plain>;
  using Base::Base;

  ParameterMap(const ParameterMap&) = default;
  ParameterMap& operator=(const ParameterMap& values) { return assign(values); }
  template <typename Derived>
  ParameterMap& operator=(const Eigen::DenseBase<Derived>& values) {
    return assign(values);
  }

 private:
  template <typename Derived>
  ParameterMap& assign(const Eigen::DenseBase<Derived>& values) {
    if (values.rows() != this->rows() || values.cols() != this->cols()) {
      detail::fail("parameters", {this->rows(), " x ", this->cols(), " values"},
                   {values.rows(), " x ", values.cols()});
    }
    Base::operator=(values.derived());
    return *this;
  }
};

}  // namespace REPRISE_ABI
}  // namespace reprise
