// Letters: n tokens of the reference, m tokens of the prediction.
#include "rouge.h"

#include <mortise/cpp/status.hpp>

#include <algorithm>
#include <unordered_map>

namespace mortise::metric_rouge {
namespace {

using Tokens = std::vector<std::string>;
constexpr uint64_t kTableCellsMax = uint64_t{1} << 27;  // 512 MiB of counts

struct Text {
  Tokens tokens;
  std::vector<Tokens> sentences;  // only when rougeLsum is asked for
};

Text read_text(const RougeConfig& config, std::string_view text) {
  Text result;
  result.tokens = tokenize(config.tokenizer, config.use_stemmer, text);
  const auto is_summary = [](const RougeType& type) {
    return type.kind == RougeType::Kind::kSummary;
  };
  if (std::any_of(config.types.begin(), config.types.end(), is_summary)) {
    for (const std::string_view line : sentences(text)) {
      result.sentences.push_back(tokenize(config.tokenizer, config.use_stemmer, line));
    }
  }
  return result;
}

RougeScore make_score(double hits, double reference_count, double prediction_count, double beta) {
  if (reference_count == 0 || prediction_count == 0) return {};
  const double precision = hits / prediction_count;
  const double recall = hits / reference_count;
  return {precision, recall, f_measure(precision, recall, beta)};
}

std::unordered_map<std::string, uint64_t> count_ngrams(const Tokens& tokens, size_t n) {
  std::unordered_map<std::string, uint64_t> counts;
  for (size_t i = 0; i + n <= tokens.size(); ++i) {
    std::string ngram;
    for (size_t j = i; j < i + n; ++j) ngram += tokens[j] + '\n';  // no token holds white space
    counts[ngram] += 1;
  }
  return counts;
}

// rouge-score divides by at least 1, so a text without n-grams scores 0.
RougeScore score_ngrams(const Tokens& reference, const Tokens& prediction, size_t n, double beta) {
  const auto wanted = count_ngrams(reference, n);
  uint64_t hits = 0;
  for (const auto& [ngram, count] : count_ngrams(prediction, n)) {
    const auto found = wanted.find(ngram);
    if (found != wanted.end()) hits += std::min(count, found->second);
  }
  const auto grams = [n](const Tokens& tokens) {
    return static_cast<double>(tokens.size() >= n ? tokens.size() - n + 1 : 0);
  };
  return make_score(static_cast<double>(hits), grams(reference), grams(prediction), beta);
}

// Length of the longest common subsequence, with two rows of the table only.
size_t lcs_length(const Tokens& a, const Tokens& b) {
  std::vector<uint32_t> previous(b.size() + 1, 0), row(b.size() + 1, 0);
  for (const std::string& token : a) {
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = token == b[j - 1] ? previous[j - 1] + 1 : std::max(previous[j], row[j - 1]);
    }
    std::swap(previous, row);
  }
  return previous.back();
}

// Marks in `marked` the tokens of the reference that belong to one longest common subsequence; of
// several, the one that rouge-score's way back through the table finds.
void mark_lcs(const Tokens& reference, const Tokens& prediction, std::vector<bool>& marked) {
  const size_t n = reference.size(), m = prediction.size();
  if (uint64_t{n + 1} * (m + 1) > kTableCellsMax) {
    throw sdk::resource_exhausted("Two sentences of " + std::to_string(n) + " and " +
                                  std::to_string(m) + " tokens are too long for rougeLsum.")
        .with_hint("Leave rougeLsum out of rouge_types, or cut the texts into lines.");
  }
  std::vector<uint32_t> table((n + 1) * (m + 1), 0);
  const auto cell = [&](size_t i, size_t j) -> uint32_t& { return table[i * (m + 1) + j]; };
  for (size_t i = 1; i <= n; ++i) {
    for (size_t j = 1; j <= m; ++j) {
      cell(i, j) = reference[i - 1] == prediction[j - 1] ? cell(i - 1, j - 1) + 1
                                                         : std::max(cell(i - 1, j), cell(i, j - 1));
    }
  }
  for (size_t i = n, j = m; i > 0 && j > 0;) {
    if (reference[i - 1] == prediction[j - 1]) {
      marked[i - 1] = true;
      --i;
      --j;
    } else if (cell(i, j - 1) > cell(i - 1, j)) {
      --j;
    } else {
      --i;
    }
  }
}

// Lin 2004, section 3.2, with the clipping of ROUGE-1.5.5: a token counts no more often than it
// stands in either text.
RougeScore score_summary(const Text& reference, const Text& prediction, double beta) {
  std::unordered_map<std::string, std::pair<int64_t, int64_t>> left;
  double reference_count = 0, prediction_count = 0;
  for (const Tokens& sentence : reference.sentences) {
    for (const std::string& token : sentence) left[token].first += 1;
    reference_count += static_cast<double>(sentence.size());
  }
  for (const Tokens& sentence : prediction.sentences) {
    for (const std::string& token : sentence) left[token].second += 1;
    prediction_count += static_cast<double>(sentence.size());
  }
  double hits = 0;
  for (const Tokens& sentence : reference.sentences) {
    std::vector<bool> marked(sentence.size(), false);
    for (const Tokens& other : prediction.sentences) mark_lcs(sentence, other, marked);
    for (size_t i = 0; i < sentence.size(); ++i) {
      if (!marked[i]) continue;
      auto& [in_reference, in_prediction] = left[sentence[i]];
      if (in_reference <= 0 || in_prediction <= 0) continue;
      hits += 1;
      in_reference -= 1;
      in_prediction -= 1;
    }
  }
  return make_score(hits, reference_count, prediction_count, beta);
}

RougeScore score_one(const RougeConfig& config, const RougeType& type, const Text& reference,
                     const Text& prediction) {
  if (type.kind == RougeType::Kind::kNgram) {
    return score_ngrams(reference.tokens, prediction.tokens, type.n, config.beta);
  }
  if (type.kind == RougeType::Kind::kSummary) {
    return score_summary(reference, prediction, config.beta);
  }
  const auto hits = static_cast<double>(lcs_length(reference.tokens, prediction.tokens));
  return make_score(hits, static_cast<double>(reference.tokens.size()),
                    static_cast<double>(prediction.tokens.size()), config.beta);
}

}  // namespace

RougeType rouge_type_of(std::string_view name) {
  using Kind = RougeType::Kind;
  if (name == "rougeL") return {Kind::kLcs, 0, std::string(name)};
  if (name == "rougeLsum") return {Kind::kSummary, 0, std::string(name)};
  if (name.size() == 6 && name.starts_with("rouge") && name[5] >= '1' && name[5] <= '9') {
    return {Kind::kNgram, static_cast<uint32_t>(name[5] - '0'), std::string(name)};
  }
  throw sdk::invalid_argument("\"" + std::string(name) +
                              "\" is no ROUGE; there are rouge1 .. rouge9, rougeL and rougeLsum.")
      .at("", -1, -1, "/rouge_types");
}

double f_measure(double precision, double recall, double beta) {
  const double squared = beta * beta;
  const double below = recall + squared * precision;
  return below > 0 ? (1 + squared) * precision * recall / below : 0.0;
}

std::vector<RougeScore> score_row(const RougeConfig& config, std::string_view prediction,
                                  const std::vector<std::string_view>& references) {
  const Text predicted = read_text(config, prediction);
  std::vector<RougeScore> best(config.types.size());
  for (size_t r = 0; r < references.size(); ++r) {
    const Text reference = read_text(config, references[r]);
    for (size_t i = 0; i < config.types.size(); ++i) {
      const RougeScore score = score_one(config, config.types[i], reference, predicted);
      if (r == 0) {
        best[i] = score;
      } else if (config.references == References::kBestF) {
        if (score.f > best[i].f) best[i] = score;
      } else {
        best[i].precision = std::max(best[i].precision, score.precision);
        best[i].recall = std::max(best[i].recall, score.recall);
      }
    }
  }
  if (config.references == References::kBestEach) {
    for (RougeScore& score : best) {
      score.f = f_measure(score.precision, score.recall, config.beta);
    }
  }
  return best;
}

}  // namespace mortise::metric_rouge
