#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <reprise/core/random.hpp>
#include <reprise/io/safetensors.hpp>
#include <reprise/models/autoencoder.hpp>
#include <string>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#endif

#include "temporary_directory.hpp"

namespace {

namespace fs = std::filesystem;
namespace activation = reprise::activation;
namespace initializer = reprise::initializer;
using reprise::Autoencoder;
using reprise::Index;
using Json = nlohmann::ordered_json;

const fs::path here = fs::path(__FILE__).parent_path() / "safetensors";

using Directory = test::TemporaryDirectory;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const fs::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(file.flush());
}

/// A file in its two parts, to be changed and put together again.
struct Parts {
  Json header;
  std::string data;

  Json inner(const char* name) const { return Json::parse(header["__metadata__"][name].get<std::string>()); }
  void set_inner(const char* name, const Json& value) { header["__metadata__"][name] = value.dump(); }
};
std::string join(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}
/// With the checksum that a program which meant to write just this would have written, as the head of
/// safetensors_file.hpp describes it. Throws `Json::exception` where the header is not as it must be.
std::string checksum_of(const Parts& parts) {
  reprise::detail::Checksum checksum;
  std::map<std::string, Json> metadata, tensors;
  for (const auto& entry : parts.header.items()) {
    if (entry.key() != "__metadata__") tensors[entry.key()] = entry.value();
  }
  for (const auto& entry : parts.header.at("__metadata__").items()) {
    if (entry.key() != "checksum") metadata[entry.key()] = entry.value();
  }
  checksum.add_number(metadata.size());
  for (const auto& [name, text] : metadata) {
    checksum.add_text(name);
    checksum.add_text(text.get<std::string>());
  }
  for (const auto& [name, tensor] : tensors) {
    for (const char* const sizes : {"shape", "data_offsets"}) {
      for (const Json& size : tensor.at(sizes)) {
        if (!size.is_number_integer()) return "none";
      }
    }
    const auto shape = tensor.at("shape").get<std::vector<std::uint64_t>>();
    const auto offsets = tensor.at("data_offsets").get<std::vector<std::uint64_t>>();
    checksum.add_text(name);
    checksum.add_text(tensor.at("dtype").get<std::string>());
    checksum.add_number(shape.size());
    for (const std::uint64_t extent : shape) checksum.add_number(extent);
    if (offsets.size() != 2 || offsets[0] > parts.data.size()) return "none";
    checksum.add_text(parts.data.substr(offsets[0], offsets[1] - offsets[0]));
  }
  return checksum.hexadecimal();
}
/// Signed, as far as there is anything to sign.
std::string join(Parts parts) {
  try {
    Json& metadata = parts.header.at("__metadata__");
    if (metadata.contains("checksum")) metadata["checksum"] = checksum_of(parts);
  } catch (const Json::exception&) {
  }
  return join(parts.header.dump(), parts.data);
}
Parts split(const std::string& bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return {Json::parse(bytes.substr(8, length)), bytes.substr(8 + length)};
}

/// The file with the right checksum, if it is a file at all.
std::string signed_again(const std::string& bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > bytes.size() - sizeof length) return bytes;
  try {
    return join(split(bytes));
  } catch (const Json::exception&) {
    return bytes;
  }
}

/// The message of the `FileError` that the action throws.
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const reprise::FileError& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "no exception";
}
void check_contains(const std::string& text, const std::vector<std::string>& parts) {
  CAPTURE(text);
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

/// Bit for bit, so that -0 is not 0.
template <typename Scalar>
bool same_bits(const reprise::Vector<Scalar>& a, const reprise::Vector<Scalar>& b) {
  return a.size() == b.size() &&
         (a.size() == 0 ||
          std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(Scalar)) == 0);
}
template <typename Scalar>
void check_equal(const Autoencoder<Scalar>& a, const Autoencoder<Scalar>& b) {
  CHECK(a.options() == b.options());
  CHECK(same_bits(a.weights(), b.weights()));
  const auto& s = a.training_state();
  const auto& t = b.training_state();
  CHECK(s.optimizer == t.optimizer);
  CHECK(same_bits(s.moments.first, t.moments.first));
  CHECK(same_bits(s.moments.second, t.moments.second));
  CHECK(same_bits(s.moments.velocity, t.moments.velocity));
  CHECK(s.moments.step == t.moments.step);
  CHECK(s.epochs == t.epochs);
  CHECK(s.learning_rate_scale == t.learning_rate_scale);
  CHECK(s.moments.schedule_start == t.moments.schedule_start);
  CHECK(s.aborted_norm == t.aborted_norm);
  CHECK(s.largest_norm == t.largest_norm);
  CHECK(s.loss == t.loss);
}

reprise::Windows some_windows() {
  std::vector<double> series;
  for (int t = 0; t < 60; ++t) series.push_back(std::sin(0.7 * t) + 0.1 * (t % 5));
  return reprise::sliding_windows(series, {.length = 4});
}

/// No two layers alike, no option at its default, numbers that are no short decimal fractions.
reprise::AutoencoderOptions every_option() {
  reprise::AutoencoderOptions options{.steps = 4, .features = 1};
  options.encoder = {{.units = 3,
                      .activation = activation::softsign,
                      .recurrent_activation = activation::hard_sigmoid,
                      .use_bias = false,
                      .dropout = 1.0 / 3.0,
                      .kernel_initializer = initializer::he_normal,
                      .recurrent_initializer = {reprise::Initializer::Kind::orthogonal, 0.1 + 0.2}},
                     {.units = 2,
                      .go_backwards = true,
                      .recurrent_dropout = 0.125,
                      .kernel_initializer = initializer::lecun_uniform}};
  options.decoder = {{.units = 5,
                      .activation = activation::elu,
                      .unit_forget_bias = false,
                      .bias_initializer = initializer::constant(-1e-300)}};
  options.reverse_decoder = true;
  options.output_activation = activation::leaky_relu;
  options.seed = std::numeric_limits<std::uint64_t>::max();
  return options;
}

const std::vector<reprise::Optimizer>& optimizers() {
  static const std::vector<reprise::Optimizer> list = {
      reprise::Adam{.learning_rate = 1.0 / 300.0},
      reprise::Adam{
          .convention = reprise::Convention::pytorch, .weight_decay = 1e-4, .clip = reprise::ClipValue{0.3}},
      reprise::AdamW{.learning_rate = reprise::CosineDecay{.initial_learning_rate = 1e-5,
                                                           .decay_steps = 40,
                                                           .alpha = 0.1,
                                                           .warmup_target = 1e-2,
                                                           .warmup_steps = 10},
                     .clip = reprise::GlobalClipNorm{0.1}},
      reprise::Sgd{.momentum = 0.9, .nesterov = true, .clip = reprise::ClipNorm{0.7}},
      reprise::Sgd{},
      reprise::RmsProp{
          .learning_rate =
              reprise::ExponentialDecay{
                  .initial_learning_rate = 1e-2, .decay_steps = 3, .decay_rate = 0.9, .staircase = true},
          .momentum = 0.5,
          .centered = true}};
  return list;
}

/// What makes training depend on all of its state: dropout, shuffles, and a rate that a callback changed.
reprise::FitOptions fit_options(const reprise::Optimizer& optimizer, Index epochs) {
  reprise::FitOptions options{.epochs = epochs, .batch_size = 16, .optimizer = optimizer, .seed = 7};
  options.callbacks = {[](reprise::TrainingEvent& event) {
    if (event.stage == reprise::TrainingStage::epoch_end) event.scale_learning_rate(0.7);
  }};
  return options;
}

/// A small trained model's file.
const std::string& small_file() {
  static const std::string bytes = [] {
    const Directory directory;
    Autoencoder<float> model({.steps = 4, .encoder = {{.units = 1}}, .decoder = {{.units = 2}}});
    model.fit(some_windows());
    reprise::save(model, directory / "model");
    return read(directory / "model");
  }();
  return bytes;
}

/// The message with which a file of these bytes is refused.
std::string refusal(const std::string& bytes) {
  const Directory directory;
  write(directory / "damaged.safetensors", bytes);
  const std::string message =
      message_of([&] { return reprise::load<Autoencoder<float>>(directory / "damaged.safetensors"); });
  check_contains(message, {(directory / "damaged.safetensors").string() + ": ", "expected ", ", got "});
  return message;
}
std::string refusal(const std::function<void(Parts&)>& change) {
  Parts parts = split(small_file());
  change(parts);
  return refusal(join(parts));
}

/// What may come of any bytes at all: a model, or reprise::Error. Returns whether a model came.
bool loads_or_throws_error(const fs::path& path) {
  try {
    const auto model = reprise::load<Autoencoder<float>>(path);
    CHECK(model.weights().allFinite());
    return true;
  } catch (const reprise::FileError&) {
  } catch (const std::exception& error) {
    FAIL_CHECK(path.string() << ": not a FileError: " << error.what());
  }
  return false;
}

}  // namespace

TEST_CASE_TEMPLATE("a model that was saved and loaded has the same bits", Scalar, float, double) {
  const Directory directory;
  Autoencoder<Scalar> model(every_option());
  reprise::save(model, directory / "untrained");
  check_equal(reprise::load<Autoencoder<Scalar>>(directory / "untrained"), model);
  for (const reprise::Optimizer& optimizer : optimizers()) {
    CAPTURE(optimizer.index());
    model.fit(some_windows(), fit_options(optimizer, 2));
    reprise::save(model, directory / "trained");
    check_equal(reprise::load<Autoencoder<Scalar>>(directory / "trained"), model);
  }
  model.writable_weights()(0) = Scalar(-0.0);
  model.writable_weights()(1) = std::numeric_limits<Scalar>::denorm_min();
  model.writable_weights()(2) = std::numeric_limits<Scalar>::lowest();
  reprise::save(model, directory / "odd");
  check_equal(reprise::load<Autoencoder<Scalar>>(directory / "odd"), model);
}

TEST_CASE_TEMPLATE("training that was saved and loaded goes on as if it had never stopped", Scalar, float,
                   double) {
  const Directory directory;
  for (const reprise::Optimizer& optimizer : optimizers()) {
    CAPTURE(optimizer.index());
    Autoencoder<Scalar> uninterrupted(every_option());
    const reprise::History whole = uninterrupted.fit(some_windows(), fit_options(optimizer, 5));

    Autoencoder<Scalar> model(every_option());
    model.fit(some_windows(), fit_options(optimizer, 2));
    reprise::save(model, directory / "model");
    auto loaded = reprise::load<Autoencoder<Scalar>>(directory / "model");
    const reprise::History rest = loaded.fit(some_windows(), fit_options(optimizer, 3));

    check_equal(loaded, uninterrupted);
    CHECK(rest.loss == std::vector<double>(whole.loss.begin() + 2, whole.loss.end()));
  }
}

TEST_CASE("a second rate with its schedule, and the loss that was trained, come back") {
  const Directory directory;
  const auto options = [](Index epochs) {
    auto result =
        fit_options(reprise::Adam{.learning_rate = reprise::ExponentialDecay{0.01, 8, 0.5}}, epochs);
    result.loss = reprise::Huber{.delta = 0.1};
    return result;
  };
  Autoencoder<float> model(every_option());
  model.fit(some_windows(), fit_options(reprise::Adam{}, 2));
  model.fit(some_windows(), options(1));
  REQUIRE(model.training_state().moments.schedule_start == 8);
  model.training_state().aborted_norm = 1.0 / 3.0;
  reprise::save(model, directory / "model");
  reprise::save(model, directory / "without", {.optimizer_state = false});
  auto loaded = reprise::load<Autoencoder<float>>(directory / "model");
  check_equal(loaded, model);
  CHECK(loaded.evaluate(some_windows()) == model.evaluate(some_windows()));
  CHECK(reprise::load<Autoencoder<float>>(directory / "without").evaluate(some_windows()) ==
        model.evaluate(some_windows()));
  loaded.fit(some_windows(), options(3));
  model.fit(some_windows(), options(3));
  check_equal(loaded, model);
}

TEST_CASE("without the optimizer's state, training starts anew") {
  const Directory directory;
  Autoencoder<float> model(every_option());
  model.fit(some_windows(), fit_options(reprise::Adam{}, 2));
  reprise::save(model, directory / "model", {.optimizer_state = false});
  const Json header = split(read(directory / "model")).header;
  for (const auto& entry : header.items()) {
    CHECK(entry.key().find("optimizer") == std::string::npos);
  }

  auto loaded = reprise::load<Autoencoder<float>>(directory / "model");
  CHECK(!loaded.training_state().optimizer);
  Autoencoder<float> anew(model.options(), model.weights());
  check_equal(loaded, anew);
  loaded.fit(some_windows(), fit_options(reprise::Adam{}, 2));
  anew.fit(some_windows(), fit_options(reprise::Adam{}, 2));
  check_equal(loaded, anew);
  model.fit(some_windows(), fit_options(reprise::Adam{}, 2));
  CHECK(!same_bits(loaded.weights(), model.weights()));
}

TEST_CASE("a file of doubles becomes a model of floats, and the other way round") {
  const Directory directory;
  Autoencoder<double> wide(every_option());
  wide.fit(some_windows(), fit_options(reprise::RmsProp{.momentum = 0.5, .centered = true}, 2));
  reprise::save(wide, directory / "wide");
  const auto narrow = reprise::load<Autoencoder<float>>(directory / "wide");
  CHECK(narrow.options() == wide.options());
  CHECK(same_bits<float>(narrow.weights(), wide.weights().cast<float>()));
  CHECK(same_bits<float>(narrow.training_state().moments.first,
                         wide.training_state().moments.first.cast<float>()));
  CHECK(same_bits<float>(narrow.training_state().moments.velocity,
                         wide.training_state().moments.velocity.cast<float>()));
  CHECK(narrow.training_state().moments.step == wide.training_state().moments.step);

  reprise::save(narrow, directory / "narrow");
  const auto again = reprise::load<Autoencoder<double>>(directory / "narrow");
  CHECK(same_bits<double>(again.weights(), narrow.weights().cast<double>()));

  wide.writable_weights()(0) = 1e300;
  reprise::save(wide, directory / "wide");
  check_contains(message_of([&] { return reprise::load<Autoencoder<float>>(directory / "wide"); }),
                 {"tensor encoder.0.kernel: expected values that are finite as float, got inf at 0"});
  CHECK(reprise::load<Autoencoder<double>>(directory / "wide").weights()(0) == 1e300);
}

TEST_CASE("tensors have Keras's names and shapes, and begin at a multiple of 8") {
  const Directory directory;
  const Autoencoder<double> model(
      {.steps = 4, .features = 2, .encoder = {{.units = 3}}, .decoder = {{.units = 5}}});
  reprise::save(model, directory / "model");
  const std::string bytes = read(directory / "model");
  const Parts parts = split(bytes);
  CHECK((bytes.size() - parts.data.size()) % 8 == 0);
  const auto shape = [&](const char* name) {
    return parts.header.at(name).at("shape").get<std::vector<int>>();
  };
  CHECK(shape("encoder.0.kernel") == std::vector{2, 12});
  CHECK(shape("encoder.0.recurrent_kernel") == std::vector{3, 12});
  CHECK(shape("encoder.0.bias") == std::vector{12});
  CHECK(shape("decoder.0.kernel") == std::vector{3, 20});
  CHECK(shape("output.kernel") == std::vector{5, 2});
  CHECK(shape("output.bias") == std::vector{2});
  CHECK(parts.header.size() == 9);

  // Row-major (1, 7) of encoder.0.kernel: what input 1 adds to unit 1 of gate g.
  double value = 0.0;
  std::memcpy(&value, parts.data.data() + (1 * 12 + 7) * sizeof value, sizeof value);
  CHECK(value == model.parameter("encoder.0.kernel")(7, 1));
}

TEST_CASE(
    "a file that Python's safetensors wrote is read: other order of tensors, metadata that are not ours") {
  // Made by tests/safetensors/check_with_python.py: each tensor counts up by 1/64, row-major, from its own
  // first value.
  const auto model = reprise::load<Autoencoder<float>>(here / "written_by_python.safetensors");
  CHECK(model.options().steps == 4);
  CHECK(model.options().encoder.front().activation == activation::relu);
  float first = 0.0F;
  for (const char* name :
       {"encoder.0.kernel", "encoder.0.recurrent_kernel", "encoder.0.bias", "decoder.0.kernel",
        "decoder.0.recurrent_kernel", "decoder.0.bias", "output.kernel", "output.bias"}) {
    CAPTURE(name);
    const auto tensor = model.parameter(name);
    for (Index i = 0; i < tensor.cols(); ++i) {
      for (Index j = 0; j < tensor.rows(); ++j) {
        CHECK(tensor(j, i) == first + static_cast<float>(i * tensor.rows() + j) / 64.0F);
      }
    }
    first += 1.0F;
  }
  CHECK(model.training_state().moments.step == 2);
}

TEST_CASE("a file that is cut short at any byte, or goes on, is refused") {
  const std::string& bytes = small_file();
  const Directory directory;
  const fs::path path = directory / "cut";
  write(path, bytes);
  CHECK(loads_or_throws_error(path));
  for (std::size_t length = bytes.size(); length-- > 0;) {
    fs::resize_file(path, length);
    CAPTURE(length);
    CHECK(!loads_or_throws_error(path));
  }
  check_contains(refusal(bytes.substr(0, 7)), {"at least 8 bytes, got 7"});
  check_contains(refusal(bytes.substr(0, 100)), {"a header of at most 92 bytes"});
  check_contains(refusal(bytes.substr(0, bytes.size() - 1)), {"bytes of data"});
  check_contains(refusal(bytes + "x"), {"bytes of data"});
}

TEST_CASE("checksum: a file of which any bit is flipped is refused") {
  const Directory directory;
  Autoencoder<float> model({.steps = 4, .encoder = {{.units = 1}}, .decoder = {{.units = 1}}});
  model.fit(some_windows(), {.optimizer = reprise::Sgd{.momentum = 0.5}});
  const fs::path path = directory / "flipped";
  reprise::save(model, path);
  std::string bytes = read(path);
  CHECK(loads_or_throws_error(path));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    const char before = bytes[bit / 8];
    bytes[bit / 8] = static_cast<char>(before ^ (1 << (bit % 8)));
    write(path, bytes);
    bytes[bit / 8] = before;
    CAPTURE(bit);
    CHECK(!loads_or_throws_error(path));
  }
}

TEST_CASE("checksum: a file of ours needs one, and it covers metadata that are not ours") {
  const auto with_metadata = [](const char* name, const Json& value) {
    Parts parts = split(small_file());
    parts.header["__metadata__"][name] = value;
    return join(parts.header.dump(), parts.data);  // not signed again
  };
  check_contains(refusal(with_metadata("note", "x")),
                 {"checksum: expected ", "for these tensors and metadata"});
  check_contains(refusal(with_metadata("checksum", "")), {"checksum: expected ", "got \"\""});
  check_contains(refusal([](Parts& parts) { parts.header["__metadata__"].erase("checksum"); }),
                 {"metadata: expected an entry checksum, got none"});
  // Signed again, in another order and with another entry, it is a good file: Python may write it.
  Parts parts = split(small_file());
  Json tensors = Json::object();
  std::string data;
  for (const auto& entry : parts.header.items()) {
    if (entry.key() == "__metadata__") continue;
    const auto begin = entry.value()["data_offsets"][0].get<std::size_t>();
    const auto end = entry.value()["data_offsets"][1].get<std::size_t>();
    tensors[entry.key()] = entry.value();
    tensors[entry.key()]["data_offsets"] = {parts.data.size() - end, parts.data.size() - begin};
    data.insert(0, parts.data.substr(begin, end - begin));
  }
  tensors["__metadata__"] = parts.header["__metadata__"];
  const Directory directory;
  write(directory / "turned", join(tensors.dump(1), data));
  CHECK(loads_or_throws_error(directory / "turned"));
  tensors["__metadata__"]["note"] = "x";
  write(directory / "turned", join({tensors, data}));
  CHECK(loads_or_throws_error(directory / "turned"));
}

TEST_CASE("what is no such file is refused") {
  const Directory directory;
  check_contains(message_of([&] { return reprise::load<Autoencoder<float>>(directory / "missing"); }),
                 {"missing: expected a file, got none of that name"});
  check_contains(message_of([&] { return reprise::load<Autoencoder<float>>(directory.path); }),
                 {"expected a file"});
  check_contains(refusal(std::string(8, '\xff')), {"a header of at most 0 bytes, got 18446744073709551615"});
  check_contains(refusal(join("", "")), {"header: expected a JSON object"});
  check_contains(refusal(join("[]", "")), {"header: expected a JSON object"});
  check_contains(refusal(join("{\"a\": }", "")), {"header: expected JSON"});
  check_contains(refusal(join("{} {}", "")), {"header: expected JSON"});
  check_contains(refusal(join("\xef\xbb\xbf{}", "")), {"header: expected a JSON object"});
  check_contains(refusal(join("{\"\xff\": 1}", "")), {"header: expected JSON"});
  check_contains(refusal(join("{\"a\": 1e999}", "")), {"header: expected JSON"});
  check_contains(refusal(join(std::string("{}\0{", 4), "")), {"header: expected JSON, got a null character"});
  check_contains(refusal(join("{}", "")), {"metadata: expected an entry format, got none"});
  const std::string deep = "{\"a\": " + std::string(1'000'000, '[');
  check_contains(refusal(join(deep, "")), {"header: expected JSON at most 16 levels deep"});
  CHECK(refusal(join(deep, "")).size() < 500);
  CHECK(refusal(join("{\"" + std::string(1'000'000, 'x') + "\": 1}", "")).size() < 500);
}

TEST_CASE("a header that is not as it must be is refused") {
  using Change = std::function<void(Parts&)>;
  const auto tensor = [](auto name, auto member, Json value) {
    return Change([=](Parts& parts) { parts.header[name][member] = value; });
  };
  const auto metadata = [](auto name, Json value) {
    return Change([=](Parts& parts) { parts.header["__metadata__"][name] = value; });
  };
  struct Case {
    Change change;
    std::vector<std::string> message;
  };
  const std::string kernel = "encoder.0.kernel",
                    quoted = "tensor \"encoder.0.kernel\"";  // float, (1, 4): 16 bytes
  constexpr std::uint64_t huge = std::uint64_t{1} << 63;
  const std::vector<Case> cases = {
      {[](Parts& p) { p.header["__metadata__"] = 1; }, {"metadata: expected an object, got 1"}},
      {metadata("note", 3), {"metadata \"note\": expected a string, got 3"}},
      {metadata("format", "pt"), {"format: expected reprise, got \"pt\""}},
      {metadata("format_version", "3"), {"format_version: expected 1 or 2, got \"3\""}},
      {metadata("model", "Classifier"), {"model: expected Autoencoder, got \"Classifier\""}},
      {[](Parts& p) { p.header["__metadata__"].erase("options"); }, {"metadata: expected an entry options"}},
      {metadata("options", "{"), {"options: expected JSON"}},
      {metadata("training", "[]"), {"training: expected an object, got []"}},
      {[&](Parts& p) { p.header[kernel] = 1; }, {quoted, "expected an object, got 1"}},
      {[&](Parts& p) { p.header[kernel].erase("shape"); }, {quoted, "expected a member shape, got none"}},
      {[&](Parts& p) { p.header[kernel]["more"] = 1; }, {quoted, "dtype, shape and data_offsets only"}},
      {tensor(kernel, "dtype", "F16"), {quoted + ": dtype: expected F32 or F64, got \"F16\""}},
      {tensor(kernel, "dtype", 4), {quoted + ": dtype: expected F32 or F64, got 4"}},
      {tensor(kernel, "dtype", "F64"), {quoted + ": data_offsets: expected 32 bytes", "got [0,16]"}},
      {tensor(kernel, "shape", "big"), {quoted + ": shape: expected an array, got \"big\""}},
      {tensor(kernel, "shape", {-1, -4}), {quoted + ": shape[0]: expected a whole number", "got -1"}},
      {tensor(kernel, "shape", {1.0, 4}), {quoted + ": shape[0]: expected a whole number", "got 1.0"}},
      {tensor(kernel, "shape", {huge, 2, 4}), {quoted + ": shape: expected fewer than 2^64 bytes"}},
      {tensor(kernel, "shape", {2, 4}), {quoted + ": data_offsets: expected 32 bytes"}},
      {tensor(kernel, "shape", {4, 1}), {"tensor encoder.0.kernel: expected shape [1,4], got [4,1]"}},
      {tensor(kernel, "shape", {4}), {"tensor encoder.0.kernel: expected shape [1,4], got [4]"}},
      {tensor(kernel, "shape", {0, huge, huge}), {quoted + ": data_offsets: expected 0 bytes"}},
      {tensor(kernel, "data_offsets", {16, 0}), {quoted + ": data_offsets: expected 16 bytes", "got [16,0]"}},
      {tensor(kernel, "data_offsets", {0, 15}), {quoted + ": data_offsets: expected 16 bytes", "got [0,15]"}},
      {tensor(kernel, "data_offsets", {0, 16, 16}), {quoted + ": data_offsets: expected two numbers"}},
      {tensor(kernel, "data_offsets", {16, 32}),
       {"data_offsets: expected to begin where the tensor before ends, at 0"}},
      {tensor("encoder.0.bias", "data_offsets", {16, 32}), {"to begin where the tensor before ends"}},
      {tensor("optimizer.second.output.bias", "data_offsets", {huge, huge + 4}),
       {"to begin where the tensor before"}},
      {[&](Parts& p) { p.data.resize(p.data.size() - 4); },
       {"to end within", "optimizer.second.output.bias"}},
      {[&](Parts& p) { p.header.erase("optimizer.second.output.bias"); }, {"bytes of data, got"}},
      {[&](Parts& p) {
         p.header.erase("optimizer.second.output.bias");
         p.data.resize(p.data.size() - 4);
       },
       {"tensor optimizer.second.output.bias: expected F32 or F64 of shape [1], got no such tensor"}},
      {[&](Parts& p) { p.header["__metadata__"].erase("training"); }, {"that the model does not have"}},
      {[&](Parts& p) {
         const std::size_t end = p.data.size();
         p.header["extra"] = {{"dtype", "F32"}, {"shape", Json::array()}, {"data_offsets", {end, end + 4}}};
         p.data.append(4, '\0');
       },
       {"tensor \"extra\": expected no tensor that the model does not have"}},
      {[&](Parts& p) { p.data.replace(4, 4, "\x00\x00\x80\x7f", 4); },
       {"tensor encoder.0.kernel: expected values that are finite as float, got inf at 1"}},
      {[&](Parts& p) { p.data.replace(0, 4, "\x00\x00\xc0\x7f", 4); }, {"encoder.0.kernel", "got nan at 0"}},
      {[&](Parts& p) { p.data.replace(p.data.size() - 4, 4, "\x00\x00\x80\xbf", 4); },
       {"tensor optimizer.second.output.bias: expected values that are finite and >= 0 as float, got -1 at "
        "0"}},
  };
  for (const Case& one : cases) check_contains(refusal(one.change), one.message);

  const std::string& bytes = small_file();
  const Parts parts = split(bytes);
  const std::string header = parts.header.dump();
  check_contains(refusal(join(header.substr(0, header.size() - 1) +
                                  ",\"output.bias\":" + parts.header["output.bias"].dump() + "}",
                              parts.data)),
                 {"header: expected each name once, got \"output.bias\" twice"});
}

TEST_CASE("a configuration that cannot be is refused, before memory is taken for it") {
  struct Case {
    const char* part;
    const char* pointer;
    Json value;
    std::vector<std::string> message;
  };
  constexpr std::uint64_t huge = 1'000'000'000'000;
  const std::vector<Case> cases = {
      {"options", "/encoder/0/units", 0, {"Lstm: expected units > 0, got 0"}},
      {"options",
       "/encoder/0/units",
       huge,
       {"Lstm: expected units of at most 2147483647, got 1000000000000"}},
      {"options", "/encoder/0/units", 200'000, {"options: expected no more parameters than", "got 1600"}},
      {"options", "/decoder/0/units", 1'000, {"options: expected no more parameters than"}},
      {"options", "/features", 1'000'000, {"options: expected no more parameters than"}},
      {"options", "/features", 0, {"options.features: expected a size"}},
      {"options", "/steps", huge, {"options.steps: expected a size"}},
      {"options", "/encoder/0/units", -1, {"options.encoder[0].units: expected a whole number", "got -1"}},
      {"options", "/encoder/0/units", 1.5, {"options.encoder[0].units: expected a whole number", "got 1.5"}},
      {"options",
       "/encoder/0/units",
       "1",
       {"options.encoder[0].units: expected a whole number", "got \"1\""}},
      {"options", "/decoder/0/units", 1, {"tensor decoder.0.kernel: expected shape [1,4], got [1,8]"}},
      {"options", "/encoder", Json::array(), {"Autoencoder: expected at least one encoder layer"}},
      {"options", "/encoder", Json::object(), {"options.encoder: expected an array, got {}"}},
      {"options",
       "/encoder/0/activation",
       "swish",
       {"options.encoder[0].activation: expected a known name, got \"swish\""}},
      {"options", "/encoder/0/activation", 3, {"options.encoder[0].activation: expected a string, got 3"}},
      {"options", "/encoder/0/use_bias", false, {"options: expected", "encoder.0.bias"}},
      {"options", "/encoder/0/use_bias", 1, {"options.encoder[0].use_bias: expected true or false, got 1"}},
      {"options", "/encoder/0/dropout", 1.0, {"Lstm: expected dropout in [0, 1), got 1"}},
      {"options",
       "/encoder/0/dropout",
       nullptr,
       {"options.encoder[0].dropout: expected a finite number, got null"}},
      {"options",
       "/encoder/0/kernel_initializer/kind",
       "magic",
       {"kernel_initializer.kind: expected a known initialiser or one of the registry"}},
      {"options",
       "/encoder/0/more",
       1,
       {"options.encoder[0]: expected no member but those known, got \"more\""}},
      {"options", "/seed", -1, {"options.seed: expected a whole number"}},
      {"training",
       "/optimizer/kind",
       "Lion",
       {"training.optimizer.kind: expected one of the kinds Adam, AdamW, Sgd, RmsProp, or one of the "
        "registry, got \"Lion\""}},
      {"training", "/optimizer/kind", "Sgd", {"training.optimizer: expected a member momentum, got none"}},
      {"training", "/optimizer", 1, {"training.optimizer: expected an object, got 1"}},
      {"training", "/optimizer/beta_1", 1.0, {"Adam: expected beta_1 in [0, 1), got 1"}},
      {"training", "/optimizer/convention", "jax", {"training.optimizer.convention: expected a known name"}},
      {"training", "/optimizer/learning_rate/value", -1.0, {"Adam: expected learning_rate >= 0, got -1"}},
      {"training",
       "/step",
       std::uint64_t{1} << 62,
       {"training.step: expected a whole number from 0 to 9007199254740992"}},
      {"training",
       "/epochs",
       std::numeric_limits<std::uint64_t>::max(),
       {"training.epochs: expected a whole number"}},
      {"training", "/learning_rate_scale", "1", {"training.learning_rate_scale: expected a finite number"}},
  };
  for (const Case& one : cases) {
    const std::string message = refusal([&](Parts& parts) {
      Json inner = parts.inner(one.part);
      inner[Json::json_pointer(one.pointer)] = one.value;
      parts.set_inner(one.part, inner);
    });
    if (std::string(one.pointer) == "/encoder/0/use_bias" && one.value == false) {
      check_contains(message, {"tensor \"encoder.0.bias\": expected no tensor that the model does not have"});
    } else {
      check_contains(message, one.message);
    }
  }
  check_contains(refusal([](Parts& parts) {
                   Json inner = parts.inner("options");
                   inner.erase("seed");
                   parts.set_inner("options", inner);
                 }),
                 {"options: expected a member seed, got none"});
}

TEST_CASE("every kind of decoder is saved and loaded, and what is as it always was is written as it was") {
  using reprise::DecoderInput;
  using reprise::DecoderState;
  const Directory directory;
  reprise::AutoencoderOptions options{.steps = 4,
                                      .features = 1,
                                      .encoder = {{.units = 3}, {.units = 2}},
                                      .decoder = {{.units = 2}, {.units = 3}}};
  for (const auto input : {DecoderInput::repeated_code, DecoderInput::zeros, DecoderInput::previous_value}) {
    for (const auto state : {DecoderState::zeros, DecoderState::encoder}) {
      for (const bool reversed : {false, true}) {
        if (input != DecoderInput::repeated_code && state == DecoderState::zeros) continue;
        options.decoder_input = input;
        options.decoder_state = state;
        options.reverse_decoder = reversed;
        Autoencoder<double> model(options);
        model.fit(some_windows());
        reprise::save(model, directory / "model");
        check_equal(reprise::load<Autoencoder<double>>(directory / "model"), model);
        const Json written = split(read(directory / "model")).inner("options");
        CHECK(written.contains("decoder_input") == (input != DecoderInput::repeated_code));
        CHECK(written.contains("decoder_state") == (state != DecoderState::zeros));
        CHECK(written.contains("reverse_decoder") == reversed);
      }
    }
  }
  // A file may also say what it need not, but nothing that cannot be.
  const auto refused = [](const char* name, const Json& value) {
    return refusal([&](Parts& parts) {
      Json inner = parts.inner("options");
      inner[name] = value;
      parts.set_inner("options", inner);
    });
  };
  check_contains(refused("decoder_input", "nothing"), {"options.decoder_input: expected a known name"});
  check_contains(refused("reverse_decoder", 1), {"options.reverse_decoder: expected true or false, got 1"});
  check_contains(refused("decoder_input", "zeros"),
                 {"expected a decoder that reads the repeated code or starts"});
  check_contains(refused("decoder_state", "encoder"),
                 {"decoder.0: expected a state of 2 values in 2, as encoder.0 has"});
}

TEST_CASE("bytes that are changed at random, or values that are exchanged, give a model or an error") {
  const std::string& bytes = small_file();
  const Parts parts = split(bytes);
  const Directory directory;
  const fs::path path = directory / "mutated";
  int loaded = 0;

  // Bytes of the header and its length: one to four of them replaced, by any byte or by one that means
  // something.
  reprise::RandomStream random(1, reprise::Purpose::other);
  const auto header_size = static_cast<std::uint32_t>(bytes.size() - parts.data.size());
  const std::string telling = "{}[]\",:\\0123456789.-+eE \ntrufalsn";
  for (int round = 0; round < 4000; ++round) {
    std::string mutated = bytes;
    const std::uint32_t count = 1 + random.below(4);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t place = random.below(round % 10 == 0 ? 8 : header_size);
      mutated[place] = random.below(2) == 0
                           ? static_cast<char>(random.below(256))
                           : telling[random.below(static_cast<std::uint32_t>(telling.size()))];
    }
    if (round % 2 == 0) mutated = signed_again(mutated);
    write(path, mutated);
    loaded += loads_or_throws_error(path) ? 1 : 0;
  }
  CHECK(loaded < 4000);

  // Every value in the header, and in the JSON within it, replaced by each of these.
  std::vector<Json> values = {nullptr,
                              true,
                              "",
                              "F64",
                              "constant",
                              -1,
                              0,
                              1,
                              0.5,
                              -0.0,
                              1e308,
                              Json::array(),
                              Json::object(),
                              {1, 2},
                              {{"kind", "Adam"}}};
  for (const int exponent : {31, 32, 53, 62, 63}) {
    values.push_back(std::uint64_t{1} << exponent);
    values.push_back((std::uint64_t{1} << exponent) - 1);
  }
  values.push_back(std::numeric_limits<std::uint64_t>::max());
  const auto exchange = [&](const Json& whole, const auto& use) {
    const Json leaves = whole.flatten();
    for (const auto& leaf : leaves.items()) {
      for (const Json& value : values) {
        Json changed = whole;
        changed[Json::json_pointer(leaf.key())] = value;
        use(changed);
      }
    }
  };
  const auto try_out = [&](const Parts& changed) {
    write(path, join(changed));
    loads_or_throws_error(path);
  };
  exchange(parts.header, [&](const Json& header) { try_out({header, parts.data}); });
  for (const char* name : {"options", "training"}) {
    exchange(parts.inner(name), [&](const Json& inner) {
      Parts changed = parts;
      changed.set_inner(name, inner);
      try_out(changed);
    });
  }
}

TEST_CASE("inputs that are known to be hard give a model or an error") {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(here / "regressions")) {
    if (entry.path().extension() != ".safetensors") continue;
    loads_or_throws_error(entry.path());
    ++files;
  }
  CHECK(files > 0);
}

TEST_CASE("a model that could not be loaded again is not saved, and the old file stays") {
  const Directory directory;
  Autoencoder<float> model({.steps = 4, .encoder = {{.units = 1}}, .decoder = {{.units = 1}}});
  model.fit(some_windows());
  reprise::save(model, directory / "model");
  const std::string old = read(directory / "model");
  const auto message = [&](const Autoencoder<float>& bad) {
    return message_of([&] { reprise::save(bad, directory / "model"); });
  };

  Autoencoder<float> bad = model;
  bad.writable_weights()(bad.weights().size() - 1) = std::numeric_limits<float>::quiet_NaN();
  check_contains(message(bad),
                 {"model: tensor output.bias: expected values that are finite", "got nan at 0"});
  bad = model;
  bad.training_state().moments.second(0) = std::numeric_limits<float>::infinity();
  check_contains(message(bad), {"tensor optimizer.second.encoder.0.kernel", "got inf at 0"});
  bad = model;
  bad.training_state().moments.first.resize(3);
  check_contains(message(bad), {"optimizer state: first"});
  bad = model;
  bad.training_state().learning_rate_scale = std::numeric_limits<double>::infinity();
  check_contains(message(bad), {"training: expected learning_rate_scale >= 0, got inf"});
  bad = model;
  bad.training_state().epochs = -1;
  check_contains(message(bad), {"training: expected counters from 0 to 2^53, got -1"});

  CHECK(read(directory / "model") == old);
  CHECK(directory.files() == 1);
}

TEST_CASE("a save that cannot be written leaves the old file whole and nothing else") {
  const Directory directory;
  const Autoencoder<float> model({.steps = 4, .encoder = {{.units = 1}}, .decoder = {{.units = 1}}});
  const auto message = [&](const fs::path& path) { return message_of([&] { reprise::save(model, path); }); };
  check_contains(message(directory / "none/model"), {"none/model: expected to create"});
  write(directory / "file", "old");
  check_contains(message(directory / "file/model"), {"file/model: expected to create"});
  check_contains(message(directory.path), {"expected a regular file or none yet, got a directory"});
  CHECK(read(directory / "file") == "old");
  CHECK(directory.files() == 1);

  reprise::save(model, directory / "file");
  const std::string whole = read(directory / "file");
  CHECK(whole != "old");
  CHECK(directory.files() == 1);
  static_cast<void>(reprise::load<Autoencoder<float>>(directory / "file"));

  fs::create_symlink(directory / "file", directory / "link");
  write(directory / "file", "old");
  reprise::save(model, directory / "link");
  CHECK(fs::is_symlink(directory / "link"));
  CHECK(read(directory / "file") == whole);
}

#if defined(__unix__) || defined(__APPLE__)

TEST_CASE("a save to a full device leaves the old file whole and nothing else") {
  // A limit to the size of files fails like a device that fills up: at any byte, in a call to write.
  const Directory directory;
  Autoencoder<double> model({.steps = 4, .encoder = {{.units = 40}}, .decoder = {{.units = 40}}});
  reprise::save(model, directory / "model");
  const std::string old = read(directory / "model");
  REQUIRE(old.size() > 100'000);
  model.writable_weights().array() += 1.0;

  rlimit unlimited{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const std::size_t limit :
       {std::size_t{0}, std::size_t{8}, std::size_t{5000}, old.size() - 1, old.size()}) {
    rlimit limited = unlimited;
    limited.rlim_cur = limit;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limited) == 0);
    const std::string message = message_of([&] { reprise::save(model, directory / "model"); });
    REQUIRE(setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
    CAPTURE(limit);
    CHECK(directory.files() == 1);
    if (limit < old.size()) {
      check_contains(message, {"model: expected to write", ", got "});
      CHECK(read(directory / "model") == old);
    } else {
      CHECK(message == "no exception");
      CHECK(same_bits(reprise::load<Autoencoder<double>>(directory / "model").weights(), model.weights()));
    }
  }
  std::signal(SIGXFSZ, handler);
}

TEST_CASE("a save into a directory that must not be written leaves the old file whole") {
  const Directory directory;
  const Autoencoder<float> model({.steps = 4, .encoder = {{.units = 1}}, .decoder = {{.units = 1}}});
  write(directory / "model", "old");
  fs::permissions(directory.path, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                                      fs::perms::others_exec);
  // Root may write everywhere, so it is somebody else for a moment.
  const uid_t user = geteuid();
  if (user == 0) REQUIRE(seteuid(65534) == 0);
  const std::string message = message_of([&] { reprise::save(model, directory / "model"); });
  if (user == 0) REQUIRE(seteuid(0) == 0);
  fs::permissions(directory.path, fs::perms::owner_all);
  check_contains(message, {"model: expected to create", "got Permission denied"});
  CHECK(read(directory / "model") == "old");
  CHECK(directory.files() == 1);
}

TEST_CASE("a save does not replace a device, and keeps the permissions of the file that it replaces") {
  const Autoencoder<float> model({.steps = 4, .encoder = {{.units = 1}}, .decoder = {{.units = 1}}});
  const Directory directory;
  fs::create_symlink("/dev/full", directory / "device");
  check_contains(message_of([&] { reprise::save(model, directory / "device"); }),
                 {"device: expected a regular file or none yet, got something else"});
  check_contains(message_of([&] { return reprise::load<Autoencoder<float>>("/dev/zero"); }),
                 {"/dev/zero: expected a file"});

  write(directory / "private", "old");
  fs::permissions(directory / "private", fs::perms::owner_read | fs::perms::owner_write);
  reprise::save(model, directory / "private");
  CHECK(fs::status(directory / "private").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

#endif
