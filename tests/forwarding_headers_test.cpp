#include <doctest/doctest.h>

#include <reprise/outliers/aggregate.hpp>
#include <reprise/outliers/chi_square.hpp>
#include <reprise/outliers/compare_thresholds.hpp>
#include <reprise/outliers/errors.hpp>
#include <reprise/outliers/events.hpp>
#include <reprise/outliers/explain.hpp>
#include <reprise/outliers/f_beta.hpp>
#include <reprise/outliers/generalized_pareto.hpp>
#include <reprise/outliers/in_blocks.hpp>
#include <reprise/outliers/labels.hpp>
#include <reprise/outliers/mahalanobis.hpp>
#include <reprise/outliers/metrics.hpp>
#include <reprise/outliers/outlier_scorer.hpp>
#include <reprise/outliers/p_values.hpp>
#include <reprise/outliers/point_scores.hpp>
#include <reprise/outliers/pot.hpp>
#include <reprise/outliers/scores.hpp>
#include <reprise/outliers/spot.hpp>
#include <reprise/outliers/telemanom.hpp>
#include <reprise/outliers/thresholds.hpp>

// The include paths of version 0.1 give every name that they gave then.
TEST_CASE("forwarding headers: programs written for 0.1 compile") {
  using namespace reprise;
  CHECK(sizeof(Aggregate) > 0);
  CHECK(chi_square_tail(0.0, 1) == 1.0);
  CHECK(sizeof(ThresholdTable) + sizeof(Event) + sizeof(Explanation) + sizeof(EventTable) > 0);
  CHECK(sizeof(WindowArray<float>) + sizeof(PointScoreOptions) + sizeof(WindowGrid) > 0);
  CHECK(Labels{1, 0}.outliers() == 1);
  CHECK(sizeof(threshold::FBeta) + sizeof(threshold::Pot) + sizeof(threshold::Conformal) > 0);
  CHECK(sizeof(PotTail) + sizeof(GeneralizedPareto) + sizeof(PowerMartingale) + sizeof(OnlinePValues) > 0);
  CHECK(!Mahalanobis().is_fitted());
  CHECK(ErrorSign::absolute != ErrorSign::signed_);
  CHECK(best_f1(std::vector<double>{1.0, 2.0}, {0, 1}).f_beta == 1.0);
  CHECK(IndexRange{1, 2} == IndexRange{1, 2});
  CHECK(find_events(std::vector<double>{0.0, 2.0}, 1.0).size() == 1);
  CHECK(OutlierScorer(threshold::manual(1.0)).threshold() == 1.0);
  CHECK(sizeof(ScoreOptions) + sizeof(Spot) + sizeof(Dspot) + sizeof(Telemanom) + sizeof(Verdict) > 0);
  CHECK(sizeof(ConfusionTable) + sizeof(BestThreshold) + sizeof(StreamStep) > 0);
  const std::vector<double> excesses{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  CHECK(fit_generalized_pareto(excesses).scale > 0.0);
}
