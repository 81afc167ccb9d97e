// Random numbers by counter: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy
// as 1, 2, 3"). A number is a pure function of (seed, stream, index), so a run that is resumed, or
// spread over threads, draws the same ones. Used for initial weights, dropout, shuffling, sampling.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace mortise::engine {

class CounterRng {
 public:
  explicit CounterRng(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  // Four independent 32-bit numbers of block `index`.
  std::array<uint32_t, 4> block(uint64_t index) const {
    std::array<uint32_t, 4> c = {low(index), high(index), low(stream_), high(stream_)};
    uint32_t k0 = low(seed_), k1 = high(seed_);
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53} * c[0];
      const uint64_t p1 = uint64_t{0xCD9E8D57} * c[2];
      c = {high(p1) ^ c[1] ^ k0, low(p1), high(p0) ^ c[3] ^ k1, low(p0)};
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    return c;
  }

  // Number `index` of the stream.
  uint32_t bits32(uint64_t index) const { return block(index / 4)[index % 4]; }
  uint64_t bits64(uint64_t index) const {
    const auto b = block(index / 2);
    return index % 2 == 0 ? (uint64_t{b[1]} << 32 | b[0]) : (uint64_t{b[3]} << 32 | b[2]);
  }
  // In [0, 1), 53 random bits.
  double uniform(uint64_t index) const {
    return static_cast<double>(bits64(index) >> 11) * 0x1p-53;
  }
  // In 0 .. bound-1; bound > 0 (Lemire 2019, without the rejection: bias below bound * 2^-64).
  uint64_t below(uint64_t index, uint64_t bound) const {
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>((Wide{bits64(index)} * bound) >> 64);
  }
  // Standard normal (Box and Muller 1958).
  double normal(uint64_t index) const {
    const double u = 1.0 - uniform(2 * index);  // (0, 1]: the logarithm is finite
    const double v = uniform(2 * index + 1);
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  }

 private:
  static uint32_t low(uint64_t x) { return static_cast<uint32_t>(x); }
  static uint32_t high(uint64_t x) { return static_cast<uint32_t>(x >> 32); }
  uint64_t seed_, stream_;
};

}  // namespace mortise::engine
