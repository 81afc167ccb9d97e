// How a product is cut: columns into slices of kTileCols, rows into blocks. See dense.h.
// Letters: M rows, N columns, K inner size.
#include "device_cpu/dense.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "device_cpu/dense_onednn.h"

namespace mortise::device_cpu {
namespace {

constexpr int64_t kTileCols = 256;
constexpr int64_t kTileRows = 256;     // of one multiplication
constexpr int64_t kRowStep = 32;       // the last block of rows is padded to a multiple of this
constexpr int64_t kPiecesWanted = 16;  // when columns alone give fewer, rows are cut too
constexpr int64_t kSmall = int64_t{1} << 20;  // multiplications below which oneDNN does not pay
constexpr int64_t kDotCols = 64;              // columns of one piece of a product of few rows

int64_t round_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

// [rows, cols] in another type, compact.
void copy_as(Type from_type, const void* from, int64_t from_row, int64_t rows, int64_t cols,
             Type to_type, void* to) {
  for (int64_t i = 0; i < rows; ++i) {
    const void* row = at(from, i * from_row, from_type);
    void* out = at(to, i * cols, to_type);
    if (from_type == to_type) {
      std::memcpy(out, row, static_cast<uint64_t>(cols * size_of(to_type)));
    } else {
      kernels().widen(from_type, row, static_cast<float*>(out), cols);
    }
  }
}

bool has_few_rows(const Dense& d) {
  return d.m <= kDotRows && d.b_is_transposed;
}

// Few rows: each row of b [n, k] is read once, straight from memory.
void few_rows(const Dense& d, const TileSink& sink) {
  Scratch<float> x(d.m * d.k);  // [M, K]
  copy_as(d.a.type, d.a.data, d.a.row, d.m, d.k, Type::kFloat32, x.data());
  for_each_piece(pieces_of(d.n, kDotCols), [&](int64_t piece) {
    const int64_t col = piece * kDotCols;
    const int64_t cols = std::min(kDotCols, d.n - col);
    float out[kDotRows * kDotCols];
    kernels().dots({d.m, cols, d.k, x.data(), at(d.b.data, col * d.b.row, d.b.type), d.b.row,
                    d.b.type, out, kDotCols});
    sink({0, col, d.m, cols, out, kDotCols});
  });
}

// Small products: everything in float32 on the own kernel.
void small_product(const Dense& d, const TileSink& sink) {
  const int64_t b_rows = d.b_is_transposed ? d.n : d.k;
  const int64_t b_cols = d.b_is_transposed ? d.k : d.n;
  Scratch<float> a(d.m * d.k), b(d.k * d.n), c(d.m * d.n);
  copy_as(d.a.type, d.a.data, d.a.row, d.m, d.k, Type::kFloat32, a.data());
  if (d.b_is_transposed) {
    Scratch<float> plain(d.n * d.k);
    copy_as(d.b.type, d.b.data, d.b.row, b_rows, b_cols, Type::kFloat32, plain.data());
    transpose(Type::kFloat32, plain.data(), d.k, d.n, d.k, b.data(), d.n);
  } else {
    copy_as(d.b.type, d.b.data, d.b.row, b_rows, b_cols, Type::kFloat32, b.data());
  }
  kernels().product({d.m, d.n, d.k, a.data(), d.k, 1, b.data(), d.n, c.data(), d.n, false});
  for (int64_t col = 0; col < d.n; col += kTileCols) {
    sink({0, col, d.m, std::min(kTileCols, d.n - col), c.data() + col, d.n});
  }
}

// Columns col .. of b, at most kTileCols, in oneDNN's order.
PackedSlice packed_slice(const Dense& d, Type type, int64_t col) {
  const int64_t cols = std::min(kTileCols, d.n - col);
  const void* b = at(d.b.data, d.b_is_transposed ? col * d.b.row : col, d.b.type);
  if (d.b.type == type) return {type, cols, d.k, b, d.b.row, d.b_is_transposed};
  const int64_t rows = d.b_is_transposed ? cols : d.k;
  const int64_t row = d.b_is_transposed ? d.k : cols;
  const Scratch<char> copy(rows * row * size_of(type));
  copy_as(d.b.type, b, d.b.row, rows, row, type, copy.data());
  return {type, cols, d.k, copy.data(), row, d.b_is_transposed};
}

// Multiplies ranges of rows with slices, on one thread.
class Multiplier {
 public:
  Multiplier(const Dense& d, Type type) : d_(d), type_(type), c_(kTileRows * kTileCols) {}

  // Rows row .. end-1 times the slice that begins at column col.
  void multiply(const PackedSlice& slice, int64_t col, int64_t row, int64_t end,
                const TileSink& sink) {
    const int64_t cols = std::min(kTileCols, d_.n - col);
    for (; row < end; row += kTileRows) {
      const int64_t rows = std::min(kTileRows, end - row);
      const int64_t padded = std::min(kTileRows, round_up(rows, kRowStep));
      const void* a = at(d_.a.data, row * d_.a.row, d_.a.type);
      int64_t a_row = d_.a.row;
      if (d_.a.type != type_ || padded != rows) {
        if (a_.data() == nullptr) a_ = Scratch<char>(kTileRows * d_.k * size_of(type_));
        copy_as(d_.a.type, a, d_.a.row, rows, d_.k, type_, a_.data());
        // The rows that pad the block are computed and thrown away.
        set_zero(static_cast<char*>(at(a_.data(), rows * d_.k, type_)),
                 (padded - rows) * d_.k * size_of(type_));
        a = a_.data();
        a_row = d_.k;
      }
      slice.multiply(padded, a, a_row, c_.data(), cols, workbench_);
      sink({row, col, rows, cols, c_.data(), cols});
    }
  }

 private:
  const Dense& d_;
  Type type_;
  Scratch<float> c_;
  Scratch<char> a_;
  Workbench workbench_;
};

// With many slices each piece packs one and multiplies it with all rows; with few, all are packed
// first and shared, and the pieces are blocks of rows.
void large_product(const Dense& d, const TileSink& sink) {
  const bool narrow =
      d.a.type == Type::kBfloat16 && d.b.type == Type::kBfloat16 && is_fast(Type::kBfloat16);
  const Type type = narrow ? Type::kBfloat16 : Type::kFloat32;
  const int64_t slices = pieces_of(d.n, kTileCols);
  if (slices >= kPiecesWanted) {
    return for_each_range(slices, [&](int64_t begin, int64_t end) {
      const OneThread alone;
      Multiplier multiplier(d, type);
      for (int64_t col = begin * kTileCols; col < end * kTileCols; col += kTileCols) {
        multiplier.multiply(packed_slice(d, type, col), col, 0, d.m, sink);
      }
    });
  }
  std::vector<std::optional<PackedSlice>> packed(static_cast<size_t>(slices));
  for_each_piece(slices, [&](int64_t slice) {
    const OneThread alone;
    packed[static_cast<size_t>(slice)] = packed_slice(d, type, slice * kTileCols);
  });
  const int64_t blocks = pieces_of(d.m, kTileRows);
  for_each_range(slices * blocks, [&](int64_t begin, int64_t end) {
    const OneThread alone;
    Multiplier multiplier(d, type);
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t slice = piece / blocks, row = piece % blocks * kTileRows;
      multiplier.multiply(*packed[static_cast<size_t>(slice)], slice * kTileCols, row,
                          std::min(d.m, row + kTileRows), sink);
    }
  });
}

template <class T>
void transpose_as(const T* from, int64_t from_row, int64_t rows, int64_t cols, T* to,
                  int64_t to_row) {
  constexpr int64_t kBlock = 16;
  for (int64_t i = 0; i < rows; i += kBlock) {
    const int64_t i_end = std::min(rows, i + kBlock);
    for (int64_t j = 0; j < cols; j += kBlock) {
      const int64_t j_end = std::min(cols, j + kBlock);
      for (int64_t c = j; c < j_end; ++c) {
        for (int64_t r = i; r < i_end; ++r) to[c * to_row + r] = from[r * from_row + c];
      }
    }
  }
}

}  // namespace

int64_t tile_cols(const Dense& dense) {
  return has_few_rows(dense) ? kDotCols : kTileCols;
}

void dense_product(const Dense& dense, const TileSink& sink) {
  if (dense.m == 0 || dense.n == 0) return;
  if (has_few_rows(dense)) return few_rows(dense, sink);
  if (dense.m * dense.n * dense.k < kSmall) return small_product(dense, sink);
  large_product(dense, sink);
}

void transpose(Type type, const void* from, int64_t from_row, int64_t rows, int64_t cols, void* to,
               int64_t to_row) {
  if (type == Type::kFloat32) {
    transpose_as(static_cast<const float*>(from), from_row, rows, cols, static_cast<float*>(to),
                 to_row);
  } else {
    transpose_as(static_cast<const uint16_t*>(from), from_row, rows, cols,
                 static_cast<uint16_t*>(to), to_row);
  }
}

}  // namespace mortise::device_cpu
