// How far to shrink the covariance of the errors, without the beats to judge: clusters of all normal beats
// are left out of the training one after the other and then looked for among beats of the others that were
// not trained on, which are of the 700 held out for thresholds. Writes ecg5000_study.jsonl: for each
// shrinkage the mean ROC-AUC over the clusters, of the three networks together, for one seed.

#include <Eigen/Core>
#include <iostream>
#include <limits>

#include "ecg5000.hpp"

namespace {

using namespace ecg5000;
using Points = reprise::Matrix<float>;  // 140 x beats

constexpr Index cluster_count = 8;

Points points_of(const Windows& beats) {
  Points points(beat_length, beats.size());
  for (Index b = 0; b < beats.size(); ++b) {
    for (Index t = 0; t < beat_length; ++t) points(t, b) = static_cast<float>(beats(b, t, 0));
  }
  return points;
}

/// k-means: the cluster of each beat. The first centres are each the beat farthest from those before it.
std::vector<Index> clusters_of(const Points& points) {
  Points centres(beat_length, cluster_count);
  Eigen::VectorXf nearest = (points.colwise() - points.rowwise().mean()).colwise().squaredNorm();
  for (Index c = 0; c < cluster_count; ++c) {
    Index farthest = 0;
    nearest.maxCoeff(&farthest);
    centres.col(c) = points.col(farthest);
    const Eigen::VectorXf distance = (points.colwise() - centres.col(c)).colwise().squaredNorm();
    nearest = c == 0 ? distance : nearest.cwiseMin(distance).eval();
  }
  std::vector<Index> cluster(static_cast<std::size_t>(points.cols()), 0);
  for (int round = 0; round < 100; ++round) {
    Points sums = Points::Zero(beat_length, cluster_count);
    Eigen::VectorXf sizes = Eigen::VectorXf::Zero(cluster_count);
    for (Index b = 0; b < points.cols(); ++b) {
      Index& own = cluster[static_cast<std::size_t>(b)];
      (centres.colwise() - points.col(b)).colwise().squaredNorm().minCoeff(&own);
      sums.col(own) += points.col(b);
      sizes(own) += 1.0F;
    }
    for (Index c = 0; c < cluster_count; ++c) {
      if (sizes(c) > 0.0F) centres.col(c) = sums.col(c) / sizes(c);
    }
  }
  return cluster;
}

/// The beats [first, end) of this cluster, or of all others.
Windows select(const Points& points, const std::vector<Index>& cluster, Index first, Index end, Index which,
               bool others) {
  std::vector<float> values;
  for (Index b = first; b < end; ++b) {
    if ((cluster[static_cast<std::size_t>(b)] == which) == others) continue;
    values.insert(values.end(), points.col(b).begin(), points.col(b).end());
  }
  return reprise::sliding_windows(std::move(values), {.length = beat_length, .stride = beat_length});
}

void run(const Options& options) {
  const Points points = points_of(read_beats(options.data / "normal_train.csv"));
  const std::vector<Index> cluster = clusters_of(points);
  const Index train = points.cols() - calibration_beats;
  const std::vector<double> shrinkages{0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0};
  std::vector<double> sums(shrinkages.size(), 0.0);
  for (Index c = 0; c < cluster_count; ++c) {
    const Windows held_out = select(points, cluster, train, points.cols(), c, true);
    const Beats beats{select(points, cluster, 0, train, c, true), held_out, held_out,
                      select(points, cluster, 0, points.cols(), c, false)};
    Networks networks;
    networks.fit(beats.train, 1, options);
    for (std::size_t s = 0; s < shrinkages.size(); ++s) {
      networks.fit_distances(shrinkages[s]);
      const Scores scores = beats.scores([&](const Windows& windows) { return networks.scores(windows); });
      const double auc = reprise::roc_auc(both(scores), labels(scores));
      sums[s] += auc / static_cast<double>(cluster_count);
      std::cout << "cluster " << c << " of " << beats.abnormal.size() << " beats, shrinkage " << shrinkages[s]
                << ": ROC-AUC " << auc << std::endl;
    }
  }
  std::ofstream file = open_file(options.output, "ecg5000_study.jsonl");
  for (std::size_t s = 0; s < shrinkages.size(); ++s) {
    file << Json()("shrinkage", shrinkages[s])("roc_auc", sums[s]).line();
  }
}

}  // namespace

int main(int count, char** arguments) try {
  run(parse(count, arguments));
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
