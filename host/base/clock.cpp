// The real clock and the system's random generator. See clock.h; processes are in process.cpp.
#include "base/clock.h"

#include <sys/random.h>
#include <time.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/crypto.h"

namespace mortise::base {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

int64_t read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  int64_t now_ns() override { return read_clock(CLOCK_REALTIME); }
  int64_t monotonic_ns() override { return read_clock(CLOCK_MONOTONIC); }
  void sleep_ms(int64_t duration_ms) override {
    if (duration_ms <= 0) return;
    timespec left{duration_ms / 1000, (duration_ms % 1000) * 1'000'000};
    while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
  }
};

class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> buffer) override {
    while (!buffer.empty()) {
      const ssize_t got = ::getrandom(buffer.data(), buffer.size(), 0);
      if (got < 0) {
        if (errno == EINTR) continue;
        std::fputs("The system's random generator failed; nothing secret can be made.\n", stderr);
        std::abort();
      }
      buffer = buffer.subspan(static_cast<size_t>(got));
    }
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock instance;
  return instance;
}

Random& system_random() {
  static SystemRandom instance;
  return instance;
}

std::string format_utc(int64_t now_ns) {
  time_t seconds = static_cast<time_t>(now_ns / kNsPerSecond);
  if (now_ns % kNsPerSecond < 0) --seconds;
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const size_t size = ::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

std::string random_hex(Random& random, size_t size_bytes) {
  Bytes bytes(size_bytes);
  random.fill(bytes);
  return to_hex(bytes);
}

}  // namespace mortise::base
