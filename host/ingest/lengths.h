// How many tokens each row has, and how many rows are longer than a job would take. Counts the
// texts of a row joined by newlines, through the tokenizer that the user chose; what a chat
// template adds is not counted. Called by set_check. [serial]
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/json_tape.h"
#include "base/result.h"

namespace mortise::ingest {

class TokenCounter {
 public:
  virtual ~TokenCounter() = default;
  // Tokens of each text. Errors: those of the tokenizer.
  virtual base::Result<std::vector<int64_t>> count(std::span<const std::string> texts) = 0;
};

class Lengths {
 public:
  struct Long {
    size_t tag;  // as add was given
    int64_t tokens;
  };
  // counter: null counts nothing. length_max: 0 for no bound.
  Lengths(TokenCounter* counter, int64_t length_max) : counter_(counter), length_max_(length_max) {}

  // Rows are counted in batches; those that are too long come out of the call that counted them.
  base::Result<std::vector<Long>> add(base::TapeValue row, size_t tag);
  base::Result<std::vector<Long>> flush();
  bool is_empty() const { return texts_.empty(); }  // no row waits to be counted
  // {rows_count, tokens_count, min, p50, p90, p99, max, length_max, too_long_count, histogram
  // [{from, to, count}]}; null when nothing was counted.
  base::Json to_json() const;

 private:
  TokenCounter* counter_;
  int64_t length_max_;
  std::vector<std::string> texts_;
  std::vector<size_t> tags_;
  std::vector<uint32_t> counts_;  // rows of each length; the last one: that long or longer
  int64_t rows_ = 0, tokens_ = 0, too_long_ = 0, longest_ = 0;
};

}  // namespace mortise::ingest
