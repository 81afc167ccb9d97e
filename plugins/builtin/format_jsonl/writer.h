// Rows into a JSONL file that is visible only once it is whole.
//
// Called by plugin.cpp. Writes what a reader of this pack takes: one object a line, "\n" at the end
// of each. [serial]
#pragma once

#include <mortise/cpp/files.hpp>
#include <mortise/cpp/format_writer.hpp>

#include <string>

namespace mortise::format_jsonl {

class JsonlWriter : public sdk::FormatWriter {
 public:
  // schema: a column "row", utf8; "byte_offset" may stand beside it and is not written. Throws
  // INVALID_ARGUMENT naming any other column, ALREADY_EXISTS.
  JsonlWriter(std::string_view uri, const ArrowSchema& schema, sdk::Json config);

  // Throws INVALID_ARGUMENT with the row (from 1, over all batches) and the byte in it.
  void append(const sdk::StructView& batch) override;
  void commit() override;

 private:
  int64_t row_column_ = -1;
  sdk::File file_;
  int64_t rows_ = 0;
};

}  // namespace mortise::format_jsonl
