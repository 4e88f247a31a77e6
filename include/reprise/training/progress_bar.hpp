#pragma once

#if defined(_WIN32)
#include <io.h>
#else
#include <unistd.h>
#endif

#include <chrono>
#include <cstdio>
#include <string>

#include "../core/text.hpp"
#include "events.hpp"

namespace reprise {
inline namespace REPRISE_ABI {

/// One line on the terminal that shows how far the training is, with losses and the time left. Writes to
/// `stream` (stderr by default), and nothing at all when that is not a terminal unless `always` is set.
struct ProgressBar {
  bool always = false;
  std::FILE* stream = stderr;

  void operator()(TrainingEvent& event) {
    using Clock = std::chrono::steady_clock;
    if (event.stage == TrainingStage::begin) {
      visible_ = always || is_terminal(stream);
      validation_loss_.reset();
      started_ = shown_ = Clock::now();
    }
    if (!visible_) return;
    if (event.stage == TrainingStage::end) {
      draw(event);
      std::fputc('\n', stream);
      return;
    }
    const auto now = Clock::now();
    if (now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    draw(event);
  }

  static bool is_terminal(std::FILE* file) {
#if defined(_WIN32)
    return _isatty(_fileno(file)) != 0;
#else
    return isatty(fileno(file)) != 0;
#endif
  }

  void draw(const TrainingEvent& event) {
    const auto now = std::chrono::steady_clock::now();
    const double elapsed = std::chrono::duration<double>(now - started_).count();
    const double batches = event.batches > 0 ? static_cast<double>(event.batches) : 1.0;
    const double epoch_share = static_cast<double>(event.batch) / batches;
    const double epochs_done = static_cast<double>(event.epoch > 0 ? event.epoch - 1 : 0) + epoch_share;
    const double share = event.epochs > 0 ? epochs_done / static_cast<double>(event.epochs) : 0.0;
    const int width = 24;
    const int filled = static_cast<int>(share * width);
    std::string bar(static_cast<std::size_t>(filled), '=');
    bar.resize(static_cast<std::size_t>(width), '.');
    std::fprintf(stream, "\r\033[Kepoch %lld/%lld [%s] loss %s", static_cast<long long>(event.epoch),
                 static_cast<long long>(event.epochs), bar.c_str(),
                 detail::number_text(event.loss, 6).c_str());
    if (event.validation_loss) validation_loss_ = event.validation_loss;
    if (validation_loss_) {
      std::fprintf(stream, ", validation %s", detail::number_text(*validation_loss_, 6).c_str());
    }
    if (event.stage == TrainingStage::end) {
      std::fprintf(stream, ", %s s", detail::fixed_text(elapsed, 1).c_str());
    } else if (share > 0) {
      std::fprintf(stream, ", %s s left", detail::fixed_text(elapsed / share - elapsed, 0).c_str());
    }
    std::fflush(stream);
  }

  bool visible_ = false;
  std::optional<double> validation_loss_{};
  std::chrono::steady_clock::time_point started_{};
  std::chrono::steady_clock::time_point shown_{};
};

}  // namespace REPRISE_ABI
}  // namespace reprise
