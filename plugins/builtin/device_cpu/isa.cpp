// Which variant of the kernels runs: what the processor has, unless a test chose another.
#include <atomic>

#include "device_cpu/kernel/kernels.h"
#include "device_cpu/kernel/pairs.h"

namespace mortise::device_cpu {
namespace {

const Kernels& widest() {
  if (has(Isa::kAvx512)) return kAvx512Kernels;
  return has(Isa::kAvx2) ? kAvx2Kernels : kScalarKernels;
}

std::atomic<const Kernels*> chosen{nullptr};

}  // namespace

// Why the builtin: it also asks the operating system whether it saves the wide registers.
bool has(Isa isa) {
  if (isa == Isa::kScalar) return true;
  if (isa == Isa::kAvx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

const Kernels& kernels() {
  static const Kernels& best = widest();
  const Kernels* forced = chosen.load(std::memory_order_relaxed);
  return forced != nullptr ? *forced : best;
}

const PairKernels* pair_kernels() {
  static const bool is_there = has(Isa::kAvx512) && __builtin_cpu_supports("avx512bf16");
  return is_there && kernels().isa == Isa::kAvx512 ? &kAvx512PairKernels : nullptr;
}

void force_isa(Isa isa) {
  chosen = isa == Isa::kAvx512 ? &kAvx512Kernels
           : isa == Isa::kAvx2 ? &kAvx2Kernels
                               : &kScalarKernels;
}

}  // namespace mortise::device_cpu
