// What a program writes itself, with nothing but the installed headers: a layer, a loss, an optimizer, an
// activation and a callback. A chain and an autoencoder of them are trained, saved, loaded and trained on, to
// the same bits as in one go; without a registry their files are refused by name.
#include <cmath>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <reprise/io/safetensors.hpp>
#include <reprise/reprise.hpp>

namespace {

using reprise::Index;

/// y = x / size, for inputs that are all of one size.
template <typename Scalar>
struct Divide : reprise::LayerDefaults<Scalar> {
  using Input = reprise::SequenceView<const Scalar>;
  using Output = reprise::SequenceView<Scalar>;
  using Call = reprise::LayerCall<Scalar>;
  static constexpr const char* kind = "Divide";
  double size = 1.0;

  const char* name() const { return "Divide"; }
  void forward(Input x, Output y, const Call&) const {
    for (Index i = 0; i < x.size(); ++i) y.data[i] = x.data[i] / static_cast<Scalar>(size);
  }
  void backward(Input, Input, Input dy, Output dx, const Call&) const {
    for (Index i = 0; i < dx.size(); ++i) dx.data[i] = dy.data[i] / static_cast<Scalar>(size);
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("size", self.size);
  }
};

/// The distance, whose gradient has length 1 wherever the prediction is.
struct Distance {
  static constexpr const char* kind = "Distance";
  template <typename Scalar>
  double operator()(std::span<const Scalar> prediction, std::span<const Scalar> target,
                    std::span<Scalar> gradient) const {
    double squares = 1e-12;
    for (std::size_t i = 0; i < prediction.size(); ++i) {
      const double e = static_cast<double>(prediction[i]) - static_cast<double>(target[i]);
      squares += e * e;
    }
    const double distance = std::sqrt(squares);
    for (std::size_t i = 0; i < gradient.size(); ++i)
      gradient[i] = (prediction[i] - target[i]) / static_cast<Scalar>(distance);
    return distance;
  }
};

/// Steps of one size, against the sign of the mean gradient.
struct SignMomentum {
  static constexpr const char* kind = "SignMomentum";
  static constexpr int moments = 1;
  reprise::LearningRate learning_rate = 2e-3;
  double beta = 0.9;
  template <typename Scalar>
  void operator()(const reprise::ParameterUpdate<Scalar>& update) const {
    const auto rate = static_cast<Scalar>(update.learning_rate), share = static_cast<Scalar>(1.0 - beta);
    const std::span<Scalar> m = update.moment(0);
    for (std::size_t i = 0; i < m.size(); ++i) {
      m[i] += share * (update.gradient[i] - m[i]);
      update.parameters[i] -= m[i] > 0 ? rate : m[i] < 0 ? -rate : 0;
    }
  }
  template <typename Self, typename Visit>
  static void each_field(Self& self, const Visit& visit) {
    visit("learning_rate", self.learning_rate);
    visit("beta", self.beta);
  }
};

struct Arctan {
  static constexpr const char* kind = "arctan";
  template <typename Scalar>
  Scalar value(Scalar x) const {
    return std::atan(x);
  }
  template <typename Scalar>
  Scalar derivative(Scalar y) const {
    return std::cos(y) * std::cos(y);
  }
};

int failures = 0;

void check(bool good, const char* what) {
  if (good) return;
  std::cerr << "failed: " << what << '\n';
  ++failures;
}

reprise::Windows windows() {
  std::vector<float> series;
  for (int t = 0; t < 200; ++t) series.push_back(5.0f * std::sin(0.4f * static_cast<float>(t)));
  return reprise::sliding_windows(series, {.length = 8});
}

reprise::FitOptions options(Index epochs) {
  return {
      .epochs = epochs, .optimizer = SignMomentum{.learning_rate = 1e-2, .beta = 0.8}, .loss = Distance{}};
}

template <typename Load>
void check_refused(const Load& load, const std::string& name) {
  try {
    load();
    check(false, "a file of an unknown kind is refused");
  } catch (const reprise::FileError& error) {
    check(std::string(error.what()).find(name) != std::string::npos, "an unknown kind is named");
  }
}

/// Trains 12 epochs in one go, and in two parts with a file between them.
template <typename Model, typename Fit, typename Weights>
void check_through_file(const Model& start, const reprise::Registry& registry, const std::string& unknown,
                        const Fit& fit, const Weights& weights) {
  const std::string file = "consumer_own.safetensors";
  Model whole = start, first = start;
  const reprise::History history = fit(whole, 12);
  check(history.loss.back() < 0.7 * history.loss.front(), "own kinds learn");
  fit(first, 5);
  reprise::save(first, file);
  check_refused([&] { reprise::load<Model>(file); }, unknown);
  Model second = reprise::load<Model>(file, registry);
  std::filesystem::remove(file);
  fit(second, 7);
  check(weights(second) == weights(whole), "saved, loaded and trained on");
}

}  // namespace

int main() {
  reprise::Registry registry;
  registry.add<reprise::AnyLayer<float>, Divide<float>>();
  registry.add<reprise::CustomOptimizer, SignMomentum>().add<reprise::CustomActivation, Arctan>();

  reprise::Sequential<float> network({.steps = 8, .features = 1});
  network.add("divide", Divide<float>{{}, 5.0});
  network.add("lstm",
              reprise::Lstm<float>(1, {.units = 8, .activation = Arctan{}, .return_sequences = true}));
  network.add("output", reprise::Dense<float>(8, {.units = 1}));
  reprise::Chain<float> chain{network, reprise::Vector<float>(network.parameters().size())};
  network.initialize(chain.parameters.data(), 1);
  check_through_file(
      chain, registry, "Divide",
      [](reprise::Chain<float>& model, Index epochs) {
        return reprise::Trainer<float>(model.network, model.parameters, model.training)
            .fit(windows(), options(epochs));
      },
      [](const reprise::Chain<float>& model) { return model.parameters; });

  check_through_file(
      reprise::Autoencoder<float>(
          {.steps = 8, .encoder = {{.units = 8, .activation = Arctan{}}}, .decoder = {{.units = 8}}}),
      registry, "arctan",
      [](reprise::Autoencoder<float>& model, Index epochs) {
        Index heard = 0;
        reprise::FitOptions how = options(epochs);
        how.callbacks = {[&](reprise::TrainingEvent& event) {
          if (event.stage == reprise::TrainingStage::epoch_end) ++heard;
        }};
        const reprise::History history = model.fit(windows(), how);
        check(heard == epochs, "a callback hears of each epoch");
        return history;
      },
      [](const reprise::Autoencoder<float>& model) { return model.weights(); });

  if (failures == 0) std::cout << "own kinds: trained, saved, loaded and trained on\n";
  return failures == 0 ? 0 : 1;
}
