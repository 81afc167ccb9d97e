// ROUGE (Lin 2004) as rouge-score 0.1.2 computes it: n-grams, longest common subsequence, and the
// union of such over sentences.
//
// Called by plugin.cpp. Knows nothing of sums over rows, Arrow or JSON. All functions are [any].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize.h"

namespace mortise::metric_rouge {

// rouge1 .. rouge9, rougeL, rougeLsum.
struct RougeType {
  enum class Kind : uint8_t { kNgram, kLcs, kSummary };
  Kind kind = Kind::kNgram;
  uint32_t n = 1;  // kNgram
  std::string name;
};

// Throws INVALID_ARGUMENT for a name that is none of them.
RougeType rouge_type_of(std::string_view name);

// Which of several references counts.
enum class References : uint8_t {
  kBestF,    // the one with the best F; the first of equals
  kBestEach  // the best precision and the best recall, each of any reference; F of these two (COCO)
};

struct RougeConfig {
  std::vector<RougeType> types;
  Tokenizer tokenizer = Tokenizer::kDefault;
  bool use_stemmer = false;
  double beta = 1.0;
  References references = References::kBestF;
};

struct RougeScore {
  double precision = 0;  // 0 .. 1, as all three
  double recall = 0;
  double f = 0;
};

// F = (1 + beta^2) P R / (R + beta^2 P); 0 when both are 0.
double f_measure(double precision, double recall, double beta);

// One score a type, in the order of config.types. references: at least one. Throws
// RESOURCE_EXHAUSTED when a text is too long for rougeLsum.
std::vector<RougeScore> score_row(const RougeConfig& config, std::string_view prediction,
                                  const std::vector<std::string_view>& references);

}  // namespace mortise::metric_rouge
