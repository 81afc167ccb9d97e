// N-grams are compared as rows of word numbers; the numbers are given anew for each row.
#include "bleu.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace mortise::metric_bleu {
namespace {

using Words = std::vector<uint32_t>;
using NgramCounts = std::unordered_map<std::string, uint64_t>;

class Numbering {
 public:
  Words number(const std::vector<Characters>& tokens) {
    Words words;
    words.reserve(tokens.size());
    for (const Characters& token : tokens) {
      words.push_back(
          numbers_.emplace(token, static_cast<uint32_t>(numbers_.size())).first->second);
    }
    return words;
  }

 private:
  std::unordered_map<Characters, uint32_t> numbers_;
};

NgramCounts count_ngrams(const Words& words, size_t n) {
  NgramCounts counts;
  for (size_t i = 0; i + n <= words.size(); ++i) {
    const auto* bytes = reinterpret_cast<const char*>(words.data() + i);
    counts[std::string(bytes, n * sizeof(uint32_t))] += 1;
  }
  return counts;
}

uint64_t closest_length(uint64_t length, const std::vector<Words>& references) {
  uint64_t best = references.front().size();
  const auto distance = [length](uint64_t other) {
    return other > length ? other - length : length - other;
  };
  for (const Words& reference : references) {
    const uint64_t size = reference.size();
    if (distance(size) < distance(best) || (distance(size) == distance(best) && size < best)) {
      best = size;
    }
  }
  return best;
}

// Each n-gram counts at most as often as in the reference that has it most often.
uint64_t clipped_matches(const Words& prediction, const std::vector<Words>& references, size_t n) {
  NgramCounts most;
  for (const Words& reference : references) {
    for (const auto& [ngram, count] : count_ngrams(reference, n)) {
      uint64_t& place = most[ngram];
      place = std::max(place, count);
    }
  }
  uint64_t matches = 0;
  for (const auto& [ngram, count] : count_ngrams(prediction, n)) {
    const auto found = most.find(ngram);
    if (found != most.end()) matches += std::min(count, found->second);
  }
  return matches;
}

double brevity_penalty(const BleuCounts& counts) {
  if (counts.prediction_tokens >= counts.reference_tokens) return 1.0;
  if (counts.prediction_tokens == 0) return 0.0;
  const auto ratio =
      static_cast<double>(counts.reference_tokens) / static_cast<double>(counts.prediction_tokens);
  return std::exp(1.0 - ratio);
}

double smooth_value_of(const BleuConfig& config) {
  if (!std::isnan(config.smooth_value)) return config.smooth_value;
  return config.smoothing == Smoothing::kFloor ? 0.1 : 1.0;
}

}  // namespace

void BleuCounts::add(const BleuCounts& other) {
  rows += other.rows;
  prediction_tokens += other.prediction_tokens;
  reference_tokens += other.reference_tokens;
  for (size_t i = 0; i < kOrderMax; ++i) {
    correct[i] += other.correct[i];
    total[i] += other.total[i];
  }
}

BleuCounts count_row(const BleuConfig& config, std::string_view prediction,
                     const std::vector<std::string_view>& references) {
  Numbering numbering;
  const auto words_of = [&](std::string_view text) {
    return numbering.number(tokenize(config.tokenizer, text, config.lowercase));
  };
  const Words words = words_of(prediction);
  std::vector<Words> reference_words;
  for (const std::string_view reference : references)
    reference_words.push_back(words_of(reference));
  BleuCounts counts;
  counts.rows = 1;
  counts.prediction_tokens = words.size();
  counts.reference_tokens = closest_length(words.size(), reference_words);
  for (size_t n = 1; n <= std::max<size_t>(config.ngram_order_max, 4); ++n) {
    counts.total[n - 1] = words.size() >= n ? words.size() - n + 1 : 0;
    counts.correct[n - 1] = clipped_matches(words, reference_words, n);
  }
  return counts;
}

double bleu_score(const BleuCounts& counts, const BleuConfig& config, uint32_t order,
                  bool effective_order) {
  const auto begin = counts.correct.begin();
  const bool any = std::any_of(begin, begin + order, [](uint64_t count) { return count > 0; });
  if (!any) return 0.0;
  const double value = smooth_value_of(config);
  std::array<double, kOrderMax> precisions{};  // in per cent
  double halving = 1.0;
  uint32_t used = order;
  for (uint32_t n = 1; n <= order; ++n) {
    auto correct = static_cast<double>(counts.correct[n - 1]);
    auto total = static_cast<double>(counts.total[n - 1]);
    if (config.smoothing == Smoothing::kAddK && n > 1) {
      correct += value;
      total += value;
    }
    if (total == 0.0) break;
    if (effective_order) used = n;
    if (correct != 0.0) {
      precisions[n - 1] = 100.0 * correct / total;
    } else if (config.smoothing == Smoothing::kExp) {
      halving *= 2.0;
      precisions[n - 1] = 100.0 / (halving * total);
    } else if (config.smoothing == Smoothing::kFloor) {
      precisions[n - 1] = 100.0 * value / total;
    }
  }
  double log_sum = 0.0;
  for (uint32_t n = 0; n < used; ++n) {
    if (precisions[n] == 0.0) return 0.0;
    log_sum += std::log(precisions[n]);
  }
  return brevity_penalty(counts) * std::exp(log_sum / used);
}

}  // namespace mortise::metric_bleu
