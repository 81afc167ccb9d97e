// Rows of JSONL, fast: the one door to simdjson. Same values and the same refusals as parse_json
// (base/json.h), which costs several times as much; the tests hold the two against each other.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/json_tape.h"
#include "base/result.h"

namespace mortise::base {

class RowReader {  // [serial]; keeps its buffers from row to row
 public:
  explicit RowReader(const JsonLimits& limits = {.size_bytes_max = 8u << 20, .depth_max = 128});
  ~RowReader();
  RowReader(RowReader&&) noexcept;
  RowReader& operator=(RowReader&&) noexcept;

  // One JSON value laid flat, valid until the next call. Errors: as parse.
  Result<TapeValue> scan(std::string_view row);
  // One JSON value, without its line end. Errors: as parse_json, byte_offset within the row.
  Result<Json> parse(std::string_view row);
  // The same, for row `row_number` (from 1) that begins at `row_offset` of its file: errors name
  // the row and the byte in the file.
  Result<Json> parse(std::string_view row, int64_t row_number, int64_t row_offset);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mortise::base
