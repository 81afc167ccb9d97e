// A Random whose bytes follow from a seed (SplitMix64), so that a test can be run again.
#pragma once

#include <algorithm>
#include <string>

#include "base/clock.h"

namespace mortise::tests {

class FixedRandom final : public base::Random {
 public:
  explicit FixedRandom(uint64_t seed) : state_(seed) {}
  void fill(std::span<std::byte> buffer) override {
    for (size_t i = 0; i < buffer.size(); i += 8) {
      uint64_t value = next();
      for (size_t b = i; b < std::min(i + 8, buffer.size()); ++b, value >>= 8) {
        buffer[b] = static_cast<std::byte>(value);
      }
    }
  }
  uint64_t next() {
    uint64_t z = state_ += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return next() % bound; }
  std::string text(size_t size) {  // of any bytes
    std::string out(size, '\0');
    fill(std::as_writable_bytes(std::span(out)));
    return out;
  }

 private:
  uint64_t state_;
};

}  // namespace mortise::tests
