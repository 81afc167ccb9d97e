// Variable-length attention, backward (Dao et al. 2022, algorithm 4): P is computed again from the
// saved lse, a tile at a time. One piece is one sequence and one key head with all its query heads,
// so gradients of keys and values are summed by one thread, in a fixed order.
// Letters as in attention.h; B rows of a block, T keys of a tile.
#include <algorithm>
#include <vector>

#include "device_cpu/attention.h"
#include "device_cpu/ops.h"

namespace mortise::device_cpu {
namespace {

constexpr int64_t kRowTile = 48;  // query rows of one tile, of one head

struct Grad {
  Attention p;
  const void *d_o, *o;  // [N,H,D]
  const float* lse;     // [H,N]
  void *dq, *dk, *dv;   // [N,H,D], [M,G,D] twice
};

// Rows of the longest sequence.
int64_t longest(const Attention& p) {
  int64_t rows = 0;
  for (int64_t s = 0; s < p.sequences; ++s) rows = std::max(rows, sequence_of(p, s).q_count);
  return rows;
}

// Computes sequences, one after the other, on one thread.
class Work {
 public:
  explicit Work(const Grad& grad)
      : g_(grad),
        p_(grad.p),
        dq_(p_.heads_per_group() * longest(p_) * p_.size),
        delta_(p_.heads_per_group() * longest(p_)),
        k_(kKeyTile * p_.size),
        k_t_(kKeyTile * p_.size),
        v_t_(kKeyTile * p_.size),
        dk_(kKeyTile * p_.size),
        dv_(kKeyTile * p_.size),
        q_(kRowTile * p_.size),
        d_o_(kRowTile * p_.size),
        scores_(kRowTile * kKeyTile),
        dp_(kRowTile * kKeyTile),
        pairs_(pairs_for(grad.p)),
        k_t_units_(kKeyTile * p_.size / 2),
        v_t_units_(kKeyTile * p_.size / 2),
        k_units_(kKeyTile * p_.size / 2),
        q_units_(kRowTile * p_.size / 2),
        d_o_units_(kRowTile * p_.size / 2),
        score_units_(kRowTile * kKeyTile / 2),
        dp_units_(kRowTile * kKeyTile / 2) {}

  void run(int64_t sequence, int64_t group) {
    s_ = sequence_of(p_, sequence);
    group_ = group;
    begin();
    for (int64_t key = 0; key < s_.k_count; key += kKeyTile) {
      const int64_t keys = std::min(kKeyTile, s_.k_count - key);
      read_keys(key, keys);
      for (int64_t h = 0; h < p_.heads_per_group(); ++h) {
        for (int64_t i = 0; i < s_.q_count; i += kRowTile) step(h, i, key, keys);
      }
      write(g_.dk, dk_.data(), key, keys);
      write(g_.dv, dv_.data(), key, keys);
    }
    write_dq();
  }

 private:
  // Element of row i, head h of the group, in a compact [N,H,D].
  int64_t compact(int64_t h, int64_t i) const {
    return ((s_.q_begin + i) * p_.heads + head(h)) * p_.size;
  }
  int64_t head(int64_t h) const { return group_ * p_.heads_per_group() + h; }

  // delta = rowsum(dO O) [r, n]; what each row sees.
  void begin() {
    first_.clear();
    end_.clear();
    set_zero(dq_.data(), p_.heads_per_group() * s_.q_count * p_.size);
    const int64_t row = p_.heads * p_.size;
    for (int64_t h = 0; h < p_.heads_per_group(); ++h) {
      kernels().row_dots(p_.type, at(g_.d_o, compact(h, 0), p_.type), row,
                         at(g_.o, compact(h, 0), p_.type), row, s_.q_count, p_.size,
                         delta_.data() + h * s_.q_count);
    }
    for (int64_t i = 0; i < s_.q_count; ++i) {
      const Sight sight = sight_of(p_, s_, i);
      first_.push_back(sight.first);
      end_.push_back(sight.end);
    }
  }

  // k_ [T, D], k_t_ and v_t_ [D, T]
  void read_keys(int64_t key, int64_t keys) {
    const int64_t from = s_.k_begin + key, column = group_ * p_.size;
    set_zero(dk_.data(), keys * p_.size);
    set_zero(dv_.data(), keys * p_.size);
    if (pairs_ != nullptr) return read_key_units(from, column, keys);
    widen_rows(p_.type, at(p_.v, from * p_.v_row + column, p_.type), p_.v_row, keys, p_.size,
               k_.data());
    transpose(keys, v_t_.data());
    widen_rows(p_.type, at(p_.k, from * p_.k_row + column, p_.type), p_.k_row, keys, p_.size,
               k_.data());
    transpose(keys, k_t_.data());
  }
  // In units: k_t_units_ and v_t_units_ [D/2, T], k_units_ [T/2, D]
  void read_key_units(int64_t from, int64_t column, int64_t keys) {
    pairs_->transpose(units(p_.k, from * p_.k_row + column), p_.k_row / 2, keys, p_.size / 2,
                      k_t_units_.data(), kKeyTile);
    pairs_->transpose(units(p_.v, from * p_.v_row + column), p_.v_row / 2, keys, p_.size / 2,
                      v_t_units_.data(), kKeyTile);
    pairs_->pair_rows(static_cast<const uint16_t*>(p_.k) + from * p_.k_row + column, p_.k_row, keys,
                      p_.size, k_units_.data());
  }
  void transpose(int64_t keys, float* to) {
    for (int64_t j = 0; j < keys; ++j) {
      for (int64_t d = 0; d < p_.size; ++d) to[d * kKeyTile + j] = k_[j * p_.size + d];
    }
  }

  // P = exp(scale Q K^T - lse); dV += P^T dO; dS = scale P (dO V^T - delta); dK += dS^T Q;
  // dQ += dS K.
  void step(int64_t h, int64_t i, int64_t key, int64_t keys) {
    const int64_t count = std::min(kRowTile, s_.q_count - i), size = p_.size;
    const auto at_row = static_cast<size_t>(i);
    keys = std::min(keys, end_[at_row + static_cast<size_t>(count) - 1] - key);
    if (keys <= 0 || first_[at_row] >= key + keys) return;
    pairs_ != nullptr ? score_units(h, i, count, keys) : score(h, i, count, keys);
    kernels().softmax_grad({count, keys, key, first_.data() + i, end_.data() + i, p_.scale,
                            scores_.data(), dp_.data(), kKeyTile,
                            g_.lse + head(h) * p_.rows + s_.q_begin + i,
                            delta_.data() + h * s_.q_count + i});
    float* dq = dq_.data() + (h * s_.q_count + i) * size;
    pairs_ != nullptr ? add_units(count, keys, dq) : add(count, keys, dq);
  }
  // scores_ = Q K^T, dp_ = dO V^T [count, T]
  void score(int64_t h, int64_t i, int64_t count, int64_t keys) {
    const int64_t size = p_.size;
    widen_rows(p_.type, at(p_.q, (s_.q_begin + i) * p_.q_row + head(h) * size, p_.type), p_.q_row,
               count, size, q_.data());
    widen_rows(p_.type, at(g_.d_o, compact(h, i), p_.type), p_.heads * size, count, size,
               d_o_.data());
    kernels().product({count, keys, size, q_.data(), size, 1, k_t_.data(), kKeyTile, scores_.data(),
                       kKeyTile, false});
    kernels().product({count, keys, size, d_o_.data(), size, 1, v_t_.data(), kKeyTile, dp_.data(),
                       kKeyTile, false});
  }
  // dV += P^T dO; dK += dS^T Q; dQ += dS K
  void add(int64_t count, int64_t keys, float* dq) {
    const int64_t size = p_.size;
    kernels().product({keys, size, count, scores_.data(), 1, kKeyTile, d_o_.data(), size,
                       dv_.data(), size, true});
    kernels().product(
        {keys, size, count, dp_.data(), 1, kKeyTile, q_.data(), size, dk_.data(), size, true});
    kernels().product(
        {count, size, keys, dp_.data(), kKeyTile, 1, k_.data(), size, dq, size, true});
  }
  // The same two in units; P and dS are rounded to bfloat16.
  void score_units(int64_t h, int64_t i, int64_t count, int64_t keys) {
    const int64_t q_at = (s_.q_begin + i) * p_.q_row + head(h) * p_.size, d_o_at = compact(h, i);
    const int64_t row = p_.heads * p_.size;
    pairs_->product({count, keys, p_.size / 2, units(p_.q, q_at), p_.q_row / 2, 1,
                     k_t_units_.data(), kKeyTile, scores_.data(), kKeyTile, false});
    pairs_->product({count, keys, p_.size / 2, units(g_.d_o, d_o_at), row / 2, 1, v_t_units_.data(),
                     kKeyTile, dp_.data(), kKeyTile, false});
    pairs_->pair_rows(static_cast<const uint16_t*>(p_.q) + q_at, p_.q_row, count, p_.size,
                      q_units_.data());
    pairs_->pair_rows(static_cast<const uint16_t*>(g_.d_o) + d_o_at, row, count, p_.size,
                      d_o_units_.data());
  }
  void add_units(int64_t count, int64_t keys, float* dq) {
    const int64_t size = p_.size, half = (count + 1) / 2;
    pairs_->round_pair_rows(scores_.data(), kKeyTile, count, keys, score_units_.data(), kKeyTile);
    pairs_->product({keys, size, half, score_units_.data(), 1, kKeyTile, d_o_units_.data(), size,
                     dv_.data(), size, true});
    pairs_->round_pair_rows(dp_.data(), kKeyTile, count, keys, dp_units_.data(), kKeyTile);
    pairs_->product({keys, size, half, dp_units_.data(), 1, kKeyTile, q_units_.data(), size,
                     dk_.data(), size, true});
    pairs_->round_pair_cols(dp_.data(), kKeyTile, count, keys, dp_units_.data(), kKeyTile / 2);
    pairs_->product({count, size, (keys + 1) / 2, dp_units_.data(), kKeyTile / 2, 1,
                     k_units_.data(), size, dq, size, true});
  }

  void write(void* out, const float* from, int64_t key, int64_t keys) {
    for (int64_t j = 0; j < keys; ++j) {
      const int64_t to = ((s_.k_begin + key + j) * p_.groups + group_) * p_.size;
      kernels().narrow(p_.type, from + j * p_.size, at(out, to, p_.type), p_.size);
    }
  }
  void write_dq() {
    for (int64_t h = 0; h < p_.heads_per_group(); ++h) {
      for (int64_t i = 0; i < s_.q_count; ++i) {
        kernels().narrow(p_.type, dq_.data() + (h * s_.q_count + i) * p_.size,
                         at(g_.dq, compact(h, i), p_.type), p_.size);
      }
    }
  }

  const Grad& g_;
  const Attention& p_;
  Sequence s_{};
  int64_t group_ = 0;
  Scratch<float> dq_, delta_;               // [r, n, D], [r, n]
  Scratch<float> k_, k_t_, v_t_, dk_, dv_;  // one tile of keys
  Scratch<float> q_, d_o_, scores_, dp_;    // one block of rows
  const PairKernels* pairs_;
  Scratch<uint32_t> k_t_units_, v_t_units_, k_units_;               // one tile of keys
  Scratch<uint32_t> q_units_, d_o_units_, score_units_, dp_units_;  // one block of rows
  std::vector<int64_t> first_, end_;                                // [n]
};

// Rows of [rows, heads, D] outside begin .. end become 0.
void clear_outside(const Attention& p, void* out, int64_t rows, int64_t heads, int64_t begin,
                   int64_t end) {
  const int64_t row = heads * p.size * size_of(p.type);
  set_zero(static_cast<char*>(out), begin * row);
  set_zero(static_cast<char*>(out) + end * row, (rows - end) * row);
}

}  // namespace

void attention_grad(const Args& args) {
  args.counts(8, 3, 3);
  Grad grad{};
  grad.p = read_attention(args, 1, 6);
  const Attention& p = grad.p;
  const DLDataType dtype = dl_type(p.type);
  grad.d_o = Args::memory(args.in(0, "do", dtype, {p.rows, p.heads, p.size}));
  grad.o = Args::memory(args.in(4, "o", dtype, {p.rows, p.heads, p.size}));
  grad.lse = sdk::elements<float>(args.in(5, "lse", sdk::kFloat32, {p.heads, p.rows}));
  grad.dq = Args::memory(args.out(0, "dq", dtype, {p.rows, p.heads, p.size}));
  grad.dk = Args::memory(args.out(1, "dk", dtype, {p.keys, p.groups, p.size}));
  grad.dv = Args::memory(args.out(2, "dv", dtype, {p.keys, p.groups, p.size}));
  const int64_t s = p.sequences;
  clear_outside(p, grad.dq, p.rows, p.heads, p.q_bounds[0], p.q_bounds[s]);
  clear_outside(p, grad.dk, p.keys, p.groups, p.k_bounds[0], p.k_bounds[s]);
  clear_outside(p, grad.dv, p.keys, p.groups, p.k_bounds[0], p.k_bounds[s]);
  for_each_range(s * p.groups, [&](int64_t begin, int64_t end) {
    Work work(grad);
    for (int64_t i = begin; i < end; ++i) work.run(i / p.groups, i % p.groups);
  });
}

}  // namespace mortise::device_cpu
