#include <doctest/doctest.h>

#include <limits>
#include <reprise/evaluation/event_table.hpp>
#include <reprise/evaluation/metrics.hpp>
#include <reprise/thresholds/events.hpp>
#include <string>
#include <vector>

#include "errors.hpp"

namespace {

using namespace reprise;
using doctest::Approx;
using test::contains;
using test::error_of;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

const std::vector<double> scores{1, 4, 2, 4, 3, 5};
const std::vector<int> labels{0, 1, 0, 0, 0, 1};

}  // namespace

TEST_CASE("metrics: a case worked out by hand") {
  // Pairs of an outlier (4, 5) and a normal one (1, 2, 4, 3): 4 beats 3 of 4 and ties one, 5 beats 4.
  CHECK(roc_auc(scores, labels) == Approx(7.5 / 8).epsilon(1e-15));
  // 5: precision 1, recall 1/2; {5, 4, 4}: precision 2/3, recall 1.
  CHECK(average_precision(scores, labels) == Approx(0.5 + 0.5 * 2 / 3).epsilon(1e-15));
  const ConfusionTable table = confusion_table(scores, 3.0, labels);
  CHECK(table == ConfusionTable{2, 1, 3, 0});
  CHECK(table.precision() == Approx(2.0 / 3));
  CHECK(table.recall() == 1);
  CHECK(table.false_alarm_rate() == 0.25);
  CHECK(table.f1() == Approx(0.8));
  CHECK(table.f_beta(2) == Approx(5 * 2.0 / 3 / (4 * 2.0 / 3 + 1)));
  CHECK(confusion_table(scores, 4.0, labels) == ConfusionTable{1, 0, 4, 1});  // 4 is not above 4
  const BestThreshold best = best_f1(scores, labels);
  CHECK(best.threshold == 3);
  CHECK(best.f_beta == Approx(0.8));
  CHECK(best.table == table);
}

TEST_CASE("threshold curve: a point for each score that differs, and its areas are the other metrics") {
  const std::vector<CurvePoint> curve = threshold_curve(scores, labels);
  REQUIRE(curve.size() == 5);  // 5, 4 (twice), 3, 2, 1
  CHECK(curve[0].lowest == 5);
  CHECK(curve[0].table == ConfusionTable{1, 0, 4, 1});
  CHECK(curve[1].lowest == 4);  // both 4s are flagged at once
  CHECK(curve[1].table == ConfusionTable{2, 1, 3, 0});
  CHECK(curve[4].lowest == 1);
  CHECK(curve[4].table == ConfusionTable{2, 4, 0, 0});
  double area = 0.0, false_alarms = 0.0, recall = 0.0;
  for (const CurvePoint& point : curve) {
    area += (point.table.false_alarm_rate() - false_alarms) * (point.table.recall() + recall) / 2;
    false_alarms = point.table.false_alarm_rate();
    recall = point.table.recall();
  }
  CHECK(area == Approx(roc_auc(scores, labels)).epsilon(1e-15));
  CHECK(contains(error_of([] {
                   threshold_curve(std::vector<double>{1, 2}, Labels{0, 0});
                 }),
                 "threshold_curve: expected labels of both classes"));
}

TEST_CASE("metrics: labels come as bools, numbers, spans, arrays") {
  const std::vector<bool> bools{false, true, false, false, false, true};
  const std::vector<unsigned char> bytes{0, 1, 0, 0, 0, 1};
  CHECK(roc_auc(scores, bools) == roc_auc(scores, labels));
  CHECK(roc_auc(scores, bytes) == roc_auc(scores, labels));
  CHECK(roc_auc(scores, std::span<const int>(labels)) == roc_auc(scores, labels));
  CHECK(roc_auc(scores, {0, 1, 0, 0, 0, 1}) == roc_auc(scores, labels));
  CHECK(confusion_table({0, 1, 1}, {1, 1, 0}) == ConfusionTable{1, 1, 0, 1});
  const std::vector<double> numbers{0, 1, 0, 0, 0, 1};
  const std::array<float, 6> floats{0, 1, 0, 0, 0, 1};
  const int array[] = {0, 1, 0, 0, 0, 1};
  CHECK(Labels(numbers) == Labels(bools));
  CHECK(Labels(floats) == Labels(bools));
  CHECK(Labels(array) == Labels(bools));
  CHECK(contains(error_of([] { Labels(std::vector<double>{0, 0.5}); }), "0.5 at index 1"));
  CHECK(contains(error_of([] { Labels({0, 1, 2}); }), "2 at index 2"));
  CHECK(contains(error_of([] { Labels({-1, 1}); }), "-1 at index 0"));
}

TEST_CASE("metrics: no other threshold reaches a larger F_beta and of several the largest is taken") {
  // Flagging {9} or {9, 8, 7, 6}: the same F1 of 2/3... and 8 and 7 are normal.
  const std::vector<double> s{9, 8, 7, 6};
  const std::vector<int> l{1, 0, 0, 1};
  CHECK(confusion_table(s, 8.0, l).f1() == Approx(2.0 / 3));
  CHECK(confusion_table(s, 5.0, l).f1() == Approx(2.0 / 3));
  CHECK(best_f1(s, l).threshold == 8);
  // Best to flag all: just below the smallest, which may be 0.
  const BestThreshold all = best_f1(std::vector<double>{0, 1, 2}, {1, 1, 0});
  CHECK(all.threshold < 0);
  CHECK(all.threshold > -1e-300);
  CHECK(all.f_beta == Approx(0.8));
}

TEST_CASE("metrics: infinity is a score") {
  const std::vector<double> s{0, infinity, 1, infinity};
  CHECK(roc_auc(s, {0, 1, 0, 1}) == 1);
  CHECK(average_precision(s, {0, 1, 0, 1}) == 1);
  CHECK(best_f1(s, {0, 1, 0, 1}).threshold == 1);
}

TEST_CASE("metrics: what cannot be measured has a message each") {
  CHECK(contains(error_of([] { return roc_auc(scores, {0, 0, 0, 0, 0, 0}); }), "normal ones (0) only"));
  CHECK(contains(error_of([] { return roc_auc(scores, {1, 1, 1, 1, 1, 1}); }), "outliers (1) only"));
  CHECK(contains(error_of([] {
                   return average_precision(scores, {0, 0, 0, 0, 0, 0});
                 }),
                 "average_precision"));
  CHECK(contains(error_of([] { return best_f1(scores, {0, 0, 0, 0, 0, 0}); }), "normal ones (0) only"));
  CHECK(contains(error_of([] { return roc_auc({}, Labels{}); }), "none"));
  CHECK(contains(error_of([] { return roc_auc(scores, {0, 1}); }), "a label for each of 6 scores, got 2"));
  CHECK(contains(error_of([] { return confusion_table({0, 1}, {1}); }), "a label for each of 2 decisions"));
  CHECK(contains(error_of([] {
                   return roc_auc(std::vector<double>{1, not_a_number}, {0, 1});
                 }),
                 "nan at index 1"));
  CHECK_THROWS_AS(confusion_table(scores, not_a_number, labels), Error);
  const ConfusionTable no_outliers{0, 2, 3, 0};
  CHECK_THROWS_AS(no_outliers.recall(), Error);
  CHECK_THROWS_AS(no_outliers.f1(), Error);
  CHECK(no_outliers.precision() == 0);
  const ConfusionTable nothing_flagged{0, 0, 3, 2};
  CHECK(nothing_flagged.precision() == 0);
  CHECK(nothing_flagged.f1() == 0);
  const ConfusionTable no_normals{1, 0, 0, 1};
  CHECK_THROWS_AS(no_normals.false_alarm_rate(), Error);
  CHECK_THROWS_AS(nothing_flagged.f_beta(0), Error);
  CHECK_THROWS_AS(nothing_flagged.f_beta(not_a_number), Error);
}

TEST_CASE("metrics: events against labelled ranges") {
  const std::vector<IndexRange> ranges = labelled_ranges({1, 1, 0, 0, 1, 0, 1, 1, 1, 0});
  CHECK(ranges == std::vector<IndexRange>{{0, 2}, {4, 5}, {6, 9}});
  CHECK(labelled_ranges({0, 0}).empty());

  // [1, 3) finds the first range, [5, 6) lies between two, [8, 10) and [7, 8) find the last.
  const std::vector<IndexRange> events{{1, 3}, {5, 6}, {7, 8}, {8, 10}};
  const EventTable table = event_table(events, ranges);
  CHECK(table.ranges == 3);
  CHECK(table.found_ranges == 2);
  CHECK(table.events == 4);
  CHECK(table.false_events == 1);
  CHECK(table.recall() == Approx(2.0 / 3));
  CHECK(table.precision() == 0.75);
  CHECK(table.f1() == Approx(2 * 0.75 * 2 / 3 / (0.75 + 2.0 / 3)));
  // One event over several ranges finds them all.
  CHECK(event_table(std::vector<IndexRange>{{0, 10}}, ranges).found_ranges == 3);

  const auto found = find_events(std::vector<double>{9, 1, 1, 9, 9, 1, 1, 1, 1, 1}, 2.0);
  const EventTable from_scores = event_table(found, Labels{1, 1, 0, 0, 1, 0, 1, 1, 1, 0});
  CHECK(from_scores.found_ranges == 2);
  CHECK(from_scores.false_events == 0);

  const EventTable nothing = event_table(std::vector<Event>{}, ranges);
  CHECK(nothing.precision() == 0);
  CHECK(nothing.f1() == 0);
  CHECK_THROWS_AS(event_table(events, Labels{0, 0}).recall(), Error);
  CHECK_THROWS_AS(event_table(std::vector<IndexRange>{{3, 3}}, ranges), Error);
  CHECK_THROWS_AS(event_table(std::vector<IndexRange>{{3, 5}, {4, 6}}, ranges), Error);
  CHECK_THROWS_AS(event_table(std::vector<IndexRange>{{-1, 2}}, ranges), Error);
}

TEST_CASE("best F-beta: the decisions are those of its threshold, minus infinity among the scores") {
  const auto check = [](const std::vector<double>& tried, const Labels& truth) {
    const BestThreshold best = best_f1(tried, truth);
    CAPTURE(best.threshold);
    CHECK(confusion_table(tried, best.threshold, truth) == best.table);
    CHECK(best.f_beta == best.table.f1());
  };
  check({-2.5, -infinity, -1.0}, {1, 1, 0});
  check({-infinity, -infinity, -infinity}, {1, 1, 0});
  check({-infinity, 1.0, 2.0}, {0, 1, 0});
  check({infinity, infinity, 1.0}, {1, 1, 0});
  check({std::numeric_limits<double>::lowest(), 3.0, 4.0}, {1, 1, 0});
}
