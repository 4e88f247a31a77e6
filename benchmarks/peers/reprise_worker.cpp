// This library's side of benchmarks/peers/run.

#include <numeric>
#include <optional>
#include <reprise/reprise.hpp>

#include "protocol.hpp"

namespace {

using peers::number;
using reprise::Index;
using Words = std::vector<std::string>;

/// The compiler may not assume to know what is behind the pointer, nor that nobody looks at it.
template <typename T>
void keep(T* value) {
  asm volatile("" : : "g"(value) : "memory");
}

/// One LSTM layer, forward for training and backward with all gradients, its batch in shards that threads
/// share as in training.
class LayerRun {
 public:
  LayerRun(Index inputs, Index units, Index steps, Index batch, Index width, int threads)
      : layer_(inputs, {.units = units, .return_sequences = true}),
        pool_(threads),
        theta_(layer_.parameter_count()),
        gradient_(layer_.parameter_count()) {
    const auto kernels = static_cast<std::size_t>(4 * units * (inputs + units));
    peers::fill(theta_.data(), kernels, 0.7, 1.0 / std::sqrt(static_cast<double>(units)));
    theta_.tail(4 * units).setZero();
    std::vector<float> x(static_cast<std::size_t>(inputs * batch * steps));
    std::vector<float> dy(static_cast<std::size_t>(units * batch * steps));
    peers::fill(x.data(), x.size(), 0.37, 1.0);
    peers::fill(dy.data(), dy.size(), 0.23, 0.1);
    const reprise::SequenceView<const float> all_x(x.data(),
                                                   {.samples = batch, .steps = steps, .features = inputs});
    const reprise::SequenceView<const float> all_dy(dy.data(),
                                                    {.samples = batch, .steps = steps, .features = units});
    for (Index first = 0; first < batch; first += width) {
      Shard& shard = shards_.emplace_back();
      const Index columns = std::min(width, batch - first);
      for (auto* in : {&shard.x, &shard.dx})
        in->resize({.samples = columns, .steps = steps, .features = inputs});
      for (auto* out : {&shard.y, &shard.dy})
        out->resize({.samples = columns, .steps = steps, .features = units});
      for (Index t = 0; t < steps; ++t) {
        shard.x.view().step(t) = all_x.step(t).middleCols(first, columns);
        shard.dy.view().step(t) = all_dy.step(t).middleCols(first, columns);
      }
      // As a model asks for its memory.
      reprise::detail::grow(shard.gradient, layer_.parameter_count());
    }
    const Index columns = std::min(width, batch);
    workers_.resize(static_cast<std::size_t>(threads));
    for (Worker& worker : workers_) {
      reprise::detail::grow(worker.tape, layer_.tape_size({.steps = steps, .features = inputs}, columns));
      reprise::detail::grow(worker.scratch,
                            layer_.scratch_size({.steps = steps, .features = inputs}, columns));
    }
  }

  void operator()() {
    pool_.run(static_cast<Index>(shards_.size()), [&](Index number, int worker) {
      Shard& s = shards_[static_cast<std::size_t>(number)];
      auto& [tape, scratch] = workers_[static_cast<std::size_t>(worker)];
      s.gradient.setZero();
      const reprise::LayerCall<float> call{.theta = theta_.data(),
                                           .tape = tape.data(),
                                           .scratch = scratch.data(),
                                           .gradient = s.gradient.data()};
      layer_.forward(in(s.x), s.y.view(), call);
      layer_.backward(in(s.x), in(s.y), in(s.dy), s.dx.view(), call);
    });
    gradient_ = shards_.front().gradient;
    for (std::size_t s = 1; s < shards_.size(); ++s) gradient_ += shards_[s].gradient;
    keep(gradient_.data());
  }

  /// y, dx and the gradient (kernel, recurrent kernel, bias), one behind the other.
  void write(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    const auto put = [&](const float* data, Index count) {
      file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(count) * 4);
    };
    const auto whole = [&](auto part) {
      for (Index t = 0; t < shards_[0].x.steps(); ++t) {
        for (const Shard& s : shards_) {
          const auto view = part(s).view();
          put(view.data + t * view.features * view.batch, view.features * view.batch);
        }
      }
    };
    whole([](const Shard& s) -> const reprise::Sequences<float>& { return s.y; });
    whole([](const Shard& s) -> const reprise::Sequences<float>& { return s.dx; });
    put(gradient_.data(), gradient_.size());
  }

 private:
  struct Shard {
    reprise::Sequences<float> x, y, dx, dy;
    reprise::Vector<float> gradient;
  };
  struct Worker {
    reprise::Vector<float> tape, scratch;
  };
  static reprise::SequenceView<const float> in(const reprise::Sequences<float>& s) { return s.view(); }

  reprise::Lstm<float> layer_;
  reprise::detail::ThreadPool pool_;
  reprise::Vector<float> theta_, gradient_;
  std::vector<Shard> shards_;
  std::vector<Worker> workers_;
};

std::shared_ptr<LayerRun> layer_run(const Words& words, int threads) {
  const Index inputs = number(words, 1), units = number(words, 2), batch = number(words, 4);
  // As `BatchPass` would choose for a network of this one layer.
  reprise::Sequential<float> network({.steps = number(words, 3), .features = inputs});
  network.add("lstm", reprise::Lstm<float>(inputs, {.units = units}));
  const Index width = words.size() > 6 && words[5] == "width"
                          ? number(words, 6)
                          : reprise::detail::shard_width_of(network, batch);
  return std::make_shared<LayerRun>(number(words, 1), number(words, 2), number(words, 3), batch, width,
                                    threads);
}

reprise::AutoencoderOptions model_options(Index features, Index outer, Index inner, Index steps,
                                          reprise::Activation activation) {
  reprise::AutoencoderOptions options;
  options.steps = steps;
  options.features = features;
  const reprise::LstmOptions wide{.units = outer, .activation = activation};
  const reprise::LstmOptions narrow{.units = inner, .activation = activation};
  options.encoder = {wide, narrow};
  options.decoder = {narrow, wide};
  return options;
}
reprise::AutoencoderOptions model_options(const Words& words) {
  return model_options(number(words, 1), number(words, 2), number(words, 3), number(words, 4),
                       reprise::activation::tanh);
}

/// Forward, backward and Adam on one batch.
class StepRun {
 public:
  StepRun(const reprise::AutoencoderOptions& options, Index batch, int threads)
      : model_(options),
        windows_(some_windows(batch, options.steps, options.features)),
        batch_(static_cast<std::size_t>(batch)),
        pass_(model_.network(), threads),
        gradient_(model_.weights().size()),
        moments_(reprise::initial_state<float>(adam_, gradient_.size())) {
    std::iota(batch_.begin(), batch_.end(), Index{0});
  }

  void operator()() {
    pass_.loss_and_gradient(model_.weights().data(), windows_, batch_, {}, reprise::MeanSquaredError{}, {},
                            gradient_.data());
    reprise::apply_update(adam_, model_.parameters(), moments_, 1.0, gradient_, model_.writable_weights());
  }

 private:
  static reprise::Windows some_windows(Index windows, Index steps, Index features) {
    reprise::Matrix<float> series(windows + steps - 1, features);
    peers::fill(series.data(), static_cast<std::size_t>(series.size()), 0.37, 1.0);
    return reprise::sliding_windows(series, {.length = steps});
  }

  reprise::Autoencoder<float> model_;
  reprise::Windows windows_;
  std::vector<Index> batch_;
  reprise::detail::BatchPass<float> pass_;
  reprise::Optimizer adam_ = reprise::Adam{};
  reprise::Vector<float> gradient_;
  reprise::OptimizerState<float> moments_;
};

peers::Work step_work(const Words& words, int threads) {
  return [run = std::make_shared<StepRun>(model_options(words), number(words, 5), threads)] { (*run)(); };
}

/// One window through a model of run-time sizes.
peers::Work window_work(const Words& words) {
  struct Run {
    explicit Run(const Words& words)
        : model(model_options(words)), input(model.network().input_shape().batch(1)), output(input) {
      peers::fill(input.values().data(), static_cast<std::size_t>(input.values().size()), 0.37, 1.0);
    }
    reprise::Autoencoder<float> model;
    reprise::Sequences<float> input, output;
    reprise::InferenceWorkspace<float> workspace;
  };
  return [run = std::make_shared<Run>(words)] {
    run->model.reconstruct(std::as_const(run->input).view(), run->output.view(), run->workspace);
    keep(run->output.values().data());
  };
}

/// LSTM(I -> H) + Dense(H -> 1), one step of a stream; each output moves the next input, so that no two steps
/// overlap.
template <int inputs, int units>
peers::Work stream_of() {
  struct Run {
    Run() : theta(4 * units * (inputs + units + 1)), dense(units + 1) {
      peers::fill(theta.data(), static_cast<std::size_t>(theta.size()), 0.7, 0.3);
      peers::fill(dense.data(), static_cast<std::size_t>(dense.size()), 0.3, 0.3);
      stream.emplace(reprise::LstmOptions{.units = units}, theta.data(), reprise::DenseOptions{.units = 1},
                     dense.data());
      x.setConstant(0.3f);
    }
    reprise::Vector<float> theta, dense;
    std::optional<reprise::LstmStream<float, inputs, units>> stream;
    Eigen::Matrix<float, inputs, 1> x;
  };
  return [run = std::make_shared<Run>()] {
    run->x[0] = 0.3f + 0.1f * run->stream->step(run->x)[0];
    keep(run->x.data());
  };
}
peers::Work stream_work(Index inputs, Index units) {
  if (inputs == 1 && units == 8) return stream_of<1, 8>();
  if (inputs == 1 && units == 16) return stream_of<1, 16>();
  if (inputs == 1 && units == 32) return stream_of<1, 32>();
  if (inputs == 1 && units == 64) return stream_of<1, 64>();
  if (inputs == 8 && units == 128) return stream_of<8, 128>();
  return nullptr;
}

/// The whole fit of 91 windows of 4 integers, from the construction of the model on.
std::string whole_fit(Index epochs) {
  std::vector<int> series;
  for (int i = 0; i < 94; ++i) series.push_back((i * i + i / 3) % 4);
  const reprise::Windows windows = reprise::sliding_windows(series, {.length = 4});
  const auto start = peers::Clock::now();
  reprise::Autoencoder<float> model(model_options(1, 32, 16, 4, reprise::activation::relu));
  model.fit(windows, {.epochs = epochs,
                      .batch_size = 32,
                      .validation_split = 0.1,
                      .optimizer = reprise::Adam{.learning_rate = 1e-4}});
  return "{\"ms\": " + std::to_string(peers::seconds_since(start) * 1e3) + "}";
}

long status_kb(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::stol(line.substr(name.size() + 1));
  }
  return 0;
}

/// Peak resident memory of three training steps, minus that of the process before.
std::string memory(const Words& words, int threads) {
  const long before = status_kb("VmRSS");
  const peers::Work step = step_work(words, threads);
  for (int i = 0; i < 3; ++i) step();
  return "{\"kB\": " + std::to_string(status_kb("VmHWM") - before) + "}";
}

/// Single-precision multiply-add peak of this core in GFLOP/s: independent chains that stay in registers.
double peak_gflops() {
  constexpr int lanes = EIGEN_MAX_ALIGN_BYTES / 4;
  constexpr int chains = 12;
  using Lane = Eigen::Array<float, lanes, 1>;
  double best = 0.0;
  for (int trial = 0; trial < 40; ++trial) {
    Lane sums[chains];
    for (int k = 0; k < chains; ++k) sums[k] = Lane::Constant(1.0f + static_cast<float>(k));
    Lane factor = Lane::Constant(0.999f);
    keep(&factor);
    constexpr int rounds = 200000;
    const auto start = peers::Clock::now();
    for (int round = 0; round < rounds; ++round) {
      for (int k = 0; k < chains; ++k) sums[k] = sums[k] * factor + factor;
    }
    const double seconds = peers::seconds_since(start);
    for (int k = 0; k < chains; ++k) keep(&sums[k]);
    best = std::max(best, 2.0 * chains * lanes * rounds / seconds * 1e-9);
  }
  return best;
}

/// GB/s at which one core reads 256 kB again and again: more than the L1 cache holds, less than the L2 cache.
double l2_gigabytes_per_second() {
  constexpr int lanes = EIGEN_MAX_ALIGN_BYTES / 4;
  constexpr int chains = 8;
  using Lane = Eigen::Array<float, lanes, 1>;
  reprise::Vector<float> buffer = reprise::Vector<float>::Ones(256 * 1024 / 4);
  double best = 0.0;
  for (int trial = 0; trial < 40; ++trial) {
    Lane sums[chains];
    for (int k = 0; k < chains; ++k) sums[k] = Lane::Zero();
    constexpr int rounds = 400;
    const auto start = peers::Clock::now();
    for (int round = 0; round < rounds; ++round) {
      keep(buffer.data());
      for (Index i = 0; i < buffer.size(); i += chains * lanes) {
        for (int k = 0; k < chains; ++k) {
          sums[k] += Eigen::Map<const Lane, Eigen::AlignedMax>(buffer.data() + i + k * lanes);
        }
      }
    }
    const double seconds = peers::seconds_since(start);
    for (int k = 0; k < chains; ++k) keep(&sums[k]);
    best = std::max(best, 4.0 * static_cast<double>(buffer.size()) * rounds / seconds * 1e-9);
  }
  return best;
}

std::string machine() {
  return "{\"peak_gflops\": " + std::to_string(peak_gflops()) +
         ", \"l2_gb_per_s\": " + std::to_string(l2_gigabytes_per_second()) + "}";
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = peers::threads_of(argc, argv);
  const std::string versions =
      "reprise " + std::to_string(REPRISE_VERSION_MAJOR) + "." + std::to_string(REPRISE_VERSION_MINOR) + "." +
      std::to_string(REPRISE_VERSION_PATCH) + ", Eigen " + std::to_string(EIGEN_WORLD_VERSION) + "." +
      std::to_string(EIGEN_MAJOR_VERSION) + "." + std::to_string(EIGEN_MINOR_VERSION) +
      ", compiler " __VERSION__;
  return peers::serve(
      "{\"ready\": \"" + versions + "\"}",
      [&](const Words& words) -> peers::Work {
        if (words.at(0) == "layer") return [run = layer_run(words, threads)] { (*run)(); };
        if (words[0] == "step") return step_work(words, threads);
        if (words[0] == "window") return window_work(words);
        if (words[0] == "stream") return stream_work(number(words, 1), number(words, 2));
        return nullptr;
      },
      [&](const Words& words) -> std::string {
        if (words.at(0) == "machine") return machine();
        if (words[0] == "fit") return whole_fit(number(words, 1));
        if (words[0] == "memory") return memory(words, threads);
        if (words[0] != "check") return "";
        const auto run = layer_run({words.begin() + 1, words.begin() + 6}, threads);
        (*run)();
        run->write(words.at(6));
        return "{\"written\": true}";
      });
}
