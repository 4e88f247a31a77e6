#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <reprise/core/fields_text.hpp>
#include <reprise/models/autoencoder.hpp>
#include <string>

namespace {

enum class Mood { calm, wild };
constexpr std::array<std::string_view, 2> enumerator_names(Mood) { return {"calm", "wild"}; }

struct Plain {
  static constexpr const char* kind = "Plain";
};
struct Strong {
  static constexpr const char* kind = "Strong";
  double force = 0.5;
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("force", self.force);
  }
};
struct Everything {
  bool flag = true;
  int number = -3;
  std::uint64_t seed = std::numeric_limits<std::uint64_t>::max();
  double real = 0.1;
  Mood mood = Mood::wild;
  std::optional<double> maybe{};
  std::vector<Strong> list{{}, {0.25}};
  std::variant<double, Plain, Strong> choice = Strong{};
  double limit = std::numeric_limits<double>::infinity();
  int later = 0;
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    auto& [flag, number, seed, real, mood, maybe, list, choice, limit, later] = self;
    visit("flag", flag);
    visit("number", number);
    visit("seed", seed);
    visit("real", real);
    visit("mood", mood);
    visit("maybe", maybe);
    visit("list", list);
    visit("choice", choice);
    visit("limit", reprise::detail::or_infinity(limit));
    visit("later", later, 0);
  }
};

}  // namespace

TEST_CASE("options as text: every kind of field, and a later one where it is not at its default") {
  Everything all;
  CHECK(
      reprise::options_text(all) ==
      "{.flag = true, .number = -3, .seed = 18446744073709551615, .real = 0.1, .mood = wild, .maybe = none, "
      ".list = [{.force = 0.5}, {.force = 0.25}], .choice = Strong{.force = 0.5}, .limit = none}");
  all.choice = 3.0;
  all.list.clear();
  all.limit = 2.5;
  all.maybe = 1.0 / 3.0;
  all.later = 7;
  CHECK(reprise::options_text(all) ==
        "{.flag = true, .number = -3, .seed = 18446744073709551615, .real = 0.1, .mood = wild, .maybe = "
        "0.3333333333333333, .list = [], .choice = 3, .limit = 2.5, .later = 7}");
  CHECK(reprise::options_text(Strong{2.0}) == "Strong{.force = 2}");
  all.choice = Plain{};
  CHECK(reprise::options_text(all.choice) == "Plain{}");
}

TEST_CASE("options as text: optimizers, losses and layers as they would stand in a program") {
  using namespace reprise;
  CHECK(
      options_text(Optimizer(Sgd{.learning_rate = 0.1, .momentum = 0.5})) ==
      "Sgd{.convention = keras, .learning_rate = 0.1, .momentum = 0.5, .nesterov = false, .clip = NoClip{}}");
  CHECK(options_text(RmsProp{.learning_rate = ExponentialDecay{1e-2, 3, 0.9}, .clip = ClipNorm{0.7}}) ==
        "RmsProp{.convention = keras, .learning_rate = ExponentialDecay{.initial_learning_rate = 0.01, "
        ".decay_steps = 3, .decay_rate = 0.9, .staircase = false}, .rho = 0.9, .momentum = 0, .epsilon = "
        "1e-07, "
        ".centered = false, .clip = ClipNorm{.norm = 0.7}}");
  CHECK(options_text(Loss(Huber{0.5})) == "Huber{.delta = 0.5}");
  CHECK(options_text(DenseOptions{.units = 2, .activation = activation::relu}) ==
        "Dense{.units = 2, .activation = relu, .use_bias = true, .kernel_initializer = glorot_uniform{.value "
        "= 1}, "
        ".bias_initializer = zeros{.value = 1}}");
  const std::string whole = options_text(AutoencoderOptions{.steps = 4, .encoder = {{.units = 3}}});
  CHECK(whole.find(".steps = 4, .features = 1, .encoder = [") != std::string::npos);
}
