#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include <reprise/data/symbol_sessions.hpp>
#include <reprise/data/vocabulary.hpp>
#include <reprise/training/source.hpp>

#include "errors.hpp"

using reprise::Index;
using reprise::Sequences;
using reprise::SessionWeight;
using reprise::SymbolSessions;
using reprise::SymbolWindows;
using reprise::Vocabulary;

namespace {

const std::vector<std::vector<std::string>> words = {
    {"open", "read", "close"}, {}, {"open", "write", "open"}};

}  // namespace

TEST_CASE("vocabulary: symbols have indices in the order in which they came, behind the special ones") {
  const Vocabulary<std::string> vocabulary(words);
  CHECK(vocabulary.size() == 7);
  CHECK(vocabulary.unseen() == 0);
  CHECK(vocabulary.start() == 1);
  CHECK(vocabulary.end() == 2);
  CHECK(vocabulary.index("open") == 3);
  CHECK(vocabulary.index("read") == 4);
  CHECK(vocabulary.index("close") == 5);
  CHECK(vocabulary.index("write") == 6);
  CHECK(vocabulary.index("delete") == vocabulary.unseen());
  CHECK(vocabulary.contains("write"));
  CHECK(!vocabulary.contains("delete"));
  CHECK(vocabulary.symbol(5) == "close");
  CHECK(vocabulary.name(0) == "<unseen>");
  CHECK(vocabulary.name(1) == "<start>");
  CHECK(vocabulary.name(2) == "<end>");
  CHECK(vocabulary.name(6) == "write");
  CHECK(!vocabulary.is_symbol(2));
  CHECK(vocabulary.is_symbol(3));
  CHECK(!vocabulary.is_symbol(7));
  CHECK(vocabulary.encode(std::vector<std::string>{"read", "never"}) == std::vector<Index>{1, 4, 0, 2});
  CHECK(Vocabulary<std::string>(words, {.start = false}).encode(std::vector<std::string>{"open"}) ==
        std::vector<Index>{2, 1});
  CHECK(vocabulary.symbols() == std::vector<std::string>{"open", "read", "close", "write"});
}

TEST_CASE("vocabulary: start, end and padding are there where they are asked for") {
  const std::vector<std::vector<int>> numbers = {{-5, 7}, {7, 900}};
  for (const bool start : {false, true}) {
    for (const bool end : {false, true}) {
      for (const bool padding : {false, true}) {
        const Vocabulary<int> vocabulary(numbers, {.start = start, .end = end, .padding = padding});
        const Index special = 1 + start + end + padding;
        CHECK(vocabulary.size() == 3 + special);
        std::set<Index> indices = {vocabulary.unseen()};
        if (start) indices.insert(vocabulary.start());
        if (end) indices.insert(vocabulary.end());
        if (padding) indices.insert(vocabulary.padding());
        if (padding) CHECK(vocabulary.padding() == 0);
        CHECK(static_cast<Index>(indices.size()) == special);
        CHECK(*indices.rbegin() == special - 1);
        CHECK(vocabulary.index(-5) == special);
        CHECK(vocabulary.name(special) == "-5");
        CHECK(vocabulary.symbol(vocabulary.index(900)) == 900);
      }
    }
  }
  const Vocabulary<int> bare(numbers, {.start = false, .end = false});
  CHECK(test::contains(test::error_of([&] { bare.start(); }), "one with an index for start, got none"));
  CHECK(test::contains(test::error_of([&] { bare.end(); }), "one with an index for end, got none"));
  CHECK(test::contains(test::error_of([&] { bare.padding(); }), "one with an index for padding, got none"));
  CHECK(test::contains(test::error_of([&] { bare.symbol(0); }), "an index from 1 to 3, got 0"));
  CHECK(test::contains(test::error_of([&] { bare.name(4); }), "an index below 4, got 4"));
  CHECK(Vocabulary<int>().size() == 3);
  CHECK(Vocabulary<int>(numbers) == Vocabulary<int>(numbers));
  CHECK(Vocabulary<int>(numbers) != bare);
}

TEST_CASE(
    "symbol sessions: each distinct session is one sample, that asks at each step for the next symbol") {
  const SymbolSessions sessions({{1, 5, 6, 2}, {1, 2}, {1, 5, 6, 2}, {1, 5, 6, 2}, {1, 6, 2}},
                                SessionWeight::count);
  CHECK(sessions.size() == 3);
  CHECK(sessions.distinct() == std::vector<Index>{0, 1, 0, 0, 2});
  CHECK(sessions.input_shape() == reprise::SequenceShape{.steps = 3, .features = 1});
  CHECK(sessions.length(0) == 3);
  CHECK(sessions.length(1) == 1);
  CHECK(sessions.length(2) == 2);
  // 3, 1 and 1, of which the mean over the 3 + 1 + 2 positions is 1.
  CHECK(sessions.weights()[0] == doctest::Approx(3 * 6. / (3 * 3 + 1 + 2)));
  CHECK(sessions.weights()[1] == doctest::Approx(6. / 12));
  CHECK(sessions.weights()[2] == doctest::Approx(6. / 12));
  const SymbolSessions root({{1, 5}, {1, 5}, {1, 5}, {1, 5}, {1, 6}}, SessionWeight::root);
  CHECK(root.weights()[0] == doctest::Approx(2 * root.weights()[1]));
  const SymbolSessions one({{1, 5}, {1, 5}, {1, 6}}, SessionWeight::one);
  CHECK(one.weights() == std::vector<double>{1.0, 1.0});

  const reprise::Source source(sessions.with_steps(4));
  Sequences<double> x(source.input_shape().batch(2)), y(source.target_shape().batch(2));
  x.values().setConstant(77);
  y.values().setConstant(77);
  const std::vector<Index> samples = {2, 0};
  source.gather(std::span<const Index>(samples), x.view(), y.view());
  const double inputs[2][4] = {{1, 6, 0, 0}, {1, 5, 6, 0}}, targets[2][4] = {{6, 2, 0, 0}, {5, 6, 2, 0}};
  for (Index b = 0; b < 2; ++b) {
    for (Index t = 0; t < 4; ++t) {
      CHECK(x(b, t, 0) == inputs[b][t]);
      CHECK(y(b, t, 0) == targets[b][t]);
    }
  }
  CHECK(test::contains(test::error_of([] { SymbolSessions({}); }), "at least one session, got none"));
  CHECK(test::contains(test::error_of([] {
                         SymbolSessions({{1, 2}, {1}});
                       }),
                       "sessions of at least 2 indices, start and end included, got 1 in session 1"));
  CHECK(test::contains(test::error_of([&] { sessions.with_steps(2); }), "at least 3 steps, got 2"));
}

TEST_CASE("symbol windows: distinct windows of up to so many symbols and the next one, none lost") {
  // Windows of 2: (1)5 (1 5)6 (5 6)5 (6 5)6 (5 6)2, and of the other (1)6 (1 6)2.
  const SymbolSessions sessions({{1, 5, 6, 5, 6, 2}, {1, 6, 2}, {1, 6, 2}}, SessionWeight::count);
  const SymbolWindows windows(sessions, 2);
  CHECK(windows.size() == 7);
  CHECK(windows.input_shape() == reprise::SequenceShape{.steps = 2, .features = 1});
  CHECK(windows.target_shape() == reprise::SequenceShape{.steps = 1, .features = 1});
  const reprise::Source source(windows);
  Sequences<float> x(source.input_shape().batch(7)), y(source.target_shape().batch(7));
  const std::vector<Index> samples = {0, 1, 2, 3, 4, 5, 6};
  source.gather(std::span<const Index>(samples), x.view(), y.view());
  const float expected[7][4] = {{1, 0, 5, 1}, {1, 5, 6, 2}, {5, 6, 5, 2}, {6, 5, 6, 2},
                                {5, 6, 2, 2}, {1, 0, 6, 1}, {1, 6, 2, 2}};
  for (Index b = 0; b < 7; ++b) {
    CHECK(x(b, 0, 0) == expected[b][0]);
    CHECK(x(b, 1, 0) == expected[b][1]);
    CHECK(y(b, 0, 0) == expected[b][2]);
    CHECK(source.length(b) == static_cast<Index>(expected[b][3]));
  }
  // The second session came twice.
  CHECK(windows.weights()[5] == doctest::Approx(2 * windows.weights()[0]));
  // Equal windows of several places weigh as much as all of them.
  const SymbolWindows equal(SymbolSessions({{1, 5, 1, 5, 6}}, SessionWeight::one), 1);
  CHECK(equal.size() == 3);
  CHECK(equal.weights()[0] == doctest::Approx(1.5));
  CHECK(equal.weights()[1] == doctest::Approx(0.75));
  CHECK(test::contains(test::error_of([&] { SymbolWindows(sessions, 0); }), "window > 0, got 0"));
}
