// See progress.h.
#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/clock.h"

namespace mortise::cli {
namespace {

constexpr int kBarCells = 28;
constexpr int64_t kRedrawNs = 100'000'000;

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  char text[32];
  std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(whole / 60),
                static_cast<int>(whole % 60));
  return text;
}

}  // namespace

Progress::Progress() : is_terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (has_line_) std::fputs("\n", stderr);
}

void Progress::show(const std::string& phase, int64_t done, int64_t total) {
  if (!is_terminal_ || done < 0) return;
  const int64_t now = base::system_clock().monotonic_ns();
  if (phase != phase_) {
    if (has_line_) std::fputs("\n", stderr);
    phase_ = phase;
    began_ns_ = now;
    shown_ns_ = 0;
  }
  if (now - shown_ns_ < kRedrawNs && done != total) return;
  shown_ns_ = now;
  const double seconds = static_cast<double>(now - began_ns_) * 1e-9;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string line = "\r" + phase + " ";
  if (total > 0) {
    const auto cells = static_cast<int>(done * kBarCells / total);
    for (int i = 0; i < kBarCells; ++i) line += i < cells ? "█" : "·";
    line += " " + std::to_string(done) + "/" + std::to_string(total);
    if (rate > 0) line += "  " + duration(static_cast<double>(total - done) / rate) + " left";
  } else {
    line += std::to_string(done);
  }
  char tail[48];
  std::snprintf(tail, sizeof tail, "  %.1f/s\033[K", rate);
  std::fputs((line + tail).c_str(), stderr);
  std::fflush(stderr);
  has_line_ = true;
}

}  // namespace mortise::cli
