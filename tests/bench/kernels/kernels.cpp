// Rates of device_cpu's operations at training sizes. Counters: GFLOPs (or GB/s) and the share of
// the peak of so many threads, probed in the same run, by processor time. MORTISE_BENCH_THREADS
// sets the threads. Letters: T packed tokens, C channels, R rank, V vocabulary, L labelled rows.
#include "device_cpu/kernel/kernels.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

#include "device_cpu/ops.h"
#include "plugin/pool.h"
#include "tests/bench/kernels/peaks.h"

namespace mortise::bench {
namespace {

plugin::Pool* the_pool = nullptr;

struct Peaks {
  double float32, bfloat16, copy;
};

// Of all threads together.
const Peaks& peaks() {
  static const Peaks all = [] {
    const uint32_t threads = the_pool->threads_count();
    std::vector<Peaks> each(threads);
    const auto probe = [&](uint64_t i) {
      Peaks best{};
      for (int round = 0; round < 5; ++round) {
        best.float32 = std::max(best.float32, float32_rate());
        best.bfloat16 = std::max(best.bfloat16, bfloat16_rate());
      }
      best.copy = copy_rate();
      each[i] = best;
    };
    std::vector<std::thread> running;
    for (uint32_t i = 0; i < threads; ++i) running.emplace_back(probe, i);
    for (std::thread& thread : running) thread.join();
    Peaks sum{};
    for (const Peaks& one : each) {
      sum.float32 += one.float32;
      sum.bfloat16 += one.bfloat16;
      sum.copy += one.copy;
    }
    return sum;
  }();
  return all;
}

// Seconds on the wall, and of the processor in all threads of this process.
double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double processor_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A tensor with a place in memory; small numbers that are not all alike.
class Tensor {
 public:
  Tensor(DLDataType type, std::vector<int64_t> shape) : shape_(std::move(shape)) {
    int64_t count = 1;
    for (const int64_t size : shape_) count *= size;
    bytes_ = std::make_unique<char[]>(static_cast<size_t>(count) * type.bits / 8 + 64);
    view_.data = bytes_.get();
    view_.device = {kDLCPU, 0};
    view_.ndim = static_cast<int32_t>(shape_.size());
    view_.dtype = type;
    view_.shape = shape_.data();
    uint32_t state = 12345;
    for (int64_t i = 0; i < count; ++i) {
      state = state * 1664525 + 1013904223;
      const float value = static_cast<float>(state >> 16) / 65536.0f - 0.5f;
      if (type.bits == 16) {
        static_cast<uint16_t*>(view_.data)[i] = sdk::float_to_bfloat16(value);
      } else if (type.code == kDLFloat) {
        static_cast<float*>(view_.data)[i] = value;
      } else {
        static_cast<int32_t*>(view_.data)[i] = static_cast<int32_t>(i);
      }
    }
  }
  const DLTensor* view() const { return &view_; }
  int32_t* ints() { return static_cast<int32_t*>(view_.data); }
  float* floats() { return static_cast<float*>(view_.data); }

 private:
  std::vector<int64_t> shape_;
  std::unique_ptr<char[]> bytes_;
  DLTensor view_{};
};
using Tensors = std::vector<std::shared_ptr<Tensor>>;

std::shared_ptr<Tensor> make(DLDataType type, std::vector<int64_t> shape) {
  return std::make_shared<Tensor>(type, std::move(shape));
}

struct Work {
  const char* op;
  DLDataType type;
  Tensors inputs, outputs;
  std::vector<double> scalars;
  double flops, bytes;  // of one launch; the one that is 0 is not shown
  bool by_float32;      // the kernel multiplies in float32 whatever the type
};

void run(benchmark::State& state, const Work& work) {
  const sdk::PreparedOp op(*device_cpu::device_ops(), work.op, work.type, work.type, 0);
  std::vector<const DLTensor*> in, out;
  for (const auto& t : work.inputs) in.push_back(t ? t->view() : nullptr);
  for (const auto& t : work.outputs) out.push_back(t ? t->view() : nullptr);
  op.launch(in, out, work.scalars, nullptr);  // compiles the products
  const double begin = seconds_now(), processor = processor_seconds();
  for (auto _ : state) op.launch(in, out, work.scalars, nullptr);
  const auto rounds = static_cast<double>(state.iterations());
  const double seconds = (seconds_now() - begin) / rounds;
  // Why not the wall: other work on the machine would be counted against the kernel.
  const double cores = (processor_seconds() - processor) / rounds / the_pool->threads_count();
  if (work.flops > 0) {
    const bool wide = work.by_float32 || work.type.bits == 32;
    state.counters["GFLOPs"] = work.flops / seconds / 1e9;
    state.counters["of_peak"] = work.flops / cores / (wide ? peaks().float32 : peaks().bfloat16);
  }
  if (work.bytes > 0) {
    state.counters["GB/s"] = work.bytes / seconds / 1e9;
    state.counters["of_copy"] = work.bytes / cores / peaks().copy;
  }
}

DLDataType type_of(const benchmark::State& state, int argument) {
  return state.range(argument) == 16 ? sdk::kBfloat16 : sdk::kFloat32;
}
double product(double a, double b, double c) {
  return 2 * a * b * c;
}
double d(int64_t value) {
  return static_cast<double>(value);
}

// Arguments: bits, T, K, O.
void linear(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t t = state.range(1), k = state.range(2), o = state.range(3);
  run(state, {"linear",
              type,
              {make(type, {t, k}), make(type, {o, k}), nullptr},
              {make(type, {t, o})},
              {},
              product(d(t), d(k), d(o)),
              0,
              false});
}
constexpr int64_t kRank = 16;
void linear_lora(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t t = state.range(1), k = state.range(2), o = state.range(3);
  run(state, {"linear_lora",
              type,
              {make(type, {t, k}), make(type, {o, k}), nullptr, make(sdk::kFloat32, {kRank, k}),
               make(sdk::kFloat32, {o, kRank})},
              {make(type, {t, o}), make(sdk::kFloat32, {t, kRank})},
              {2},
              product(d(t), d(k), d(o)) + product(d(t), kRank, d(k + o)),
              0,
              false});
}
void linear_lora_grad(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t t = state.range(1), k = state.range(2), o = state.range(3);
  run(state,
      {"linear_lora_grad",
       type,
       {make(type, {t, o}), make(type, {t, k}), make(type, {o, k}), make(sdk::kFloat32, {kRank, k}),
        make(sdk::kFloat32, {o, kRank}), make(sdk::kFloat32, {t, kRank})},
       {make(type, {t, k}), make(sdk::kFloat32, {kRank, k}), make(sdk::kFloat32, {o, kRank})},
       {2},
       product(d(t), d(k), d(o)) + 2 * product(d(t), kRank, d(k + o)),
       0,
       false});
}
void linear_grad_weight(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t t = state.range(1), k = state.range(2), o = state.range(3);
  run(state, {"linear_grad_weight",
              type,
              {make(type, {t, o}), make(type, {t, k})},
              {make(type, {o, k}), nullptr},
              {},
              product(d(t), d(k), d(o)),
              0,
              false});
}

// Arguments: bits, T, H, G, D, tokens of a sequence.
struct Heads {
  DLDataType type;
  int64_t tokens, heads, groups, size, length;
  std::shared_ptr<Tensor> bounds() const {
    auto made = make(sdk::kInt32, {tokens / length + 1});
    for (int64_t s = 0; s <= tokens / length; ++s) {
      made->ints()[s] = static_cast<int32_t>(s * length);
    }
    return made;
  }
  // Multiplications of one product over the visible half of each square.
  double square() const { return product(d(tokens), d(length + 1) / 2, d(heads * size)); }
};
Heads heads_of(const benchmark::State& state) {
  return {type_of(state, 0), state.range(1), state.range(2),
          state.range(3),    state.range(4), state.range(5)};
}
void attention(benchmark::State& state) {
  const Heads h = heads_of(state);
  run(state,
      {"attention",
       h.type,
       {make(h.type, {h.tokens, h.heads, h.size}), make(h.type, {h.tokens, h.groups, h.size}),
        make(h.type, {h.tokens, h.groups, h.size}), h.bounds(), h.bounds()},
       {make(h.type, {h.tokens, h.heads, h.size}), make(sdk::kFloat32, {h.heads, h.tokens})},
       {0.125, 1, 0},
       2 * h.square(),
       0,
       true});
}
void attention_grad(benchmark::State& state) {
  const Heads h = heads_of(state);
  const auto q = make(h.type, {h.tokens, h.heads, h.size});
  const auto k = make(h.type, {h.tokens, h.groups, h.size});
  auto lse = make(sdk::kFloat32, {h.heads, h.tokens});
  std::fill_n(lse->floats(), h.heads * h.tokens, 6.0f);
  run(state,
      {"attention_grad",
       h.type,
       {q, q, k, k, q, lse, h.bounds(), h.bounds()},
       {make(h.type, {h.tokens, h.heads, h.size}), make(h.type, {h.tokens, h.groups, h.size}),
        make(h.type, {h.tokens, h.groups, h.size})},
       {0.125, 1, 0},
       5 * h.square(),
       0,
       true});
}

// Arguments: bits, L, C, V.
void linear_cross_entropy(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t l = state.range(1), c = state.range(2), v = state.range(3);
  run(state,
      {"linear_cross_entropy",
       type,
       {make(type, {l, c}), make(type, {v, c}), make(sdk::kInt32, {l}), make(sdk::kInt32, {l})},
       {make(sdk::kFloat32, {1}), make(sdk::kFloat32, {l})},
       {},
       product(d(l), d(c), d(v)),
       0,
       false});
}
void linear_cross_entropy_grad(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t l = state.range(1), c = state.range(2), v = state.range(3);
  auto lse = make(sdk::kFloat32, {l});
  std::fill_n(lse->floats(), l, 10.0f);
  run(state, {"linear_cross_entropy_grad",
              type,
              {make(type, {l, c}), make(type, {v, c}), make(sdk::kInt32, {l}),
               make(sdk::kInt32, {l}), lse},
              {make(type, {l, c}), nullptr},
              {1},
              2 * product(d(l), d(c), d(v)),
              0,
              false});
}

// Arguments: bits, T, C.
void rms_norm(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t t = state.range(1), c = state.range(2);
  run(state, {"rms_norm",
              type,
              {make(type, {t, c}), make(type, {c}), make(type, {t, c})},
              {make(type, {t, c}), make(sdk::kFloat32, {t}), make(type, {t, c})},
              {1e-6},
              0,
              4 * d(t) * d(c) * type.bits / 8,
              false});
}
void rms_norm_grad(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t t = state.range(1), c = state.range(2);
  run(state, {"rms_norm_grad",
              type,
              {make(type, {t, c}), make(type, {t, c}), make(type, {c}), make(sdk::kFloat32, {t})},
              {make(type, {t, c}), nullptr},
              {},
              0,
              3 * d(t) * d(c) * type.bits / 8,
              false});
}
void swiglu(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t t = state.range(1), f = state.range(2);
  run(state, {"swiglu",
              type,
              {make(type, {t, f}), make(type, {t, f})},
              {make(type, {t, f})},
              {},
              0,
              3 * d(t) * d(f) * type.bits / 8,
              false});
}
void swiglu_grad(benchmark::State& state) {
  const DLDataType type = type_of(state, 0);
  const int64_t t = state.range(1), f = state.range(2);
  run(state, {"swiglu_grad",
              type,
              {make(type, {t, f}), make(type, {t, f}), make(type, {t, f})},
              {make(type, {t, f}), make(type, {t, f})},
              {},
              0,
              5 * d(t) * d(f) * type.bits / 8,
              false});
}
void adamw(benchmark::State& state) {
  const int64_t p = state.range(0);
  const auto f = sdk::kFloat32;
  auto v = make(f, {p});
  std::fill_n(v->floats(), p, 0.01f);
  run(state, {"adamw",
              f,
              {make(f, {p})},
              {make(f, {p}), make(f, {p}), v},
              {1e-4, 0.9, 0.999, 1e-8, 0, 3, 1},
              0,
              7.0 * 4 * d(p),
              false});
}

void dense_sizes(benchmark::internal::Benchmark* bench) {
  for (const int64_t bits : {16, 32}) {
    for (const auto& [k, o] : std::vector<std::pair<int64_t, int64_t>>{
             {512, 512}, {512, 1376}, {896, 896}, {896, 128}, {896, 4864}, {4864, 896}}) {
      bench->Args({bits, 2048, k, o});
    }
  }
}
BENCHMARK(linear)
    ->Apply(dense_sizes)
    ->Args({16, 1, 896, 4864})
    ->Args({16, 8, 896, 4864})
    ->Args({16, 509, 896, 896})
    ->UseRealTime();
BENCHMARK(linear_lora)->Apply(dense_sizes)->UseRealTime();
BENCHMARK(linear_lora_grad)->Apply(dense_sizes)->UseRealTime();
BENCHMARK(linear_grad_weight)
    ->Args({16, 2048, 896, 896})
    ->Args({16, 2048, 896, 4864})
    ->UseRealTime();
BENCHMARK(attention)
    ->Args({16, 2048, 14, 2, 64, 2048})
    ->Args({16, 2048, 14, 2, 64, 256})
    ->Args({16, 2048, 8, 8, 64, 2048})
    ->Args({32, 2048, 14, 2, 64, 256})
    ->UseRealTime();
BENCHMARK(attention_grad)
    ->Args({16, 2048, 14, 2, 64, 2048})
    ->Args({16, 2048, 14, 2, 64, 256})
    ->Args({16, 2048, 8, 8, 64, 2048})
    ->Args({32, 2048, 14, 2, 64, 256})
    ->UseRealTime();
BENCHMARK(linear_cross_entropy)
    ->Args({16, 512, 896, 32000})
    ->Args({16, 64, 896, 32000})
    ->Args({32, 512, 512, 16384})
    ->UseRealTime();
BENCHMARK(linear_cross_entropy_grad)
    ->Args({16, 512, 896, 32000})
    ->Args({16, 64, 896, 32000})
    ->Args({32, 512, 512, 16384})
    ->UseRealTime();
BENCHMARK(rms_norm)->Args({16, 2048, 896})->UseRealTime();
BENCHMARK(rms_norm_grad)->Args({16, 2048, 896})->UseRealTime();
BENCHMARK(swiglu)->Args({16, 2048, 4864})->UseRealTime();
BENCHMARK(swiglu_grad)->Args({16, 2048, 4864})->UseRealTime();
BENCHMARK(adamw)->Arg(10000000)->UseRealTime();

const void* find_service(mortise_host*, mortise_text id) {
  static const mortise_pool_service pool = [] {
    mortise_pool_service service{};
    service.struct_size = sizeof(service);
    service.threads_count = [](mortise_host*) { return the_pool->threads_count(); };
    service.parallel_for = [](mortise_host*, uint64_t count, uint64_t grain,
                              void (*body)(void*, uint64_t, uint64_t),
                              void* user) { the_pool->parallel_for(count, grain, body, user); };
    return service;
  }();
  return sdk::view(id) == MORTISE_SERVICE_POOL ? &pool : nullptr;
}

}  // namespace
}  // namespace mortise::bench

int main(int argc, char** argv) {
  const char* threads = std::getenv("MORTISE_BENCH_THREADS");
  const auto count = threads != nullptr ? static_cast<uint32_t>(std::atoi(threads))
                                        : std::thread::hardware_concurrency();
  mortise::plugin::Pool pool(count);
  mortise::bench::the_pool = &pool;
  mortise_hello hello{};
  hello.get_service = mortise::bench::find_service;
  mortise::sdk::set_host(hello);
  benchmark::Initialize(&argc, argv);
  const auto& peaks = mortise::bench::peaks();
  benchmark::AddCustomContext("peak_float32_gflops", std::to_string(peaks.float32 / 1e9));
  benchmark::AddCustomContext("peak_bfloat16_gflops", std::to_string(peaks.bfloat16 / 1e9));
  benchmark::AddCustomContext("peak_copy_gbs", std::to_string(peaks.copy / 1e9));
  benchmark::RunSpecifiedBenchmarks();
}
