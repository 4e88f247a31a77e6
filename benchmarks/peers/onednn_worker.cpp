// oneDNN's side of benchmarks/peers/run: one LSTM layer, forward for training and backward. Its layouts tnc
// and ldigo are those of this library, so that both can be compared number by number.

#include <cstring>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>

#include "protocol.hpp"

namespace {

using dnnl::memory;
using peers::number;
using Arguments = std::unordered_map<int, memory>;
using Words = std::vector<std::string>;
using Tag = memory::format_tag;

class LayerRun {
 public:
  LayerRun(const dnnl::engine& engine, memory::dim I, memory::dim H, memory::dim T, memory::dim B)
      : engine_(engine), stream_(engine) {
    const auto plain = [](memory::dims dims, Tag tag) {
      return memory::desc(dims, memory::data_type::f32, tag);
    };
    // What oneDNN may lay out as it likes, and how it is filled and read.
    const auto any = [&](memory::dims dims) { return plain(std::move(dims), Tag::any); };
    const memory::dims x{T, B, I}, y{T, B, H}, kernel{1, 1, I, 4, H}, recurrent{1, 1, H, 4, H},
        bias{1, 1, 4, H};
    // Initial states of zero are handed in: without them oneDNN 3.13.2 gives a wrong gradient of the
    // recurrent kernel. Final ones are not asked for.
    const memory::dims state{1, 1, B, H};
    const memory::desc none;

    const dnnl::lstm_forward::primitive_desc forward(
        engine, dnnl::prop_kind::forward_training, dnnl::rnn_direction::unidirectional_left2right, any(x),
        any(state), any(state), any(kernel), any(recurrent), any(bias), any(y), none, none);
    const dnnl::lstm_backward::primitive_desc backward(
        engine, dnnl::prop_kind::backward, dnnl::rnn_direction::unidirectional_left2right, any(x), any(state),
        any(state), any(kernel), any(recurrent), any(bias), any(y), none, none, any(x), any(state),
        any(state), any(kernel), any(recurrent), any(bias), any(y), none, none, forward);

    const double scale = 1.0 / std::sqrt(static_cast<double>(H));
    std::vector<float> theta(static_cast<std::size_t>(4 * H * (I + H)));
    peers::fill(theta.data(), theta.size(), 0.7, scale);
    std::vector<float> inputs(static_cast<std::size_t>(I * B * T)),
        gradient(static_cast<std::size_t>(H * B * T));
    peers::fill(inputs.data(), inputs.size(), 0.37, 1.0);
    peers::fill(gradient.data(), gradient.size(), 0.23, 0.1);
    const std::vector<float> zeros(static_cast<std::size_t>(4 * H));

    const memory user_x = with(plain(x, Tag::tnc), inputs.data());
    const memory user_kernel = with(plain(kernel, Tag::ldigo), theta.data());
    const memory user_recurrent = with(plain(recurrent, Tag::ldigo), theta.data() + 4 * H * I);
    const memory user_bias = with(plain(bias, Tag::ldgo), zeros.data());
    const memory user_dy = with(plain(y, Tag::tnc), gradient.data());

    // Weights are reordered here, once, for each of both passes; that is not timed.
    const memory y_memory(forward.dst_layer_desc(), engine), workspace(forward.workspace_desc(), engine);
    forward_arguments_ = {{DNNL_ARG_SRC_LAYER, as(forward.src_layer_desc(), user_x)},
                          {DNNL_ARG_WEIGHTS_LAYER, as(forward.weights_layer_desc(), user_kernel)},
                          {DNNL_ARG_WEIGHTS_ITER, as(forward.weights_iter_desc(), user_recurrent)},
                          {DNNL_ARG_BIAS, as(forward.bias_desc(), user_bias)},
                          {DNNL_ARG_DST_LAYER, y_memory},
                          {DNNL_ARG_WORKSPACE, workspace},
                          {DNNL_ARG_SRC_ITER, zero(forward.src_iter_desc())},
                          {DNNL_ARG_SRC_ITER_C, zero(forward.src_iter_c_desc())}};
    backward_arguments_ = {{DNNL_ARG_SRC_LAYER, as(backward.src_layer_desc(), user_x)},
                           {DNNL_ARG_WEIGHTS_LAYER, as(backward.weights_layer_desc(), user_kernel)},
                           {DNNL_ARG_WEIGHTS_ITER, as(backward.weights_iter_desc(), user_recurrent)},
                           {DNNL_ARG_BIAS, as(backward.bias_desc(), user_bias)},
                           {DNNL_ARG_DST_LAYER, y_memory},
                           {DNNL_ARG_WORKSPACE, workspace},
                           {DNNL_ARG_SRC_ITER, zero(backward.src_iter_desc())},
                           {DNNL_ARG_SRC_ITER_C, zero(backward.src_iter_c_desc())},
                           {DNNL_ARG_DIFF_SRC_ITER, zero(backward.diff_src_iter_desc())},
                           {DNNL_ARG_DIFF_SRC_ITER_C, zero(backward.diff_src_iter_c_desc())},
                           {DNNL_ARG_DIFF_DST_LAYER, as(backward.diff_dst_layer_desc(), user_dy)},
                           {DNNL_ARG_DIFF_SRC_LAYER, memory(backward.diff_src_layer_desc(), engine)},
                           // The gradients of the weights are added to what is there.
                           {DNNL_ARG_DIFF_WEIGHTS_LAYER, zero(backward.diff_weights_layer_desc())},
                           {DNNL_ARG_DIFF_WEIGHTS_ITER, zero(backward.diff_weights_iter_desc())},
                           {DNNL_ARG_DIFF_BIAS, zero(backward.diff_bias_desc())}};
    if (forward.dst_layer_desc() != backward.dst_layer_desc()) throw std::runtime_error("two layouts of y");

    forward_ = dnnl::lstm_forward(forward);
    backward_ = dnnl::lstm_backward(backward);
    results_ = {{y_memory, plain(y, Tag::tnc)},
                {backward_arguments_[DNNL_ARG_DIFF_SRC_LAYER], plain(x, Tag::tnc)},
                {backward_arguments_[DNNL_ARG_DIFF_WEIGHTS_LAYER], plain(kernel, Tag::ldigo)},
                {backward_arguments_[DNNL_ARG_DIFF_WEIGHTS_ITER], plain(recurrent, Tag::ldigo)},
                {backward_arguments_[DNNL_ARG_DIFF_BIAS], plain(bias, Tag::ldgo)}};
  }

  void operator()() {
    forward_.execute(stream_, forward_arguments_);
    backward_.execute(stream_, backward_arguments_);
    stream_.wait();
  }

  /// y, dx and the gradients of kernel, recurrent kernel and bias, one behind the other.
  void write(const std::string& path) {
    std::ofstream file(path, std::ios::binary);
    for (auto& [result, layout] : results_) {
      memory readable = as(layout, result);
      float* data = readable.map_data<float>();
      file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(layout.get_size()));
      readable.unmap_data(data);
    }
  }

 private:
  memory with(const memory::desc& desc, const float* values) {
    memory result(desc, engine_);
    float* data = result.map_data<float>();
    std::memcpy(data, values, desc.get_size());
    result.unmap_data(data);
    return result;
  }
  memory zero(const memory::desc& desc) {
    const std::vector<char> zeros(desc.get_size());
    return with(desc, reinterpret_cast<const float*>(zeros.data()));
  }
  /// The same values in another layout.
  memory as(const memory::desc& desc, memory from) {
    if (from.get_desc() == desc) return from;
    memory to(desc, engine_);
    dnnl::reorder(from, to).execute(stream_, from, to);
    stream_.wait();
    return to;
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::lstm_forward forward_;
  dnnl::lstm_backward backward_;
  Arguments forward_arguments_, backward_arguments_;
  std::vector<std::pair<memory, memory::desc>> results_;
};

}  // namespace

int main() {  // as many threads as the process has cores
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const auto run_of = [&](const Words& words, std::size_t first) {
    return std::make_shared<LayerRun>(engine, number(words, first), number(words, first + 1),
                                      number(words, first + 2), number(words, first + 3));
  };
  const dnnl::version_t* version = dnnl::version();
  return peers::serve(
      "{\"ready\": \"oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
          std::to_string(version->patch) + "\"}",
      [&](const Words& words) -> peers::Work {
        if (words.at(0) != "layer") return nullptr;
        return [run = run_of(words, 1)] { (*run)(); };
      },
      [&](const Words& words) -> std::string {
        if (words.at(0) != "check") return "";
        const auto run = run_of(words, 2);
        (*run)();
        run->write(words.at(6));
        return "{\"written\": true}";
      });
}
