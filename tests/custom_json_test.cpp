#include <doctest/doctest.h>

#include <reprise/io/detail/json_fields.hpp>
#include <string>

#include "errors.hpp"
#include "own_kinds.hpp"

namespace {

using reprise::Registry;
using reprise::detail::from_json;
using reprise::detail::Json;
using reprise::detail::to_json;

const Registry& all_own() {
  static const Registry registry = [] {
    Registry own;
    own.add<reprise::CustomLoss, own::Quantile>()
        .add<reprise::CustomLoss, own::SquaredError>()
        .add<reprise::CustomOptimizer, own::Adam>()
        .add<reprise::CustomSchedule, own::Halving>()
        .add<reprise::CustomActivation, own::SteepTanh>()
        .add<reprise::CustomActivation, own::Arctan>()
        .add<reprise::CustomInitializer, own::Stairs>();
    return own;
  }();
  return registry;
}

template <typename T>
T read(const std::string& text, const Registry& registry) {
  T value{};
  from_json(Json::parse(text), "file", value, registry);
  return value;
}

/// What is written is read back as an equal value by who knows the kind, and refused by who does not.
template <typename T>
void check(const T& value, const std::string& text, const std::string& refusal) {
  CHECK(to_json(value) == text);
  CHECK(read<T>(text, all_own()) == value);
  CHECK(test::error_of([&] { read<T>(text, Registry()); }) == refusal);
}

/// Could be read as the library's.
struct SameName : own::SquaredError {
  static constexpr const char* kind = "MeanAbsoluteError";
};

struct Whole {
  reprise::Index size = 0;
  int shift = 0;
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("size", self.size);
    visit("shift", self.shift);
  }
  friend bool operator==(const Whole&, const Whole&) = default;
};

struct Rate {
  reprise::LearningRate value = 0.1;
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("value", self.value);
  }
  friend bool operator==(const Rate&, const Rate&) = default;
};

}  // namespace

TEST_CASE("own kinds as JSON: written with their fields, read where the registry has them") {
  check(reprise::Loss{own::Quantile{0.25}}, R"({"kind":"Quantile","q":0.25})",
        "file.kind: expected one of the kinds MeanSquaredError, MeanAbsoluteError, Huber, LogCosh, or one of "
        "the registry, got \"Quantile\"");
  check(reprise::Loss{own::SquaredError{}}, R"({"kind":"OwnSquaredError"})",
        "file.kind: expected one of the kinds MeanSquaredError, MeanAbsoluteError, Huber, LogCosh, or one of "
        "the registry, got \"OwnSquaredError\"");
  check(reprise::Optimizer{own::Adam{.learning_rate = 0.5, .clip = reprise::ClipNorm{2.0}}},
        R"({"kind":"OwnAdam","learning_rate":{"kind":"constant","value":0.5},"beta_1":0.9,"beta_2":0.999,)"
        R"("epsilon":1e-07,"clip":{"kind":"ClipNorm","norm":2.0}})",
        "file.kind: expected one of the kinds Adam, AdamW, Sgd, RmsProp, or one of the registry, got "
        "\"OwnAdam\"");
  check(Rate{own::Halving{0.5, 3}}, R"({"value":{"kind":"Halving","first":0.5,"steps":3}})",
        "file.value.kind: expected one of the kinds constant, ExponentialDecay, CosineDecay, or one of the "
        "registry, got \"Halving\"");
  check(reprise::Activation{own::SteepTanh{2.0}}, R"({"kind":"steep_tanh","steepness":2.0})",
        "file.kind: expected a known activation or one of the registry, got \"steep_tanh\"");
  check(reprise::initializer::custom(own::Stairs{0.25}), R"({"kind":"stairs","width":0.25})",
        "file.kind: expected a known initialiser or one of the registry, got \"stairs\"");
}

TEST_CASE("own kinds as JSON: one of ours stays its name, and its initialiser kind and value") {
  CHECK(to_json(reprise::activation::tanh) == R"("tanh")");
  CHECK(read<reprise::Activation>(R"("hard_sigmoid")", Registry()) == reprise::Activation::hard_sigmoid);
  CHECK(test::error_of([] { read<reprise::Activation>(R"("Tanh")", Registry()); }) ==
        "file: expected a known name, got \"Tanh\"");
  CHECK(to_json(reprise::initializer::constant(2.0)) == R"({"kind":"constant","value":2.0})");
  CHECK(read<reprise::Initializer>(R"({"kind":"orthogonal","value":0.5})", Registry()) ==
        reprise::Initializer{reprise::Initializer::Kind::orthogonal, 0.5});
  CHECK(test::error_of([] { read<reprise::Initializer>(R"({"kind":"zeros"})", Registry()); }) ==
        "file: expected a member value, got none");
}

TEST_CASE("own kinds as JSON: what could not be read again is not written") {
  CHECK(read<Whole>(to_json(Whole{3, -4}), Registry()) == Whole{3, -4});
  CHECK(test::contains(test::error_of([] { to_json(Whole{-3, 4}); }), "expected a size or count >= 0"));
  CHECK(test::contains(test::error_of([] { to_json(reprise::Loss{SameName{}}); }),
                       "expected a kind that is none of the library's, got MeanAbsoluteError"));
}

TEST_CASE("own kinds as JSON: options that their type refuses are refused") {
  CHECK(test::contains(test::error_of([] {
                         read<reprise::Activation>(R"({"kind":"steep_tanh","steepness":-1.0})", all_own());
                       }),
                       "steep_tanh: expected steepness > 0"));
  CHECK(
      test::contains(test::error_of([] { read<reprise::Activation>(R"({"kind":"steep_tanh"})", all_own()); }),
                     "a member steepness"));
}
