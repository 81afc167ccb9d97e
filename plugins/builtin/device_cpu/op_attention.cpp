// Variable-length attention, forward (Dao et al. 2022, algorithm 1): tiles of keys pass by a block
// of query rows, with a running maximum and sum; no N x M matrix exists. The heads that share a key
// head are worked on together, so each tile of keys is unpacked once for all of them.
// Letters as in attention.h; B rows of a block, T keys of a tile.
#include <algorithm>
#include <cmath>
#include <vector>

#include "device_cpu/attention.h"
#include "device_cpu/ops.h"

namespace mortise::device_cpu {
namespace {

// Rows of one tile, of one head: few, so that little above the diagonal is computed.
constexpr int64_t kRowTile = 24;
constexpr int64_t kRowsShared = 256;  // rows of all heads that share an unpacked tile of keys

// The rows of one sequence and one key head that one piece computes.
struct Block {
  int64_t sequence, group, begin, count;
};

// Rows of a block, at most.
int64_t block_rows(const Attention& p) {
  return std::max(kRowsShared / p.heads_per_group(), 2 * kRowTile);
}

std::vector<Block> blocks_of(const Attention& p) {
  const int64_t rows = block_rows(p);
  std::vector<Block> blocks;
  for (int64_t s = 0; s < p.sequences; ++s) {
    const Sequence sequence = sequence_of(p, s);
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t i = 0; i < sequence.q_count; i += rows) {
        blocks.push_back({s, g, i, std::min(rows, sequence.q_count - i)});
      }
    }
  }
  return blocks;
}

// Computes blocks, one after the other, on one thread: B rows of each of r heads.
class Work {
 public:
  Work(const Attention& p, void* o, float* lse)
      : p_(p),
        o_out_(o),
        lse_out_(lse),
        rows_(block_rows(p) * p.heads_per_group()),
        q_(rows_ * p.size),
        o_(rows_ * p.size),
        max_(rows_),
        sum_(rows_),
        keys_(kKeyTile * p.size),
        keys_t_(kKeyTile * p.size),
        values_(kKeyTile * p.size),
        scores_(kRowTile * kKeyTile),
        pairs_(pairs_for(p)),
        key_units_(kKeyTile * p.size / 2),
        value_units_(kKeyTile * p.size / 2),
        weight_units_(kRowTile * kKeyTile / 2) {}

  void run(const Block& block) {
    block_ = block;
    sequence_ = sequence_of(p_, block.sequence);
    read_queries();
    // Sight only moves forward from row to row.
    const int64_t first = first_.front() / kKeyTile * kKeyTile, end = end_.back();
    for (int64_t key = first; key < end; key += kKeyTile) {
      const int64_t keys = std::min(kKeyTile, end - key);
      read_keys(key, keys);
      for (int64_t h = 0; h < p_.heads_per_group(); ++h) {
        for (int64_t i = 0; i < block_.count; i += kRowTile) step(h, i, key, keys);
      }
    }
    write();
  }

 private:
  int64_t head(int64_t h) const { return block_.group * p_.heads_per_group() + h; }
  int64_t row(int64_t i) const { return sequence_.q_begin + block_.begin + i; }

  void read_queries() {
    first_.clear();
    end_.clear();
    for (int64_t i = 0; i < block_.count; ++i) {
      const Sight sight = sight_of(p_, sequence_, block_.begin + i);
      first_.push_back(sight.first);
      end_.push_back(sight.end);
    }
    for (int64_t h = 0; h < p_.heads_per_group() && pairs_ == nullptr; ++h) {
      widen_rows(p_.type, at(p_.q, row(0) * p_.q_row + head(h) * p_.size, p_.type), p_.q_row,
                 block_.count, p_.size, q_.data() + h * block_.count * p_.size);
    }
    set_zero(o_.data(), rows_ * p_.size);
    set_zero(sum_.data(), rows_);
    std::fill_n(max_.data(), rows_, -HUGE_VALF);
  }

  // keys_t_ [D, T], values_ [T, D]; in units [D/2, T] and [T/2, D]
  void read_keys(int64_t key, int64_t keys) {
    const int64_t from = sequence_.k_begin + key, column = block_.group * p_.size;
    if (pairs_ != nullptr) {
      pairs_->transpose(units(p_.k, from * p_.k_row + column), p_.k_row / 2, keys, p_.size / 2,
                        key_units_.data(), kKeyTile);
      pairs_->pair_rows(static_cast<const uint16_t*>(p_.v) + from * p_.v_row + column, p_.v_row,
                        keys, p_.size, value_units_.data());
      return;
    }
    widen_rows(p_.type, at(p_.k, from * p_.k_row + column, p_.type), p_.k_row, keys, p_.size,
               keys_.data());
    transpose(keys);
    widen_rows(p_.type, at(p_.v, from * p_.v_row + column, p_.type), p_.v_row, keys, p_.size,
               values_.data());
  }
  void transpose(int64_t keys) {
    for (int64_t j = 0; j < keys; ++j) {
      for (int64_t d = 0; d < p_.size; ++d) keys_t_[d * kKeyTile + j] = keys_[j * p_.size + d];
    }
  }

  // Rows i .. of head h against one tile: S = Q K^T, P = exp(scale S - max), O = keep O + P V.
  void step(int64_t h, int64_t i, int64_t key, int64_t keys) {
    const int64_t count = std::min(kRowTile, block_.count - i);
    const auto at_row = static_cast<size_t>(i);
    keys = std::min(keys, end_[at_row + static_cast<size_t>(count) - 1] - key);
    if (keys <= 0 || first_[at_row] >= key + keys) return;
    const int64_t own = h * block_.count + i;
    multiply_keys(h, i, count, keys);
    kernels().softmax_step({count, keys, p_.size, key, first_.data() + i, end_.data() + i, p_.scale,
                            scores_.data(), kKeyTile, max_.data() + own, sum_.data() + own,
                            o_.data() + own * p_.size, p_.size});
    add_values(own, count, keys);
  }
  // scores_ [count, T] = Q K^T
  void multiply_keys(int64_t h, int64_t i, int64_t count, int64_t keys) {
    if (pairs_ != nullptr) {
      pairs_->product({count, keys, p_.size / 2, units(p_.q, row(i) * p_.q_row + head(h) * p_.size),
                       p_.q_row / 2, 1, key_units_.data(), kKeyTile, scores_.data(), kKeyTile,
                       /*accumulate=*/false});
      return;
    }
    kernels().product({count, keys, p_.size, q_.data() + (h * block_.count + i) * p_.size, p_.size,
                       1, keys_t_.data(), kKeyTile, scores_.data(), kKeyTile,
                       /*accumulate=*/false});
  }
  // O += P V; in units P is rounded to bfloat16.
  void add_values(int64_t own, int64_t count, int64_t keys) {
    float* o = o_.data() + own * p_.size;
    if (pairs_ != nullptr) {
      pairs_->round_pair_cols(scores_.data(), kKeyTile, count, keys, weight_units_.data(),
                              kKeyTile / 2);
      pairs_->product({count, p_.size, (keys + 1) / 2, weight_units_.data(), kKeyTile / 2, 1,
                       value_units_.data(), p_.size, o, p_.size, /*accumulate=*/true});
      return;
    }
    kernels().product({count, p_.size, keys, scores_.data(), kKeyTile, 1, values_.data(), p_.size,
                       o, p_.size, /*accumulate=*/true});
  }

  // O / sum, rounded; lse = max + log sum, minus infinity for rows that saw nothing.
  void write() {
    for (int64_t h = 0; h < p_.heads_per_group(); ++h) {
      for (int64_t i = 0; i < block_.count; ++i) {
        const int64_t own = h * block_.count + i;
        float* o = o_.data() + own * p_.size;
        const float inverse = sum_[own] > 0 || sum_[own] != sum_[own] ? 1 / sum_[own] : 0;
        for (int64_t d = 0; d < p_.size; ++d) o[d] *= inverse;
        kernels().narrow(p_.type, o, at(o_out_, (row(i) * p_.heads + head(h)) * p_.size, p_.type),
                         p_.size);
        lse_out_[head(h) * p_.rows + row(i)] = max_[own] + std::log(sum_[own]);
      }
    }
  }

  const Attention& p_;
  Block block_{};
  Sequence sequence_{};
  void* o_out_;
  float* lse_out_;
  int64_t rows_;              // r * B, at most
  Scratch<float> q_, o_;      // [r, B, D]
  Scratch<float> max_, sum_;  // [r, B]
  Scratch<float> keys_, keys_t_, values_, scores_;
  const PairKernels* pairs_;
  Scratch<uint32_t> key_units_, value_units_, weight_units_;
  std::vector<int64_t> first_, end_;  // [B]
};

}  // namespace

void attention(const Args& args) {
  args.counts(5, 2, 3);
  const Attention p = read_attention(args, 0, 3);
  void* o = Args::memory(args.out(0, "o", dl_type(p.type), {p.rows, p.heads, p.size}));
  auto* lse = sdk::elements<float>(args.out(1, "lse", sdk::kFloat32, {p.heads, p.rows}));
  // Rows before the first and after the last sequence see nothing.
  const auto clear = [&](int64_t begin, int64_t end) {
    set_zero(static_cast<char*>(at(o, begin * p.heads * p.size, p.type)),
             (end - begin) * p.heads * p.size * size_of(p.type));
    for (int64_t h = 0; h < p.heads; ++h) {
      for (int64_t n = begin; n < end; ++n) lse[h * p.rows + n] = -HUGE_VALF;
    }
  };
  clear(0, p.q_bounds[0]);
  clear(p.q_bounds[p.sequences], p.rows);
  const std::vector<Block> blocks = blocks_of(p);
  for_each_range(static_cast<int64_t>(blocks.size()), [&](int64_t begin, int64_t end) {
    Work work(p, o, lse);
    for (int64_t i = begin; i < end; ++i) work.run(blocks[static_cast<size_t>(i)]);
  });
}

}  // namespace mortise::device_cpu
