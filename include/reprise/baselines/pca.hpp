#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "../core/detail/eigen.hpp"
#include "../core/detail/eigen_eigenvalues.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "../core/windows.hpp"
#include "flat_windows.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct PcaBaselineOptions {
  Index components = 4;
};

/// Windows of T points with F features as vectors x of D = T F values, reconstructed by their projection on
/// the k directions of largest variance: mean + V V^T (x - mean), V the first eigenvectors of the training
/// windows' covariance. What a linear autoencoder with k units at its narrowest can do at best (Baldi and
/// Hornik 1989). Memory D^2 (or n D where there are fewer windows n than D) beside one block of windows, time
/// n D^2 + D^3.
class PcaBaseline {
 public:
  static constexpr const char* name = "PCA of windows";
  explicit PcaBaseline(const PcaBaselineOptions& options = {}) : options_(options) {
    detail::require_positive(options.components, "pca baseline", "components");
  }
  PcaBaseline(const PcaBaseline&) = default;
  PcaBaseline(PcaBaseline&&) noexcept = default;
  /// Where there is no memory for the copy, all stays as it was.
  PcaBaseline& operator=(const PcaBaseline& other) { return *this = PcaBaseline(other); }
  PcaBaseline& operator=(PcaBaseline&&) noexcept = default;
  ~PcaBaseline() = default;

  /// Throws where the windows have fewer values, or are not more, than components.
  void fit(const Windows& windows) {
    const Index D = detail::flat_size(windows), n = windows.size(), k = options_.components;
    if (k > D) {
      detail::fail("pca baseline: fit", {"windows of at least as many values as components, ", k}, {D});
    }
    if (k >= n) {
      detail::fail("pca baseline: fit", {"more windows than components, ", k}, {n});
    }
    Vector<double> mean = detail::mean_window(windows, detail::flat_block);
    Vector<double> variances;
    Matrix<double> directions;
    if (n >= D) {
      Matrix<double> covariance = Matrix<double>::Zero(D, D);
      detail::for_each_flat_block<double>(windows, detail::flat_block, [&](Index, auto& x) {
        x.colwise() -= mean;
        covariance.template selfadjointView<Eigen::Lower>().rankUpdate(x);
      });
      const Eigen::SelfAdjointEigenSolver<Matrix<double>> solver = solve(covariance);
      variances = solver.eigenvalues();
      directions = solver.eigenvectors().rightCols(k).rowwise().reverse();
    } else {
      // X^T X and X X^T share their eigenvalues l > 0; to an eigenvector u of the first belongs X u / sqrt l.
      Matrix<double> x(D, n);
      detail::read_flat<double>(windows, 0, x);
      x.colwise() -= mean;
      const Eigen::SelfAdjointEigenSolver<Matrix<double>> solver = solve(x.transpose() * x);
      variances = solver.eigenvalues();
      directions = x * solver.eigenvectors().rightCols(k).rowwise().reverse();
      for (Index j = 0; j < k; ++j) {
        const double variance = variances(n - 1 - j);
        // A direction in which nothing varies is none; rounding would make one up.
        if (variance > 1e-13 * variances(n - 1)) {
          directions.col(j) /= std::sqrt(variance);
        } else {
          directions.col(j).setZero();
        }
      }
    }
    mean_ = std::move(mean);
    directions_ = std::move(directions);
    shape_ = {.steps = windows.length(), .features = windows.features()};
    const double all = variances.cwiseMax(0.0).sum();
    explained_ = all > 0.0 ? variances.tail(k).cwiseMax(0.0).sum() / all : 1.0;
  }

  /// windows x length x features. Throws before `fit` and where the windows have another shape.
  [[nodiscard]] Sequences<double> reconstruct(const Windows& windows) const {
    detail::require_fitted_to(is_fitted(), shape_, windows, "pca baseline: reconstruct");
    Sequences<double> result(shape_.batch(windows.size()));
    detail::for_each_flat_block<double>(windows, detail::flat_block, [&](Index first, auto& x) {
      x.colwise() -= mean_;
      const Matrix<double> codes = directions_.transpose() * x;
      x.noalias() = directions_ * codes;
      x.colwise() += mean_;
      detail::write_flat(x, first, result);
    });
    return result;
  }

  bool is_fitted() const { return mean_.size() > 0; }
  const PcaBaselineOptions& options() const { return options_; }
  /// Of the training windows' variance, the share that lies along the components.
  double explained_variance() const { return explained_; }
  /// (T F) x components, orthonormal columns; a point's features side by side.
  const Matrix<double>& directions() const { return directions_; }

 private:
  static Eigen::SelfAdjointEigenSolver<Matrix<double>> solve(const Matrix<double>& matrix) {
    if (!detail::all_finite(matrix)) {
      detail::fail("pca baseline: fit", "values whose squares are numbers", "an overflow");
    }
    Eigen::SelfAdjointEigenSolver<Matrix<double>> solver(matrix);
    if (solver.info() != Eigen::Success) {
      detail::fail("pca baseline: fit", "eigenvalues that converge", "some that did not");
    }
    return solver;
  }

  PcaBaselineOptions options_;
  SequenceShape shape_;
  Vector<double> mean_;
  Matrix<double> directions_;
  double explained_ = 0.0;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
