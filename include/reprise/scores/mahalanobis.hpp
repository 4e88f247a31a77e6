#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "../core/detail/eigen.hpp"
#include "../core/detail/eigen_cholesky.hpp"
#include "../core/fields.hpp"
#include "../core/finite.hpp"
#include "../core/sequences.hpp"
#include "chi_square.hpp"
#include "error_vectors.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

struct MahalanobisOptions {
  /// Added to each variance: ridge * I, in units of a squared error.
  double ridge = 0.0;
  /// The covariance moves this share of the way towards the mean variance times I (Ledoit and Wolf); in [0,
  /// 1].
  double shrinkage = 0.0;
};

/// All of a `Mahalanobis`, to be kept and made again; no mean and no covariance before `fit`.
struct MahalanobisState {
  MahalanobisOptions options{};
  std::vector<double> mean;
  /// With ridge and shrinkage, row by row.
  std::vector<std::vector<double>> covariance;

  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [options, mean, covariance] = self;
    visit("ridge", options.ridge);
    visit("shrinkage", options.shrinkage);
    visit("mean", mean);
    visit("covariance", covariance);
  }
};

/// The score of EncDec-AD (Malhotra et al. 2016, arXiv 1607.00148) for an error vector e of m features:
///   a = (e - mu)^T Sigma^-1 (e - mu), mu and Sigma by maximum likelihood of calibration error vectors.
/// The paper's errors are absolute, |x - y|, and give no p-value by formula; with signed errors, x - y, a is
/// about chi-squared with m degrees of freedom where errors are normal (`p_values`). `error_vectors` and
/// `point_error_vectors` give both. With absolute errors, one smaller than usual scores high too.
class Mahalanobis {
 public:
  explicit Mahalanobis(const MahalanobisOptions& options = {}) : options_(options) {
    if (!(detail::is_finite(options.ridge) && options.ridge >= 0.0)) {
      detail::fail("mahalanobis", "a finite ridge >= 0", {options.ridge});
    }
    if (!(detail::is_finite(options.shrinkage) && options.shrinkage >= 0.0 && options.shrinkage <= 1.0)) {
      detail::fail("mahalanobis", "a shrinkage in [0, 1]", {options.shrinkage});
    }
  }
  Mahalanobis(const Mahalanobis&) = default;
  Mahalanobis(Mahalanobis&&) noexcept = default;
  /// Where there is no memory for the copy, all stays as it was.
  Mahalanobis& operator=(const Mahalanobis& other) { return *this = Mahalanobis(other); }
  Mahalanobis& operator=(Mahalanobis&&) noexcept = default;
  ~Mahalanobis() = default;

  /// A row for each calibration point, a column for each feature. Throws, and stays as it was, on NaN or
  /// infinity and where the covariance is singular.
  void fit(const Eigen::Ref<const Matrix<double>>& errors) {
    if (errors.rows() < 2 || errors.cols() < 1) {
      detail::fail("mahalanobis: fit", "at least 2 error vectors of at least 1 feature",
                   {errors.rows(), " of ", errors.cols()});
    }
    require_finite(errors, "mahalanobis: fit");
    const Vector<double> mean = errors.colwise().mean().transpose();
    Matrix<double> centered = errors.rowwise() - mean.transpose();
    for (Index j = 0; j < errors.cols(); ++j) {
      // Rounding of the mean is no variance.
      if (errors.col(j).minCoeff() == errors.col(j).maxCoeff()) centered.col(j).setZero();
    }
    Matrix<double> covariance = centered.transpose() * centered / static_cast<double>(errors.rows());
    const double variance = covariance.trace() / static_cast<double>(errors.cols());
    covariance *= 1.0 - options_.shrinkage;
    covariance.diagonal().array() += options_.shrinkage * variance + options_.ridge;
    if (!detail::all_finite(covariance))
      detail::fail("mahalanobis: fit", "errors whose squares are numbers", "an overflow");
    set(mean, covariance, ", over " + std::to_string(errors.rows()) + " error vectors");
  }

  /// From what `mean` and `covariance` of a fitted scorer gave; the same bits. Throws as `fit`.
  static Mahalanobis from_moments(const MahalanobisOptions& options, const Vector<double>& mean,
                                  const Matrix<double>& covariance) {
    Mahalanobis result(options);
    if (mean.size() < 1 || covariance.rows() != mean.size() || covariance.cols() != mean.size()) {
      detail::fail("mahalanobis: from_moments", "a mean of m features and a covariance m x m",
                   {mean.size(), " and ", covariance.rows(), " x ", covariance.cols()});
    }
    if (!detail::all_finite(mean) || !detail::all_finite(covariance) ||
        covariance != covariance.transpose()) {
      detail::fail("mahalanobis: from_moments", "finite numbers and a symmetric covariance", "others");
    }
    result.set(mean, covariance, "");
    return result;
  }
  /// One score for each row.
  [[nodiscard]] std::vector<double> scores(const Eigen::Ref<const Matrix<double>>& errors) const {
    const Matrix<double> centered = center(errors, "mahalanobis: scores");
    // |L^-1 (e - mu)|^2, which cannot become negative.
    const Matrix<double> whitened = factor_.matrixL().solve(centered.transpose());
    const Vector<double> squares = whitened.colwise().squaredNorm().transpose();
    return {squares.data(), squares.data() + squares.size()};
  }
  /// P(A > a) of each row's score, A chi-squared with m degrees of freedom. An approximation for signed
  /// errors alone: it takes errors for normal, and mu and Sigma for the true ones, of which a fit to n rows
  /// is 1/n off. Small values are the least to be trusted; conformal p-values assume neither.
  [[nodiscard]] std::vector<double> p_values(const Eigen::Ref<const Matrix<double>>& signed_errors) const {
    std::vector<double> result = scores(signed_errors);
    for (double& value : result) value = chi_square_tail(value, mean_.size());
    return result;
  }
  /// Each feature's part of each row's score, (e - mu)_j [Sigma^-1 (e - mu)]_j: they sum to the score, and
  /// one may be negative, where a feature makes the others' errors less strange.
  [[nodiscard]] Matrix<double> decompose(const Eigen::Ref<const Matrix<double>>& errors) const {
    const Matrix<double> centered = center(errors, "mahalanobis: decompose");
    const Matrix<double> solved = factor_.solve(centered.transpose()).transpose();
    return centered.cwiseProduct(solved);
  }

  /// All that it knows, for a file; `from_state` makes the same scorer of it.
  MahalanobisState state() const {
    MahalanobisState state{options_, {mean_.begin(), mean_.end()}, {}};
    for (const auto row : covariance_.rowwise()) state.covariance.emplace_back(row.begin(), row.end());
    return state;
  }
  static Mahalanobis from_state(const MahalanobisState& state) {
    const auto m = static_cast<Index>(state.mean.size());
    Matrix<double> covariance(m, m);
    bool is_square = state.covariance.size() == state.mean.size();
    for (std::size_t i = 0; is_square && i < state.mean.size(); ++i) {
      const std::vector<double>& row = state.covariance[i];
      is_square = row.size() == state.mean.size();
      if (is_square)
        covariance.row(static_cast<Index>(i)) = Eigen::Map<const Eigen::RowVectorXd>(row.data(), m);
    }
    if (!is_square)
      detail::fail("mahalanobis: from_state", {m, " x ", m, " numbers of covariance"}, "others");
    if (m == 0) return Mahalanobis(state.options);
    return from_moments(state.options, Eigen::Map<const Vector<double>>(state.mean.data(), m), covariance);
  }

  [[nodiscard]] bool is_fitted() const { return mean_.size() > 0; }
  const MahalanobisOptions& options() const { return options_; }
  const Vector<double>& mean() const { return mean_; }
  /// With ridge and shrinkage.
  const Matrix<double>& covariance() const { return covariance_; }

 private:
  [[noreturn]] static void refuse_singular(const std::string& reason) {
    detail::fail("mahalanobis: fit", "a covariance that is not singular (or a ridge, or shrinkage)", reason);
  }
  void set(const Vector<double>& mean, const Matrix<double>& covariance, const std::string& made_of) {
    for (Index j = 0; j < covariance.cols(); ++j) {
      if (covariance(j, j) <= 0.0) refuse_singular("no variance in feature " + std::to_string(j) + made_of);
    }
    Eigen::LLT<Matrix<double>> factor(covariance);
    // The square of a pivot is what of the variance the features before it leave unexplained.
    const Vector<double> pivots = factor.matrixLLT().diagonal();
    if (factor.info() != Eigen::Success || !detail::all_finite(pivots) ||
        (pivots.array().square() <= 1e-13 * covariance.diagonal().array()).any()) {
      refuse_singular("features that are combinations of others" + made_of);
    }
    Vector<double> own_mean = mean;
    // The factor is of this half; a product's two halves may differ in the last bit.
    Matrix<double> symmetric = covariance.selfadjointView<Eigen::Lower>();
    // Nothing can fail any more.
    mean_ = std::move(own_mean);
    covariance_ = std::move(symmetric);
    factor_ = std::move(factor);
  }
  static void require_finite(const Eigen::Ref<const Matrix<double>>& errors, const std::string& place) {
    if (detail::all_finite(errors)) return;
    for (Index i = 0; i < errors.rows(); ++i) {
      for (Index j = 0; j < errors.cols(); ++j) {
        if (!detail::is_finite(errors(i, j))) {
          detail::fail(place, "finite errors", {errors(i, j), " at row ", i, ", feature ", j});
        }
      }
    }
  }
  Matrix<double> center(const Eigen::Ref<const Matrix<double>>& errors, const std::string& place) const {
    if (!is_fitted()) detail::fail(place, "fit() before it", "a scorer that was not fitted");
    if (errors.cols() != mean_.size()) {
      detail::fail(place, {mean_.size(), " features"}, {errors.cols()});
    }
    require_finite(errors, place);
    return errors.rowwise() - mean_.transpose();
  }

  MahalanobisOptions options_;
  Vector<double> mean_;
  Matrix<double> covariance_;
  Eigen::LLT<Matrix<double>> factor_;
};

}  // namespace REPRISE_ABI
}  // namespace reprise
