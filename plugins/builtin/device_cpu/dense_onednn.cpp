// The only file that knows oneDNN (2.6). Compiled products are kept by shape, weights never.
#include "device_cpu/dense_onednn.h"

#include <omp.h>

#include <array>
#include <dnnl.hpp>
#include <map>
#include <mutex>

namespace mortise::device_cpu {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine one(dnnl::engine::kind::cpu, 0);
  return one;
}

memory::data_type data_type(Type type) {
  return type == Type::kFloat32 ? memory::data_type::f32 : memory::data_type::bf16;
}

// One product compiled for its shape, and the order of b that it wants.
struct Product {
  dnnl::matmul run;
  memory::desc a, packed, c, scratchpad;
};
struct Reorder {
  dnnl::reorder run;
  memory::desc plain;
};

// type, m, n, k, distance of rows of a and of c
using ProductKey = std::array<int64_t, 6>;
// type, n, k, distance of rows of b, whether b is [n, k]
using ReorderKey = std::array<int64_t, 5>;

// Compiled things by shape. Cleared when full: shapes of one model are few.
template <class Key, class Value>
class Compiled {
 public:
  template <class Make>
  std::shared_ptr<const Value> find(const Key& key, Make make) {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(key);
    if (found != values_.end()) return found->second;
    if (values_.size() >= kMost) values_.clear();
    return values_[key] = std::make_shared<const Value>(make());
  }

 private:
  static constexpr size_t kMost = 1024;
  std::mutex mutex_;
  std::map<Key, std::shared_ptr<const Value>> values_;
};

// Why never destroyed: threads may still run when a process ends.
auto& products() {
  static auto* all = new Compiled<ProductKey, Product>;
  return *all;
}
auto& reorders() {
  static auto* all = new Compiled<ReorderKey, Reorder>;
  return *all;
}

// packed: the order of b that an earlier product chose, or NULL for oneDNN's choice.
Product make_product(const ProductKey& key, const memory::desc* packed) {
  const auto [type, m, n, k, a_row, c_row] = key;
  const auto dtype = data_type(static_cast<Type>(type));
  const memory::desc a({m, k}, dtype, memory::dims{a_row, 1});
  const memory::desc c({m, n}, memory::data_type::f32, memory::dims{c_row, 1});
  const memory::desc b =
      packed != nullptr ? *packed : memory::desc({k, n}, dtype, memory::format_tag::any);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::matmul::primitive_desc made(dnnl::matmul::desc(a, b, c), attributes, engine());
  return {dnnl::matmul(made), a, made.weights_desc(), c, made.scratchpad_desc()};
}

[[noreturn]] void rethrow(const dnnl::error& error, int64_t m, int64_t n, int64_t k) {
  if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
  throw sdk::internal_fault("oneDNN refused a product of " + std::to_string(m) + " x " +
                            std::to_string(k) + " by " + std::to_string(n) + " (status " +
                            std::to_string(error.status) + "): " + error.what() + ".");
}

}  // namespace

bool is_fast(Type type) {
  static const bool has_bf16 = dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core_bf16;
  return type == Type::kFloat32 || has_bf16;
}

OneThread::OneThread() : before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}
OneThread::~OneThread() {
  omp_set_num_threads(before_);
}

struct Workbench::State {
  Scratch<char> scratchpad;
  size_t scratchpad_bytes = 0;
  dnnl::stream stream{engine()};
};

Workbench::Workbench() : state_(std::make_unique<State>()) {}
Workbench::~Workbench() = default;

struct PackedSlice::State {
  Type type;
  int64_t n, k;
  memory::desc packed;
  Scratch<char> b;
};

PackedSlice::PackedSlice(Type type, int64_t n, int64_t k, const void* b, int64_t b_row,
                         bool is_transposed) try
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.type = type;
  state.n = n;
  state.k = k;
  const auto t = static_cast<int64_t>(type);
  // The order is chosen by a product of many rows and used for all.
  constexpr int64_t kManyRows = 256;
  const ProductKey key = {t, kManyRows, n, k, k, n};
  state.packed = products().find(key, [&] { return make_product(key, nullptr); })->packed;
  const auto reorder = reorders().find({t, n, k, b_row, is_transposed}, [&] {
    const memory::dims strides = is_transposed ? memory::dims{1, b_row} : memory::dims{b_row, 1};
    const memory::desc plain({k, n}, data_type(type), strides);
    return Reorder{
        dnnl::reorder(dnnl::reorder::primitive_desc(engine(), plain, engine(), state.packed)),
        plain};
  });
  state.b = Scratch<char>(static_cast<int64_t>(state.packed.get_size()));
  // Why the cast: oneDNN takes no pointer to const; a source is not written.
  memory from(reorder->plain, engine(), const_cast<void*>(b));
  memory to(state.packed, engine(), state.b.data());
  dnnl::stream stream(engine());
  reorder->run.execute(stream, from, to);
  stream.wait();
} catch (const dnnl::error& error) {
  rethrow(error, 0, n, k);
}

PackedSlice::~PackedSlice() = default;
PackedSlice::PackedSlice(PackedSlice&&) noexcept = default;
PackedSlice& PackedSlice::operator=(PackedSlice&&) noexcept = default;

void PackedSlice::multiply(int64_t m, const void* a, int64_t a_row, float* c, int64_t c_row,
                           Workbench& workbench) const try {
  const State& state = *state_;
  Workbench::State& bench = *workbench.state_;
  const ProductKey key = {static_cast<int64_t>(state.type), m, state.n, state.k, a_row, c_row};
  const auto product = products().find(key, [&] { return make_product(key, &state.packed); });
  const size_t needed = product->scratchpad.get_size();
  if (needed > bench.scratchpad_bytes) {
    bench.scratchpad = Scratch<char>(static_cast<int64_t>(needed));
    bench.scratchpad_bytes = needed;
  }
  const memory left(product->a, engine(), const_cast<void*>(a));
  const memory right(state.packed, engine(), state.b.data());
  const memory result(product->c, engine(), c);
  const memory scratchpad(product->scratchpad, engine(), bench.scratchpad.data());
  product->run.execute(bench.stream, {{DNNL_ARG_SRC, left},
                                      {DNNL_ARG_WEIGHTS, right},
                                      {DNNL_ARG_DST, result},
                                      {DNNL_ARG_SCRATCHPAD, scratchpad}});
  bench.stream.wait();
} catch (const dnnl::error& error) {
  rethrow(error, m, state_->n, state_->k);
}

}  // namespace mortise::device_cpu
