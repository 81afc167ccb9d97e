// The head's product and cross entropy over the labelled rows, without ever holding their logits.
// Forward: each tile of logits is reduced to a maximum and a sum a row, then the tiles of a row are
// joined in order. Backward: logits are computed again, in groups of rows and of classes whose
// gradients fit a bounded buffer. Letters: N rows, C channels, V vocabulary, L labelled rows.
#include <algorithm>
#include <cmath>
#include <vector>

#include "device_cpu/dense.h"
#include "device_cpu/ops.h"

namespace mortise::device_cpu {
namespace {

constexpr int64_t kRowGroup = 512;     // labelled rows whose gradients exist at a time
constexpr int64_t kClassGroup = 8192;  // classes of the same: 8 MiB in bfloat16
constexpr int64_t kInnerStep = 64;     // rows that are summed over are padded to a multiple of this

struct Head {
  Type type, weight;
  int64_t rows, channels, classes, labelled;
  const void *hidden, *w;      // [N,C], [V,C]
  const int32_t *row, *label;  // [L]
};

Head read_head(const Args& args) {
  Head h{};
  h.type = args.activation(), h.weight = args.weight();
  const DLTensor& hidden = args.in(0, "hidden", dl_type(h.type), {-1, -1});
  h.rows = hidden.shape[0], h.channels = hidden.shape[1];
  const DLTensor& w = args.in(1, "w", dl_type(h.weight), {-1, h.channels});
  h.classes = w.shape[0];
  const DLTensor& rows = args.in(2, "rows", sdk::kInt32, {-1});
  h.labelled = rows.shape[0];
  const DLTensor& labels = args.in(3, "labels", sdk::kInt32, {h.labelled});
  args.check_range(rows, "rows", h.rows);
  args.check_range(labels, "labels", h.classes);
  h.hidden = Args::memory(hidden);
  h.w = Args::memory(w);
  h.row = sdk::elements<const int32_t>(rows);
  h.label = sdk::elements<const int32_t>(labels);
  return h;
}

// Hidden states of labelled rows begin .. begin+count, then zeros up to `padded` -> [padded, C]
Scratch<char> gathered(const Head& h, int64_t begin, int64_t count, int64_t padded) {
  Scratch<char> out(padded * h.channels * size_of(h.type));
  const int64_t bytes = h.channels * size_of(h.type);
  for (int64_t l = 0; l < count && bytes > 0; ++l) {
    std::memcpy(out.data() + l * bytes, at(h.hidden, h.row[begin + l] * h.channels, h.type),
                static_cast<uint64_t>(bytes));
  }
  set_zero(out.data() + count * bytes, (padded - count) * bytes);
  return out;
}

// The product of gathered rows with classes first .. first+count-1.
Dense logits_of(const Head& h, const void* hidden, int64_t rows, int64_t first, int64_t count) {
  return {rows,
          count,
          h.channels,
          {hidden, h.channels, h.type},
          {at(h.w, first * h.channels, h.weight), h.channels, h.weight},
          /*b_is_transposed=*/true};
}

// Maxima and sums of tiles [L, tiles] joined: lse of one row.
float joined(const float* max, const float* sum, int64_t tiles) {
  const float largest = *std::max_element(max, max + tiles);
  double total = 0;
  for (int64_t t = 0; t < tiles; ++t) {
    total += static_cast<double>(sum[t]) * std::exp(static_cast<double>(max[t] - largest));
  }
  return static_cast<float>(static_cast<double>(largest) + std::log(total));
}

// The backward pass over one group of labelled rows.
class GradGroup {
 public:
  // sums [rows of the group, C] in float32, or NULL; dw [V, C], or NULL.
  GradGroup(const Head& head, int64_t begin, int64_t count, const float* lse, float dloss,
            float* sums, float* dw)
      : h_(head),
        begin_(begin),
        count_(count),
        padded_(pieces_of(count, kInnerStep) * kInnerStep),
        lse_(lse),
        dloss_(dloss),
        sums_(sums),
        dw_(dw),
        hidden_(gathered(head, begin, count, padded_)) {}

  void run() {
    const int64_t most = std::min(kClassGroup, h_.classes);
    dz_ = Scratch<char>(count_ * most * size_of(h_.type));
    if (dw_ != nullptr) dz_t_ = Scratch<char>(most * padded_ * size_of(h_.type));
    for (int64_t first = 0; first < h_.classes; first += most) {
      const int64_t classes = std::min(most, h_.classes - first);
      grad_logits(first, classes);
      if (sums_ != nullptr) add_hidden(first, classes);
      if (dw_ != nullptr) add_weight(first, classes);
    }
  }

 private:
  // dz = dloss (softmax - onehot) -> dz_ [count, classes]
  void grad_logits(int64_t first, int64_t classes) {
    dense_product(logits_of(h_, hidden_.data(), count_, first, classes), [&](const Tile& t) {
      kernels().logit_grad({t.rows, t.cols, t.values, t.values_row, h_.type, lse_ + begin_ + t.row,
                            dloss_, at(dz_.data(), t.row * classes + t.col, h_.type), classes});
      for (int64_t l = t.row; l < t.row + t.rows; ++l) {
        const int64_t col = h_.label[begin_ + l] - first - t.col;
        if (col < 0 || col >= t.cols) continue;
        take_label(at(dz_.data(), l * classes + t.col + col, h_.type),
                   t.values[(l - t.row) * t.values_row + col], lse_[begin_ + l]);
      }
    });
  }
  // The gradient at the label itself, without the loss of digits of softmax - 1.
  void take_label(void* dz, float z, float lse) const {
    float rounded = z;
    if (h_.type == Type::kBfloat16) {
      rounded = sdk::bfloat16_to_float(sdk::float_to_bfloat16(z));
    }
    const float value = dloss_ * std::expm1(rounded - lse);
    kernels().narrow(h_.type, &value, dz, 1);
  }

  // sums += dz W
  void add_hidden(int64_t first, int64_t classes) {
    const Dense dense{count_,
                      h_.channels,
                      classes,
                      {dz_.data(), classes, h_.type},
                      {at(h_.w, first * h_.channels, h_.weight), h_.channels, h_.weight},
                      /*b_is_transposed=*/false};
    dense_product(dense, [&](const Tile& t) { add_tile(t, sums_); });
  }
  // dw += dz^T hidden
  void add_weight(int64_t first, int64_t classes) {
    transpose(h_.type, dz_.data(), classes, count_, classes, dz_t_.data(), padded_);
    for (int64_t v = 0; v < classes; ++v) {
      set_zero(static_cast<char*>(at(dz_t_.data(), v * padded_ + count_, h_.type)),
               (padded_ - count_) * size_of(h_.type));
    }
    const Dense dense{classes,
                      h_.channels,
                      padded_,
                      {dz_t_.data(), padded_, h_.type},
                      {hidden_.data(), h_.channels, h_.type},
                      /*b_is_transposed=*/false};
    dense_product(dense, [&](const Tile& t) { add_tile(t, dw_ + first * h_.channels); });
  }
  void add_tile(const Tile& t, float* to) const {
    for (int64_t i = 0; i < t.rows; ++i) {
      kernels().add(t.values + i * t.values_row, to + (t.row + i) * h_.channels + t.col, t.cols);
    }
  }

  const Head& h_;
  int64_t begin_, count_, padded_;
  const float* lse_;
  float dloss_;
  float *sums_, *dw_;
  Scratch<char> hidden_, dz_, dz_t_;
};

// dhidden [N, C] from the gradients of labelled rows, in label order; others become 0.
void scatter(const Head& h, const Scratch<float>& sums, void* dhidden) {
  set_zero(static_cast<char*>(dhidden), h.rows * h.channels * size_of(h.type));
  std::vector<int64_t> first(static_cast<size_t>(h.rows), -1);
  for (int64_t l = 0; l < h.labelled; ++l) {
    int64_t& owner = first[static_cast<size_t>(h.row[l])];
    if (owner < 0) {
      owner = l;
    } else {
      kernels().add(sums.data() + l * h.channels, sums.data() + owner * h.channels, h.channels);
    }
  }
  for (int64_t n = 0; n < h.rows; ++n) {
    const int64_t l = first[static_cast<size_t>(n)];
    if (l < 0) continue;
    kernels().narrow(h.type, sums.data() + l * h.channels, at(dhidden, n * h.channels, h.type),
                     h.channels);
  }
}

}  // namespace

void linear_cross_entropy(const Args& args) {
  args.counts(4, 2, 0);
  const Head h = read_head(args);
  auto* loss = sdk::elements<float>(args.out(0, "loss", sdk::kFloat32, {1}));
  auto* lse = sdk::elements<float>(args.out(1, "lse", sdk::kFloat32, {h.labelled}));
  const Scratch<char> hidden = gathered(h, 0, h.labelled, h.labelled);
  const Dense logits = logits_of(h, hidden.data(), h.labelled, 0, h.classes);
  const int64_t tile = tile_cols(logits);
  const int64_t tiles = pieces_of(h.classes, tile);
  Scratch<float> max(h.labelled * tiles), sum(h.labelled * tiles);  // [L, tiles]
  Scratch<float> at_label(h.labelled);
  dense_product(logits, [&](const Tile& t) {
    const int64_t first = t.row * tiles + t.col / tile;
    kernels().logit_stats({t.rows, t.cols, t.values, t.values_row, h.type, max.data() + first,
                           sum.data() + first, tiles});
    for (int64_t l = t.row; l < t.row + t.rows; ++l) {
      const int64_t col = h.label[l] - t.col;
      if (col >= 0 && col < t.cols) at_label[l] = t.values[(l - t.row) * t.values_row + col];
    }
  });
  double total = 0;
  for (int64_t l = 0; l < h.labelled; ++l) {
    lse[l] = joined(max.data() + l * tiles, sum.data() + l * tiles, tiles);
    total += static_cast<double>(lse[l]) - static_cast<double>(at_label[l]);
  }
  *loss = static_cast<float>(total);
}

void linear_cross_entropy_grad(const Args& args) {
  args.counts(5, 2, 1);
  const Head h = read_head(args);
  const auto* lse = sdk::elements<float>(args.in(4, "lse", sdk::kFloat32, {h.labelled}));
  void* dhidden = args.maybe_out(0, "dhidden", dl_type(h.type), {h.rows, h.channels});
  auto* dw = static_cast<float*>(args.maybe_out(1, "dw", sdk::kFloat32, {h.classes, h.channels}));
  Scratch<float> sums;
  if (dhidden != nullptr) {
    sums = Scratch<float>(h.labelled * h.channels);
    set_zero(sums.data(), h.labelled * h.channels);
  }
  for (int64_t begin = 0; begin < h.labelled; begin += kRowGroup) {
    float* group_sums = dhidden == nullptr ? nullptr : sums.data() + begin * h.channels;
    GradGroup(h, begin, std::min(kRowGroup, h.labelled - begin), lse,
              static_cast<float>(args.scalar(0)), group_sums, dw)
        .run();
  }
  if (dhidden != nullptr) scatter(h, sums, dhidden);
}

}  // namespace mortise::device_cpu
