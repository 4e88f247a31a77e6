// Wrote the files of this folder, compiled against release 0.1.0 (commit 142d1ee), and what they must read
// as, in expected.json. Kept to show how they came to be; they are not to be written again.
//
//     git worktree add old 142d1ee
//     g++ -std=c++20 -Iold/include -isystem /usr/include/eigen3 write.cpp -o write -pthread && ./write .
#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <reprise/io/outliers_json.hpp>
#include <reprise/io/safetensors.hpp>
using namespace reprise;
namespace {
std::string out;
nlohmann::ordered_json expected;

Windows some_windows() {
  std::vector<double> series;
  for (int t = 0; t < 60; ++t) series.push_back(std::sin(0.7 * t) + 0.1 * (t % 5));
  return sliding_windows(series, {.length = 4});
}
template <typename Scalar>
void keep(const std::string& name, Autoencoder<Scalar>& model, const Optimizer& optimizer, bool state) {
  if (state || optimizer != Optimizer(Adam{})) {
    FitOptions o{.epochs = 2, .batch_size = 16, .optimizer = optimizer, .seed = 7};
    o.callbacks = {[](TrainingEvent& event) {
      if (event.stage == TrainingStage::epoch_end) event.scale_learning_rate(0.7);
    }};
    model.fit(some_windows(), o);
  }
  save(model, out + "/" + name, {.optimizer_state = state});
  auto& e = expected[name];
  // what it must read as: the loss of reconstructions, all weights, and the loss of one more epoch
  e["scalar"] = sizeof(Scalar) == 4 ? "float" : "double";
  e["weights"] = std::vector<double>(model.weights().begin(), model.weights().end());
  e["evaluate"] = model.evaluate(some_windows());
  if (state) {
    e["step"] = model.training_state().moments.step;
    e["epochs"] = model.training_state().epochs;
    e["learning_rate_scale"] = model.training_state().learning_rate_scale;
    Autoencoder<Scalar> more = model;
    e["next_loss"] =
        more.fit(some_windows(), {.epochs = 1, .batch_size = 16, .optimizer = optimizer, .seed = 7}).loss[0];
  }
}
}  // namespace
int main(int, char** argv) {
  out = argv[1];
  AutoencoderOptions plain{.steps = 4, .features = 1, .encoder = {{.units = 2}}, .decoder = {{.units = 2}}};
  {
    Autoencoder<float> m(plain);
    keep("float_trained.safetensors", m,
         AdamW{.learning_rate = CosineDecay{.initial_learning_rate = 1e-3,
                                            .decay_steps = 40,
                                            .alpha = 0.1,
                                            .warmup_target = 1e-2,
                                            .warmup_steps = 10},
               .clip = GlobalClipNorm{0.1}},
         true);
  }
  {
    Autoencoder<double> m(plain);
    keep("double_trained.safetensors", m,
         RmsProp{
             .learning_rate =
                 ExponentialDecay{
                     .initial_learning_rate = 1e-2, .decay_steps = 3, .decay_rate = 0.9, .staircase = true},
             .momentum = 0.5,
             .centered = true},
         true);
  }
  {
    Autoencoder<double> m(plain);
    keep("double_sgd.safetensors", m,
         Sgd{.convention = Convention::pytorch, .momentum = 0.9, .nesterov = true, .clip = ClipNorm{0.7}},
         true);
  }
  AutoencoderOptions every{.steps = 4, .features = 1};
  every.encoder = {{.units = 2,
                    .activation = activation::softsign,
                    .recurrent_activation = activation::hard_sigmoid,
                    .use_bias = false,
                    .dropout = 1.0 / 3.0,
                    .kernel_initializer = initializer::he_normal,
                    .recurrent_initializer = {Initializer::Kind::orthogonal, 0.1 + 0.2}},
                   {.units = 3,
                    .go_backwards = true,
                    .recurrent_dropout = 0.125,
                    .kernel_initializer = initializer::lecun_uniform}};
  every.decoder = {{.units = 2,
                    .activation = activation::elu,
                    .unit_forget_bias = false,
                    .bias_initializer = initializer::constant(-1e-300)}};
  every.output_activation = activation::leaky_relu;
  every.seed = ~std::uint64_t{0};
  {
    Autoencoder<float> m(every);
    keep("float_untrained.safetensors", m, Adam{}, false);
  }
  {
    Autoencoder<double> m(every);
    keep("double_every_option.safetensors", m,
         Adam{.convention = Convention::pytorch, .weight_decay = 1e-4, .clip = ClipValue{0.3}}, true);
  }
  auto decoder = [&](const char* name, DecoderInput input, DecoderState state, bool reversed) {
    AutoencoderOptions o = plain;
    o.decoder_input = input;
    o.decoder_state = state;
    o.reverse_decoder = reversed;
    Autoencoder<double> m(o);
    keep(name, m, Sgd{}, false);
  };
  decoder("decoder_zeros.safetensors", DecoderInput::zeros, DecoderState::encoder, false);
  decoder("decoder_previous_value.safetensors", DecoderInput::previous_value, DecoderState::encoder, true);
  decoder("decoder_repeated_code_and_state.safetensors", DecoderInput::repeated_code, DecoderState::encoder,
          false);

  std::vector<double> scores;
  for (int i = 1; i <= 60; ++i) scores.push_back(std::pow(-std::log(i / 61.0), 1.3) / 7);
  auto json = [&](const std::string& name, const auto& value) { save(value, out + "/" + name); };
  std::vector<Threshold> rules = {threshold::manual(-0.1),
                                  threshold::quantile(0.9),
                                  threshold::standard_deviations(3),
                                  threshold::mad(1.0 / 3),
                                  threshold::iqr(1.5),
                                  threshold::factor(1.1, threshold::Statistic::max),
                                  threshold::factor(1.1, threshold::Statistic::mean),
                                  threshold::factor(1.1, threshold::Statistic::median),
                                  threshold::max_factor(1.2),
                                  threshold::f_beta(0.5, {0.1, 0.2, 0.7, 0.3}, {0, 0, 1, 1}),
                                  threshold::pot(1e-2, 0.8),
                                  threshold::conformal(0.1)};
  int n = 0;
  for (auto& r : rules) {
    const std::string name = "threshold_" + std::to_string(n++) + "_" + std::string(r.name()) + ".json";
    json(name, r);
    expected[name] = {{"description", r.description()}, {"fit", r.fit(scores)}};
  }
  OutlierScorer scorer{threshold::pot(1e-2, 0.8)};
  json("outlier_scorer_uncalibrated.json", scorer);
  scorer.calibrate(scores);
  json("outlier_scorer.json", scorer);
  expected["outlier_scorer.json"] = {{"threshold", scorer.threshold()}, {"scores", scores}};
  Matrix<double> errors(20, 2);
  for (Index t = 0; t < 20; ++t) {
    errors(t, 0) = std::sin(3.0 * t);
    errors(t, 1) = std::cos(7.0 * t * t) + 0.5 * errors(t, 0);
  }
  Mahalanobis mahalanobis({.ridge = 0.1, .shrinkage = 0.2});
  json("mahalanobis_unfitted.json", mahalanobis);
  mahalanobis.fit(errors);
  json("mahalanobis.json", mahalanobis);
  const auto ms = mahalanobis.scores(errors);
  expected["mahalanobis.json"] = {{"scores", std::vector<double>(ms.begin(), ms.end())}};
  auto stream = [&](const std::string& name, auto rule) {
    for (int i = 0; i < 40; ++i) rule.step(0.3 + 0.5 * std::sin(0.9 * i));
    json(name, rule);
    std::vector<double> thresholds;
    for (int i = 0; i < 20; ++i) thresholds.push_back(rule.step(0.4 + 0.6 * std::sin(1.1 * i)).threshold);
    expected[name] = {{"thresholds", thresholds}};
  };
  SpotOptions so{.risk = 1e-3, .level = 0.8, .max_excess = 20, .refit_every = 3};
  stream("spot.json", Spot(scores, so));
  so.correct_truncation = true;
  stream("spot_corrected.json", Spot(scores, so));
  stream("dspot.json", Dspot(scores, {.depth = 5, .spot = so}));
  std::ofstream(out + "/expected.json") << expected.dump() << '\n';
}
