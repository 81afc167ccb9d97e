// BLEU (Papineni et al. 2002) as sacrebleu 2 computes it: counts of one row, sums of many, score.
//
// Called by plugin.cpp. Sums are integers, so any partition of the rows gives the same score to the
// bit. Knows nothing of Arrow or JSON.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize.h"

namespace mortise::metric_bleu {

inline constexpr size_t kOrderMax = 16;

enum class Smoothing : uint8_t { kExp, kFloor, kAddK, kNone };

struct BleuConfig {
  Tokenizer tokenizer = Tokenizer::k13a;
  Smoothing smoothing = Smoothing::kExp;
  double smooth_value = std::numeric_limits<double>::quiet_NaN();  // NaN: floor 0.1, add-k 1
  bool lowercase = false;
  bool effective_order = false;
  uint32_t ngram_order_max = 4;  // 1 .. kOrderMax
};

// Of one row, or the sum over many. Index n - 1 belongs to n-grams.
struct BleuCounts {
  uint64_t rows = 0;
  uint64_t prediction_tokens = 0;
  uint64_t reference_tokens = 0;  // of the reference closest in length, the shorter of two
  std::array<uint64_t, kOrderMax> correct{};
  std::array<uint64_t, kOrderMax> total{};

  void add(const BleuCounts& other);
};

// Counts n-grams up to the greater of ngram_order_max and 4, so that bleu1 .. bleu4 can be told.
// references: at least one. [any]
BleuCounts count_row(const BleuConfig& config, std::string_view prediction,
                     const std::vector<std::string_view>& references);

// 0 .. 100. order: 1 .. kOrderMax, up to which n-grams were counted.
double bleu_score(const BleuCounts& counts, const BleuConfig& config, uint32_t order,
                  bool effective_order);

}  // namespace mortise::metric_bleu
