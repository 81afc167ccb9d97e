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
constexpr int64_t kLineNs = 5'000'000'000;    // between plain lines
constexpr int64_t kWindowNs = 5'000'000'000;  // of a rate

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  char text[32];
  std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(whole / 60),
                static_cast<int>(whole % 60));
  return text;
}

std::string bar(double part) {
  std::string cells;
  for (int i = 0; i < kBarCells; ++i) cells += i < part * kBarCells ? "█" : "·";
  return cells;
}

}  // namespace

void Rate::add(int64_t now_ns, uint64_t bytes) {
  if (!seen_.empty() && bytes < seen_.back().second) seen_.clear();
  seen_.emplace_back(now_ns, bytes);
  while (seen_.size() > 2 && now_ns - seen_[1].first >= kWindowNs) seen_.pop_front();
}

double Rate::per_second() const {
  if (seen_.size() < 2 || seen_.back().first == seen_.front().first) return 0;
  return static_cast<double>(seen_.back().second - seen_.front().second) * 1e9 /
         static_cast<double>(seen_.back().first - seen_.front().first);
}

std::string bytes_text(uint64_t done, uint64_t total, double per_second) {
  const double part = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
  char text[64];
  std::snprintf(text, sizeof text, "%d %%", static_cast<int>(part * 100));
  std::string line = text;
  if (per_second > 0) {
    std::snprintf(text, sizeof text, "  %.1f MB/s", per_second * 1e-6);
    line += text;
    if (done < total) {
      line += "  " + duration(static_cast<double>(total - done) / per_second) + " left";
    }
  }
  return line;
}

Progress::Progress() : is_terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (has_line_) std::fputs("\n", stderr);
}

bool Progress::is_due(const std::string& phase, int64_t every_ns, bool is_last) {
  const int64_t now = base::system_clock().monotonic_ns();
  if (phase != phase_) {
    if (has_line_) std::fputs("\n", stderr);
    phase_ = phase;
    began_ns_ = now;
    shown_ns_ = is_terminal_ ? 0 : now;  // plain lines are for what takes long
    rate_ = {};
  }
  if (now - shown_ns_ < every_ns && !is_last) return false;
  shown_ns_ = now;
  return true;
}

void Progress::draw(const std::string& line) {
  std::fputs(("\r" + line + "\033[K").c_str(), stderr);
  std::fflush(stderr);
  has_line_ = true;
}

void Progress::show(const std::string& phase, int64_t done, int64_t total) {
  if (!is_terminal_ || done < 0 || !is_due(phase, kRedrawNs, done == total)) return;
  const double seconds = static_cast<double>(shown_ns_ - began_ns_) * 1e-9;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string line = phase + " ";
  if (total > 0) {
    line += bar(static_cast<double>(done) / static_cast<double>(total)) + " " +
            std::to_string(done) + "/" + std::to_string(total);
    if (rate > 0) line += "  " + duration(static_cast<double>(total - done) / rate) + " left";
  } else {
    line += std::to_string(done);
  }
  char tail[32];
  std::snprintf(tail, sizeof tail, "  %.1f/s", rate);
  draw(line + tail);
}

void Progress::show_bytes(const std::string& phase, uint64_t done, uint64_t total) {
  const bool is_whole = done == total && is_terminal_;
  if (!is_due(phase, is_terminal_ ? kRedrawNs : kLineNs, is_whole)) return;
  rate_.add(shown_ns_, done);
  const std::string text = bytes_text(done, total, rate_.per_second());
  if (is_terminal_) {
    const double part = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
    draw(phase + " " + bar(part) + " " + text);
  } else {
    std::fprintf(stderr, "%s %s\n", phase.c_str(), text.c_str());
  }
}

}  // namespace mortise::cli
