// Loops without memory: 24 sums in registers, so that each unit always has work.
#include "tests/bench/kernels/peaks.h"

#include <immintrin.h>

#include <cstring>
#include <ctime>
#include <vector>

namespace mortise::bench {
namespace {

constexpr int kSums = 24;
constexpr int kRounds = 2000000;

// Of this thread: what other threads do must not lower the peak.
double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

volatile float sink;

__attribute__((target("avx512f"))) double float32_avx512() {
  __m512 sums[kSums];
  for (auto& sum : sums) sum = _mm512_set1_ps(1);
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  const double begin = thread_seconds();
  for (int i = 0; i < kRounds; ++i) {
#pragma GCC unroll 24
    for (int s = 0; s < kSums; ++s) sums[s] = _mm512_fmadd_ps(sums[s], a, b);
  }
  const double seconds = thread_seconds() - begin;
  for (const auto& sum : sums) sink = sink + _mm512_cvtss_f32(sum);
  return 2.0 * 16 * kSums * kRounds / seconds;
}

__attribute__((target("avx2,fma"))) double float32_avx2() {
  constexpr int kFew = 12;
  __m256 sums[kFew];
  for (auto& sum : sums) sum = _mm256_set1_ps(1);
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  const double begin = thread_seconds();
  for (int i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
    for (int s = 0; s < kFew; ++s) sums[s] = _mm256_fmadd_ps(sums[s], a, b);
  }
  const double seconds = thread_seconds() - begin;
  for (const auto& sum : sums) sink = sink + _mm256_cvtss_f32(sum);
  return 2.0 * 8 * kFew * kRounds / seconds;
}

__attribute__((target("avx512f,avx512bf16"))) double bfloat16_avx512() {
  __m512 sums[kSums];
  for (auto& sum : sums) sum = _mm512_set1_ps(1);
  const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3F803F80);
  const double begin = thread_seconds();
  for (int i = 0; i < kRounds; ++i) {
#pragma GCC unroll 24
    for (int s = 0; s < kSums; ++s) sums[s] = _mm512_dpbf16_ps(sums[s], a, a);
  }
  const double seconds = thread_seconds() - begin;
  for (const auto& sum : sums) sink = sink + _mm512_cvtss_f32(sum);
  return 4.0 * 16 * kSums * kRounds / seconds;
}

}  // namespace

double float32_rate() {
  return __builtin_cpu_supports("avx512f") ? float32_avx512() : float32_avx2();
}

double bfloat16_rate() {
  return __builtin_cpu_supports("avx512bf16") ? bfloat16_avx512() : float32_rate();
}

double copy_rate() {
  constexpr size_t kBytes = size_t{256} << 20;
  std::vector<char> from(kBytes, 1), to(kBytes, 2);
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    const double begin = thread_seconds();
    std::memcpy(to.data(), from.data(), kBytes);
    const double rate = 2.0 * kBytes / (thread_seconds() - begin);
    best = rate > best ? rate : best;
  }
  sink = static_cast<float>(to[kBytes / 2]);
  return best;
}

}  // namespace mortise::bench
