#include <doctest/doctest.h>
#include <algorithm>

#include <limits>
#include <reprise/thresholds/events.hpp>
#include <vector>

namespace {

using namespace reprise;

bool same(const Event& a, const Event& b) {
  return a.start == b.start && a.end == b.end && a.peak == b.peak && a.score == b.score;
}

//                                0  1  2  3  4  5  6  7  8  9
const std::vector<double> scores{9, 1, 5, 7, 7, 1, 1, 6, 2, 3};

}  // namespace

TEST_CASE("events: runs above the threshold") {
  const auto events = find_events(scores, 2.0);
  REQUIRE(events.size() == 4);
  CHECK(same(events[0], {.start = 0, .end = 1, .peak = 0, .score = 9}));
  CHECK(same(events[1], {.start = 2, .end = 5, .peak = 3, .score = 7}));  // the first of two peaks
  CHECK(same(events[2], {.start = 7, .end = 8, .peak = 7, .score = 6}));  // 2 is not above 2
  CHECK(same(events[3], {.start = 9, .end = 10, .peak = 9, .score = 3}));
  CHECK(events[1].length() == 3);
  CHECK(find_events(scores, 9.0).empty());
  CHECK(find_events({}, 1.0).empty());
}

TEST_CASE("events: merged across gaps of at most so many points") {
  CHECK(find_events(scores, 2.0, {.max_gap = 0}).size() == 4);
  const auto one = find_events(scores, 2.0, {.max_gap = 1});
  REQUIRE(one.size() == 2);
  CHECK(same(one[0], {.start = 0, .end = 5, .peak = 0, .score = 9}));
  CHECK(same(one[1], {.start = 7, .end = 10, .peak = 7, .score = 6}));
  const auto two = find_events(scores, 2.0, {.max_gap = 2});
  REQUIRE(two.size() == 1);
  CHECK(same(two[0], {.start = 0, .end = 10, .peak = 0, .score = 9}));
  CHECK_THROWS_AS(find_events(scores, 2.0, {.max_gap = -1}), Error);
}

TEST_CASE("events: a gap at the end belongs to no event") {
  const auto events = find_events(std::vector<double>{1, 5, 1, 1}, 2.0, {.max_gap = 3});
  REQUIRE(events.size() == 1);
  CHECK(same(events[0], {.start = 1, .end = 2, .peak = 1, .score = 5}));
}

TEST_CASE("events: from verdicts, in their numbering") {
  OutlierScorer scorer{threshold::manual(2)};
  const auto events = find_events(scorer.score(scores, 100), {.max_gap = 1});
  REQUIRE(events.size() == 2);
  CHECK(same(events[1], {.start = 107, .end = 110, .peak = 107, .score = 6}));

  // Verdicts that were left out count as points between.
  const std::vector<Verdict> few{{.index = 3, .score = 5, .is_outlier = true},
                                 {.index = 6, .score = 8, .is_outlier = true}};
  CHECK(find_events(few, {.max_gap = 1}).size() == 2);
  CHECK(find_events(few, {.max_gap = 2}).size() == 1);
  const std::vector<Verdict> unordered{{.index = 6}, {.index = 3}};
  CHECK_THROWS_AS(find_events(unordered), Error);
  CHECK_THROWS_AS(find_events(std::vector<double>{1, std::numeric_limits<double>::quiet_NaN()}, 2.0), Error);
}

TEST_CASE("events: k of n") {
  //                               0  1  2  3  4  5  6  7  8  9 10 11
  const std::vector<double> values{9, 0, 0, 0, 9, 0, 9, 0, 0, 0, 0, 9};
  // Only 4 and 6 have 2 among 3.
  const auto events = find_events(values, 2.0, {.max_gap = 1, .required = 2, .among = 3});
  REQUIRE(events.size() == 1);
  CHECK(same(events[0], {.start = 4, .end = 7, .peak = 4, .score = 9}));
  CHECK(find_events(values, 2.0, {.required = 2, .among = 2}).empty());
  CHECK(find_events(values, 2.0, {.required = 2, .among = 5}).size() == 3);  // 0, 4 and 6
  CHECK(find_events(values, 2.0, {.required = 1, .among = 7}).size() == 4);
  CHECK(find_events(values, 2.0, {.required = 4, .among = 12}).size() == 4);
  CHECK(find_events(values, 2.0, {.required = 5, .among = 12}).empty());
}

TEST_CASE("events: shorter ones are dropped, gaps inside count") {
  const auto events = find_events(scores, 2.0, {.min_length = 2});
  REQUIRE(events.size() == 1);
  CHECK(same(events[0], {.start = 2, .end = 5, .peak = 3, .score = 7}));
  CHECK(find_events(scores, 2.0, {.max_gap = 1, .min_length = 3}).size() == 2);
  CHECK(find_events(scores, 2.0, {.min_length = 4}).empty());
}

TEST_CASE("events: a cool-down ignores outliers, and an event that outlasts it starts behind it") {
  //                               0  1  2  3  4  5  6  7
  const std::vector<double> values{9, 0, 8, 0, 5, 6, 7, 0};
  const auto two = find_events(values, 2.0, {.cool_down = 4});  // 1 to 4 are ignored
  REQUIRE(two.size() == 2);
  CHECK(same(two[0], {.start = 0, .end = 1, .peak = 0, .score = 9}));
  CHECK(same(two[1], {.start = 5, .end = 7, .peak = 6, .score = 7}));
  CHECK(find_events(values, 2.0, {.cool_down = 1}).size() == 3);
  CHECK(find_events(values, 2.0, {.cool_down = 6}).size() == 1);
  // What was too short starts no cool-down.
  CHECK(find_events(values, 2.0, {.min_length = 2, .cool_down = 6}).front().start == 4);
}

TEST_CASE("events: the p-value of the peak") {
  const std::vector<double> p{.1, .9, .5, .3, .2, .9, .9, .4, .8, .7};
  const auto events = find_events(scores, 2.0, {}, p);
  REQUIRE(events.size() == 4);
  CHECK(events[0].p_value == .1);
  CHECK(events[1].p_value == .3);  // the peak is at 3
  CHECK_FALSE(find_events(scores, 2.0).front().p_value.has_value());
  CHECK_THROWS_AS(find_events(scores, 2.0, {}, std::vector<double>{.1}), Error);
}

TEST_CASE("events: options that make no sense") {
  CHECK_THROWS_AS(find_events(scores, 2.0, {.required = 0}), Error);
  CHECK_THROWS_AS(find_events(scores, 2.0, {.required = 3, .among = 2}), Error);
  CHECK_THROWS_AS(find_events(scores, 2.0, {.min_length = 0}), Error);
  CHECK_THROWS_AS(find_events(scores, 2.0, {.cool_down = -1}), Error);
}

TEST_CASE("events: what a cool-down leaves of an event is as long as asked for, or nothing") {
  std::vector<double> two_bursts(40, 0.0);
  std::fill(two_bursts.begin(), two_bursts.begin() + 6, 5.0);
  std::fill(two_bursts.begin() + 8, two_bursts.begin() + 14, 6.0);
  CHECK(find_events(two_bursts, 2.0, {.min_length = 5, .cool_down = 7}).size() == 1);
  CHECK(find_events(two_bursts, 2.0, {.min_length = 5, .cool_down = 3}).size() == 2);
  CHECK(find_events(two_bursts, 2.0, {.min_length = 1, .cool_down = 7}).at(1).length() == 1);
}
